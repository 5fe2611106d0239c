"""Steps of playbooks: what is to be done to whom goes in; whether it was done, and later whether it helped, comes out.

The Incident Responder quarantines and disables by itself. For all else it asks the agent whose trade it is: the Policy
Enforcer blocks links, the Reputation Tracker scores, the Auditor audits, and Coordination has the committee decide
about what concerns everybody.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Name, Request, View
from simulator.agents.incident_responder_book import Book
from simulator.agents.playbooks import BOT, KINDS, LINK, LONGEST, OBSERVABLES, OF_BOTS, OF_LINKS, SKILL, TARGET_OF, Do
from simulator.observe import FADE, RATES

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Multiplied out one by one: `pow` has other last bits on other machines (NOTE(portable)).
LEFT: Floats = np.cumprod(np.concatenate([[1.0], np.full(LONGEST, FADE)]))
"""What is left of a count after so many ticks."""
LEFT.setflags(write=False)
TOLERANCE = 1e-6
"""For the rounding of counts that fade."""
SIZED_BY = ("quarantined", "disabled", "blocked")
"""State variables of the policy with a cell for each bot, skill and link."""


def exists(view: View, what: int, numbers: Ids) -> Bools:
    """Whether there is a bot (`BOT`), a skill or a link of each number."""
    found: Bools = (numbers >= 0) & (numbers < len(view.gateway.read(SIZED_BY[what])))
    return found


def carry_out(view: View, book: Book, do: Do, rows: Ids, levels: Any) -> Bools:
    """Does one thing for incidents, the worst first; for which of them it is now done or asked for."""
    column = TARGET_OF.get(do)
    targets = book.target[rows, column] if column is not None else rows
    match do:
        case Do.QUARANTINE:
            return _act(view, "quarantine", "suspect", "quarantined", targets, book.score[rows])
        case Do.DISABLE_SKILL:
            return _act(view, "disable_skill", "skill", "disabled", targets, book.score[rows])
        case Do.BLOCK_LINK:
            _request(view, Name.ENFORCER, "block_link", book, rows, targets, levels)
        case Do.LOWER_REPUTATION:
            _request(view, Name.TRACKER, "lower_reputation", book, rows, targets, levels)
        case Do.AUDIT:
            _request(view, Name.AUDITOR, "audit", book, rows, targets, levels)
        case Do.TIGHTEN:
            # One wish for all: the committee decides once.
            view.tell(Name.COORDINATION, Request("tighten", level=int(np.max(levels)), why=_why(book, rows)))
        case Do.EMERGENCY:
            view.tell(Name.COORDINATION, Request("emergency", why=_why(book, rows)))
        case Do.HUMAN | Do.NOTHING:
            pass
    return np.ones(len(rows), dtype=np.bool_)


def measure(view: View, observables: NDArray[Any], targets: Ids) -> Floats:
    """What is observed now: for each row a place in `OBSERVABLES` and its target (a row of bot, skill and link)."""
    found = np.zeros(len(observables))
    for place in np.unique(observables).tolist():
        if place < 0:
            continue
        name = OBSERVABLES[place]
        of = observables == place
        values, column = _values(view, name)
        if column is None:
            found[of] = float(values)
            continue
        numbers = targets[of, column]
        inside = (numbers >= 0) & (numbers < len(values))
        found[of] = np.where(inside, values[np.where(inside, numbers, 0)], 0.0)
    return found


def helped(observables: NDArray[Any], before: Floats, now: Floats, ticks: Any, at_most: Floats) -> Bools:
    """Whether steps have helped, from what was observed so many ticks ago and now (see NOTE(fresh))."""
    # NOTE(fresh): a count fades, so what is new in it is what there is now less what is left of before. Had nothing
    # changed, the count would be as it was; the share of that which is new may be `at_most`.
    left = LEFT[np.minimum(ticks, LONGEST)]
    fell = now - before * left <= at_most * before * (1.0 - left) + TOLERANCE
    found: Bools = np.where(observables < FIRST_STATE, fell, now > 0)
    lower = (observables == REPUTATION) | (observables == DISTRUST)
    found[lower] = (now[lower] < before[lower]) | (now[lower] == UTMOST)
    return found


UTMOST = -(10**6)
"""Nobody can fall below it: no reputation, or a skill that does not run."""
FIRST_STATE = OBSERVABLES.index("disabled")
REPUTATION, DISTRUST = OBSERVABLES.index("reputation"), OBSERVABLES.index("distrust")


def _values(view: View, name: str) -> tuple[Any, int | None]:
    """Where an observable is found, and to which column of targets it belongs (`None`: to all alike)."""
    if name in RATES:
        return view.observed.rate(name), BOT
    if name in ("threat_level", "in_emergency"):
        return view.gateway.read(name), None
    if name == "distrust":
        trust = view.gateway.read("trust")
        return np.where(trust >= view.gateway.parameter("MIN_TRUST"), trust, UTMOST), SKILL
    if name == "reputation":
        # Beside the member in the middle: where all reputations rise, one that rises less has fallen.
        reputation = view.gateway.read("reputation").astype(np.int64)
        # Counting is much faster than sorting, for reputations are small numbers.
        up_to = np.cumsum(np.bincount(np.maximum(reputation[: view.members], 0)))
        usual = int(np.searchsorted(up_to, view.members // 2, side="right"))
        return np.where(reputation > 0, reputation - usual, UTMOST), BOT
    if name in OF_BOTS or name in OF_LINKS or name == "disabled":
        return view.gateway.read(name), BOT if name in OF_BOTS else LINK if name in OF_LINKS else SKILL
    return getattr(view.observed, name), LINK if name.startswith("link_") else SKILL


def _act(view: View, action: str, word: str, state: str, targets: Ids, score: Floats) -> Bools:
    """Asks once for each target for which it is not so already; for which rows it is so now."""
    order = np.argsort(-score, kind="stable")
    _, first = np.unique(targets[order], return_index=True)
    wanted = targets[order][np.sort(first)]
    wanted = wanted[~view.gateway.read(state)[wanted]]
    if wanted.size:
        view.ask(action, **{word: wanted})
    found: Bools = view.gateway.read(state)[targets].astype(np.bool_)
    return found


def _request(view: View, to: Name, what: str, book: Book, rows: Ids, targets: Ids, levels: Any) -> None:
    for row, number, level in zip(rows.tolist(), targets.tolist(), np.broadcast_to(levels, len(rows)).tolist()):
        view.tell(to, Request(what, number=number, level=level, why=KINDS[book.kind[row]]))


def _why(book: Book, rows: Ids) -> str:
    """The worst of the incidents, in words."""
    worst = int(rows[np.argmax(book.score[rows])])
    return f"incident {worst}: {KINDS[book.kind[worst]]}"
