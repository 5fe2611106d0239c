"""Cells that rows touch to the rows that have to wait for others. See NOTE(rounds)."""

from __future__ import annotations

from collections.abc import Sequence
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
    for i in range(len(truths) - 1, -1, -1):
        holds = truths[i]
        if isinstance(holds, np.ndarray) and holds.ndim:
            np.putmask(first, ~holds, i)
        elif not holds:
            first.fill(i)
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
    writes, reads = ([np.broadcast_to(c, rows) for c in cs] for cs in (writes, reads))
    if size > SMALL:
        _, numbers = np.unique(np.concatenate([*writes, *reads]), return_inverse=True)
        parts = np.split(numbers, len(writes) + len(reads))
        writes, reads, size = parts[: len(writes)], parts[len(writes) :], len(numbers)
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
