"""What bots want to do in a tick: the world goes in, columns of requests to the gateway come out.

Attackers behave like honest bots until the attack begins, and what an attack is made of is in `attacks.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.attacks import Strike, bursts, in_ring, ring_ballots, strikes, takes_part
from simulator.scenario import Scenario, Stealth
from simulator.surroundings import Surroundings
from simulator.world import NOBODY, Bools, Ids, Kind, World

LINKS = 0.02
"""The share of honest messages with a link."""
SLIPS = 0.0005
"""The share of honest messages in which a secret has slipped."""
SPOTTED = 0.7
"""The share of secrets that the gateway recognises as such, when somebody hides them; of slips it sees all."""

MESSENGER = 0
"""The skill with which bots send messages; it comes with the ecosystem."""


@dataclass(frozen=True, slots=True, eq=False)
class Sends:
    """Messages, a row each. `seen` says that the gateway recognises a secret in it, `secret` that there is one."""

    sender: Ids
    recipient: Ids
    skill: Ids
    link: Ids
    seen: Bools
    secret: Bools
    spam: Bools
    request: Bools
    """Whether the sender needs an answer."""

    @property
    def size(self) -> int:
        return len(self.sender)


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Ballots, a row each: who casts it, and whose it is."""

    caster: Ids
    voter: Ids
    proposal: Ids
    support: Bools

    @property
    def size(self) -> int:
        return len(self.voter)


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    sender: Ids
    channel: Ids
    strength: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Intents:
    sends: Sends
    user: Ids
    skill: Ids
    """The skill that each user uses."""
    votes: Votes
    signals: Signals


def intents(scenario: Scenario, world: World, around: Surroundings) -> Intents:
    """What all bots want in this tick."""
    draw, chances = around.draw, scenario.activity
    words = draw("act").words(around.everybody)
    acting = np.flatnonzero((words >> np.uint64(40)).astype(np.float64) * 2.0**-24 < world.bots.activity)
    # What a bot does beside is independent: other bits of the same word.
    word = words[acting]
    message, skill, signal, vote = (
        acting[_share(word, 10 * i) < p]
        for i, p in enumerate((chances.message, chances.skill, chances.signal, chances.vote))
    )
    striking = strikes(world, around, scenario.stealth)
    return Intents(
        _sends(world, around, message, striking),
        skill,
        _skills(around, skill),
        _votes(world, around, scenario.stealth, vote),
        _signals(world, around, signal, striking),
    )


def _share(words: NDArray[np.uint64], shift: int) -> NDArray[np.float64]:
    """Ten bits of each word as a number in [0, 1)."""
    return ((words >> np.uint64(shift)) & np.uint64(1023)).astype(np.float64) / 1024.0


def _sends(world: World, around: Surroundings, senders: Ids, striking: Strike) -> Sends:
    draw = around.draw
    senders = senders[~striking.busy[senders]]
    words = draw("message").words(senders)
    recipients = around.reachable[(words % np.uint64(len(around.reachable))).astype(np.int64)]
    link = np.full(len(senders), NOBODY, dtype=np.int64)
    with_link = _share(words, 50) < LINKS
    link[with_link] = (words[with_link] >> np.uint64(32)).astype(np.int64) % world.links.benign
    slipped = draw("slip").bernoulli(senders, SLIPS) if len(senders) else np.zeros(0, dtype=np.bool_)
    none = np.zeros(len(senders), dtype=np.bool_)
    honest = Sends(
        senders,
        recipients,
        np.full(len(senders), MESSENGER, dtype=np.int64),
        link,
        slipped,
        slipped,
        none,
        ~none,
    )
    burst = bursts(world, around, striking)
    if not burst.size:
        return honest
    hidden = burst.secret & draw("hidden").bernoulli(np.arange(burst.size), 1 - SPOTTED)
    return Sends(
        np.concatenate([senders, burst.sender]),
        np.concatenate([recipients, burst.recipient]),
        np.concatenate([honest.skill, burst.skill]),
        np.concatenate([link, burst.link]),
        np.concatenate([slipped, burst.secret & ~hidden]),
        np.concatenate([slipped, burst.secret]),
        np.concatenate([none, burst.spam]),
        np.concatenate([~none, np.zeros(burst.size, dtype=np.bool_)]),
    )


def _skills(around: Surroundings, users: Ids) -> Ids:
    words = around.draw("skill").words(users)
    found: Ids = around.live[(words % np.uint64(len(around.live))).astype(np.int64)] if len(around.live) else users * 0
    return found


def _votes(world: World, around: Surroundings, stealth: Stealth, voters: Ids) -> Votes:
    """Those who vote look at one open proposal each; rings are told of each proposal at once, and all of them vote."""
    if not len(around.open):
        none = np.zeros(0, dtype=np.int64)
        return Votes(none, none, none, np.zeros(0, dtype=np.bool_))
    bots, good = world.bots, world.proposals.good
    voters = voters[(bots.kind[voters] != Kind.LAZY) & (around.representative[voters] == NOBODY)]
    words = around.draw("vote").words(voters)
    proposal = around.open[(words % np.uint64(len(around.open))).astype(np.int64)]
    right = (words >> np.uint64(40)).astype(np.float64) * 2.0**-24 < bots.accuracy[voters]
    support = good[proposal] == right
    if around.attack:
        kind = bots.kind[voters]
        wrecking = (kind == Kind.SYBIL) | (kind == Kind.COLLUDER) | (kind == Kind.BYZANTINE)
        support = np.where(wrecking, ~good[proposal], support)
        kept = ~in_ring(world)[voters] | takes_part(world, around, stealth, proposal, voters)
        voters, proposal, support = voters[kept], proposal[kept], support[kept]
        ring, theirs = ring_ballots(world, around, stealth)
        voters, proposal = np.concatenate([ring, voters]), np.concatenate([theirs, proposal])
        support = np.concatenate([~good[theirs], support])
    fresh = (around.ballot[proposal, voters] == 0) & (around.weight[proposal, voters] > 0)
    voters, proposal, support = voters[fresh], proposal[fresh], support[fresh]
    return _with_proxies(around, Votes(voters, voters, proposal, support))


def _with_proxies(around: Surroundings, own: Votes) -> Votes:
    """Whoever represents others votes for them, too, as it votes itself."""
    members = np.flatnonzero(around.representative != NOBODY)
    last = np.full(len(around.everybody), NOBODY, dtype=np.int64)
    last[own.caster] = np.arange(own.size)
    place = last[around.representative[members]]
    members, place = members[place != NOBODY], place[place != NOBODY]
    if not len(members):
        return own
    return Votes(
        np.concatenate([own.caster, own.caster[place]]),
        np.concatenate([own.voter, members]),
        np.concatenate([own.proposal, own.proposal[place]]),
        np.concatenate([own.support, own.support[place]]),
    )


def _signals(world: World, around: Surroundings, senders: Ids, striking: Strike) -> Signals:
    """Bots look after a channel each and say how much work they see there; Byzantine ones cry wolf."""
    channels = len(world.swarm.demand)
    channel = senders % channels
    seen = np.minimum(100, world.swarm.demand[channel]).astype(np.int64)
    lying = striking.byzantine[senders]
    channel = np.where(lying, around.draw("lie").below(senders, channels), channel)
    strength = np.where(lying, 100, seen)
    worth = strength > 0
    return Signals(senders[worth], channel[worth], strength[worth])
