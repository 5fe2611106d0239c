"""The people behind the agents: what was escalated goes in, their decisions come out, late and sometimes wrong.

Operators take up cases, the gravest first, and need a log-normal time for each. They find out what a bot, a skill or a
link really did, and err at a given rate: `truth`, from the engine, is the only place where ground truth comes in. Then
they confirm or undo what the agents did, decide incidents, lift lockdowns and end emergencies. When nothing is urgent,
they look at quarantines for which no human has taken the responsibility yet, which makes room for others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Happening, Name, Request, Subject, View
from simulator.agents.incident_responder_book import SUBJECTS, Book, Phase, key, of_phase
from simulator.agents.playbooks import BOT, KINDS, LINK, SKILL

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]
Truth = Callable[[Subject, Ids], Bools]
"""Whether bots, skills or links really do harm."""
Repair = Callable[[], bool]
"""Puts the proved policy and its certificate back in force; whether it was not."""

HUMANS = "humans"
"""The name under which agents tell humans something."""
INCIDENT, REVIEW = "incident", "review"
URGENT = ("lift_lockdown", "repair", "emergency", "stand_down")
"""What is taken up before any incident, in this order."""
MORE = 0.1
"""So much of the time of one case each like case takes that is looked at with it."""


@dataclass(slots=True)
class Job:
    """What an operator is busy with."""

    operator: int
    """Its place among the operators."""
    ready: int
    """Milliseconds: when the decision is there."""
    what: str
    numbers: tuple[int, ...] = ()
    """Incidents, or bots."""


@dataclass(slots=True)
class State:
    operators: Ids
    """Their numbers as bots; they are in the group `Humans`."""
    median: float
    """Milliseconds until they have decided a case."""
    sigma: float
    error: float
    batch: int
    """So many like cases one looks at together, at most."""
    jobs: list[Job] = field(default_factory=list)
    urgent: list[str] = field(default_factory=list)
    """What of `URGENT` waits."""
    answered: list[int] = field(default_factory=list)
    """Incidents that were decided in this tick, which the Incident Responder hears of in the next one."""
    drawn: int = 0
    """How many reaction times were drawn."""
    decided: int = 0
    wrong: int = 0
    """How many judgements were wrong."""


def begin(
    operators: Any, *, median: float = 20_000.0, sigma: float = 0.5, error: float = 0.02, batch: int = 25
) -> State:
    """`operators` are their numbers as bots; `median` is in milliseconds."""
    numbers = np.asarray(operators, dtype=np.int64)
    if not numbers.size or median < 0 or not 0 <= sigma <= 5 or not 0 <= error <= 1 or batch < 1:
        raise ValueError(
            "there is an operator, a median from 0 up, sigma in 0..5, an error in 0..1, a batch of 1 or more"
        )
    return State(numbers, median, sigma, error, batch)


def tell_humans(view: View, request: Request) -> None:
    """An agent turns to the humans."""
    view.bus.requests.setdefault(HUMANS, []).append(request)


def tick(state: State, view: View, book: Book | None, truth: Truth, repair: Repair) -> None:
    """One tick, after all agents. `book` is the Incident Responder's."""
    for request in view.bus.requests.pop(HUMANS, []):
        if request.what in URGENT and request.what not in [*state.urgent, *(j.what for j in state.jobs)]:
            state.urgent.append(request.what)
    now = view.gateway.now
    state.answered = []
    ready = [j for j in state.jobs if j.ready <= now]
    state.jobs = [j for j in state.jobs if j.ready > now]
    for job in ready:
        _finish(state, view, book, truth, repair, job)
    free = sorted(set(range(len(state.operators))) - {j.operator for j in state.jobs})
    for operator in free:
        what, numbers = _next(state, view, book)
        if not what:
            break
        state.jobs.append(Job(operator, now + _time(state, view, len(numbers)), what, numbers))


def _time(state: State, view: View, cases: int) -> int:
    state.drawn += 1
    one = float(view.draw("reaction").log_normal(np.array([state.drawn]), state.median, state.sigma)[0])
    return int(one * (1.0 + MORE * max(0, cases - 1)))


def _next(state: State, view: View, book: Book | None) -> tuple[str, tuple[int, ...]]:
    """What to take up: "" for nothing."""
    for what in URGENT:
        if what in state.urgent:
            state.urgent.remove(what)
            return what, ()
    full = 3 * (int(view.gateway.read("in_quarantine")) + 1) > view.members
    review = _to_review(state, view, book) if full else ()
    if review:
        return REVIEW, review
    rows = of_phase(book, Phase.ESCALATED) if book is not None else np.zeros(0, dtype=np.int64)
    if book is not None and rows.size:
        taken = state.answered + [n for j in state.jobs if j.what == INCIDENT for n in j.numbers]
        rows = rows[~np.isin(rows, taken)]
        if rows.size:
            worst = rows[np.lexsort((rows, -book.score[rows], ~book.grave[rows]))]
            like = worst[book.kind[worst] == book.kind[worst[0]]]
            return INCIDENT, tuple(like[: state.batch].tolist())
    review = _to_review(state, view, book)
    return (REVIEW, review) if review else ("", ())


