"""A phase that waits to a run into a state in which it waits, and to the proof that nothing ever helps, if so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from policydsl.core.after import after
from policydsl.core.expr import FALSE, Expr, Ref, Space, conj, disj, exists, lt, negate, select, substitute
from policydsl.core.system import CLOCK, Origin, Property, StateVar, System, Write
from policydsl.core.types import BOOL, INT, EntityType
from policydsl.interp import Request, run
from policydsl.trace import Trace
from verifier.bounded import Goal, Limits
from verifier.deep import search
from verifier.liveness_ask import Asker, primed
from verifier.liveness_judge import Waits
from verifier.parts import alone

WAITING = "waiting!"
"""A flag added for the search: `expr` held of these individuals, and `goal` not since."""


@dataclass(frozen=True, slots=True)
class Dead:
    """A run into a state from which the goal is never reached, whatever happens."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run into a state in which no fair action helps, however late it gets."""

    trace: Trace


def explain(
    asker: Asker, prop: Property, given: Expr, goal: Expr, individuals: Sequence[Ref], waits: Waits, limits: Limits
) -> Dead | Waiting | None:
    """The best run there is to show for `waits`."""
    if waits.stuck is None:
        return None
    goals: list[Goal] = []
    for i, dead in enumerate(_dead_ends(asker, waits, goal)):
        goals.append(Goal(f"dead {i}", dead))
    goals.append(Goal("waiting", waits.stuck))
    watched = _watching(alone(asker.system), given, goal, individuals)
    if watched is None:
        return None
    system, flag = watched
    closed = [replace(g, formula=_some(individuals, conj(flag, g.formula))) for g in goals]
    found = search(system, closed, limits).found
    for name in [g.name for g in goals]:
        trace = found.get(name)
        if trace is not None:
            again = _replayed(alone(asker.system), trace, prop)
            return Waiting(again) if name == "waiting" else Dead(again)
    return None


def _dead_ends(asker: Asker, waits: Waits, goal: Expr) -> list[Expr]:
    """Conditions that no step ends, and under which the goal does not hold."""
    assert waits.stuck is not None
    clock = Ref(CLOCK, INT, Space.STATE)
    candidates = [waits.stuck]
    if asker.timed and waits.deadlines:
        candidates.append(conj(waits.stuck, *(lt(d, clock) for d in waits.deadlines)))
    # SOUND: both are needed for `refuted`: the condition is closed under all steps, fair or not, and excludes the goal.
    return [
        c
        for c in candidates
        if asker.never("a dead end excludes the goal", c, goal)
        and asker.no_step("a dead end is never left", c, primed(negate(c)))
    ]


def _some(individuals: Sequence[Ref], e: Expr) -> Expr:
    for x in reversed(individuals):
        e = exists(x, e)
    return e


def _watching(system: System, given: Expr, goal: Expr, individuals: Sequence[Ref]) -> tuple[System, Expr] | None:
    """`system` with a flag that remembers who waits, and the condition that our individuals do."""
    sorts = tuple(x.type for x in individuals if isinstance(x.type, EntityType))
    now = conj(given, negate(goal))
    if len(set(sorts)) < len(sorts):
        return system, now
    variable = StateVar(WAITING, sorts, BOOL, FALSE, Origin.MONITOR)
    flag = select(variable.ref, *individuals)
    actions = []
    for a in system.actions:
        waiting = conj(negate(after(goal, a.writes)), disj(after(given, a.writes), flag, now))
        binders = tuple(Ref(f"{x.name}!{a.name}", x.type, Space.BOUND) for x in individuals)
        images: dict[Expr, Expr] = dict(zip(individuals, binders, strict=True))
        write = Write(WAITING, binders, substitute(waiting, images), binders)
        actions.append(replace(a, writes=(*a.writes, write)))
    return replace(system, state=(*system.state, variable), actions=tuple(actions)), disj(flag, now)


def _replayed(system: System, trace: Trace, prop: Property) -> Trace:
    """The same run of the system as it is."""
    requests = [Request(s.action, dict(s.inputs)) for s in trace.steps]
    again, _ = run(system, requests, dict(trace.params), trace.start)
    return replace(again, property=prop.name)
