"""The Incident Responder: alerts go in, playbooks are carried out step by step, and humans get what it cannot settle.

Every move of an incident is asked of the gateway under `agents.incidents`, one column of requests for each kind of move
and tick; what the policy denies does not happen. Whether the steps helped is seen some ticks later. What failed falls
back, and what failed or is grave goes to humans, who say what it really was (`simulator/humans.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Alert, Name, Request, Subject, View
from simulator.agents.incident_responder_book import (
    COLUMN,
    NONE,
    SUBJECTS,
    Book,
    Done,
    Phase,
    empty,
    forget_closed,
    key,
    make_room,
    of_phase,
)
from simulator.agents.incident_responder_quorum import agreed, may_go_on
from simulator.agents.incident_responder_steps import FIRST_STATE, SIZED_BY, carry_out, exists, helped, measure
from simulator.agents.playbooks import BOT, KINDS, LINK, LONGEST, OFTEN, SKILL, TARGET_OF, WORDS, Do, Plans, plans

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
WHERE_FROM = {"bot": BOT, "sender": BOT, "developer": BOT, "skill": SKILL, "link": LINK}
"""Words of the evidence that name a subject, by its number."""
NEED: NDArray[np.int8] = np.array([TARGET_OF.get(d, NONE) for d in Do], dtype=np.int8)
NEED.setflags(write=False)
NOTHING, HUMAN, QUARANTINE = Do.NOTHING.value, Do.HUMAN.value, Do.QUARANTINE.value


@dataclass(slots=True)
class State:
    plans: Plans
    many: int
    """From so many new incidents in `LATELY` ticks on, the service is overwhelmed: an emergency."""
    book: Book = field(default_factory=empty)
    rests: dict[int, int] = field(default_factory=dict)
    """Until which tick alerts about a subject are not listened to."""
    orders: dict[int, int] = field(default_factory=dict)
    """Bots that humans want in quarantine, for which there was no room yet, and when they said so."""
    overwhelmed: bool = False
    left_alone: int = 0
    """Alerts about what is dealt with already, or for which there is no step."""


def begin(members: int, playbooks: str | None = None) -> State:
    """Nothing has happened. `playbooks` is a TOML file; without it, those that ship. Raises `PlaybookError`."""
    return State(plans(playbooks), many=max(20, members // 25))


def tick(state: State, view: View) -> None:
    """One tick: what humans said, new alerts, remedies, checks, and what is next."""
    _listen(state, view)
    _open(state, view, view.take(Alert))
    book = state.book
    if book.live.size:
        _contain(state, view)
        _check(state, view)
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


def _open(state: State, view: View, alerts: list[Alert]) -> None:
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


def _things(do: NDArray[np.int8]) -> list[Do]:
    """What is to be done, each thing once."""
    return [Do(d) for d in np.unique(do).tolist() if d != NOTHING]


def _is_closed(view: View, incident: int) -> bool:
    """Whether the policy has it closed, whoever says so."""
    phases = next(p for e in view.gateway.enforcers if (p := e.state.get("phase")) is not None)
    return bool(phases[incident] == Phase.CLOSED)


def _contain(state: State, view: View) -> None:
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
    _move(state, view, "contain", rows, Phase.CONTAINED)
    book.contained[rows] = view.tick
    for row in rows.tolist():
        steps = zip(book.done[row].tolist(), p.do[book.kind[row]].tolist())
        what = [WORDS[d] for done, d in steps if done == Done.CARRIED_OUT and d != HUMAN]
        if what:
            _note(state, view, "contained", f"{_name(book, row)}: {', '.join(what)}", row)


def _check(state: State, view: View) -> None:
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
        _note(state, view, kind, f"{_name(book, row)}: {text}", row)


def _conclude(state: State, view: View) -> None:
    """Closes what is over, falls back where steps failed, and hands to humans what is theirs."""
    book = state.book
    verified, fell_back = of_phase(book, Phase.VERIFIED), of_phase(book, Phase.FELL_BACK)
    if fell_back.size:
        _fall_back(state, view, fell_back)
    over = verified[~book.grave[verified]]
    if over.size:
        _move(state, view, "close", over, Phase.CLOSED)
        book.closed[over] = view.tick
    up = np.sort(np.concatenate([fell_back, verified[book.grave[verified]]]))
    if up.size:
        _move(state, view, "escalate", up, Phase.ESCALATED)
        book.escalated[up] = view.tick
        for row in up.tolist():
            _note(state, view, "escalated", f"{_name(book, row)}: a human has to decide", row)


def _fall_back(state: State, view: View, rows: Ids) -> None:
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


def _move(state: State, view: View, action: str, rows: Ids, phase: int) -> None:
    """One move for many incidents; those that the policy denies stay as they are."""
    allowed = view.gateway.ask(action, incident=rows).allowed
    state.book.phase[rows[allowed]] = phase


def _what_failed(state: State, row: int) -> str:
    book, p = state.book, state.plans
    done, do = book.done[row], p.do[book.kind[row]]
    failed = [f"{WORDS[d]} did not help" for d in do[done == Done.FAILED].tolist()]
    return ", ".join(failed + [f"{WORDS[d]} was refused" for d in do[done == Done.REFUSED].tolist()])


def _name(book: Book, row: int) -> str:
    subject = int(book.subject[row])
    return f"{KINDS[book.kind[row]]}, {SUBJECTS[subject].value} {book.target[row, subject]}"


def _note(state: State, view: View, kind: str, text: str, row: int) -> None:
    book = state.book
    subject: Subject = SUBJECTS[int(book.subject[row])]
    number: Any = int(book.target[row, book.subject[row]])
    view.note(kind, text, incident=row, subject=subject.value, number=number)
