"""What attackers do once the attack has begun: the world goes in, who strikes and the messages of attacks come out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.scenario import Stealth
from simulator.surroundings import Surroundings
from simulator.world import NOBODY, Bools, Ids, Kind, World

SPAM = 8
"""Messages of a spammer in a tick in which it strikes."""
CHANCES = {Kind.SPAMMER: 0.5, Kind.PHISHER: 0.6, Kind.EXFILTRATOR: 0.2, Kind.SYBIL: 0.4, Kind.POISONER: 0.5}
"""How often attackers of a kind strike with messages."""
RESTS = 0.3
"""How often a bot that was taken over sends phishing links."""
PATIENCE = 150
"""For so many ticks after the attack has begun a poisoner goes on earning a good name."""
CAMPAIGN = 20
"""Ticks after which attackers take a new link."""
TARGETS = 4
"""Sybils praise so many others of their kind in one go."""


@dataclass(frozen=True, slots=True, eq=False)
class Strike:
    """Who does harm in this tick, of all members."""

    busy: Bools
    """Strikes with messages now, and so does nothing else with them."""
    byzantine: Bools
    """Lies wherever it can: signals, answers, votes, consensus."""


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """The messages of attacks, a row each."""

    sender: Ids
    recipient: Ids
    skill: Ids
    link: Ids
    secret: Bools
    spam: Bools

    @property
    def size(self) -> int:
        return len(self.sender)


def strikes(world: World, around: Surroundings, stealth: Stealth) -> Strike:
    none = np.zeros(world.members, dtype=np.bool_)
    if not around.attack:
        return Strike(none, none)
    chance = stealth.pace * chances(world, around)
    willing = np.flatnonzero(chance)
    busy = none.copy()
    busy[willing] = around.draw("strike").bernoulli(willing, chance[willing])
    return Strike(busy, is_byzantine(world, around.attack))


def chances(world: World, around: Surroundings) -> NDArray[np.float64]:
    """How likely each member strikes with messages in this tick."""
    table = np.zeros(len(Kind))
    for kind, often in CHANCES.items():
        table[kind] = often
    if not _revealed(around):
        table[Kind.POISONER] = 0.0
    chance: NDArray[np.float64] = table[world.bots.kind]
    chance[world.bots.taken_over] = RESTS
    return chance


def is_byzantine(world: World, attack: bool) -> Bools:
    """Who answers wrongly or not at all, and lies in consensus."""
    kind = world.bots.kind
    found: Bools = kind == Kind.BYZANTINE
    return found if attack else np.zeros_like(found)


def bursts(world: World, around: Surroundings, striking: Strike) -> Burst:
    """Spam, phishing, praise among Sybils, and secrets on their way out."""
    strikers = np.flatnonzero(striking.busy)
    kind = world.bots.kind[strikers]
    taken = world.bots.taken_over[strikers]
    spam, sybil, thief = kind == Kind.SPAMMER, kind == Kind.SYBIL, kind == Kind.EXFILTRATOR
    phish = (kind == Kind.PHISHER) | (kind == Kind.POISONER) | taken
    copies = np.where(spam, SPAM, np.where(sybil, TARGETS, 2))
    rows = np.repeat(np.arange(len(strikers)), copies)
    sender = strikers[rows]
    number = np.arange(len(rows), dtype=np.int64)
    draw = around.draw("burst")
    recipient = around.reachable[draw.below(number, len(around.reachable))] if len(rows) else sender
    for friends, among in ((sybil, Kind.SYBIL), (thief, Kind.EXFILTRATOR)):
        circle = np.flatnonzero(world.bots.kind == among)
        inside = friends[rows]
        if len(circle) and inside.any():
            recipient[inside] = circle[around.draw("circle").below(number[inside], len(circle))]
    link = np.full(len(rows), NOBODY, dtype=np.int64)
    bait = phish[rows] | spam[rows]
    link[bait] = world.links.benign + bait_of(world, around, sender[bait])
    return Burst(sender, recipient, _tools(world, around, sender, phish[rows]), link, thief[rows], spam[rows])


def bait_of(world: World, around: Surroundings, senders: Ids) -> Ids:
    """Which harmful link an attacker uses: one of a few, and others after a while, or it would be blocked for good."""
    pool = len(world.links.harmful) - world.links.benign
    generation = around.tick // CAMPAIGN
    found: Ids = (senders % 4 + 4 * generation) % pool
    return found


def in_ring(world: World) -> Bools:
    """Who votes as one."""
    kind = world.bots.kind
    found: Bools = (kind == Kind.SYBIL) | (kind == Kind.COLLUDER)
    return found


def ring_ballots(world: World, around: Surroundings, stealth: Stealth) -> tuple[Ids, Ids]:
    """Which members of rings vote now on which proposal: each proposal is known to all of them at once, and each member
    votes when its turn comes."""
    ring = np.flatnonzero(in_ring(world) & ~around.quarantined)
    lately = np.flatnonzero(around.open_for <= stealth.spread)
    voter, proposal = np.tile(ring, len(lately)), np.repeat(around.open[lately], len(ring))
    if stealth.spread > 1:
        turn = 1 + replace(around.draw("ring turn"), tick=0).below(_ballots(world, proposal, voter), stealth.spread)
        now = turn == np.repeat(around.open_for[lately], len(ring))
        voter, proposal = voter[now], proposal[now]
    votes = takes_part(world, around, stealth, proposal, voter)
    return voter[votes], proposal[votes]


def takes_part(world: World, around: Surroundings, stealth: Stealth, proposal: Ids, voter: Ids) -> Bools:
    """Whether a member of a ring votes on a proposal at all: the same in each tick."""
    numbers = _ballots(world, proposal, voter)
    return replace(around.draw("ring turnout"), tick=0).bernoulli(numbers, stealth.turnout)


def _ballots(world: World, proposal: Ids, voter: Ids) -> Ids:
    """A number for each proposal and member."""
    return proposal * world.members + voter


def _tools(world: World, around: Surroundings, senders: Ids, phish: Bools) -> Ids:
    """Phishers prefer a skill that is on their side, while there is one."""
    skill = np.zeros(len(senders), dtype=np.int64)
    bad = around.live[world.skills.harmful[around.live]]
    if len(bad):
        mine = phish & (senders % 2 == 0)
        skill[mine] = bad[senders[mine] % len(bad)]
    return skill


def _revealed(around: Surroundings) -> bool:
    """Whether poisoners show their face by now."""
    return around.attack and around.tick >= around.began + PATIENCE
