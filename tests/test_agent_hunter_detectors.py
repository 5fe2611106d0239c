"""What the Threat Hunter is made of: each detector does what it says, as a plain version of it does."""

from __future__ import annotations

import re
from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator import snapshot
from simulator.agents import (
    detectors,
    detectors_cohorts,
    detectors_forest,
    detectors_lockstep,
    detectors_pardons,
    detectors_shift,
    detectors_things,
    detectors_votes,
    patterns,
)
from simulator.agents.base import Subject
from simulator.agents.detectors import EVENT, ROW, ROWS
from simulator.agents.detectors_votes import ALIKE, ALWAYS, SLOTS, SUSPECT
from simulator.agents.patterns import OF_THINGS, SEEN, Pattern, PatternError, Patterns
from simulator.observe import FADE
from simulator.random_streams import Draw


def faded_counts(rate: float, n: int, ticks: int = 300) -> Any:
    found = np.zeros(n)
    for tick in range(ticks):
        found = found * FADE + np.random.default_rng(tick).poisson(rate, n)
    return found


def test_the_root_of_a_faded_count_varies_as_said() -> None:
    for rate in (0.3, 2.0):
        assert np.std(np.sqrt(faded_counts(rate, 4000))) == pytest.approx(EVENT, rel=0.1)


def rates_of(n: int) -> Any:
    rates = np.zeros((len(ROWS), n))
    rates[ROW["messages"]] = faded_counts(0.3, n)
    rates[ROW["complaints"]] = faded_counts(0.003, n)
    return rates


def test_distances_are_those_of_the_median_and_the_median_deviation() -> None:
    rates = rates_of(501)
    peers = detectors.look(rates, 7)
    roots = np.sqrt(rates[ROW["messages"]])
    middle = np.median(roots)
    deviation = max(1.4826 * np.median(np.abs(roots - middle)), EVENT)
    assert peers.tick == 7
    assert np.allclose(detectors.beyond_peers(peers, rates)[ROW["messages"]], (roots - middle) / deviation)


def test_a_third_of_attackers_does_not_hide_itself() -> None:
    rates = rates_of(900)
    rates[ROW["complaints"], :300] += 10.0
    peers = detectors.look(rates, 0)
    complaints = [e.of for e in detectors.EXCESSES].index("complaints")
    assert peers.share[complaints] < 0.05
    beyond = detectors.beyond_share(peers, rates)[complaints]
    assert beyond[:300].min() > 4.0
    assert np.quantile(beyond[300:], 0.99) < 3.0


def test_two_fifths_of_attackers_do_not_make_it_usual_what_they_do() -> None:
    rates = rates_of(1000)
    rates[ROW["failures"]] = 0.0
    rates[ROW["failures"], :400] = np.random.default_rng(2).poisson(1.5, 400)
    peers = detectors.look(rates, 0)
    failures = [e.of for e in detectors.EXCESSES].index("failures")
    assert peers.share[failures] < 0.005


def test_who_passes_no_gate_is_not_far() -> None:
    rates = rates_of(900)
    peers = detectors.look(rates, 0)
    beyond = detectors.beyond_peers(peers, rates)[ROW["messages"]]
    assert ((beyond > detectors.FAR) == (rates[ROW["messages"]] > peers.gates[ROW["messages"]])).all()


def test_nobody_is_strange_where_nothing_happens() -> None:
    peers = detectors.look(np.zeros((len(ROWS), 30)), 0)
    one = np.zeros((len(ROWS), 1))
    assert (detectors.beyond_peers(peers, one) == 0).all()
    assert (detectors.beyond_share(peers, one) <= 0).all()
    one[:] = 1.0
    assert detectors.beyond_peers(peers, one).max() < detectors.FAR


