"""What a tick starts from: the state of the policy and the world, looked at once for all who need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.gateway import Gateway
from simulator.random_streams import Draw
from simulator.scenario import Scenario
from simulator.world import Bools, Ids, World

VOTING_OPEN = "VotingOpen"
HIGHEST = 3
"""The highest level of threat."""
MORE_TRUST = 5
"""So much more trust a skill needs for each level of threat, says the policy."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    tick: int
    now: int
    """Milliseconds at the beginning of the tick."""
    attack: bool
    """Whether attackers do harm by now."""
    began: int
    """The tick from which on they do."""
    draw: Callable[[str], Draw]
    everybody: Ids
    reachable: Ids
    """The members to whom one can turn: all that are not in quarantine."""
    quarantined: Bools
    """Of each member."""
    live: Ids
    """The skills that can be used."""
    open: Ids
    """The proposals on which voting is open."""
    open_for: Ids
    """For how many ticks it has been open, for each of them."""
    ballot: NDArray[Any]
    """What each bot voted on each proposal: 0 for nothing yet."""
    weight: NDArray[Any]
    """What each bot's vote on each proposal is worth."""
    representative: Ids
    """Who votes for each member, or -1."""
    alertness: int
    """The level of threat, and the highest in an emergency, as the policy has it."""
    trusted: int
    """The trust that a skill needs by now."""


def look(scenario: Scenario, world: World, gateway: Gateway, tick: int, draw: Callable[[str], Draw]) -> Surroundings:
    """The surroundings at the beginning of a tick."""
    members = world.members
    everybody = np.arange(members, dtype=np.int64)
    quarantined = gateway.read("quarantined")[:members]
    reachable = np.flatnonzero(~quarantined) if quarantined.any() else everybody
    alertness = HIGHEST if gateway.read("in_emergency") else int(gateway.read("threat_level"))
    trusted = gateway.parameter("MIN_TRUST") + MORE_TRUST * alertness
    live = np.flatnonzero((gateway.read("trust") >= trusted) & ~gateway.read("disabled"))
    voting = np.flatnonzero(gateway.read("stage") == gateway.case("stage", VOTING_OPEN))
    return Surroundings(
        tick,
        gateway.now,
        tick >= scenario.attack_begins,
        scenario.attack_begins,
        draw,
        everybody,
        reachable if len(reachable) else everybody,
        quarantined,
        live[live < len(world.skills.developer)],
        voting,
        (gateway.now - gateway.read("vote_start")[voting].astype(np.int64)) // scenario.tick_ms,
        gateway.read("ballot"),
        gateway.read("snapshot"),
        gateway.read("representative.value")[:members],
        alertness,
        trusted,
    )
