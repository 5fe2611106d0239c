"""One request at a time to its answer: what the policy says, and what becomes of redaction, duties and approvals.

Nothing here knows of stores, threads or time: those are around it, in `enforcer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from policydsl.core.system import NOW, Action
from policydsl.core.types import Value
from policydsl.regular_find import TooLongError
from policydsl.regular_find import replace as redacted
from runtime.decision import Code, Decision, Duty
from runtime.inputs import InputError, asked_of_callers, flatten, shape
from runtime.policies import Running
from runtime.rows import Assignment

REDACT = "redact"
APPROVE = "approve"
MOST_REWRITES = 3


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer, and what an allowed request does. `inputs` are those of the core that were decided in the end; of a
    request that could not be read they are what was given, as far as it can be written down."""

    decision: Decision
    assignments: Sequence[Assignment] | None
    duties: tuple[tuple[str, tuple[Value, ...]], ...]
    inputs: Mapping[str, Value]


def settle(
    policy: Running,
    action: Action,
    given: Mapping[str, Any],
    now: int,
    granted: Mapping[str, Value],
    known: frozenset[str],
) -> Settled:
    """Decide, rewrite what has to be redacted, decide again, and deny what nobody would see to.

    `known` are the names of obligations that somebody discharges.
    """
    machine = policy.machine
    decision, assignments, duties = machine.decide(action.name, given, now, granted)
    if not duties:
        return Settled(decision, assignments, duties, given)
    changed: dict[str, Value] = {}
    for _ in range(MOST_REWRITES):
        wanted = [args for name, args in duties if name == REDACT]
        if decision.effect != "allow" or not wanted:
            break
        try:
            flat = flat_inputs(action, given)
            for field, pattern, replacement in wanted:
                text = changed.get(str(field), flat[str(field)])
                changed[str(field)] = redacted(str(pattern), str(text), str(replacement))
        except (InputError, TooLongError):
            break
        given = {**flat, **changed}
        # SOUND: what goes out is what was decided last; the request as it came is never let through.
        decision, assignments, duties = machine.decide(action.name, given, now, granted)
    if decision.effect == "allow":
        return _with_duties(decision, assignments, duties, given, changed, known)
    return Settled(decision, None, duties, given)


def _with_duties(
    decision: Decision,
    assignments: Sequence[Assignment] | None,
    duties: tuple[tuple[str, tuple[Value, ...]], ...],
    given: Mapping[str, Any],
    changed: Mapping[str, Value],
    known: frozenset[str],
) -> Settled:
    if any(name == REDACT for name, _ in duties):
        answer = denied(decision, Code.TRANSFORM, "what has to be redacted is still there after redaction")
        return Settled(answer, None, (), given)
    for name, _ in duties:
        if name not in known:
            answer = denied(decision, Code.OBLIGATION, f"nobody discharges the obligation `{name}`")
            return Settled(answer, None, (), given)
    transform = tuple(changed.items())
    return Settled(replace(decision, transform=transform), assignments, duties, given)


def denied(decision: Decision, code: Code, reason: str) -> Decision:
    """The same answer, turned into a denial for a reason of the enforcer's own."""
    return replace(decision, effect="deny", code=code, reason=reason)


def as_duties(duties: Sequence[tuple[str, tuple[Value, ...]]]) -> tuple[Duty, ...]:
    """Obligations as the caller sees them."""
    return tuple([Duty(name, args) for name, args in duties if name != REDACT])


def flat_inputs(action: Action, given: Mapping[str, Any]) -> dict[str, Value]:
    """The inputs of the core that a request gives. Raises `InputError`."""
    return flatten(shape(asked_of_callers(action)), given)


def all_inputs(
    action: Action, given: Mapping[str, Any], now: int, granted: Mapping[str, Value]
) -> dict[str, Value] | None:
    """All inputs that the core knows of, as they were decided; None when the request could not be read."""
    try:
        flat = flat_inputs(action, given)
    except InputError:
        return None
    for i in action.inputs:
        if i.name == NOW:
            flat[i.name] = now
        elif i.name not in flat:
            flat[i.name] = granted.get(i.name, False if i.name.startswith("approved_") else 0)
    return flat