def test_forests_say_what_scikit_learn_says() -> None:
    from sklearn.ensemble import IsolationForest

    rng = np.random.default_rng(1)
    sample = rng.gamma(2.0, 1.0, (1000, 6)).astype(np.float32)
    rows = np.concatenate([sample[:100], rng.gamma(9.0, 2.0, (30, 6)).astype(np.float32)])
    forest = detectors_forest.Forest()
    detectors_forest.train(forest, sample, 11)
    alone = detectors_forest.alone(forest, rows)
    model = IsolationForest(n_estimators=detectors_forest.TREES, max_samples=256, random_state=11).fit(sample)
    assert forest.trees is not None
    mine = 2.0 ** (-detectors_forest.lengths(forest.trees, rows) / detectors_forest.unsuccessful(256))
    # Harmonic numbers are exact here, and approximated there.
    assert np.allclose(mine, -model.score_samples(rows), atol=4e-3)
    assert alone[100:].min() > alone[:100].mean()
    assert alone.min() >= 0.0
    assert alone.max() <= 1.0


def test_a_forest_of_nothing_says_nothing() -> None:
    rows = np.ones((3, 4), dtype=np.float32)
    assert detectors_forest.alone(detectors_forest.Forest(), rows).tolist() == [0.0, 0.0, 0.0]
    forest = detectors_forest.Forest()
    detectors_forest.train(forest, rows, 1)
    assert detectors_forest.alone(forest, rows).tolist() == [0.0, 0.0, 0.0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=60))
def test_shifts_are_those_of_a_sum_that_is_kept_tick_by_tick(new: list[int]) -> None:
    shift = detectors_shift.Shift()
    detectors_shift.grow(shift, 1)
    count, total, past = 0.0, 0.0, 0.0
    for tick, k in enumerate(new):
        count = count * FADE + k
        detectors_shift.hear(shift, tick, np.array([count]))
        # The same, one tick after the other.
        own = rate(past)
        if tick:
            past *= detectors_shift.SLOW
            own = rate(past)
        if k:
            total = max(total, 0.0) + k * log(1 + rise(own) / own)
            past += k
        at_event = detectors_shift.evidence(shift, tick, np.array([0]))[0]
        assert at_event >= 0.0
        if k:
            # Just after an event what fell in between is known exactly.
            assert at_event == pytest.approx(total, abs=0.5 * (1 + tick * 0.01))
            total = float(at_event)
        else:
            total = max(0.0, total - rise(own))


def rate(past: float) -> float:
    s = detectors_shift
    return float((past * (1.0 - s.SLOW) * 433.0 + s.USUAL * s.KNOWN) / (433.0 + s.KNOWN))


def rise(own: float) -> float:
    return (detectors_shift.RISEN - 1.0) * own + detectors_shift.LEAST


def test_a_shift_is_seen_and_an_even_rate_is_none() -> None:
    n = 400
    shift = detectors_shift.Shift()
    detectors_shift.grow(shift, n)
    count = np.zeros(n)
    for tick in range(500):
        chance = np.full(n, 0.01)
        if tick >= 400:
            chance[:50] = 0.2
        count = count * FADE + (Draw(1, 0, tick, "c").uniform(np.arange(n)) < chance)
        detectors_shift.hear(shift, tick, count)
    found = detectors_shift.evidence(shift, 499, np.arange(n))
    assert np.count_nonzero(found[:50] > 10.0) >= 45
    assert np.count_nonzero(found[50:] > 10.0) == 0
    detectors_shift.forget(shift, np.arange(n))
    assert (detectors_shift.evidence(shift, 499, np.arange(n)) == 0).all()


def voting(n: int, proposals: int, agreed: Any, rng: Any) -> detectors_votes.Votes:
    """Everybody votes on everything, wrongly with one chance in five; those who agreed vote against what is right."""
    votes = detectors_votes.Votes()
    detectors_votes.grow(votes, n)
    for p in range(proposals):
        support = rng.random(n) < 0.8
        support[agreed] = False
        detectors_votes.remember(votes, p, np.arange(n), np.full(n, p), support)
    return votes


def test_who_is_always_in_the_minority_is_found_with_his_partners() -> None:
    agreed = np.array([3, 30, 33])
    votes = voting(200, 16, agreed, np.random.default_rng(2))
    bots, evidence = detectors_votes.dissenters(votes, 200)
    assert bots.tolist() == agreed.tolist()
    # Each of them adds the logarithm of how much more likely that is than by chance.
    assert evidence == pytest.approx(16 * log(ALWAYS / 0.21), rel=0.1)
    together = detectors_votes.partners(votes, np.array([3, 5, 30, 33, 60]))
    assert together == {3: [30, 33], 30: [3, 33], 33: [3, 30]}
    detectors_votes.forgive(votes, np.array([3]))
    assert detectors_votes.dissenters(votes, 200)[0].tolist() == [30, 33]


