"""Arithmetic on columns of numbers: exact, whatever their size.

Bounds of the result are computed from bounds of the arguments. Where all of them have 64 bits, so has every value, and
NumPy's own numbers do; else the values are Python's numbers, in arrays of objects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from policydsl.core.expr import floor_div, floor_mod
from runtime.columns import Bools, Ints, fits

Number = Ints | int


def bounds(a: Number) -> tuple[int, int]:
    return (a.low, a.high) if isinstance(a, Ints) else (a, a)


def _raw(a: Number, wide: bool) -> Any:
    if not isinstance(a, Ints):
        return a
    return a.values.astype(object) if wide and a.values.dtype != object else a.values


def _is_wide(*parts: Number) -> bool:
    return not all(fits(*bounds(a)) for a in parts)


def _made(values: Any, low: int, high: int) -> Ints:
    narrow = fits(low, high)
    if narrow and values.dtype == object:
        values = values.astype(np.int64)
    return Ints(values, low, high)


def _apply(make: Callable[[Any, Any], Any], low: int, high: int, a: Number, b: Number) -> Ints:
    # SOUND: numbers of 64 bits wrap, so they are used only if neither arguments nor results can need more.
    wide = _is_wide(a, b) or not fits(low, high)
    return _made(make(_raw(a, wide), _raw(b, wide)), low, high)


def add(*parts: Number) -> Number:
    return reduce(_add, parts)


def _add(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    (al, ah), (bl, bh) = bounds(a), bounds(b)
    return _apply(lambda x, y: x + y, al + bl, ah + bh, a, b)


def sub(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    (al, ah), (bl, bh) = bounds(a), bounds(b)
    return _apply(lambda x, y: x - y, al - bh, ah - bl, a, b)


def mul(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    corners = [x * y for x in bounds(a) for y in bounds(b)]
    return _apply(lambda x, y: x * y, min(corners), max(corners), a, b)


def minimum(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    (al, ah), (bl, bh) = bounds(a), bounds(b)
    return _apply(np.minimum, min(al, bl), min(ah, bh), a, b)


def maximum(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    (al, ah), (bl, bh) = bounds(a), bounds(b)
    return _apply(np.maximum, max(al, bl), max(ah, bh), a, b)


def div(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        return floor_div(a, b)
    low, high = bounds(a)
    return _by_positive(lambda x, y: x // y, min(low, 0), max(high, 0), a, b)


def mod(a: Number, b: Number) -> Number:
    if isinstance(a, int) and isinstance(b, int):
        return floor_mod(a, b)
    return _by_positive(lambda x, y: x % y, 0, max(bounds(b)[1] - 1, 0), a, b)


def _by_positive(make: Callable[[Any, Any], Any], low: int, high: int, a: Number, b: Number) -> Number:
    """`make` where `b` is positive, and 0 elsewhere."""
    least, most = bounds(b)
    if most <= 0:
        return 0
    if least > 0:
        return _apply(make, low, high, a, b)
    # NumPy warns of a division by zero even where its result is not used.
    return _apply(lambda x, y: np.where(y > 0, make(x, np.where(y > 0, y, 1)), 0), low, high, a, b)


def choose(c: Bools, a: Number, b: Number) -> Ints:
    """`a` where `c` holds, else `b`."""
    (al, ah), (bl, bh) = bounds(a), bounds(b)
    kind = object if _is_wide(a, b) else np.int64
    wide = kind is object
    values = np.where(c, np.asarray(_raw(a, wide), dtype=kind), np.asarray(_raw(b, wide), dtype=kind))
    return Ints(values, min(al, bl), max(ah, bh))


def _compare(make: Callable[[Any, Any], Any], a: Number, b: Number) -> Bools:
    wide = _is_wide(a, b)
    found: Bools = np.asarray(make(_raw(a, wide), _raw(b, wide)), dtype=np.bool_)
    return found


def le(a: Number, b: Number) -> Bools | bool:
    (al, ah), (bl, bh) = bounds(a), bounds(b)
    if ah <= bl:
        return True
    return False if al > bh else _compare(lambda x, y: x <= y, a, b)


def lt(a: Number, b: Number) -> Bools | bool:
    (al, ah), (bl, bh) = bounds(a), bounds(b)
    if ah < bl:
        return True
    return False if al >= bh else _compare(lambda x, y: x < y, a, b)


def equal(a: Number, b: Number) -> Bools | bool:
    (al, ah), (bl, bh) = bounds(a), bounds(b)
    if ah < bl or bh < al:
        return False
    return True if al == ah == bl == bh else _compare(lambda x, y: x == y, a, b)
