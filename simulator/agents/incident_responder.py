"""The Incident Responder: alerts go in, playbooks are carried out step by step, and humans get what it cannot settle.

Every move of an incident is asked of the gateway under `agents.incidents`, one column of requests for each kind of move
and tick; what the policy denies does not happen. Whether the steps helped is seen some ticks later. What failed falls
back, and what failed or is grave goes to humans, who say what it really was (`simulator/humans.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Alert, Name, Request, View
from simulator.agents.incident_responder_book import Phase, forget_closed, key, of_phase
from simulator.agents.incident_responder_check import check
from simulator.agents.incident_responder_contain import contain, fall_back
from simulator.agents.incident_responder_open import open_incidents
from simulator.agents.incident_responder_quorum import agreed
from simulator.agents.incident_responder_state import State, begin, move, name_of, note
from simulator.agents.playbooks import BOT

__all__ = ["State", "begin", "tick"]

Ids = NDArray[np.int64]

REST = 20
"""So many ticks after an incident was closed, alerts about the same subject begin no other one."""
PARDON = 300
"""The same, after a human said that it was a false alarm."""
EVERY = 5
"""So often (in ticks) it tries again what humans have ordered, and says that there is too much to do."""
LATELY = 10
AT_ONCE = 64
"""So many of the orders it tries at once."""


def tick(state: State, view: View) -> None:
    """One tick: what humans said, new alerts, remedies, checks, and what is next."""
    _listen(state, view)
    open_incidents(state, view, view.take(Alert))
    book = state.book
    if book.live.size:
        contain(state, view)
        check(state, view)
        _conclude(state, view)
        if of_phase(book, Phase.CLOSED).size:
            _rest(state, view, forget_closed(book))
    if view.tick % EVERY == 0:
        _obey(state, view)
        _call_for_help(state, view)


def _listen(state: State, view: View) -> None:
    """What humans decided: they have closed incidents, and order quarantines for which there was no room."""
    book, said = state.book, view.take(Request)
    for request in said:
        match request.what:
            case "decided" if 0 <= request.number < book.count and _is_closed(view, request.number):
                book.phase[request.number] = Phase.CLOSED
                book.closed[request.number] = view.tick
                book.verdict[request.number] = request.level
            case "quarantine" if not agreed(book, request.number):
                state.orders.setdefault(request.number, view.tick)
            case "pardon":
                state.rests[key(BOT, request.number)] = view.tick + PARDON
            case _:
                pass
    if said:
        _rest(state, view, forget_closed(book))


def _conclude(state: State, view: View) -> None:
    """Closes what is over, falls back where steps failed, and hands to humans what is theirs."""
    book = state.book
    verified, fell_back = of_phase(book, Phase.VERIFIED), of_phase(book, Phase.FELL_BACK)
    if fell_back.size:
        fall_back(state, view, fell_back)
    over = verified[~book.grave[verified]]
    if over.size:
        move(state, view, "close", over, Phase.CLOSED)
        book.closed[over] = view.tick
    up = np.sort(np.concatenate([fell_back, verified[book.grave[verified]]]))
    if up.size:
        move(state, view, "escalate", up, Phase.ESCALATED)
        book.escalated[up] = view.tick
        for row in up.tolist():
            note(state, view, "escalated", f"{name_of(book, row)}: a human has to decide", row)


def _rest(state: State, view: View, closed: Ids) -> None:
    book = state.book
    for row in closed.tolist():
        subject = int(book.subject[row])
        wait = PARDON if book.verdict[row] == 0 else REST
        state.rests[key(subject, int(book.target[row, subject]))] = view.tick + wait
    if view.tick % PARDON == 0 and state.rests:
        state.rests = {k: until for k, until in state.rests.items() if until > view.tick}


def _obey(state: State, view: View) -> None:
    """Tries again what humans have ordered and had no room."""
    if not state.orders:
        return
    inside = view.gateway.read("quarantined")
    fresh = {b: t for b, t in state.orders.items() if 0 <= b < len(inside) and view.tick - t < PARDON}
    wanted = [b for b in fresh if not inside[b]]
    if wanted:
        view.ask("quarantine", suspect=np.array(wanted[:AT_ONCE], dtype=np.int64))
    inside = view.gateway.read("quarantined")
    # What was tried goes to the end, so that one that is never allowed does not stop the others.
    state.orders = {b: fresh[b] for b in wanted[AT_ONCE:] + wanted[:AT_ONCE] if not inside[b]}


def _call_for_help(state: State, view: View) -> None:
    """Says when there is more to do than can be done, and when that is over."""
    book = state.book
    busy = int(np.count_nonzero(book.seen[book.live] > view.tick - LATELY)) if book.live.size else 0
    if busy >= state.many:
        state.overwhelmed = True
        view.tell(Name.COORDINATION, Request("emergency", number=busy, why=f"{busy} new incidents in {LATELY} ticks"))
    elif state.overwhelmed and busy <= state.many // 2:
        state.overwhelmed = False
        view.tell(Name.COORDINATION, Request("stand_down", number=busy, why="incidents are few again"))


def _is_closed(view: View, incident: int) -> bool:
    """Whether the policy has it closed, whoever says so."""
    phases = next(p for e in view.gateway.enforcers if (p := e.state.get("phase")) is not None)
    return bool(phases[incident] == Phase.CLOSED)
