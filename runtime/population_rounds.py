"""Cells that rows touch to the rows that have to wait for others. See NOTE(rounds)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.columns import Bools
from runtime.population_order import Group

SMALL = 1 << 15
"""Cells are numbered anew where there are more than so many."""
TURNS = 4
"""So often it is asked who waits for those who wait."""

Columns = Sequence[Any]


def first_failing(truths: Sequence[Any], size: int) -> NDArray[np.int16]:
    """The number of the first guard that fails, or -1, of each row; where each guard holds is a column or one value."""
    first = np.full(size, -1, np.int16)
    columns = [(i, t) for i, t in enumerate(truths) if isinstance(t, np.ndarray)]
    # Where rows fail is found first, for most do not.
    failing: Any = np.flatnonzero(~reduce(np.logical_and, [t for _, t in columns])) if columns else ()
    if len(failing):
        kind = np.full(len(failing), -1, np.int16)
        for i, holds in reversed(columns):
            kind[~holds.take(failing)] = i
        first[failing] = kind
    for i, holds in enumerate(truths):
        if not isinstance(holds, np.ndarray) and not holds:
            # It fails for all rows for which none before it does.
            first[(first < 0) | (first > i)] = i
            break
    return first


def waiting(
    groups: Sequence[Group], cells: Sequence[Columns], sizes: Sequence[int], ok: Bools, shaky: bool
) -> Bools | None:
    """The rows that have to wait, if any; `ok` says which are allowed as things stand. `cells` has for each group the
    cells at each of its keys, and `sizes` how many there are."""
    late: Bools | None = None
    for group, at, size in zip(groups, cells, sizes):
        if not group.blind:
            found = _after_writers(group, at, size, ok)
            if found is not None:
                late = found if late is None else late | found
    if late is None:
        return None
    if not shaky:
        if len(groups) == 1 and len(cells[0]) == 1:
            return late  # a row touches one cell, and what comes after a waiting row there waits, too
        for _ in range(TURNS):
            more = late.copy()
            for at, size in zip(cells, sizes):
                more |= _after(at, at, size, late)
            if np.array_equal(more, late):
                return late
            late = more
    # SOUND: rows before the first that waits were decided in the state that they are to be decided in.
    late[int(late.argmax()) :] = True
    return late


def _after_writers(group: Group, at: Columns, size: int, ok: Bools) -> Bools | None:
    """Rows that read what an earlier allowed row writes."""
    if not group.sorts:
        late = np.zeros(len(ok), np.bool_)
        late[int(ok.argmax()) + 1 :] = bool(ok.any())
    else:
        late = _after([at[i] for i in group.writes], [at[i] for i in group.reads], size, ok)
    return late if late.any() else None


def _after(writes: Columns, reads: Columns, size: int, who: Bools) -> Bools:
    """Rows of which a cell of `reads` is one of `writes` of an earlier row, out of `who`."""
    rows = len(who)
    wide = {id(c): c if isinstance(c, np.ndarray) else np.full(rows, c) for c in (*writes, *reads)}
    writes, reads = [wide[id(c)] for c in writes], [wide[id(c)] for c in reads]
    if size > SMALL and len(writes) == 1 and writes[0] is reads[0] and size.bit_length() + rows.bit_length() < 63:
        return _after_among_many(writes[0], who)
    if size > SMALL:
        _, numbers = np.unique(np.concatenate([*writes, *reads]), return_inverse=True)
        parts = np.split(numbers, len(writes) + len(reads))
        writes, reads, size = parts[: len(writes)], parts[len(writes) :], len(numbers)
    return _after_among_few(writes, reads, size, who)


def _after_among_few(writes: Columns, reads: Columns, size: int, who: Bools) -> Bools:
    """The same with an array of all cells: who touches each first."""
    rows = len(who)
    first = np.full(size, rows, np.int32)
    if len(writes) == 1:
        # Of several values for one cell the last stays, so the first row comes last.
        writers = np.flatnonzero(who)[::-1]
        first[writes[0][writers]] = writers
    else:
        writers = np.flatnonzero(who)
        for c in writes:
            np.minimum.at(first, c[writers], writers.astype(np.int32))
    order = np.arange(rows, dtype=np.int32)
    late = first[reads[0]] < order
    for c in reads[1:]:
        late |= first[c] < order
    return late


def _after_among_many(cells: NDArray[Any], who: Bools) -> Bools:
    """The same where all rows touch one cell each, of many: those that touch the same one are found by sorting."""
    late = np.zeros(len(who), np.bool_)
    bits = len(who).bit_length()
    # Numbers are sorted faster than their places, so each brings its place along.
    together = (cells.astype(np.int64) << bits) | np.arange(len(who))
    together.sort()
    sorted_cells = together >> bits
    same = sorted_cells[1:] == sorted_cells[:-1]
    if same.any():
        shared = np.concatenate([same, [False]]) | np.concatenate([[False], same])
        rows = np.sort(together[shared] & ((1 << bits) - 1))
        _, numbers = np.unique(cells[rows], return_inverse=True)
        late[rows] = _after_among_few([numbers], [numbers], len(rows), who[rows])
    return late
