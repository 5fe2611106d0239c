"""The network between bots: who sends what number of message to whom when goes in, when it arrives comes out.

Times are whole milliseconds from 0 on. A message takes a fixed part and a log-normal part, with its long tail, on its
way, may be lost or arrive twice, and does not cross a partition: it is lost too, or held until the partition heals, as
by senders that try again. What counts is the moment of sending: what is on its way when a partition begins arrives.

Randomness is keyed by the number of the message (NOTE(counters)): any split of the messages gives the same times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.portable_math import exp, normal_quantile
from simulator.random_streams import Draw

Times = NDArray[np.int64]
NEVER = -1
"""The time of what does not arrive."""
BITS, BUCKETS = 52, 14
"""Of a number between 0 and 1 that is drawn, and of its part with which one begins to look in a table."""
LAST = np.uint64((1 << BITS) - 1)
KNOWN = 2048
"""Times up to so many milliseconds are looked up, longer ones are worked out."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds on the way: `base`, and a log-normal part with this median and sigma (`most` of both together)."""

    base: float
    median: float
    sigma: float
    most: float

    def __post_init__(self) -> None:
        if not (self.base >= 0 and self.median > 0 and 0 <= self.sigma <= 80 and self.most >= 1):
            raise ValueError("a latency needs base >= 0, median > 0, sigma in 0..80 and most >= 1")


LOW = Latency(base=2.0, median=8.0, sigma=0.4, most=200.0)
"""One region: 95 % arrive within 17 ms."""
HIGH = Latency(base=60.0, median=120.0, sigma=0.8, most=5000.0)
"""Around the world, over busy lines: half arrive within 180 ms, 95 % within 510 ms."""
LATENCIES = {"low": LOW, "high": HIGH}


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """From `begin` until before `end`, messages pass between nodes of the same group alone."""

    begin: int
    end: int
    groups: NDArray[np.int32]
    """The group of each node."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    latency: Latency = LOW
    loss: float = 0.0
    duplicates: float = 0.0
    """The share of the messages that arrive which arrive once more."""
    partitions: tuple[Partition, ...] = ()
    holds: bool = True
    """Whether messages into a partition wait for its end; else they are lost."""
    ends: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not (0 <= self.loss <= 1 and 0 <= self.duplicates <= 1):
            raise ValueError("loss and duplicates are shares in 0..1")
        if any(not 0 <= p.begin <= p.end for p in self.partitions):
            raise ValueError("a partition begins before 0, or ends before it begins")
        object.__setattr__(self, "ends", tuple(sorted({p.end for p in self.partitions})))


def partition(begin: int, end: int, nodes: int, groups: Iterable[Iterable[int]]) -> Partition:
    """Groups of nodes that are cut off from each other and from the rest, which stays together."""
    group_of = np.zeros(nodes, dtype=np.int32)
    for number, members in enumerate(groups, 1):
        for node in members:
            if not 0 <= node < nodes:
                raise ValueError(f"there is no node {node} of {nodes}")
            if group_of[node]:
                raise ValueError(f"node {node} is in two groups")
            group_of[node] = number
    return Partition(begin, end, group_of)


def travel(network: Network, draw: Draw, numbers: Any) -> tuple[Times, Times]:
    """For each number of a message its time on the way, at least 1, and that of its copy; `NEVER` if there is none."""
    numbers = np.asarray(numbers)
    first = _on_the_way(network, replace(draw, stream=f"{draw.stream} first"), numbers)
    second: Times = np.full(first.shape, NEVER, dtype=np.int64)
    if network.loss:
        first[replace(draw, stream=f"{draw.stream} loss").bernoulli(numbers, network.loss)] = NEVER
    if network.duplicates:
        twice = replace(draw, stream=f"{draw.stream} twice").bernoulli(numbers, network.duplicates) & (first != NEVER)
        second[twice] = _on_the_way(network, replace(draw, stream=f"{draw.stream} second"), numbers[twice])
    return first, second


def _on_the_way(network: Network, draw: Draw, numbers: NDArray[Any]) -> Times:
    law = network.latency
    if not law.sigma:
        return np.full(numbers.shape, _whole(law, law.base + law.median), dtype=np.int64)
    chances = draw.words(numbers).ravel() >> np.uint64(64 - BITS)
    table = _table(law)
    bucket = chances >> np.uint64(BITS - BUCKETS)
    found: Times = table.first.take(bucket).astype(np.int64)
    unsure = np.flatnonzero(table.several.take(bucket))
    found[unsure] = 1 + np.searchsorted(table.ends, chances[unsure], side="right")
    long = np.flatnonzero(found > KNOWN)
    if long.size:
        found[long] = _time(law, chances[long])
    return found.reshape(numbers.shape)


def _whole(law: Latency, time: Any) -> Any:
    return np.maximum(np.ceil(np.minimum(time, law.most)), 1.0)


def _time(law: Latency, chances: NDArray[np.uint64]) -> Times:
    """How long the messages are on their way that come after a share of `chances` / 2^BITS of all in order of time."""
    normal = normal_quantile((chances.astype(np.float64) + 0.5) * 2.0**-BITS)
    found: Times = _whole(law, law.base + law.median * exp(law.sigma * normal)).astype(np.int64)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Times by chance: to look one up costs a tenth of working it out."""

    ends: NDArray[np.uint64]
    """How many of all 2^BITS chances take 1 millisecond, 2 at most, and so on up to `KNOWN`."""
    first: NDArray[np.int16]
    """The time of the first chance of each bucket of chances."""
    several: NDArray[np.bool_]
    """Whether the chances of a bucket have several times."""


