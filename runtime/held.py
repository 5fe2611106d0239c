"""Reservations as a store keeps them: what was promised, and how it was ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.system import Phases, System
from policydsl.core.to_json import dumps
from policydsl.core.types import Value
from runtime import decision_json
from runtime.decision import Decision
from runtime.store import StoreError, Transaction

RESERVATION = "reservation"
RESERVE = "reserve"
_PHASES = ("name", RESERVE, "commit", "abort", "expire")


@dataclass(frozen=True, slots=True)
class Phase:
    """That a request is one phase (`reserve`, `commit`, `abort` or `expire`) of the reservation `name`."""

    name: str = ""
    how: str = ""


NO_PHASE = Phase()


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation: the policy, its phases, the inputs with which it was made; how it was ended, and the answer to
    that. `at` is when the last of this happened (milliseconds)."""

    name: str
    system: str
    phases: Phases
    inputs: Mapping[str, Value]
    at: int
    ended: str = ""
    answer: Decision | None = None


def note(
    tx: Transaction,
    phase: Phase,
    system: System,
    action: str,
    inputs: Mapping[str, Value],
    decision: Decision,
    at: int,
) -> None:
    """A request that is a phase of a reservation was allowed, with these inputs (rewritten, if they were)."""
    if phase.how == RESERVE:
        phases = next(p for p in system.phases if p.reserve == action)
        _keep(tx, Held(phase.name, system.name, phases, dict(inputs), at))
    elif phase.how and (held := find(tx, phase.name)) is not None:
        _keep(tx, replace(held, ended=phase.how, answer=decision, at=at))


def find(tx: Transaction, name: str) -> Held | None:
    """The reservation with this name. Raises `StoreError`."""
    text = tx.get(RESERVATION, name)
    return None if text is None else _read(name, text)


def open_(tx: Transaction) -> list[Held]:
    """The reservations that are not ended. Raises `StoreError`."""
    return [h for h in _all(tx) if not h.ended]


def forget(tx: Transaction, before: int) -> frozenset[str]:
    """Remove the reservations that were ended before a time; the names of those that are left."""
    found = _all(tx)
    over = {h.name for h in found if h.ended and h.at < before}
    for name in over:
        tx.put(RESERVATION, name, None)
    return frozenset(h.name for h in found) - over


def _all(tx: Transaction) -> list[Held]:
    return [_read(name, text) for name, text in tx.notes(RESERVATION)]


def _keep(tx: Transaction, h: Held) -> None:
    answer = None if h.answer is None else decision_json.to_data(h.answer)
    phases = {n: str(getattr(h.phases, n)) for n in _PHASES}
    data = {"system": h.system, "phases": phases, "inputs": dict(h.inputs), "at": h.at}
    tx.put(RESERVATION, h.name, dumps({**data, "ended": h.ended, "answer": answer}).encode())


def _read(name: str, text: bytes) -> Held:
    try:
        r = Reader(parse(text.decode()), f"reservation {name}")
        named, reserve, commit, abort, expire = (r["phases"][n].text() for n in _PHASES)
        phases = Phases(named, reserve, commit, abort, expire)
        inputs = {n: r["inputs"][n].any_scalar() for n in r["inputs"].names()}
        answer = r["answer"].value
        decision = None if answer is None else decision_json.from_data(answer)
        return Held(name, r["system"].text(), phases, inputs, r["at"].whole(), r["ended"].text(), decision)
    except (MalformedError, UnicodeDecodeError) as error:
        raise StoreError(f"the reservation {name} cannot be read: {error}") from error
