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
from simulator.consensus.state import settings_for
from simulator.network import Network
from simulator.random_streams import Draw
from simulator.world import Bools, Ids

EVERY = 10
"""Ticks between batches."""
TIMEOUTS = 8
"""A batch is given up after so many time-outs of a leader, and put to the committee again."""
FAULTS = (Fault.SILENT, Fault.EQUIVOCATE, Fault.CONFLICT, Fault.DELAY, Fault.LIE)


@dataclass(slots=True)
class Protocol:
    committee: list[int] = field(default_factory=list)
    """3f+1 bots; the first leads. Nobody before the first election."""
    waiting: list[str] = field(default_factory=list)
    """What it has not decided yet."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the committee made of a batch."""

    took: int | None
    """Milliseconds until it was certain, if it ever was."""
    violations: int


def elected(draw: Draw, eligible: Ids, reputation: Ids, f: int) -> list[int]:
    """A committee in proportion to reputation; of fewer members if there are not enough with any."""
    f = min(f, (int(np.count_nonzero(reputation)) - 1) // 3)
    return [int(b) for b in elect(draw, eligible, reputation, f)] if f >= 1 else []


def agree(
    members: Sequence[int], network: Network, draw: Draw, texts: Sequence[str], byzantine: Bools, now: int
) -> Agreement:
    """Puts a batch to a committee at the millisecond `now`. `byzantine` says of each member of the ecosystem whether it
    is a traitor."""
    if not members:
        return Agreement(None, 0)
    faults = {place: FAULTS[bot % len(FAULTS)] for place, bot in enumerate(members) if byzantine[bot]}
    settings = settings_for(network.latency)
    asked = [Submission(now, members[0], "\n".join(texts))]
    until = now + TIMEOUTS * settings.timeout
    outcome = decide(members, network, draw, asked, faults=faults, settings=settings, until=until)
    certain = outcome.decisions[0].certain
    return Agreement(None if certain is None else certain - now, len(outcome.violations))
