"""The agent layer: bots leave signals on channels and follow them to where work is waiting (stigmergy).

A response is strength x sensitivity, as in the framework's coordination protocol; signals evaporate. Work turns up
somewhere, unannounced, and only those who look after a channel see it; how much of it is taken up in time says how well
the swarm is coordinated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.surroundings import Surroundings
from simulator.world import Bools, Floats, Ids, Swarm

EVAPORATION = 0.8
"""What is left of a signal after a tick."""
STRONGEST = 1_000.0
"""No channel gets louder than this, whoever shouts."""
SPELL = 40
"""Ticks for which work goes on turning up in one place."""
RARITY = 25
"""So many ticks pass between two such spells, on average, for all channels together."""
LOAD = 0.01
"""Bots that a spell needs, as a share of all."""


@dataclass(frozen=True, slots=True)
class Work:
    demand: float = 0.0
    served: float = 0.0


def turn_up(swarm: Swarm, around: Surroundings) -> None:
    """Work begins somewhere, and ends elsewhere."""
    swarm.lasting = np.maximum(swarm.lasting - 1, 0)
    channels = np.arange(len(swarm.demand), dtype=np.int64)
    begins = around.draw("work").bernoulli(channels, 1 / (RARITY * len(channels))) & (swarm.lasting == 0)
    swarm.lasting[begins] = SPELL
    swarm.demand = np.where(swarm.lasting > 0, max(1.0, LOAD * len(around.everybody)), 0.0)


def deposit(swarm: Swarm, channel: Ids, strength: Ids) -> None:
    """Signals that were allowed add up."""
    found = np.bincount(channel, weights=strength.astype(np.float64), minlength=len(swarm.strength))
    swarm.strength = np.minimum(swarm.strength + found, STRONGEST)


def respond(swarm: Swarm, around: Surroundings, sensitivity: Floats, free: Bools) -> Work:
    """Free bots follow the signals, in proportion to their strength; then the signals evaporate."""
    total = float(np.cumsum(swarm.strength)[-1])
    demand = float(np.cumsum(swarm.demand)[-1])
    work = Work(demand, 0.0)
    if total > 0:
        idle = np.flatnonzero(free)
        # Half of the bots answer a channel of strength 100, those that are sensitive sooner.
        urge = total / (100.0 + total)
        coming = idle[around.draw("respond").uniform(idle) < urge * sensitivity[idle]]
        where = np.searchsorted(np.cumsum(swarm.strength), around.draw("where").uniform(coming) * total, side="right")
        came = np.bincount(np.minimum(where, len(swarm.strength) - 1), minlength=len(swarm.strength))
        work = Work(demand, float(np.cumsum(np.minimum(came, swarm.demand))[-1]))
    swarm.strength = swarm.strength * EVAPORATION
    return work
