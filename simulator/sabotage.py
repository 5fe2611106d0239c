"""Sabotage: what was proved, or audited, goes in; what somebody with access to the machine puts in its place comes out.

This is no attack by bots, whose requests the policy decides, but one on the policy itself, or on a skill that runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from policydsl.core.expr import TRUE
from policydsl.core.system import Guard, System
from policydsl.core.to_json import digest, dumps, to_data
from runtime.bundle import Policy
from simulator.proofs import Certificate, certificate
from simulator.scenario import Sabotage, Scenario, ScenarioError
from simulator.skill_sources import HARMLESS
from simulator.world import NOBODY, Ids, World


def rules(system: System) -> list[str]:
    """Those that can be taken out of it."""
    return sorted({g.rule for a in system.actions for g in a.guards if g.rule})


def without(system: System, rule: str) -> System:
    """The same policy, but what the rule denies is allowed. Guards keep their places, so answers mean the same."""

    def weakened(guard: Guard) -> Guard:
        return replace(guard, expr=TRUE) if guard.rule == rule else guard

    actions = tuple(replace(a, guards=tuple(map(weakened, a.guards))) for a in system.actions)
    return replace(system, actions=actions)


def forged(certificate: str, of: System, for_: System) -> str:
    """A certificate of one policy that claims to be one of another: every digest in it fits, and nothing else does."""
    data = json.loads(certificate.replace(digest(of), digest(for_)))
    return dumps({**data, "core": to_data(for_)})


def sabotaged(policies: Sequence[Policy], acts: Iterable[Sabotage]) -> tuple[tuple[System, Certificate], ...]:
    """What is in force, and what is shown for it, once these acts were done to what was proved."""
    found = []
    for policy in policies:
        system, proof = policy.system, Certificate(policy.proof, policy.certificate)
        for act in acts:
            if act.rule in rules(system):
                weak = without(system, act.rule)
                proof = certificate(forged(proof.text, system, weak)) if act.forged else proof
                system = weak
        found.append((system, proof))
    return tuple(found)


def check(scenario: Scenario, policies: Sequence[Policy]) -> None:
    """Raises `ScenarioError` for a rule that no policy has."""
    known = sorted({r for p in policies for r in rules(p.system)})
    unknown = [(i, a.rule) for i, a in enumerate(scenario.sabotage) if a.rule and a.rule not in known]
    if unknown:
        has = f"no policy has such a rule; there are {', '.join(known)}"
        raise ScenarioError([(f"sabotage.{i}.rule", f"`{rule}`: {has}") for i, rule in unknown])


def swap_skill(world: World, live: Ids) -> int:
    """The live skill that is used most becomes one that does harm: its number, or -1 if none is live."""
    harmless = live[~world.skills.harmful[live]]
    if not len(harmless):
        return NOBODY
    skill = int(harmless[world.observed.skill_uses[harmless].argmax()])
    world.skills.source[skill] = len(HARMLESS)
    world.skills.harmful[skill] = True
    return skill
