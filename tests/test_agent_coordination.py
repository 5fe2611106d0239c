"""Coordination on the real policies: committees that decide, bear traitors and are followed by others; emergencies."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from simulator.agents import coordination
from simulator.agents.base import Name, Request
from simulator.agents.coordination import propose, taken
from simulator.consensus.byzantine import Fault
from simulator.network import HIGH, Network, partition
from simulator.random_streams import Ids
from simulator.snapshot import digest, restore, save
from tests.responding import Ecosystem, ecosystem


def wish(eco: Ecosystem, what: str, number: int = -1, level: int = 0) -> None:
    eco.view(Name.RESPONDER).tell(Name.COORDINATION, Request(what, number, level))


def test_what_is_handed_in_is_decided_in_batches_once() -> None:
    eco = ecosystem()
    for number in range(7):
        assert propose(eco.coordination, f"execute {number}", 0)
        assert propose(eco.coordination, f"execute {number}", 0)
    eco.run(3)
    assert taken(eco.coordination) == [f"execute {n}" for n in range(7)]
    assert taken(eco.coordination) == []
    eco.run(20)
    state = eco.coordination
    assert (state.decisions, state.texts, state.stalls, state.violations) == (1, 7, 0, [])
    assert len(state.latencies) == 1
    assert 5 < state.latencies[0] < 200
    assert coordination.median_latency(state) == float(state.latencies[0])
    assert math.isnan(coordination.median_latency(coordination.begin()))


def test_a_decision_counts_only_when_enough_members_have_it() -> None:
    eco = ecosystem(network=Network(HIGH))
    propose(eco.coordination, "execute 1", 0)
    eco.run(1)
    (latency,) = eco.coordination.latencies
    assert latency > 200
    assert taken(eco.coordination) == []
    eco.run(1 + latency // 1000)
    assert taken(eco.coordination) == ["execute 1"]


def test_wishes_of_agents_go_to_those_who_carry_them_out() -> None:
    eco = ecosystem(30, harmful=[3])
    eco.alarm(3)
    wish(eco, "tighten", level=2)
    wish(eco, "block_link", number=4)
    wish(eco, "quarantine", number=3)
    eco.run(12)
    assert int(eco.gateway.read("threat_level")) == 2
    assert eco.is_on("blocked", 4)
    assert eco.is_on("quarantined", 3)
    assert taken(eco.coordination) == []


@pytest.mark.parametrize("fault", list(Fault))
def test_up_to_f_traitors_do_not_keep_it_from_deciding(fault: Fault) -> None:
    eco = ecosystem(traitors={0: fault, 3: fault})
    eco.coordination = coordination.begin(f=2, every=5)
    for round_ in range(3):
        propose(eco.coordination, f"execute {round_}", eco.tick)
        eco.run(20)
    state = eco.coordination
    assert state.violations == []
    assert taken(state) == ["execute 0", "execute 1", "execute 2"]


def test_a_silent_leader_is_replaced_in_time() -> None:
    eco = ecosystem(traitors={0: Fault.SILENT})
    propose(eco.coordination, "execute 1", 0)
    eco.run(5)
    assert taken(eco.coordination) == ["execute 1"]
    assert eco.coordination.views == 1
    assert any("after 1 changes of the leader" in text for text in eco.texts())


def test_with_more_than_f_traitors_the_outcome_says_so_and_another_committee_tries() -> None:
    eco = ecosystem(9, traitors={0: Fault.SILENT, 1: Fault.SILENT})
    propose(eco.coordination, "execute 1", 0)
    eco.run(5)
    state = eco.coordination
    assert (state.decisions, state.stalls) == (0, 1)
    first = state.committee.members
    assert "no decision: another committee will try" in eco.texts()
    eco.traitors = {}
    eco.run(20)
    assert state.decisions == 1
    assert state.committee.term == 2
    assert not np.isin(state.committee.members, first).any()
    assert taken(state) == ["execute 1"]


def test_agreement_that_is_broken_is_recorded_and_takes_no_effect() -> None:
    traitors = dict.fromkeys(range(2), Fault.EQUIVOCATE)
    broken = 0
    for number in range(6):
        eco = ecosystem(100, traitors=traitors)
        eco.coordination.committee.term = number
        propose(eco.coordination, "execute 1", 0)
        eco.run(3)
        if eco.coordination.violations:
            broken += 1
            assert taken(eco.coordination) == []
            assert eco.coordination.stalls == 1
            assert any("the committee disagrees: " in text for text in eco.texts())
    assert broken


def test_bots_in_quarantine_and_suspended_ones_are_not_elected() -> None:
    eco = ecosystem(15)
    eco.gateway.ask("suspend", principal=int(eco.humans.operators[0]), agent=np.arange(5, 10))
    eco.alarm(*range(5))
    eco.view(Name.RESPONDER).ask("quarantine", suspect=np.arange(5))
    propose(eco.coordination, "execute 1", 0)
    eco.run(1)
    assert set(eco.coordination.committee.members.tolist()) <= set(range(10, 15))


def test_where_too_few_are_left_the_committee_is_smaller_or_none() -> None:
    eco = ecosystem(15)
    eco.coordination = coordination.begin(f=6, every=1)
    propose(eco.coordination, "execute 1", 0)
    eco.run(1)
    assert len(eco.coordination.committee.members) == 13
    eco = ecosystem(3)
    propose(eco.coordination, "execute 1", 0)
    eco.run(11)
    assert len(eco.coordination.committee.members) == 0
    assert eco.coordination.stalls == 2


def test_committees_are_elected_anew_every_epoch_by_reputation() -> None:
    eco = ecosystem(60)
    eco.coordination = coordination.begin(f=1, epoch=20, every=10)
    eco.view(Name.TRACKER).ask("score", about=np.arange(30), change=-50)
    eco.view(Name.TRACKER).ask("score", about=np.arange(30), change=-50)
    seen: list[tuple[int, ...]] = []
    for i in range(6):
        propose(eco.coordination, f"execute {i}", eco.tick)
        eco.run(10)
        seen.append(tuple(eco.coordination.committee.members.tolist()))
    assert seen[0] == seen[1] != seen[2] == seen[3] != seen[4]
    assert all(min(committee) >= 30 for committee in seen)  # the others have no reputation


def test_while_it_decides_nothing_else_is_decided() -> None:
    eco = ecosystem(60)
    groups = [list(range(0, 60, 2)), list(range(1, 60, 2))]
    eco.network = Network(partitions=(partition(0, 30_000, 70 + 7, groups),), holds=True)
    eco.coordination = coordination.begin(f=1, every=1, patience=5000)
    propose(eco.coordination, "execute 1", 0)
    eco.run(5)
    tried = eco.coordination.stalls
    assert tried <= 1
    eco.run(40)
    # The partition has healed, or a committee was elected that lies in one part of it.
    assert taken(eco.coordination) == ["execute 1"]
    assert eco.coordination.violations == []


def test_an_emergency_needs_the_committee_first_and_recovery_begins_by_itself() -> None:
    eco = ecosystem(30)
    eco.observed.add("complaints", [3] * 40)
    wish(eco, "emergency", number=40)
    eco.begin_tick()
    eco.agents()
    assert not eco.is_on("in_emergency")  # it is decided, and not known yet
    assert eco.coordination.decisions == 1
    eco.end_tick()
    eco.run(1)
    assert eco.is_on("in_emergency")
    (signal,) = eco.gateway.of_tick("signal")
    assert signal.answers.allowed.tolist() == [True]
    lasted = 0
    for _ in range(60):
        lasted += eco.is_on("in_emergency")
        eco.run(1)
    assert not eco.is_on("in_emergency")
    assert eco.coordination.emergency.held == lasted
    assert f"the emergency is over after {lasted} ticks" in eco.texts()
    kinds = eco.kinds()
    assert kinds.index("consensus") < kinds.index("emergency") < kinds.index("recovered")
    assert eco.coordination.emergency.count == 1
    assert eco.coordination.decisions == 2


def test_the_same_wish_is_decided_once_in_a_while() -> None:
    eco = ecosystem(30)
    eco.coordination = coordination.begin(f=1, every=5)
    seen = []
    for _ in range(66):
        wish(eco, "tighten", level=1)
        eco.run(1)
        seen.append(eco.coordination.decisions)
    assert [tick for tick in range(66) if seen[tick] > (seen[tick - 1] if tick else 0)] == [0, 30, 60]


def test_without_a_quorum_there_is_an_emergency_only_if_a_human_says_so() -> None:
    eco = ecosystem(30, traitors={0: Fault.SILENT, 1: Fault.SILENT})
    eco.humans.median, eco.humans.sigma = 35_000.0, 0.0
    for _ in range(30):
        wish(eco, "emergency", number=40)
        eco.run(1)
    assert not eco.is_on("in_emergency")
    assert eco.coordination.stalls > 1
    assert eco.coordination.decisions == 0
    eco.run(10)
    assert eco.is_on("in_emergency")
    assert "a human declares an emergency" in eco.texts()


def test_a_high_threat_level_is_an_emergency() -> None:
    eco = ecosystem(30)
    wish(eco, "tighten", level=3)
    eco.run(15)
    assert int(eco.gateway.read("threat_level")) == 3
    assert eco.is_on("in_emergency")


def test_it_does_not_end_while_complaints_stay_high() -> None:
    eco = ecosystem(30)
    wish(eco, "emergency", number=40)
    for _ in range(60):
        eco.observed.add("complaints", [3])
        eco.run(1)
    assert eco.is_on("in_emergency")
    eco.run(120)
    assert not eco.is_on("in_emergency")


def test_humans_end_what_the_committee_may_not() -> None:
    eco = ecosystem(30)
    eco.gateway.begin(0)
    wish(eco, "emergency", number=40)
    eco.run(2)
    assert eco.is_on("in_emergency")
    eco.gateway.ask("suspend", principal=int(eco.humans.operators[0]), agent=eco.view(Name.COORDINATION).me)
    eco.run(80)
    assert not eco.is_on("in_emergency")
    assert "a human ends the emergency" in eco.texts()
    assert "recovered" in eco.kinds()


def test_what_is_urgent_comes_first_and_is_not_kept_waiting() -> None:
    eco = ecosystem(30)
    eco.run(1)
    for i in range(coordination.BATCH + 5):
        propose(eco.coordination, f"execute {i}", 1)
    eco.run(2)
    assert eco.coordination.decisions == 0
    wish(eco, "emergency", number=40)
    eco.run(2)
    assert eco.is_on("in_emergency")
    assert eco.coordination.texts == coordination.BATCH
    assert len(taken(eco.coordination)) == coordination.BATCH - 1
    eco.run(10)
    assert taken(eco.coordination) == [f"execute {i}" for i in range(coordination.BATCH - 1, coordination.BATCH + 5)]


def test_nothing_grows_without_bound() -> None:
    eco = ecosystem(30)
    for i in range(coordination.MOST_WAITING + 10):
        propose(eco.coordination, f"execute {i}", 0)
    assert len(eco.coordination.pending) == coordination.MOST_WAITING
    assert eco.coordination.turned_away == 10
    assert not propose(eco.coordination, "one more", 0)


def test_a_snapshot_goes_on_alike() -> None:
    def faults(_: Ids) -> Mapping[int, Fault]:
        return {1: Fault.DELAY}

    one, other = ecosystem(40, network=Network(HIGH)), ecosystem(40, network=Network(HIGH))
    for eco in (one, other):
        eco.traitors = faults(np.zeros(0, dtype=np.int64))
        wish(eco, "emergency", number=40)
        propose(eco.coordination, "execute 1", 0)
        eco.run(1)
    other.coordination = restore(coordination.State, *save(other.coordination))
    assert digest(other.coordination) == digest(one.coordination)
    for eco in (one, other):
        propose(eco.coordination, "execute 2", eco.tick)
        eco.run(60)
    assert digest(other.coordination) == digest(one.coordination)
    assert one.happenings == other.happenings
    assert taken(one.coordination) == taken(other.coordination) == ["execute 1", "execute 2"]


@pytest.mark.parametrize("bad", [{"f": 0}, {"epoch": 0}, {"every": 0}, {"patience": -1}])
def test_numbers_that_make_no_sense_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        coordination.begin(**bad)
