"""Recorded traffic and a policy become the decisions that the policy would have made, in order, each in its state.

NOTE(replay-columns): most requests of most traffic do not depend on each other. An action is stepped through in order
if its decisions read what some action here writes, or if it writes what such decisions depend on. All others are
decided as columns, in the state at the start. A clock that never goes back is no dependence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from policydsl.core.after import reads
from policydsl.core.expr import TRUE, Expr, Ref, Space, le, transform
from policydsl.core.system import CLOCK, NOW, Action, Effect, System
from policydsl.core.types import INT, Value
from policydsl.interp import Request, initial, step
from policydsl.state import State
from policydsl.trace import Cell, Decision
from runtime.columns import Ints, Traffic, request_at
from runtime.columns_decide import EFFECTS, Decisions, decide_table, plan

Stepper = Callable[[Request], Decision]
"""Decides a request, and moves on when it is allowed."""
Begin = Callable[[System, Mapping[str, Value], Sequence[Cell]], Stepper]
"""From a system, parameters and cells that differ from the declared start to what steps on from there."""

_TIME_GOES_ON = le(Ref(CLOCK, INT, Space.STATE), Ref(NOW, INT, Space.INPUT))


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """The decisions about some traffic, in order. `effects` are codes into `EFFECTS`.

    `parts` has those about each table, `part` the number of the table of each request or -1, `row` its row there;
    `stepped` names the actions that were not decided as columns.
    """

    effects: NDArray[np.uint8]
    parts: tuple[Decisions | Sequence[Decision], ...]
    part: NDArray[np.int32]
    row: NDArray[np.intp]
    stepped: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.effects)

    def __getitem__(self, position: int) -> Decision:
        part = int(self.part[position])
        return _UNKNOWN if part < 0 else self.parts[part][int(self.row[position])]

    def __iter__(self) -> Iterator[Decision]:
        each = [iter(p) for p in self.parts]
        for part in self.part.tolist():
            yield _UNKNOWN if part < 0 else next(each[part])


_UNKNOWN = Decision(Effect.DENY.value, reason="unknown action")


def decide_traffic(system: System, state: State, traffic: Traffic) -> Replayed:
    """The answer to every request in one and the same state."""
    return _replayed(traffic, [decide_table(system, state, t) for t in traffic.tables])


def interpreted(system: System, params: Mapping[str, Value], start: Sequence[Cell]) -> Stepper:
    """Steps of the reference interpreter."""
    state = initial(system, params, start)

    def go(request: Request) -> Decision:
        nonlocal state
        result = step(system, state, request)
        state = result.state
        return result.decision

    return go


def replay_table(
    system: System, params: Mapping[str, Value], start: Sequence[Cell], traffic: Traffic, begin: Begin = interpreted
) -> Replayed:
    """The answer to every request in the state that those before it have led to."""
    state = initial(system, params, start)
    actions = {t.action: system.action(t.action) for t in traffic.tables}
    if _time_goes_on(state, actions, traffic):
        actions = {name: _timeless(a) for name, a in actions.items()}
    stepped = _stepped(actions)
    parts: list[Decisions | list[Decision]] = [
        [] if t.action in stepped else decide_table(system, state, t, plan(actions[t.action])) for t in traffic.tables
    ]
    rows = [(p, n, i) for n, t in enumerate(traffic.tables) if t.action in stepped for i, p in enumerate(t.positions)]
    if rows:
        go = begin(system, params, start)
        for _, n, i in sorted(rows):
            part, table = parts[n], traffic.tables[n]
            assert isinstance(part, list)
            fault = table.faults.get(i)
            denied = fault and Decision(Effect.DENY.value, reason=fault)
            part.append(denied or go(request_at(table, i)))
    return _replayed(traffic, parts, stepped)


def _replayed(
    traffic: Traffic, parts: Sequence[Decisions | list[Decision]], stepped: frozenset[str] = frozenset()
) -> Replayed:
    effects = np.full(traffic.size, EFFECTS.index(Effect.DENY), np.uint8)
    part = np.full(traffic.size, -1, np.int32)
    row = np.zeros(traffic.size, np.intp)
    code = {e.value: i for i, e in enumerate(EFFECTS)}
    for n, (t, p) in enumerate(zip(traffic.tables, parts, strict=True)):
        found = p.effects if isinstance(p, Decisions) else np.array([code[d.effect] for d in p], np.uint8)
        effects[t.positions], part[t.positions], row[t.positions] = found, n, np.arange(t.size)
    return Replayed(effects, tuple(parts), part, row, stepped)


def _decided_by(action: Action) -> tuple[Expr, ...]:
    """All on which decisions about an action depend."""
    about = [g.expr for g in action.guards] + [r.condition for r in action.rules]
    return (*about, *(e for o in action.obligations for e in (o.condition, *o.args)))


def _stepped(actions: Mapping[str, Action]) -> frozenset[str]:
    """The actions that must be stepped through, in order."""
    read = {name: reads(*_decided_by(a)) for name, a in actions.items()}
    written = {w.var for a in actions.values() for w in a.writes}
    stepped = {name for name, found in read.items() if found & written}
    needed: set[str] = set()
    while True:
        # SOUND: what is stepped through must find the state that all others would have left, wherever it looks.
        more = {v for name in stepped for v in read[name]}
        more |= {v for a in actions.values() for w in a.writes if w.var in needed for v in reads(w.value, *w.keys)}
        writers = {name for name, a in actions.items() if any(w.var in needed | more for w in a.writes)}
        if more <= needed and writers <= stepped:
            return frozenset(stepped)
        needed |= more
        stepped |= writers


def _time_goes_on(state: State, actions: Mapping[str, Action], traffic: Traffic) -> bool:
    """Whether no request is earlier than one before it, or than the start: then the clock, which has the time of one of
    them, is never ahead."""
    if not state.system.timed:
        return False
    now = Ref(NOW, INT, Space.INPUT)
    if any(w.var == CLOCK and w.value is not now for a in actions.values() for w in a.writes):
        return False
    clock = state.read(CLOCK, ())
    assert isinstance(clock, int)
    found = [(t.positions, c.values, t.faults) for t in traffic.tables if isinstance(c := t.columns.get(NOW), Ints)]
    good = [np.fromiter((i not in faults for i in range(len(at))), np.bool_, len(at)) for at, _, faults in found]
    places = np.concatenate([np.zeros(0, np.intp), *(at[g] for (at, _, _), g in zip(found, good))])
    times = np.concatenate([np.zeros(0, np.int64), *(times[g] for (_, times, _), g in zip(found, good))])
    times = times[np.argsort(places)]
    return not len(times) or bool(times[0] >= clock and np.all(times[1:] >= times[:-1]))


def _timeless(action: Action) -> Action:
    """The same where time is known to go on."""
    memo: dict[Expr, Expr] = {}

    def on(e: Expr) -> Expr:
        return transform(e, lambda x: TRUE if x is _TIME_GOES_ON else None, memo)

    return replace(
        action,
        guards=tuple(replace(g, expr=on(g.expr)) for g in action.guards),
        rules=tuple(replace(r, condition=on(r.condition)) for r in action.rules),
        obligations=tuple(
            replace(o, condition=on(o.condition), args=tuple(map(on, o.args))) for o in action.obligations
        ),
    )
