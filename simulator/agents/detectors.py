"""How far bots are from their peers: rates that a gateway observed go in, robust distances come out.

NOTE(root-scale): A faded count of independent events has a variance in proportion to its mean, so its square root has
the same deviation wherever it lies: `EVENT`, for counts that fade by `FADE` a tick. Distances are between square roots,
in units of what the peers vary among themselves (median absolute deviation; Hampel 1974, Iglewicz and Hoaglin 1993),
but never of less than `EVENT`: where peers do nothing at all, a single event is not yet strange.

Medians are those of a sample, and only square roots, additions in a row and divisions are made, so they are the same
bits on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.observe import RATES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EVENT = 0.36
"""The deviation of the root of a faded count: sqrt(1 / (4 (1 + FADE)))."""
NORMAL = 1.4826
"""The deviation of a normal variable, in units of its median absolute deviation."""


class Excess(NamedTuple):
    """More of something than what somebody who does so much of the others gets."""

    of: str
    among: tuple[str, ...]


EXCESSES = (
    Excess("complaints", ("messages", "calls")),
    Excess("failures", ("received",)),
    Excess("secrets", ("messages",)),
    Excess("dissent", ("votes",)),
    Excess("denied", ("messages", "calls", "signals", "votes")),
)
ROWS = (*RATES, "received")
"""The rates that are looked at: what is observed, and the messages that a bot was sent."""
ROW = {name: at for at, name in enumerate(ROWS)}
OTHERS = [[ROW[name] for name in e.among] for e in EXCESSES]
FAR = 3.0
"""So many deviations above its peers somebody is looked at."""
LOUD = 2.5
"""So many deviations above its peers somebody who sends is loud."""
SMOOTH = 5.0
"""Events that are added to what a share is a share of: one complaint about one message is not a share of 1."""


def _zeros(n: int) -> Floats:
    return np.zeros(n)


@dataclass(slots=True)
class Peers:
    """What members are like, by a sample of them."""

    tick: int = -1
    """When they were looked at; -1 is never."""
    middle: Floats = field(default_factory=lambda: _zeros(len(ROWS)))
    """The median of the root of each rate."""
    spread: Floats = field(default_factory=lambda: _zeros(len(ROWS)))
    share: Floats = field(default_factory=lambda: _zeros(len(EXCESSES)))
    """So many complaints (failures, ...) come with one message (request, ...)."""
    share_spread: Floats = field(default_factory=lambda: _zeros(len(EXCESSES)))
    gates: Floats = field(default_factory=lambda: _zeros(len(ROWS)))
    """From here on a rate is `FAR` above the peers."""
    loud: float = 0.0
    """From here on somebody sends far more than others."""


def median(values: Floats) -> Floats:
    """The lower median of each row, without sorting the rest."""
    middle = (values.shape[-1] - 1) // 2
    found: Floats = np.partition(values, middle, axis=-1)[..., middle]
    return found


def look(rates: Floats, tick: int) -> Peers:
    """What the members are like whose rates are the columns; there is at least one."""
    roots = np.sqrt(rates)
    middle = median(roots)
    spread = np.maximum(NORMAL * median(np.abs(roots - middle[:, None])), EVENT)
    share, share_spread = np.zeros(len(EXCESSES)), np.zeros(len(EXCESSES))
    for at, excess in enumerate(EXCESSES):
        of, among = rates[ROW[excess.of]], _among(rates, at)
        # It begins with the better half, which is honest as long as most are; whoever does not stand out from those is
        # ordinary, too. Who begins with all finds that it is ordinary to attack where many do.
        ratio, beyond = of / among, of
        ordinary = ratio <= median(ratio)
        for _ in range(3):
            share[at] = _sum(of[ordinary]) / _sum(among[ordinary])
            beyond = (np.sqrt(of) - np.sqrt(share[at] * among)) / EVENT
            ordinary = beyond < 2.5
            if not ordinary.any():
                ordinary[:] = True
                break
        share_spread[at] = max(1.0, NORMAL * float(median(np.abs(beyond - median(beyond)))))
    peers = Peers(tick, middle, spread, share, share_spread)
    peers.gates, peers.loud = gates(peers, FAR), float(gates(peers, LOUD)[ROW["messages"]])
    return peers


def beyond_peers(peers: Peers, rates: Floats) -> Floats:
    """How far each rate of each column is above that of its peers, in deviations."""
    found: Floats = (np.sqrt(rates) - peers.middle[:, None]) / peers.spread[:, None]
    return found


def beyond_share(peers: Peers, rates: Floats) -> Floats:
    """A row for each of `EXCESSES`: how much more there is of it than what belongs to so much of the others."""
    found = np.empty((len(EXCESSES), rates.shape[1]))
    for at, excess in enumerate(EXCESSES):
        expected = peers.share[at] * _among(rates, at)
        found[at] = (np.sqrt(rates[ROW[excess.of]]) - np.sqrt(expected)) / (EVENT * peers.share_spread[at])
    return found


def gates(peers: Peers, far: float) -> Floats:
    """For each of `ROWS` the rate from which on a member is looked at: where it is `far` deviations above its peers.

    What comes in shares (complaints, failures, ...) is looked at where it is more than a peer in the middle would get,
    for the many who have none of it say nothing about those who do much.
    """
    found: Floats = np.square(peers.middle + far * peers.spread)
    for at, excess in enumerate(EXCESSES):
        among = SMOOTH + float(np.cumsum(np.square(peers.middle[OTHERS[at]]))[-1])
        low = np.square(np.sqrt(peers.share[at] * among) + far * EVENT * peers.share_spread[at])
        found[ROW[excess.of]] = min(found[ROW[excess.of]], low)
    return found


def shares(rates: Floats) -> Floats:
    """A row for each of `EXCESSES`: what share it is of the others, or 1 if it is more."""
    found = [rates[ROW[e.of]] / (_among(rates, at) - SMOOTH + 1.0) for at, e in enumerate(EXCESSES)]
    return np.asarray(np.minimum(np.array(found), 1.0))


def features(rates: Floats) -> NDArray[np.float32]:
    """What the isolation forest sees of each column of rates, as a row: roots of rates, and shares."""
    found: NDArray[np.float32] = np.concatenate([np.sqrt(rates), shares(rates)]).T.astype(np.float32)
    return found


def _among(rates: Floats, at: int) -> Floats:
    """What an excess is an excess over, smoothed."""
    found: Floats = rates[OTHERS[at][0]] + SMOOTH
    for row in OTHERS[at][1:]:
        found += rates[row]
    return found


def _sum(values: Floats) -> float:
    """`sum` adds in an order that may differ between machines, `cumsum` adds in a row."""
    return float(np.cumsum(values)[-1]) if values.size else 0.0
