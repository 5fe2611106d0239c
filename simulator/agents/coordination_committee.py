"""The committee of Coordination: reputations go in, members come out; a batch goes in, how it was decided comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.agents.base import View
from simulator.consensus.byzantine import Fault
from simulator.consensus.elect import elect
from simulator.consensus.outcome import Submission
from simulator.consensus.run import decide
from simulator.consensus.state import Settings, settings_for
from simulator.network import Network
from simulator.random_streams import Ids

TIMEOUTS = 8
"""So many time-outs of a leader fit into the patience with a committee: a few changes of views."""


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


class Found(NamedTuple):
    """How the committee did."""

    certain: int | None
    """Milliseconds until f+1 correct members had the decision, if they ever did."""
    took: int
    views: int
    messages: int
    violations: tuple[str, ...]


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
    f = min(f, (int(np.count_nonzero(weight)) - 1) // 3)
    if f < 1:
        return Committee(since=view.tick, term=term)
    bots = np.flatnonzero(weight)
    return Committee(elect(view.draw(f"committee {term}"), bots, weight[bots], f), view.tick, term)


def decide_in(
    committee: Committee, view: View, network: Network, text: str, faults: Mapping[int, Fault], patience: int
) -> Found:
    """Has the committee decide one text, from the millisecond at which the tick begins."""
    settings: Settings = settings_for(network.latency)
    start = view.gateway.now
    until = start + (patience or TIMEOUTS * settings.timeout)
    found = decide(
        committee.members.tolist(),
        network,
        view.draw(f"consensus {committee.term}"),
        [Submission(start, view.me, text)],
        faults=faults,
        settings=settings,
        until=until,
    )
    certain = found.decisions[0].certain
    correct = [v for m, v in enumerate(found.views) if m not in faults]
    return Found(
        None if certain is None else certain - start,
        (until if certain is None else certain) - start,
        max(correct, default=0),
        sum(found.messages.values()),
        found.violations,
    )
