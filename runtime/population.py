"""The compiled enforcer for a finite population: columns of requests of one action become answers, and are done.

NOTE(population): the state is NumPy arrays over individuals 0, 1, 2, ... of each sort (NOTE(numbering)). The answers,
and the state afterwards, are those of the reference interpreter when it steps through the rows in their order
(NOTE(rounds)).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.after import reads
from policydsl.core.system import GuardKind, System
from policydsl.core.types import Value
from policydsl.state import Keys
from runtime.columns import Bools, Words, words
from runtime.columns_decide import EFFECTS
from runtime.columns_words import Shared
from runtime.population_act import Act as _Act
from runtime.population_act import Given
from runtime.population_action import compiled, spread
from runtime.population_cells import Cells, Individuals, UnsupportedError
from runtime.population_code import HELPERS, of_words
from runtime.population_rounds import first_failing, waiting
from runtime.population_store import put_all

__all__ = ["EFFECTS", "Population", "Stepped", "UnsupportedError", "Words", "words"]

FEW = 24
"""So few rows are decided one by one."""
BURST = 48
"""So many rows are decided one by one after a round in which hardly any could be."""
REMEMBERED = 256
"""So much that was asked of words is remembered, about."""


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """The answers to a column of requests: codes into `EFFECTS`, and the number of the first guard that fails (-1 for
    none), in order of evaluation. `Population.reason` and `rules` say what such a number means."""

    effects: NDArray[np.uint8]
    guard: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.guard)

    @property
    def allowed(self) -> Bools:
        found: Bools = self.guard < 0
        return found


class _View(Mapping[str, NDArray[Any]]):
    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._cells.visible(self._cells.numbers[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells.numbers)

    def __len__(self) -> int:
        return len(self._cells.numbers)


class Population:
    """A system over so many individuals of each sort as `sizes` says, by name; those with names come first.

    `start` gives what differs from the declared start, by variable: an array, a value for everyone, or a mapping from
    keys to values. Raises `UnsupportedError` for a policy that cannot be decided so.
    """

    def __init__(
        self,
        system: System,
        params: Mapping[str, Value] | None = None,
        sizes: Mapping[str, int] | None = None,
        start: Mapping[str, Any] | None = None,
    ) -> None:
        shared = compiled(system)
        self.system = system
        self.source = shared.source
        self.people = Individuals(shared.layout, sizes or {}, shared.spare)
        self.cells = Cells(system, params, self.people, shared.layout)
        self.state: Mapping[str, NDArray[Any]] = _View(self.cells)
        self._shared = Shared(self.cells.start)
        self._scope = self.cells.scope
        self._scope.update(HELPERS, fit=self.cells.fit, spread=spread, **of_words(self._shared), **shared.constants)
        exec(shared.code, self._scope)  # noqa: S102
        self._acts = {p.action.name: _Act(p, self.cells) for p in shared.plans}
        for name, value in (start or {}).items():
            self.cells.begin(self.cells.numbers[name], value)
        if start and any(s.var in start or not reads(s.body).isdisjoint(start) for s in system.sums):
            # SOUND: a running sum is what its terms say, whatever `start` claims.
            self._scope[f"s{shared.begin}"](np.int64, 0)

    def step(self, action: str, now: int = 0, inputs: Mapping[str, Any] | None = None) -> Stepped:
        """Decide requests of `action` at the time `now`, one after the other, and do those that are allowed.

        `inputs` are arrays of one length, or values for all rows; individuals and cases are numbers, texts are `Words`
        or a `str`. Of an optional individual `x` one may give `x`, with -1 where there is none. What people answered
        (`approved_RULE`, `asked_RULE`) may be left out. Raises `KeyError` for an action or input that is not known or
        missing, `ValueError` for what is not of its type, and `OverflowError` for numbers beyond 2**53; nothing is
        done if what is handed in is at fault. If it is a number that would be stored, some rows are done already.
        """
        act = self._acts[action]
        given = act.read(self.people, inputs or {}, now)
        if given.rows == 1 and not given.columns:
            guard = np.array([act.single(act.kind(given), now, *given.values)], np.int16)
        else:
            guard = self._rows(act, now, given)
        return Stepped(act.plan.effects[guard], guard)

    def one(self, action: str, now: int = 0, inputs: Mapping[str, Any] | None = None) -> tuple[int, int]:
        """The same of one request, whose inputs are plain values: its effect and guard."""
        act = self._acts[action]
        given = act.read(self.people, inputs or {}, now)
        if given.columns:
            raise ValueError(f"one request of `{action}` has no columns")
        guard: int = act.single(act.kind(given), now, *given.values)
        return int(act.plan.effects[guard]), guard

    def reason(self, action: str, guard: int) -> str:
        """The reason that is given when this guard is the first to fail."""
        return "" if guard < 0 else self._acts[action].plan.guards[guard].reason

    def rules(self, action: str, guard: int) -> tuple[str, ...]:
        """The rule behind that guard, if there is one. Others of its kind may have failed, too."""
        if guard < 0:
            return ()
        found = self._acts[action].plan.guards[guard]
        return (found.rule,) if found.rule and found.kind is not GuardKind.PERMIT else ()

    def choose(self, params: Mapping[str, Value]) -> None:
        """Have these parameters from now on, and the declared ones for the rest. The state stays."""
        self.cells.choose(params)

    def size(self, sort: str) -> int:
        return self.people.sizes[self.people.sorts[sort]]

    def grow(self, sort: str, size: int) -> None:
        """Have `size` individuals of a sort. New ones are as if they had been there always."""
        self.cells.grow(self.people.sorts[sort], size)

    def save(self) -> dict[str, NDArray[Any]]:
        """All that `load` needs: arrays by variable, and how many individuals there are by `entity NAME`."""
        return self.cells.save()

    def load(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Go back to what was saved, of this system with these parameters."""
        self.cells.load(saved)

    def rows(self) -> Iterator[tuple[str, Keys, Value]]:
        """Every cell, as the reference interpreter names it: individuals without a name of their own are `#0`, `#1`,
        ..., nobody is the empty text, and everyone else `*`. For comparing; it takes long."""
        return self.cells.rows()

    def _rows(self, act: _Act, now: int, given: Given) -> NDArray[np.int16]:
        how, rows = act.plan, given.rows
        guard = np.full(rows, -1, np.int16)
        if how.order is None and not how.bulk:
            self._singly(act, now, given, np.arange(rows), guard)
            return guard
        left = np.arange(rows)
        columns = given.full() if rows > FEW else []
        while len(left) > FEW:
            late = self._round(act, now, given, columns, left, guard)
            if late is None:
                return guard
            waiting_rows = int(np.count_nonzero(late))
            progress = len(left) - waiting_rows
            places = np.flatnonzero(late)
            left, columns = left[places], [c[places] for c in columns]
            if progress < BURST // 2 and waiting_rows > FEW:
                self._singly(act, now, given, left[:BURST], guard)
                left, columns = left[BURST:], [c[BURST:] for c in columns]
        self._singly(act, now, given, left, guard)
        return guard

    def _round(
        self, act: _Act, now: int, given: Given, columns: list[Any], left: NDArray[Any], guard: NDArray[np.int16]
    ) -> Bools | None:
        """Decide the rows `left`, put down the answers of those that need not wait, and do what they write. Gives the
        rows, out of `left`, that wait."""
        how, kind = act.plan, act.kind(given)
        if self._shared.found and len(self._shared.found) > REMEMBERED:
            self._shared.found.clear()
        inputs = columns if kind is np.int64 else act.unbounded(columns)
        found = first_failing(act.judge(kind, now, *inputs), len(left))
        ok = found < 0
        if how.order is None:
            return self._until_one_is_allowed(act, now, given, left, found, guard)
        late = None
        if how.order.groups and ok.any():
            late = waiting(how.order.groups, act.cells(kind, now, *inputs), act.sizes(), ok, how.order.shaky)
        done = ok if late is None else ok & ~late
        rows = int(np.count_nonzero(done))
        if rows:
            some = inputs
            if rows < len(left):
                places = np.flatnonzero(done)
                some = [c[places] if needed else c for c, needed in zip(inputs, act.needed)]
            put_all(self.cells, how.order.puts, act.values(kind, now, *some), act.safe(given), rows)
        if late is None:
            guard[left] = found
        else:
            guard[left[~late]] = found[~late]
        return late

    def _until_one_is_allowed(
        self, act: _Act, now: int, given: Given, left: NDArray[Any], found: NDArray[np.int16], guard: NDArray[np.int16]
    ) -> Bools | None:
        """An allowed row writes for everyone, so all rows after it wait."""
        ok = found < 0
        guard[left] = found
        if not ok.any():
            return None
        first = int(ok.argmax())
        self._singly(act, now, given, left[first : first + 1], guard)
        late: Bools = np.arange(len(left)) > first
        return late

    def _singly(self, act: _Act, now: int, given: Given, left: NDArray[Any], guard: NDArray[np.int16]) -> None:
        for row, values in zip(left.tolist(), zip(*given.lists(left)) if given.values else [()] * len(left)):
            # SOUND: the kind is asked for anew, for what a row writes may be larger than anything before.
            guard[row] = act.single(act.kind(given), now, *values)
