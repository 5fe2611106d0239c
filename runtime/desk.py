"""One request at a time to its answer: what the policy says, and what becomes of redaction, duties and approvals.

Nothing here knows of stores, threads or time: those are around it, in `office`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from policydsl.core.types import Value
from policydsl.regular import contains_regex, member
from policydsl.regular_find import TooLongError
from policydsl.regular_find import replace as replaced
from runtime.decision import Code, Decision, Duty
from runtime.inputs import InputError
from runtime.policies import REDACT, Way
from runtime.rows import Assignment
from runtime.store_hold import not_kept

APPROVE = "approve"
MOST_REWRITES = 3
MOST_TEXT = 1_000_000
"""Characters of a text that is decided about where decisions are recorded: denials, too, fill the disk."""
UNREADABLE = (Code.MISSING_INPUT, Code.UNKNOWN_INPUT, Code.ILL_TYPED)
"""The codes of requests whose inputs are not those of the action. A tuple, since members of `Enum` are slow to hash."""

Duties = tuple[tuple[str, tuple[Value, ...]], ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer, and what an allowed request does. `inputs` are those of the core that were decided in the end,
    without the time and people's answers; None when the request could not be read."""

    decision: Decision
    assignments: Sequence[Assignment] | None
    duties: Duties
    inputs: Mapping[str, Value] | None


def read_inputs(way: Way, given: Mapping[str, Any]) -> dict[str, Value]:
    """The inputs of the core that a request gives, if they can be kept. Raises `InputError`."""
    flat = way.flat(given)
    for name, value in flat.items():
        # SOUND: what a store cannot give back as it was would be decided about, and then not be remembered.
        if why := not_kept(value):
            raise InputError(Code.ILL_TYPED, f"`{name}`: {why}")
        if value.__class__ is str and len(value) > MOST_TEXT:
            raise InputError(Code.ILL_TYPED, f"`{name}` has more than {MOST_TEXT:,} characters")
    return flat


def settle(
    way: Way, flat: Mapping[str, Value], now: int, granted: Mapping[str, Value], known: frozenset[str]
) -> Settled:
    """Decide, rewrite what has to be redacted, decide again, and deny what nobody would see to.

    `known` are the names of obligations that somebody discharges.
    """
    step = way.policy.machine.steps[way.action.name]
    decision, assignments, duties = step(flat, now, granted)
    if decision.code in UNREADABLE:
        return Settled(decision, None, (), None)
    if not duties or decision.effect != "allow":
        return Settled(decision, assignments, duties, flat)
    changed: dict[str, Value] = {}
    for _ in range(MOST_REWRITES):
        rewritten = _rewritten(flat, duties)
        if rewritten is None:
            return _undone(decision, Code.TRANSFORM, "a text is too intricate to be redacted", flat)
        if not rewritten:
            return _with_duties(decision, assignments, duties, flat, changed, known)
        changed |= rewritten
        flat = {**flat, **rewritten}
        # SOUND: what goes out is what was decided last; the request as it came is never let through.
        decision, assignments, duties = step(flat, now, granted)
        if decision.effect != "allow":
            return Settled(decision, None, duties, flat)
    if _rewritten(flat, duties) == {}:
        return _with_duties(decision, assignments, duties, flat, changed, known)
    return _undone(decision, Code.TRANSFORM, "what has to be redacted is still there after redaction", flat)


def redacted(pattern: str, text: str, replacement: str) -> str:
    """A text without the words of `pattern`. Raises `TooLongError`."""
    # Most texts have none, and whether they have is known much faster.
    return replaced(pattern, text, replacement) if member(contains_regex(pattern), text) else text


def _rewritten(flat: Mapping[str, Value], duties: Duties) -> dict[str, Value] | None:
    """The inputs that redaction changes, as they are after it; None when that cannot be found out."""
    changed: dict[str, Value] = {}
    for name, args in duties:
        if name == REDACT:
            field, pattern, replacement = map(str, args)
            try:
                changed[field] = redacted(pattern, str(changed.get(field, flat[field])), replacement)
            except TooLongError:
                return None
    return {field: text for field, text in changed.items() if text != flat[field]}


def _with_duties(
    decision: Decision,
    assignments: Sequence[Assignment] | None,
    duties: Duties,
    flat: Mapping[str, Value],
    changed: Mapping[str, Value],
    known: frozenset[str],
) -> Settled:
    for name, _ in duties:
        if name != REDACT and name not in known:
            return _undone(decision, Code.OBLIGATION, f"nobody discharges the obligation `{name}`", flat)
    if changed:
        decision = replace(decision, transform=tuple(changed.items()))
    return Settled(decision, assignments, duties, flat)


def _undone(decision: Decision, code: Code, reason: str, flat: Mapping[str, Value]) -> Settled:
    return Settled(denied(decision, code, reason), None, (), flat)


def denied(decision: Decision, code: Code, reason: str) -> Decision:
    """The same answer, turned into a denial for a reason of the enforcer's own."""
    return replace(decision, effect="deny", code=code, reason=reason)


def as_duties(duties: Duties) -> tuple[Duty, ...]:
    """Obligations as the caller sees them."""
    return tuple([Duty(name, args) for name, args in duties if name != REDACT])
