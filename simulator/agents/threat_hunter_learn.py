"""What the Threat Hunter learns now and then: rates and votes go in; what is usual, and who stands apart, comes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents import (
    detectors,
    detectors_cohorts,
    detectors_forest,
    detectors_lockstep,
    detectors_pardons,
    detectors_votes,
)
from simulator.agents.base import View
from simulator.agents.detectors import ROWS
from simulator.agents.threat_hunter_state import State
from simulator.observe import RATES

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

WARM_UP = 15
"""In the first ticks nobody knows yet what is usual."""
LOOK = 10
"""Every so many ticks the peers are looked at anew."""
LOOK_TOGETHER = 20
"""Every so many ticks it is worked out who votes together, and who joined together."""
REFIT = 250
"""Every so many ticks the forest gets a new sample."""
SAMPLE, FOREST_SAMPLE = 1000, 2000
"""So many members are looked at."""
GRACE = 20
"""For so many ticks a bot that was let out is left alone; then only what it did since counts."""
FORGET = 0.95
"""What is left of a word from Intelligence after `LOOK` ticks."""


def learn(state: State, view: View) -> None:
    """What is looked at only now and then."""
    n = view.members
    if n == 0:
        return
    if view.tick % LOOK == 0:
        state.risk *= FORGET
        state.skills.risk *= FORGET
        state.links.risk *= FORGET
        state.threat *= FORGET
        some = _sample(view, "peers", SAMPLE, state.alarmed)
        state.peers = detectors.look(rates_of(state, view, some), view.tick)
        state.votes.eager = view.observed.rate("votes") > state.peers.gates[ROWS.index("votes")]
        reputation = view.gateway.read("reputation")[:n]
        state.middle = float(detectors.median(reputation[:: max(1, n // 500)]))
    if view.tick % LOOK == LOOK // 2:
        bots, twins, lift = detectors_lockstep.alike(state.votes, n)
        state.twins[:] = state.twins_lift[:] = 0.0
        state.twins[bots], state.twins_lift[bots] = twins, lift
    if view.tick % LOOK_TOGETHER == LOOK // 2:
        detectors_cohorts.look(state.cohorts, view.observed.joined[:n])
        bots, evidence = detectors_votes.dissenters(state.votes, n)
        state.dissent[:] = 0.0
        state.bloc = bots.size
        state.dissent[bots] = evidence
        bots = bots[state.quiet_until[bots] <= view.tick]
        if bots.size > detectors_votes.MOST:
            bots = np.sort(bots[np.argsort(-state.dissent[bots], kind="stable")[: detectors_votes.MOST]])
        state.together = detectors_votes.partners(state.votes, bots) if bots.size > 1 else {}
    if view.tick >= WARM_UP and view.tick % REFIT == 3 * WARM_UP:
        some = _sample(view, "forest", FOREST_SAMPLE, state.alarmed)
        seed = int(view.draw("seed").below(np.zeros(1, dtype=np.int64), 1 << 31)[0])
        detectors_forest.train(state.forest, detectors.features(rates_of(state, view, some)), seed)


def release(state: State, view: View) -> None:
    """An alarm that a human took back is over; its bot starts afresh, and is left alone for a while."""
    mine = np.flatnonzero(state.alarmed)
    if not mine.size:
        return
    over = mine[~view.gateway.read("alarm.has")[mine]]
    late = mine[(state.quiet_until[mine] <= view.tick) & (view.gateway.read("quarantined")[mine] == 0)]
    if over.size or view.tick % LOOK == 0:
        state.quiet_until[over] = view.tick + GRACE
        for array in (state.risk, state.bad_links, state.threat, state.twins, state.twins_lift):
            array[over] = 0.0
        detectors_votes.forgive(state.votes, over)
        state.pardons = detectors_pardons.pardon(state.pardons, view.tick, over, observed_of(state, view, over))
    state.alarmed[over] = False
    state.alarmed[late] = False


def _sample(view: View, stream: str, size: int, without: NDArray[np.bool_]) -> Ids:
    """Members, but for those about whom there is an alarm; all if they are few."""
    n = view.members
    chosen = np.arange(n) if n <= size else view.draw(stream).below(np.arange(size), n)
    left = chosen[~without[chosen]]
    return left if left.size else chosen


def rates_of(state: State, view: View, bots: Ids) -> Floats:
    """A row for each of `ROWS`, a column for each of the bots, without what was forgiven."""
    found = observed_of(state, view, bots)
    detectors_pardons.take_off(state.pardons, view.tick, bots, found)
    # Sums of faded counts are never below zero, but for what was taken off.
    np.maximum(found, 0.0, out=found)
    return found


def observed_of(state: State, view: View, bots: Ids) -> Floats:
    found = np.empty((len(ROWS), bots.size))
    found[: len(RATES)] = view.observed.bots.take(bots, axis=1)
    found[-1] = state.received[bots]
    return found
