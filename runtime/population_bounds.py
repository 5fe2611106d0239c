"""Bounds of what is stored and handed in to bounds of what an action computes, and whether all of it has 64 bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from policydsl.core.expr import Apply, Const, Expr, Op, Ref
from policydsl.core.types import IntType, MapType
from runtime.columns import fits

Bounds = tuple[int, int]


def _add(*parts: Bounds) -> Bounds:
    return sum(a for a, _ in parts), sum(b for _, b in parts)


def _mul(a: Bounds, b: Bounds) -> Bounds:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def _either(a: Bounds, b: Bounds) -> Bounds:
    return min(a[0], b[0]), max(a[1], b[1])


BOUNDS: dict[Op, Callable[..., Bounds]] = {
    Op.ADD: _add,
    Op.SUB: lambda a, b: (a[0] - b[1], a[1] - b[0]),
    Op.MUL: _mul,
    Op.DIV: lambda a, _: (min(a[0], 0), max(a[1], 0)),
    Op.MOD: lambda _, b: (0, max(b[1] - 1, 0)),
    Op.MIN: lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    Op.MAX: lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    Op.ITE: lambda _, a, b: _either(a, b),
}
"""Bounds of the result of what makes numbers, given bounds of the arguments."""

_NONE: Bounds = (0, 0)


class Analysis:
    """Bounds of expressions, given those of state variables and inputs by reference. `exact` says whether everything
    that was asked about, and all that it is made of, has 64 bits."""

    def __init__(self, known: Mapping[Ref, Bounds]) -> None:
        self.known = known
        self.exact = True
        self._found: dict[Expr, Bounds] = {}

    def all(self, roots: Iterable[Expr]) -> None:
        for e in roots:
            self.bounds(e)

    def bounds(self, e: Expr) -> Bounds:
        """Bounds of `e`; of what is no number, nothing."""
        found = self._found.get(e)
        if found is None:
            found = self._bounds(e)
            # SOUND: numbers of 64 bits wrap, so they are used only if neither arguments nor results can need more.
            self.exact &= fits(*found)
            self._found[e] = found
        return found

    def _bounds(self, e: Expr) -> Bounds:
        match e:
            case Const(type=IntType()):
                return int(e.value), int(e.value)
            case Const():
                return _NONE
            case Ref():
                return self.known.get(e, _NONE)
            case Apply(op=Op.SELECT):
                self.all(e.args[1:])
                return self.bounds(e.args[0])
        parts = [self.bounds(a) for a in e.args]
        if not isinstance(e.type, IntType):
            return _NONE
        if e.op is Op.ADD:
            # SOUND: they are added one by one from the left.
            self.exact &= all(fits(*b) for b in accumulate(parts, _add))
        if e.op is Op.SUM:
            self.exact = False
            return _NONE
        return BOUNDS[e.op](*parts)


def is_number(r: Ref) -> bool:
    """Whether a reference, or a cell of it, is a number."""
    return isinstance(r.type.value if isinstance(r.type, MapType) else r.type, IntType)
