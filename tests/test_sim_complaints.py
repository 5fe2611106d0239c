"""Honest bots complain by mistake as often as a scenario says; false alarms come of it, and do not stay."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import goals
from simulator.engine import Engine, begin
from simulator.scenario import Scenario

PEACE = ("malicious=0.0", "lazy=0.0", "network.loss=0.0", "network.duplicates=0.0")


def peaceful(*settings: str, agents: bool = False) -> Scenario:
    """Nobody does harm, and everybody answers."""
    return goals.scenario_of("spammer", *PEACE, *settings, agents=agents)


def run(scenario: Scenario, ticks: int) -> tuple[Engine, dict[str, float]]:
    engine = begin(scenario, 1)
    found: dict[str, float] = {}
    for _ in range(ticks):
        for name, value in engine.step().measures.items():
            found[name] = found.get(name, 0.0) + value
    return engine, found


def test_where_nobody_is_mistaken_there_are_no_complaints() -> None:
    engine, _ = run(peaceful("mistakes.message=0.0", "mistakes.skill=0.0"), 40)
    seen = engine.state.world.observed
    assert not seen.rate("complaints").any()
    assert not seen.link_complaints.any()
    assert not seen.skill_complaints.any()


def test_complaints_about_messages_are_as_many_as_the_scenario_says() -> None:
    engine, counted = run(peaceful("mistakes.message=1.0", "mistakes.skill=0.0"), 40)
    # Counts fade, but those who complain about each message complain as often as there are messages.
    assert counted["delivered"] > 1000
    seen = engine.state.world.observed
    assert seen.rate("complaints").sum() > 0.8 * seen.rate("messages").sum()
    assert np.flatnonzero(seen.link_complaints).size > 10
    assert not seen.skill_complaints.any()


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_complaints_about_skills_are_as_many_as_the_scenario_says(rate: float) -> None:
    engine, counted = run(peaceful("mistakes.message=0.0", f"mistakes.skill={rate}"), 40)
    seen = engine.state.world.observed
    assert counted["skill_uses"] > 1000
    assert seen.skill_complaints.sum() == pytest.approx(rate * seen.skill_uses.sum(), rel=0.1)
    developers = np.unique(engine.state.world.skills.developer)
    complained = np.flatnonzero(seen.rate("complaints"))
    assert set(complained.tolist()) <= set(developers.tolist())


def test_false_alarms_happen_and_the_innocent_are_let_out() -> None:
    scenario = peaceful("mistakes.message=0.04", "mistakes.skill=0.04", "ticks=240", agents=True)
    engine = begin(scenario, 1)
    ever, alarms, false = np.zeros(scenario.bots, dtype=np.bool_), 0.0, 0.0
    for _ in range(scenario.ticks):
        measures = engine.step().measures
        alarms, false = alarms + measures["alarms"], false + measures["alarms_false"]
        ever |= engine.gateway.read("quarantined")[: scenario.bots]
    inside = engine.gateway.read("quarantined")[: scenario.bots]
    assert alarms == false >= 2
    assert np.count_nonzero(ever) >= 2
    # Where one in twenty-five messages and uses is complained about, few are accused, and humans let them out.
    assert np.count_nonzero(ever) <= 0.15 * scenario.bots
    assert np.count_nonzero(inside) <= 0.5 * np.count_nonzero(ever)
