"""Decisions about many requests at once: a system, a state and a table become an answer for each row.

It is the answer of `policydsl.interp.decide`. Rows are put in order of what selects rules (see `runtime.index`): each
rule is asked of the rows that it may be about, and they lie side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from policydsl.core.expr import FALSE, TRUE, Apply, Expr, Op, disj, negate
from policydsl.core.system import Action, Effect, Guard, GuardKind, System
from policydsl.core.types import Value
from policydsl.state import State
from policydsl.trace import Decision
from runtime.columns import Bools, Table, value_at
from runtime.columns_eval import Batch
from runtime.columns_groups import Part, Reordered, grouped
from runtime.columns_words import Shared
from runtime.index import Tree, discriminate, leaves

EFFECTS = (Effect.ALLOW, Effect.DENY, Effect.PENDING)
"""What the codes of effects stand for."""
NONE, UNKNOWN = -1, -2
"""Instead of the number of a guard: all hold, or the policy knows no such request."""
BLOCK = 4096
"""So many decisions are spelled out at a time."""


Conditions: TypeAlias = tuple[tuple[int, Expr], ...]
"""What a leaf of the tree has: numbers of conditions, and what remains of each."""
Checks: TypeAlias = tuple[tuple[int, Expr], ...]
"""Guards that may fail, in order of evaluation: the number of each, and when it fails."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is needed to decide requests of one action: its guards in order of evaluation, and what to ask at a leaf of
    the tree, by the conditions that the leaf has."""

    action: Action
    guards: tuple[Guard, ...]
    tree: Tree
    checks: Mapping[Conditions, Checks]


def plan(action: Action) -> Plan:
    """How requests of `action` are decided; worth keeping for another table."""
    order = list(GuardKind)
    guards = tuple(sorted(action.guards, key=lambda g: order.index(g.kind)))
    conditions: list[Expr] = []
    about: list[int] = []
    for i, g in enumerate(guards):
        # A guard that is a disjunction holds when one of its conditions does; any other fails when its condition does.
        parts = g.expr.args if _is_open(g) and isinstance(g.expr, Apply) else (negate(g.expr),)
        conditions += parts
        about += [i] * len(parts)
    tree = discriminate(conditions)
    return Plan(action, guards, tree, {x.conditions: _checks(guards, about, x.conditions) for x in leaves(tree)})


def _is_open(g: Guard) -> bool:
    return isinstance(g.expr, Apply) and g.expr.op is Op.OR


def _checks(guards: Sequence[Guard], about: Sequence[int], conditions: Conditions) -> Checks:
    parts: dict[int, list[Expr]] = {i: [] for i, g in enumerate(guards) if _is_open(g)}
    for number, condition in conditions:
        parts.setdefault(about[number], []).append(condition)
    found = []
    for i in sorted(parts):
        fails = negate(disj(*parts[i])) if _is_open(guards[i]) else disj(*parts[i])
        if fails is not FALSE:
            found.append((i, fails))
        if fails is TRUE:
            break
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """The answers about a table. `effects` are codes into `EFFECTS`; `failing` has the number of the first guard that
    fails, in order of evaluation, or `NONE` or `UNKNOWN`. The rest is made when it is asked for."""

    plan: Plan
    table: Table
    shared: Shared
    effects: NDArray[np.uint8]
    failing: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.effects)

    def __getitem__(self, row: int) -> Decision:
        return spelled(self, [range(len(self))[row]])[0]

    def __iter__(self) -> Iterator[Decision]:
        for start in range(0, len(self), BLOCK):
            yield from spelled(self, range(start, min(start + BLOCK, len(self))))

    @property
    def allowed(self) -> Bools:
        found: Bools = self.effects == 0
        return found


def decide_table(system: System, state: State, table: Table, how: Plan | None = None) -> Decisions:
    """The answer to each row of `table` in `state`. `how` is the plan of the table's action, if one is at hand."""
    how = how or plan(system.action(table.action))
    shared = Shared(state)
    failing = _failing(how, shared, table)
    for row in table.faults:
        failing[row] = UNKNOWN
    effects = [EFFECTS.index(Effect.PENDING if g.kind is GuardKind.APPROVE else Effect.DENY) for g in how.guards]
    # The last two entries are those that the negative numbers find.
    effect_of = np.array([*effects, EFFECTS.index(Effect.DENY), EFFECTS.index(Effect.ALLOW)], np.uint8)
    return Decisions(how, table, shared, effect_of[failing], failing)


def _failing(how: Plan, shared: Shared, table: Table) -> NDArray[np.int32]:
    """The number of the first guard that fails, or `NONE`, of each row."""
    groups = grouped(Batch(shared, table.columns), how.tree, table.size)
    if len(groups) <= 1:
        return np.concatenate([
            np.zeros(0, np.int32),
            *(_first(how.checks[leaf.conditions], Batch(shared, table.columns), len(rows)) for leaf, rows in groups),
        ])  # fmt: skip
    order = np.concatenate([rows for _, rows in groups])
    inputs = Reordered(table.columns, order)
    failing = np.empty(table.size, np.int32)
    start = 0
    for leaf, rows in groups:
        part = slice(start, start + len(rows))
        failing[rows] = _first(how.checks[leaf.conditions], Batch(shared, Part(inputs, part)), len(rows))
        start += len(rows)
    return failing


def _first(checks: Checks, batch: Batch, size: int) -> NDArray[np.int32]:
    first = np.full(size, NONE, np.int32)
    for number, fails in reversed(checks):
        cells = batch.truth(fails)
        if isinstance(cells, np.ndarray):
            np.putmask(first, cells, number)
        elif cells:
            first.fill(number)
    return first


def spelled(d: Decisions, rows: Sequence[int]) -> list[Decision]:
    """The decisions about these rows, in full."""
    some = np.fromiter(rows, np.intp, len(rows))
    batch = Batch(d.shared, {name: c[some] for name, c in d.table.columns.items()})
    failing, effects = d.failing[some], d.effects[some]
    rules: list[list[str]] = [[] for _ in rows]
    kinds = [g.kind for g in d.plan.guards]
    for g in d.plan.guards:
        if g.rule and g.kind is not GuardKind.PERMIT:
            same = np.array([*(k is g.kind for k in kinds), False, False])[failing]
            for row in _where(batch, same, negate(g.expr)):
                rules[row].append(g.rule)
    for r in d.plan.action.rules:
        if r.effect == "permit":
            for row in _where(batch, failing == NONE, r.condition):
                rules[row].append(r.rule)
    duties: list[list[tuple[str, tuple[Value, ...]]]] = [[] for _ in rows]
    for o in d.plan.action.obligations:
        concerned = (effects == EFFECTS.index(o.on)) & (failing != UNKNOWN)
        owed = _where(batch, concerned, o.condition)
        args = [batch.value(a) for a in o.args] if owed else []
        for row in owed:
            duties[row].append((o.name, tuple(value_at(a, row) for a in args)))
    found = []
    for i, row in enumerate(rows):
        guard = int(failing[i])
        reason = d.table.faults[row] if guard == UNKNOWN else "" if guard == NONE else d.plan.guards[guard].reason
        effect = EFFECTS[effects[i]].value
        found.append(Decision(effect, tuple(dict.fromkeys(rules[i])), reason, tuple(duties[i])))
    return found


def _where(batch: Batch, concerned: Bools, condition: Expr) -> list[int]:
    """The rows among those concerned for which the condition holds."""
    if not concerned.any():
        return []
    found: list[int] = np.flatnonzero(concerned & batch.truth(condition)).tolist()
    return found
