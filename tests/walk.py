"""Long random runs of a system in the reference interpreter, and what they decide: for systems too big to enumerate."""

from __future__ import annotations

import random
from collections.abc import Sequence

from policydsl import regular
from policydsl.core.expr import Const, subterms
from policydsl.core.system import NOW, Effect, Property, PropertyKind, System
from policydsl.core.types import INT, STRING, BoolType, EntityType, EnumType, IntType, Scalar, Value
from policydsl.interp import Request, State, evaluate, initial, step
from policydsl.state import default_value
from policydsl.trace import Cell
from tests.enumerate import INVARIANTS, Pools, people
from verifier.string_classes import patterns_in


class Walker:
    """Draws requests that are often allowed: numbers near those that the system mentions, strings of each class."""

    def __init__(self, system: System, seed: int) -> None:
        self.system = system
        self.random = random.Random(seed)
        roots = [g.expr for a in system.actions for g in a.guards] + [p.expr for p in system.properties]
        roots += [w.value for a in system.actions for w in a.writes]
        terms = list(subterms(*roots))
        constants = {int(e.value) for e in terms if isinstance(e, Const) and e.type == INT}
        self.numbers = sorted({c + d for c in constants for d in (-1, 0, 1)} | {0, 1, 2, 3})
        literals = {str(e.value) for e in terms if isinstance(e, Const) and e.type == STRING}
        witnesses = {c.witness for p in patterns_in(terms) for c in regular.classes((p,), 4_000) or []}
        self.texts = sorted(literals | witnesses | {"", "ab"})
        self.people = people(system, Pools(individuals=3))
        self.durations = [n for n in self.numbers if n > 0]

    def value(self, type: Scalar) -> Value:
        match type:
            case BoolType():
                return self.random.random() < 0.5
            case IntType():
                return self.random.choice(self.numbers)
            case EnumType():
                return self.random.choice(type.cases)
            case EntityType():
                return self.random.choice(self.people[type])
            case _:
                return self.random.choice(self.texts)

    def start(self) -> State:
        params: dict[str, Value] = {}
        for p in self.system.params:
            wanted: list[Value] = [p.default.value, p.default.value]
            wanted += [v for v in (p.low, p.high) if v is not None]
            params[p.name] = self.random.choice(wanted)
        sums = {s.var for s in self.system.sums}
        cells = []
        for v in self.system.state:
            if v.init is None and v.name not in sums:
                for _ in range(3):
                    keys = tuple(self.random.choice(self.people[k]) for k in v.keys)
                    cells.append(Cell(v.name, keys, self.random.choice([default_value(v.type), self.value(v.type)])))
        return initial(self.system, params, cells)

    def request(self, time: int) -> Request:
        action = self.random.choice(self.system.actions)
        given: dict[str, Value] = {i.name: self.value(i.type) for i in action.inputs}
        if self.system.timed:
            given[NOW] = time
        return Request(action.name, given)


def walk(system: System, properties: Sequence[Property], seed: int, requests: int) -> dict[str, list[Request]]:
    """Of the properties, those that a random run of so many requests breaks (or reaches), each with that run."""
    walker = Walker(system, seed)
    state, time, run = walker.start(), 0, list[Request]()
    found: dict[str, list[Request]] = {}
    over_states = [p for p in properties if p.kind in (*INVARIANTS, PropertyKind.REACHABLE)]
    over_steps = [p for p in properties if p.kind in (PropertyKind.ASSERT, PropertyKind.STEP)]

    def look(state: State) -> None:
        for p in over_states:
            if p.name not in found and (evaluate(p.expr, state) is True) == (p.kind is PropertyKind.REACHABLE):
                found[p.name] = list(run)

    look(state)
    for _ in range(requests):
        if system.timed and walker.random.random() < 0.3:
            time += walker.random.choice(walker.durations)
        request = walker.request(time)
        action = system.action(request.action)
        result = step(system, state, request)
        allowed = result.decision.effect == Effect.ALLOW.value
        for p in over_steps:
            if p.name in found or p.action not in ("", request.action):
                continue
            if p.kind is PropertyKind.ASSERT:
                concerned = allowed or evaluate(action.assumed, state, request.inputs) is True
                holds = not concerned or evaluate(p.expr, state, request.inputs) is True
            else:
                holds = not allowed or evaluate(p.expr, state, request.inputs, after=result.state) is True
            if not holds:
                found[p.name] = [*run, request]
        if allowed:
            run.append(request)
            state = result.state
            look(state)
    return found
