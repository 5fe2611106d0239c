"""Columns of individuals become the column of what a state variable holds for them.

See NOTE(everyone-else): few individuals have a row, so each column of keys is first turned into numbers of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.types import EntityType, MapType
from policydsl.state import EVERYONE_ELSE
from runtime.columns import Cells, Column, Vocabulary, Words, column
from runtime.columns_words import Shared, either_word

FEW = 256
"""So many rows are as quickly read as told apart."""


@dataclass(frozen=True, slots=True)
class MapOf:
    """The content of a state variable with keys."""

    name: str
    type: MapType


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What is held at some patterns of keys; where that is one of the keys, its number is in `oneself`, else -1."""

    values: Column
    oneself: NDArray[np.int8]


def select(shared: Shared, map_: MapOf, *keys: Words | str) -> Cells:
    """What the state variable holds at the keys of each row, of which one at least is a column."""
    choices: list[Sequence[str]] = []
    places: NDArray[np.intp] = np.zeros(1, np.intp)
    for i, key in enumerate(keys):
        named = _named(shared, map_, i)
        if isinstance(key, Words):
            rows, numbers = _rows(shared, map_, i, named, key.vocabulary)
            places = places * len(rows) + numbers[key.codes]
        else:
            rows = (key if key in named else EVERYONE_ELSE,)
        choices.append(rows)
    sizes = [len(c) for c in choices]
    if prod(sizes) <= max(len(places), FEW):
        whole = ("select", map_.name, *(k.vocabulary if isinstance(k, Words) else k for k in keys))
        read = shared.once(whole, lambda: _read(shared, map_, list(product(*choices))))
    else:
        seen, places = np.unique(places, return_inverse=True)
        each = zip(*np.unravel_index(seen, sizes), strict=True)
        read = _read(shared, map_, [tuple(c[n] for c, n in zip(choices, at, strict=True)) for at in each])
    found: Any = read.values[places]
    for i, key in enumerate(keys):
        if np.any(read.oneself == i):
            found = either_word(shared, (read.oneself == i)[places], key, found)
    answer: Cells = found
    return answer


def _named(shared: Shared, map_: MapOf, i: int) -> frozenset[str]:
    """Those who have rows as key number `i`."""
    found: frozenset[str] = shared.once(
        ("named", map_.name, i), lambda: frozenset(keys[i] for keys in shared.state.rows(map_.name)) - {EVERYONE_ELSE}
    )
    return found


def _rows(
    shared: Shared, map_: MapOf, i: int, named: frozenset[str], vocabulary: Vocabulary
) -> tuple[Sequence[str], NDArray[np.intp]]:
    """The rows that words have as key number `i`, that of everyone else first, and for each word the number of its."""

    def make() -> tuple[Sequence[str], NDArray[np.intp]]:
        index = shared.index(vocabulary)
        rows = [EVERYONE_ELSE, *sorted(w for w in named if w in index)]
        numbers = np.zeros(len(vocabulary.words), np.intp)
        for n, word in enumerate(rows[1:], start=1):
            numbers[index[word]] = n
        return rows, numbers

    found: tuple[Sequence[str], NDArray[np.intp]] = shared.once(("rows", map_.name, i, vocabulary), make)
    return found


def _read(shared: Shared, map_: MapOf, patterns: Sequence[tuple[str, ...]]) -> _Read:
    rows = shared.state.rows(map_.name)
    values = [rows[p] for p in patterns]
    oneself = np.full(len(patterns), -1, np.int8)
    if isinstance(map_.type.value, EntityType):
        for n, pattern in enumerate(patterns):
            if values[n] == EVERYONE_ELSE:
                alike = zip(map_.type.keys, pattern, strict=True)
                oneself[n] = [s == map_.type.value and p == EVERYONE_ELSE for s, p in alike].index(True)
    return _Read(column(map_.type.value, values), oneself)
