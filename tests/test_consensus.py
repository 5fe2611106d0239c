"""The committee agrees: whatever the schedule is, with up to f traitors of any kind, and it decides when it can."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from simulator.consensus.byzantine import Fault
from simulator.consensus.outcome import Outcome, Submission
from simulator.consensus.run import advance, decide, outcome, submit
from simulator.consensus.signatures import Ed25519Notary
from simulator.consensus.state import Settings, settings_for
from simulator.network import HIGH, LOW, Latency, Network, partition
from simulator.random_streams import Draw
from tests.committees import QUICK, STEADY, Cut, Schedule, play, schedules, start

PATIENCE = 60_000
"""Milliseconds after the last partition healed: far more than view changes through all traitors take."""


def assert_safe(found: Outcome) -> None:
    """Judged from the logs once more, not only by the eye in the run."""
    assert found.violations == ()
    longest = max(found.logs, key=len)
    for log in found.logs:
        assert log == longest[: len(log)]


FOUND = (
    # The window was full, and the checkpoint that moves it was lost.
    Schedule(4, 0, (0,) * 5, Latency(1.0, 100.0, 0.0, 1000.0), (Cut(605, 101, ((2, 3), ())),), False),
    # Proposals that came before their view were decided as it began, and forgotten while they were gone through.
    Schedule(
        7,
        584,
        (132, 201, 211, 225, 227, 253, 1227),
        Latency(1.0, 5.0, 1.5, 1000.0),
        (Cut(100, 245, ((3, 8), (6, 9))), Cut(132, 1823, ((0, 1, 3, 4, 8), (2, 5, 6, 9)))),
    ),
    # Two copies of a vote arrived at the same time, the first of which moved the window.
    Schedule(
        4,
        55,
        (1, 55, 104, 291, 543, 674, 926),
        Latency(1.0, 5.0, 1.5, 1000.0),
        (Cut(72, 175, ((0, 2, 3), (4, 5, 6))), Cut(72, 175, ((2, 3), (4, 5, 6)))),
        holds=False,
        duplicates=0.2,
    ),
)


@example(FOUND[0])
@example(FOUND[1])
@example(FOUND[2])
@given(schedules())
@settings(max_examples=60, deadline=None)
def test_correct_members_agree_and_decide_once_the_network_heals(schedule: Schedule) -> None:
    found = play(schedule, until=schedule.healed + PATIENCE)
    note(str(found))
    assert_safe(found)
    assert found.is_live
    for decision in found.decisions:
        assert decision.first is not None
        assert decision.certain is not None
        assert decision.everywhere is not None
        assert decision.submitted < decision.first <= decision.certain <= decision.everywhere <= found.time


@pytest.mark.slow
@given(schedules())
@settings(max_examples=2000, deadline=None)
def test_correct_members_agree_in_many_schedules(schedule: Schedule) -> None:
    found = play(schedule, until=schedule.healed + PATIENCE)
    assert_safe(found)
    assert found.is_live


@given(schedules(), st.integers(0, 3000))
@settings(max_examples=15, deadline=None)
def test_runs_are_bit_equal_and_beginnings_of_each_other(schedule: Schedule, until: int) -> None:
    whole = play(schedule, until=5000)
    assert play(schedule, until=5000) == whole
    part = play(schedule, until=until)
    assert_safe(part)
    for log, short in zip(whole.logs, part.logs):
        assert short == log[: len(short)]


def whichever_way(schedule: Schedule, piled: bool, settings: Settings = QUICK, pause: int = 0) -> Outcome:
    run = start(schedule, settings)
    run.piled = piled
    advance(run, pause)
    run = pickle.loads(pickle.dumps(run))
    advance(run, 20_000)
    assert bool(run.piles) is piled
    return outcome(run)


@example(FOUND[0], 0)
@example(FOUND[1], 0)
@example(FOUND[2], 0)
@given(schedules(), st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_votes_on_piles_lead_to_the_same_run(schedule: Schedule, pause: int) -> None:
    assert whichever_way(schedule, True, pause=pause) == whichever_way(schedule, False)


@pytest.mark.slow
@given(schedules(), st.integers(0, 3000))
@settings(max_examples=2000, deadline=None)
def test_votes_on_piles_lead_to_the_same_run_in_many_schedules(schedule: Schedule, pause: int) -> None:
    assert whichever_way(schedule, True, pause=pause) == whichever_way(schedule, False)


@pytest.mark.parametrize("fault", [None, *Fault])
def test_large_committees_have_piles(fault: Fault | None) -> None:
    faults = tuple((m, fault) for m in range(0, 33, 3)) if fault else ()
    schedule = Schedule(34, 5, (0, 10, 500), LOW, faults=faults)
    assert start(schedule).piled
    found = whichever_way(schedule, True, settings_for(LOW))
    assert found == whichever_way(schedule, False, settings_for(LOW))
    assert found.is_live


@pytest.mark.parametrize("n", [4, 7, 16, 64])
@pytest.mark.parametrize("requests", [1, 3])
def test_the_good_case_costs_what_the_paper_says(n: int, requests: int) -> None:
    found = play(Schedule(n, 1, (0,) * requests, STEADY), Settings())
    assert_safe(found)
    assert found.messages == {
        "Request": requests * n,
        "PrePrepare": requests * (n - 1),
        "Prepare": requests * (n - 1) ** 2,
        "Commit": requests * n * (n - 1),
    }
    # The request, then three phases, of 10 ms each.
    assert [(d.first, d.everywhere) for d in found.decisions] == [(40, 40)] * requests
    assert set(found.views) == {0}


def test_a_committee_of_256_decides() -> None:
    found = play(Schedule(256, 1, (0,), LOW), Settings())
    assert found.is_live
    assert_safe(found)
    assert sum(found.messages.values()) == 256 + 2 * 256 * 255


def test_checkpoints_are_all_to_all_and_let_the_log_grow_past_the_window() -> None:
    times = tuple(100 * i for i in range(20))
    found = play(Schedule(4, 1, times, STEADY), QUICK)
    assert found.is_live
    assert len(found.logs[0]) == 20
    assert found.messages["Checkpoint"] == 10 * 4 * 3
    assert found.messages["Commit"] == 20 * 4 * 3


def test_more_requests_than_the_window_are_decided_in_turn() -> None:
    found = play(Schedule(4, 1, (0,) * 15, STEADY), QUICK)
    assert found.is_live
    assert_safe(found)
    assert set(found.views) == {0}
    assert [r.number for r in found.logs[0]] == list(range(15))


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("leads", [True, False])
@pytest.mark.parametrize("n", [4, 7, 13])
def test_f_traitors_of_each_kind_do_no_harm(fault: Fault, leads: bool, n: int) -> None:
    f = (n - 1) // 3
    members = range(f) if leads else range(n - f, n)
    schedule = Schedule(n, 3, (0, 5, 400, 900), faults=tuple((m, fault) for m in members))
    found = play(schedule, Settings(timeout=200, resend=100), until=60_000)
    assert_safe(found)
    assert found.is_live
    if fault is Fault.SILENT and leads:
        # Every silent leader is given up, one after the other, and none of the others.
        assert {found.views[m] for m in range(f, n)} == {f}


@pytest.mark.parametrize("n", [4, 7, 13, 31])
def test_one_traitor_too_many_breaks_agreement(n: int) -> None:
    """The check of safety can fail: the leader shows two faces, and its allies vote for both."""
    f = (n - 1) // 3
    schedule = Schedule(n, 3, (0,), STEADY, faults=tuple((m, Fault.EQUIVOCATE) for m in range(f + 1)))
    found = play(schedule, until=5000)
    assert any(v.startswith("agreement") for v in found.violations)
    assert len({log[0] for log in found.logs if log}) == 2
    with pytest.raises(AssertionError):
        assert_safe(found)


def test_more_than_f_silent_members_stop_the_committee_but_do_not_break_it() -> None:
    found = play(Schedule(4, 3, (0,), faults=((1, Fault.SILENT), (2, Fault.SILENT))), until=20_000)
    assert_safe(found)
    assert not found.is_live
    assert found.logs == ((), (), (), ())
    assert found.time == 20_000


@pytest.mark.parametrize("holds", [True, False])
def test_no_quorum_no_decision_until_the_partition_heals(holds: bool) -> None:
    schedule = Schedule(4, 5, (100,), cuts=(Cut(0, 4000, ((0, 1), (2, 3))),), holds=holds)
    found = play(schedule, until=60_000)
    assert_safe(found)
    first = found.decisions[0].first
    assert first is not None
    assert first > 4000
    assert found.is_live


@pytest.mark.parametrize("holds", [True, False])
def test_a_majority_goes_on_and_who_was_cut_off_learns_all(holds: bool) -> None:
    """So many decisions that the others have forgotten the messages: the state at a checkpoint has to be sent."""
    times = (*range(0, 3000, 100), 6000)
    schedule = Schedule(4, 5, times, cuts=(Cut(0, 5000, ((3,),)),), holds=holds)
    found = play(schedule, until=60_000)
    assert_safe(found)
    assert found.is_live
    early = [d for d in found.decisions if d.submitted < 3000]
    assert all(d.certain is not None and d.certain < d.submitted + 200 for d in early)
    assert all(d.everywhere is not None and d.everywhere > 5000 for d in early)
    assert holds or found.messages["State"] > 0


def test_a_leader_that_is_cut_off_is_replaced() -> None:
    found = play(Schedule(4, 5, (100, 3000), cuts=(Cut(0, 4000, ((0,),)),), holds=False), until=60_000)
    assert_safe(found)
    assert found.is_live
    assert min(found.views) >= 1
    assert found.decisions[0].certain is not None
    assert found.decisions[0].certain < 2000


def test_losses_cost_time_alone() -> None:
    found = play(Schedule(7, 9, (0, 10, 500), loss=0.3, duplicates=0.3), until=60_000)
    assert_safe(found)
    assert found.is_live


def test_real_signatures_lead_to_the_same_run() -> None:
    for faults in ((), ((0, Fault.LIE),), ((0, Fault.EQUIVOCATE),), ((1, Fault.SILENT),)):
        schedule = Schedule(4, 2, (0, 30), faults=faults)
        assert play(schedule, notary=Ed25519Notary(1)) == play(schedule)


def test_a_partition_is_of_bots_not_of_places_in_the_committee() -> None:
    bots = [40, 7, 99, 12]
    draw = Draw(1, 0, 0, "committee")
    for groups, cut in (([[40, 7], [99, 12]], True), ([[0, 1], [2, 3]], False)):
        network = Network(STEADY, partitions=(partition(0, 1000, 100, groups),))
        found = decide(bots, network, draw, [Submission(0, 50, "x")], until=900)
        assert found.is_live is not cut


def test_patience_suits_the_network() -> None:
    for latency in (LOW, HIGH):
        found = play(Schedule(16, 4, tuple(range(0, 20_000, 2000)), latency), settings_for(latency))
        assert found.is_live
        assert set(found.views) == {0}
        assert "Status" not in found.messages


@pytest.mark.parametrize("nodes", [[], [1], [0, 1, 2], [0, 1, 2, 3, 4], [0, 1, 2, 2]])
def test_what_is_no_committee_is_refused(nodes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"3f\+1 different members"):
        decide(nodes, Network(), Draw(1, 0, 0, "c"), [])
    with pytest.raises(ValueError, match="a traitor is not a member"):
        decide(range(4), Network(), Draw(1, 0, 0, "c"), [], faults={4: Fault.SILENT})
    with pytest.raises(ValueError, match="settings"):
        Settings(interval=8, window=4)


@given(schedules(), st.integers(0, 3000), st.integers(0, 3000))
@settings(max_examples=15, deadline=None)
def test_a_run_can_be_interrupted_and_saved(schedule: Schedule, one: int, two: int) -> None:
    whole = play(schedule, until=6000)
    run = start(schedule)
    for pause in sorted((one, two)):
        advance(run, pause)
        run = pickle.loads(pickle.dumps(run))
    advance(run, 6000)
    assert outcome(run) == whole


def test_requests_can_come_while_it_runs() -> None:
    run = start(Schedule(4, 1, ()))
    for i in range(5):
        submit(run, Submission(1000 * i + 1, 5, f"later {i}"))
        advance(run, 1000 * (i + 1))
        assert outcome(run).is_live
    assert [r.value for r in outcome(run).logs[2]] == [f"later {i}" for i in range(5)]
    with pytest.raises(ValueError, match="too late"):
        submit(run, Submission(0, 5, "too late"))
    assert len(outcome(run).decisions) == 5


def test_numbers_of_numpy_are_numbers() -> None:
    bots = np.array([40, 7, 99, 12])
    draw, network = Draw(1, 0, 0, "committee"), Network(LOW, partitions=(partition(0, 90, 100, [[7]]),))
    faults = {0: Fault.EQUIVOCATE}
    asked = [Submission(np.int64(0), np.int64(3), "x")]  # type: ignore[arg-type]
    found = decide(bots, network, draw, asked, faults=faults)  # type: ignore[arg-type]
    assert found == decide(bots.tolist(), network, draw, [Submission(0, 3, "x")], faults=faults)
    assert type(found.decisions[0].request.client) is int
