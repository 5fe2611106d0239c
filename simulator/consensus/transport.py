"""The way of messages of the committee: a sender, receivers and a moment go in, who gets it when comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.network import NEVER, Network, departures, is_cut, travel
from simulator.random_streams import Draw

FEW, MANY = 128, 8192
"""For how many messages times on the way are drawn at once, first and later."""


@dataclass(slots=True)
class Transport:
    """Messages are numbered as they are sent, and times on the way depend on the number (NOTE(counters))."""

    network: Network
    draw: Draw
    nodes: list[int]
    """The node of each member."""
    drawn: int = 0
    """For how many messages times were drawn; how many of those in the lists are used."""
    used: int = 0
    first: list[int] = field(default_factory=list)
    second: list[int] = field(default_factory=list)


def arrivals(t: Transport, node: int, to: list[int], now: int) -> dict[int, list[int]]:
    """The members that one more message from a node reaches, by time."""
    first, second = _times(t, len(to))
    found: dict[int, list[int]] = {}
    if t.network.partitions and is_cut(t.network, now):
        leave = departures(t.network, node, np.array([t.nodes[m] for m in to], dtype=np.int64), now).tolist()
        for times in (first, second):
            for receiver, start, time in zip(to, leave, times):
                if start != NEVER != time:
                    found.setdefault(start + time, []).append(receiver)
        return found
    for receiver, time in zip(to, first):
        at = found.get(time)
        if at is None:
            found[time] = [receiver]
        else:
            at.append(receiver)
    if t.network.duplicates:
        for receiver, time in zip(to, second):
            found.setdefault(time, []).append(receiver)
    found.pop(NEVER, None)
    return {now + time: receivers for time, receivers in found.items()}


def _times(t: Transport, count: int) -> tuple[list[int], list[int]]:
    """How long the next messages are on the way, and their copies if there can be any."""
    while len(t.first) - t.used < count:
        end = t.drawn + min(max(count, t.drawn, FEW), MANY)
        first, second = travel(t.network, t.draw, np.arange(t.drawn, end))
        t.first = t.first[t.used :] + first.tolist()
        if t.network.duplicates:
            t.second = t.second[t.used :] + second.tolist()
        t.drawn, t.used = end, 0
    part = slice(t.used, t.used + count)
    t.used += count
    return t.first[part], t.second[part]
