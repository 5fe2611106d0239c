"""The start of a run to words: what differs from the declared parameters and the declared initial state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, product

from policydsl.core.expr import Expr, Ref, Space, subterms
from policydsl.core.system import Origin, Property, StateVar, System
from policydsl.core.types import EntityType, Value
from policydsl.interp import initial
from policydsl.state import State
from policydsl.times import kinds_of
from policydsl.trace import Cell, Trace
from policydsl.trace_words import describe_cells, value_of

MOST = 256
"""Cells of one variable that are looked at, where a run may start anywhere."""


def from_anywhere(system: System) -> System:
    """`system` with nothing known of its initial state: steps that lose a property start there."""
    return replace(system, state=tuple(replace(v, init=None) for v in system.state))


def describe_start(system: System, trace: Trace, claim: Property | None = None) -> tuple[str, ...]:
    """What is special about the start of `trace`.

    With `claim`, `trace` is a step that loses it, of `from_anywhere(system)`: then what neither the claim nor the
    actions of the steps read is left out, and so is what is kept beside the declared state.
    """
    chosen = dict(trace.params)
    kinds = kinds_of(system)
    about = None if claim is None else _about(system, trace, claim)
    params = [
        f"{p.name} = {value_of(chosen[p.name], p.type, kinds.get((Space.PARAM, p.name)))}"
        for p in system.params
        if p.name in chosen and chosen[p.name] != p.default.value and (about is None or (Space.PARAM, p.name) in about)
    ]
    declared = initial(system, chosen)
    state = initial(system if claim is None else from_anywhere(system), chosen, trace.start)
    cells: Iterable[Cell] = trace.start
    if about is not None:
        cells = [c for v in system.state if _shown(v, about) for c in _cells(v, state, _individuals(state, trace))]
    return (*params, *_different(list(cells), system, state, declared))


def _different(cells: list[Cell], system: System, state: State, declared: State) -> list[str]:
    found = describe_cells(cells, system, state)
    # What is given may be what is declared, and the value behind an option that is absent is nothing to speak of.
    same = {text for c in cells for text in describe_cells([_as_in(declared, c)], system, declared)}
    return [text for text in found if text not in same]


def _as_in(state: State, cell: Cell) -> Cell:
    return replace(cell, value=state.read(cell.var, cell.keys))


def _about(system: System, trace: Trace, claim: Property) -> set[tuple[Space, str]]:
    """What the claim reads, and what decides about the requests of the run; an option counts as a whole."""
    roots = [claim.expr] if claim.goal is None else [claim.expr, claim.goal]
    own = _names(roots)
    # A sum is kept beside the state; people know what it is a sum of.
    own |= _names(s.body for s in system.sums if (Space.STATE, s.var) in own)
    actions = [a for a in system.actions if a.name in {s.action for s in trace.steps}]
    guards = [g.expr for a in actions for g in a.guards]
    values = [w.value for a in actions for w in a.writes if (Space.STATE, _base(w.var)) in own]
    monitors = {(Space.STATE, v.name) for v in system.state if v.origin is Origin.MONITOR}
    return own | (_names([*guards, *values]) - monitors)


def _names(roots: Iterable[Expr]) -> set[tuple[Space, str]]:
    found = set()
    for e in subterms(*roots):
        if isinstance(e, Ref) and e.space in (Space.STATE, Space.NEXT, Space.PARAM):
            found.add((Space.PARAM if e.space is Space.PARAM else Space.STATE, _base(e.name)))
    return found


def _base(name: str) -> str:
    return name.removesuffix(".has").removesuffix(".value")


def _shown(v: StateVar, about: set[tuple[Space, str]]) -> bool:
    return v.origin not in (Origin.CLOCK, Origin.GHOST) and (Space.STATE, _base(v.name)) in about


def _individuals(state: State, trace: Trace) -> dict[EntityType, tuple[str, ...]]:
    """Those of whom the run tells something: they have a cell at the start, or come with a request."""
    found: dict[EntityType, dict[str, None]] = {}
    variables = {v.name: v for v in state.system.state}
    given: list[tuple[EntityType, Value]] = []
    for c in trace.start:
        v = variables[c.var]
        given += [*zip(v.keys, c.keys, strict=True), *([(v.type, c.value)] if isinstance(v.type, EntityType) else [])]
    for s in trace.steps:
        types = {i.name: i.type for a in state.system.actions if a.name == s.action for i in a.inputs}
        given += [(t, value) for name, value in s.inputs if isinstance(t := types.get(name), EntityType)]
    for sort, name in given:
        if name:
            found.setdefault(sort, {})[str(name)] = None
    return {sort: tuple(names) for sort, names in found.items()}


def _cells(v: StateVar, state: State, individuals: dict[EntityType, tuple[str, ...]]) -> Iterator[Cell]:
    flags = _flags(v, state.system)
    for keys in islice(product(*(individuals.get(sort, ()) for sort in v.keys)), MOST):
        if all(state.read(f.name, keys[: len(f.keys)]) for f in flags):
            yield Cell(v.name, keys, state.read(v.name, keys))


def _flags(v: StateVar, system: System) -> list[StateVar]:
    """The options of which `v` is a field, not the value itself: without them it is nothing to speak of."""
    return [
        f
        for f in system.state
        if f.name.endswith(".has") and v.name.startswith(f"{f.name.removesuffix('.has')}.value.")
    ]
