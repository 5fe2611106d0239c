"""What the Incident Responder remembers, and how it moves incidents and speaks of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Subject, View
from simulator.agents.incident_responder_book import SUBJECTS, Book, empty
from simulator.agents.playbooks import KINDS, Plans, plans

Ids = NDArray[np.int64]


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


def move(state: State, view: View, action: str, rows: Ids, phase: int) -> None:
    """One move for many incidents; those that the policy denies stay as they are."""
    allowed = view.gateway.ask(action, incident=rows).allowed
    state.book.phase[rows[allowed]] = phase


def name_of(book: Book, row: int) -> str:
    subject = int(book.subject[row])
    return f"{KINDS[book.kind[row]]}, {SUBJECTS[subject].value} {book.target[row, subject]}"


def note(state: State, view: View, kind: str, text: str, row: int) -> None:
    book = state.book
    subject: Subject = SUBJECTS[int(book.subject[row])]
    number: Any = int(book.target[row, book.subject[row]])
    view.note(kind, text, incident=row, subject=subject.value, number=number)
