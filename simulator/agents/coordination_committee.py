"""The committee of Coordination: reputations go in, members come out; a batch goes in, how it was decided comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.agents.base import View
from simulator.consensus.batch import Settled, settle
from simulator.consensus.byzantine import Fault
from simulator.consensus.elect import elect_most
from simulator.network import Network
from simulator.random_streams import Ids


@dataclass(slots=True)
class Committee:
    members: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """3f+1 bots, the first of which leads; or nobody."""
    since: int = -1
    """The tick of the election."""
    term: int = 0
    failed: bool = False
    """Whether it could not decide in time."""


class Ruling(NamedTuple):
    """What was decided, and the millisecond from which on it counts."""

    ready: int
    texts: tuple[str, ...]


def elected(before: Committee, view: View, f: int) -> Committee:
    """The next committee: members of the ecosystem by reputation, nobody who is in quarantine or suspended.

    It has fewer than 3f+1 members where there are not enough, and nobody if there are not even four. Whoever sat in a
    committee that failed is passed over while there are enough others.
    """
    n = view.members
    able = ~view.gateway.read("quarantined")[:n] & ~view.gateway.read("suspended")[:n]
    weight = np.where(able, np.maximum(view.gateway.read("reputation")[:n], 0), 0)
    if before.failed:
        rested = weight.copy()
        rested[before.members] = 0
        if np.count_nonzero(rested) >= 3 * f + 1:
            weight = rested
    term = before.term + 1
    return Committee(elect_most(view.draw(f"committee {term}"), np.arange(n), weight, f), view.tick, term)


def decide_in(
    committee: Committee, view: View, network: Network, text: str, faults: Mapping[int, Fault], patience: int
) -> Settled:
    """Has the committee decide one text, from the millisecond at which the tick begins."""
    draw = view.draw(f"consensus {committee.term}")
    return settle(committee.members.tolist(), network, draw, view.me, text, view.gateway.now, faults, patience)