def test_what_others_want_is_told_by_those_who_vote_no_more_than_usual() -> None:
    ring = np.arange(120)
    votes = voting(200, 2 * SLOTS, ring, np.random.default_rng(8))
    # They are most of the voters, so everybody else seems to dissent.
    assert not np.isin(ring, detectors_votes.dissenters(votes, 200)[0]).any()
    votes = detectors_votes.Votes()
    detectors_votes.grow(votes, 200)
    votes.eager[ring] = True
    rng = np.random.default_rng(8)
    for p in range(2 * SLOTS):
        detectors_votes.remember(votes, p, np.arange(200), np.full(200, p), (rng.random(200) < 0.8) & ~votes.eager)
    bots, evidence = detectors_votes.dissenters(votes, 200)
    assert bots.tolist() == ring.tolist()
    # Half of it is of proposals that gave way to others, and counted as they did.
    assert evidence.min() == pytest.approx(2 * SLOTS * log(ALWAYS / 0.2), rel=0.15)


def test_evidence_outlives_the_proposals_that_gave_it() -> None:
    votes = voting(200, 3 * SLOTS, np.array([3]), np.random.default_rng(2))
    bots, evidence = detectors_votes.dissenters(votes, 200)
    assert bots.tolist() == [3]
    assert evidence[0] == pytest.approx(3 * SLOTS * log(ALWAYS / 0.2), rel=0.15)
    assert votes.past[np.arange(200) != 3].max() < SUSPECT * detectors_votes.UNIT


def test_who_votes_in_step_is_found_even_if_he_is_the_majority() -> None:
    rng = np.random.default_rng(5)
    n, ring = 100, np.arange(60)
    votes = detectors_votes.Votes()
    detectors_votes.grow(votes, n)
    for p in range(12):
        support = rng.random(n) < 0.8
        # The ring wants what others do not want.
        support[ring] = False
        voters = np.concatenate([ring, 60 + np.flatnonzero(rng.random(40) < 0.5)])
        detectors_votes.remember(votes, p, voters, np.full(voters.size, p), support[voters])
    bots, twins, lift = detectors_lockstep.alike(votes, n)
    assert set(ring.tolist()) <= set(bots.tolist())
    found = dict(zip(bots.tolist(), zip(twins.tolist(), lift.tolist())))
    assert all(found[b][0] >= 59.0 and found[b][1] > 100.0 for b in ring.tolist())
    # Who is right all the time is not in step with those who are right as well, but of one mind.
    assert all(found[b][1] < 100.0 for b in bots.tolist() if b >= 60)


def test_those_who_judge_by_themselves_are_not_in_step() -> None:
    rng = np.random.default_rng(7)
    votes = detectors_votes.Votes()
    detectors_votes.grow(votes, 400)
    for p in range(20):
        voters = np.flatnonzero(rng.random(400) < 0.6)
        detectors_votes.remember(votes, p, voters, np.full(voters.size, p), rng.random(voters.size) < 0.8)
    _, _, lift = detectors_lockstep.alike(votes, 400)
    assert lift.size == 0 or lift.max() <= 3.0


def test_chance_makes_no_partners() -> None:
    votes = voting(200, SLOTS, np.array([], dtype=np.int64), np.random.default_rng(3))
    assert detectors_votes.partners(votes, np.arange(200)) == {}
    assert detectors_votes.dissenters(votes, 200)[0].size == 0
    assert ALIKE < SUSPECT


