"""Who was good for long and then is not: complaints of each tick go in, evidence that their rate rose comes out.

Page's CUSUM (1954) for Poisson counts: the logarithm of how much likelier the complaints are at a rate that has risen
to `RISEN` times the bot's own past (and at least by `LEAST`), summed up since it was last nothing. Between complaints
the sum falls in a straight line, so it is worked out only when a bot gets one, or is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from simulator.observe import FADE
from simulator.portable_math import log

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

RISEN = 5.0
LEAST = 0.04
"""Complaints per tick by which a rate rises at the least."""
SLOW = 0.9976921765953168
"""What is left of the past after a tick: a half-life of 300 ticks."""
LONGEST = 4000
"""After so many ticks nothing is left."""
USUAL = 0.002
"""Complaints per tick of a bot of which nothing is known."""
KNOWN = 50.0
"""That much a bot's past weighs when it is new: as many ticks of `USUAL`."""


@dataclass(slots=True)
class Shift:
    seen: Floats = field(default_factory=lambda: np.zeros(0))
    """The faded count of complaints at the last tick."""
    past: Floats = field(default_factory=lambda: np.zeros(0))
    """Complaints that fade slowly, as of the tick `at`."""
    sum: Floats = field(default_factory=lambda: np.zeros(0))
    at: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def grow(shift: Shift, bots: int) -> None:
    """There are more bots now."""
    more = bots - len(shift.seen)
    shift.seen, shift.past, shift.sum = (
        np.concatenate([a, np.zeros(more)]) for a in (shift.seen, shift.past, shift.sum)
    )
    shift.at = np.concatenate([shift.at, np.zeros(more, dtype=np.int64)])


def hear(shift: Shift, tick: int, complaints: Floats) -> None:
    """The faded counts of complaints in this tick; what is above the last ones faded is new."""
    new = complaints - FADE * shift.seen
    shift.seen[:] = complaints
    bots = np.flatnonzero(new > 0.25)
    if not bots.size:
        return
    left, past, rise, own = _now(shift, tick, bots)
    shift.sum[bots] = left + new[bots] * log(1.0 + rise / own)
    shift.past[bots] = past + new[bots]
    shift.at[bots] = tick


def evidence(shift: Shift, tick: int, bots: Ids) -> Floats:
    """In nats, that complaints about the bots have risen."""
    return _now(shift, tick, bots)[0]


def forget(shift: Shift, bots: Ids) -> None:
    """What was held against the bots is dealt with."""
    shift.sum[bots] = 0.0


def _now(shift: Shift, tick: int, bots: Ids) -> tuple[Floats, Floats, Floats, Floats]:
    """The sum and the past as they are now; and the bot's own rate, by how much it would rise."""
    since = np.minimum(tick - shift.at[bots], LONGEST)
    past = shift.past[bots] * _powers()[since]
    own = (past * (1.0 - SLOW) * 433.0 + USUAL * KNOWN) / (433.0 + KNOWN)
    rise = (RISEN - 1.0) * own + LEAST
    left = np.maximum(shift.sum[bots] - rise * since, 0.0)
    return left, past, rise, own


@cache
def _powers() -> Floats:
    """What is left of the past after 0, 1, 2, ... ticks."""
    return np.cumprod(np.concatenate([[1.0], np.full(LONGEST, SLOW)]))
