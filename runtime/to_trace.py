"""Records of a log to runs that the reference interpreter replays, and where they differ from what it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from policydsl.core.system import System
from policydsl.core.to_json import digest
from policydsl.core.types import Value
from policydsl.interp import Request, replay, request_fault
from policydsl.replay_words import describe_difference
from policydsl.trace import Cell, Decision, Step, Trace
from runtime.decision import Code
from runtime.records import Entry, Event, Record, start_of

OF_ENFORCER = frozenset(
    c.value
    for c in (
        Code.NO_ROUTE,
        Code.APPROVAL_LATE,
        Code.REFUSED,
        Code.KEY_REUSED,
        Code.OBLIGATION,
        Code.TRANSFORM,
        Code.LOCKDOWN,
        Code.BUNDLE,
        Code.UNPROVED,
        Code.STORE,
        Code.INTERNAL,
    )
)
"""Denials for reasons that the policy does not know, and so the interpreter cannot repeat. They must change nothing."""
_UNKNOWN = frozenset(c.value for c in (Code.UNKNOWN_ACTION, Code.MISSING_INPUT, Code.UNKNOWN_INPUT, Code.ILL_TYPED))
_EFFECTS = {"allow": "allow", "deny": "deny", "approve": "pending"}


@dataclass(frozen=True, slots=True)
class Run:
    """Decisions under one policy from one start on; step i is record number `numbers[i]`."""

    trace: Trace
    numbers: tuple[int, ...]


@dataclass(slots=True)
class Runs:
    """The runs of one system in a log.

    `aside` has the records that are no steps: denials of the enforcer's own, and requests that are not recorded whole.
    `faults` says what no enforcer would have recorded, and from where on a run cannot be followed.
    """

    runs: list[Run] = field(default_factory=list)
    aside: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A run that goes on; `lost` says why its state is no longer known, if so."""

    policy: str
    params: tuple[tuple[str, Value], ...]
    start: tuple[Cell, ...]
    steps: list[Step] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    lost: bool = False


def to_trace(records: Iterable[Record], system: System) -> list[Trace]:
    """The runs of `system` that a log records, as traces; see `to_runs`, which says more."""
    return [r.trace for r in to_runs(records, system).runs]


def to_runs(records: Iterable[Record], system: System) -> Runs:
    """The runs of `system` among `records`, those of other systems between them left out.

    A run begins in the initial state or with an event "start", and ends where the policy changes. Redacted inputs are
    replaced by what stands for them. Raises `MalformedError` for an event "start" that is none.
    """
    found = Runs()
    now: _Open | None = None
    for record in records:
        if isinstance(record, Event):
            start = start_of(record)
            if start is not None and start.system == system.name:
                _close(now, system, found)
                now = _Open(start.policy, start.params, start.cells)
        elif record.system == system.name:
            if now is None:
                now = _Open(record.policy, _defaults(system), ())
            elif now.policy != record.policy:
                _close(now, system, found)
                found.faults.append(f"record {record.n}: another policy decides, and no record says from which state")
                now = _Open(record.policy, _defaults(system), (), lost=True)
            _add(now, record, system, found)
    _close(now, system, found)
    return found


def _defaults(system: System) -> tuple[tuple[str, Value], ...]:
    return tuple((p.name, p.default.value) for p in system.params)


def _close(run: _Open | None, system: System, found: Runs) -> None:
    if run is not None and run.numbers:
        trace = Trace(system.name, run.policy, run.params, run.start, tuple(run.steps))
        found.runs.append(Run(trace, tuple(run.numbers)))


def _add(run: _Open, e: Entry, system: System, found: Runs) -> None:
    if e.changes and e.effect != "allow":
        found.faults.append(f"record {e.n}: it is no permission, and yet something changed")
    if e.code in OF_ENFORCER and e.effect == "allow":
        found.faults.append(f"record {e.n}: allowed with the code `{e.code}`, which is for denials")
    if run.lost or not e.replayable or e.code in OF_ENFORCER or _incomplete(e, system):
        found.aside.append(e.n)
        if not e.replayable and e.changes and not run.lost:
            found.faults.append(f"record {e.n}: it changes the state and cannot be replayed, nor can what follows")
            run.lost = True
        return
    run.steps.append(_step(e, system))
    run.numbers.append(e.n)


def _inputs(e: Entry) -> dict[str, Value]:
    return dict(e.inputs) | {name: text for name, text in e.redacted if text is not None}


def _incomplete(e: Entry, system: System) -> bool:
    """Whether the request was denied for an input that is no `Value`, and so is not in the record."""
    return (
        e.code in {Code.UNKNOWN_INPUT.value, Code.ILL_TYPED.value}
        and request_fault(system, Request(e.action, _inputs(e))) is None
    )


def _step(e: Entry, system: System) -> Step:
    inputs = _inputs(e)
    declared = [i.name for a in system.actions if a.name == e.action for i in a.inputs]
    names = [n for n in declared if n in inputs] + sorted(inputs.keys() - set(declared))
    reason = e.reason
    if e.code in _UNKNOWN:
        # The enforcer says more precisely what is unknown; that it is unknown is what is compared.
        reason = request_fault(system, Request(e.action, inputs)) or reason
    decision = Decision(_EFFECTS[e.effect], e.rules, reason, e.obligations)
    return Step(e.action, tuple((n, inputs[n]) for n in names), decision, e.changes)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of replaying a log: so many decisions were compared, and `faults` says where the log and the reference
    interpreter disagree, by record. `aside` are records that are no steps, `others` says what another policy decided.
    """

    compared: int
    faults: tuple[str, ...]
    aside: tuple[int, ...]
    others: tuple[str, ...]


def replay_records(records: Iterable[Record], system: System) -> Replayed:
    """Let the reference interpreter make every decision about `system` again that can be replayed."""
    found = to_runs(records, system)
    faults, others = list(found.faults), []
    own = digest(system)
    compared = 0
    for run in found.runs:
        if run.trace.digest != own:
            first, last = run.numbers[0], run.numbers[-1]
            others.append(f"records {first} to {last}: decided by another policy, {run.trace.digest}")
            continue
        compared += len(run.numbers)
        for d in replay(system, run.trace):
            where = f"record {run.numbers[d.at - 1]}" if d.at else "start"
            faults += [f"{where}: {text}" for text in describe_difference(d, system)]
    return Replayed(compared, tuple(faults), tuple(found.aside), tuple(others))
