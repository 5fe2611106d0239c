"""The emergency protocol of Coordination: what is alarming goes in, what the committee has to decide comes out.

An emergency begins when the threat level or the open incidents are too high. The committee decides first, by its
quorum, and then the governed action is asked. While it lasts the gateway lets less pass, so the service is reduced.
Recovery begins by itself once it has been calm for some time: the committee decides again, and where the policy leaves
the end to humans, they are asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.agents.base import Name, Request, View
from simulator.humans import tell_humans

CALM = 15
"""So many ticks nothing may be alarming before recovery begins."""
LESS = 0.5
"""Recovery begins when complaints have fallen to this share of their peak."""
AGAIN = 10
"""So many ticks after a decision or a question it may be repeated."""
NEVER = -(10**9)
ALARM_CHANNEL = 0
"""The stigmergic channel on which bots read of emergencies."""


@dataclass(slots=True)
class Emergency:
    level: int
    """The threat level from which on it is one."""
    begun: int = NEVER
    """The tick in which it began, if it goes on."""
    alarming: int = NEVER
    """The last tick in which something was alarming."""
    asked: int = NEVER
    """When the committee, or a human, was last asked to begin or to end it."""
    peak: float = 0.0
    """The most complaints during it."""
    count: int = 0
    locked: bool = False
    """Whether the gateway is locked down: nothing is relaxed in the meantime."""
    held: int = 0
    """How many ticks emergencies have lasted that are over."""


def on_request(state: Emergency, view: View, request: Request) -> str:
    """What an agent wants, as a text for the committee; "" for nothing to decide."""
    match request.what:
        case "emergency":
            state.alarming = view.tick
            return ""
        case "stand_down":
            return ""
        case "lockdown" | "unlocked":
            state.locked = request.what == "lockdown"
            state.alarming = view.tick
            return ""
        case "relax" if state.locked:
            return ""
        case _:
            return f"{request.what} {request.number} {request.level}"


def watch(state: Emergency, view: View) -> list[str]:
    """What the committee has to decide now."""
    is_one = bool(view.gateway.read("in_emergency"))
    if int(view.gateway.read("threat_level")) >= state.level:
        state.alarming = view.tick
    if is_one and state.begun == NEVER:
        _begins(state, view)
    elif not is_one and state.begun != NEVER:
        _is_over(state, view)
    if not is_one:
        wanted = "emergency" if state.alarming == view.tick else ""
    else:
        wanted = "stand_down" if _recovers(state, view) else ""
    if not wanted or view.tick - state.asked < AGAIN:
        return []
    state.asked = view.tick
    return [wanted]


def on_ruling(state: Emergency, view: View, what: str) -> None:
    """The committee has decided that an emergency begins, or ends."""
    is_one = bool(view.gateway.read("in_emergency"))
    if is_one == (what == "emergency"):
        return
    if view.ask(what).allowed[0]:
        if what == "emergency":
            _begins(state, view)
        else:
            _is_over(state, view)
    else:
        # The policy leaves it to humans, for some time at least.
        tell_humans(view, Request(what, why="the committee decided it"))


def _begins(state: Emergency, view: View) -> None:
    state.begun, state.count, state.peak = view.tick, state.count + 1, _complaints(view)
    state.alarming = max(state.alarming, view.tick)
    view.note("emergency", "an emergency begins: the service is reduced")
    view.ask("signal", channel=ALARM_CHANNEL, strength=100)


def _is_over(state: Emergency, view: View) -> None:
    lasted = view.tick - state.begun
    state.held += lasted
    state.begun = NEVER
    view.note("recovered", f"the emergency is over after {lasted} ticks", number=lasted)
    view.tell(Name.ENFORCER, Request("relax", level=0, why="the emergency is over"))


def _recovers(state: Emergency, view: View) -> bool:
    now = _complaints(view)
    state.peak = max(state.peak, now)
    if now > LESS * state.peak and now > 1.0:
        state.alarming = max(state.alarming, view.tick - CALM + AGAIN)
    return view.tick - state.alarming >= CALM


def _complaints(view: View) -> float:
    """How many complaints there were lately, added one after the other for every machine to agree."""
    return float(np.cumsum(view.observed.rate("complaints"))[-1])
