"""Several requests that are one thing for whoever asks: all of them are allowed and done, or none is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtime.decision import Code, Decision
from runtime.enforcer import Enforcer
from runtime.store import Transaction


class _HeldBackError(Exception):
    """Not all were allowed, so the hold in which they were decided is not kept."""


def decide_together(enforcer: Enforcer, requests: Sequence[tuple[str, Mapping[str, Any], str]]) -> list[Decision]:
    """The answers to requests (action, inputs, key or ""), each decided in the state that the ones before it leave.

    Unless all are allowed, nothing has changed, and those that would have been allowed are denied with `Code.TOGETHER`.
    Those for which a person is needed are asked about one by one: once that is approved, it has happened, and who asks
    all again, with the same keys, has only the others decided. Never raises.
    """
    if len(requests) == 1:
        action, inputs, key = requests[0]
        return [enforcer.decide_request(action, inputs, key)]
    fault = (Code.INTERNAL, "")
    found: list[tuple[Decision, bool]] = []

    def all_of_them(tx: Transaction) -> list[tuple[Decision, bool]]:
        # SOUND: in another hold, what it found in the one before counts no more.
        found[:] = [enforcer.answer_in(tx, action, inputs, key) for action, inputs, key in requests]
        if not _all_allowed(enforcer, found):
            raise _HeldBackError("not all were allowed")
        return found

    def none_of_them(tx: Transaction) -> list[Decision]:
        answers: list[Decision] = []
        for (decision, _), (action, inputs, key) in zip(found, requests, strict=True):
            if decision.effect == "allow":
                answers.append(enforcer.refused(Code.TOGETHER, "what was asked together with it is not allowed"))
            elif decision.effect == "approve":
                asked, _ = enforcer.answer_in(tx, action, inputs, key)
                # SOUND: alone, without what the others would have changed, it may be allowed; it must not happen alone.
                if asked.effect == "allow" and not asked.repeated:
                    raise _HeldBackError("it would be allowed without the others")
                answers.append(asked)
            else:
                answers.append(enforcer.write_denial(tx, decision, action))
        return answers

    def on_fault(code: Code, reason: str) -> None:
        nonlocal fault
        fault = (code, reason)

    kept = enforcer.office.run(all_of_them, on_fault)
    if kept is not None:
        done = zip(kept, requests, strict=True)
        return [enforcer.shown(enforcer.discharged(d, key) if new else d) for (d, new), (_, _, key) in done]
    answers = None if not found or _all_allowed(enforcer, found) else enforcer.office.run(none_of_them, on_fault)
    return answers if answers is not None else [enforcer.refused(*fault) for _ in requests]


def _all_allowed(enforcer: Enforcer, found: Sequence[tuple[Decision, bool]]) -> bool:
    return enforcer.settings.shadow or all(decision.effect == "allow" for decision, _ in found)
