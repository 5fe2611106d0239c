"""Who votes in step with others, as if by one hand: votes go in, how many vote exactly alike comes out.

On its own a ring that turns out in full is no minority, and may decide what the majority is. But whoever thinks for
himself differs from others now and then. So the last proposals are looked at, and those who voted on all of them: more
with exactly the same votes than the votes of everybody else explain follow one hand, whichever side they are on and
whenever they vote. Each window is looked at twice: the newest proposals, and the newest on which nobody votes any more,
for those who take their time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents.detectors_votes import FEWEST, Votes

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

WINDOW = 5
"""So many proposals are looked at together."""
SETTLED = 5
"""A proposal on which nobody voted for so many ticks has all its votes."""
SMALLEST = 3
"""Fewer who vote alike are not looked at."""


def alike(votes: Votes, tick: int, members: int) -> tuple[Ids, Floats, Floats]:
    """The members that vote in step with others; with how many, and how many times the number that chance gives."""
    counts = np.zeros(members)
    lifts = np.zeros(members)
    known = np.flatnonzero(votes.proposal >= 0)
    newest = known[np.argsort(-votes.proposal[known], kind="stable")]
    settled = newest[tick - votes.last[newest] >= SETTLED]
    for slots in (newest, settled):
        for bots, count, lift in _groups(votes, slots, members):
            counts[bots] = np.maximum(counts[bots], count)
            lifts[bots] = np.maximum(lifts[bots], lift)
    found = np.flatnonzero(counts)
    return found, counts[found], lifts[found]


def _groups(votes: Votes, slots: Ids, members: int) -> list[tuple[Ids, float, float]]:
    """Those who voted exactly alike on the first `WINDOW` of the proposals that have enough votes."""
    voted, yes = votes.voted[:members], votes.yes[:members]
    chosen: list[np.uint64] = []
    for slot in slots.tolist():
        bit = np.uint64(1 << slot)
        if int(np.count_nonzero(voted & bit)) >= FEWEST:
            chosen.append(bit)
            if len(chosen) == WINDOW:
                break
    if len(chosen) < WINDOW:
        return []
    mask = np.bitwise_or.reduce(np.array(chosen, dtype=np.uint64))
    everywhere = (voted & mask) == mask
    full = np.flatnonzero(everywhere)
    if full.size < SMALLEST:
        return []
    # What others think says how likely one votes yes who thinks for himself, as long as there are others.
    ayes = []
    for bit in chosen:
        voters = (voted & bit) > 0
        others = np.flatnonzero(voters & ~everywhere)
        others = others if others.size >= FEWEST else np.flatnonzero(voters)
        aye = int(np.count_nonzero(yes[others] & bit))
        ayes.append((aye + 1) / (others.size + 2))
    ballots, which, sizes = np.unique(yes[full] & mask, return_inverse=True, return_counts=True)
    found = []
    for at in np.flatnonzero(sizes >= SMALLEST).tolist():
        chance = 1.0
        for bit, yea in zip(chosen, ayes):
            chance *= yea if ballots[at] & bit else 1.0 - yea
        size = int(sizes[at])
        found.append((full[which.reshape(-1) == at], float(size - 1), size / max(1.0, full.size * chance)))
    return found
