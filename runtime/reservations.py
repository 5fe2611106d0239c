"""Actions with an effect on the outside, in two phases: promised first, then done or given up, once.

What is promised counts as the policy says (against budgets, say) until it is ended: by `commit`, by `abort`, or, when
nothing is heard of it, by the policy's `expire`, which `sweep` asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from policydsl.core.system import Phases
from runtime import held, keys
from runtime.decision import Code, Decision
from runtime.enforcer import Enforcer
from runtime.held import RESERVE, Held, Phase
from runtime.ledger import as_text
from runtime.store import Transaction


class Reservation:
    """A promise, if `decision` allows it. As a context it is given up when it was not committed in it.

    `again` says that it was made before, under the same key: what it is for may have been done already.
    """

    def __init__(self, enforcer: Enforcer, name: str, decision: Decision) -> None:
        self.enforcer = enforcer
        self.name = name
        self.decision = decision
        self.ended = decision.effect != "allow"

    @property
    def allowed(self) -> bool:
        return self.decision.allowed

    @property
    def again(self) -> bool:
        return self.decision.repeated

    def commit(self, **inputs: Any) -> Decision:
        """It is done. `inputs` are those of the committing action that the reservation does not have, as the cost."""
        return self._end("commit", inputs)

    def abort(self) -> Decision:
        """It came to nothing."""
        return self._end("abort", {})

    def _end(self, how: str, inputs: Mapping[str, Any]) -> Decision:
        if self.decision.effect != "allow":
            return self.decision
        answer = end(self.enforcer, self.name, how, inputs)
        self.ended = self.ended or answer.effect == "allow"
        return answer

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self.ended:
            self.abort()


def reserve(enforcer: Enforcer, action: str, inputs: Mapping[str, Any], key: str) -> Reservation:
    """Ask for a reservation by its action or by the name of the phases (`two phase NAME: …`). Never raises.

    The `key` names the reservation, too: asked for again with the same key, it is the same one.
    """
    found = phases_of(enforcer, action)
    if found is None:
        answer = enforcer.refused(Code.UNKNOWN_ACTION, f"`{as_text(action)}` is not done in two phases")
        return Reservation(enforcer, "", answer)
    system, phases = found
    name = key or enforcer.settings.fresh()
    call = f"{system}.{phases.reserve}"
    return Reservation(enforcer, name, enforcer.decide_within(call, inputs, name, Phase(name, RESERVE)))


def end(enforcer: Enforcer, name: str, how: str, inputs: Mapping[str, Any]) -> Decision:
    """End a reservation by "commit", "abort" or "expire". Ended so before, it gets the same answer. Never raises."""
    if keys.fault(name):
        return enforcer.refused(Code.RESERVATION, "a reservation is named by a text")
    held_ = enforcer.attempt(lambda tx: held.find(tx, name))
    if isinstance(held_, Decision):
        return enforcer.shown(held_)
    action = str(getattr(held_.phases, how)) if held_ else ""
    if held_ is None or not action:
        why = f"there is no way to {how} `{held_.phases.name}`" if held_ else f"there is no reservation `{name}`"
        return enforcer.refused(Code.RESERVATION, why)
    call = f"{held_.system}.{action}"
    shared = _shared(held_, enforcer.inputs_of(call))
    taken = sorted({n.partition(".")[0] for n in shared} & {n.partition(".")[0] for n in inputs})
    if taken:
        # SOUND: whose reservation is ended is for the reservation to say, and for nobody else.
        return enforcer.refused(Code.RESERVATION, f"`{taken[0]}` is what it was reserved with")

    def before(tx: Transaction) -> Decision | None:
        now = held.find(tx, name)
        if now is None:  # it was forgotten just now
            return enforcer.refused(Code.RESERVATION, f"there is no reservation `{name}`")
        if not now.ended:
            return None
        before_that = f"it was ended before, by {now.ended}"
        return now.answer if now.ended == how else enforcer.refused(Code.RESERVATION, before_that)

    return enforcer.decide_within(call, {**shared, **inputs}, "", Phase(name, how), before)


def _shared(h: Held, wanted: frozenset[str]) -> dict[str, Any]:
    return {n: v for n, v in h.inputs.items() if n.partition(".")[0] in wanted}


def sweep(enforcer: Enforcer) -> list[tuple[str, Decision]]:
    """Let expire what the policy allows to; the reservations, with the answers. Those that it does not let expire yet
    leave no trace in the log."""
    found = []
    for h in open_reservations(enforcer):
        call = f"{h.system}.{h.phases.expire}"
        inputs = _shared(h, enforcer.inputs_of(call))
        if h.phases.expire and enforcer.would_allow(call, inputs):
            found.append((h.name, end(enforcer, h.name, "expire", {})))
    return [(name, decision) for name, decision in found if decision.effect == "allow"]


def open_reservations(enforcer: Enforcer) -> list[Held]:
    """The reservations that are not ended; none when that cannot be known."""
    none: list[Held] = []
    return enforcer.look(held.open_, none)


def phases_of(enforcer: Enforcer, named: object) -> tuple[str, Phases] | None:
    """The policy and its phases, by their name or by the action that reserves; None when several have it."""
    name = str.__str__(named) if isinstance(named, str) else ""
    found = [
        (running.name, phases)
        for running in (enforcer.policies.running if enforcer.policies else ())
        for phases in running.policy.system.phases
        if name in (phases.name, phases.reserve, f"{running.name}.{phases.name}", f"{running.name}.{phases.reserve}")
    ]
    return found[0] if len(found) == 1 else None
