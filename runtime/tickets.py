"""Questions that only people can answer: asked once, kept until they are answered or too late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policydsl.core.read_json import Reader, parse
from policydsl.core.to_json import dumps
from policydsl.core.types import Value
from runtime.desk import APPROVE
from runtime.held import NO_PHASE, Phase
from runtime.policies import Way
from runtime.store import StoreError, Transaction

TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Question:
    """May this request be allowed? `inputs` are those of the core; each rule of `rules` (with who may answer) asks,
    since the time `asked`, and an answer counts until `until` (milliseconds, the clock of the enforcer). `phase` says
    which reservation the request is about, if any."""

    ticket: str
    system: str
    action: str
    inputs: tuple[tuple[str, Value], ...]
    rules: tuple[tuple[str, str], ...]
    asked: int
    until: int
    key: str = ""
    phase: Phase = NO_PHASE

    def granted(self) -> dict[str, Value]:
        """The inputs by which the core learns that everybody has agreed."""
        return {n: v for rule, _ in self.rules for n, v in ((f"approved_{rule}", True), (f"asked_{rule}", self.asked))}


def question(
    ticket: str,
    way: Way,
    inputs: Mapping[str, Value],
    duties: Sequence[tuple[str, tuple[Value, ...]]],
    now: int,
    key: str,
    phase: Phase = NO_PHASE,
) -> Question:
    """The question that a pending decision asks, by its obligations `approve(rule, who, within)`."""
    asked = [args for name, args in duties if name == APPROVE]
    rules = tuple((str(rule), str(who)) for rule, who, _ in asked)
    until = min(now + int(within) for _, _, within in asked)
    return Question(ticket, way.policy.name, way.name, tuple(inputs.items()), rules, now, until, key, phase)


def ask(tx: Transaction, q: Question) -> None:
    """Keep a question."""
    data = {
        "system": q.system,
        "action": q.action,
        "inputs": dict(q.inputs),
        "rules": [list(r) for r in q.rules],
        "asked": q.asked,
        "until": q.until,
        "key": q.key,
        "phase": [q.phase.name, q.phase.how],
    }
    tx.put(TICKET, q.ticket, dumps(data).encode())


def find(tx: Transaction, ticket: str) -> Question | None:
    """The question with this ticket, if it is still open."""
    note = tx.get(TICKET, ticket)
    return None if note is None else _read(ticket, note)


def open_questions(tx: Transaction) -> list[Question]:
    """All open questions, the oldest first."""
    found = [_read(name, note) for name, note in tx.notes(TICKET)]
    return sorted(found, key=lambda q: (q.asked, q.ticket))


def close(tx: Transaction, ticket: str) -> None:
    """Forget a question."""
    tx.put(TICKET, ticket, None)


def _read(ticket: str, note: bytes) -> Question:
    try:
        r = Reader(parse(note.decode()), f"ticket {ticket}")
        rules = tuple((x.items()[0].text(), x.items()[1].text()) for x in r["rules"].items())
        inputs = tuple((n, r["inputs"][n].any_scalar()) for n in r["inputs"].names())
        times = r["asked"].whole(), r["until"].whole()
        name, how = (x.text() for x in r["phase"].items())
        key, phase = r["key"].text(), Phase(name, how)
        return Question(ticket, r["system"].text(), r["action"].text(), inputs, rules, *times, key, phase)
    except (ValueError, IndexError) as error:
        raise StoreError(f"the question {ticket} cannot be read: {error}") from error
