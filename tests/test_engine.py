"""The simulation: the same whatever way one gets there, and nothing in it that the proved policy does not allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from policydsl.core.types import EntityType
from policydsl.interp import Request, step
from runtime.bundle import build
from runtime.bundle import read as read_bundle
from simulator.engine import Engine, begin
from simulator.measures import NAMES
from simulator.scenario import ScenarioError
from simulator.second_opinion import inputs_of
from tests.twins import Course, as_interpreted, course, small

SHIPPED_BUNDLE = Path(__file__).parent.parent / "simulator" / "twin.bundle"
TINY = (
    "bots=16",
    "ticks=90",
    "attack_begins=10",
    "committee_faults=1",
    "skills.initial=3",
    "proposal_rate=0.3",
    "VOTING_PERIOD=10s",
    "TIMELOCK=3s",
)


def stepped(engine: Engine, ticks: int) -> Engine:
    for _ in range(ticks):
        engine.step()
    return engine


def test_two_runs_are_equal_and_other_seeds_are_not() -> None:
    scenario = small("security_attack", "ticks=120")
    first, second = stepped(begin(scenario, 5), 120), stepped(begin(scenario, 5), 120)
    assert first.digest() == second.digest()
    assert first.state.log.root == second.state.log.root
    assert stepped(begin(scenario, 6), 120).digest() != first.digest()
    assert stepped(begin(scenario, 5, run=1), 120).digest() != first.digest()


@pytest.mark.parametrize("at", [0, 1, 63, 110])
def test_a_saved_run_goes_on_as_if_nothing_had_happened(at: int, tmp_path: Path) -> None:
    scenario = small("security_attack", "ticks=120")
    whole = begin(scenario, 5)
    stepped(whole, at).save(tmp_path)
    later = begin(scenario, 5)
    later.load(tmp_path)
    assert later.tick == at
    assert later.digest() == whole.digest()
    rows = [(whole.step(), later.step()) for _ in range(120 - at)]
    for mine, other in rows:
        assert str(mine.measures) == str(other.measures)
        assert mine.happenings == other.happenings
    assert later.digest() == whole.digest()
    assert {n: t.tolist() for n, t in later.gateway.tallies.items()} == {
        n: t.tolist() for n, t in whole.gateway.tallies.items()
    }


def test_another_parameter_is_another_future(tmp_path: Path) -> None:
    scenario = small("normal_operation", "ticks=120", "proposal_rate=0.5", "VOTING_PERIOD=20s", "TIMELOCK=5s")
    stepped(begin(scenario, 5), 40).save(tmp_path)
    same, other = begin(scenario, 5), begin(scenario, 5)
    same.load(tmp_path)
    other.load(tmp_path)
    other.reparameterise({"QUORUM": 900_000})
    stepped(same, 80), stepped(other, 80)
    assert same.digest() == stepped(begin(scenario, 5), 120).digest() != other.digest()
    tallies = other.gateway.tallies["execute"][0], same.gateway.tallies["execute"][0]
    assert tallies[0] < tallies[1]
    # It is kept with the state, too.
    other.save(tmp_path / "later")
    again = begin(scenario, 5)
    again.load(tmp_path / "later")
    assert again.gateway.parameter("QUORUM") == 900_000
    assert again.digest() == other.digest()


@pytest.mark.parametrize("parameters", [{"QUORUM": 0}, {"QUORUM": 1_000_001}, {"QUORAM": 5}])
def test_no_parameter_leaves_the_range_that_was_proved(parameters: dict[str, int]) -> None:
    with pytest.raises(ScenarioError, match="QUOR"):
        begin(small(), 1).reparameterise(parameters)


def replayed(run: Course) -> None:
    """Everything that was asked, through the reference interpreter: the same answers, and the same state at the end."""
    for enforcer, fresh in zip(
        run.engine.gateway.enforcers, begin(run.engine.scenario, run.engine.seed).gateway.enforcers
    ):
        system = enforcer.system
        params = dict(run.engine.gateway.params) if system.params else {}
        state = as_interpreted(fresh, params)
        actions = {a.name for a in system.actions}
        for now, asked in run.asked:
            if asked.action not in actions:
                continue
            for row in range(asked.size):
                given = inputs_of(enforcer, asked.action, asked.columns, row, now)
                result = step(system, state, Request(asked.action, given))
                allowed = bool(asked.answers.allowed[row])
                assert (result.decision.effect == "allow") is allowed, (asked.action, row, given, result.decision)
                if not allowed:
                    reason = run.engine.gateway.reason(asked.action, int(asked.answers.guard[row]))
                    assert reason == result.decision.reason
                state = result.state
        for name, keys, found in enforcer.rows():
            if "*" not in keys and "" not in keys:
                assert repr(found) == repr(state.read(name, keys)), (name, keys)


@pytest.mark.slow
def test_the_reference_interpreter_agrees_with_a_whole_run() -> None:
    run = course("security_attack", *TINY)
    assert run.engine.gateway.tallies["vote"][0] > 20
    assert run.total("denied") > 20
    replayed(run)


def test_the_reference_interpreter_agrees_with_the_beginning_of_a_run() -> None:
    run = course("security_attack", *TINY, "ticks=24")
    replayed(run)


def test_measures_are_those_that_are_documented() -> None:
    run = course("normal_operation")
    assert all(tuple(t.measures) == NAMES for t in run.ticks)
    assert run.total("messages") > 1000
    assert run.total("executed") > 0
    assert run.total("votes") > 100


def test_messages_are_delivered_later_and_none_is_made_up() -> None:
    run = course("normal_operation", "malicious=0.0", "ticks=100")
    allowed = run.engine.gateway.tallies["send"][0]
    on_their_way = int(allowed) - int(run.total("delivered"))
    assert 0 <= on_their_way <= 0.1 * allowed


def test_attackers_are_as_many_as_the_scenario_says() -> None:
    engine = begin(small("security_attack", "malicious=0.25", "lazy=0.2"), 1)
    kinds = engine.state.world.bots.kind
    assert np.count_nonzero(kinds > 1) == 75
    assert np.count_nonzero(kinds == 1) == 45


def test_nothing_bad_happens_before_the_attack() -> None:
    run = course("security_attack")
    before = [t.measures for t in run.ticks[:60]]
    assert sum(m["alarms"] for m in before) == 0
    assert sum(m["quarantined"] for m in before) == 0
    # But for what slips out, as everywhere.
    assert sum(m["harmful_delivered"] for m in before) == 0


@pytest.mark.parametrize("sort", ["Bot", "Skill", "Link", "Proposal", "Channel"])
def test_everybody_who_acts_is_somebody(sort: str) -> None:
    """All numbers that were asked about are numbers of individuals."""
    run = course("skill_ecosystem_growth", "ticks=60")
    enforcer = run.engine.gateway.enforcers[0]
    sizes = {a.name: {i.name: i.type for i in a.inputs} for a in enforcer.system.actions}
    for _, asked in run.asked:
        for name in asked.columns:
            if sizes.get(asked.action, {}).get(name) == EntityType(sort):
                column = asked.column(name)
                assert not column.size or 0 <= column.min() <= column.max() < enforcer.size(sort)


def test_the_policies_of_a_bundle_govern(tmp_path: Path) -> None:
    """Under rules that let a bot send four messages a minute, bots send no more."""
    strict = tmp_path / "strict.bundle"
    strict.write_bytes(SHIPPED_BUNDLE.read_bytes())
    scenario = small("normal_operation", f"policy={strict}", "ticks=20", "SEND_LIMIT=4", "activity.act=1.0")
    engine = stepped(begin(scenario, 1), 20)
    assert engine.gateway.read("sent").max() == 4
    assert engine.digest() != stepped(begin(small("normal_operation", "ticks=20"), 1), 20).digest()


@pytest.mark.parametrize(
    ("data", "says"),
    [(None, "cannot be read"), (b"", "no bundle"), (SHIPPED_BUNDLE.read_bytes()[:-1], "no bundle|was changed")],
)
def test_what_is_no_proof_does_not_govern(data: bytes | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.bundle"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ScenarioError, match=f"`policy`.*({says})"):
        begin(small("normal_operation", f"policy={path}"), 1)


def test_policies_that_are_not_all_proved_do_not_govern(tmp_path: Path) -> None:
    path = tmp_path / "x.bundle"
    systems = [p.system for p in read_bundle(SHIPPED_BUNDLE.read_bytes()).policies]
    path.write_bytes(build([(system, "") for system in systems]))
    with pytest.raises(ScenarioError, match=r"`policy`.*is not proved"):
        begin(small("normal_operation", f"policy={path}"), 1)
    path.write_bytes(build([(systems[0], "")]))
    with pytest.raises(ScenarioError, match=r"`policy`.*is missing"):
        begin(small("normal_operation", f"policy={path}"), 1)
