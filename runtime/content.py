"""The state of a running system: its rows, assignments done and undone, and what they changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from policydsl.core.system import System
from policydsl.core.types import Value
from policydsl.interp import initial
from policydsl.state import EVERYONE_ELSE, Keys, moves
from policydsl.trace import Change
from runtime.rows import Assignment, PatternRows

Undo: TypeAlias = "list[tuple[int, Any, Value | None]]"
"""Number of a variable, key, and what was there (None: nothing). To be undone from the end."""


class Content:
    """The rows of every state variable, by number, in the state that `system` starts with.

    A variable that some action writes in bulk has `PatternRows`; any other has a dictionary of the cells that were
    written, by key: the individual itself if there is one key, else a tuple; all other cells hold `first`.
    """

    def __init__(self, system: System, params: Mapping[str, Value] | None = None) -> None:
        start = initial(system, params)
        self.params = dict(start.params)
        self.variables = system.state
        self.numbers = {v.name: i for i, v in enumerate(system.state)}
        self.first = [start.rows(v.name)[(EVERYONE_ELSE,) * len(v.keys)] for v in system.state]
        bulk = {w.var for a in system.actions for w in a.writes if w.binders}
        self.patterns = {i: PatternRows(v, self.first[i]) for i, v in enumerate(system.state) if v.name in bulk}
        self.cells: list[dict[Any, Value]] = [
            self.patterns[i].rows if i in self.patterns else {} for i in range(len(system.state))
        ]

    def read(self, name: str, *keys: str) -> Value:
        """What a variable holds at `keys`."""
        number = self.numbers[name]
        if number in self.patterns:
            return self.patterns[number].read(*keys)
        return self.cells[number].get(self._key(number, keys), self.first[number])

    def apply(self, assignments: Sequence[Assignment], undo: Undo | None = None) -> Undo:
        """Do `assignments`, in order. An `undo` that is handed in is right even when this ends half-way."""
        undo = [] if undo is None else undo
        all_cells, first, patterns = self.cells, self.first, self.patterns
        for number, key, value in assignments:
            if number in patterns:
                patterns[number].write(key, value, number, undo)
            else:
                cells = all_cells[number]
                undo.append((number, key, cells.get(key)))
                if value == first[number]:
                    cells.pop(key, None)  # what is as it was at first takes no room
                else:
                    cells[key] = value
        return undo

    def do(self, assignments: Sequence[Assignment]) -> None:
        """The same, for good."""
        all_cells, first, patterns = self.cells, self.first, self.patterns
        for number, key, value in assignments:
            if number in patterns:
                patterns[number].write(key, value, number, [])
            elif value == first[number]:
                all_cells[number].pop(key, None)
            else:
                all_cells[number][key] = value

    def undo(self, undo: Undo) -> None:
        """Take back what `apply` did."""
        for number, key, value in reversed(undo):
            if value is None:
                self.cells[number].pop(key, None)
            else:
                self.cells[number][key] = value

    def changes(self, undo: Undo) -> tuple[Change, ...]:
        """What the last `apply` has changed, as the reference interpreter lists it."""
        before: dict[int, dict[Any, Value | None]] = {}
        for number, key, value in undo:
            before.setdefault(number, {}).setdefault(key, value)
        found: list[Change] = []
        for number in sorted(before, key=lambda n: self.variables[n].name):
            if number in self.patterns:
                found += self._moves(number, before[number])
            else:
                found += sorted(self._moved(number, before[number]), key=lambda c: c.keys)
        return tuple(found)

    def _moved(self, number: int, before: Mapping[Any, Value | None]) -> Iterator[Change]:
        name, cells, first = self.variables[number].name, self.cells[number], self.first[number]
        for key, was in before.items():
            old = first if was is None else was
            new = cells.get(key, first)
            if old != new:
                yield Change(name, as_keys(key), old, new)

    def _moves(self, number: int, before: Mapping[Any, Value | None]) -> list[Change]:
        now = self.patterns[number]
        then = PatternRows(now.var, self.first[number])
        then.rows = {k: v for k, v in {**now.rows, **before}.items() if v is not None}
        rows = sorted(then.rows.keys() | now.rows.keys())
        return moves(now.var, {k: then.read(*k) for k in rows}, {k: now.read(*k) for k in rows})

    def rows(self) -> Iterator[tuple[str, Keys, Value]]:
        """All rows, those of `load`."""
        for number, var in enumerate(self.variables):
            for key, value in self.cells[number].items():
                yield var.name, as_keys(key), value

    def load(self, rows: Iterable[tuple[str, Keys, Value]]) -> None:
        """Have exactly these rows. Raises `KeyError` for a variable that is not there."""
        for number, cells in enumerate(self.cells):
            cells.clear()
            if number in self.patterns:
                cells[(EVERYONE_ELSE,) * len(self.variables[number].keys)] = self.first[number]
        self.set(rows)

    def set(self, rows: Iterable[tuple[str, Keys, Value | None]]) -> None:
        """Set some rows; None removes one."""
        for name, keys, value in rows:
            number = self.numbers[name]
            if value is None or (number not in self.patterns and value == self.first[number]):
                self.cells[number].pop(self._key(number, keys), None)
            else:
                self.cells[number][self._key(number, keys)] = value

    def touched(self, undo: Undo) -> Iterator[tuple[str, Keys, Value | None]]:
        """The rows that an `apply` touched, as they are now; None for one that is gone."""
        for number, key in dict.fromkeys((n, k) for n, k, _ in undo):
            yield self.variables[number].name, as_keys(key), self.cells[number].get(key)

    def _key(self, number: int, keys: Keys) -> Any:
        return keys[0] if len(keys) == 1 and number not in self.patterns else keys


def as_keys(key: Any) -> Keys:
    """A key of `Content.cells` as a tuple."""
    return key if key.__class__ is tuple else (key,)