def test_old_votes_on_a_new_proposal_and_new_ones_on_an_old() -> None:
    votes = detectors_votes.Votes()
    detectors_votes.grow(votes, 3)
    detectors_votes.remember(votes, 1, [0, 1], [5, 5], [True, False])
    # A vote on a proposal that gave way to another is too late.
    detectors_votes.remember(votes, 2, [2], [5 + SLOTS], [True])
    detectors_votes.remember(votes, 3, [0], [5], [True])
    assert votes.proposal[5] == 5 + SLOTS
    assert votes.voted.tolist() == [0, 0, 1 << 5]
    # But where nobody has voted for long, numbers begin again.
    detectors_votes.remember(votes, 400, [1], [5], [True])
    assert (votes.proposal[5], votes.voted.tolist()) == (5, [0, 1 << 5, 0])
    # Who changes his mind has one vote.
    detectors_votes.remember(votes, 401, [1], [5], [False])
    assert (votes.voted[1], votes.yes[1]) == (1 << 5, 0)


def test_cohorts_are_beyond_chance() -> None:
    joined = np.concatenate([np.zeros(100, dtype=np.int64), 1 + 4 * np.arange(50), np.full(20, 90)])
    cohorts = detectors_cohorts.Cohorts()
    detectors_cohorts.grow(cohorts, joined.size)
    detectors_cohorts.look(cohorts, joined)
    assert (cohorts.beyond[:100] == 0).all()
    assert cohorts.beyond[100:150].max() < cohorts.beyond[150:].min()
    assert cohorts.beyond[150:].min() > 5.0
    assert stats.poisson.sf(19, 7 / 4) < 1e-10
    allowed = np.array([True, True, False])
    detectors_cohorts.watch(cohorts, joined, np.array([150, 150, 151]), np.array([151, 3, 152]), allowed)
    share, lift, _, _ = detectors_cohorts.inside(cohorts, np.array([150, 151]), np.array([2.0, 2.0]), joined.size)
    assert share.tolist() == [0.25, 0.0]
    assert lift[0] > lift[1]
    # Who joined first did not join together with those who were there.
    detectors_cohorts.watch(cohorts, joined, np.array([100]), np.array([3]), np.array([True]))
    assert cohorts.inner[100] == 0.0


def test_circles_are_messages_to_the_loud_that_were_allowed_and_they_fade() -> None:
    cohorts = detectors_cohorts.Cohorts()
    detectors_cohorts.grow(cohorts, 4)
    cohorts.loud[[1, 2]] = True
    joined, senders, recipients = np.zeros(4, dtype=np.int64), np.array([1, 1, 1, 0]), np.array([2, 3, 2, 1])
    allowed = np.array([True, True, False, True])
    for _ in range(2):
        detectors_cohorts.watch(cohorts, joined, senders, recipients, allowed)
    assert cohorts.circle.tolist() == pytest.approx([1 + FADE, 1 + FADE, 0.0, 0.0])
    _, _, circle, lift = detectors_cohorts.inside(cohorts, np.array([0, 1]), np.array([2.0, 4.0]), 4)
    assert circle.tolist() == pytest.approx([(1 + FADE) / 4, (1 + FADE) / 6])
    assert lift.tolist() == pytest.approx([(1 + FADE) / 4 / 0.55, (1 + FADE) / 6 / 0.55])


def test_pardons_take_off_what_was_and_leave_what_comes() -> None:
    rates = np.full((len(ROWS), 2), 8.0)
    pardons = detectors_pardons.pardon(detectors_pardons.Pardons(), 100, np.array([9, 4]), rates)
    later = np.full((len(ROWS), 3), 8.0 * FADE**20 + 1.0)
    detectors_pardons.take_off(pardons, 120, np.array([4, 5, 9]), later)
    assert later[0] == pytest.approx([1.0, 8.0 * FADE**20 + 1.0, 1.0])
    again = detectors_pardons.pardon(pardons, 310, np.array([5]), rates[:, :1])
    assert again.bots.tolist() == [5]
    assert snapshot.restore(detectors_pardons.Pardons, *snapshot.save(again)).bots.tolist() == [5]


