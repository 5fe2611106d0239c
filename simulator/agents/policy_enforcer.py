"""The Policy Enforcer: wishes of other agents, proofs and skills go in, changes of the gateway come out.

It blocks links, adapts the threat level, and closes the gateway when the proof of what runs turns out to be invalid: it
looks when the run begins, whenever the policy changes, and from time to time. The level rises at once when it is asked
for, falls step by step when nobody has asked for long, and stays in the range that the policy was proved for. The
lockdown is lifted by humans, or ends by itself. Skills that run have to be those that were audited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Name, Request, View
from simulator.humans import tell_humans


class Proofs(Protocol):
    """The proofs of what is in force."""

    @property
    def version(self) -> str:
        """Another one whenever the policy, its parameters or what is shown for it is."""
        ...

    def faults(self) -> Sequence[str]:
        """What is wrong with them: nothing if they hold."""
        ...


NEVER = -(10**9)
COMPLIANCE = 10
"""Ticks between two looks at whether skills are what was audited."""


@dataclass(slots=True)
class State:
    wanted: NDArray[np.int64]
    """When each threat level was asked for last, as a tick."""
    every: int
    """So often (in ticks) the proofs are checked."""
    holds: int
    """So many ticks a wish counts."""
    rise: int
    """So many ticks a level stays before it rises, and before it falls."""
    fall: int
    changed: int = NEVER
    checked: int = NEVER
    version: str = ""
    """Of what was checked last."""
    faults: tuple[str, ...] = ()
    """What the last check of the proofs found wrong."""
    checks: int = 0
    refuted: int = 0
    """How many checks of the proofs there were, and how many found something wrong."""
    audited: dict[int, str] = field(default_factory=dict)
    """The fingerprint of each skill as the Auditor has seen it."""
    swapped: dict[int, str] = field(default_factory=dict)
    """The fingerprint of each skill that was found to be another one."""
    locked: bool = False
    """Whether there is a lockdown, as far as it knows."""
    lockdowns: int = 0
    blocked: int = 0
    """How many links it has blocked."""


def begin(*, highest: int = 3, every: int = 50, holds: int = 60, rise: int = 5, fall: int = 30) -> State:
    """`highest` is the highest threat level for which the policy is proved."""
    if min(highest, every, holds, rise, fall) < 1:
        raise ValueError("the highest level and all times are 1 or more")
    return State(np.full(highest + 1, NEVER, dtype=np.int64), every, holds, rise, fall)


def tick(state: State, view: View, proofs: Proofs, fingerprint: Callable[[int], str]) -> None:
    """One tick. `fingerprint` says which text a skill has by now."""
    review = _listen(state, view)
    _adapt(state, view)
    if review or state.version != proofs.version or view.tick - state.checked >= state.every:
        _prove(state, view, proofs)
    _lockdown(state, view)
    if view.tick % COMPLIANCE == 0:
        _comply(state, view, fingerprint)


def demand(state: State, tick: int) -> int:
    """The highest level that somebody has asked for lately."""
    lately = np.flatnonzero(tick - state.wanted < state.holds)
    return int(lately[-1]) if lately.size else 0


def _listen(state: State, view: View) -> bool:
    """Takes wishes; whether somebody wants the proofs checked."""
    requests = view.take(Request)
    if not requests:
        return False
    links: list[int] = []
    freed: list[int] = []
    for request in requests:
        match request.what:
            case "block_link":
                links.append(request.number)
            case "unblock_link":
                freed.append(request.number)
            case "tighten":
                state.wanted[min(max(request.level, 1), len(state.wanted) - 1)] = view.tick
            case "relax":
                state.wanted[request.level + 1 :] = NEVER
            case "audited":
                state.audited[request.number] = request.why
            case _:
                pass
    _links(state, view, "block_link", links, blocked=True)
    _links(state, view, "unblock_link", freed, blocked=False)
    return any(r.what == "review_proof" for r in requests)


def _links(state: State, view: View, action: str, numbers: list[int], *, blocked: bool) -> None:
    now = view.gateway.read("blocked")
    wanted = np.unique([n for n in numbers if 0 <= n < len(now) and now[n] != blocked]).astype(np.int64)
    if not wanted.size:
        return
    allowed = view.ask(action, link=wanted).allowed
    state.blocked += int(np.count_nonzero(allowed)) if blocked else 0
    for link in wanted[allowed].tolist():
        what = "is blocked" if blocked else "is no longer blocked"
        view.note("policy", f"link {link} {what}", subject="link", number=link)


def _adapt(state: State, view: View) -> None:
    level, wanted = int(view.gateway.read("threat_level")), demand(state, view.tick)
    stayed = view.tick - state.changed
    if wanted > level and stayed >= state.rise:
        new = wanted
    elif wanted < level and stayed >= state.fall:
        new = level - 1
    else:
        return
    if view.ask("set_threat_level", level=new).allowed[0]:
        state.changed = view.tick
        what = "tightened" if new > level else "relaxed"
        view.note("policy", f"{what}: the threat level is {new}, it was {level}", number=new)


def _prove(state: State, view: View, proofs: Proofs) -> None:
    state.checked, state.version, was_invalid = view.tick, proofs.version, bool(state.faults)
    state.faults = tuple(proofs.faults())
    state.checks += 1
    if not state.faults:
        if was_invalid:
            view.note("policy", "the proofs are valid again")
        return
    state.refuted += 1
    if view.gateway.read("lockdown"):
        return
    why = f"a proof is invalid: {state.faults[0]}"
    if view.ask("lock_down").allowed[0]:
        state.lockdowns += 1
        state.locked = True
        view.note("emergency", f"the gateway is locked down, for {why}")
        view.tell(Name.COORDINATION, Request("lockdown", why=why))
    tell_humans(view, Request("lift_lockdown", why=why))


def _comply(state: State, view: View, fingerprint: Callable[[int], str]) -> None:
    """Has skills that run audited again when they are not what was audited."""
    runs = np.flatnonzero((view.gateway.read("trust") > 0) & ~view.gateway.read("disabled"))
    for skill in runs.tolist():
        found = fingerprint(skill)
        # What runs since before there was an Auditor is held to what it was when it was first looked at.
        if state.audited.setdefault(skill, found) != found and state.swapped.get(skill) != found:
            state.swapped[skill] = found
            view.note("policy", f"skill {skill} is not what was audited", subject="skill", number=skill)
            view.tell(Name.AUDITOR, Request("audit_anew", number=skill, why="it is not what was audited"))


def _lockdown(state: State, view: View) -> None:
    """A lockdown that has lasted long enough is ended, and one that is over is noted."""
    locked = bool(view.gateway.read("lockdown"))
    if locked and view.gateway.now > int(view.gateway.read("lockdown_until")):
        locked = not view.gateway.may("end_lockdown")
    if state.locked and not locked:
        view.note("recovered", "the lockdown is over")
        view.tell(Name.COORDINATION, Request("unlocked"))
    state.locked = locked
