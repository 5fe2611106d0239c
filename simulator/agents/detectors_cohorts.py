"""Who keeps to itself: ticks of joining and messages go in, how far cohorts and circles are beyond chance comes out.

A cohort joined together. A circle is made of those who are louder than others: where they are few and write to each
other nevertheless, they make each other look busy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.observe import FADE

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEAR = 3
"""Ticks between two that joined together."""
FEWEST = 4
"""A cohort has so many at least."""


@dataclass(slots=True)
class Cohorts:
    beyond: Floats = field(default_factory=lambda: np.zeros(0))
    """How far the size of its cohort is beyond chance, in deviations; 0 for those who were there from the beginning."""
    size: Floats = field(default_factory=lambda: np.zeros(0))
    """Those who joined within `NEAR` ticks of it, itself included."""
    inner: Floats = field(default_factory=lambda: np.zeros(0))
    """Messages to its own cohort, fading."""
    loud: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Who sends far more than others."""
    circle: Floats = field(default_factory=lambda: np.zeros(0))
    """Messages to the loud, fading."""


def grow(cohorts: Cohorts, bots: int) -> None:
    """There are more bots now."""
    more = np.zeros(bots - len(cohorts.beyond))
    cohorts.beyond, cohorts.size = np.concatenate([cohorts.beyond, more]), np.concatenate([cohorts.size, more])
    cohorts.inner, cohorts.circle = np.concatenate([cohorts.inner, more]), np.concatenate([cohorts.circle, more])
    cohorts.loud = np.concatenate([cohorts.loud, more > 0])


def watch(cohorts: Cohorts, joined: Ids, senders: Ids, recipients: Ids, allowed: Bools) -> None:
    """Messages of a tick."""
    cohorts.inner *= FADE
    cohorts.circle *= FADE
    size = cohorts.inner.size
    if cohorts.size.any():
        newer = np.flatnonzero(allowed & (joined[senders] > 0))
        mine, theirs = joined[senders[newer]], joined[recipients[newer]]
        near = newer[(np.abs(mine - theirs) <= NEAR) & (theirs > 0)]
        cohorts.inner += np.bincount(senders[near], minlength=size)
    loud = np.flatnonzero(cohorts.loud[recipients] & allowed)
    if loud.size:
        cohorts.circle += np.bincount(senders[loud], minlength=size)


def look(cohorts: Cohorts, joined: Ids) -> None:
    """Counts the cohorts of the members, whose ticks of joining these are."""
    late = np.flatnonzero(joined > 0)
    cohorts.beyond[:] = 0.0
    cohorts.size[:] = 0.0
    if late.size < FEWEST:
        return
    when = np.sort(joined[late])
    start, end = np.searchsorted(when, joined[late] - NEAR), np.searchsorted(when, joined[late] + NEAR, side="right")
    size = (end - start).astype(np.float64)
    # What is usual is the middle of the windows that lie side by side, those without anybody included.
    windows = np.bincount(when // (2 * NEAR + 1)).astype(np.float64)
    usual = max(float(np.partition(windows, windows.size // 2)[windows.size // 2]), 1.0)
    beyond = (np.sqrt(size) - np.sqrt(usual)) / 0.5
    cohorts.size[late] = size
    cohorts.beyond[late] = np.where(size >= FEWEST, beyond, 0.0)


def inside(cohorts: Cohorts, bots: Ids, messages: Floats, members: int) -> tuple[Floats, Floats, Floats, Floats]:
    """The share of its messages that each bot sends to its cohort, and how often that is what chance would give; the
    same two for the circle of the loud."""
    share = cohorts.inner[bots] / (messages + 2.0)
    chance = np.maximum(cohorts.size[bots], 1.0) / max(members, 1)
    round_ = cohorts.circle[bots] / (messages + 2.0)
    usual = np.count_nonzero(cohorts.loud[:members]) / max(members, 1)
    return share, share / (chance + 0.05), round_, round_ / (usual + 0.05)
