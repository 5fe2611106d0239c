"""The enforcer of a finite population: columns are decided and done as the reference interpreter steps through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policydsl.core.system import NOW, Action, System
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType, Scalar, StringType, Value
from policydsl.interp import Request, State, initial, step
from policydsl.trace import Cell
from runtime import population, population_rounds, population_store
from runtime.columns import words
from runtime.columns_decide import EFFECTS
from runtime.population import Population, UnsupportedError
from runtime.population_cells import OFFSET
from tests.machines import machines
from tests.strategies import Shape, systems
from tests.test_specs import SPECS, program
from tests.walk import Walker

TEXTS = ("", "a", "ab", "ba", "a.b", "abc", "b")
Row = Mapping[str, Any]
Call = tuple[str, int, Sequence[Row]]
"""Requests of one action at one time; individuals and cases are numbers."""


def value(p: Population, type: Scalar, given: Any) -> Value:
    """As the interpreter has it."""
    match type:
        case EntityType():
            return p.cells.layout.name(type, given + OFFSET)
        case EnumType(cases=cases):
            return cases[given]
        case _:
            return given  # type: ignore[no-any-return]


def columns(action: Action, rows: Sequence[Row]) -> dict[str, Any]:
    kinds = {BOOL: np.bool_, INT: np.int64}
    found: dict[str, Any] = {}
    for i in action.inputs:
        if i.name != NOW:
            values = [r[i.name] for r in rows]
            found[i.name] = (
                words(values, len(values)) if i.type == STRING else np.array(values, kinds.get(i.type, np.int32))
            )
    return found


def agree(p: Population, state: State, calls: Sequence[Call]) -> State:
    """Both do `calls` and agree on every answer and, after each call, on the whole state."""
    for name, now, rows in calls:
        action = p.system.action(name)
        found = p.step(name, now, columns(action, rows))
        for i, row in enumerate(rows):
            inputs = {x.name: now if x.name == NOW else value(p, x.type, row[x.name]) for x in action.inputs}
            result = step(p.system, state, Request(name, inputs))
            guard = int(found.guard[i])
            assert EFFECTS[found.effects[i]].value == result.decision.effect, (name, i)
            assert p.reason(name, guard) == result.decision.reason, (name, i)
            rules = p.rules(name, guard)
            assert guard < 0 or set(rules) <= set(result.decision.rules)
            state = result.state
        compare(p, state)
    return state


def compare(p: Population, state: State) -> None:
    """Every cell has the same value, of the same type."""
    fresh = "somebody nobody knows"
    for name, keys, found in p.rows():
        expected = state.read(name, tuple(fresh if k == "*" else k for k in keys))
        assert repr(fresh if found == "*" else found) == repr(expected), (name, keys)


def some(draw: st.DrawFn, p: Population, type: Scalar) -> Any:
    match type:
        case EntityType():
            return draw(st.integers(-1, p.size(type.name) - 1))
        case EnumType(cases=cases):
            return draw(st.integers(0, len(cases) - 1))
        case StringType():
            return draw(st.sampled_from(TEXTS))
        case _:
            return draw(st.booleans() if type == BOOL else st.integers(-2, 9))


@st.composite
def calls(draw: st.DrawFn, p: Population, most: int = 4, rows: int = 40) -> list[Call]:
    found: list[Call] = []
    now = 0
    for _ in range(draw(st.integers(0, most))):
        action = draw(st.sampled_from(p.system.actions))
        now += draw(st.integers(-2, 6))
        count = draw(st.sampled_from((0, 1, 2, 5, 14, 20, rows))) if action.inputs else 1
        # From a pool, so that rows meet, and a table is drawn quickly.
        inputs = [i for i in action.inputs if i.name != NOW]
        count = count if inputs else 1
        pool = [{i.name: some(draw, p, i.type) for i in inputs} for _ in range(min(count, draw(st.integers(1, 12))))]
        chance = draw(st.randoms(use_true_random=False))
        found.append((action.name, now, [{i.name: chance.choice(pool)[i.name] for i in inputs} for _ in range(count)]))
    return found


def populated(system: System, size: int, **more: Any) -> Population:
    sorts = {t.name for v in system.state for t in (*v.keys, v.type) if isinstance(t, EntityType)}
    sorts |= {i.type.name for a in system.actions for i in a.inputs if isinstance(i.type, EntityType)}
    named = {n: sum(isinstance(c.type, EntityType) and c.type.name == n for c in system.individuals) for n in sorts}
    return Population(system, sizes={n: max(size, named[n]) for n in sorts}, **more)


def population_of(system: System, size: int) -> Population | None:
    """None for a system that a population cannot have."""
    if any(v.type == STRING for v in system.state):
        with pytest.raises(UnsupportedError, match="texts"):
            populated(system, size)
        return None
    return populated(system, size)


WAYS = ("as it is", "in rounds", "in rounds, as if arrays were large")


@contextmanager
def done(way: str) -> Iterator[None]:
    """Have rows decided in one of `WAYS`: as many are, although there are few."""
    with pytest.MonkeyPatch.context() as patch:
        if way != WAYS[0]:
            patch.setattr(population, "FEW", 0)
            patch.setattr(population, "BURST", 0)
        if way == WAYS[2]:
            patch.setattr(population_rounds, "SMALL", 0)
            patch.setattr(population_store, "SMALL", 0)
        yield


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_generated_systems(data: st.DataObject) -> None:
    system = data.draw(systems(Shape(any_divisor=True, quantifiers=data.draw(st.sampled_from((0, 1, 2))))))
    p = population_of(system, data.draw(st.integers(0, 4)))
    if p is not None:
        with done(data.draw(st.sampled_from(WAYS))):
            agree(p, initial(system), data.draw(calls(p)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_generated_systems_in_which_things_happen(data: st.DataObject) -> None:
    system = data.draw(machines())
    p = population_of(system, data.draw(st.integers(1, 4)))
    if p is not None:
        with done(data.draw(st.sampled_from(WAYS))):
            agree(p, initial(system), data.draw(calls(p)))


TAKEN = (
    "agents/powers", "agents/incidents", "mvg/governance", "mvg/delegation", "mvg/reputation", "gateway/budgets",
    "gateway/messaging", "twin/ecosystem",
)  # fmt: skip


class Pool:
    """Numbers and texts near those that a policy mentions."""

    def __init__(self, p: Population, seed: int) -> None:
        self.p = p
        self.walker = Walker(p.system, seed)

    def some(self, type: Scalar) -> Any:
        chance = self.walker.random
        match type:
            case EntityType():
                return chance.randrange(-1 if chance.random() < 0.1 else 0, self.p.size(type.name))
            case EnumType(cases=cases):
                return chance.randrange(len(cases))
            case _:
                return self.walker.value(type)

    def calls(self, count: int) -> list[Call]:
        chance, now, found = self.walker.random, 0, list[Call]()
        for _ in range(count):
            action = chance.choice(self.p.system.actions)
            inputs = [i for i in action.inputs if i.name != NOW]
            if chance.random() < 0.5:
                now += chance.choice(self.walker.durations)
            rows = chance.choice((1, 3, 15, 30, 60)) if inputs else 1
            found.append((action.name, now, [{i.name: self.some(i.type) for i in inputs} for _ in range(rows)]))
        return found


def walk(path: str, seed: int, count: int) -> None:
    """Random requests to a shipped policy; from the second seed on, some are in its groups."""
    system = program(path).system
    start: dict[str, Any] = {}
    cells: list[Cell] = []
    for v in system.state:
        if v.init is None and v.type == BOOL and len(v.keys) == 1 and seed:
            start[v.name] = {f"#{i}": True for i in range(3)}
            cells += [Cell(v.name, (f"#{i}",), True) for i in range(3)]
    p = populated(system, 5, start=start)
    with done(WAYS[seed % len(WAYS)]):
        agree(p, initial(system, start=cells), Pool(p, seed).calls(count))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("path", TAKEN)
def test_shipped_policies(path: str, seed: int) -> None:
    walk(f"specs/{path}.policy", seed, 30)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("path", SPECS)
def test_all_shipped_policies(path: str, seed: int) -> None:
    walk(path, seed, 120)
