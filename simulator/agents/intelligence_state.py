"""What Intelligence remembers: alerts it has heard, what ties suspects together, campaigns, and what it expects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Subject, View
from simulator.agents.intelligence_feed import Tip
from simulator.agents.intelligence_graph import Node, Sort, Ties

Bools = NDArray[np.bool_]

PERIOD = 20
"""Ticks of which incidents are counted together, and after which everything is looked at anew."""
CODES = {Subject.BOT: Sort.BOT, Subject.SKILL: Sort.SKILL, Subject.LINK: Sort.LINK}
SUBJECTS = {code: subject for subject, code in CODES.items()}


@dataclass(frozen=True, slots=True)
class Case:
    """An alert that was heard."""

    sort: int
    number: int
    kind: str
    score: float
    tick: int


@dataclass(slots=True)
class Campaign:
    number: int
    kind: str
    """The kind of attack of most of its bots."""
    bots: list[int]
    links: list[int]
    skills: list[int]
    first: int
    """The tick of its first alert."""
    last: int
    tied: bool
    """Whether its bots have to do with each other; otherwise they only do the same at the same time."""
    told: int = 0
    """How many bots it had when people were told."""
    over: bool = False


@dataclass(slots=True)
class State:
    cases: list[Case] = field(default_factory=list)
    ties: Ties = field(default_factory=Ties)
    known: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Bots that are suspects."""
    spreads: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Of them, those whose links are of interest."""
    bad_links: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    bad_skills: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    campaigns: list[Campaign] = field(default_factory=list)
    named: int = 0
    """Campaigns so far."""
    told: dict[Node, float] = field(default_factory=dict)
    """What the Threat Hunter was told."""
    counts: list[float] = field(default_factory=list)
    """Incidents in each period."""
    current: float = 0.0
    """Incidents in this period so far."""
    expected: tuple[float, float, float] | None = None
    """What was forecast for this period: mean, low, high."""
    forecasts: int = 0
    held: int = 0
    """How many forecasts there were, and how many came true."""
    feed: list[Tip] = field(default_factory=list)
    """What others say."""
    level: int = 0
    """The threat level that it recommends."""
    calm: int = 0
    spoke: int = 0


def begin(members: int = 0, feed: Iterable[Tip] = ()) -> State:
    """It knows nothing yet; what there is of `members` and other things it learns when it first looks."""
    state = State(feed=list(feed))
    state.known, state.spreads = np.zeros(members, dtype=np.bool_), np.zeros(members, dtype=np.bool_)
    return state


def grow(state: State, view: View) -> None:
    """There may be more bots, skills and links than there were."""
    seen = view.observed
    sizes = {
        "known": seen.bots.shape[1],
        "spreads": seen.bots.shape[1],
        "bad_links": seen.link_senders.size,
        "bad_skills": seen.skill_uses.size,
    }
    for name, size in sizes.items():
        array = getattr(state, name)
        if size > array.size:
            setattr(state, name, np.concatenate([array, np.zeros(size - array.size, dtype=np.bool_)]))
