"""What the Threat Hunter remembers: the number of members goes in, a place for each of them comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.agents import detectors_cohorts, detectors_shift, detectors_things, detectors_votes
from simulator.agents.base import View
from simulator.agents.detectors import Peers
from simulator.agents.detectors_cohorts import Cohorts
from simulator.agents.detectors_forest import Forest
from simulator.agents.detectors_pardons import Pardons
from simulator.agents.detectors_shift import Shift
from simulator.agents.detectors_things import Things
from simulator.agents.detectors_votes import Votes

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


def _floats() -> Floats:
    return np.zeros(0)


def _ids() -> Ids:
    return np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class State:
    peers: Peers = field(default_factory=Peers)
    forest: Forest = field(default_factory=Forest)
    shift: Shift = field(default_factory=Shift)
    votes: Votes = field(default_factory=Votes)
    cohorts: Cohorts = field(default_factory=Cohorts)
    received: Floats = field(default_factory=_floats)
    """Messages that each bot was sent, fading."""
    bad_links: Floats = field(default_factory=_floats)
    """Messages of each bot with links that are held to be bad, fading."""
    last_link: Ids = field(default_factory=_ids)
    """The last link of each bot about which there are complaints; -1 for none."""
    risk: Floats = field(default_factory=_floats)
    """What Intelligence says about each bot."""
    threat: Floats = field(default_factory=_floats)
    """The last threat score of each bot; it fades when the bot is no longer scored."""
    above: Ids = field(default_factory=_ids)
    """Ticks above the threshold."""
    alarmed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """There is an alarm of ours that stands."""
    quiet_until: Ids = field(default_factory=_ids)
    pardons: Pardons = field(default_factory=Pardons)
    dissent: Floats = field(default_factory=_floats)
    """Evidence that a bot wants something else than all others, in nats; 0 where there is little."""
    bloc: int = 0
    """So many bots of which that may be said."""
    middle: float = 0.0
    """The reputation of the member in the middle."""
    together: dict[int, list[int]] = field(default_factory=dict)
    """Who dissents together with whom."""
    twins: Floats = field(default_factory=_floats)
    """So many others vote in step with each bot ..."""
    twins_lift: Floats = field(default_factory=_floats)
    """... which is so many times what chance gives."""
    skills: Things = field(default_factory=Things)
    links: Things = field(default_factory=Things)
    alarms: int = 0
    """In all."""


def begin(members: int = 0) -> State:
    """It knows nothing yet; what there is of `members` and other things it learns when it first looks."""
    state = State()
    _extend(state, members)
    return state


def grow(state: State, view: View) -> None:
    """There may be more bots, skills and links than there were."""
    _extend(state, view.observed.bots.shape[1])
    detectors_things.grow(state.skills, view.observed.skill_uses.size)
    detectors_things.grow(state.links, view.observed.link_senders.size)


def _extend(state: State, bots: int) -> None:
    more = bots - state.received.size
    if more <= 0:
        return
    state.last_link = np.concatenate([state.last_link, np.full(more, -1)])
    for name in (
        "received",
        "bad_links",
        "risk",
        "threat",
        "above",
        "alarmed",
        "quiet_until",
        "dissent",
        "twins",
        "twins_lift",
    ):
        array = getattr(state, name)
        setattr(state, name, np.concatenate([array, np.zeros(more, dtype=array.dtype)]))
    detectors_shift.grow(state.shift, bots)
    detectors_votes.grow(state.votes, bots)
    detectors_cohorts.grow(state.cohorts, bots)
