"""What a caller hands over to the inputs of the core: options, sets and records are taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from policydsl.core.system import NOW, Action, GuardKind, Input
from policydsl.core.types import Scalar, Value
from policydsl.state import default_value, well_typed
from runtime.decision import Code

Shape: TypeAlias = "Scalar | dict[str, Shape]"
"""A scalar, or fields with shapes: `has` and `value` of an option, the fields of a record, the cases of a set."""


class InputError(Exception):
    """A request that the policy does not know. `code` says in what way."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def by_enforcer(action: Action) -> frozenset[str]:
    """The inputs that nobody who asks may give: the time, and what people answered."""
    rules = [g.rule for g in action.guards if g.kind is GuardKind.APPROVE]
    return frozenset({NOW, *(f"approved_{r}" for r in rules), *(f"asked_{r}" for r in rules)})


def told_apart(own: frozenset[str], recorded: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Recorded inputs to those that whoever asked gave, and what people answered; the time is in neither.

    `own` is what `by_enforcer` says of the action."""
    given = {n: v for n, v in recorded.items() if n not in own}
    return given, {n: recorded[n] for n in own if n != NOW and n in recorded}


def asked_of_callers(action: Action) -> tuple[Input, ...]:
    """The inputs that a request carries."""
    given = by_enforcer(action)
    return tuple(i for i in action.inputs if i.name not in given)


def shape(inputs: Sequence[Input]) -> dict[str, Shape]:
    """Inputs by name, those of one option, set or record together."""
    found: dict[str, Shape] = {}
    for i in inputs:
        *outer, last = i.name.split(".")
        inner = found
        for name in outer:
            below = inner.setdefault(name, {})
            assert isinstance(below, dict)
            inner = below
        inner[last] = i.type
    return found


def flatten(wanted: Mapping[str, Shape], given: Mapping[str, Any], prefix: str = "") -> dict[str, Value]:
    """The inputs of the core. Raises `InputError` for what is missing, unknown or ill-typed.

    An option is None or its value; a set is any collection of its members; a record is a mapping.
    """
    found: dict[str, Value] = {}
    for name, below in wanted.items():
        if name in given:
            found |= _one(below, given[name], prefix + name)
        elif isinstance(below, dict) and (dotted := _dotted(given, name)):
            found |= flatten(below, dotted, f"{prefix}{name}.")
        else:
            raise InputError(Code.MISSING_INPUT, f"`{prefix}{name}` is missing")
    for name in given:
        if name not in wanted and (name.partition(".")[0] not in wanted or name.partition(".")[0] in given):
            raise InputError(Code.UNKNOWN_INPUT, f"there is no input `{prefix}{name}`")
    return found


def _dotted(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What is given of `name` as `name.field`."""
    start = f"{name}."
    return {n.removeprefix(start): v for n, v in given.items() if n.startswith(start)}


def _one(below: Shape, value: Any, name: str) -> dict[str, Value]:
    if not isinstance(below, dict):
        plain = _plain(value)
        if not well_typed(plain, below):
            raise InputError(Code.ILL_TYPED, f"`{name}` is not of type {below}")
        return {name: plain}
    if below.keys() == {"has", "value"} and not (isinstance(value, Mapping) and value.keys() == below.keys()):
        if value is None:
            return {f"{name}.has": False, **_nothing(below["value"], f"{name}.value")}
        return {f"{name}.has": True, **_one(below["value"], value, f"{name}.value")}
    if isinstance(value, Mapping):
        return flatten(below, value, f"{name}.")
    if isinstance(value, list | tuple | set | frozenset) and not any(isinstance(s, dict) for s in below.values()):
        members = [_plain(m) for m in value]
        for m in members:
            if m not in below:
                raise InputError(Code.ILL_TYPED, f"`{name}` has no member {m!r}")
        return {f"{name}.{case}": case in members for case in below}
    raise InputError(Code.ILL_TYPED, f"`{name}` has fields {', '.join(below)}, and is given as {type(value).__name__}")


def _nothing(below: Shape, name: str) -> dict[str, Value]:
    if not isinstance(below, dict):
        return {name: default_value(below)}
    return {k: v for field, inner in below.items() for k, v in _nothing(inner, f"{name}.{field}").items()}


def _plain(value: Any) -> Any:
    """Members of `str` and `int` enumerations are what they stand for."""
    if isinstance(value, str) and value.__class__ is not str:
        return str.__str__(value)
    if isinstance(value, int) and value.__class__ not in (int, bool):
        return int(value)
    return value
