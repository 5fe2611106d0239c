"""The market of skills: developers hand skills in, and what an audit makes of them decides whether they run."""

from __future__ import annotations

import numpy as np

from simulator.gateway import Gateway
from simulator.scenario import Scenario
from simulator.skill_sources import choose
from simulator.surroundings import Surroundings
from simulator.world import Bools, Ids, Kind, World, extended

GROWTH = 64
"""So many numbers for skills are reserved at once, at least."""
GOOD, POOR = 90, 20
"""Marks of a reviewer that looks at nothing but whether a skill starts."""


def submit(scenario: Scenario, world: World, gateway: Gateway, around: Surroundings, count: int) -> Ids:
    """New skills are handed in; their numbers."""
    first = len(world.skills.developer)
    numbers = np.arange(first, first + count, dtype=np.int64)
    draw = around.draw
    share = scenario.skills.malicious if around.tick >= scenario.skills.malicious_begins else 0.0
    harmful = draw("harmful skill").bernoulli(numbers, share)
    developers = _developers(world, around, numbers, harmful)
    reserve(gateway, "Skill", first + count)
    world.skills.developer = extended(world.skills.developer, developers)
    world.skills.harmful = extended(world.skills.harmful, harmful)
    world.skills.submitted = extended(world.skills.submitted, np.full(count, around.tick))
    world.skills.source = extended(world.skills.source, choose(draw("source"), numbers, harmful))
    observed = world.observed
    observed.skill_uses = extended(observed.skill_uses, np.zeros(count))
    observed.skill_complaints = extended(observed.skill_complaints, np.zeros(count))
    gateway.ask("submit_skill", principal=developers, skill=numbers)
    return numbers


def reserve(gateway: Gateway, sort: str, count: int) -> None:
    """Makes room for so many individuals."""
    room = gateway.size(sort)
    if room < count:
        gateway.grow(sort, max(count, 2 * room, GROWTH))


def review(scenario: Scenario, gateway: Gateway, around: Surroundings, reviewer: int, skills: Ids) -> None:
    """What happens without an auditor: so many pass, whatever is in them."""
    if len(skills):
        passes = around.draw("review").bernoulli(skills, scenario.skills.approval_rate)
        marks = np.where(passes, GOOD, POOR)
        gateway.ask("audit_skill", principal=reviewer, skill=skills, security=marks, quality=marks)


def _developers(world: World, around: Surroundings, numbers: Ids, harmful: Bools) -> Ids:
    """Attackers hand in what does harm, if there are any; everybody else the rest."""
    kind = world.bots.kind
    found = around.draw("developer").below(numbers, world.members)
    attackers = np.flatnonzero(kind > Kind.LAZY)
    if len(attackers) and harmful.any():
        found[harmful] = attackers[around.draw("attacker").below(numbers[harmful], len(attackers))]
    return found
