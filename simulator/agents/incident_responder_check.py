"""Whether remedies helped: contained incidents go in; verified ones, and those that fell back, come out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import View
from simulator.agents.incident_responder_book import NONE, Done, Phase, of_phase
from simulator.agents.incident_responder_state import State, name_of, note
from simulator.agents.incident_responder_steps import FIRST_STATE, helped, measure
from simulator.agents.playbooks import HUMAN, LONGEST, NOTHING, OFTEN, WORDS

Ids = NDArray[np.int64]


def check(state: State, view: View) -> None:
    """Looks at what was carried out: first at what there was before, then at whether it fell."""
    book, p = state.book, state.plans
    rows = of_phase(book, Phase.CONTAINED)
    if rows.size and view.tick % OFTEN:
        since = np.minimum(view.tick - book.contained[rows], LONGEST)
        rows = rows[p.looks[book.kind[rows], since]]
    if not rows.size:
        return
    kind, waiting = book.kind[rows], book.done[rows] == Done.CARRIED_OUT
    ago = (view.tick - book.contained[rows])[:, None]
    at, step = np.nonzero(waiting & (ago == p.settle[kind]))
    if at.size:
        book.before[rows[at], step] = measure(view, p.observe[kind[at], step], book.target[rows[at]])
    # What the policy remembers is there from one tick to the next, and counts that fade need their time.
    at, step = np.nonzero(
        waiting & ((ago >= p.within[kind]) | (p.observe[kind] >= FIRST_STATE) & (ago > p.settle[kind]))
    )
    if at.size:
        this, late = kind[at], ago[at, 0]
        seen = p.observe[this, step]
        now = measure(view, seen, book.target[rows[at]])
        ticks = late - p.settle[this, step]
        last = late >= p.within[this, step]
        good = helped(seen, book.before[rows[at], step], now, ticks, p.at_most[this, step]) | (seen == NONE)
        book.done[rows[at], step] = np.where(good, Done.HELPED, np.where(last, Done.FAILED, Done.CARRIED_OUT))
    done = book.done[rows]
    counts = (p.otherwise[kind] != NOTHING) & (done != Done.LEFT_OUT) & (p.do[kind] != HUMAN)
    counts |= ~counts.any(axis=1)[:, None]
    failed = (((done == Done.FAILED) | (done == Done.REFUSED)) & counts).any(axis=1)
    # What is grave is not kept from humans by what does not matter to it.
    open_ = (done == Done.CARRIED_OUT) & (counts | ~book.grave[rows][:, None])
    settled = failed | ~open_.any(axis=1)
    if settled.any():
        _judge(state, view, rows[settled], ~failed[settled])


def _judge(state: State, view: View, rows: Ids, good: NDArray[np.bool_]) -> None:
    book = state.book
    allowed = view.gateway.ask("verify", incident=rows, helped=good).allowed
    rows, good = rows[allowed], good[allowed]
    book.phase[rows] = np.where(good, Phase.VERIFIED, Phase.FELL_BACK)
    book.judged[rows] = view.tick
    for row, well in zip(rows.tolist(), good.tolist()):
        kind, text = ("verified", "it helped") if well else ("fell_back", _what_failed(state, row))
        note(state, view, kind, f"{name_of(book, row)}: {text}", row)


def _what_failed(state: State, row: int) -> str:
    book, p = state.book, state.plans
    done, do = book.done[row], p.do[book.kind[row]]
    failed = [f"{WORDS[d]} did not help" for d in do[done == Done.FAILED].tolist()]
    return ", ".join(failed + [f"{WORDS[d]} was refused" for d in do[done == Done.REFUSED].tolist()])
