"""The way of messages of the committee: a sender, receivers and a moment go in, who gets it when comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.network import NEVER, Network, Times, departures, is_cut, travel
from simulator.random_streams import Draw

Members = NDArray[np.int64]
FEW, MANY = 128, 8192
"""For how many messages times on the way are drawn at once, first and later."""


@dataclass(slots=True)
class Transport:
    """Messages are numbered as they are sent, and times on the way depend on the number (NOTE(counters))."""

    network: Network
    draw: Draw
    nodes: Members
    """The node of each member."""
    drawn: int = 0
    """For how many messages times were drawn; how many of those in the lists are used."""
    used: int = 0
    first: Times = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    second: Times = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def arrivals(t: Transport, node: int, to: Members, now: int) -> list[Times]:
    """When one more message from a node reaches each of `to`, or `NEVER`; and once more, if copies can arrive."""
    found = _times(t, len(to))
    leave: int | Times = now
    if t.network.partitions and is_cut(t.network, now):
        leave = departures(t.network, node, t.nodes[to], now)
    return [np.where((times != NEVER) & (leave != NEVER), leave + times, NEVER) for times in found]


def by_time(to: Members, arriving: list[Times]) -> dict[int, list[int]]:
    """Who is reached, by time."""
    found: dict[int, list[int]] = {}
    for times in arriving:
        for receiver, time in zip(to.tolist(), times.tolist()):
            at = found.get(time)
            if at is None:
                found[time] = [receiver]
            else:
                at.append(receiver)
    found.pop(NEVER, None)
    return found


def _times(t: Transport, count: int) -> list[Times]:
    """How long the next messages are on the way, and their copies if there can be any."""
    while len(t.first) - t.used < count:
        end = t.drawn + min(max(count, t.drawn, FEW), MANY)
        first, second = travel(t.network, t.draw, np.arange(t.drawn, end))
        t.first = np.concatenate([t.first[t.used :], first])
        if t.network.duplicates:
            t.second = np.concatenate([t.second[t.used :], second])
        t.drawn, t.used = end, 0
    part = slice(t.used, t.used + count)
    t.used += count
    return [t.first[part], t.second[part]] if t.network.duplicates else [t.first[part]]
