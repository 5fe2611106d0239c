"""The reference interpreter: a system, a state and a request become a decision and the next state.

It defines the meaning of the core: every other back end is tested against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product

from policydsl.core.after import reads
from policydsl.core.expr import Expr, total
from policydsl.core.system import Action, Effect, GuardKind, Property, PropertyKind, System, Write
from policydsl.core.to_json import digest
from policydsl.core.types import EntityType, Value
from policydsl.evaluate import MEANING, FaultError, Scope, evaluate, population, value_in
from policydsl.state import EVERYONE_ELSE, State, UnfitError, changes, default_value, well_typed
from policydsl.trace import Cell, Change, Decision, Step, Trace

__all__ = [
    "EVERYONE_ELSE",
    "MEANING",
    "Difference",
    "FaultError",
    "Request",
    "State",
    "StepResult",
    "UnfitError",
    "changes",
    "decide",
    "default_value",
    "evaluate",
    "initial",
    "moved_cells",
    "replay",
    "request_fault",
    "run",
    "start_faults",
    "states",
    "step",
    "violated",
    "well_typed",
]


@dataclass(frozen=True, slots=True)
class Request:
    action: str
    inputs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepResult:
    decision: Decision
    state: State
    changes: tuple[Change, ...] = ()


def initial(system: System, params: Mapping[str, Value] | None = None, start: Sequence[Cell] = ()) -> State:
    """The initial state, except for the cells of `start` (see `State.starting`).

    Parameters default to their declared values and free cells to `default_value`. Raises `UnfitError` for parameters
    and cells that the system does not know.
    """
    chosen: dict[str, Value] = {p.name: p.default.value for p in system.params}
    chosen.update(params or {})
    _check_params(system, chosen)
    state = _unset(system, tuple(chosen.items())).starting(start)
    given = {c.var for c in start}
    sums = [s for s in system.sums if s.var in given or not given.isdisjoint(reads(s.body))] if given else []
    if sums:
        # SOUND: a running sum is what its terms say, whatever `start` claims: a start that a solver made up for a free
        # sum is replayed with the true one, and cells that a test gives count.
        writes = tuple(Write(s.var, s.keys, total(s.bound, s.body), s.keys) for s in sums)
        try:
            _, state = _move(Action("", (), (), writes), state, {})
        except FaultError as error:
            raise UnfitError(str(error)) from error
    return state


@lru_cache(maxsize=64)
def _unset(system: System, params: tuple[tuple[str, Value], ...]) -> State:
    """The declared initial state. States never change, so all runs with these parameters can begin with one."""
    chosen = dict(params)
    empty = State(System("", (), (), (), ()), chosen, {})
    first = {v.name: default_value(v.type) if v.init is None else evaluate(v.init, empty) for v in system.state}
    return State(system, chosen, first)


def _check_params(system: System, params: Mapping[str, Value]) -> None:
    declared = {p.name: p for p in system.params}
    for name, value in params.items():
        p = declared.get(name)
        if p is None:
            raise UnfitError(f"unknown parameter `{name}`")
        if not well_typed(value, p.type):
            raise UnfitError(f"parameter `{name}` is not of type {p.type}: {value!r}")
        if isinstance(value, int) and not ((p.low is None or p.low <= value) and (p.high is None or value <= p.high)):
            raise UnfitError(f"parameter `{name}` is outside its range: {value}")


def request_fault(system: System, request: Request) -> str | None:
    """Why `request` is not one that `system` knows, if it is not."""
    action = next((a for a in system.actions if a.name == request.action), None)
    if action is None:
        return "unknown action"
    for declared in action.inputs:
        if declared.name not in request.inputs:
            return "missing input"
        if not well_typed(request.inputs[declared.name], declared.type):
            return "ill-typed input"
    return "unknown input" if len(request.inputs) > len(action.inputs) else None


def decide(system: System, state: State, request: Request) -> Decision:
    """The answer to `request`. The reason is that of the first guard that fails, in the order of `GuardKind`.

    The rules are, of an allowed request, the permits that match; of another, those whose guards of the first failing
    kind fail (none when no permit matches: that is no rule's doing).
    """
    fault = request_fault(system, request)
    if fault is not None:
        return Decision(Effect.DENY.value, reason=fault)
    action = system.action(request.action)

    def holds(e: Expr) -> bool:
        return evaluate(e, state, request.inputs) is True

    order = list(GuardKind)
    failed = sorted((g for g in action.guards if not holds(g.expr)), key=lambda g: order.index(g.kind))
    if failed:
        kind, reason = failed[0].kind, failed[0].reason
        effect = Effect.PENDING if kind is GuardKind.APPROVE else Effect.DENY
        rules = [g.rule for g in failed if g.rule and g.kind is kind and kind is not GuardKind.PERMIT]
    else:
        effect, reason = Effect.ALLOW, ""
        rules = [r.rule for r in action.rules if r.effect == "permit" and holds(r.condition)]
    obligations = tuple(
        (o.name, tuple(evaluate(a, state, request.inputs) for a in o.args))
        for o in action.obligations
        if o.on is effect and holds(o.condition)
    )
    return Decision(effect.value, tuple(dict.fromkeys(rules)), reason, obligations)


def step(system: System, state: State, request: Request) -> StepResult:
    """Decide `request`, and if it is allowed do all its writes at once; otherwise nothing changes."""
    decision = decide(system, state, request)
    if decision.effect != Effect.ALLOW.value:
        return StepResult(decision, state)
    before, after = _move(system.action(request.action), state, request.inputs)
    return StepResult(decision, after, changes(before, after))


def _move(action: Action, state: State, inputs: Mapping[str, Value]) -> tuple[State, State]:
    """The state before and after an allowed request, with rows for the same individuals."""
    scope = Scope(state, None, inputs, {})
    # Named first, so that a bulk write reaches those whom another write of the same step names.
    before = state.naming((w.var, keys) for w in action.writes for keys, _ in _rows(w, scope))
    scope = Scope(before, None, inputs, {})
    return before, before.writing((w.var, keys, value) for w in action.writes for keys, value in _rows(w, scope))


def _rows(write: Write, scope: Scope) -> Iterator[tuple[tuple[str, ...], Value]]:
    """The rows that a write sets, all computed in the state before the step."""
    sorts = [b.type for b in write.binders]
    if len(set(sorts)) < len(sorts):
        raise FaultError("a bulk write with two binders of one sort")
    populations = [population(b, (*write.keys, write.value), scope) for b in write.binders]
    for choice in product(*((*known, fresh) for known, fresh in populations)):
        inner = scope
        others = {}  # the sorts of which this is the row of everyone else
        for binder, x, (_, fresh) in zip(write.binders, choice, populations, strict=True):
            inner = inner.bind(binder, x)
            if x == fresh:
                others[binder.type] = x
        value = value_in(write.value, inner)
        keys = tuple(
            EVERYONE_ELSE if k in write.binders and k.type in others else value_in(k, inner) for k in write.keys
        )
        if isinstance(write.value.type, EntityType) and value == others.get(write.value.type):
            value = EVERYONE_ELSE  # oneself
        yield keys, value


def run(
    system: System, requests: Sequence[Request], params: Mapping[str, Value] | None = None, start: Sequence[Cell] = ()
) -> tuple[Trace, State]:
    """Step through `requests`: the trace, and the state at the end."""
    state = initial(system, params, start)
    steps: list[Step] = []
    for request in requests:
        result = step(system, state, request)
        steps.append(Step(request.action, _in_order(system, request), result.decision, result.changes))
        state = result.state
    chosen = tuple((p.name, state.params[p.name]) for p in system.params)
    return Trace(system.name, digest(system), chosen, tuple(start), tuple(steps)), state


def _in_order(system: System, request: Request) -> tuple[tuple[str, Value], ...]:
    """The inputs as declared, then any that are not, by name."""
    declared = [i.name for a in system.actions if a.name == request.action for i in a.inputs]
    names = [n for n in declared if n in request.inputs] + sorted(set(request.inputs) - set(declared))
    return tuple((n, request.inputs[n]) for n in names)


def states(system: System, trace: Trace) -> list[State]:
    """The initial state of `trace`, then the state after each of its requests, whatever answer it records."""
    found = [initial(system, dict(trace.params), trace.start)]
    for s in trace.steps:
        found.append(step(system, found[-1], Request(s.action, dict(s.inputs))).state)
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """Step number `at` of a trace, as it is `recorded` and as the system has it in the state `before`.

    `fault` says why a run cannot even start; then the rest is None.
    """

    at: int
    recorded: Step | None = None
    computed: Step | None = None
    before: State | None = None
    fault: str = ""


def replay(system: System, trace: Trace) -> list[Difference]:
    """Where the recorded decisions and changes differ from what the interpreter does: empty when they agree.

    Whether the run starts where the system does is another question: see `start_faults`.
    """
    try:
        state = initial(system, dict(trace.params), trace.start)
    except UnfitError as e:
        return [Difference(0, fault=str(e))]
    found = []
    for i, s in enumerate(trace.steps, start=1):
        result = step(system, state, Request(s.action, dict(s.inputs)))
        computed = replace(s, decision=result.decision, changes=result.changes)
        # `repr` tells `True` from `1`.
        if repr((s.decision, s.changes)) != repr((computed.decision, computed.changes)):
            found.append(Difference(i, s, computed, state))
        state = result.state
    return found


def start_faults(system: System, trace: Trace) -> list[str]:
    """Why the run of `trace` does not begin in an initial state of `system`: empty when it does."""
    try:
        return [f"`{c.var}` starts with {c.value!r}" for c in moved_cells(system, trace)]
    except UnfitError as e:
        return [str(e)]


def moved_cells(system: System, trace: Trace) -> list[Cell]:
    """The cells that `trace` starts with otherwise than `system` can. Raises `UnfitError` as `initial` does."""
    state = initial(system, dict(trace.params), trace.start)
    # SOUND: only free variables may differ; else a run from anywhere would pass for a counterexample.
    fixed = {v.name for v in system.state if v.init is not None}
    return [c for c in state.cells() if c.var in fixed]


def violated(system: System, prop: Property, trace: Trace) -> int | None:
    """Where the run of `trace` breaks `prop` first: 0 is the initial state, i the state after step i, or step i itself.

    For a reachable property: where it holds first. An assert is about requests that the system knows and whose
    assumptions hold. No finite run breaks a leads-to property.
    """
    visited = states(system, trace)
    match prop.kind:
        case PropertyKind.INVARIANT | PropertyKind.LEMMA:
            return next((i for i, s in enumerate(visited) if evaluate(prop.expr, s) is not True), None)
        case PropertyKind.REACHABLE:
            return next((i for i, s in enumerate(visited) if evaluate(prop.expr, s) is True), None)
        case PropertyKind.ASSERT | PropertyKind.STEP:
            for i, s in enumerate(trace.steps, start=1):
                request = Request(s.action, dict(s.inputs))
                if prop.action in ("", s.action) and _breaks(system, prop, request, visited[i - 1], visited[i]):
                    return i
            return None
        case PropertyKind.LEADS_TO:
            return None


def _breaks(system: System, prop: Property, request: Request, before: State, after: State) -> bool:
    if request_fault(system, request) is not None:
        return False
    action = system.action(request.action)
    if prop.kind is PropertyKind.ASSERT:
        concerned = evaluate(action.assumed, before, request.inputs) is True
        return concerned and evaluate(prop.expr, before, request.inputs) is not True
    concerned = evaluate(action.allowed, before, request.inputs) is True
    return concerned and evaluate(prop.expr, before, request.inputs, after=after) is not True
