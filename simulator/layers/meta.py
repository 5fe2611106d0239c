"""The meta layer: it watches how governance does, and proposes to change a parameter where that would help.

It proposes; the community votes on it like on anything else, and only what the policy's own ranges admit comes into
force (`specs/mvg/parameters.policy` and the ranges of parameters, for all values of which the proofs hold).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PARAMETERS = ("QUORUM",)
"""What it may propose to change."""
WINDOW = 200
"""Ticks over which it looks before it proposes anything, and between two proposals."""
SMALLEST = 5
"""So many proposals must have been decided in a window for it to say anything."""


@dataclass(frozen=True, slots=True)
class Amendment:
    parameter: str
    value: int


@dataclass(slots=True)
class Meta:
    since: int = 0
    """The tick at which the window began."""
    approved: int = 0
    defeated: int = 0
    good: int = 0
    bad: int = 0


def watch(meta: Meta, approved: int, defeated: int, good: int, bad: int) -> None:
    """What happened in a tick."""
    meta.approved += approved
    meta.defeated += defeated
    meta.good += good
    meta.bad += bad


def consider(
    meta: Meta, tick: int, params: Mapping[str, int], ranges: Mapping[str, tuple[int, int]]
) -> Amendment | None:
    """An amendment, when a window is over and the numbers call for one: bad proposals pass, so more have to agree; or
    hardly anything passes, so fewer have to."""
    if tick < meta.since + WINDOW:
        return None
    decided, judged = meta.approved + meta.defeated, meta.good + meta.bad
    found = None
    if judged >= SMALLEST and 4 * meta.bad > judged:
        found = _changed(params, ranges, "QUORUM", 2, 1)
    elif decided >= SMALLEST and 10 * meta.approved < decided:
        found = _changed(params, ranges, "QUORUM", 1, 2)
    meta.since, meta.approved, meta.defeated, meta.good, meta.bad = tick, 0, 0, 0, 0
    return found


def _changed(
    params: Mapping[str, int], ranges: Mapping[str, tuple[int, int]], name: str, times: int, over: int
) -> Amendment | None:
    low, high = ranges[name]
    value = min(high, max(low, params[name] * times // over))
    return None if value == params[name] else Amendment(name, value)
