"""Actions with an effect on the outside, in two phases: promised first, then done or given up, once.

What is promised counts as the policy says (against budgets, say) until it is ended: by `commit`, by `abort`, or, when
nothing is heard of it, by the policy's `expire`, which `sweep` asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.system import Phases
from policydsl.core.to_json import dumps
from policydsl.core.types import Value
from runtime import decision_json
from runtime.decision import Code, Decision
from runtime.enforcer import Enforcer
from runtime.office import refusal
from runtime.store import StoreError, Transaction

RESERVATION = "reservation"
_PHASES = ("name", "reserve", "commit", "abort", "expire")


class Reservation:
    """A promise, if `decision` allows it. As a context it is given up when it was not committed in it."""

    def __init__(self, enforcer: Enforcer, name: str, decision: Decision) -> None:
        self.enforcer = enforcer
        self.name = name
        self.decision = decision
        self.ended = not decision.allowed

    @property
    def allowed(self) -> bool:
        return self.decision.allowed

    def commit(self, **inputs: Any) -> Decision:
        """It is done. `inputs` are those of the committing action that the reservation does not have, as the cost."""
        return self._end("commit", inputs)

    def abort(self) -> Decision:
        """It came to nothing."""
        return self._end("abort", {})

    def _end(self, how: str, inputs: Mapping[str, Any]) -> Decision:
        if not self.decision.allowed:
            return self.decision
        answer = end(self.enforcer, self.name, how, inputs)
        self.ended = self.ended or answer.allowed
        return answer

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self.ended:
            self.abort()


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation: the policy, its phases, the inputs with which it was made; how it was ended, and the answer to
    that."""

    name: str
    system: str
    phases: Phases
    inputs: Mapping[str, Value]
    ended: str = ""
    answer: Decision | None = None


def reserve(enforcer: Enforcer, action: str, inputs: Mapping[str, Any], key: str) -> Reservation:
    """Ask for a reservation by its action or by the name of the phases (`two phase NAME: …`). Never raises.

    The `key` names the reservation, too: asked for again with the same key, it is the same one.
    """
    found = phases_of(enforcer, action)
    if found is None:
        return Reservation(enforcer, key, refusal(Code.UNKNOWN_ACTION, f"`{action}` is not done in two phases"))
    system, phases = found
    name, call = key or enforcer.settings.fresh(), f"{system}.{phases.reserve}"

    def then(tx: Transaction, decision: Decision) -> None:
        if decision.effect == "allow":
            _keep(tx, Held(name, system, phases, enforcer.flat(call, inputs)))

    return Reservation(enforcer, name, enforcer.decide_within(call, inputs, name, then))


def end(enforcer: Enforcer, name: str, how: str, inputs: Mapping[str, Any]) -> Decision:
    """End a reservation by "commit", "abort" or "expire". Ended so before, it gets the same answer. Never raises."""
    held = enforcer.look(lambda tx: _find(tx, name), None)
    action = str(getattr(held.phases, how)) if held else ""
    if held is None or not action:
        why = f"there is no way to {how} `{held.phases.name}`" if held else f"there is no reservation `{name}`"
        return refusal(Code.RESERVATION, why)
    call = f"{held.system}.{action}"
    wanted = enforcer.inputs_of(call)
    shared = {n: v for n, v in held.inputs.items() if n.partition(".")[0] in wanted}

    def before(tx: Transaction) -> Decision | None:
        now = _find(tx, name)
        if now is None or not now.ended:
            return None
        return now.answer if now.ended == how else refusal(Code.RESERVATION, f"it was ended before, by {now.ended}")

    def then(tx: Transaction, decision: Decision) -> None:
        if decision.effect == "allow":
            _keep(tx, replace(held, ended=how, answer=decision))

    return enforcer.decide_within(call, {**shared, **inputs}, "", then, before)


def sweep(enforcer: Enforcer) -> list[tuple[str, Decision]]:
    """Ask the policy to expire every reservation that is held; those that it let expire, with the answers."""
    found = [(h.name, end(enforcer, h.name, "expire", {})) for h in held(enforcer) if h.phases.expire]
    return [(name, decision) for name, decision in found if decision.effect == "allow"]


def held(enforcer: Enforcer) -> list[Held]:
    """The reservations that are not ended; none when that cannot be known."""
    none: list[Held] = []
    found = enforcer.look(lambda tx: [_read(name, note) for name, note in tx.notes(RESERVATION)], none)
    return [h for h in found if not h.ended]


def phases_of(enforcer: Enforcer, name: str) -> tuple[str, Phases] | None:
    """The policy and its phases, by their name or by the action that reserves."""
    for running in enforcer.policies.running if enforcer.policies else ():
        for phases in running.policy.system.phases:
            if name in (
                phases.name,
                phases.reserve,
                f"{running.name}.{phases.name}",
                f"{running.name}.{phases.reserve}",
            ):
                return running.name, phases
    return None


def _keep(tx: Transaction, h: Held) -> None:
    answer = None if h.answer is None else decision_json.to_data(h.answer)
    phases = {n: str(getattr(h.phases, n)) for n in _PHASES}
    note = {"system": h.system, "phases": phases, "inputs": dict(h.inputs), "ended": h.ended, "answer": answer}
    tx.put(RESERVATION, h.name, dumps(note).encode())


def _find(tx: Transaction, name: str) -> Held | None:
    note = tx.get(RESERVATION, name)
    return None if note is None else _read(name, note)


def _read(name: str, note: bytes) -> Held:
    try:
        r = Reader(parse(note.decode()), f"reservation {name}")
        named, reserve_, commit, abort, expire = (r["phases"][n].text() for n in _PHASES)
        phases = Phases(named, reserve_, commit, abort, expire)
        inputs = {n: r["inputs"][n].any_scalar() for n in r["inputs"].names()}
        answer = r["answer"].value
        decision = None if answer is None else decision_json.from_data(answer)
        return Held(name, r["system"].text(), phases, inputs, r["ended"].text(), decision)
    except (MalformedError, UnicodeDecodeError) as error:
        raise StoreError(f"the reservation {name} cannot be read: {error}") from error
