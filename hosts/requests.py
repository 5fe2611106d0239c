"""A call and a mapping to the requests that are made of a policy about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hosts.call import Call
from hosts.convert import CONVERSIONS, UnfitError, as_path, as_text, times
from hosts.mapping import Always, Each, Entry, From, Mapping
from hosts.paths import AbsentError, found, steps

MOST = 256
"""So many requests may come of one call: a host that sends a list without end does not stop the others."""


class UnmappedError(Exception):
    """The call cannot be put to the policy. `code` says in what way."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """What the policy is asked. `origins` are the inputs that were taken as they are from somewhere in the arguments,
    and so can be replaced there."""

    action: str
    inputs: dict[str, Any]
    origins: dict[str, tuple[str, ...]]


def before(mapping: Mapping, call: Call) -> list[Request]:
    """What is asked before a call is made; nothing, when the mapping says that nothing need be.

    Raises `UnmappedError` for a call that no entry is about, and for one in which something is missing.
    """
    entries = [e for e in mapping.call if _is_about(e, call)]
    if not entries:
        raise UnmappedError("mapping.unmapped", f"no entry of the mapping is about `{call.tool}`")
    made = _requests(mapping, entries, call)
    # SOUND: what is asked for each of none is not asked at all, and so nothing has allowed it.
    if not made and any(e.action is not None for e in entries):
        raise UnmappedError("mapping.nothing", f"there is nothing in `{call.tool}` to ask about")
    return made


def after(mapping: Mapping, call: Call) -> list[Request]:
    """What is told about a call that has come back; nothing about most."""
    return _requests(mapping, [e for e in mapping.result if _is_about(e, call)], call)


def _requests(mapping: Mapping, entries: list[Entry], call: Call) -> list[Request]:
    made: list[Request] = []
    for entry in entries:
        for each in _all_of(entry.each, call):
            made += _request(mapping, entry, call, each)
            if len(made) > MOST:
                raise UnmappedError("mapping.too_many", f"`{call.tool}` would be more than {MOST} requests")
    return made


def _is_about(entry: Entry, call: Call) -> bool:
    if not entry.names(call.tool):
        return False
    for path, wanted in entry.where.items():
        try:
            value = found(call, steps(path))
        except AbsentError:
            return False
        among = wanted if isinstance(wanted, list) else [wanted]
        if not any(value.__class__ is w.__class__ and value == w for w in among):
            return False
    return True


def _all_of(each: Each | None, call: Call) -> Iterator[Any]:
    if each is None:
        yield None
        return
    try:
        value = found(call, steps(each.in_))
    except AbsentError:
        return
    if each.find is not None:
        yield from dict.fromkeys(m.group() for m in re.finditer(each.find, as_text(value)))
    elif isinstance(value, list):
        yield from value
    elif value is not None:
        yield value


def _request(mapping: Mapping, entry: Entry, call: Call, each: Any) -> list[Request]:
    if entry.action is None:
        return []
    inputs: dict[str, Any] = {}
    origins: dict[str, tuple[str, ...]] = {}
    for name, source in entry.inputs.items():
        if isinstance(source, Always):
            inputs[name] = source.value
            continue
        names = steps(source.at)
        inputs[name] = _value(name, source, names, call, each)
        if names[0] == "arguments" and source.as_ is None and source.times is None:
            origins[name] = names[1:]
    return [Request(mapping.named(entry.action), inputs, origins)]


def _value(name: str, source: From, names: tuple[str, ...], call: Call, each: Any) -> Any:
    try:
        value = found(call, names, each)
    except AbsentError as error:
        if source.optional or source.default is not None:
            return source.default
        raise UnmappedError("mapping.missing", f"`{name}` is wanted: {error}") from error
    try:
        if source.times is not None:
            return times(value, source.times)
        if source.as_ == "path":
            return as_path(value, _within(source, call))
        return value if source.as_ is None else CONVERSIONS[source.as_](value)
    except UnfitError as error:
        raise UnmappedError("mapping.unfit", f"`{'.'.join(names)}` {error}") from error


def _within(source: From, call: Call) -> Any:
    try:
        return None if source.within is None else found(call, steps(source.within))
    except AbsentError:
        return None
