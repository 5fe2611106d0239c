"""The meaning of expressions: an expression, a state, a request and bound individuals become a value.

NOTE(everyone-else): individuals are unboundedly many and can only be told apart, so a state stores the rows of the
individuals that were written to, and one row `*` for everyone else. A quantifier ranges over the individuals that occur
anywhere plus, for each enclosing binder, one fresh individual: all that occur nowhere behave alike, so this is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, floor_div, floor_mod, subterms
from policydsl.core.types import EntityType, Value
from policydsl.regular import member
from policydsl.state import EVERYONE_ELSE, State


class FaultError(Exception):
    """An expression or a write that no checked system contains."""


def _sum(*values: int) -> int:
    if values[-1] != 0:
        raise FaultError("a sum to which everyone contributes")
    return sum(values)


MEANING: dict[Op, Callable[..., Any]] = {
    Op.NOT: lambda a: not a,
    Op.AND: lambda *parts: all(parts),
    Op.OR: lambda *parts: any(parts),
    Op.IMPLIES: lambda a, b: not a or b,
    Op.EQ: lambda a, b: a == b,
    Op.ITE: lambda c, a, b: a if c else b,
    Op.ADD: lambda *parts: sum(parts),
    Op.SUB: lambda a, b: a - b,
    Op.MUL: lambda a, b: a * b,
    Op.DIV: floor_div,
    Op.MOD: floor_mod,
    Op.MIN: min,
    Op.MAX: max,
    Op.LE: lambda a, b: a <= b,
    Op.LT: lambda a, b: a < b,
    Op.MATCHES: lambda text, pattern: member(pattern, text),
    Op.SELECT: lambda map_, *keys: map_(*keys),
    Op.FORALL: lambda *values: all(values),
    Op.EXISTS: lambda *values: any(values),
    Op.SUM: _sum,
}
"""What each operator makes of the values of its arguments. A quantifier gets the values of its body, the last one being
that for an individual which occurs nowhere."""

_BINDERS = (Op.FORALL, Op.EXISTS, Op.SUM)


@dataclass(frozen=True, slots=True)
class Scope:
    """What references refer to."""

    state: State
    after: State | None
    inputs: Mapping[str, Value]
    bound: Mapping[str, Value]

    def read(self, ref: Ref) -> Any:
        match ref.space:
            case Space.INPUT:
                return self.inputs[ref.name]
            case Space.PARAM:
                return self.state.params[ref.name]
            case Space.BOUND:
                return self.bound[ref.name]
            case Space.STATE:
                return _content(self.state, ref)
            case Space.NEXT:
                if self.after is None:
                    raise FaultError(f"`{ref.name}` of the next state where there is none")
                return _content(self.after, ref)

    def bind(self, bound: Ref, individual: str) -> Scope:
        return Scope(self.state, self.after, self.inputs, {**self.bound, bound.name: individual})


def _content(state: State, ref: Ref) -> Any:
    return partial(_select, state, ref.name) if state.variable(ref.name).keys else state.read(ref.name, ())


def _select(state: State, name: str, *keys: str) -> Value:
    return state.read(name, keys)


@lru_cache(maxsize=4096)
def _order(root: Expr) -> tuple[Expr, ...]:
    """Every distinct sub-term that is not under a binder, arguments first."""
    seen: dict[Expr, None] = {}
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        e, ready = stack.pop()
        if ready:
            seen[e] = None
        elif e not in seen:
            stack.append((e, True))
            if isinstance(e, Apply) and e.op not in _BINDERS:
                stack.extend((a, False) for a in e.args)
    return tuple(seen)


def value_in(root: Expr, scope: Scope) -> Any:
    """The value of `root`. Every operator is total, so the order of evaluation does not matter."""
    values: dict[Expr, Any] = {}
    for e in _order(root):
        match e:
            case Const():
                values[e] = e.value
            case Ref():
                values[e] = scope.read(e)
            case Apply() if e.op in _BINDERS:
                bound, body = e.args
                assert isinstance(bound, Ref)
                known, fresh = population(bound, (body,), scope)
                values[e] = MEANING[e.op](*(value_in(body, scope.bind(bound, x)) for x in (*known, fresh)))
            case Apply():
                values[e] = MEANING[e.op](*(values[a] for a in e.args))
    return values[root]


@lru_cache(maxsize=4096)
def _mentions(roots: tuple[Expr, ...], sort: EntityType) -> tuple[Const | Ref, ...]:
    return tuple(e for e in subterms(*roots) if isinstance(e, Const | Ref) and e.type == sort)


def population(bound: Ref, roots: tuple[Expr, ...], scope: Scope) -> tuple[list[str], str]:
    """The individuals that `roots` can tell apart from others, and a fresh one that stands for all others."""
    sort = bound.type
    assert isinstance(sort, EntityType)
    known = set(scope.state.individuals(sort))
    if scope.after is not None:
        known |= scope.after.individuals(sort)
    for e in _mentions(roots, sort):
        if isinstance(e, Const):
            known.add(str(e.value))
        elif e.space in (Space.INPUT, Space.PARAM) or (e.space is Space.BOUND and e.name in scope.bound):
            # SOUND: among these is the individual of an enclosing binder, so two fresh ones are never confused.
            known.add(scope.read(e))
    fresh = EVERYONE_ELSE * 2
    while fresh in known:
        fresh += EVERYONE_ELSE
    return sorted(known), fresh


def evaluate(
    expr: Expr,
    state: State,
    inputs: Mapping[str, Value] | None = None,
    bound: Mapping[str, Value] | None = None,
    after: State | None = None,
) -> Value:
    """The value of `expr`. References to the next state read `after`; `bound` names free bound individuals."""
    value: Value = value_in(expr, Scope(state, after, inputs or {}, bound or {}))
    return value
