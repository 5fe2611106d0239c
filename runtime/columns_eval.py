"""The meaning of expressions over columns: an expression, a state and columns of inputs become a column.

It is that of `policydsl.evaluate` in every row. A term is computed once, whatever shares it (terms are interned), and
what is asked of words is asked of each word once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial, reduce
from math import prod
from typing import Any

import numpy as np

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, refs, subterms
from policydsl.core.types import EntityType, MapType, Type
from policydsl.evaluate import MEANING, FaultError
from policydsl.state import EVERYONE_ELSE
from runtime import columns_ints as numbers
from runtime.columns import Bools, Cells, Ints, Words
from runtime.columns_maps import MapOf, select
from runtime.columns_words import Shared, either_word, in_language, same_word

BINDERS = (Op.FORALL, Op.EXISTS, Op.SUM)


def _is_column(x: object) -> bool:
    return isinstance(x, np.ndarray | Ints | Words)


def _not(_: Shared, a: Bools) -> Cells:
    return ~a


def _and(_: Shared, *parts: Any) -> Cells:
    return _junction(np.logical_and, True, parts)


def _or(_: Shared, *parts: Any) -> Cells:
    return _junction(np.logical_or, False, parts)


def _junction(join: Any, unit: bool, parts: tuple[Any, ...]) -> Cells:
    columns = []
    for part in parts:
        if _is_column(part):
            columns.append(part)
        elif part is not unit:
            return not unit
    if not columns:
        return unit
    if len(columns) == 1:
        only: Bools = columns[0]
        return only
    found: Bools = join(columns[0], columns[1])
    for more in columns[2:]:
        join(found, more, out=found)
    return found


def _implies(shared: Shared, a: Any, b: Any) -> Cells:
    return _or(shared, ~a if _is_column(a) else not a, b)


def _eq(shared: Shared, a: Any, b: Any) -> Cells:
    if isinstance(a, Ints) or isinstance(b, Ints):
        return numbers.equal(a, b)
    if isinstance(b, Words):
        a, b = b, a
    if isinstance(a, Words):
        return same_word(shared, a, b)
    if not _is_column(a):
        a, b = b, a
    return _bools(a == b) if _is_column(b) else _bools(a) if b else _bools(~a)


def _bools(a: Any) -> Bools:
    found: Bools = a
    return found


def _ite(shared: Shared, c: Any, a: Any, b: Any) -> Cells:
    if not _is_column(c):
        chosen: Cells = a if c else b
        return chosen
    for x in (a, b):
        if isinstance(x, Ints) or x.__class__ is int:
            return numbers.choose(c, a, b)
        if isinstance(x, Words | str):
            return either_word(shared, c, a, b)
    return _bools(np.where(c, a, b))


def _forall(shared: Shared, *values: Any) -> Cells:
    return _and(shared, *values)


def _exists(shared: Shared, *values: Any) -> Cells:
    return _or(shared, *values)


def _sum(_: Shared, *values: Any) -> Cells:
    last = values[-1]
    if np.any(last.values != 0) if isinstance(last, Ints) else last != 0:
        raise FaultError("a sum to which everyone contributes")
    return numbers.add(*values)


MEANING_COLUMNS: dict[Op, Callable[..., Any]] = {
    Op.NOT: _not,
    Op.AND: _and,
    Op.OR: _or,
    Op.IMPLIES: _implies,
    Op.EQ: _eq,
    Op.ITE: _ite,
    Op.ADD: lambda _, *parts: numbers.add(*parts),
    Op.SUB: lambda _, a, b: numbers.sub(a, b),
    Op.MUL: lambda _, a, b: numbers.mul(a, b),
    Op.DIV: lambda _, a, b: numbers.div(a, b),
    Op.MOD: lambda _, a, b: numbers.mod(a, b),
    Op.MIN: lambda _, a, b: numbers.minimum(a, b),
    Op.MAX: lambda _, a, b: numbers.maximum(a, b),
    Op.LE: lambda _, a, b: numbers.le(a, b),
    Op.LT: lambda _, a, b: numbers.lt(a, b),
    Op.MATCHES: in_language,
    Op.SELECT: select,
    Op.FORALL: _forall,
    Op.EXISTS: _exists,
    Op.SUM: _sum,
}
"""What each operator makes of its arguments, of which one at least is a column: see `policydsl.evaluate.MEANING`, which
does where none is."""


def _meaning(shared: Shared, op: Op, *args: Any) -> Any:
    if any(_is_column(a) for a in args):
        return MEANING_COLUMNS[op](shared, *args)
    return shared.state.read(args[0].name, args[1:]) if op is Op.SELECT else MEANING[op](*args)


@lru_cache(maxsize=4096)
def _order(root: Expr) -> tuple[Apply, ...]:
    """Every distinct operation that is not under a binder, arguments first."""
    seen: dict[Apply, None] = {}
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        e, ready = stack.pop()
        if isinstance(e, Apply) and e not in seen:
            if ready:
                seen[e] = None
            else:
                stack.append((e, True))
                stack.extend((a, False) for a in e.args if e.op not in BINDERS)
    return tuple(seen)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows over which expressions are evaluated. `memo` has the terms that are known."""

    shared: Shared
    inputs: Mapping[str, Cells]
    bound: Mapping[str, Cells] = field(default_factory=dict)
    memo: dict[Expr, Any] = field(default_factory=dict)
    outer: Batch | None = None  # the same rows, without the innermost bound individual

    def value(self, e: Expr) -> Cells:
        """The column of `e`, or the value that it has in all rows."""
        for part in _order(e):  # so that no depth of nesting is too deep
            self._operand(part)
        found: Cells = self._operand(e)
        return found

    def truth(self, e: Expr) -> Bools | bool:
        """The same of a condition."""
        found: Any = self.value(e)
        answer: Bools | bool = found
        return answer

    def _operand(self, e: Expr) -> Any:
        if isinstance(e, Const):
            return e.value
        if self.outer is not None and not (e.bound if isinstance(e, Apply) else e.space is Space.BOUND):
            return self.outer._operand(e)
        if e not in self.memo:
            self.memo[e] = self._ref(e) if isinstance(e, Ref) else self._apply(e)
        return self.memo[e]

    def _ref(self, e: Ref) -> Any:
        match e.space:
            case Space.INPUT:
                return self.inputs[e.name]
            case Space.PARAM:
                return self.shared.state.params[e.name]
            case Space.BOUND:
                return self.bound[e.name]
            case Space.STATE:
                return MapOf(e.name, e.type) if isinstance(e.type, MapType) else self.shared.state.read(e.name, ())
            case Space.NEXT:
                raise FaultError(f"`{e.name}` of the next state where there is none")

    def _apply(self, e: Apply) -> Any:
        if e.op in BINDERS:
            found = self._of_combinations(e)
            return self._quantified(e) if found is None else found
        return _meaning(self.shared, e.op, *(self._operand(a) for a in e.args))

    def _of_combinations(self, e: Apply) -> Any:
        """A term that depends on few combinations of words, computed once for each of them; None for another."""
        names = [r.name for r in refs(e, space=Space.INPUT)]
        columns = [c for n in names if isinstance(c := self.inputs[n], Words)]
        sizes = [len(c.vocabulary.words) for c in columns]
        if self.outer is not None or not columns or len(columns) < len(names) or prod(sizes) >= len(columns[0]):
            return None

        def make() -> Any:
            grid = np.unravel_index(np.arange(prod(sizes)), sizes)
            each = {n: Words(g, c.vocabulary) for n, g, c in zip(names, grid, columns, strict=True)}
            return Batch(self.shared, each)._quantified(e)

        found = self.shared.once(("combinations", e, *(c.vocabulary for c in columns)), make)
        return found[np.ravel_multi_index([c.codes for c in columns], sizes)] if _is_column(found) else found

    def bind(self, bound: Ref, individual: Cells) -> Batch:
        return Batch(self.shared, self.inputs, {**self.bound, bound.name: individual}, {}, self)

    def _quantified(self, e: Apply) -> Any:
        bound, body = e.args
        assert isinstance(bound, Ref)
        # Everybody that the state or the body names is one value for all rows; inputs name somebody in each row. Those
        # are columns, so that no row goes through the individuals of all rows.
        columns, known = self._mentioned(bound.type, body)
        fresh = EVERYONE_ELSE * 2
        taken = known.union(*(c.vocabulary.words for c in columns))
        while fresh in taken:
            fresh += EVERYONE_ELSE
        individuals: list[Words | str] = [*columns, *sorted(known), fresh]
        if e.op is not Op.SUM:
            return reduce(partial(_meaning, self.shared, e.op), (self.bind(bound, x).value(body) for x in individuals))
        values = []
        for i, x in enumerate(individuals):
            # Everybody counts once: in rows where `x` is one of the others, those count.
            again = [_meaning(self.shared, Op.EQ, x, y) for y in (*individuals[:i], *known) if i < len(columns)]
            twice = _meaning(self.shared, Op.OR, *again)
            values.append(_meaning(self.shared, Op.ITE, twice, 0, self.bind(bound, x).value(body)))
        return _meaning(self.shared, e.op, *values)

    def _mentioned(self, sort: Type, body: Expr) -> tuple[list[Words], set[str]]:
        """The columns of individuals that `body` mentions, and all individuals that are the same for all rows."""
        assert isinstance(sort, EntityType)
        known = set(self.shared.state.individuals(sort))
        columns: list[Words] = []
        for e in subterms(body):
            if isinstance(e, Apply) or e.type != sort:
                continue
            if isinstance(e, Ref) and (e.space is Space.STATE or (e.space is Space.BOUND and e.name not in self.bound)):
                continue
            # SOUND: among these is the individual of an enclosing binder, so two fresh ones are never confused.
            x = self._operand(e)
            if isinstance(x, Words):
                columns.append(x)
            else:
                known.add(str(x))
        return columns, known
