"""Who votes against the others, again and again, together with the same ones: votes go in, evidence comes out.

Of the last `SLOTS` proposals each bot's vote is remembered in two bits. A bot that votes by itself is in the minority
of a proposal as often as all others, with probability q; a bot that wants something else than all others nearly always.
The evidence for the second is the sum of the logarithms of what it makes more likely. The same way it is found out
which two of those who are dissenting do so together: both are in the minority of a proposal with probability q * q, or
nearly always if they follow one hand. The minority is that of those who vote no more than is usual: a few who vote on
everything at once do not make a majority here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.portable_math import log

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]

SLOTS = 64
STALE = 200
"""A proposal on which nobody voted for so many ticks gives way to any other in its slot."""
FEWEST = 10
"""With fewer votes nobody knows yet what the minority is."""
FEWEST_TIMES = 4
"""Who was less often in the minority is not looked at."""
LARGEST = 0.45
"""Where more than this share is in the minority, to be in it means nothing."""
ALWAYS = 0.9
"""So often is in the minority who wants something else than all others, and so often do two vote alike that follow one
hand."""
SUSPECT = 8.0
"""Nats of evidence from which on a bot is compared with others."""
ALIKE = 3.0
"""Nats of evidence from which on two of the suspects are held to act together."""
MOST = 128
"""So many bots are compared with each other."""
UNIT = 64.0
"""Evidence is counted in whole parts of 1 / UNIT nat, which add up to the same in any order."""
AGAINST = -147
"""What it counts when such a bot is not in the minority, or one of two is and the other not: log(1 - ALWAYS)."""


@dataclass(slots=True)
class Votes:
    """What was voted on the last proposals; proposal `p` has the slot `p % SLOTS`."""

    voted: Words = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    yes: Words = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    proposal: Ids = field(default_factory=lambda: np.full(SLOTS, -1, dtype=np.int64))
    last: Ids = field(default_factory=lambda: np.zeros(SLOTS, dtype=np.int64))
    """The tick of the last vote."""
    eager: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Who votes far more than others."""
    past: Floats = field(default_factory=lambda: np.zeros(0))
    """What earlier proposals have left of evidence against each bot, in units of 1 / `UNIT` nat; never below zero."""


def remember(votes: Votes, tick: int, voters: Any, proposals: Any, support: Any) -> None:
    """Votes that were counted in this tick; who votes again has changed his mind."""
    proposals = np.asarray(proposals, dtype=np.int64)
    if not proposals.size:
        return
    slots = proposals % SLOTS
    for p in np.unique(proposals[votes.proposal[slots] != proposals]).tolist():
        slot = p % SLOTS
        if p > votes.proposal[slot] or tick - votes.last[slot] >= STALE:
            _file(votes, slot)
            votes.proposal[slot] = p
    kept = votes.proposal[slots] == proposals
    votes.last[slots[kept]] = tick
    voters = np.asarray(voters, dtype=np.int64)[kept]
    bits = np.uint64(1) << slots[kept].astype(np.uint64)
    support = np.asarray(support)[kept].astype(np.bool_)
    np.bitwise_or.at(votes.voted, voters, bits)
    np.bitwise_and.at(votes.yes, voters, ~bits)
    np.bitwise_or.at(votes.yes, voters[support], bits[support])


def grow(votes: Votes, bots: int) -> None:
    """There are more bots now."""
    more = np.zeros(bots - len(votes.voted), dtype=np.uint64)
    votes.voted = np.concatenate([votes.voted, more])
    votes.yes = np.concatenate([votes.yes, more])
    votes.past = np.concatenate([votes.past, np.zeros(len(more))])
    votes.eager = np.concatenate([votes.eager, more > 0])


def forgive(votes: Votes, bots: Ids) -> None:
    """What the bots have voted until now is not held against them."""
    for words in (votes.voted, votes.yes):
        words[bots] = 0
    votes.past[bots] = 0.0


