"""Optimisation: only what the policy proves safe is tried, the search finds what is there, and it is checked afresh."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import BEGIN, DEFAULTS, RANGES

from policyctl.paint import PLAIN
from policyctl.render_sweep import render_found
from policydsl.core.system import Program, System
from policydsl.diagnostics import Report
from policydsl.load import load
from simulator.executor import Here, Processes
from simulator.optimise import BATCH, Found, known_metric, optimise
from simulator.optimise_within import Within, within
from simulator.scenario import Scenario, ScenarioError

ROOT = Path(__file__).parent.parent
SCENARIO = Scenario(name="small", bots=20, ticks=40, attack_begins=10, malicious=0.3)

NEEDS = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("optuna") is None,
    reason="optuna is missing: optimisation is NOT tested; pip install 'policyctl[optimise]'",
)


def program(name: str) -> Program:
    report = Report()
    [found] = load([f"specs/{name}"], lambda path: (ROOT / path).read_text(encoding="utf-8"), report)
    assert not report.failed
    return found


@pytest.fixture(scope="module")
def parameters() -> System:
    return program("mvg/parameters.policy").system


@pytest.fixture(scope="module")
def allowed(parameters: System) -> Within:
    return within(parameters, RANGES, DEFAULTS)


def test_ranges_are_those_of_the_policy_and_of_the_twin(allowed: Within) -> None:
    assert {r.parameter: (r.low, r.high) for r in allowed.ranges} == {
        "QUORUM": (100, 1_000_000),
        "PROPOSE_THRESHOLD": (1, 1000),  # the policy would allow 10_000, the twin does not
        "PROPOSAL_REWARD": (0, 100),
        "PROPOSAL_PENALTY": (0, 100),
    }
    assert set(allowed.others) == {"ceiling", "voting_hours"}


@pytest.mark.parametrize(
    ("chosen", "broken"),
    [
        ({"QUORUM": 2000}, None),
        ({"QUORUM": 1000}, "nobody_decides_alone"),
        ({"QUORUM": 1001}, None),
        ({"QUORUM": 2000, "PROPOSAL_REWARD": 21, "PROPOSAL_PENALTY": 20}, "reward_is_not_above_penalty"),
        ({"QUORUM": 2000, "PROPOSAL_REWARD": 20, "PROPOSAL_PENALTY": 20}, None),
        ({"QUORUM": 2000, "PROPOSAL_REWARD": 21}, "reward_is_not_above_penalty"),  # the penalty is 20 as it is
        ({"QUORUM": 99}, "outside 100..1000000"),
        ({}, "nobody_decides_alone"),  # the quorum is 300 as it is
    ],
)
def test_a_candidate_has_to_keep_every_invariant(allowed: Within, chosen: dict[str, int], broken: str | None) -> None:
    fault = allowed.fault(chosen)
    assert (fault is None) if broken is None else (fault is not None and broken in fault)


def test_parameters_of_a_policy_are_what_it_lets_one_choose() -> None:
    found = within(program("mvg/governance.policy").system, RANGES, DEFAULTS)
    assert ("QUORUM", 1, 1_000_000) in {(r.parameter, r.low, r.high) for r in found.ranges}
    assert found.fault({"QUORUM": 1}) is None


def test_a_policy_that_rules_over_nothing(tmp_path: Path) -> None:
    nothing = within(program("protocols/lock_server.policy").system, RANGES, DEFAULTS)
    with pytest.raises(ScenarioError, match="has no number that is a parameter of the twin"):
        search(nothing)


def test_there_must_be_such_a_metric() -> None:
    assert known_metric("resilience") == "resilience"
    with pytest.raises(ScenarioError, match="there is no metric `speed`"):
        known_metric("speed")


def search(allowed: Within, more: bool = True, trials: int = 12, executor: object = None) -> Found:
    pytest.importorskip("optuna")
    pool = Here() if executor is None else executor
    return optimise(SCENARIO, "resilience", more, allowed, pool, BEGIN, trials, 2)  # type: ignore[arg-type]


@NEEDS
def test_only_admissible_candidates_are_tried(allowed: Within) -> None:
    found = search(allowed)
    assert len(found.trials) == 12
    assert [t for t in found.trials if allowed.fault(t.parameters) is not None] == []
    assert found.refused > 0
    assert found.now is not None
    assert "nobody_decides_alone" in found.now


@NEEDS
def test_the_search_finds_what_is_there() -> None:
    # The engine of the tests is best at a quorum of 500.
    wide = within(program("mvg/governance.policy").system, RANGES, DEFAULTS)
    only = Within(wide.system, tuple(r for r in wide.ranges if r.parameter == "QUORUM"), (), DEFAULTS)
    found = search(only, trials=40)
    assert found.best is not None
    assert 300 < found.best.parameters["QUORUM"] < 700
    assert found.gain.value > 0
    assert found.gain.excludes_zero
    assert found.now is None


@NEEDS
def test_what_no_candidate_has_is_not_searched_for(allowed: Within) -> None:
    """Without an attack there is no resilience, whatever the parameters are."""
    calm = SCENARIO.model_copy(update={"attack_begins": SCENARIO.ticks})
    found = optimise(calm, "resilience", True, allowed, Here(), BEGIN, 12, 1)
    assert len(found.trials) == BATCH
    assert (found.best, found.interrupted) == (None, False)
    assert "no candidate has the figure" in render_found(found, allowed, PLAIN)
    stopped = optimise(calm, "resilience", True, allowed, Here(), BEGIN, 12, 1, lambda _d, _t: False)
    assert stopped.interrupted


@NEEDS
def test_the_search_does_the_same_with_any_number_of_workers(allowed: Within) -> None:
    with Processes(2) as pool:
        assert search(allowed, trials=8, executor=pool).trials == search(allowed, trials=8).trials


@NEEDS
def test_to_minimise_is_the_other_way(allowed: Within) -> None:
    found = search(allowed, more=False)
    assert found.best is not None
    assert found.best.value == min(t.value for t in found.trials)
