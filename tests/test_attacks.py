"""Attacks are real: each reaches its goal with the security agents off, and none with them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from policyctl.paint import PLAIN
from policyctl.render_simulation import render_comparison
from simulator import compare, goals
from simulator.engine import begin
from simulator.goals import GOALS, SKILL, VARIANTS
from simulator.measures import NAMES, Columns, columns, row
from simulator.metrics import BY_NAME
from simulator.record import Header, Record
from simulator.report_words import story
from simulator.scenario import Mix, Scenario
from simulator.world import ATTACKERS

HURT = 1.0
"""At most so many in a hundred honest bots were ever in quarantine, however briefly."""
HINDERED = 1.0
"""At most so many requests of honest bots without harm in them were denied, for each hundred messages and uses."""


@dataclass(frozen=True)
class Fought:
    """A run of one attack."""

    scenario: Scenario
    columns: Columns
    hurt: float
    """How many in a hundred honest bots were ever in quarantine."""
    got: float
    reached: bool

    def since(self, name: str) -> float:
        return float(self.columns[name][self.scenario.attack_begins :].sum())


@cache
def fought(kind: str, agents: bool, seed: int = 1) -> Fought:
    scenario = goals.scenario_of(kind, agents=agents)
    engine, rows = begin(scenario, seed), []
    ever = np.zeros(scenario.bots, dtype=np.bool_)
    for _ in range(scenario.ticks):
        rows.append(row(engine.step().measures))
        ever |= engine.gateway.read("quarantined")[: scenario.bots] & ~engine.state.world.malicious
    table = columns(rows)
    (outcome,) = goals.outcomes(scenario, table)
    honest = round((1 - scenario.malicious) * scenario.bots)
    return Fought(scenario, table, 100.0 * np.count_nonzero(ever) / honest, outcome.got, outcome.reached)


def judged(kind: str, seed: int) -> None:
    off, on = fought(kind, False, seed), fought(kind, True, seed)
    goal = GOALS[VARIANTS[kind][0] if kind in VARIANTS else kind]
    assert off.reached, f"{kind}: {off.got:.1f} without agents, and the goal is {goal.reached_at:.1f}"
    assert not on.reached, f"{kind}: {on.got:.1f} with all agents, and the goal is {goal.reached_at:.1f}"
    # Not by a hair: the agents take away more than half of what the attack gets.
    assert on.got < 0.5 * off.got
    assert off.hurt == 0.0
    assert on.hurt <= HURT
    asked = on.since("messages") + on.since("skill_uses")
    assert 100.0 * on.since("honest_denied") <= HINDERED * asked
    # An ecosystem in which nothing goes on any more would be safe, too.
    assert on.since("service_kept") >= 0.85 * off.since("service_kept")
    assert on.since("good_executed") > 0


@pytest.mark.parametrize("kind", [*GOALS, *VARIANTS])
def test_an_attack_reaches_its_goal_without_the_agents_and_not_with_them(kind: str) -> None:
    judged(kind, 1)


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("kind", ["colluder", "careless"])
def test_it_is_not_the_luck_of_one_seed(kind: str, seed: int) -> None:
    judged(kind, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", [*GOALS, *VARIANTS])
def test_the_same_with_other_seeds(kind: str, seed: int) -> None:
    judged(kind, seed)


def test_each_kind_of_attacker_has_a_goal() -> None:
    assert set(GOALS) == set(Mix.model_fields) | {SKILL} == {k.name.lower() for k in ATTACKERS} | {SKILL}
    for kind, goal in GOALS.items():
        assert goal.kind == kind
        assert goal.reached_at > 0
        assert goal.text
        assert goal.unit
        # The attack by itself has nobody else in it.
        scenario = goals.scenario_of(kind)
        assert [k for k, weight in scenario.mix.model_dump().items() if weight] == [kind] * (kind != SKILL)
        assert (scenario.malicious > 0) == (kind != SKILL)
        assert len(scenario.agents) == 7
        assert goals.scenario_of(kind, agents=False).agents == ()


def test_without_attackers_no_goal_is_reached() -> None:
    """What is reached is reached by the attack: the same ecosystem without it is far from every goal."""
    scenario = goals.scenario_of("phisher", "malicious=0.0", agents=False)
    engine = begin(scenario, 1)
    calm = columns([row(engine.step().measures) for _ in range(scenario.ticks)])
    assert goals.outcomes(scenario, calm) == ()
    got = {kind: goal.far(scenario, calm) / goal.reached_at for kind, goal in GOALS.items()}
    assert max(got.values()) < 0.25, got


def made_up(ticks: int, **measures: float) -> Columns:
    assert set(measures) <= set(NAMES)
    return {n: np.full(ticks, float(measures.get(n, 0.0))) for n in NAMES}


@pytest.mark.parametrize(
    ("kind", "measures", "got"),
    [
        ("spammer", {"harmful_delivered": 30, "delivered": 90, "skill_uses": 30}, 25.0),
        ("spammer", {"harmful_delivered": 40, "delivered": 90, "skill_uses": 30}, 100.0 / 3.0),
        ("spammer", {}, 0.0),
        ("phisher", {"compromised": 98}, 25.0),
        ("phisher", {"compromised": 97}, 24.744897959183675),
        ("poisoner", {"compromised": 90}, 25.0),
        ("sybil", {"bad_executed": 1, "good_executed": 1}, 50.0),
        ("colluder", {"bad_executed": 1, "good_executed": 2}, 100.0 / 3.0),
        ("colluder", {}, 0.0),
        ("exfiltrator", {"secrets_leaked": 1.9}, 120.0),
        ("skill", {"harmful_delivered": 1, "skill_uses": 10}, 10.0),
        ("byzantine", {}, 0.0),
        ("byzantine", {"service_asked": 10, "service_kept": 9}, 0.0),
    ],
)
def test_how_far_an_attack_got(kind: str, measures: dict[str, float], got: float) -> None:
    scenario = goals.scenario_of(kind)
    found = goals.outcomes(scenario, made_up(300, **measures))
    assert [o.goal.kind for o in found] == [kind]
    assert found[0].got == pytest.approx(got)
    assert type(found[0].got) is float
    assert found[0].reached is (got >= GOALS[kind].reached_at)


def test_service_is_compared_with_that_before_the_attack() -> None:
    scenario = goals.scenario_of("byzantine")
    table = made_up(300, service_asked=10, service_kept=8)
    table["service_kept"][scenario.attack_begins :] = 7.2
    assert GOALS["byzantine"].far(scenario, table) == pytest.approx(10.0)
    table["service_kept"][scenario.attack_begins :] = 9
    assert GOALS["byzantine"].far(scenario, table) == 0.0
    table["service_kept"][: scenario.attack_begins] = 0
    assert GOALS["byzantine"].far(scenario, table) == 0.0


def test_only_what_happens_during_the_attack_counts() -> None:
    scenario = goals.scenario_of("spammer")
    table = made_up(300, delivered=10)
    table["harmful_delivered"][: scenario.attack_begins] = 10
    assert GOALS["spammer"].far(scenario, table) == 0.0
    table["bad_executed"][:200] = 1
    assert GOALS["sybil"].far(scenario, table) == 0.0


def test_a_mixed_attack_has_the_goals_of_all_its_kinds() -> None:
    scenario = goals.scenario_of("spammer", "mix.phisher=0.5")
    assert [o.goal.kind for o in goals.outcomes(scenario, made_up(300))] == ["spammer", "phisher"]
    assert goals.outcomes(goals.scenario_of("spammer", "malicious=0.0"), made_up(300)) == ()


@pytest.mark.parametrize(("compromised", "begin", "got"), [(98.0, "got", "25"), (49.0, "did not get", "12.5")])
def test_the_report_says_what_the_attackers_wanted(compromised: float, begin: str, got: str) -> None:
    scenario = goals.scenario_of("phisher")
    table = made_up(300, compromised=compromised)
    metrics = dict.fromkeys(BY_NAME, float("nan"))
    record = Record(Path("run"), Header(scenario, 1), table, np.zeros((0, 3), dtype=np.int64), [], metrics)
    text = "what they wanted: to take over a quarter of the honest bots"
    assert f"The attackers {begin} {text} ({got} % of the honest bots)." in story(record)
    short = Record(Path("run"), Header(scenario, 1), made_up(60, compromised=98.0), record.decided, [], metrics)
    assert not any("wanted" in line for line in story(short))


def test_a_comparison_says_how_far_attackers_got_in_both() -> None:
    def runs(compromised: Sequence[float], kind: str = "phisher") -> list[Record]:
        scenario = goals.scenario_of(kind)
        metrics = dict.fromkeys(BY_NAME, 1.0)
        tables = [made_up(300, compromised=c) for c in compromised]
        none = np.zeros((0, 3), dtype=np.int64)
        return [Record(Path("run"), Header(scenario, i), t, none, [], metrics) for i, t in enumerate(tables)]

    (found,) = compare.goals(runs([98.0, 49.0]), runs([0.0, 0.0]))
    assert (found.goal.text, found.far, found.runs) == (GOALS["phisher"].text, (18.75, 0.0), (1, 0))
    names = ("one", "other")
    text = render_comparison(names, compare.compare(runs([98.0]), runs([0.0]))[1], 0, PLAIN, (), [found])
    assert "to take over a quarter of the honest bots: % of the honest bots" in text
    assert text.splitlines()[-1].split() == ["18.8,", "reached", "0,", "not", "reached"]
    # What only one of them has is no comparison.
    assert compare.goals(runs([98.0]), runs([98.0], "spammer")) == []
