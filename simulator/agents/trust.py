"""Trust from dealings: who dealt with whom, and how it went, becomes how far the community trusts each bot.

EigenTrust (Kamvar, Schlosser, Garcia-Molina 2003): everybody trusts those who served them well, and a bot is trusted as
far as those who trust it are. A part `ANCHOR` of all trust comes from bots that are trusted beforehand, so a ring that
praises itself only has what outsiders give it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]

ANCHOR = 0.15
ROUNDS = 20
ENOUGH = 1e-9
"""The change of a round, over all bots, at which no further one is made."""


def eigen_trust(bots: int, asker: Any, asked: Any, good: Any, anchors: Any) -> Floats:
    """The share of all trust that each of `bots` has: numbers from 0 that sum up to 1.

    `asker` dealt with `asked`, and it went well or not; `anchors` are trusted beforehand.
    """
    start = np.zeros(bots)
    start[anchors] = 1.0 / len(anchors)
    if not len(asker):
        return start
    # Each bad dealing takes away a good one; nobody can be trusted less than not at all.
    worth = np.where(good, 1.0, -1.0)
    local = sparse.coo_matrix((worth, (asked, asker)), shape=(bots, bots)).tocsr()
    local.data = np.maximum(local.data, 0.0)
    given = np.bincount(local.indices, weights=local.data, minlength=bots)
    local.data /= np.where(given > 0, given, 1.0)[local.indices]
    silent = given == 0
    trust = start.copy()
    for _ in range(ROUNDS):
        # Who trusts nobody yet trusts whom everybody does.
        idle = float(np.cumsum(trust[silent])[-1]) if silent.any() else 0.0
        found = (1 - ANCHOR) * (local @ trust + idle * start) + ANCHOR * start
        change = float(np.cumsum(np.abs(found - trust))[-1])
        trust = found
        if change < ENOUGH:
            break
    return trust


def standing(values: Floats) -> Floats:
    """Values as ranks between 0 and 1, equal ones alike (the average rank)."""
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    high = np.cumsum(times)
    found: Floats = ((2 * high - times - 1) / (2.0 * max(1, len(values) - 1)))[place]
    return np.minimum(np.maximum(found, 0.0), 1.0)
