"""The agent layer: bots leave signals on channels and follow them to where work is waiting (stigmergy).

A response is strength x sensitivity, as in the framework's coordination protocol; signals evaporate. Work turns up
somewhere, unannounced, and only those who look after a channel see it; how much of it is taken up in time says how well
the swarm is coordinated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.agents.stigmergy import adapted, deposited, evaporated, responses
from simulator.gateway import Gateway
from simulator.surroundings import HIGHEST, Surroundings
from simulator.world import Bools, Floats, Ids, Swarm

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


def deposit(swarm: Swarm, around: Surroundings, channel: Ids, strength: Ids) -> None:
    """Signals that were allowed add up, those of an alert ecosystem more."""
    swarm.strength = deposited(swarm.strength, channel, adapted(strength, around.alertness / HIGHEST))


def urgency(gateway: Gateway) -> float:
    """How urgent things are, from 0 to 1: an emergency is the highest level."""
    return 1.0 if gateway.read("in_emergency") else int(gateway.read("threat_level")) / HIGHEST


def listen(swarm: Swarm, gateway: Gateway, around: Surroundings, members: int) -> None:
    """What agents have signalled in this tick is read by all, like the signals of bots."""
    for asked in gateway.of_tick("signal"):
        theirs = asked.answers.allowed & (asked.column("principal") >= members)
        deposit(swarm, around, asked.column("channel")[theirs], asked.column("strength")[theirs])


def respond(swarm: Swarm, around: Surroundings, sensitivity: Floats, free: Bools) -> Work:
    """Each free bot turns to one channel, the stronger the likelier, and follows it or does not."""
    demand = float(np.cumsum(swarm.demand)[-1])
    loudest = float(swarm.strength.max())
    work = Work(demand, 0.0)
    if loudest > 0:
        idle = np.flatnonzero(free)
        # Those who would not even follow the loudest channel need not look which one it is.
        willing = idle[around.draw("respond").uniform(idle) < responses(loudest, sensitivity[idle])]
        ends = np.cumsum(swarm.strength)
        where = np.searchsorted(ends, around.draw("where").uniform(willing) * ends[-1], side="right")
        where = np.minimum(where, len(ends) - 1)
        follows = around.draw("follow").uniform(willing) * loudest < swarm.strength[where]
        came = np.bincount(where[follows], minlength=len(ends))
        work = Work(demand, float(np.cumsum(np.minimum(came, swarm.demand))[-1]))
    swarm.strength = evaporated(swarm.strength)
    return work
