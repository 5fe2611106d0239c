"""Where a recorded run and a policy disagree, to words: what was recorded, what the policy says now, and where."""

from __future__ import annotations

from pathlib import PurePath

from policydsl.core.system import Effect, System
from policydsl.interp import Difference, State, UnfitError, initial, moved_cells
from policydsl.source import Span
from policydsl.trace import Decision, Step, Trace
from policydsl.trace_words import describe_cells, describe_changes, describe_obligation, describe_step


def describe_difference(d: Difference, system: System) -> list[str]:
    """One clause for the decision and one for the changes, as far as they differ: ``send(s1): recorded allow, now deny
    by muzzled: the skill is muted (gateway.policy:80)``."""
    if d.recorded is None or d.computed is None or d.before is None:
        return [d.fault]
    call = describe_step(d.recorded, system)
    return [f"{call}: {text}" for text in _differences(d.recorded, d.computed, d.before, system)]


def _differences(recorded: Step, computed: Step, before: State, system: System) -> list[str]:
    was, now = recorded.decision, computed.decision
    found = []
    if repr((was.effect, was.rules, was.reason)) != repr((now.effect, now.rules, now.reason)):
        place = _place(now if now.effect != Effect.ALLOW.value else was, recorded.action, system)
        found.append(f"recorded {_decision(was)}, now {_decision(now)}{place}")
    # What follows from another decision needs no words beside it.
    same = was.effect == now.effect
    if same and repr(was.obligations) != repr(now.obligations):
        found.append(f"recorded {_duties(recorded, system)}, now {_duties(computed, system)}")
    if same and repr(recorded.changes) != repr(computed.changes):
        found.append(_changes(recorded, computed, before, system))
    return found


def _decision(d: Decision) -> str:
    by = f" by {', '.join(d.rules)}" if d.rules else ""
    return f"{d.effect}{by}{f': {d.reason}' if d.reason else ''}"


def _duties(step: Step, system: System) -> str:
    told = [describe_obligation(name, args, step.action, system) for name, args in step.decision.obligations]
    return ", ".join(told) or "no obligation"


def _changes(recorded: Step, computed: Step, before: State, system: System) -> str:
    known = {v.name for v in system.state}
    unknown = sorted({c.var for c in recorded.changes} - known)

    def told(step: Step, everything: bool) -> list[str]:
        changes = [c for c in step.changes if c.var in known]
        return describe_changes(changes, system, before, everything=everything)

    sides, where = [told(s, False) for s in (recorded, computed)], ""
    if sides[0] == sides[1] and not unknown:
        sides, where = [told(s, True) for s in (recorded, computed)], "what is remembered of the past: "
    was, now = ([x for x in mine if x not in others] for mine, others in (sides, sides[::-1]))
    was += [f"a change of `{name}`, which there is not" for name in unknown]
    return f"{where}recorded {', '.join(was) or 'no change'}, now {', '.join(now) or 'no change'}"


def _place(d: Decision, action: str, system: System) -> str:
    """Where the rule or the condition stands that makes this decision, if the policy still has it."""
    guards = [g for a in system.actions if a.name == action for g in a.guards]
    spans = [g.span for g in guards if g.reason == d.reason and (not d.rules or g.rule in d.rules)]
    spans += [r.span for a in system.actions if a.name == action for r in a.rules if r.rule in d.rules]
    return next((f" ({_short(s)})" for s in spans if s.path and d.effect != Effect.ALLOW.value), "")


def _short(span: Span) -> str:
    return f"{PurePath(span.path).name}:{span.line}"


def describe_start_faults(system: System, trace: Trace) -> list[str]:
    """What `trace` starts with that no run of `system` does."""
    try:
        moved = moved_cells(system, trace)
        state = initial(system, dict(trace.params), trace.start)
    except UnfitError as e:
        return [str(e)]
    return [f"starts with {text}, and no run of the policy does" for text in describe_cells(moved, system, state)]
