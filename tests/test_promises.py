"""What was proved of the policies holds in the twin: in states of runs of every scenario, and in their steps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from policydsl.core.system import Expected, Property, PropertyKind, System
from policydsl.evaluate import evaluate
from policydsl.interp import Request, step
from policydsl.state import State
from runtime.population import Population
from simulator.agents.base import Name
from simulator.engine import Engine, begin
from simulator.scenario import SHIPPED
from simulator.second_opinion import inputs_of
from simulator.surroundings import look
from tests.twins import as_interpreted, small

TINY = (
    "bots=14",
    "ticks=60",
    "attack_begins=6",
    "committee_faults=1",
    "skills.initial=3",
    "skills.new_per_tick=0.2",
    "proposal_rate=0.4",
    "activity.act=0.4",
    "VOTING_PERIOD=8s",
    "TIMELOCK=3s",
)
STATES = (PropertyKind.INVARIANT, PropertyKind.LEMMA)
SAMPLED = (0, 5, 13, 29, 47)
"""The ticks that are looked at, with every request in them."""


def promised(system: System, *kinds: PropertyKind) -> list[Property]:
    return [p for p in system.properties if p.kind in kinds and p.expected is Expected.PROVED]


def parameters(engine: Engine, enforcer: Population) -> Mapping[str, bool | int | str]:
    return dict(engine.gateway.params) if enforcer is engine.gateway.enforcers[0] else {}


def broken(system: System, request: Request, before: State, after: State, allowed: bool) -> list[str]:
    """The promises about requests and steps that this one does not keep."""
    action, found = system.action(request.action), []
    for p in promised(system, PropertyKind.ASSERT, PropertyKind.STEP):
        if p.action not in ("", request.action) or not (allowed or p.kind is PropertyKind.ASSERT):
            continue
        if p.kind is PropertyKind.ASSERT and evaluate(action.assumed, before, request.inputs) is not True:
            continue
        if evaluate(p.expr, before, request.inputs, after=after) is not True:
            found.append(p.name)
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_what_was_proved_holds(name: str) -> None:
    scenario = small(name, *TINY)
    engine = begin(scenario, scenario.seed)
    seen: set[str] = set()
    for tick in range(scenario.ticks):
        if tick not in SAMPLED:
            engine.step()
            continue
        before = {e.system.name: as_interpreted(e, parameters(engine, e)) for e in engine.gateway.enforcers}
        engine.step()
        for enforcer in engine.gateway.enforcers:
            system, state = enforcer.system, before[enforcer.system.name]
            own = {a.name for a in system.actions}
            for asked in (a for a in engine.gateway.asked if a.action in own):
                for row in range(asked.size):
                    inputs = inputs_of(enforcer, asked.action, asked.columns, row, engine.gateway.now)
                    result = step(system, state, Request(asked.action, inputs))
                    allowed = bool(asked.answers.allowed[row])
                    assert (result.decision.effect == "allow") is allowed, (tick, asked.action, inputs)
                    assert broken(system, Request(asked.action, inputs), state, result.state, allowed) == []
                    state = result.state
                    seen.add(asked.action if allowed else f"not {asked.action}")
            reached = as_interpreted(enforcer, parameters(engine, enforcer))
            assert [p.name for p in promised(system, *STATES) if evaluate(p.expr, reached) is not True] == []
    assert {"send", "use_skill", "draft", "vote"} <= seen
    assert any(action.startswith("not ") for action in seen)


def test_a_promise_that_is_not_kept_is_seen() -> None:
    """With another state, request or answer the same look finds what is broken."""
    scenario = small("security_attack", *TINY)
    engine = begin(scenario, 1)
    for _ in range(5):
        engine.step()
    enforcer = engine.gateway.enforcers[0]
    system, state = enforcer.system, as_interpreted(enforcer, parameters(engine, enforcer))
    names = {p.name for p in promised(system, *STATES)}
    assert {"bounded_reputation", "no_double_execution", "one_level", "a_cascade_stops"} <= names
    high = state.naming([("reputation", ("#3",))]).writing([("reputation", ("#3",), 1001)])
    assert {p.name for p in promised(system, *STATES) if evaluate(p.expr, high) is not True} == {"bounded_reputation"}
    asked = next(a for a in engine.gateway.asked if a.action == "send" and a.answers.allowed.any())
    row = int(np.flatnonzero(asked.answers.allowed)[0])
    request = Request("send", inputs_of(enforcer, "send", asked.columns, row, engine.gateway.now))
    # A step that changes nothing is none that sends a message.
    assert "windows_are_counted" in broken(system, request, state, state, True)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("is_emergency", [False, True])
def test_a_skill_is_live_exactly_when_the_policy_lets_one_use_it(level: int, is_emergency: bool) -> None:
    """At each level of threat, for skills around the trust that they need then."""
    engine = begin(small("normal_operation", "bots=20", "committee_faults=1", "skills.initial=30"), 1)
    gateway, who = engine.gateway, engine.who
    gateway.begin(1000)
    skills = np.arange(30)
    gateway.ask("audit_skill", principal=who.agent(Name.AUDITOR), skill=skills, security=2 * skills + 40, quality=100)
    assert gateway.may("set_threat_level", principal=who.agent(Name.ENFORCER), level=level)
    assert not is_emergency or gateway.may("emergency", principal=who.agent(Name.COORDINATION))
    gateway.ask("disable_skill", principal=who.agent(Name.RESPONDER), skill=skills[-3:])
    trust = gateway.read("trust")[:30].copy()
    live = look(engine.scenario, engine.state.world, gateway, 1, engine._draw).live
    allowed = gateway.ask("use_skill", principal=0, skill=skills).allowed
    assert live.tolist() == np.flatnonzero(allowed).tolist()
    assert 0 < len(live) < 27
    assert trust.min() < engine.gateway.parameter("MIN_TRUST")
