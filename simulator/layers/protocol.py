"""The protocol layer: an elected committee decides by Byzantine agreement what takes effect, message by message.

What was approved is put to the committee in batches. Its members are bots, some of which may be traitors; safety is
checked in every batch by an eye that sees all (see `simulator/consensus/run.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.consensus.batch import settle
from simulator.consensus.byzantine import Fault
from simulator.consensus.elect import elect_most
from simulator.network import Network
from simulator.random_streams import Draw
from simulator.world import Bools, Ids

EVERY = 10
"""Ticks between batches."""
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
    return [int(b) for b in elect_most(draw, eligible, reputation, f)]


def traitors(members: Sequence[int] | Ids, byzantine: Bools) -> dict[int, Fault]:
    """The places of traitors in a committee, and what each of them does. `byzantine` says of each member of the
    ecosystem whether it is one."""
    return {place: FAULTS[int(bot) % len(FAULTS)] for place, bot in enumerate(members) if byzantine[bot]}


def agree(
    members: Sequence[int], network: Network, draw: Draw, texts: Sequence[str], byzantine: Bools, now: int
) -> Agreement:
    """Puts a batch to a committee at the millisecond `now`."""
    if not members:
        return Agreement(None, 0)
    found = settle(members, network, draw, members[0], "\n".join(texts), now, traitors(members, byzantine))
    return Agreement(found.certain, len(found.violations))
