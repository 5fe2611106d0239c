"""The rows of one state variable: a value for each individual that has one of its own, and what everyone else has.

NOTE(patterns): a bulk write sets a row for a pattern: keys of which some are `*`, for everyone else. The patterns are
kept closed under meeting: where two of them cover the same cell and neither covers the other, the one that covers just
what both do has a row too. So the most special row that covers a cell is unique, and holds what was written last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

from policydsl.core.system import StateVar
from policydsl.core.types import EntityType, Value
from policydsl.state import EVERYONE_ELSE, Keys, instance

Assignment = tuple[int, Any, Value]
"""Number of a variable, key as the rows of that variable are stored, value."""


class PatternRows:
    """Rows of a variable that some action writes in bulk, stored under tuples of keys."""

    def __init__(self, var: StateVar, first: Value) -> None:
        self.var = var
        self.rows: dict[Keys, Value] = {(EVERYONE_ELSE,) * len(var.keys): first}
        n = len(var.keys)
        self._masks = [m for stars in range(n + 1) for m in combinations(range(n), stars)]

    def read(self, *keys: str) -> Value:
        """What holds at `keys`, of which some may be `*`."""
        rows = self.rows
        for mask in self._masks:
            pattern = tuple([EVERYONE_ELSE if i in mask else k for i, k in enumerate(keys)]) if mask else keys
            if pattern in rows:
                value = rows[pattern]
                return instance(self.var, pattern, keys, value) if value == EVERYONE_ELSE else value
        raise KeyError(keys)

    def write(self, pattern: Keys, value: Value, number: int, undo: list[tuple[int, Any, Value | None]]) -> None:
        """Set what holds at all cells that `pattern` covers. Each row is put into `undo`, with the `number` of the
        variable, before it is changed: as it is then, None for a new one."""
        rows = self.rows
        if EVERYONE_ELSE in pattern:
            found = [(other, _meet(pattern, other)) for other in rows]
            for other, meet in found:
                if meet == other:
                    undo.append((number, other, rows[other]))
                    del rows[other]
            # Only now: where a row of theirs stood, it went with those that are covered.
            for other, meet in found:
                if meet is not None and meet not in (other, pattern):
                    undo.append((number, meet, rows.get(meet)))
                    rows[meet] = instance(self.var, pattern, meet, value) if value == EVERYONE_ELSE else value
        undo.append((number, pattern, rows.get(pattern)))
        rows[pattern] = value


def _meet(a: Keys, b: Keys) -> Keys | None:
    """The pattern that covers what both cover, if anything."""
    found = []
    for x, y in zip(a, b, strict=True):
        if x != EVERYONE_ELSE and y not in (EVERYONE_ELSE, x):
            return None
        found.append(y if x == EVERYONE_ELSE else x)
    return tuple(found)


def everyone(sources: Sequence[Callable[[], Iterable[str]]], mentioned: Iterable[str]) -> list[str]:
    """Those that can be told apart by what `sources` list and what is `mentioned`; the last stands for all others."""
    known = set(mentioned)
    for source in sources:
        known.update(source())
    known.discard(EVERYONE_ELSE)
    # SOUND: the fresh one of an enclosing quantifier is among those mentioned, so two fresh ones are never confused.
    fresh = EVERYONE_ELSE * 2
    while fresh in known:
        fresh += EVERYONE_ELSE
    return [*known, fresh]


def bulk(
    var: int, keys: Sequence[str | int], value: Callable[..., Value], sort: int, people: Sequence[Sequence[str]]
) -> Iterator[Assignment]:
    """The rows of a bulk write, general ones first. A key is an individual or the number of a binder; `people` are the
    individuals of each binder (see `everyone`); `sort` is the binder of the type of `value`, or -1."""
    fresh = [p[-1] for p in people]
    for choice in sorted(product(*people), key=lambda c: -sum(map(str.__eq__, c, fresh))):
        v = value(*choice)
        row = tuple(k if isinstance(k, str) else _star(choice[k], fresh[k]) for k in keys)
        yield var, row, EVERYONE_ELSE if sort >= 0 and v == fresh[sort] else v


def _star(x: str, fresh: str) -> str:
    return EVERYONE_ELSE if x == fresh else x


def total(body: Callable[[str], int], people: Sequence[str]) -> int:
    """The sum of `body` over everybody; only finitely many contribute."""
    *known, fresh = people
    if body(fresh) != 0:
        raise ArithmeticError("a sum to which everyone contributes")
    return sum(map(body, known))


def keys_at(rows: Mapping[Any, Value], positions: Sequence[int], single: bool) -> Callable[[], Iterable[str]]:
    """The individuals at these positions of the keys of `rows`."""
    if single:
        return lambda: rows
    return lambda: (key[p] for key in rows for p in positions)


def values_of(rows: Mapping[Any, Value], first: Value) -> Callable[[], Iterable[str]]:
    """The individuals that `rows` hold, and the one that everybody else holds."""
    return lambda: (str(v) for v in (*rows.values(), first))


def held(type: object) -> bool:
    """Whether values of this type are individuals."""
    return isinstance(type, EntityType)
