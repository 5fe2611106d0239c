"""The community layer: proposals are written, voted on, decided, watched and answered for, all by governed actions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.gateway import Gateway
from simulator.market import reserve
from simulator.scenario import Scenario
from simulator.surroundings import Surroundings
from simulator.world import NOBODY, Bools, Ids, Kind, World, extended

ORDINARY, PARAMETERS = 0, 1
"""What a proposal is about: something ordinary, or a parameter of the policy."""
WATCHING = 10_000
"""Milliseconds for which what was executed is watched before somebody judges it."""


WAVERING = 1 / 500
"""How likely a member takes its delegation back in a tick, and how likely one without a representative takes one."""
DISGUST = 0.1
"""How likely it is taken back when the representative is in quarantine."""


@dataclass(slots=True)
class Community:
    """Where the proposals are that are on their way; the policy has the last word on each step."""

    voting: list[int] = field(default_factory=list)
    """Those on which voting is open, in the order in which they were opened."""
    waiting: list[int] = field(default_factory=list)
    """Approved ones, until the timelock has run out and the committee has agreed."""
    watched: list[int] = field(default_factory=list)
    """Executed ones."""


@dataclass(slots=True)
class Progress:
    """What became of proposals in a tick."""

    submitted: int = 0
    approved: int = 0
    defeated: int = 0
    judged_good: int = 0
    judged_bad: int = 0


def propose(scenario: Scenario, world: World, gateway: Gateway, around: Surroundings, community: Community) -> Progress:
    """New proposals, of all kinds; those with enough standing are opened for voting."""
    progress = Progress()
    count = int(scenario.proposal_rate)
    count += int(around.draw("proposals").bernoulli(np.zeros(1, dtype=np.int64), scenario.proposal_rate - count)[0])
    if not count:
        return progress
    first = len(world.proposals.proposer)
    numbers = np.arange(first, first + count, dtype=np.int64)
    proposer = around.reachable[around.draw("proposer").below(numbers, len(around.reachable))]
    good = around.draw("good").bernoulli(numbers, scenario.community.good)
    if around.attack:
        good &= world.bots.kind[proposer] <= Kind.LAZY
    _hand_in(world, gateway, community, progress, proposer, good, ORDINARY)
    return progress


def sponsor(world: World, gateway: Gateway, around: Surroundings, community: Community, progress: Progress) -> int:
    """The bot with the best name hands in what the meta layer suggests; the number of the proposal."""
    reputation = gateway.read("reputation")[around.reachable]
    proposer = around.reachable[[int(reputation.argmax())]]
    return _hand_in(world, gateway, community, progress, proposer, np.ones(1, dtype=np.bool_), PARAMETERS)


def _hand_in(
    world: World,
    gateway: Gateway,
    community: Community,
    progress: Progress,
    proposer: Ids,
    good: Bools,
    payload: int,
) -> int:
    """The number of the first."""
    numbers = enlist(world, gateway, proposer, good)
    drafted = gateway.ask("draft", principal=proposer, proposal=numbers, what=payload)
    gateway.ask("submit", principal=proposer[drafted.allowed], proposal=numbers[drafted.allowed])
    opened = gateway.ask("open_voting", proposal=numbers)
    progress.submitted += drafted.count
    community.voting += numbers[opened.allowed].tolist()
    return int(numbers[0])


def enlist(world: World, gateway: Gateway, proposer: Ids, good: Bools) -> Ids:
    """The numbers of proposals that nobody has written down yet."""
    found, first, count = world.proposals, len(world.proposals.proposer), len(proposer)
    reserve(gateway, "Proposal", first + count)
    found.proposer, found.good = extended(found.proposer, proposer), extended(found.good, good)
    found.submitted = extended(found.submitted, np.full(count, gateway.now))
    found.ready = extended(found.ready, np.full(count, NOBODY))
    found.executed = extended(found.executed, np.full(count, NOBODY))
    return np.arange(first, first + count, dtype=np.int64)


def delegate(world: World, gateway: Gateway, around: Surroundings) -> None:
    """Members give their vote to a representative, and take it back."""
    favourite, chosen = world.bots.favourite, around.representative
    wish = favourite != NOBODY
    if not wish.any():
        return
    if around.tick == 0:
        gateway.ask("stand", principal=np.unique(favourite[wish]))
        wanting = np.flatnonzero(wish)
    else:
        draw = around.draw("wavering")
        given = np.flatnonzero(chosen != NOBODY)
        chance = np.where(around.quarantined[chosen[given]], DISGUST, WAVERING)
        gateway.ask("revoke", principal=given[draw.bernoulli(given, chance)])
        free = np.flatnonzero(wish & (chosen == NOBODY))
        wanting = free[draw.bernoulli(free, WAVERING) & ~around.quarantined[favourite[free]]]
    gateway.ask("delegate", principal=wanting, to=favourite[wanting])


def tally(world: World, gateway: Gateway, community: Community, progress: Progress) -> None:
    """Voting that is over is closed: approved proposals wait for their time, defeated ones are put away."""
    if not community.voting:
        return
    numbers = np.array(community.voting, dtype=np.int64)
    numbers = numbers[gateway.read("vote_end")[numbers] < gateway.now]
    if not len(numbers):
        return
    closed = numbers[gateway.ask("close_voting", proposal=numbers).allowed]
    if not len(closed):
        return
    done = set(closed.tolist())
    community.voting = [p for p in community.voting if p not in done]
    approved = gateway.read("stage")[closed] == gateway.case("stage", "Approved")
    world.proposals.ready[closed[approved]] = gateway.read("ready_at")[closed[approved]]
    community.waiting += closed[approved].tolist()
    progress.approved += int(np.count_nonzero(approved))
    progress.defeated += int(np.count_nonzero(~approved))
    lost = closed[~approved]
    left = lost[~gateway.ask("archive", proposal=lost).allowed] if len(lost) else lost
    if len(left):
        gateway.ask("penalise", proposal=left)


def due(world: World, gateway: Gateway, community: Community) -> Ids:
    """The approved proposals whose timelock has run out."""
    return np.array([p for p in community.waiting if gateway.now >= int(world.proposals.ready[p])], dtype=np.int64)


def execute(world: World, gateway: Gateway, community: Community, numbers: Ids, at: Ids) -> Ids:
    """Proposals are executed, at these milliseconds; those that were."""
    if not len(numbers):
        return numbers
    allowed = gateway.ask("execute", proposal=numbers).allowed
    executed = numbers[allowed]
    world.proposals.executed[executed] = at[allowed]
    gone = set(executed.tolist())
    community.waiting = [p for p in community.waiting if p not in gone]
    if len(executed):
        gateway.ask("monitor", proposal=executed)
        community.watched += executed.tolist()
    return executed


def judge(
    scenario: Scenario,
    world: World,
    gateway: Gateway,
    around: Surroundings,
    community: Community,
    auditor: int,
    progress: Progress,
) -> None:
    """What was executed has shown by now whether it does what it promised: a human says so, and errs at times; then
    reputations move."""
    old = [p for p in community.watched if gateway.now >= int(world.proposals.executed[p]) + WATCHING]
    if not old:
        return
    numbers = np.array(old, dtype=np.int64)
    good = world.proposals.good[numbers]
    mistaken = around.draw("judged").bernoulli(numbers, scenario.humans.error)
    said = good ^ mistaken
    judged = gateway.ask("collect_feedback", principal=auditor, proposal=numbers, good=said).allowed
    settled = numbers[judged]
    _dissent(world, gateway, settled)
    gateway.ask("update_reputation", proposal=settled)
    gateway.ask("optimize", proposal=settled)
    gateway.ask("settle", proposal=settled)
    gone = set(settled.tolist())
    community.watched = [p for p in community.watched if p not in gone]
    progress.judged_good += int(np.count_nonzero(said[judged]))
    progress.judged_bad += int(np.count_nonzero(~said[judged]))


def _dissent(world: World, gateway: Gateway, numbers: Ids) -> None:
    """Who voted against what was judged right, or for what was judged wrong; ballots and judgement are there for all to
    see."""
    ballot, worked = gateway.read("ballot"), gateway.read("worked")
    yes, no = gateway.case("ballot", "Yes"), gateway.case("ballot", "No")
    for p in numbers.tolist():
        wrong = no if worked[p] else yes
        world.observed.add("dissent", np.flatnonzero(ballot[p][: world.members] == wrong))
