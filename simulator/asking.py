"""A tick's mass of requests: what bots want goes to the gateway, and what is allowed takes its course in the world."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator import behaviour, delivery, hindsight, market
from simulator.agents.base import Happening
from simulator.behaviour import Sends, Signals, Votes
from simulator.gateway import Gateway
from simulator.hindsight import Ledger
from simulator.layers import swarm
from simulator.mailbox import take
from simulator.network import Network
from simulator.random_streams import Draw
from simulator.scenario import Scenario
from simulator.surroundings import Surroundings
from simulator.world import NOBODY, Bools, Ids, Kind, World


def ask(
    scenario: Scenario, world: World, gateway: Gateway, network: Network, around: Surroundings, ledger: Ledger
) -> list[Happening]:
    """Messages arrive, bots intend, the gateway decides, and the world feels it; who did harm for the first time."""
    effects = delivery.arrive(world, around, scenario.mistakes, take(world.mail, around.tick))
    ledger.add("delivered", effects.delivered)
    ledger.add("service_kept", effects.answered)
    wanted = behaviour.intents(scenario, world, around)
    _vote(world, gateway, ledger, wanted.votes)
    _signal(world, gateway, around, ledger, wanted.signals)
    leaked = _use(scenario, world, gateway, around, ledger, wanted.user, wanted.skill)
    ledger.add("secrets_leaked", leaked + effects.leaked)
    sent = _send(world, gateway, wanted.sends)
    delivery.dispatch(world, network, around, scenario.tick_ms, wanted.sends, sent)
    harmful = hindsight.of_sends(ledger, world, wanted.sends, sent)
    attackers = wanted.sends.sender[harmful & (world.bots.kind[wanted.sends.sender] > Kind.LAZY)]
    return hindsight.first_harms(world, np.concatenate([attackers, effects.failed]), around.tick, gateway.now)


def _vote(world: World, gateway: Gateway, ledger: Ledger, votes: Votes) -> None:
    own = votes.caster == votes.voter
    voter, proposal, support = votes.voter[own], votes.proposal[own], votes.support[own]
    counted = gateway.ask("vote", principal=voter, proposal=proposal, support=support)
    ledger.add("votes", counted.count)
    world.observed.add("votes", voter[counted.allowed])
    proxy = ~own
    if proxy.any():
        proposal, support = votes.proposal[proxy], votes.support[proxy]
        caster, member = votes.caster[proxy], votes.voter[proxy]
        counted = gateway.ask("vote_for", principal=caster, member=member, proposal=proposal, support=support)
        ledger.add("votes", counted.count)


def _signal(world: World, gateway: Gateway, around: Surroundings, ledger: Ledger, signals: Signals) -> None:
    given = gateway.ask("signal", principal=signals.sender, channel=signals.channel, strength=signals.strength)
    ledger.add("signals", given.count)
    swarm.deposit(world.swarm, around, signals.channel[given.allowed], signals.strength[given.allowed])
    world.observed.add("signals", signals.sender[given.allowed])


def _use(
    scenario: Scenario,
    world: World,
    gateway: Gateway,
    around: Surroundings,
    ledger: Ledger,
    users: Ids,
    skills: Ids,
) -> int:
    """So many secrets leak."""
    used = gateway.ask("use_skill", principal=users, skill=skills).allowed
    hindsight.of_skills(ledger, world, users, skills, used)
    world.observed.add("denied", users[~used])
    world.observed.add("calls", users[used])
    return delivery.run_skills(world, around, scenario.mistakes, users[used], skills[used])


def _send(world: World, gateway: Gateway, sends: Sends) -> Bools:
    """Which messages are allowed."""
    sent = gateway.ask(
        "send",
        principal=sends.sender,
        recipient=sends.recipient,
        skill=sends.skill,
        link=sends.link,
        secret=sends.seen,
    ).allowed
    observed, linked = world.observed, sends.link != NOBODY
    observed.add("messages", sends.sender[sent])
    observed.add("fanout", _senders_of_pairs(sends, sent))
    observed.add("links", sends.sender[linked])
    observed.add("secrets", sends.sender[sends.seen])
    observed.add("denied", sends.sender[~sent])
    passed = sends.link[sent & linked]
    observed.link_senders += np.bincount(passed, minlength=len(observed.link_senders))
    return sent


def _senders_of_pairs(sends: Sends, sent: Bools) -> Ids:
    """Who sent allowed messages, once for each bot to whom it did."""
    pairs = np.sort(sends.sender[sent] << 32 | sends.recipient[sent])
    other = np.ones(len(pairs), dtype=np.bool_)
    np.not_equal(pairs[1:], pairs[:-1], out=other[1:])
    found: Ids = pairs[other] >> 32
    return found


def offer_skills(
    scenario: Scenario,
    world: World,
    gateway: Gateway,
    around: Surroundings,
    draw: Callable[[str], Draw],
    reviewer: int | None,
) -> None:
    """New skills are handed in; with a `reviewer`, somebody looks at them who sees little."""
    rate = scenario.skills.new_per_tick
    count = int(rate) + int(draw("new skills").bernoulli(np.zeros(1, dtype=np.int64), rate - int(rate))[0])
    if not count:
        return
    numbers = market.submit(scenario, world, gateway, around, count)
    if reviewer is not None:
        market.review(scenario, gateway, around, reviewer, numbers)
