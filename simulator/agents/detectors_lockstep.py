"""Who votes as if by one hand: votes go in; those of a bloc, its size, and how far chance is from it, come out.

A ring that turns out may itself be the majority, and its members may leave out proposals and vote at different times.
But whoever thinks for himself differs from others now and then. So in a window of proposals the voter is sought who has
most twins: others with whom it voted on several of them, and never differently. They are held to be a bloc, and what
all others vote is what one votes who thinks for himself.

NOTE(bloc): Agreeing with most of the others is no evidence: bots of good judgement agree, too. So only proposals count
on which most of the others are against the bloc. How much likelier a bot's votes on them are if it follows the bloc
than if it votes as the others do is a ratio of likelihoods, and so an e-value. If `k` of `n` voters have one of at
least `x`, there are `k * x / n` times as many as chance gives; to hold to be a bloc only those for whom this is high
bounds the share of false ones, however votes depend on each other (e-BH; Wang and Ramdas 2022). What the others do is
estimated, and windows and blocs are tried several times, so the threshold leaves a margin, and tests count false ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents.detectors_votes import FEWEST, LARGEST, MOST, Votes, bits, per_slot
from simulator.portable_math import exp, log

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Words = NDArray[np.uint64]

WINDOWS = (4, 6, 12, 24)
"""So many proposals are looked at together, the newest: few for those who vote on all, more for those who do not."""
COMMON = 4
"""Twins have voted both on so many of them."""
FAITHFUL = 0.95
"""So often votes with its bloc who belongs to it."""
UTMOST = 60.0
"""Nats of evidence beyond which more says no more."""
BLOCS = 3
"""So many blocs are sought in a window, for the largest may be that of those who judge well."""
SMALLEST = 3
"""Fewer are no bloc."""
TIGHT, FEW = 0.6, 0.25
"""A bloc is so large a share of its camp, or its camp so small a share of all: those who vote with it more often than
not. For the best among the many who think for themselves are no bloc, even where a ring has the majority."""
WORTH = 10.0
"""So many times as many as chance gives are worth telling."""


def alike(votes: Votes, members: int) -> tuple[Ids, Floats, Floats]:
    """The members that vote as one; with how many others, and how many times the number that chance gives."""
    counts = np.zeros(members)
    lifts = np.zeros(members)
    voted, yes = votes.voted[:members], votes.yes[:members]
    known = np.flatnonzero(votes.proposal >= 0)
    newest = known[np.argsort(-votes.proposal[known], kind="stable")]
    cast, ayes = bits(voted), bits(yes)
    enough = newest[per_slot(cast)[newest] >= FEWEST]
    for size in WINDOWS:
        window = np.sort(enough[:size])
        if window.size < COMMON:
            break
        ballots = cast[:, window].astype(np.int8) * (2 * ayes[:, window].astype(np.int8) - 1)
        for bots, lift in blocs(ballots):
            better = lift > lifts[bots]
            lifts[bots[better]], counts[bots[better]] = lift[better], bots.size - 1.0
        if enough.size <= size:
            break
    found = np.flatnonzero(counts)
    return found, counts[found], lifts[found]


def blocs(ballots: NDArray[np.int8]) -> list[tuple[Ids, Floats]]:
    """Blocs, and for each of their members how many times as many there are as chance gives. `ballots` has a row for
    each bot and a column for each proposal: 1 for yes, -1 for no, 0 for nothing."""
    cast = ballots != 0
    times = np.count_nonzero(cast, axis=1)
    able = np.flatnonzero(times >= COMMON)
    candidates = []
    for votes in _candidates(ballots[able], times[able]):
        agree = np.count_nonzero((ballots[able] == votes) & cast[able], axis=1)
        inside, near = agree == times[able], 2 * agree > times[able]
        # In a bloc nobody differs, in a camp of bots that think for themselves many do now and then.
        tight = np.count_nonzero(inside) / np.count_nonzero(near)
        if tight >= TIGHT or np.count_nonzero(near) <= FEW * able.size:
            candidates.append((-round(tight, 1), np.count_nonzero(inside), votes, able[inside]))
    found = []
    others = np.ones(len(ballots), dtype=np.bool_)
    for _, _, votes, members in sorted(candidates, key=lambda c: c[:2]):
        rest = others.copy()
        rest[members] = False
        bots, lift = _followers(ballots, votes, rest)
        if bots.size:
            found.append((bots, lift))
            others[members] = False
            others[bots] = False
    return found


def _candidates(ballots: NDArray[np.int8], times: Ids) -> list[NDArray[np.int8]]:
    """How blocs vote that there may be: as whoever has most twins, and then as whoever has most among the others."""
    keen = np.argsort(-times, kind="stable")[:MOST]
    found = []
    for _ in range(BLOCS):
        if keen.size < SMALLEST:
            break
        twins = _twins(ballots[keen])
        largest = twins[int(twins.sum(axis=1).argmax())]
        if np.count_nonzero(largest) < SMALLEST:
            break
        found.append(np.sign(ballots[keen[largest]].sum(axis=0, dtype=np.int64)).astype(np.int8))
        keen = keen[~largest]
    return found


def _twins(ballots: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Which bots (rows) are twins; each is its own."""
    # Whole numbers: what multiplies matrices of floats uses as many threads as it likes, in any order.
    alike = ballots.astype(np.int64) @ ballots.T.astype(np.int64)
    cast = (ballots != 0).astype(np.int64)
    common = cast @ cast.T
    found: NDArray[np.bool_] = (alike == common) & (common >= COMMON)
    return found


def _followers(ballots: NDArray[np.int8], bloc: NDArray[np.int8], others: NDArray[np.bool_]) -> tuple[Ids, Floats]:
    """Who follows a bloc that votes like this, and how many times as many they are as chance gives; `others` are held
    to think for themselves."""
    cast = ballots != 0
    agree = ballots == bloc
    voted = np.count_nonzero(cast[others], axis=0)
    share = (np.count_nonzero((agree & cast)[others], axis=0) + 1) / (voted + 2)
    telling = np.flatnonzero((voted >= FEWEST) & (share <= LARGEST) & (bloc != 0))
    voters = np.flatnonzero(cast[:, telling].any(axis=1))
    if not voters.size:
        return voters, np.zeros(0)
    pro, contra = log(FAITHFUL / share[telling]), log((1.0 - FAITHFUL) / (1.0 - share[telling]))
    where = np.ix_(voters, telling)
    # `cumsum` adds in a row, `sum` in an order that may differ between machines.
    evidence = np.cumsum(np.where(agree[where], pro, contra) * cast[where], axis=1)[:, -1]
    evidence = np.minimum(evidence, UTMOST)
    order = np.argsort(-evidence, kind="stable")
    lift = exp(evidence[order]) * np.arange(1, voters.size + 1) / voters.size
    # Whoever has more evidence than somebody who belongs to it belongs to it, too.
    lift = np.maximum.accumulate(lift[::-1])[::-1]
    kept = lift >= WORTH
    return voters[order[kept]], lift[kept]
