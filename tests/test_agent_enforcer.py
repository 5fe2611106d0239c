"""The Policy Enforcer on the real policies: links, threat levels with hysteresis, and lockdowns on invalid proofs."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.agents import policy_enforcer
from simulator.agents.base import Name, Request
from simulator.snapshot import digest, restore, save
from tests.responding import LINKS, TICK, Ecosystem, ecosystem, sending


def wish(eco: Ecosystem, what: str, number: int = -1, level: int = 0) -> None:
    eco.view(Name.INTELLIGENCE).tell(Name.ENFORCER, Request(what, number, level))


def level(eco: Ecosystem) -> int:
    return int(eco.gateway.read("threat_level"))


def levels(eco: Ecosystem, ticks: int) -> list[int]:
    found = []
    for _ in range(ticks):
        eco.run(1)
        found.append(level(eco))
    return found


def test_links_are_blocked_once_and_pass_no_more() -> None:
    eco = ecosystem()
    eco.sends = sending([1, 2], link=5)
    eco.run(1)
    for number in (5, 5, LINKS, -1):
        wish(eco, "block_link", number=number)
    eco.run(2)
    assert np.flatnonzero(eco.gateway.read("blocked")).tolist() == [5]
    assert eco.enforcer.blocked == 1
    assert not eco.gateway.of_tick("send")[0].answers.allowed.any()
    assert eco.texts().count("link 5 is blocked") == 1
    wish(eco, "unblock_link", number=5)
    eco.run(1)
    assert not eco.gateway.read("blocked").any()


def test_the_level_rises_at_once_and_falls_step_by_step() -> None:
    eco = ecosystem()
    eco.enforcer = policy_enforcer.begin(holds=10, rise=5, fall=4)
    wish(eco, "tighten", level=2)
    found = levels(eco, 25)
    assert found[0] == 2
    told = [h.text for h in eco.happenings if h.who == "policy_enforcer"]
    assert told == [
        "tightened: the threat level is 2, it was 0",
        "relaxed: the threat level is 1, it was 2",
        "relaxed: the threat level is 0, it was 1",
    ]
    assert found[:10] == [2] * 10
    # Four ticks at least stay between one step down and the next.
    assert found[10:15] == [1] * 4 + [0]
    assert set(found[15:]) == {0}


def test_a_level_stays_for_a_while_before_it_rises_again() -> None:
    eco = ecosystem()
    wish(eco, "tighten", level=1)
    eco.run(1)
    wish(eco, "tighten", level=3)
    found = levels(eco, 5)
    assert found == [1] * 4 + [3]


@pytest.mark.parametrize("asked", [4, 99, 10**6])
def test_no_wish_leaves_the_range_that_is_proved(asked: int) -> None:
    eco = ecosystem()
    wish(eco, "tighten", level=asked)
    eco.run(1)
    assert level(eco) == 3
    assert int(eco.gateway.tallies["set_threat_level"][1:].sum()) == 0  # nothing was even denied


def test_tighten_without_a_level_means_one_and_relax_takes_wishes_back() -> None:
    eco = ecosystem()
    eco.enforcer = policy_enforcer.begin(holds=1000, rise=1, fall=2)
    wish(eco, "tighten")
    eco.run(1)
    assert level(eco) == 1
    wish(eco, "tighten", level=3)
    eco.run(1)
    assert level(eco) == 3
    wish(eco, "relax", level=1)
    assert levels(eco, 8) == [3, 2, 2, 1, 1, 1, 1, 1]


def test_flapping_wishes_do_not_make_the_level_flap() -> None:
    eco = ecosystem()
    changes = 0
    before = 0
    for i in range(120):
        wish(eco, "tighten" if i % 2 else "relax", level=1 if i % 2 else 0)
        eco.run(1)
        changes += level(eco) != before
        before = level(eco)
    assert 1 <= changes <= 8


def test_an_invalid_proof_locks_the_gateway_until_a_human_lifts_it() -> None:
    eco = ecosystem()
    eco.sends = sending([1, 2])
    eco.run(5)
    eco.valid = False
    eco.run(6)
    assert eco.is_on("lockdown")
    assert "the gateway is locked down, for a proof is invalid: it is forged" in eco.texts()
    eco.run(1)
    assert not eco.gateway.of_tick("send")[0].answers.allowed.any()
    eco.run(20)
    assert not eco.is_on("lockdown")
    assert eco.valid  # the human has repaired what was wrong
    texts = eco.texts()
    repaired = texts.index("a human puts the policy that was proved back in force")
    assert repaired < texts.index("a human lifts the lockdown") < texts.index("the lockdown is over")
    assert "the proofs are valid again" in texts
    eco.run(20)
    assert eco.enforcer.lockdowns == 1
    assert eco.gateway.of_tick("send")[0].answers.allowed.all()


def test_what_is_not_repaired_is_locked_again() -> None:
    eco = ecosystem()
    eco.repair = lambda: False  # type: ignore[method-assign]
    eco.valid = False
    eco.run(100)
    assert eco.enforcer.lockdowns > 1


def test_without_humans_the_lockdown_ends_by_itself() -> None:
    eco = ecosystem()
    eco.humans.median = 10.0**9
    eco.valid = False
    eco.run(1)
    assert eco.is_on("lockdown")
    eco.valid = True
    eco.run(60_000 // TICK)
    assert eco.is_on("lockdown")
    eco.run(1)
    assert not eco.is_on("lockdown")
    assert "the lockdown is over" in eco.texts()


def test_a_check_is_made_when_somebody_asks_and_else_rarely() -> None:
    eco = ecosystem()
    state = policy_enforcer.begin(every=10)
    for tick in range(30):
        eco.tick = tick
        eco.gateway.begin(tick * TICK)
        if tick == 3:
            wish(eco, "review_proof")
        policy_enforcer.tick(state, eco.view(Name.ENFORCER), eco, eco.fingerprint)
    assert eco.looks == state.checks == 4  # at 0, 3, 13 and 23
    assert (state.faults, state.refuted) == ((), 0)


def test_a_check_is_made_as_soon_as_the_policy_changes() -> None:
    eco = ecosystem()
    eco.enforcer = policy_enforcer.begin(every=1000)
    eco.run(20)
    assert eco.looks == 1
    eco.version, eco.valid = "2", False
    eco.run(1)
    assert eco.looks == 2
    assert eco.is_on("lockdown")


def test_a_skill_that_is_not_what_was_audited_is_audited_anew() -> None:
    eco = ecosystem()
    eco.audits = False
    asked: list[tuple[str, int]] = []
    wish(eco, "audited", number=2)
    eco.bus.requests[Name.ENFORCER.value] = [Request("audited", 1, why="as audited")]
    eco.texts_of = {1: "as audited", 2: "of old"}
    eco.run(25)
    assert [t for t in eco.texts() if t.startswith("skill")] == []
    eco.texts_of = {1: "another one", 2: "of old"}
    for _ in range(25):
        eco.begin_tick()
        policy_enforcer.tick(eco.enforcer, eco.view(Name.ENFORCER), eco, eco.fingerprint)
        asked += [(r.what, r.number) for r in eco.view(Name.AUDITOR).take(Request)]
        eco.end_tick()
    assert eco.texts().count("skill 1 is not what was audited") == 1
    assert asked == [("audit_anew", 1)]
    # What is audited then is what counts from then on.
    eco.bus.requests[Name.ENFORCER.value] = [Request("audited", 1, why="another one")]
    eco.run(25)
    assert sum(t.startswith("skill") for t in eco.texts()) == 1


def test_a_lockdown_that_the_policy_denies_does_not_happen() -> None:
    eco = ecosystem()
    eco.gateway.ask("suspend", principal=int(eco.humans.operators[0]), agent=eco.view(Name.ENFORCER).me)
    eco.valid = False
    eco.run(3)
    assert not eco.is_on("lockdown")
    assert eco.enforcer.lockdowns == 0


def test_a_snapshot_goes_on_alike() -> None:
    one, other = ecosystem(), ecosystem()
    for eco in (one, other):
        wish(eco, "tighten", level=2)
        eco.valid = False
        eco.run(5)
    other.enforcer = restore(policy_enforcer.State, *save(other.enforcer))
    assert digest(other.enforcer) == digest(one.enforcer)
    one.run(90)
    other.run(90)
    assert digest(other.enforcer) == digest(one.enforcer)
    assert one.happenings == other.happenings


@pytest.mark.parametrize("bad", [{"highest": 0}, {"every": 0}, {"holds": 0}, {"rise": -1}, {"fall": 0}])
def test_numbers_that_make_no_sense_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        policy_enforcer.begin(**bad)
