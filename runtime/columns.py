"""Recorded requests as columns: one table for each action, made of lists of requests.

NOTE(columns): a column of Booleans is a NumPy array; one of numbers has bounds beside it, so that nothing ever wraps
(see `columns_ints`); one of strings, cases or individuals is codes into a vocabulary of distinct words, so that what is
asked of words is asked of each once. What is the same for all rows is a plain value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from policydsl.core.system import Action, System
from policydsl.core.types import BoolType, IntType, Scalar, Value
from policydsl.interp import Request, request_fault
from policydsl.state import default_value

Bools: TypeAlias = NDArray[np.bool_]
Codes: TypeAlias = NDArray[Any]

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""The numbers of 64 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Words, each once. It is equal to itself alone, so that what was computed of it can be found again."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of strings, cases or individuals: the number of a word for each row."""

    codes: Codes
    vocabulary: Vocabulary

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Words:
        return Words(self.codes[rows], self.vocabulary)

    def at(self, row: int) -> str:
        return self.vocabulary.words[int(self.codes[row])]


@dataclass(frozen=True, slots=True, eq=False)
class Ints:
    """A column of numbers, none below `low` or above `high`: of 64 bits if both bounds are, else Python's own."""

    values: NDArray[Any]
    low: int
    high: int

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> Ints:
        return Ints(self.values[rows], self.low, self.high)

    def at(self, row: int) -> int:
        return int(self.values[row])


Column: TypeAlias = Bools | Ints | Words
Cells: TypeAlias = Column | Value
"""A column, or the value that all rows have."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Requests of one action, as columns by input.

    `faults` says of rows why the policy does not know such a request; what the columns have there means nothing.
    `positions` says where each row stood among the requests that the table was made of.
    """

    action: str
    size: int
    columns: Mapping[str, Column]
    faults: Mapping[int, str]
    positions: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Requests of all kinds, `size` in all: a table for each action, and the positions of those for which there is no
    such action."""

    size: int
    tables: tuple[Table, ...]
    unknown: NDArray[np.intp]


def value_at(cells: Cells, row: int) -> Value:
    """The value in one row, as the interpreter would have it."""
    match cells:
        case Words() | Ints():
            return cells.at(row)
        case np.ndarray():
            return bool(cells[row])
        case _:
            return cells


def fits(low: int, high: int) -> bool:
    """Whether all numbers between `low` and `high` have 64 bits."""
    return low >= SMALLEST and high <= LARGEST


def code_type(words: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type for the codes of so many words."""
    return np.uint8 if words <= 1 << 8 else np.uint16 if words <= 1 << 16 else np.uint32


def ints(values: Sequence[int]) -> Ints:
    """A column of these numbers."""
    low, high = min(values, default=0), max(values, default=0)
    return Ints(np.array(values, dtype=np.int64 if fits(low, high) else object), low, high)


def words(values: Iterable[str], count: int) -> Words:
    """A column of these words."""
    index: dict[str, int] = {}
    codes = np.fromiter((index.setdefault(v, len(index)) for v in values), np.uint32, count)
    return Words(codes.astype(code_type(len(index))), Vocabulary(tuple(index)))


def column(type: Scalar, values: Sequence[Any]) -> Column:
    """A column of values that are all of one type."""
    match type:
        case BoolType():
            return np.array(values, dtype=np.bool_)
        case IntType():
            return ints(values)
        case _:
            return words(values, len(values))


def table(system: System, action: Action, rows: Sequence[Mapping[str, Value]], positions: Sequence[int] = ()) -> Table:
    """The table of requests of one action that have these inputs."""
    faults = {}
    for i, inputs in enumerate(rows):
        fault = request_fault(system, Request(action.name, inputs))
        if fault is not None:
            faults[i] = fault
    columns: dict[str, Column] = {}
    for declared in action.inputs:
        filler = default_value(declared.type)
        values = [filler if i in faults else r[declared.name] for i, r in enumerate(rows)]
        columns[declared.name] = column(declared.type, values)
    stood = np.array(positions, dtype=np.intp) if len(positions) else np.arange(len(rows))
    return Table(action.name, len(rows), columns, faults, stood)


def traffic(system: System, requests: Sequence[Request]) -> Traffic:
    """The tables of `requests`."""
    places: dict[str, list[int]] = {}
    for i, r in enumerate(requests):
        places.setdefault(r.action, []).append(i)
    known = {a.name: a for a in system.actions}
    tables = tuple(
        table(system, known[name], [requests[i].inputs for i in found], found)
        for name, found in places.items()
        if name in known
    )
    unknown = sorted(i for name, found in places.items() if name not in known for i in found)
    return Traffic(len(requests), tables, np.array(unknown, dtype=np.intp))


def request_at(found: Table, row: int) -> Request:
    """The request of a row without a fault."""
    return Request(found.action, {name: value_at(c, row) for name, c in found.columns.items()})
