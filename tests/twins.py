"""Small runs of the digital twin, made once for all tests that look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from policydsl.core.types import Value
from policydsl.interp import initial
from policydsl.state import State
from policydsl.trace import Cell
from runtime.population import Population
from simulator.agents.base import Happening
from simulator.engine import Engine, Ticked, begin
from simulator.gateway import Asked
from simulator.scenario import Scenario, load, with_settings


@dataclass
class Course:
    """A run that was made, and all that was asked in it."""

    engine: Engine
    ticks: list[Ticked] = field(default_factory=list)
    asked: list[tuple[int, Asked]] = field(default_factory=list)
    """With the millisecond."""

    def total(self, name: str, since: int = 0) -> float:
        return float(np.nansum([t.measures[name] for t in self.ticks[since:]]))

    def last(self, name: str) -> float:
        return self.ticks[-1].measures[name]

    @property
    def happenings(self) -> list[Happening]:
        return [h for t in self.ticks for h in t.happenings]


def small(name: str = "security_attack", *settings: str) -> Scenario:
    """A scenario that ships, cut down."""
    return with_settings(load(name), ["bots=300", "ticks=200", "attack_begins=60", *settings])


@cache
def course(name: str, *settings: str) -> Course:
    """A run of a small scenario from its beginning to its end."""
    scenario = small(name, *settings)
    found = Course(begin(scenario, scenario.seed))
    for _ in range(scenario.ticks):
        found.ticks.append(found.engine.step())
        found.asked += [(found.engine.gateway.now, a) for a in found.engine.gateway.asked]
    return found


def as_interpreted(enforcer: Population, params: Mapping[str, Value]) -> State:
    """The same state in the reference interpreter: what differs from the declared start."""
    declared = initial(enforcer.system, params)
    cells = [Cell(n, k, v) for n, k, v in enforcer.rows() if "*" not in k and "" not in k and v != "*"]
    return initial(enforcer.system, params, [c for c in cells if declared.read(c.var, c.keys) != c.value])
