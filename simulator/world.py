"""The simulated ecosystem as it really is: who is malicious, which skill does harm, whose vote is worth following.

Everything here is plain state (NOTE(plain-state)), struct of arrays, with individuals as numbers. Security agents never
see it; what they can see is in `observe.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.mailbox import Mailbox
from simulator.observe import Observed, observed
from simulator.random_streams import Draw
from simulator.scenario import Scenario

Bools = NDArray[np.bool_]
Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

NOBODY = -1


class Kind(IntEnum):
    """What a bot is after."""

    HONEST = 0
    LAZY = 1
    SYBIL = 2  # one of many identities of one attacker, which vote as one
    COLLUDER = 3  # votes for its friends' proposals whatever they are
    SPAMMER = 4
    EXFILTRATOR = 5  # carries secrets out
    BYZANTINE = 6  # does not answer, answers wrongly, equivocates
    POISONER = 7  # earns a good name first, slowly, and strikes then
    PHISHER = 8  # sends links that take over who follows them


ATTACKERS = tuple(k for k in Kind if k > Kind.LAZY)


@dataclass(slots=True)
class Bots:
    """One entry for each member."""

    kind: NDArray[np.uint8]
    activity: Floats
    """The probability of doing something in a tick."""
    sensitivity: Floats
    """How strongly it follows signals, 0 to 1."""
    accuracy: Floats
    """The probability of judging a proposal rightly."""
    favourite: Ids
    """Whom it would have vote for it, or -1."""
    taken_over: Bools
    """An honest bot that followed a phishing link: it sends such links now."""
    first_harm: Ids
    """The tick in which it first did harm, or -1."""


@dataclass(slots=True)
class Skills:
    """One entry for each skill that was ever submitted."""

    developer: Ids
    harmful: Bools
    submitted: Ids
    source: Ids
    """Which source text it has (see `skill_sources.py`)."""


@dataclass(slots=True)
class Links:
    harmful: Bools
    used: int
    """So many of the harmful ones were handed out; attackers take a new one when theirs is blocked."""
    benign: int


@dataclass(slots=True)
class Proposals:
    """One entry for each proposal, and the tick of each stage, -1 for not yet."""

    proposer: Ids
    good: Bools
    """Whether it would do what it promises."""
    submitted: Ids
    """Milliseconds."""
    ready: Ids
    """Milliseconds: when it may be executed."""
    executed: Ids
    """Milliseconds."""


@dataclass(slots=True)
class Swarm:
    """The agent layer: stigmergic channels, and work that is waiting where the channels should lead."""

    strength: Floats
    """How strong the signal of each channel is."""
    demand: Floats
    """How many bots each channel needs."""
    lasting: Ids
    """For how many more ticks."""


@dataclass(slots=True)
class World:
    bots: Bots
    skills: Skills
    links: Links
    proposals: Proposals
    swarm: Swarm
    mail: Mailbox
    observed: Observed

    @property
    def members(self) -> int:
        return len(self.bots.kind)

    @property
    def malicious(self) -> Bools:
        """Who is an attacker, or does an attacker's work."""
        found: Bools = (self.bots.kind > Kind.LAZY) | self.bots.taken_over
        return found


MAIL = {"sender": "<i8", "recipient": "<i8", "link": "<i8", "spam": "|b1", "secret": "|b1", "request": "|b1"}
"""The columns of a message on its way."""

BENIGN_LINKS, HARMFUL_LINKS = 256, 256


def begin(scenario: Scenario, draw: Draw) -> World:
    """The world before the first tick; `draw` has the seed and the run."""
    n = scenario.bots
    members = np.arange(n, dtype=np.int64)
    kinds = _kinds(scenario, draw, members)
    lazy = kinds == Kind.LAZY
    activity = np.full(n, scenario.activity.act)
    activity[lazy] *= 0.2
    sensitivity = 0.2 + 0.8 * replace(draw, stream="sensitivity").uniform(members)
    accuracy = np.clip(replace(draw, stream="accuracy").normal(members, scenario.community.accuracy, 0.1), 0.05, 0.99)
    favourite = _favourites(scenario, draw, kinds)
    bots = Bots(
        kinds,
        activity,
        sensitivity,
        accuracy,
        favourite,
        np.zeros(n, dtype=np.bool_),
        np.full(n, NOBODY, dtype=np.int64),
    )
    none, no = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    harmful = np.arange(BENIGN_LINKS + HARMFUL_LINKS) >= BENIGN_LINKS
    channels = len(scenario.channels)
    return World(
        bots,
        Skills(none, no, none, none),
        Links(harmful, 0, BENIGN_LINKS),
        Proposals(none, no, none, none, none),
        Swarm(np.zeros(channels), np.zeros(channels), np.zeros(channels, dtype=np.int64)),
        Mailbox(dict(MAIL)),
        observed(n, 0, BENIGN_LINKS + HARMFUL_LINKS),
    )


def extended(old: NDArray[Any], new: Any) -> NDArray[Any]:
    """An array with more entries."""
    return np.concatenate([old, np.asarray(new, dtype=old.dtype)])


def _kinds(scenario: Scenario, draw: Draw, members: Ids) -> NDArray[np.uint8]:
    """Exactly the share of malicious bots that the scenario says, whoever they are."""
    n = len(members)
    shuffled = np.argsort(replace(draw, stream="kind").words(members), kind="stable")
    kinds = np.full(n, Kind.HONEST, dtype=np.uint8)
    attackers = round(scenario.malicious * n)
    lazy = round(scenario.lazy * (n - attackers))
    mix = [float(getattr(scenario.mix, k.name.lower())) for k in ATTACKERS]
    if attackers:
        chosen = np.array(ATTACKERS, dtype=np.uint8)
        kinds[shuffled[:attackers]] = chosen[replace(draw, stream="mix").choice(shuffled[:attackers], mix)]
    kinds[shuffled[attackers : attackers + lazy]] = Kind.LAZY
    return kinds


def _favourites(scenario: Scenario, draw: Draw, kinds: NDArray[np.uint8]) -> Ids:
    """One in fifty honest bots stands for others; the share of the scenario delegates to one of them."""
    n = len(kinds)
    members = np.arange(n, dtype=np.int64)
    honest = np.flatnonzero(kinds <= Kind.LAZY)
    found = np.full(n, NOBODY, dtype=np.int64)
    stands = honest[: max(1, len(honest) // 50)]
    if not scenario.community.delegation or not len(honest):
        return found
    chosen = replace(draw, stream="delegates").bernoulli(members, scenario.community.delegation) & (kinds <= Kind.LAZY)
    chosen[stands] = False
    found[chosen] = stands[replace(draw, stream="representative").below(members[chosen], len(stands))]
    return found