@lru_cache(maxsize=64)
def _table(law: Latency) -> _Table:
    times = np.arange(1, KNOWN + 1)
    low, high = np.zeros(KNOWN, dtype=np.uint64), np.full(KNOWN, 1 << BITS, dtype=np.uint64)
    for _ in range(BITS + 1):
        middle = (low + high) >> np.uint64(1)
        within = (low < high) & (_time(law, np.minimum(middle, LAST)) <= times)
        low, high = np.where(within, middle + np.uint64(1), low), np.where(within, high, middle)
    begin = np.arange(1 << BUCKETS, dtype=np.uint64) << np.uint64(BITS - BUCKETS)
    end = begin | np.uint64((1 << (BITS - BUCKETS)) - 1)
    first, last = (1 + np.searchsorted(low, at, side="right") for at in (begin, end))
    return _Table(low, first.astype(np.int16), first != last)


def departures(network: Network, senders: Any, receivers: Any, sent: Any) -> Times:
    """When messages leave: when they are sent, after the partitions in their way if they are held, or `NEVER`."""
    senders, receivers = np.asarray(senders), np.asarray(receivers)
    shape = np.broadcast_shapes(senders.shape, receivers.shape, np.shape(sent))
    found = np.array(np.broadcast_to(sent, shape), dtype=np.int64)
    # The end of one partition may lie in another one; each round gets past at least one end.
    for _ in range(len(network.ends) + 1):
        moved = False
        for p in network.partitions:
            cut = (p.begin <= found) & (found < p.end) & (p.groups[senders] != p.groups[receivers])
            if cut.any():
                moved = True
                found[cut] = p.end if network.holds else NEVER
        if not moved:
            break
    return found


def is_cut(network: Network, time: int) -> bool:
    """Whether any partition is there."""
    return any(p.begin <= time < p.end for p in network.partitions)


def deliver(
    network: Network, draw: Draw, numbers: Any, senders: Any, receivers: Any, sent: Any
) -> tuple[NDArray[np.int64], Times]:
    """Which of the messages arrive (their places in the arrays), and when: the first ones in order, then the copies."""
    leave = departures(network, senders, receivers, sent)
    first, second = travel(network, draw, numbers)
    arrive, again = (leave != NEVER) & (first != NEVER), (leave != NEVER) & (second != NEVER)
    places = np.concatenate([np.flatnonzero(arrive), np.flatnonzero(again)]).astype(np.int64)
    return places, np.concatenate([(leave + first)[arrive], (leave + second)[again]])


def to_ticks(times: Times, tick: int) -> Times:
    """The first tick at whose beginning messages are there, if ticks have `tick` milliseconds."""
    return -(-times // tick)
