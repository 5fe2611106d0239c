"""Links and skills: how often they are used and complained about goes in, what patterns may look at comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.agents.detectors import EVENT, median
from simulator.observe import FADE

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

USUAL, KNOWN = 0.005, 20.0
"""Complaints per use where nothing is known, and how many uses that weighs."""


def _floats() -> Floats:
    return np.zeros(0)


@dataclass(slots=True)
class Things:
    """What is known of each skill, or of each link."""

    seen_uses: Floats = field(default_factory=_floats)
    seen_complaints: Floats = field(default_factory=_floats)
    """The faded counts at the last tick."""
    uses: Floats = field(default_factory=_floats)
    complaints: Floats = field(default_factory=_floats)
    """Counts that fade as we want them to."""
    risk: Floats = field(default_factory=_floats)
    """By Intelligence."""
    bad: Floats = field(default_factory=_floats)
    """How bad it was ever held to be, from 0 to 1."""
    quiet_until: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def grow(things: Things, size: int) -> None:
    """There may be more of them now."""
    more = size - things.bad.size
    if more <= 0:
        return
    for name in ("seen_uses", "seen_complaints", "uses", "complaints", "risk", "bad", "quiet_until"):
        array = getattr(things, name)
        setattr(things, name, np.concatenate([array, np.zeros(more, dtype=array.dtype)]))


def hear(things: Things, uses: Floats, complaints: Floats, fade: float) -> None:
    """The faded counts of this tick; what is above the last ones faded is new."""
    for old, count, seen in (
        (things.uses, uses, things.seen_uses),
        (things.complaints, complaints, things.seen_complaints),
    ):
        new = count - FADE * seen
        # What is left after a count was faded is no event.
        new[new < 0.25] = 0.0
        old *= fade
        old += new
        seen[:] = count


def suspects(things: Things, tick: int) -> Ids:
    """Those about which there are complaints, or a word from Intelligence."""
    found: Ids = np.flatnonzero(((things.complaints > 1.5) | (things.risk > 0.5)) & (things.quiet_until <= tick))
    return found


def seen(things: Things, some: Ids) -> Floats:
    """Uses, complaints, their share, how far that is beyond what is usual, and how far the uses are."""
    share, typical = _usual(things)
    u, c = things.uses[some], things.complaints[some]
    excess = (np.sqrt(c) - np.sqrt(share * (u + 1.0))) / EVENT
    return np.array([u, c, c / (u + 1.0), excess, (np.sqrt(u) - np.sqrt(typical)) / (2.0 * EVENT)])


def _usual(things: Things) -> tuple[float, float]:
    """Complaints per use where they are few, and how often something is used that is used at all."""
    used = np.flatnonzero(things.uses > 0.5)
    if not used.size:
        return USUAL, 1.0
    u, c = things.uses[used], things.complaints[used]
    calm = np.flatnonzero(c * 10.0 <= u + 10.0)
    # `cumsum` adds in a row, `sum` in an order that may differ between machines.
    uses, complaints = (float(np.cumsum(a[calm])[-1]) if calm.size else 0.0 for a in (u, c))
    return (complaints + USUAL * KNOWN) / (uses + KNOWN), float(median(u))
