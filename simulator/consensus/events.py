"""An exact queue of events: things with a time go in, and come out by time and, at one time, in the order they went in.

Times are whole numbers, and few of them differ: the heap holds times, and each time has a list. The order is that of a
heap of (time, sequence), at a tenth of the cost; nothing may be added at the time that is being handled, or before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Events(Generic[T]):
    now: int = -1
    times: list[int] = field(default_factory=list)
    at: dict[int, list[T]] = field(default_factory=dict)


def push(events: Events[T], time: int, item: T) -> None:
    push_each(events, (time,), item)


def push_each(events: Events[T], times: Iterable[int], item: T) -> None:
    """The same thing happens several times."""
    at = events.at
    for time in times:
        waiting = at.get(time)
        if waiting is not None:
            waiting.append(item)
            continue
        if time <= events.now:
            raise ValueError(f"it is {events.now} already, too late for {time}")
        at[time] = [item]
        heappush(events.times, time)


def pop(events: Events[T]) -> list[T]:
    """Everything that happens next, at the time that is `now` afterwards."""
    events.now = heappop(events.times)
    return events.at.pop(events.now)
