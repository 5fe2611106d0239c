"""Values that rows write into arrays, in the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.types import IntType
from runtime.population_cells import Cells
from runtime.population_order import Put

SMALL = 1 << 16
"""Sums for an array are made of arrays as large only if it has no more cells."""

Write = tuple[Any, Any, Any]
"""Cells, values and where they are written (None: everywhere): columns, or one for all rows."""
Ready = tuple[int, Any, Any]
"""A variable, its cells, and their new values."""


def put_all(cells: Cells, puts: Sequence[Put], written: Sequence[Write], safe: Sequence[bool], rows: int) -> None:
    """Write what `rows` rows write. `safe` says of each write that its values fit. Raises `OverflowError` before
    anything is written."""
    ready: list[Ready] = []
    at = 0
    for put in puts:
        count = len(put.parts)
        number = cells.numbers[put.var.name]
        mine = written[at : at + count]
        if put.adds:
            ready.append(_sums(cells, number, *mine[0][:2], rows))
        elif count == 1:
            ready.append((number, *_chosen(*mine[0], rows)))
        elif count:
            ready.append((number, *_in_turn(mine, rows)))
        if count and isinstance(put.var.type, IntType) and not all(safe[at : at + count]):
            # SOUND: before the first assignment, so nothing has changed if one of them does not fit.
            cells.fit(number, ready[-1][2])
        at += count
    for number, where, values in ready:
        cells.flat[number][where] = values


def _chosen(where: Any, values: Any, mask: Any, rows: int) -> tuple[Any, Any]:
    """The cells that are written, and what."""
    if mask is None:
        last = not isinstance(where, np.ndarray) and isinstance(values, np.ndarray)
        return where, values[-1] if last else values
    if not isinstance(mask, np.ndarray):
        mask = np.full(rows, bool(mask))
    where = np.broadcast_to(where, rows)[mask]
    return where, values[mask] if isinstance(values, np.ndarray) and values.ndim else _repeated(values, len(where))


def _repeated(value: Any, rows: int) -> Any:
    return np.full(rows, value)


def _in_turn(parts: Sequence[Write], rows: int) -> tuple[Any, Any]:
    """Several writes of one variable: all of a row before those of the next."""
    where = np.stack([np.broadcast_to(w, rows) for w, _, _ in parts], axis=1).reshape(-1)
    values = np.stack([np.broadcast_to(v, rows) for _, v, _ in parts], axis=1).reshape(-1)
    masks = [np.broadcast_to(True if m is None else m, rows) for _, _, m in parts]
    mask = np.stack(masks, axis=1).reshape(-1)
    return where[mask], values[mask]


def _sums(cells: Cells, number: int, where: Any, more: Any, rows: int) -> Ready:
    """The cells that something is added to, and what they hold then."""
    flat = cells.flat[number]
    if not isinstance(where, np.ndarray):
        # One cell for all rows.
        extra = _total(more) if isinstance(more, np.ndarray) else more * rows
        return number, where, flat.item(where) + extra
    if flat.size <= SMALL and flat.size <= 8 * rows:
        touched: NDArray[Any] | slice = slice(None)
        numbers, count = where, flat.size
    else:
        touched, numbers = np.unique(where, return_inverse=True)
        count = len(touched)
    now = flat[touched].astype(np.int64)
    if not isinstance(more, np.ndarray):
        if abs(int(more)) * rows < 1 << 62:
            return number, touched, now + np.bincount(numbers, minlength=count) * int(more)
        more = np.full(rows, int(more), dtype=object)
    if more.dtype != object and _largest(more) * rows < 1 << 53:
        # SOUND: sums of numbers of 64 bits' floating point are exact below 2**53.
        return number, touched, now + np.bincount(numbers, more, count).astype(np.int64)
    total = now.astype(object)
    np.add.at(total, numbers, more.astype(object))
    return number, touched, total


def _largest(values: NDArray[Any]) -> int:
    return max(abs(int(values.min())), abs(int(values.max()))) if values.size else 0


def _total(values: NDArray[Any]) -> int:
    small = values.dtype != object and _largest(values) * len(values) < 1 << 62
    return int(values.sum()) if small else sum(values.tolist())
