"""What is forgiven: the rates of bots that were let out go in, and are taken off their rates from then on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from simulator.agents.detectors import ROWS
from simulator.observe import FADE

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

FORGOTTEN = 200
"""Ticks after which nothing is left to be taken off."""


@dataclass(slots=True)
class Pardons:
    """Bots, in order, when each was pardoned, and what its rates were then."""

    bots: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    tick: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    rates: Floats = field(default_factory=lambda: np.zeros((len(ROWS), 0)))


def pardon(pardons: Pardons, tick: int, bots: Ids, rates: Floats) -> Pardons:
    """These bots start afresh; who has for long is no longer remembered."""
    kept = (tick - pardons.tick <= FORGOTTEN) & ~np.isin(pardons.bots, bots)
    if kept.all() and not bots.size:
        return pardons
    all_bots = np.concatenate([pardons.bots[kept], bots])
    ticks = np.concatenate([pardons.tick[kept], np.full(bots.size, tick)])
    order = np.argsort(all_bots)
    all_rates = np.concatenate([pardons.rates[:, kept], rates], axis=1)
    return Pardons(all_bots[order], ticks[order], np.ascontiguousarray(all_rates[:, order]))


def take_off(pardons: Pardons, tick: int, bots: Ids, rates: Floats) -> None:
    """Takes what is forgiven off the rates of the bots, which are the columns."""
    if not pardons.bots.size:
        return
    place = np.minimum(np.searchsorted(pardons.bots, bots), pardons.bots.size - 1)
    mine = np.flatnonzero(pardons.bots[place] == bots)
    place = place[mine]
    rates[:, mine] -= pardons.rates[:, place] * _faded()[np.minimum(tick - pardons.tick[place], FORGOTTEN)]


@cache
def _faded() -> Floats:
    """What is left of a count after 0, 1, 2, ... ticks."""
    return np.cumprod(np.concatenate([[1.0], np.full(FORGOTTEN, FADE)]))