def _file(votes: Votes, slot: int) -> None:
    """A proposal gives way to another; what is left of it is the evidence in it (Page's CUSUM, 1954)."""
    bit = np.uint64(1 << slot)
    voters = np.flatnonzero(votes.voted & bit)
    if voters.size:
        ayes, usual = (votes.yes[voters] & bit) > 0, ~votes.eager[voters]
        count, aye = int(np.count_nonzero(usual)), int(np.count_nonzero(ayes & usual))
        weight = _weights(np.array([count]), np.array([aye]))[0]
        if weight:
            against = ayes == (2 * aye < count)
            votes.past[voters] = np.maximum(votes.past[voters] + np.where(against, weight, AGAINST), 0.0)
        votes.voted[voters] &= ~bit
        votes.yes[voters] &= ~bit


def dissenters(votes: Votes, members: int) -> tuple[Ids, Floats]:
    """The members that are in the minority far more often than others, and the evidence for each, in nats."""
    words, weight = _minority(votes)
    times = bits(words[:members]).sum(axis=1, dtype=np.uint8)
    often = np.flatnonzero((times >= FEWEST_TIMES) | (votes.past[:members] >= SUSPECT * UNIT / 2.0))
    minority, voted = bits(words[often]), bits(votes.voted[often])
    # Sums of whole numbers are exact in any order.
    now = (minority * weight + (voted - minority) * np.where(weight > 0, AGAINST, 0.0)).sum(axis=1)
    evidence = (votes.past[often] + now) / UNIT
    found = evidence >= SUSPECT
    return often[found], evidence[found]


def partners(votes: Votes, bots: Ids) -> dict[int, list[int]]:
    """For each of the bots the others among them that dissent together with it, if there are any.

    At most `MOST` are compared: the first ones. The minority of a proposal is that of all its voters.
    """
    bots = bots[:MOST]
    words, weight = _minority(votes)
    # Whole numbers: what multiplies matrices of floats uses as many threads as it likes, in any order.
    minority = bits(words[bots]).astype(np.int64)
    voted = bits(votes.voted[bots]) * (weight > 0).astype(np.int64)
    both = minority @ (minority * (weight.astype(np.int64) - 2 * AGAINST)).T
    # Both voted, and at least one of them dissented: twice too much where both did.
    one = minority @ (voted * AGAINST).T
    linked = both + one + one.T >= ALIKE * UNIT
    np.fill_diagonal(linked, False)
    return {int(b): [int(o) for o in bots[row]] for b, row in zip(bots, linked) if row.any()}


def _minority(votes: Votes) -> tuple[Words, Floats]:
    """For each bot the slots in which it is in the minority, as bits; and for each slot the evidence in being there, in
    units of 1 / `UNIT`: 0 where it means nothing."""
    usual = ~votes.eager
    counts, ayes = (per_slot(bits(words[usual])) for words in (votes.voted, votes.yes))
    weight = _weights(counts, ayes)
    few_ayes = ayes * 2 < counts
    yes, no = _word((weight > 0) & few_ayes), _word((weight > 0) & ~few_ayes)
    return (votes.yes & yes) | (votes.voted & ~votes.yes & no), weight


def _weights(counts: Ids, ayes: Ids) -> Floats:
    """The evidence in being in the minority of proposals with so many votes and ayes: 0 where it means nothing."""
    small = np.minimum(ayes, counts - ayes)
    telling = (counts >= FEWEST) & (small > 0) & (small <= LARGEST * counts)
    found = np.zeros(counts.size)
    found[telling] = np.rint(log(ALWAYS * counts[telling] / small[telling]) * UNIT)
    return found


def _word(bits: NDArray[np.bool_]) -> np.uint64:
    return np.uint64(sum(1 << slot for slot in np.flatnonzero(bits).tolist()))


def per_slot(table: NDArray[np.uint8]) -> Ids:
    """How many of the rows have each bit."""
    # What is summed up in bytes, as many as cannot be too many for one, takes half the time.
    whole = len(table) // 255 * 255
    parts = table[:whole].reshape(-1, 255, SLOTS).sum(axis=1, dtype=np.uint8)
    found: Ids = parts.sum(axis=0, dtype=np.int64) + table[whole:].sum(axis=0, dtype=np.int64)
    return found


def bits(words: Words) -> NDArray[np.uint8]:
    """A row for each word and a column for each slot."""
    return np.unpackbits(words.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
