"""Who votes as one is found, whichever side has the majority; who thinks for himself is not, however keen he is."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.agents.detectors_lockstep import COMMON, alike
from simulator.agents.detectors_votes import Votes, grow, remember
from simulator.random_streams import Draw

BOTS, PROPOSALS = 200, 12
FOUND, LIFT = 5.0, 100.0
"""From these on the pattern `lockstep` matches fully."""


def held(
    ring: int,
    keen: float,
    accuracy: float = 0.8,
    *,
    turnout: float = 1.0,
    jitter: int = 1,
    harmful: bool = True,
    seed: int = 1,
) -> Votes:
    """Votes on proposals of which every other one does good: of each the first `ring` bots take part in the share
    `turnout`, and vote for what does harm, within `jitter` ticks; all others in the share `keen`, as well as they can
    judge. Where the ring is not `harmful` yet its members judge as the others do."""
    votes, every, tick = Votes(), np.arange(BOTS), 0
    grow(votes, BOTS)
    for p in range(PROPOSALS):
        draw = Draw(seed, 0, p, "votes")
        when = draw.below(every, jitter)
        member = every < ring
        takes_part = draw.uniform(every + BOTS) < np.where(member, turnout, keen)
        right = (draw.uniform(every + 2 * BOTS) < accuracy) & ~(member & harmful)
        ayes = right == (p % 2 == 0)
        for at in range(jitter):
            now = np.flatnonzero(takes_part & (when == at))
            remember(votes, tick, now, np.full(now.size, p), ayes[now])
            tick += 1
    return votes


def matched(votes: Votes) -> list[int]:
    bots, count, lift = alike(votes, BOTS)
    return [int(b) for b in bots[(count >= FOUND) & (lift >= LIFT)]]


@pytest.mark.parametrize("ring", [6, 30, 60, 120])
@pytest.mark.parametrize("jitter", [1, 8])
def test_a_ring_is_found_and_nobody_else(ring: int, jitter: int) -> None:
    assert matched(held(ring, keen=0.3, jitter=jitter)) == list(range(ring))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("ring", "turnout", "keen"), [(60, 0.7, 0.5), (70, 0.7, 0.6), (80, 0.6, 0.6), (110, 0.6, 0.6)])
def test_a_ring_that_leaves_out_proposals_is_found_even_where_it_has_the_majority(
    ring: int, turnout: float, keen: float, seed: int
) -> None:
    found = matched(held(ring, keen, turnout=turnout, jitter=15, seed=seed))
    members = [b for b in found if b < ring]
    assert len(members) >= 0.9 * ring
    # A false one in a hundred is what the evidence is worth.
    assert len(found) - len(members) <= 2


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("accuracy", [0.5, 0.6, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("keen", [0.3, 0.8, 1.0])
def test_the_honest_are_not_however_keen_and_clever(keen: float, accuracy: float, seed: int) -> None:
    assert matched(held(0, keen, accuracy, seed=seed)) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("accuracy", [0.7, 0.9])
def test_those_who_judge_best_are_not_a_ring_where_the_ring_has_the_majority(accuracy: float, seed: int) -> None:
    """They agree with each other, against most of what is voted."""
    found = matched(held(110, 0.7, accuracy, turnout=0.9, seed=seed))
    assert len([b for b in found if b < 110]) >= 100
    assert len([b for b in found if b >= 110]) <= 2


def test_a_ring_that_has_not_struck_yet_is_not_found() -> None:
    assert matched(held(60, 0.7, turnout=0.7, harmful=False)) == []


def test_a_few_proposals_say_nothing() -> None:
    votes = Votes()
    grow(votes, BOTS)
    for p in range(COMMON - 1):
        remember(votes, p, np.arange(BOTS), np.full(BOTS, p), np.arange(BOTS) >= 50)
    assert alike(votes, BOTS)[0].tolist() == []


def test_only_members_count() -> None:
    bots, _, _ = alike(held(60, keen=0.3), 40)
    assert set(bots.tolist()) <= set(range(40))
