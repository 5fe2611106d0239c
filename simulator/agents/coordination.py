"""Coordination: what concerns everybody goes in, is decided by a committee, and comes out as requests to other agents.

A committee of 3f+1 bots, elected by reputation among those who are not in quarantine, agrees by the protocol of
`simulator/consensus` on batches of what is waiting: policy updates, quarantines in great number, and whatever the
layers hand in with `propose` and fetch with `taken`. What it decides takes effect when enough members have it, and not
before. A committee that cannot decide in time is followed by another one. The emergency protocol is in
`coordination_emergency.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from simulator.agents.base import Name, Request, View
from simulator.agents.coordination_committee import Committee, Ruling, decide_in, elected
from simulator.agents.coordination_emergency import Emergency, on_request, on_ruling, watch
from simulator.consensus.byzantine import Fault
from simulator.humans import tell_humans
from simulator.network import Network
from simulator.random_streams import Ids

Faults = Callable[[Ids], Mapping[int, Fault]]
"""Which members of a committee are Byzantine (places in it), and how: the engine knows."""

MOST_WAITING = 4096
"""What is handed in beyond this is turned away."""
BATCH = 512
"""So much is decided at once."""
KEPT = 4096
"""So many latencies are kept, the newest."""
RENEW = 30
"""So many ticks after a decision the same wish of an agent is held to be decided."""
URGENT = ("emergency", "stand_down", "quarantine")
"""What is not kept waiting for the next batch."""
LAST_RESORT = ("emergency", "stand_down")
"""What humans are asked for where the committee cannot decide."""


@dataclass(slots=True)
class State:
    f: int
    """So many Byzantine members a committee bears."""
    epoch: int
    """So many ticks a committee is in office."""
    every: int
    """So often (in ticks) it decides; what is urgent is not kept waiting."""
    patience: int
    """Milliseconds after which a decision is given up and another committee tries; 0 for what suits the network."""
    emergency: Emergency
    committee: Committee = field(default_factory=Committee)
    pending: dict[str, int] = field(default_factory=dict)
    """What waits to be decided, and since which tick."""
    agreed: list[Ruling] = field(default_factory=list)
    """What is decided, but not yet known to enough members."""
    lately: dict[str, int] = field(default_factory=dict)
    """What was decided lately, and in which tick."""
    outbox: list[str] = field(default_factory=list)
    """Decisions for the layers, until they fetch them."""
    busy: int = 0
    """Milliseconds: the committee decides until then."""
    latencies: list[int] = field(default_factory=list)
    """Milliseconds from handing in a batch to f+1 correct members having it."""
    decisions: int = 0
    texts: int = 0
    stalls: int = 0
    views: int = 0
    """How often a leader was replaced."""
    messages: int = 0
    turned_away: int = 0
    violations: list[str] = field(default_factory=list)
    """Breaches of agreement or validity: never any unless more than f members are Byzantine."""


def begin(*, f: int = 4, epoch: int = 60, every: int = 10, patience: int = 0, alert_level: int = 3) -> State:
    """`alert_level` is the threat level from which on there is an emergency."""
    if min(f, epoch, every) < 1 or patience < 0:
        raise ValueError("f, the epoch and the interval are 1 or more")
    return State(f, epoch, every, patience, Emergency(alert_level))


def propose(state: State, text: str, tick: int) -> bool:
    """Hands something in to be decided; whether there was room. The same text waits once."""
    if text in state.pending:
        return True
    if len(state.pending) >= MOST_WAITING:
        state.turned_away += 1
        return False
    state.pending[text] = tick
    return True


def taken(state: State) -> list[str]:
    """What was decided of that which agents do not carry out themselves; it is then no longer there."""
    found, state.outbox = state.outbox, []
    return found


def tick(state: State, view: View, network: Network | None = None, faults: Faults | None = None) -> None:
    """One tick. Times of the network are milliseconds since the run began; its nodes are the numbers of bots."""
    for request in view.take(Request):
        text = on_request(state.emergency, view, request)
        if text and view.tick - state.lately.get(text, -RENEW) >= RENEW:
            propose(state, text, view.tick)
    for text in watch(state.emergency, view):
        propose(state, text, view.tick)
    _take_effect(state, view)
    urgent = any(text.startswith(URGENT) for text in state.pending)
    if state.pending and view.gateway.now >= state.busy and (urgent or view.tick % state.every == 0):
        _decide(state, view, network or Network(), faults)


def _decide(state: State, view: View, network: Network, faults: Faults | None) -> None:
    batch = sorted(state.pending, key=lambda text: (not text.startswith(URGENT), state.pending[text]))[:BATCH]
    committee = state.committee
    if not len(committee.members) or view.tick - committee.since >= state.epoch or committee.failed:
        state.committee = elected(committee, view, state.f)
        committee = state.committee
        if len(committee.members):
            view.note("consensus", f"a committee of {len(committee.members)} is elected", number=committee.term)
    if not len(committee.members):
        state.stalls += 1
        return
    known = faults(committee.members) if faults is not None else {}
    found = decide_in(committee, view, network, "\n".join(batch), known, state.patience)
    state.messages += found.messages
    state.views += found.views
    for violation in found.violations:
        view.note("consensus", f"the committee disagrees: {violation}")
    state.violations = [*state.violations, *found.violations][:KEPT]
    state.busy = view.gateway.now + found.took
    if found.certain is None or found.violations:
        state.stalls += 1
        committee.failed = True
        view.note("consensus", "no decision: another committee will try", number=committee.term, after=found.took)
        for text in LAST_RESORT:
            if text in state.pending:
                tell_humans(view, Request(text, why="the committee cannot decide"))
        return
    state.lately = {text: tick for text, tick in state.lately.items() if view.tick - tick < RENEW}
    for text in batch:
        del state.pending[text]
        state.lately[text] = view.tick
    state.decisions += 1
    state.texts += len(batch)
    state.latencies = [*state.latencies[1 - KEPT :], found.certain]
    state.agreed.append(Ruling(view.gateway.now + found.certain, tuple(batch)))
    change = f", after {found.views} changes of the leader" if found.views else ""
    view.note(
        "consensus", f"{len(batch)} decided in {found.certain} ms{change}", number=len(batch), after=found.certain
    )


def _take_effect(state: State, view: View) -> None:
    """Carries out what enough members know by now."""
    due = [r for r in state.agreed if r.ready <= view.gateway.now]
    if not due:
        return
    state.agreed = [r for r in state.agreed if r.ready > view.gateway.now]
    for ruling in due:
        for text in ruling.texts:
            _carry_out(state, view, text)


def _carry_out(state: State, view: View, text: str) -> None:
    what, number, level = _read(text)
    match what:
        case "tighten" | "relax":
            view.tell(Name.ENFORCER, Request(what, level=level, why="the committee decided it"))
        case "block_link" | "unblock_link":
            view.tell(Name.ENFORCER, Request(what, number=number, why="the committee decided it"))
        case "quarantine":
            view.tell(Name.RESPONDER, Request(what, number=number, why="the committee decided it"))
        case "emergency" | "stand_down":
            on_ruling(state.emergency, view, what)
        case _:
            state.outbox.append(text)


def written(request: Request) -> str:
    """A request as a text that a committee can decide."""
    return f"{request.what} {request.number} {request.level}"


def _read(text: str) -> tuple[str, int, int]:
    """What a text of `written` says; other texts are what they are."""
    what, _, rest = text.partition(" ")
    numbers = rest.split()
    if len(numbers) == 2 and all(n.lstrip("-").isdigit() for n in numbers):
        return what, int(numbers[0]), int(numbers[1])
    return (what, -1, 0) if what in LAST_RESORT and not rest else ("", -1, 0)


def median_latency(state: State) -> float:
    """Milliseconds, of the decisions that are remembered; not a number if there is none."""
    return float(np.median(state.latencies)) if state.latencies else float("nan")
