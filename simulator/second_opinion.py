"""Second opinions: a decision and what it depends on go in, what the reference interpreter has against it comes out.

A gateway keeps for some requests all that the answer depends on: the inputs, and the cells of those who are in them or
in each other's cells. Whoever has the policy that was proved decides again from that, with another implementation.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from policydsl.core.expr import Space, refs
from policydsl.core.system import NOW, Effect, System
from policydsl.core.types import EntityType, Scalar, Value
from policydsl.interp import Request, decide, initial
from policydsl.trace import Cell
from runtime.population import Population
from runtime.population_cells import OFFSET

Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A decision of a gateway, with what it depends on."""

    policy: str
    action: str
    inputs: Mapping[str, Value]
    params: Mapping[str, Value]
    cells: tuple[Cell, ...]
    allowed: bool
    reason: str
    """Why not."""


def can_be_kept(system: System, action: str) -> bool:
    """Whether a decision depends on a few cells alone, and not on everybody's."""
    return not any(True for _ in refs(*(g.expr for g in system.action(action).guards), space=Space.BOUND))


def inputs_of(enforcer: Population, action: str, columns: Columns, row: int, now: int) -> dict[str, Value]:
    """One request, as the reference interpreter has it."""
    found: dict[str, Value] = {}
    for i in enforcer.system.action(action).inputs:
        name, _, part = i.name.partition(".")
        if i.name == NOW:
            found[i.name] = now
            continue
        column = np.asarray(columns[name])
        number = int(column if column.ndim == 0 else column[row])
        found[i.name] = number >= 0 if part == "has" else _value(enforcer, i.type, number)
    return found


def cells_of(enforcer: Population, inputs: Mapping[str, Value], action: str) -> tuple[Cell, ...]:
    """The cells of all who are in a request, or are a value in such a cell."""
    types = {i.name: i.type for i in enforcer.system.action(action).inputs}
    known: dict[EntityType, dict[str, None]] = {}
    for name, value in inputs.items():
        kind = types[name]
        if isinstance(kind, EntityType) and value:
            known.setdefault(kind, {})[str(value)] = None
    cells: dict[tuple[str, tuple[str, ...]], Cell] = {}
    size = -1
    while size < len(cells):
        size = len(cells)
        for cell, kind in _among(enforcer, known, cells):
            cells[cell.var, cell.keys] = cell
            if isinstance(kind, EntityType) and cell.value:
                known.setdefault(kind, {})[str(cell.value)] = None
    return tuple(cells.values())


def _among(
    enforcer: Population, known: Mapping[EntityType, Mapping[str, None]], seen: Container[tuple[str, tuple[str, ...]]]
) -> Iterator[tuple[Cell, Scalar]]:
    """The cells of those who are known, but for those that were seen before."""
    layout = enforcer.cells.layout
    for v in enforcer.system.state:
        if not all(k in known for k in v.keys):
            continue
        new = [keys for keys in product(*(tuple(known[k]) for k in v.keys)) if (v.name, keys) not in seen]
        array = enforcer.state[v.name] if new else np.zeros(0)
        for keys in new:
            at = tuple(layout.encode(k, name) - OFFSET for k, name in zip(v.keys, keys, strict=True))
            yield Cell(v.name, keys, _value(enforcer, v.type, int(array[at]))), v.type


def _value(enforcer: Population, kind: Scalar, number: int) -> Value:
    found: Value = enforcer.cells.layout.decode(kind, number + OFFSET if isinstance(kind, EntityType) else number)
    return found


def difference(system: System, evidence: Evidence) -> str:
    """What is wrong with a decision, by the policy that was proved; "" for nothing."""
    state = initial(system, evidence.params).starting(evidence.cells)
    found = decide(system, state, Request(evidence.action, evidence.inputs))
    allowed = found.effect == Effect.ALLOW.value
    if (allowed, found.reason) == (evidence.allowed, evidence.reason):
        return ""
    said, right = _said(evidence.allowed, evidence.reason), _said(allowed, found.reason)
    return f"`{evidence.action}` was {said}, and by the policy that was proved it is {right}"


def _said(allowed: bool, reason: str) -> str:
    return "allowed" if allowed else f"denied ({reason})"
