"""Votes of many members for one thing: when each of them reaches whom goes in, who has enough of them comes out.

NOTE(piles): nearly all messages of a large committee are votes, and nobody notices a vote before it is one of the last
that a member needs. So votes for one thing lie on a pile, in one array for all members, until those that have reached a
member could be enough, or something else reaches it: then it takes all of them, in the order in which they came. Every
member is in the same state whenever it does anything as if each vote had been handed to it by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.consensus.messages import Commit, Prepare, Signed

Times = NDArray[np.int64]
GONE = np.iinfo(np.int64).max
"""The time of what does not come, or was taken."""


@dataclass(slots=True)
class Pile:
    body: Prepare | Commit
    enough: int
    """With fewer votes of others nothing changes for a member."""
    arrival: Times
    """For each member, a row, when each vote reaches it."""
    reached: NDArray[np.int64]
    """How many votes have reached each member."""
    held: NDArray[np.int64]
    """How many of them it has not taken."""
    outside: NDArray[np.bool_]
    """Members that get their votes in another way."""
    settled: NDArray[np.bool_]
    """Members that need no more of them."""
    votes: list[Signed] = field(default_factory=list)
    now: int = -1
    """The last moment that was looked at."""
    handled: int = -1
    """The last vote of those that arrive at that moment whose turn has come."""
    due: dict[int, list[int]] = field(default_factory=dict)
    """For each of these votes the members that may have enough with it."""


def pile(body: Prepare | Commit, members: int, enough: int, without: Iterable[int]) -> Pile:
    """No votes yet; `without` are the members that are outside."""
    outside = np.zeros(members, dtype=np.bool_)
    outside[list(without)] = True
    none = np.zeros(members, dtype=np.int64)
    return Pile(body, enough, np.full((members, members), GONE), none, none.copy(), outside, outside.copy())


def put(p: Pile, vote: Signed, to: Any, times: Times) -> tuple[int, list[int]]:
    """One more vote, which reaches each of `to` at a time; its number, and the moments at which it reaches anybody."""
    number = len(p.votes)
    if number == p.arrival.shape[1]:
        p.arrival = np.concatenate([p.arrival, np.full_like(p.arrival, GONE)], axis=1)
    p.votes.append(vote)
    p.arrival[to, number] = times
    return number, list(set(times.tolist()))


def look(p: Pile, now: int) -> int:
    """Finds out who may have enough at the moment `now`, and with which vote; how many votes arrive then."""
    p.now, p.handled, p.due = now, -1, {}
    count = len(p.votes)
    places = np.flatnonzero(p.arrival[:, :count] == now)
    members = places // count
    numbers = places - members * count
    before = p.reached.copy()
    coming = np.bincount(members, minlength=len(before))
    p.reached += coming
    p.held += coming
    close = ((p.reached >= p.enough) & ~p.settled)[members]
    for member, number in zip(members[close].tolist(), numbers[close].tolist()):
        before[member] += 1
        if before[member] >= p.enough:
            p.due.setdefault(number, []).append(member)
    return len(members)


def take(p: Pile, member: int, now: int) -> list[Signed]:
    """What has reached a member by now."""
    times = p.arrival[member]
    there = times < now
    if p.now == now:
        there[: p.handled + 1] |= times[: p.handled + 1] == now
    numbers = np.flatnonzero(there)
    times[numbers] = GONE
    p.held[member] -= len(numbers)
    return [p.votes[number] for number in numbers.tolist()]
