"""Calls to processor time: the median over blocks of calls, the least of several rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def microseconds(ask: Callable[[T], object], asked: Sequence[T], rounds: int = 5, block: int = 50) -> float:
    """Processor time of this thread for one call of `ask`, in microseconds.

    The clock is read once for each `block` of calls: reading it takes as long as a fast decision. Of the blocks the
    median is taken, so a pause of the garbage collector does not show; of the rounds the least, so neighbours on the
    machine show as little as they can.
    """
    blocks = [asked[i : i + block] for i in range(0, len(asked), block)]
    now = time.thread_time_ns
    best = float("inf")
    for _ in range(rounds):
        times = []
        for some in blocks:
            start = now()
            for one in some:
                ask(one)
            times.append((now() - start) / len(some))
        best = min(best, statistics.median(times))
    return best / 1000
