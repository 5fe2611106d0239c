"""The gateway of the simulated ecosystem: columns of requests go in, the enforcer's answers come out, and are counted.

Whatever happens in a run happens because an action was allowed here. Each action belongs to one policy, which is a
compiled enforcer over a finite population (`runtime/population.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.system import System
from policydsl.core.types import EnumType, Value
from runtime.columns import Bools
from runtime.population import Population
from simulator.second_opinion import Evidence, can_be_kept, cells_of, inputs_of


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers to one column of requests, a row each: `guard` is the number of the first guard that failed, or -1."""

    allowed: Bools
    guard: NDArray[np.int16]

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.allowed))


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One column of requests and what became of it, as it is kept for the tick."""

    action: str
    columns: Mapping[str, Any]
    answers: Answers

    @property
    def size(self) -> int:
        return len(self.answers.allowed)

    def column(self, name: str) -> NDArray[Any]:
        """One input, as an array of a value for each row."""
        found = np.asarray(self.columns[name])
        return found if found.ndim else np.full(self.size, found)


def columns_of(asked: Sequence[Asked], name: str) -> NDArray[Any]:
    """One input of all rows that were asked, one table after the other; there is at least one."""
    if len(asked) == 1:
        return asked[0].column(name)
    return np.concatenate([a.column(name) for a in asked])


@dataclass(slots=True)
class Gateway:
    enforcers: Sequence[Population]
    params: dict[str, Value]
    """Those of the first policy."""
    ranges: Mapping[str, tuple[int, int]]
    """What they may be."""
    now: int = 0
    """Milliseconds since the run began."""
    asked: list[Asked] = field(default_factory=list)
    """What was asked in this tick, in order."""
    sample: tuple[int, int] = (-1, 0)
    """Of which column of this tick the decision about a row is kept, with all that it depends on, and a lot to draw the
    row by."""
    evidence: list[Evidence] = field(default_factory=list)
    """What was kept of this tick."""
    tallies: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """For each action how often it was allowed, and then how often each of its guards denied it, in the whole run."""
    _home: dict[str, Population] = field(default_factory=dict)
    _cases: dict[tuple[str, str], int] = field(default_factory=dict)
    _kept: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for enforcer in self.enforcers:
            for action in enforcer.system.actions:
                if action.name in self._home:
                    raise ValueError(f"two policies have the action `{action.name}`")
                self._home[action.name] = enforcer
                self.tallies[action.name] = np.zeros(1 + len(action.guards), dtype=np.int64)

    def begin(self, now: int, sample: tuple[int, int] = (-1, 0)) -> None:
        """A tick begins."""
        self.now, self.sample = now, sample
        self.asked, self.evidence = [], []

    def ask(self, action: str, **columns: Any) -> Answers:
        """Asks for all rows, one after the other; what is allowed has then happened."""
        watched = len(self.asked) == self.sample[0]
        guard = self._watched(action, columns) if watched else self._home[action].step(action, self.now, columns).guard
        answers = Answers(guard == -1, guard)
        self.tallies[action] += np.bincount(guard + 1, minlength=len(self.tallies[action]))
        self.asked.append(Asked(action, columns, answers))
        return answers

    def _watched(self, action: str, columns: Mapping[str, Any]) -> NDArray[np.int16]:
        """The same, where the decision about a row is kept: those before it have happened by then."""
        home = self._home[action]
        rows = next((len(c) for c in columns.values() if np.ndim(c)), 1)
        if not rows or not self._can_be_kept(home, action):
            return home.step(action, self.now, columns).guard
        row = self.sample[1] % rows
        first, rest = ({n: c[part] if np.ndim(c) else c for n, c in columns.items()} for part in _halves(row))
        before = home.step(action, self.now, first).guard if row else np.zeros(0, dtype=np.int16)
        inputs = inputs_of(home, action, columns, row, self.now)
        cells = cells_of(home, inputs, action)
        guard = np.concatenate([before, home.step(action, self.now, rest).guard])
        allowed, reason = bool(guard[row] < 0), home.reason(action, int(guard[row]))
        params = dict(self.params) if home is self.enforcers[0] else {}
        self.evidence.append(Evidence(home.system.name, action, inputs, params, cells, allowed, reason))
        return guard

    def _can_be_kept(self, home: Population, action: str) -> bool:
        if action not in self._kept:
            self._kept[action] = can_be_kept(home.system, action)
        return self._kept[action]

    def may(self, action: str, **columns: Any) -> bool:
        """Asks once; whether it was allowed."""
        return bool(self.ask(action, **columns).allowed[0])

    def read(self, name: str) -> NDArray[Any]:
        """A state variable of the first policy, as it is now; not to be written to."""
        return self.enforcers[0].state[name]

    def parameter(self, name: str) -> int:
        """What a parameter of the first policy is now."""
        return int(self.params[name])

    def case(self, variable: str, name: str) -> int:
        """The code of a case of an enumeration, as it stands in the array of a state variable of the first policy."""
        if (variable, name) not in self._cases:
            self._cases[variable, name] = self._enumeration(variable).cases.index(name)
        return self._cases[variable, name]

    def name(self, variable: str, code: int) -> str:
        """The case that a code stands for."""
        return self._enumeration(variable).cases[code]

    def _enumeration(self, variable: str) -> EnumType:
        kind = next(v.type for v in self.enforcers[0].system.state if v.name == variable)
        assert isinstance(kind, EnumType)
        return kind

    def size(self, sort: str) -> int:
        """So many individuals of a sort there are, or are reserved."""
        return self.enforcers[0].size(sort)

    def grow(self, sort: str, count: int) -> None:
        """From now on there are so many individuals of a sort, wherever it occurs."""
        for enforcer in self.enforcers:
            if sort in enforcer.people.sorts:
                enforcer.grow(sort, count)

    def reparameterise(self, chosen: Mapping[str, int]) -> None:
        """From now on the first policy has other parameters; its state stays, as does what was asked."""
        self.params |= chosen
        self.enforcers[0].choose(self.params)

    def enact(self, system: System) -> None:
        """From now on this is the policy of its name, over the state that there is; it has the same variables."""
        place, old = next((i, e) for i, e in enumerate(self.enforcers) if e.system.name == system.name)
        if old.system == system:
            return
        new = Population(system, None if place else self.params, {sort: old.size(sort) for sort in old.people.sorts})
        new.load(old.save())
        self.enforcers = [*self.enforcers[:place], new, *self.enforcers[place + 1 :]]
        self._home |= dict.fromkeys((a.name for a in system.actions), new)

    def reason(self, action: str, guard: int) -> str:
        """Why a guard denies."""
        return self._home[action].reason(action, guard)

    def guard(self, action: str, reason: str) -> int:
        """The number of the first guard that denies for this reason, or -2 if none does."""
        guards = self._home[action].system.action(action).guards
        return next((i for i in range(len(guards)) if self.reason(action, i) == reason), -2)

    def of_tick(self, action: str) -> list[Asked]:
        """What was asked for an action in this tick."""
        return [a for a in self.asked if a.action == action]


def _halves(row: int) -> tuple[slice, slice]:
    return slice(0, row), slice(row, None)