def test_things_forget_as_slowly_as_they_are_told_to() -> None:
    fast, slow = detectors_things.Things(), detectors_things.Things()
    uses, complaints = np.zeros(1), np.zeros(1)
    for things in (fast, slow):
        detectors_things.grow(things, 1)
    for tick in range(100):
        uses, complaints = uses * FADE + 1, complaints * FADE + (tick % 10 == 0)
        detectors_things.hear(fast, uses, complaints, FADE)
        detectors_things.hear(slow, uses, complaints, 1.0)
    assert (fast.uses[0], fast.complaints[0]) == pytest.approx((uses[0], complaints[0]))
    assert (slow.uses[0], slow.complaints[0]) == (100.0, 10.0)


def test_the_patterns_that_ship_are_sound_and_cover_what_there_is() -> None:
    shipped = patterns.shipped()
    assert {p.kind for p in shipped.pattern} == set(patterns.KINDS)
    for subject in Subject:
        table = patterns.shipped_table(subject)
        assert table.patterns
        nothing = np.zeros((len(SEEN[subject]), 1))
        assert (patterns.match(table, nothing) == 0).all()
        everything = np.full((len(SEEN[subject]), 1), 1e6)
        assert (patterns.match(table, everything) == 1).all()


def plain(pattern: Pattern, seen: dict[str, float]) -> float:
    def holds(c: Any) -> float:
        return min(1.0, max(0.0, (seen[c.see] - c.low) / (c.high - c.low)))

    found = min(holds(c) for c in pattern.all)
    if pattern.any:
        found *= pattern.alone + (1 - pattern.alone) * max(holds(c) for c in pattern.any)
    return found


values = st.floats(-20, 20, allow_nan=False, width=32)
conditions = st.builds(
    lambda see, low, high: {"see": see, "from": low, "to": high + (0.5 if high == low else 0.0)},
    st.sampled_from(OF_THINGS),
    values,
    values,
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(conditions, min_size=1, max_size=3), st.lists(conditions, max_size=2)),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.lists(values, min_size=5, max_size=5), min_size=1, max_size=4),
)
def test_patterns_are_matched_as_they_read(parts: list[Any], columns: list[list[float]]) -> None:
    data = [
        {"name": str(i), "kind": "spam", "subject": "link", "says": "x", "all": all_, "any": any_}
        | ({"alone": 0.25} if any_ else {})
        for i, (all_, any_) in enumerate(parts)
    ]
    known = Patterns.model_validate({"pattern": data})
    seen = np.array(columns).T
    found = patterns.match(patterns.table(known, Subject.LINK), seen)
    for row, pattern in enumerate(known.pattern):
        for column, values_ in enumerate(columns):
            assert found[row, column] == pytest.approx(plain(pattern, dict(zip(OF_THINGS, values_))))


GOOD = """
[[pattern]]
name = "loud"
kind = "spam"
subject = "bot"
says = "is loud"
all = [{ see = "messages", from = 1.0, to = 2.0 }]
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"spam"', '"noise"', r"pattern\.0: `noise` is no kind of attack"),
        ('see = "messages"', 'see = "malicious"', r"pattern\.0: `malicious` cannot be seen of a bot"),
        ('"bot"', '"planet"', r"pattern\.0\.subject"),
        ("to = 2.0", "to = 1.0", r"pattern\.0\.all\.0: `from` and `to` are the same"),
        ("to = 2.0", "to = nan", r"pattern\.0\.all\.0\.to"),
        ("to = 2.0", 'to = "2"', r"pattern\.0\.all\.0\.to"),
        ("all = [", "alone = 2.0\nall = [", r"pattern\.0\.alone"),
        ("all = [", "alone = 0.5\nall = [", r"pattern\.0: `alone` says nothing where there is no `any`"),
        ("all = [", "weight = 2.0\nall = [", r"pattern\.0\.weight"),
        ("all = [{", "all = []\nany = [{", r"pattern\.0\.all"),
        ("all = [", "all [", "line 7"),
        (GOOD, GOOD + GOOD, "two patterns have one name"),
        (GOOD, "", "pattern"),
    ],
)
def test_faults_in_patterns_are_named(old: str, new: str, said: str) -> None:
    assert len(patterns.read(GOOD).pattern) == 1
    with pytest.raises(PatternError) as caught:
        patterns.read(GOOD.replace(old, new))
    assert re.search(said, str(caught.value)), str(caught.value)
