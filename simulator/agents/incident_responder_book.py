"""The book of incidents: a row for each incident ever, with its steps and when what happened.

Rows are the numbers that incidents have in `agents.incidents`, and `phase` is what the policy holds them to be in: it
is set when a move was allowed, and never else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Subject
from simulator.agents.playbooks import BOT, LINK, MOST_STEPS, SKILL

Ids = NDArray[np.int64]


class Phase:
    """The cases of `Phase` in `agents.incidents`, in their order.

    Plain numbers, for NumPy takes five times as long to compare an array with a member of an enumeration.
    """

    UNKNOWN: Final = 0
    OPEN: Final = 1
    CONTAINED: Final = 2
    VERIFIED: Final = 3
    FELL_BACK: Final = 4
    ESCALATED: Final = 5
    CLOSED: Final = 6


class Done:
    """What became of one step of one incident."""

    TO_DO: Final = 0
    CARRIED_OUT: Final = 1
    HELPED: Final = 2
    FAILED: Final = 3
    LEFT_OUT: Final = 4  # it does not apply
    REFUSED: Final = 5  # the policy denied it


SUBJECTS = (Subject.BOT, Subject.SKILL, Subject.LINK)
"""In the order of the columns of `target`."""
COLUMN = {Subject.BOT: BOT, Subject.SKILL: SKILL, Subject.LINK: LINK}
NONE = -1


@dataclass(slots=True)
class Book:
    """Columns with room for more rows than there are; ticks are -1 for what has not happened."""

    phase: NDArray[np.int8]
    kind: NDArray[np.int8]
    """Places in `KINDS`."""
    subject: NDArray[np.int8]
    """Places in `SUBJECTS`."""
    target: NDArray[np.int64]
    """The bot, the skill and the link that it is about, -1 for none."""
    score: NDArray[np.float64]
    grave: NDArray[np.bool_]
    alerts: NDArray[np.int32]
    """How many alerts it stands for."""
    seen: NDArray[np.int32]
    """The tick of its first alert."""
    contained: NDArray[np.int32]
    asked: NDArray[np.int32]
    """When the committee was asked to agree to its quarantine, if that was necessary."""
    agreed: NDArray[np.bool_]
    """Whether the committee has."""
    judged: NDArray[np.int32]
    """When it was known whether the steps had helped."""
    escalated: NDArray[np.int32]
    closed: NDArray[np.int32]
    verdict: NDArray[np.int8]
    """What a human said: 1 for a real one, 0 for a false alarm, -1 for nothing."""
    done: NDArray[np.int8]
    """For each step a number of `Done`."""
    before: NDArray[np.float64]
    """For each step, what was observed when it was carried out and what was on its way had arrived."""
    count: int = 0
    live: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The incidents that are not closed, in order."""
    at_work: dict[int, int] = field(default_factory=dict)
    """For each subject (see `key`) with such an incident, its number."""


def empty(room: int = 64) -> Book:
    def column(kind: Any, value: Any, *more: int) -> NDArray[Any]:
        return np.full((room, *more), value, dtype=kind)

    return Book(
        phase=column(np.int8, Phase.UNKNOWN),
        kind=column(np.int8, 0),
        subject=column(np.int8, 0),
        target=column(np.int64, NONE, 3),
        score=column(np.float64, 0.0),
        grave=column(np.bool_, False),
        alerts=column(np.int32, 0),
        seen=column(np.int32, NONE),
        contained=column(np.int32, NONE),
        asked=column(np.int32, NONE),
        agreed=column(np.bool_, False),
        judged=column(np.int32, NONE),
        escalated=column(np.int32, NONE),
        closed=column(np.int32, NONE),
        verdict=column(np.int8, NONE),
        done=column(np.int8, Done.TO_DO, MOST_STEPS),
        before=column(np.float64, 0.0, MOST_STEPS),
    )


def key(subject: int, number: int) -> int:
    """One number for a bot, a skill or a link."""
    return number * 3 + subject


def make_room(book: Book, rows: int) -> None:
    """Room for so many rows, twice as many as before at least."""
    have = len(book.phase)
    if rows <= have:
        return
    more = empty(max(rows, 2 * have) - have)
    for f in fields(Book):
        column = getattr(book, f.name)
        if isinstance(column, np.ndarray) and f.name != "live":
            setattr(book, f.name, np.concatenate([column, getattr(more, f.name)]))


def of_phase(book: Book, phase: int) -> Ids:
    """The incidents that are in a phase now, unless they are closed."""
    found: Ids = book.live[book.phase[book.live] == phase]
    return found


def forget_closed(book: Book) -> Ids:
    """Takes what is closed out of what is at work, and returns it."""
    closed = of_phase(book, Phase.CLOSED)
    if closed.size:
        book.live = book.live[book.phase[book.live] != Phase.CLOSED]
        for row in closed.tolist():
            subject = int(book.subject[row])
            book.at_work.pop(key(subject, int(book.target[row, subject])), None)
    return closed
