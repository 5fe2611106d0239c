"""Owners repair bots that were taken over, once a human has confirmed their quarantine, and a human lets them out."""

from __future__ import annotations

import numpy as np

from simulator.gateway import Gateway
from simulator.surroundings import Surroundings
from simulator.world import Ids, World

REPAIR = 1 / 60
"""How likely a bot is repaired in a tick, once its owner knows."""


def repair(world: World, gateway: Gateway, around: Surroundings, human: int) -> Ids:
    """The bots that were repaired and let out."""
    members = world.members
    if not world.bots.taken_over.any():
        return np.zeros(0, dtype=np.int64)
    known = gateway.read("quarantined")[:members] & gateway.read("by_human")[:members] & world.bots.taken_over
    waiting = np.flatnonzero(known)
    if not len(waiting):
        return waiting
    repaired = waiting[around.draw("repair").bernoulli(waiting, REPAIR)]
    if len(repaired):
        world.bots.taken_over[repaired] = False
        repaired = repaired[gateway.ask("let_out", principal=human, suspect=repaired).allowed]
    return repaired
