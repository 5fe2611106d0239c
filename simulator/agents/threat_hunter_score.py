"""Whom the Threat Hunter scores, and how high: what it remembers goes in, the threat of each candidate comes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents import detectors, detectors_cohorts, detectors_forest, detectors_shift, patterns
from simulator.agents.base import Subject, View
from simulator.agents.detectors import ROWS
from simulator.agents.detectors_ensemble import FOREST, THRESHOLD, Scored, combine
from simulator.agents.threat_hunter_learn import rates_of
from simulator.agents.threat_hunter_state import State

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

MOST_SCORED = 256
MOST_ASKED = 32
"""So many, at most, about which the forest is asked."""
LOOKED_AT = ("messages", "links", "secrets", "denied", "complaints", "calls", "failures", "signals", "dissent")
"""The rates by which somebody stands out."""
STRANGE = tuple(patterns.SEEN[Subject.BOT].index(f"{name}_beyond") for name in LOOKED_AT)
"""Where they are among what is seen."""


def candidates(state: State, view: View) -> Ids:
    """Whom to score in this tick: who stands out in a rate, is under suspicion, or was scored high lately."""
    n = view.members
    chosen = state.above[:n] > 0
    for name in LOOKED_AT:
        chosen |= view.observed.rate(name)[:n] > state.peers.gates[ROWS.index(name)]
    for array, low in ((state.risk, 0.5), (state.bad_links, 0.5), (state.cohorts.beyond, 3.0), (state.dissent, 0.0)):
        chosen |= array[:n] > low
    chosen |= state.twins_lift[:n] > 3.0
    chosen &= state.quiet_until[:n] <= view.tick
    chosen &= view.gateway.read("quarantined")[:n] == 0
    bots = np.flatnonzero(chosen)
    if bots.size <= MOST_SCORED:
        return bots
    # Who is on the way to an alarm comes first; of the others each has its turn.
    under_way = bots[state.above[bots] > 0][:MOST_SCORED]
    rest = bots[state.above[bots] == 0]
    room = min(MOST_SCORED - under_way.size, rest.size)
    turn = rest[(view.tick * room + np.arange(room)) % rest.size] if room else rest[:0]
    return np.sort(np.concatenate([under_way, turn]))


def score(state: State, view: View, bots: Ids) -> Scored:
    """The threat of each of the bots, as it is now."""
    rates = rates_of(state, view, bots)
    seen = _seen(state, view, bots, rates)
    matches = patterns.match(patterns.shipped_table(Subject.BOT), seen)
    best = matches.argmax(axis=0)
    match = matches[best, np.arange(bots.size)]
    robust = np.minimum(np.maximum((seen[list(STRANGE)].max(axis=0) - 3.5) / 6.5, 0.0), 1.0)
    risk = state.risk[bots]
    forest = np.zeros(bots.size)
    threat = combine(robust, forest, match, risk)
    # The forest is asked only where it can tip the scales: asking costs more than all the rest.
    close = np.flatnonzero((threat < THRESHOLD) & (threat >= 1.0 - (1.0 - THRESHOLD) / (1.0 - FOREST)))
    if close.size:
        close = close[np.argsort(-threat[close], kind="stable")[:MOST_ASKED]]
        forest[close] = detectors_forest.alone(state.forest, detectors.features(rates[:, close]))
        threat = combine(robust, forest, match, risk)
    parts = {"robust": robust, "forest": forest, "pattern": match, "intelligence": risk}
    return Scored(bots, threat, best, match, parts, seen)


def _seen(state: State, view: View, bots: Ids, rates: Floats) -> Floats:
    """What patterns may look at: a row for each of `patterns.SEEN`, a column for each of the bots."""
    circles = detectors_cohorts.inside(state.cohorts, bots, rates[ROWS.index("messages")], view.members)
    inside, inside_lift, circle, circle_lift = circles
    together = state.together
    partners = [float(len(together.get(b, ()))) for b in bots.tolist()] if together else np.zeros(bots.size)
    rows = (
        *(state.bad_links[bots], state.cohorts.beyond[bots], inside, inside_lift, circle, circle_lift),
        *(state.dissent[bots], np.full(bots.size, float(state.bloc)), partners),
        *(state.twins[bots], state.twins_lift[bots]),
        detectors_shift.evidence(state.shift, view.tick, bots),
        view.gateway.read("reputation")[bots] >= state.middle,
        view.tick - view.observed.joined[bots],
    )
    beyond, excess = detectors.beyond_peers(state.peers, rates), detectors.beyond_share(state.peers, rates)
    return np.concatenate([rates, beyond, excess, detectors.shares(rates), np.array(rows, dtype=np.float64)])
