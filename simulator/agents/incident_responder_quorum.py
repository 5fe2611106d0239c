"""Quarantines in great number: incidents that want one go in, those that may go on without the committee come out.

The policy lets the Incident Responder quarantine by itself, up to a share of the members. A few at once it does so;
beyond that it asks Coordination to have the committee agree, so that one agent gone wrong, or one flood of alarms, does
not use up the whole share in a moment. Where the committee does not agree in time, humans decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Name, Request, View
from simulator.agents.incident_responder_book import NONE, Book, Phase, of_phase
from simulator.agents.playbooks import BOT, KINDS

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEW, SHARE = 16, 100
"""So many in one tick, or of many members one in so many, it does by itself."""
WAIT = 20
"""So many ticks it waits for the committee."""


def may_go_on(view: View, book: Book, rows: Ids, wants: Bools) -> tuple[Bools, Bools]:
    """Of open incidents, some of which want a quarantine: which go on now, and which have waited in vain."""
    asked = book.asked[rows]
    waits = wants & (asked != NONE) & ~book.agreed[rows]
    late: Bools = waits & (view.tick - asked >= WAIT)
    held: Bools = waits & ~late
    new = np.flatnonzero(wants & (asked == NONE))
    most = max(FEW, view.members // SHARE)
    if new.size > most:
        worst_first = new[np.argsort(-book.score[rows[new]], kind="stable")]
        beyond = np.sort(worst_first[most:])
        held[beyond] = True
        book.asked[rows[beyond]] = view.tick
        for row in rows[beyond].tolist():
            about = Request("quarantine", number=int(book.target[row, BOT]), why=KINDS[book.kind[row]])
            view.tell(Name.COORDINATION, about)
    return ~held, late


def agreed(book: Book, bot: int) -> bool:
    """The committee agrees to the quarantine of a bot; whether an incident waits for it."""
    rows = of_phase(book, Phase.OPEN)
    waiting = rows[(book.target[rows, BOT] == bot) & (book.asked[rows] != NONE)]
    book.agreed[waiting] = True
    return bool(waiting.size)
