"""The Reputation Tracker: who deserves what, trust that rings cannot make, and roots that can be checked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.scores import Statement, check
from simulator.agents.base import Name
from simulator.agents.reputation_tracker import MIDDLE, PROFILES, Tracker, deserves, scores_of
from simulator.agents.trust import ANCHOR, eigen_trust, standing
from simulator.observe import FADE, HALF_LIFE, Observed, observed
from simulator.scenario import Mix
from tests.twins import course


def busy(bots: int) -> Observed:
    """Everybody does much the same, and all goes well."""
    found = observed(bots, 0, 0)
    everybody = np.arange(bots)
    for name in ("messages", "votes", "signals"):
        found.add(name, everybody, np.full(bots, 10.0))
    asker = np.repeat(everybody, 8)
    found.dealings.add(asker, (asker + np.tile(np.arange(1, 9), bots)) % bots, np.ones(8 * bots, np.bool_))
    return found


ONLY_SPAM = ("mix.spammer=1.0", *(f"mix.{k}=0.0" for k in Mix.model_fields if k != "spammer"))


def test_profiles_are_shares_of_100() -> None:
    assert PROFILES == {"strict": (70, 20, 10, 0), "balanced": (40, 30, 20, 10)}
    assert {sum(w) for w in PROFILES.values()} == {100}


@pytest.mark.parametrize("profile", PROFILES)
def test_who_is_complained_about_deserves_less(profile: str) -> None:
    seen = busy(100)
    before = deserves(Tracker(profile), seen, 500, 100)
    seen.add("complaints", [7, 7, 7, 8])
    after = deserves(Tracker(profile), seen, 500, 100)
    assert before[7] - after[7] > before[8] - after[8] > 0
    assert (after[9:] == before[9:]).all()
    assert before.min() >= 0
    assert before.max() <= 1000


def test_security_counts_most_in_the_strict_profile() -> None:
    seen = busy(100)
    seen.add("complaints", [7] * 9)
    lost = {p: deserves(Tracker(p), busy(100), 500, 100)[7] - deserves(Tracker(p), seen, 500, 100)[7] for p in PROFILES}
    assert lost["strict"] > lost["balanced"] > 0


def test_newcomers_do_not_come_far() -> None:
    seen = busy(100)
    seen.joined[5] = 480
    found = deserves(Tracker(), seen, 500, 100)
    assert found[5] == MIDDLE < found[6]


def test_what_others_hold_against_a_bot() -> None:
    lost = deserves(Tracker(), busy(100), 500, 100) - deserves(Tracker(held_against={3: 50.0}), busy(100), 500, 100)
    # Half of the security is 200 of 1000 points, and then it is below what is clean.
    assert lost[3] > 200
    assert not np.delete(lost, 3).any()


def test_a_ring_that_praises_itself_gains_nothing() -> None:
    """Trust comes from outside: twenty bots that serve each other a thousand times, and nobody else once."""
    asker, asked = np.divmod(np.arange(80 * 10), 10)
    asked = (asker + asked + 1) % 80
    ring = np.repeat(np.arange(80, 100), 50)
    partner = 80 + (ring - 80 + 1 + np.tile(np.arange(50), 20) % 19) % 20
    good = np.ones(len(asker) + len(ring), np.bool_)
    trust = eigen_trust(100, np.concatenate([asker, ring]), np.concatenate([asked, partner]), good, np.arange(5))
    assert trust.sum() == pytest.approx(1.0)
    assert trust[80:].sum() < 0.01
    assert trust[5:80].min() > 0


def test_bad_dealings_take_trust_away() -> None:
    asker = np.repeat(np.arange(50), 10)
    asked = (asker + np.tile(np.arange(1, 11), 50)) % 50
    good = asked != 13
    trust = eigen_trust(50, asker, asked, good, np.array([0]))
    assert trust[13] == 0 < np.delete(trust, 13).min()


def test_without_dealings_there_is_trust_beforehand_alone() -> None:
    none = np.zeros(0, np.int64)
    assert eigen_trust(4, none, none, none, np.array([1, 3])).tolist() == [0, 0.5, 0, 0.5]
    lonely = eigen_trust(3, np.array([0]), np.array([1]), np.array([True]), np.array([0]))
    assert lonely[0] > ANCHOR
    assert lonely[2] == 0


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_standing_is_an_order(values: list[float]) -> None:
    found = standing(np.array(values))
    assert found.min() >= 0
    assert found.max() <= 1
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert len(set(found.tolist())) == len(set(values))


def test_a_root_shows_what_each_bot_has() -> None:
    scores = np.array([100, 250, 0, 999, 7])
    found = scores_of(scores, 2)
    for bot, score in [("3", 999), ("5", None)]:
        assert check(found.prove(bot), found.root) == Statement(2, bot, score)
    assert scores_of(scores[::-1], 2).root != found.root


def test_the_roots_of_a_run_are_of_its_reputations() -> None:
    run = course("security_attack")
    tracker = run.engine.state.team.tracker
    assert tracker is not None
    assert len(tracker.scores) == run.engine.state.world.members
    assert tracker.roots[-1] == scores_of(tracker.scores, len(tracker.roots)).root.hex()
    assert run.engine.reputation() == {
        "format": "policyctl.reputation/1",
        "epoch": len(tracker.roots),
        "scores": {str(bot): score for bot, score in enumerate(tracker.scores.tolist())},
        "roots": tracker.roots,
    }


def test_reputations_tell_attackers_from_others() -> None:
    run = course("security_attack")
    tracker = run.engine.state.team.tracker
    assert tracker is not None
    assert len(tracker.roots) == run.engine.scenario.ticks // tracker.epoch - 1
    last = [t.measures["reputation_auc"] for t in run.ticks if not np.isnan(t.measures["reputation_auc"])]
    assert last[0] == pytest.approx(0.5, abs=0.01)
    assert last[-1] > 0.85


def test_nobody_s_reputation_moves_without_a_request() -> None:
    run = course("security_attack")
    moves = [a for _, a in run.asked if a.action == "score"]
    me = run.engine.who.agent(Name.TRACKER)
    assert moves
    assert {int(a.columns["principal"]) for a in moves} == {me}
    assert all(np.abs(a.column("change")).max() <= 50 for a in moves if a.size)


def test_half_of_what_was_seen_is_forgotten_after_a_half_life() -> None:
    seen = observed(1, 0, 0)
    seen.add("messages", [0, 0])
    for _ in range(int(HALF_LIFE)):
        seen.fade()
    assert seen.rate("messages")[0] == pytest.approx(1.0)
    assert pytest.approx(0.5) == FADE**HALF_LIFE


def test_dealings_are_a_ring() -> None:
    seen = observed(2, 0, 0).dealings
    room = len(seen.asker)
    for first in range(0, 3 * room, 7):
        numbers = np.arange(first, first + 7)
        seen.add(numbers % 2, numbers, numbers % 3 == 0)
    asker, asked, good = seen.known()
    latest = np.arange(seen.written - room, seen.written)
    assert sorted(asked.tolist()) == latest.tolist()
    assert (asker == asked % 2).all()
    assert (good == (asked % 3 == 0)).all()
    seen.add(np.arange(5 * room), np.arange(5 * room), np.ones(5 * room, np.bool_))
    assert sorted(seen.known()[1].tolist()) == list(range(4 * room, 5 * room))


def test_the_policy_enforcer_hears_when_many_lose_their_good_name() -> None:
    """From the Reputation Tracker alone: nobody else is there to tell it."""
    agents = 'agents=["reputation_tracker", "policy_enforcer"]'
    levels = {}
    for attackers in (0.0, 0.3):
        run = course("normal_operation", f"malicious={attackers}", *ONLY_SPAM, agents)
        levels[attackers] = max(t.measures["threat_level"] for t in run.ticks)
    assert levels == {0.0: 0, 0.3: 2}
