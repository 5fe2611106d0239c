"""Who is who in the twin, and the policy at its beginning: a scenario goes in, enforcers over a population come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.system import System
from policydsl.core.types import EnumType
from runtime.population import Population
from simulator.agents.base import ORDER, ROLES, Name
from simulator.market import GROWTH
from simulator.random_streams import Draw
from simulator.scenario import Scenario
from simulator.world import BENIGN_LINKS, HARMFUL_LINKS, Ids

INSIDERS = 0.5
"""So many of the members may be told secrets."""
TRUST = 80
"""The trust in skills that were there from the beginning."""
PAYLOADS = 2
"""What proposals are about: something ordinary, or a parameter of the policy."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The numbers, as bots, of members, agents and humans: members come first."""

    members: int
    humans: int

    def agent(self, name: Name) -> int:
        return self.members + ORDER.index(name)

    @property
    def human(self) -> Ids:
        first = self.members + len(ORDER)
        return np.arange(first, first + self.humans, dtype=np.int64)

    @property
    def reviewer(self) -> int:
        """The human who judges what proposals have come to, and skills when there is no auditor."""
        return self.members + len(ORDER)

    @property
    def all(self) -> int:
        return self.members + len(ORDER) + self.humans


def cast(scenario: Scenario) -> Cast:
    return Cast(scenario.bots, scenario.humans.count)


def enforcers(scenario: Scenario, systems: Sequence[System], draw: Draw) -> list[Population]:
    """An enforcer for each policy; the first is that of the ecosystem."""
    who = cast(scenario)
    ecosystem, *others = systems
    sizes = {
        "Bot": who.all,
        "Proposal": GROWTH,
        "Payload": PAYLOADS,
        "Skill": max(GROWTH, scenario.skills.initial),
        "Link": BENIGN_LINKS + HARMFUL_LINKS,
        "Channel": len(scenario.channels),
    }
    found = [Population(ecosystem, params_of(ecosystem, scenario.parameters), sizes, start(scenario, ecosystem, draw))]
    humans = np.zeros(who.all, dtype=np.bool_)
    humans[who.human] = True
    for system in others:
        groups = {v.name: humans for v in system.state if v.name == "Humans"}
        found.append(Population(system, params_of(system, {}), {"Agent": who.all, "Incident": GROWTH}, groups))
    return found


def start(scenario: Scenario, system: System, draw: Draw) -> dict[str, NDArray[Any]]:
    """What a deployment has to say of the state at the beginning, as arrays."""
    who = cast(scenario)
    member = np.arange(who.all) < who.members
    auditor, human = np.zeros(who.all, dtype=np.bool_), np.zeros(who.all, dtype=np.bool_)
    auditor[[who.agent(Name.AUDITOR), who.reviewer]] = True
    human[who.human] = True
    inside = replace(draw, stream="insiders").bernoulli(np.arange(who.all), INSIDERS) | ~member
    kinds = next(v.type for v in system.state if v.name == "role")
    assert isinstance(kinds, EnumType)
    role = np.zeros(who.all, dtype=np.uint8)
    for name, kind in ROLES.items():
        if kind in kinds.cases:
            role[who.agent(name)] = kinds.cases.index(kind)
    skills = np.arange(max(GROWTH, scenario.skills.initial)) < scenario.skills.initial
    developer = replace(draw, stream="developers").below(np.arange(len(skills)), who.members)
    return {
        "Members": member,
        "Auditors": auditor,
        "Humans": human,
        "Insiders": inside,
        "role": role,
        "trust": np.where(skills, TRUST, 0),
        "developer.has": skills,
        "developer.value": np.where(skills, developer, -1),
    }


def params_of(system: System, chosen: Mapping[str, int]) -> dict[str, Any]:
    return {p.name: chosen.get(p.name, p.default.value) for p in system.params}
