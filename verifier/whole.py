"""Runs of a system and of its parts: how a run looks from inside a part, and what a part says of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from policydsl.core.after import reads
from policydsl.core.system import CLOCK, Property, System
from policydsl.interp import Request, run, violated
from policydsl.trace import Trace
from verifier.parts import alone
from verifier.verdict import Proved, Refuted, Unknown, Verdict, Witnessed


def runs_of(part: System, traces: Sequence[Trace]) -> list[Trace]:
    """The steps that are steps of `part` in those of `traces`, runs of the whole, that have any."""
    own = alone(part)
    actions, variables, params = ({x.name for x in xs} for xs in (own.actions, own.state, own.params))
    found = []
    for trace in traces:
        requests = [Request(s.action, dict(s.inputs)) for s in trace.steps if s.action in actions]
        if requests:
            chosen = {name: value for name, value in trace.params if name in params}
            found.append(run(own, requests, chosen, [c for c in trace.start if c.var in variables])[0])
    return found


def of_the_whole(system: System, prop: Property, verdict: Verdict) -> Verdict | None:
    """`verdict` about `prop` of a part, its runs replayed in the whole `system`; None if only the whole can tell."""
    match verdict:
        case Proved():
            return verdict
        case Refuted(trace, reason):
            again = _again(system, trace)
            return Refuted(again, reason) if _same(system, prop, trace, again) else None
        case Witnessed(trace):
            again = _again(system, trace)
            return Witnessed(again) if _same(system, prop, trace, again) else None
        case Unknown(reason, cti):
            if system.timed and (prop.goal is not None or CLOCK in reads(prop.expr)):
                return None  # searches in a part do not let time pass as the actions of other parts may
            return verdict if cti is None else Unknown(reason, _again(system, cti))


def _again(system: System, trace: Trace) -> Trace:
    requests = [Request(s.action, dict(s.inputs)) for s in trace.steps]
    return replace(run(system, requests, dict(trace.params), trace.start)[0], property=trace.property)


def _same(system: System, prop: Property, trace: Trace, again: Trace) -> bool:
    # SOUND: what is shown is a run of the whole system that breaks (or reaches) the property there.
    shown = prop.goal is not None or violated(system, prop, again) is not None
    return shown and [s.decision for s in again.steps] == [s.decision for s in trace.steps]
