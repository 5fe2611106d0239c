"""The Reputation Tracker: what a gateway observes of bots becomes a score for each, and a root over all scores.

At the end of each epoch it works out what every member deserves, in one of two profiles of weights, and asks for a
change of its reputation towards it. The policy bounds each change and lets nobody score himself. Against the root of
an epoch anybody can later prove a reputation, or that somebody has none (`runtime/scores.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.scores import Scores
from simulator.agents.base import Name, Request, View
from simulator.agents.trust import eigen_trust, standing
from simulator.observe import Observed

Floats = NDArray[np.float64]

PROFILES: Mapping[str, tuple[int, int, int, int]] = {
    "strict": (70, 20, 10, 0),
    "balanced": (40, 30, 20, 10),
}
"""The weights of security, participation, quality and community, in percent (`specs/mvg/parameters.policy`)."""

RISE, FALL = 10, 50
"""A good name is earned slowly and lost fast; the policy lets a reputation move by 50 at once."""
CLEAN = 0.75
"""Whose security is below this gets less than the weights say, by the square of how far it is below."""
WORTH = 5
"""Smaller changes are left alone."""
NEWCOMER = 100
"""For so many ticks a bot is new, and cannot have more than `MIDDLE`."""
MIDDLE = 300
LOUD = 2.0
"""So many complaints more than others have, within the half-life, cost all security."""
FALLEN = (0.05, 0.15)
"""For each threat level from 1, the share of members whose reputation falls at the end of an epoch. Where nobody
attacks it is one in a hundred at most."""
GRUDGE = 0.97
"""What another agent said about a bot is forgotten slowly: so much is left after an epoch."""


@dataclass(slots=True)
class Tracker:
    profile: str = "balanced"
    epoch: int = 50
    """Ticks."""
    roots: list[str] = field(default_factory=list)
    """The root over all reputations, for each epoch. The first epoch is number 1."""
    scores: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """The reputations that the last root is of."""
    held_against: dict[int, float] = field(default_factory=dict)
    """What other agents asked to be held against bots, in points of security."""


def begin(profile: str = "balanced", epoch: int = 50) -> Tracker:
    return Tracker(profile, epoch)


def tick(state: Tracker, view: View) -> None:
    _listen(state, view)
    if view.tick % state.epoch or not view.tick:
        return
    members = np.arange(view.members, dtype=np.int64)
    reputation = view.gateway.read("reputation")[: view.members].astype(np.int64)
    deserved = deserves(state, view.observed, view.tick, view.members)
    change = np.clip((deserved - reputation) // 2, -FALL, RISE)
    worth = np.flatnonzero(np.abs(change) >= WORTH)
    scored = view.ask("score", about=members[worth], change=change[worth])
    state.scores = view.gateway.read("reputation")[: view.members].astype(np.int64)
    state.roots.append(scores_of(state.scores, len(state.roots) + 1).root.hex())
    for bot in list(state.held_against):
        state.held_against[bot] *= GRUDGE
    if scored.count:
        low = int(np.count_nonzero(change[worth] < 0))
        text = f"{scored.count} reputations moved, {low} of them down; root {state.roots[-1][:12]}"
        view.note("reputation", text)
        _warn(view, low)


def _warn(view: View, low: int) -> None:
    """Tells the Policy Enforcer when a great many lose their good name at once."""
    level = sum(low >= share * view.members for share in FALLEN)
    if level:
        why = f"{low} of {view.members} reputations fall"
        view.tell(Name.ENFORCER, Request("tighten", level=level, why=why))


def deserves(state: Tracker, observed: Observed, tick: int, members: int) -> NDArray[np.int64]:
    """What each member deserves, 0 to 1000."""
    security, participation, quality, community = _parts(state, observed, members)
    weights = PROFILES[state.profile]
    parts = zip(weights, (security, participation, quality, community), strict=True)
    total = sum((w * p for w, p in parts), np.zeros(members))
    found = np.round(10 * total * np.minimum(1.0, security / CLEAN) ** 2).astype(np.int64)
    new = tick - observed.joined[:members] < min(NEWCOMER, tick)
    capped: NDArray[np.int64] = np.where(new, np.minimum(found, MIDDLE), found)
    return capped


def _parts(state: Tracker, observed: Observed, members: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Security, participation, quality and community of each member, all between 0 and 1."""
    complaints, secrets = observed.rate("complaints"), observed.rate("secrets")
    # How much is normal depends on how busy everybody is.
    trouble = complaints + 2 * secrets + 0.25 * observed.rate("denied")
    usual = float(np.median(trouble))
    held = np.zeros(members)
    for bot, points in state.held_against.items():
        held[bot] = points
    security = np.clip(1 - np.maximum(trouble - 2 * usual, 0) / LOUD - held / 100, 0, 1)
    busy = observed.rate("votes") * 3 + observed.rate("messages") + observed.rate("signals")
    participation = np.sqrt(standing(busy))
    asker, asked, good = observed.dealings.known()
    dealt = np.bincount(asked, minlength=members)
    well = np.bincount(asked[good], minlength=members)
    # Laplace's rule: one good and one bad dealing more, so that little experience says little.
    quality = (well + 1) / (dealt + 2)
    anchors = np.argsort(-(well - (dealt - well)), kind="stable")[: max(1, members // 100)]
    community = standing(eigen_trust(members, asker, asked, good, anchors))
    return security, participation, quality, community


def scores_of(reputation: NDArray[np.int64], epoch: int) -> Scores:
    """The reputations at the end of an epoch, by the numbers of the bots."""
    return Scores({str(bot): score for bot, score in enumerate(reputation.tolist())}, epoch)


def _listen(state: Tracker, view: View) -> None:
    """What other agents hold against bots costs reputation at once, and is remembered."""
    levels: dict[int, int] = {}
    for request in view.take(Request):
        if request.what == "lower_reputation" and 0 <= request.number < view.members:
            levels[request.number] = min(FALL, levels.get(request.number, 0) + request.level)
    if not levels:
        return
    view.ask("score", about=np.array(list(levels)), change=-np.array(list(levels.values())))
    for bot, level in levels.items():
        state.held_against[bot] = min(100.0, state.held_against.get(bot, 0.0) + level)
