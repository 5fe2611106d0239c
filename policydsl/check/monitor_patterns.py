"""Events in the observer's terms to occurrences without an observer: which requests count, and for whom."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from policydsl.check.monitor_terms import closed
from policydsl.core.expr import FALSE, TRUE, Const, Expr, Ref, case, conj, eq, ite
from policydsl.core.system import Input
from policydsl.core.types import BOOL, STRING, EntityType, EnumType


class MonitorError(ValueError):
    """A temporal condition that cannot be monitored in bounded memory: a diagnostic without its place."""

    def __init__(self, code: str, text: str, help: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.help = help


@dataclass(frozen=True, slots=True)
class EventPattern:
    """Allowed requests of `action` whose inputs equal the given expressions, which are in the observer's terms.

    An expression that is constant filters; one that names an individual becomes a key of the monitor.
    """

    action: str
    match: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event pattern without its observer, whose individuals are numbered."""

    action: str
    filters: tuple[tuple[Input, Expr], ...]
    slots: tuple[tuple[Input, int], ...]

    @property
    def happens(self) -> Expr:
        """When a request of the action is such an event, in its inputs, whoever it is about."""
        same = (eq(i.ref, first) for i, slot in self.slots if (first := self.at(slot)) is not None)
        return conj(*(eq(i.ref, e) for i, e in self.filters), *same)

    def at(self, slot: int) -> Ref | None:
        """The input of the event that is the observer's individual number `slot`."""
        return next((i.ref for i, s in self.slots if s == slot), None)

    def __str__(self) -> str:
        parts = []
        for i, slot in self.slots:
            first = self.at(slot)
            parts.append(i.name if first is i.ref or first is None else f"{i.name}={first.name}")
        parts += [f"{i.name}={_constant(e)}" for i, e in self.filters]
        return f"{self.action}({', '.join(parts)})"


def _constant(e: Expr) -> str:
    if isinstance(e, Const) and e.type == STRING:
        return json.dumps(e.value)
    return repr(e)


def occurrence(event: EventPattern, inputs: tuple[Input, ...], observed: list[Expr]) -> Occurrence:
    """Abstract `event`; the observer's individuals that it mentions are numbered by their place in `observed`."""
    wanted = dict(event.match)
    assert wanted.keys() <= {i.name for i in inputs}, (event, inputs)
    filters, slots = [], []
    for given in inputs:
        e = wanted.get(given.name)
        if e is None:
            continue
        if closed(e):
            filters.append((given, e))
        else:
            assert isinstance(e.type, EntityType)
            if e not in observed:
                observed.append(e)
            slots.append((given, observed.index(e)))
    return Occurrence(event.action, tuple(filters), tuple(slots))


def by_cases(event: EventPattern, build: Callable[[EventPattern], Expr]) -> Expr:
    """`build` for each value of the Booleans and enums of the observer in `event`: only individuals are left over."""
    for name, e in event.match:
        if closed(e) or isinstance(e.type, EntityType):
            continue
        values: tuple[Const, ...]
        if e.type == BOOL:
            values = (TRUE, FALSE)
        elif isinstance(e.type, EnumType):
            values = tuple(case(e.type, c) for c in e.type.cases)
        else:
            raise MonitorError(
                "E552",
                f"the past of `{event.action}` is not kept for each value of `{name}`",
                f"compare `{name}` with a constant, or write `_` in its place",
            )
        branches = [(v, by_cases(_with(event, name, v), build)) for v in values]
        result = branches[-1][1]
        for value, branch in reversed(branches[:-1]):
            result = ite(eq(e, value), branch, result)
        return result
    return build(event)


def _with(event: EventPattern, name: str, value: Const) -> EventPattern:
    return replace(event, match=tuple((n, value if n == name else e) for n, e in event.match))
