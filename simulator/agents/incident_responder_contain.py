"""Remedies: open incidents go in, their steps are carried out, and what failed has its fallback."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import View
from simulator.agents.incident_responder_book import NONE, Done, Phase, of_phase
from simulator.agents.incident_responder_quorum import may_go_on
from simulator.agents.incident_responder_state import State, move, name_of, note
from simulator.agents.incident_responder_steps import carry_out
from simulator.agents.playbooks import HUMAN, NOTHING, QUARANTINE, TARGET_OF, WORDS, Do

Ids = NDArray[np.int64]


def contain(state: State, view: View) -> None:
    """Carries out the steps of what is open."""
    book, p = state.book, state.plans
    rows = of_phase(book, Phase.OPEN)
    if not rows.size:
        return
    do = np.where(book.done[rows] == Done.TO_DO, p.do[book.kind[rows]], NOTHING)
    on, late = may_go_on(view, book, rows, (do == QUARANTINE).any(axis=1))
    at, step = np.nonzero((do == QUARANTINE) & late[:, None])
    book.done[rows[at], step] = Done.REFUSED
    do[at, step] = NOTHING
    rows, do = rows[on], do[on]
    if not rows.size:
        return
    for thing in _things(do):
        at, step = np.nonzero(do == thing.value)
        done = carry_out(view, book, thing, rows[at], p.level[book.kind[rows[at]], step])
        book.done[rows[at], step] = np.where(done, Done.CARRIED_OUT, Done.REFUSED)
    move(state, view, "contain", rows, Phase.CONTAINED)
    book.contained[rows] = view.tick
    for row in rows.tolist():
        steps = zip(book.done[row].tolist(), p.do[book.kind[row]].tolist())
        what = [WORDS[d] for done, d in steps if done == Done.CARRIED_OUT and d != HUMAN]
        if what:
            note(state, view, "contained", f"{name_of(book, row)}: {', '.join(what)}", row)


def fall_back(state: State, view: View, rows: Ids) -> None:
    """Does instead what the playbooks say for the steps that failed."""
    book, p = state.book, state.plans
    failed = (book.done[rows] == Done.FAILED) | (book.done[rows] == Done.REFUSED)
    otherwise = np.where(failed, p.otherwise[book.kind[rows]], NOTHING)
    for thing in _things(otherwise):
        column = TARGET_OF.get(thing)
        chosen = rows[(otherwise == thing.value).any(axis=1)]
        if column is not None:
            chosen = chosen[book.target[chosen, column] != NONE]
        if chosen.size:
            carry_out(view, book, thing, chosen, 10 if thing is Do.LOWER_REPUTATION else 1)


def _things(do: NDArray[np.int8]) -> list[Do]:
    """What is to be done, each thing once."""
    return [Do(d) for d in np.unique(do).tolist() if d != NOTHING]