def _to_review(state: State, view: View, book: Book | None) -> tuple[int, ...]:
    """Bots in quarantine for which no human has a word, and no incident is at work: the least certain cases first."""
    if not view.gateway.read("in_quarantine"):
        return ()
    waiting = np.flatnonzero(view.gateway.read("quarantined") & ~view.gateway.read("by_human"))
    taken = {n for j in state.jobs if j.what == REVIEW for n in j.numbers}
    if book is not None:
        rows = np.flatnonzero(book.target[: book.count, BOT] >= 0)
        score = np.zeros(len(view.gateway.read("quarantined")))
        score[book.target[rows, BOT]] = book.score[rows]
        waiting = waiting[np.argsort(score[waiting], kind="stable")]
    found: list[int] = []
    for bot in waiting.tolist():
        if bot not in taken and (book is None or key(BOT, bot) not in book.at_work):
            found.append(bot)
            if len(found) == state.batch:
                break
    return tuple(found)


def _finish(state: State, view: View, book: Book | None, truth: Truth, repair: Repair, job: Job) -> None:
    who = int(state.operators[job.operator])
    match job.what:
        case "lift_lockdown":
            _repair(view, repair)
            if view.gateway.read("lockdown"):
                view.gateway.ask("lift_lockdown", principal=who)
                _note(view, "a human lifts the lockdown")
        case "repair":
            _repair(view, repair)
        case "emergency" | "stand_down":
            if view.gateway.may(job.what, principal=who):
                said = "declares an emergency" if job.what == "emergency" else "ends the emergency"
                _note(view, f"a human {said}")
        case "review":
            bots = np.array(job.numbers, dtype=np.int64)
            bots = bots[view.gateway.read("quarantined")[bots]]
            harmful = _judged(state, view, truth, BOT, bots, bots)
            _bots(view, who, bots, harmful)
            for bot in bots[~harmful].tolist():
                view.tell(Name.RESPONDER, Request("pardon", number=bot))
        case _:
            if book is not None:
                _decide(state, view, book, truth, who, np.array(job.numbers, dtype=np.int64))


def _repair(view: View, repair: Repair) -> None:
    if repair():
        _note(view, "a human puts the policy that was proved back in force")


def _judged(state: State, view: View, truth: Truth, column: int, numbers: Ids, cases: Ids) -> Bools:
    """What the human believes of bots, skills or links: the truth, or by mistake the opposite."""
    really = truth(SUBJECTS[column], numbers)
    wrong = view.draw("human error").bernoulli(cases * 3 + column, state.error)
    state.wrong += int(np.count_nonzero(wrong))
    found: Bools = really ^ wrong
    return found


def _decide(state: State, view: View, book: Book, truth: Truth, who: int, rows: Ids) -> None:
    """Judges all that incidents are about, undoes what hit the innocent, and closes the incidents."""
    rows = rows[book.phase[rows] == Phase.ESCALATED]
    if not rows.size:
        return
    verdict = np.zeros(len(rows), dtype=np.bool_)
    for column in (BOT, SKILL, LINK):
        there = book.target[rows, column] >= 0
        numbers = book.target[rows[there], column]
        if not numbers.size:
            continue
        harmful = _judged(state, view, truth, column, numbers, rows[there])
        subject = book.subject[rows] == column
        verdict[subject] = harmful[subject[there]]
        if column == BOT:
            _bots(view, who, numbers, harmful)
            _order(view, numbers[harmful & subject[there]])
        else:
            action, word, state_name = UNDO[column]
            undone = np.unique(numbers[~harmful])
            undone = undone[view.gateway.read(state_name)[undone]]
            if undone.size:
                view.gateway.ask(action, principal=who, **{word: undone})
    allowed = view.gateway.ask("decide", principal=who, incident=rows).allowed
    state.decided += int(np.count_nonzero(allowed))
    state.answered += rows.tolist()
    for row, real in zip(rows[allowed].tolist(), verdict[allowed].tolist()):
        view.tell(Name.RESPONDER, Request("decided", number=row, level=int(real)))
        what = KINDS[book.kind[row]] if real else f"no {KINDS[book.kind[row]]}, a false alarm"
        column = int(book.subject[row])
        _note(view, f"a human says: {what}", row, SUBJECTS[column].value, int(book.target[row, column]))


UNDO = {SKILL: ("enable_skill", "skill", "disabled"), LINK: ("unblock_link", "link", "blocked")}
"""How a human takes back what was done to a skill or a link that does no harm."""


def _bots(view: View, who: int, bots: Ids, harmful: Bools) -> None:
    """Confirms quarantines of the harmful, lets the innocent out, and suspends agents that were taken over."""
    inside, by_human = view.gateway.read("quarantined")[bots], view.gateway.read("by_human")[bots]
    for action, word, chosen in (
        ("confirm", "suspect", bots[harmful & inside & ~by_human]),
        ("let_out", "suspect", bots[~harmful & inside]),
        ("suspend", "agent", bots[harmful & (bots >= view.members)]),
    ):
        if chosen.size:
            view.gateway.ask(action, principal=who, **{word: np.unique(chosen)})


def _order(view: View, bots: Ids) -> None:
    """What does harm and is not in quarantine has to go there, when there is room."""
    outside = bots[(bots < view.members) & ~view.gateway.read("quarantined")[bots]]
    for bot in np.unique(outside).tolist():
        view.tell(Name.RESPONDER, Request("quarantine", number=bot))


def _note(view: View, text: str, incident: int = -1, subject: str = "", number: int = -1) -> None:
    said = Happening(view.tick, view.gateway.now, "human", "human", text, incident, subject, number)
    view.bus.happenings.append(said)
