"""Rows are put in order of the leaves of a decision tree: each leaf is asked about neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.expr import Expr
from policydsl.core.types import Value
from runtime.columns import Cells, Column, Ints, Words, code_type, fits
from runtime.columns_eval import Batch
from runtime.columns_words import Shared
from runtime.index import Branch, Leaf, Tree

MOST = 1 << 18
"""Up to so many combinations of cases, a table of all of them says to which leaf each leads."""


@dataclass(frozen=True, slots=True, eq=False)
class Reordered(Mapping[str, Cells]):
    """Columns in another order, put so when they are asked for."""

    columns: Mapping[str, Column]
    order: NDArray[np.intp]
    ordered: dict[str, Column] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Column:
        if name not in self.ordered:
            self.ordered[name] = self.columns[name][self.order]
        return self.ordered[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


@dataclass(frozen=True, slots=True, eq=False)
class Part(Mapping[str, Cells]):
    """Some neighbours of all rows."""

    columns: Mapping[str, Any]
    rows: slice

    def __getitem__(self, name: str) -> Column:
        found: Column = self.columns[name][self.rows]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def grouped(batch: Batch, tree: Tree, size: int) -> list[tuple[Leaf, NDArray[np.intp]]]:
    """The rows of each leaf that has some, in order; some leaves with the same conditions are one."""
    return list(_grouped(batch, tree, np.arange(size), size))


def _grouped(batch: Batch, tree: Tree, rows: NDArray[np.intp], size: int) -> Iterator[tuple[Leaf, NDArray[np.intp]]]:
    if isinstance(tree, Leaf):
        if len(rows):
            yield tree, rows
        return
    cases = _cases(tree)
    whole = prod(len(c) + 1 for c in cases.values()) <= MOST
    if not whole:
        cases = {tree.term: cases[tree.term]}
    ends, table = _table(tree, cases, whole)
    places = _places(batch, cases, None if len(rows) == size else rows)
    if isinstance(places, int):
        yield from _grouped(batch, ends[int(table[places])], rows, size)
        return
    numbers = table[places]
    # Stable, so that the rows of an end stay in order; and NumPy sorts small numbers fast.
    order = np.argsort(numbers, kind="stable")
    ordered = order if len(rows) == size else rows[order]
    start = 0
    for end, count in zip(ends, np.bincount(numbers, minlength=len(ends)).tolist(), strict=True):
        if count:
            yield from _grouped(batch, end, ordered[start : start + count], size)
        start += count


def _cases(tree: Tree) -> dict[Expr, dict[Value, int]]:
    """The terms of a tree, each with a number from 1 on for each of its cases."""
    found: dict[Expr, dict[Value, int]] = {}
    seen: list[Tree] = [tree]
    for t in seen:
        if isinstance(t, Branch):
            numbers = found.setdefault(t.term, {})
            for v in t.cases:
                numbers.setdefault(v, len(numbers) + 1)
            seen += [*t.cases.values(), t.other]
    return found


def _table(tree: Branch, cases: Mapping[Expr, Mapping[Value, int]], whole: bool) -> tuple[list[Tree], NDArray[Any]]:
    """Where each combination of cases leads: the ends, and their numbers by place. Unless `whole`, all that lies below
    the root is an end."""
    axes = {term: i for i, term in enumerate(cases)}
    numbers: dict[object, int] = {}
    ends: list[Tree] = []
    table = np.zeros([len(c) + 1 for c in cases.values()], np.uint32)

    def fill(t: Tree, at: tuple[Any, ...]) -> None:
        if isinstance(t, Branch) and (whole or t is tree):
            axis = axes[t.term]
            fill(t.other, at)  # first, since this covers the cases too
            for v, below in t.cases.items():
                fill(below, (*at[:axis], cases[t.term][v], *at[axis + 1 :]))
            return
        number = numbers.setdefault(t.conditions if isinstance(t, Leaf) else id(t), len(ends))
        if number == len(ends):
            ends.append(t)
        table[at] = number

    fill(tree, (slice(None),) * len(axes))
    return ends, table.ravel().astype(code_type(len(ends)))


def _places(
    batch: Batch, cases: Mapping[Expr, Mapping[Value, int]], rows: NDArray[np.intp] | None
) -> NDArray[np.intp] | int:
    """The place of each row in the table of its combination of cases; a number when all rows have the same."""
    total: NDArray[np.intp] | int = 0
    stride = prod(len(c) + 1 for c in cases.values())
    for term, numbers in cases.items():
        stride //= len(numbers) + 1
        cells = batch.value(term)
        if rows is not None and isinstance(cells, Words | Ints | np.ndarray):
            cells = cells[rows]
        total = total + _numbered(batch.shared, cells, {v: n * stride for v, n in numbers.items()})
    return total


def _numbered(shared: Shared, cells: Cells, numbers: Mapping[Value, int]) -> NDArray[np.intp] | int:
    """The number of the case of each row; 0 where there is none for it."""
    match cells:
        case Words():
            index = shared.index(cells.vocabulary)
            table = np.zeros(len(cells.vocabulary.words), np.intp)
            for v, n in numbers.items():
                if (code := index.get(str(v))) is not None:
                    table[code] = n
            return table[cells.codes]
        case Ints(values=values) if values.dtype == object:
            return np.fromiter((numbers.get(v, 0) for v in values), np.intp, len(values))
        case Ints(values=values):
            known = np.array(sorted(int(v) for v in numbers if fits(int(v), int(v))), np.int64)
            table = np.array([*(numbers[v] for v in known.tolist()), 0], np.intp)
            at = np.searchsorted(known, values)
            known = np.append(known, 0)
            return np.where(known[at] == values, table[at], 0)
        case np.ndarray():
            return np.array([numbers.get(False, 0), numbers.get(True, 0)], np.intp)[cells.view(np.uint8)]
        case _:
            return numbers.get(cells, 0)
