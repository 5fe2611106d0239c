"""New incidents: alerts go in, incidents with the steps that apply to them come out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Alert, View
from simulator.agents.incident_responder_book import COLUMN, NONE, Book, Done, Phase, key, make_room
from simulator.agents.incident_responder_state import State
from simulator.agents.incident_responder_steps import SIZED_BY, exists
from simulator.agents.playbooks import BOT, HUMAN, KINDS, LINK, NOTHING, SKILL, TARGET_OF, Do

Ids = NDArray[np.int64]

WHERE_FROM = {"bot": BOT, "sender": BOT, "developer": BOT, "skill": SKILL, "link": LINK}
"""Words of the evidence that name a subject, by its number."""
NEED: NDArray[np.int8] = np.array([TARGET_OF.get(d, NONE) for d in Do], dtype=np.int8)


def open_incidents(state: State, view: View, alerts: list[Alert]) -> None:
    """New incidents; what is at work already takes note of the alert."""
    if not alerts:
        return
    book = state.book
    found: list[Alert] = []
    again: list[int] = []
    settled = [view.gateway.read(name) for name in SIZED_BY]
    for alert in alerts:
        column = COLUMN[alert.subject]
        this = key(column, alert.number)
        number = book.at_work.get(this)
        if number is not None:
            again.append(number)
            continue
        inside = 0 <= alert.number < len(settled[column]) and alert.kind in KINDS
        if not inside or settled[column][alert.number] or state.rests.get(this, -1) > view.tick:
            state.left_alone += 1
            continue
        book.at_work[this] = book.count + len(found)
        found.append(alert)
    if found:
        _report(state, view, found)
    np.add.at(book.alerts, again, 1)


def _report(state: State, view: View, alerts: list[Alert]) -> None:
    book, p = state.book, state.plans
    rows = np.arange(book.count, book.count + len(alerts))
    make_room(book, book.count + len(alerts))
    book.kind[rows] = [KINDS.index(a.kind) for a in alerts]
    book.subject[rows] = [COLUMN[a.subject] for a in alerts]
    book.score[rows] = [a.score for a in alerts]
    book.target[rows] = [_targets(a) for a in alerts]
    _complete(view, book, rows)
    book.seen[rows] = view.tick
    book.alerts[rows] = 1
    kind = book.kind[rows]
    do, targets = p.do[kind], book.target[rows]
    for column in (BOT, SKILL, LINK):
        targets[:, column] = np.where(exists(view, column, targets[:, column]), targets[:, column], NONE)
    need = NEED[do]
    there = (need == NONE) | (targets[np.arange(len(rows))[:, None], np.maximum(need, 0)] != NONE)
    applies = (do != NOTHING) & (book.score[rows][:, None] >= p.from_score[kind]) & there
    book.target[rows] = targets
    book.done[rows] = np.where(applies, Done.TO_DO, Done.LEFT_OUT)
    book.grave[rows] = (applies & (do == HUMAN)).any(axis=1)
    _reserve(view, book.count + len(alerts))
    allowed = view.ask("report", incident=rows, is_grave=book.grave[rows]).allowed
    book.phase[rows] = np.where(allowed, Phase.OPEN, Phase.CLOSED)
    book.count += len(alerts)
    book.live = np.concatenate([book.live, rows])


def _targets(alert: Alert) -> list[int]:
    """The bot, the skill and the link that an alert names."""
    found = [NONE] * 3
    for word, value in alert.evidence:
        if word in WHERE_FROM:
            found[WHERE_FROM[word]] = int(value)
    found[COLUMN[alert.subject]] = alert.number
    return found


def _complete(view: View, book: Book, rows: Ids) -> None:
    """What the gateway knows beside: who made a skill, and which link in a bot's messages has most complaints."""
    target = book.target
    skills = rows[(target[rows, SKILL] != NONE) & (book.subject[rows] == SKILL) & (target[rows, BOT] == NONE)]
    if skills.size:
        target[skills, BOT] = view.gateway.read("developer.value")[target[skills, SKILL]]
    phishing = rows[(book.kind[rows] == KINDS.index("phishing")) & (target[rows, LINK] == NONE)]
    phishing = phishing[target[phishing, BOT] != NONE]
    if phishing.size:
        owner = {bot: row for row, bot in zip(phishing.tolist(), target[phishing, BOT].tolist())}
        for asked in view.gateway.of_tick("send"):
            links, senders = asked.column("link"), asked.column("principal")
            place = np.flatnonzero((links >= 0) & np.isin(senders, target[phishing, BOT]))
            for at in place[np.argsort(view.observed.link_complaints[links[place]], kind="stable")].tolist():
                target[owner[int(senders[at])], LINK] = links[at]


def _reserve(view: View, rows: int) -> None:
    """The policy of incidents must know as many of them."""
    for enforcer in view.gateway.enforcers:
        phases = enforcer.state.get("phase")
        if phases is not None and len(phases) < rows:
            view.gateway.grow("Incident", max(rows, 2 * len(phases)))
