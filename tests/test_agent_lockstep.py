"""Who votes in step is found, whichever side has the majority; who thinks for himself is not, however keen he is."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.agents import detectors_lockstep
from simulator.agents.detectors_lockstep import SETTLED, alike
from simulator.agents.detectors_votes import Votes, grow, remember
from simulator.random_streams import Draw

BOTS, PROPOSALS = 200, 12
FOUND, LIFT = 5.0, 6.0
"""From these on the pattern `lockstep` matches fully."""


def held(ring: int, keen: float, accuracy: float = 0.8, jitter: int = 1, seed: int = 1) -> tuple[Votes, int]:
    """Votes on proposals that all would do good: the first `ring` bots vote against each of them within `jitter` ticks,
    all others on the share `keen` of them, and judge as well as they can."""
    votes, every, tick = Votes(), np.arange(BOTS), 0
    grow(votes, BOTS)
    for p in range(PROPOSALS):
        draw = Draw(seed, 0, p, "votes")
        when = draw.below(every, jitter)
        takes_part = (draw.uniform(every + BOTS) < keen) | (every < ring)
        ayes = (draw.uniform(every + 2 * BOTS) < accuracy) & (every >= ring)
        for at in range(jitter):
            now = np.flatnonzero(takes_part & (when == at))
            remember(votes, tick, now, np.full(now.size, p), ayes[now])
            tick += 1
    return votes, tick


def matched(votes: Votes, tick: int) -> list[int]:
    bots, count, lift = alike(votes, tick, BOTS)
    return [int(b) for b in bots[(count >= FOUND) & (lift >= LIFT)]]


@pytest.mark.parametrize("ring", [6, 30, 60, 120])
@pytest.mark.parametrize("jitter", [1, 8])
def test_a_ring_is_found_and_nobody_else(ring: int, jitter: int) -> None:
    votes, tick = held(ring, keen=0.3, jitter=jitter)
    assert matched(votes, tick + SETTLED) == list(range(ring))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("accuracy", [0.6, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("keen", [0.3, 0.8, 1.0])
def test_the_honest_are_not_however_keen_and_clever(keen: float, accuracy: float, seed: int) -> None:
    votes, tick = held(0, keen, accuracy, seed=seed)
    assert matched(votes, tick + SETTLED) == []


def test_a_few_proposals_say_nothing() -> None:
    votes = Votes()
    grow(votes, BOTS)
    for p in range(detectors_lockstep.WINDOW - 1):
        remember(votes, p, np.arange(50), np.full(50, p), np.zeros(50, dtype=np.bool_))
    assert alike(votes, 100, BOTS)[0].tolist() == []


def test_only_members_count() -> None:
    votes, tick = held(60, keen=0.3)
    bots, _, _ = alike(votes, tick + SETTLED, 40)
    assert set(bots.tolist()) <= set(range(40))
