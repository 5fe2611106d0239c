"""Two oracles: systems over a few named individuals, stepped by brute force, and the temporal operators by definition.

Neither shares code with what it is compared to: the evaluator enumerates the individuals it is told of, and the
operators look at the whole list of earlier allowed requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from policydsl.core.expr import Const, Expr, Op, Ref, Space
from policydsl.core.system import NOW, Action, StateVar, System
from policydsl.core.types import BOOL, INT, EntityType, EnumType

Cells = dict[str, dict[tuple[str, ...], Any]]
People = Mapping[EntityType, Sequence[str]]


@dataclass(frozen=True)
class Place:
    """Where an expression is evaluated."""

    cells: Cells
    inputs: Mapping[str, Any]
    people: People
    bound: Mapping[str, str]
    after: Cells | None = None
    params: Mapping[str, Any] | None = None


def value(e: Expr, at: Place) -> Any:
    """The value of `e`, by recursion; quantifiers and sums go over the individuals of `at`."""
    if isinstance(e, Const):
        return e.value
    if isinstance(e, Ref):
        match e.space:
            case Space.INPUT:
                return at.inputs[e.name]
            case Space.BOUND:
                return at.bound[e.name]
            case Space.PARAM:
                return (at.params or {})[e.name]
            case _:
                return _map(e, at)[()]
    a = e.args
    match e.op:
        case Op.FORALL | Op.EXISTS | Op.SUM:
            each = (value(a[1], bind(at, a[0], x)) for x in at.people[a[0].type])
            return {Op.FORALL: all, Op.EXISTS: any, Op.SUM: sum}[e.op](each)
        case Op.SELECT:
            return _map(a[0], at)[tuple(value(k, at) for k in a[1:])]
        case Op.AND:
            return all(value(x, at) for x in a)
        case Op.OR:
            return any(value(x, at) for x in a)
        case Op.NOT:
            return not value(a[0], at)
        case Op.IMPLIES:
            return not value(a[0], at) or value(a[1], at)
        case Op.ITE:
            return value(a[1], at) if value(a[0], at) else value(a[2], at)
        case Op.ADD:
            return sum(value(x, at) for x in a)
    x, y = value(a[0], at), value(a[1], at)
    match e.op:
        case Op.EQ:
            return x == y
        case Op.LE:
            return x <= y
        case Op.LT:
            return x < y
        case Op.SUB:
            return x - y
        case Op.MUL:
            return x * y
        case Op.DIV:
            return x // y if y > 0 else 0
        case Op.MOD:
            return x % y if y > 0 else 0
        case Op.MIN:
            return min(x, y)
        case Op.MAX:
            return max(x, y)
    raise AssertionError(e)


def bind(at: Place, bound: Expr, individual: str) -> Place:
    assert isinstance(bound, Ref)
    return Place(at.cells, at.inputs, at.people, {**at.bound, bound.name: individual}, at.after, at.params)


def _map(e: Expr, at: Place) -> Mapping[tuple[str, ...], Any]:
    assert isinstance(e, Ref)
    assert e.space in (Space.STATE, Space.NEXT)
    if e.space is Space.NEXT:
        assert at.after is not None
        return at.after[e.name]
    return at.cells[e.name]


def free_value(var: StateVar) -> Any:
    if var.type == BOOL:
        return False
    if var.type == INT:
        return 0
    return var.type.cases[0] if isinstance(var.type, EnumType) else ""


def start(system: System, people: People) -> Cells:
    """The initial state; free cells hold what the interpreter would give them."""
    nowhere = Place({}, {}, people, {}, params={p.name: p.default.value for p in system.params})
    return {
        v.name: dict.fromkeys(
            product(*(people[k] for k in v.keys)), free_value(v) if v.init is None else value(v.init, nowhere)
        )
        for v in system.state
    }


def step(system: System, action: Action, cells: Cells, inputs: Mapping[str, Any], people: People) -> Cells | None:
    """The state after an allowed request, None after another."""
    at = Place(cells, inputs, people, {}, params={p.name: p.default.value for p in system.params})
    if not all(value(g.expr, at) for g in action.guards):
        return None
    made = {name: dict(rows) for name, rows in cells.items()}
    for write in action.writes:
        for chosen in product(*(people[b.type] for b in write.binders)):  # type: ignore[index]
            there = at
            for b, x in zip(write.binders, chosen, strict=True):
                there = bind(there, b, x)
            made[write.var][tuple(value(k, there) for k in write.keys)] = value(write.value, there)
    return made


@dataclass(frozen=True)
class Moment:
    """One request, and the state when it was decided."""

    time: int
    action: str
    inputs: Mapping[str, Any]
    cells: Cells

    @staticmethod
    def of(action: str, inputs: Mapping[str, Any], cells: Cells) -> Moment:
        return Moment(inputs[NOW], action, inputs, cells)


Test = Callable[[Moment], bool]
History = Sequence[Moment]


def young(past: History, now: int, within: int | None) -> list[Moment]:
    return [m for m in past if within is None or now - m.time <= within]


def once(event: Test, past: History, now: int, within: int | None = None) -> bool:
    return any(event(m) for m in young(past, now, within))


def previously(event: Test, past: History) -> bool:
    return len(past) > 0 and event(past[-1])


def once_state(phi: Test, past: History, here: Moment, within: int | None = None) -> bool:
    return phi(here) or once(phi, past, here.time, within)


def historically_state(phi: Test, past: History, here: Moment, within: int | None = None) -> bool:
    return phi(here) and all(phi(m) for m in young(past, here.time, within))


def _last(event: Test, past: History, now: int, within: int | None) -> int | None:
    """The place of the last event, unless it is too long ago."""
    places = [i for i, m in enumerate(past) if event(m)]
    return places[-1] if places and (within is None or now - past[places[-1]].time <= within) else None


def since(what: Test, event: Test, negated: bool, past: History, now: int, within: int | None = None) -> bool:
    last = _last(event, past, now, within)
    return last is not None and any(what(m) for m in past[last + 1 :]) is not negated


def since_state(phi: Test, event: Test, past: History, here: Moment, within: int | None = None) -> bool:
    last = _last(event, past, here.time, within)
    return last is not None and all(phi(m) for m in past[last + 1 :]) and phi(here)


def count(event: Test, past: History, now: int, within: int | None = None) -> int:
    """A window of a count is open at its far end: an event `within` ago is outside."""
    return sum(1 for m in past if event(m) and (within is None or now - m.time < within))


def amount(event: Test, field: str, past: History, now: int, within: int) -> int:
    return sum(m.inputs[field] for m in past if event(m) and now - m.time < within)


def in_quarters(event: Test, field: str, past: History, now: int, within: int) -> int:
    """What the buckets promise: the amounts of this period and of the four before it."""
    width = -(-within // 4)
    return sum(max(0, m.inputs[field]) for m in past if event(m) and now // width - m.time // width <= 4)
