"""The agents that respond, in the twin: what is true of incidents and quarantines in every tick of an attack."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.agents.base import Happening
from simulator.agents.incident_responder_book import Phase
from simulator.engine import Engine, begin
from simulator.scenario import shipped, with_settings

LONGEST = 90
"""Ticks after which an incident is closed, or a human's."""


def engine(seed: int, **changes: object) -> Engine:
    scenario = shipped("security_attack")
    small: dict[str, object] = {"bots": 400, "attack_begins": 40, "committee_faults": 2}
    return begin(scenario.model_copy(update=small | changes), seed)


def every_tick(run: Engine) -> None:
    """What the book says is what the policy says, nothing is forgotten, and quarantines stay within their bound."""
    responder = run.state.team.responder
    assert responder is not None
    book, tick = responder.book, run.tick
    phases = next(e.state["phase"] for e in run.gateway.enforcers if e.state.get("phase") is not None)
    known = np.arange(book.count)
    ours, theirs = book.phase[known], phases[known]
    # A human decides after the responder has acted, who hears of it in the next tick.
    assert ((ours == theirs) | (ours == Phase.ESCALATED) & (theirs == Phase.CLOSED)).all()
    assert sorted(book.live.tolist()) == np.flatnonzero(ours != Phase.CLOSED).tolist()
    assert sorted(book.at_work.values()) == book.live.tolist()
    machine = book.live[book.phase[book.live] != Phase.ESCALATED]
    assert (tick - book.seen[machine] <= LONGEST).all()
    quarantined, by_human = run.gateway.read("quarantined"), run.gateway.read("by_human")
    alone = int(np.count_nonzero(quarantined & ~by_human))
    assert alone == int(run.gateway.read("in_quarantine"))
    assert 3 * alone <= run.who.members + 2  # two auditors count as members
    coordination = run.state.team.coordination
    assert coordination is not None
    # What a committee with too many traitors decides takes no effect.
    assert coordination.stalls >= bool(coordination.violations)


@pytest.mark.parametrize(("seed", "malicious"), [(1, 0.3), (2, 0.45)])
def test_incidents_in_a_run_under_attack(seed: int, malicious: float) -> None:
    run, happenings = engine(seed, malicious=malicious), list[Happening]()
    for _ in range(220):
        happenings += run.step().happenings
        every_tick(run)
    responder, coordination = run.state.team.responder, run.state.team.coordination
    assert responder is not None
    assert coordination is not None
    kinds = {h.kind for h in happenings if h.who == "incident_responder"}
    assert {"contained", "verified"} <= kinds
    assert responder.book.count > 40
    quarantined = run.gateway.read("quarantined")[: run.who.members]
    malicious_ones = run.state.world.malicious
    assert np.count_nonzero(quarantined & malicious_ones) > 0.8 * np.count_nonzero(quarantined)
    assert coordination.decisions > 3


def test_an_invalid_proof_locks_the_twin_until_a_human_lifts_it() -> None:
    changes = ("bots=60", "malicious=0.0", 'sabotage=[{at=95, rule="quarantine_holds"}]')
    run = begin(with_settings(shipped("normal_operation"), changes), 1)
    locked, passed, texts = [], [], list[str]()
    for tick in range(200):
        texts += [h.text for h in run.step().happenings]
        if run.gateway.read("lockdown"):
            locked.append(tick)
        if any(a.answers.allowed.any() for a in run.gateway.of_tick("send")):
            passed.append(tick)
    assert locked
    assert 95 <= locked[0] < 110
    assert locked == list(range(locked[0], locked[-1] + 1))
    # Agents act after bots: what is locked in a tick passes no more in the next.
    assert not set(passed) & set(locked[1:])
    assert passed[-1] > locked[-1]
    assert texts.index("a human lifts the lockdown") < texts.index("the lockdown is over")
