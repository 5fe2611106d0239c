"""Places in a call: `$arguments.to.0` to what is there, and to a copy of the arguments with something else there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hosts.call import Call

ROOTS = ("tool", "arguments", "id", "session", "agent", "user", "context", "result", "each")
"""Where a path may begin; `each` is one of many, where a request is made for each of them."""


class AbsentError(LookupError):
    """There is nothing at a path."""


def steps(path: str) -> tuple[str, ...]:
    """`$a.b` as its names. Raises `ValueError` for what is no path."""
    names = tuple(path.removeprefix("$").split("."))
    if not path.startswith("$") or "" in names:
        raise ValueError(f"`{path}` is no path: it is written like `$arguments.to`")
    if names[0] not in ROOTS:
        raise ValueError(f"`{path}` begins with none of {', '.join(ROOTS)}")
    return names


def found(call: Call, names: tuple[str, ...], each: Any = None) -> Any:
    """What is at a path in `call`. Raises `AbsentError`."""
    value: Any = each if names[0] == "each" else getattr(call, names[0])
    # "" is how a call says that the host has not said.
    if len(names) == 1 and names[0] in ("id", "session", "agent", "user") and value == "":
        raise AbsentError(f"the host does not say the {names[0]}")
    for name in names[1:]:
        value = _below(value, name, names)
    return value


def _below(value: Any, name: str, names: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        return value[int(name)]
    raise AbsentError(f"there is no `{'.'.join(names)}`")


def replaced(value: Any, names: tuple[str, ...], new: Any) -> Any:
    """A copy of `value` that has `new` at a path in it. Raises `AbsentError` where there is nothing to replace."""
    if not names:
        return new
    name, *rest = names
    inner = replaced(_below(value, name, names), tuple(rest), new)
    if isinstance(value, list):
        return [inner if i == int(name) else v for i, v in enumerate(value)]
    return {**value, name: inner}
