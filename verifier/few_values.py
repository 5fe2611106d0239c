"""Cells of the state to the few values of them that are told apart, and combinations of values to numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, product

from policydsl.core.expr import ZERO, Apply, Const, Expr, Op, add, arith, conj, eq, ite, le, negate, number, select
from policydsl.core.system import StateVar
from policydsl.core.types import BoolType, EnumType, IntType, Value

MOST = 96
"""Combinations of values that are told apart."""
SPAN = 4
"""Numbers between the first value and one that is compared with, if each is to be told apart."""


@dataclass(frozen=True, slots=True)
class Part:
    """A variable and values of its cells. The least and the greatest of numbers stand for all beyond them, too."""

    variable: StateVar
    values: tuple[Value, ...]

    def case(self, keys: Sequence[Expr], i: int) -> Expr:
        """That the cell at `keys` has the value with number `i`."""
        cell = select(self.variable.ref, *keys)
        value = Const(self.values[i], self.variable.type)
        match self.variable.type:
            case BoolType():
                return cell if value.value else negate(cell)
            case IntType() if i == 0:
                return le(cell, value)
            case IntType() if i == len(self.values) - 1:
                return le(value, cell)
            case _:
                return eq(cell, value)

    @property
    def first(self) -> int | None:
        """The number of the value that cells have at first; None if that is left open."""
        init = self.variable.init
        if not isinstance(init, Const):
            return None
        if isinstance(self.variable.type, IntType):
            return min(max(int(init.value) - int(self.values[0]), 0), len(self.values) - 1)
        return self.values.index(init.value)

    def number(self, keys: Sequence[Expr]) -> Expr:
        """The number of the value that the cell at `keys` has."""
        result: Expr = ZERO
        for i in range(1, len(self.values)):
            result = ite(self.case(keys, i), number(i), result)
        return result


def part(variable: StateVar, comparisons: Iterable[Expr]) -> Part | None:
    """The values to tell apart, of a number those about which `comparisons` are; None if they are too many."""
    match variable.type:
        case BoolType():
            return Part(variable, (False, True))
        case EnumType(cases=found) if len(found) <= MOST:
            return Part(variable, found)
        case IntType():
            return _numbers(variable, comparisons)
        case _:
            return None


def _numbers(variable: StateVar, comparisons: Iterable[Expr]) -> Part | None:
    said = {n for e in comparisons for n in _compared(e, variable)}
    if not said:
        return None
    low, high = min(said), max(said)
    if isinstance(variable.init, Const):
        # The way from the first value is counted step by step, if it is not long.
        first = int(variable.init.value)
        if max(high, first) - min(low, first) <= SPAN:
            low, high = min(low, first), max(high, first)
        if low < first <= high:
            low = first
    return Part(variable, tuple(range(low, high + 1))) if high - low <= SPAN else None


def _compared(e: Expr, variable: StateVar) -> list[int]:
    """The numbers between which `e` distinguishes, if it compares a cell of `variable` with one."""
    if not isinstance(e, Apply) or e.op not in (Op.LE, Op.LT, Op.EQ):
        return []
    for first, second in (e.args, e.args[::-1]):
        read = first.args[0] if isinstance(first, Apply) and first.op is Op.SELECT else first
        if read is variable.ref and isinstance(second, Const):
            n = int(second.value)
            if e.op is Op.EQ:
                return [n - 1, n, n + 1]
            below = (e.op is Op.LE) is (first is e.args[0])
            return [n, n + 1] if below else [n - 1, n]
    return []


def combinations(parts: Sequence[Part]) -> list[tuple[int, ...]]:
    """All combinations of numbers of values, in the order of their own numbers; or `MOST` and one more."""
    return list(islice(product(*(range(len(p.values)) for p in parts)), MOST + 1))


def combination(parts: Sequence[Part], keys: Sequence[Expr], numbers: Sequence[int]) -> Expr:
    """That the cells at `keys` have these values."""
    return conj(*(p.case(keys, i) for p, i in zip(parts, numbers, strict=True)))


def numbered(parts: Sequence[Part], keys: Sequence[Expr]) -> Expr:
    """The number of the combination of values that the cells at `keys` have."""
    result: Expr = ZERO
    for p in parts:
        result = add(arith(Op.MUL, number(len(p.values)), result), p.number(keys))
    return result
