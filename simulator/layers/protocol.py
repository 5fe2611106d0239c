"""The protocol layer: an elected committee decides by Byzantine agreement what takes effect, message by message.

What was approved is put to the committee in batches. Its members are bots, some of which may be traitors; safety is
checked in every batch by an eye that sees all (see `simulator/consensus/run.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.consensus.byzantine import Fault
from simulator.consensus.elect import elect
from simulator.consensus.outcome import Submission
from simulator.consensus.run import decide
from simulator.network import Network
from simulator.random_streams import Draw
from simulator.world import Bools, Ids

EVERY = 10
"""Ticks between batches."""
PATIENCE = 30_000
"""Milliseconds after which a batch that the committee could not decide is put to it again, in the next batch."""
FAULTS = (Fault.SILENT, Fault.EQUIVOCATE, Fault.CONFLICT, Fault.DELAY, Fault.LIE)


@dataclass(slots=True)
class Protocol:
    committee: list[int] = field(default_factory=list)
    """3f+1 bots; the first leads. Nobody before the first election."""
    waiting: list[str] = field(default_factory=list)
    """What it has not decided yet."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the committee made of a batch: for each text the milliseconds until it was certain, or -1."""

    took: tuple[int, ...]
    violations: int
    traitors: int
    messages: int


def elected(draw: Draw, eligible: Ids, reputation: Ids, f: int) -> list[int]:
    """A committee in proportion to reputation; of fewer members if there are not enough with any."""
    f = min(f, (int(np.count_nonzero(reputation)) - 1) // 3)
    return [int(b) for b in elect(draw, eligible, reputation, f)] if f >= 1 else []


def agree(
    protocol: Protocol, network: Network, draw: Draw, texts: Sequence[str], byzantine: Bools, now: int
) -> Agreement:
    """Puts texts to the committee. `byzantine` says of each member of the ecosystem whether it is a traitor."""
    members = protocol.committee
    if not members:
        return Agreement((-1,) * len(texts), 0, 0, 0)
    faults = {place: FAULTS[bot % len(FAULTS)] for place, bot in enumerate(members) if byzantine[bot]}
    # Each batch has its own clock, on which the partitions of the run are where they are seen from now.
    asked = [Submission(0, members[i % len(members)], text) for i, text in enumerate(texts)]
    outcome = decide(members, _seen_from(network, now), draw, asked, faults=faults, until=PATIENCE)
    took = tuple(-1 if d.certain is None else d.certain for d in outcome.decisions)
    return Agreement(took, len(outcome.violations), len(faults), outcome.delivered)


def _seen_from(network: Network, now: int) -> Network:
    if not network.partitions:
        return network
    moved = tuple(type(p)(max(0, p.begin - now), p.end - now, p.groups) for p in network.partitions if p.end > now)
    return Network(network.latency, network.loss, network.duplicates, moved, network.holds)
