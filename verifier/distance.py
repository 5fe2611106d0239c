"""A goal to how far away it is: by cells that have few values, each of which steps move along the edges of a graph.

A proposal that is to be settled must have been analysed before, and judged before that. What this says is true of every
run to the goal; it is told to the solver, which would find it out anew for every order of all the other steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import z3

from policydsl.core.after import after, reads
from policydsl.core.expr import (
    FALSE,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    add,
    arith,
    conj,
    eq,
    exists,
    ite,
    negate,
    number,
    refs,
    substitute,
    subterms,
)
from policydsl.core.system import Action, System
from policydsl.core.types import INT, EntityType, EnumType, MapType, Value
from verifier.few_values import MOST, Part, combination, combinations, numbered, part
from verifier.finite import Population
from verifier.ground import UngroundableError, ground, negation_normal
from verifier.induction import parameters
from verifier.solve import values
from verifier.to_smt import script, symbol

NEAR = 4
"""Goals that are no further away than that are not worth the words."""
NEVER = 1_000_000
MOST_EDGES = 400
"""Steps of one action that are told apart."""
MOST_INSTANCES = 32
"""Choices of individuals that may reach one goal."""
WAY = Ref("way!", INT, Space.INPUT)


@dataclass(frozen=True, slots=True)
class Distance:
    """If `formula` holds after some steps, in each state before that `left` was at most the number of steps to come."""

    formula: Expr
    left: Expr


@dataclass(frozen=True, slots=True)
class Edge:
    """A step of `action` can take cells from one combination of their values to another, given by numbers."""

    before: int
    after: int
    action: str


Graph: TypeAlias = tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class _Cells:
    """Cells with the same keys, and for each combination of their values the steps to one that a goal allows."""

    parts: tuple[Part, ...]
    keys: tuple[Expr, ...]
    left: tuple[int, ...]
    graph: Graph

    @property
    def first(self) -> int:
        """How many steps are left at first, or may be."""
        numbers = tuple(p.first for p in self.parts)
        if None in numbers:
            return max(self.left)
        return self.left[combinations(self.parts).index(tuple(n for n in numbers if n is not None))]

    def at(self, images: dict[Expr, Expr]) -> Expr:
        """The steps that are left, with these individuals for those that the keys name."""
        keys = [substitute(k, images) for k in self.keys]
        result: Expr = number(max(self.left))
        for numbers, count in zip(combinations(self.parts), self.left, strict=True):
            if count < max(self.left):
                result = ite(combination(self.parts, keys, numbers), number(count), result)
        return result


class Graphs:
    """Which values of the variables of `system` can follow which, and by which actions."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._variables = {v.name: v for v in system.state}
        self._context = z3.Context()
        self._known: dict[tuple[tuple[str, int, Value], ...], Graph | None] = {}
        self._found: dict[tuple[tuple[Part, ...], tuple[Expr, ...], Expr], _Cells | None] = {}

    def distances(self, formula: Expr, action: Action | None, people: Population) -> list[Distance]:
        """What is known of `formula`, over a state or over a request of `action`."""
        try:
            return self._distances(formula, action, people)
        except UngroundableError:
            return []

    def _distances(self, formula: Expr, action: Action | None, people: Population) -> list[Distance]:
        bounds, body = _opened(formula)
        inputs = [i.ref for i in action.inputs if isinstance(i.type, EntityType)] if action else []
        cells = list(self._cells(body, {*bounds, *inputs}))
        if sum(c.first for c in cells) <= NEAR:
            return []
        about = list(dict.fromkeys(r for c in cells for r in refs(*c.keys)))
        found: list[Distance] = []
        for choice in product(*(_everybody(people, r) for r in about)):
            images: dict[Expr, Expr] = dict(zip(about, choice, strict=True))
            one = substitute(body, {b: images[b] for b in bounds if b in images})
            for b in reversed([b for b in bounds if b not in images]):
                one = exists(b, one)
            holds = conj(one, *(eq(r, images[r]) for r in inputs if r in images))
            if holds is not FALSE:
                found += [Distance(holds, left) for left in self._together(cells, images)]
        return found if len(found) <= MOST_INSTANCES else []

    def _cells(self, body: Expr, individuals: set[Expr]) -> Iterator[_Cells]:
        clusters: dict[tuple[Expr, ...], list[Part]] = {}
        for p, keys in self._reads(body, individuals):
            cluster = clusters.setdefault(keys, [])
            if len(combinations([*cluster, p])) <= MOST:
                cluster.append(p)
        for keys, cluster in clusters.items():
            asked = (*cluster, *self._phases(cluster)), keys, body
            if asked not in self._found:
                self._found[asked] = self._left(*asked)
            found = self._found[asked]
            if found is not None and found.first:
                yield found

    def _reads(self, body: Expr, individuals: set[Expr]) -> Iterator[tuple[Part, tuple[Expr, ...]]]:
        """The cells of these individuals that `body` reads and of which few values matter."""
        order = list(subterms(body))
        for e in order:
            read, keys = (e.args[0], e.args[1:]) if isinstance(e, Apply) and e.op is Op.SELECT else (e, ())
            if isinstance(read, Ref) and read.space is Space.STATE and not isinstance(e.type, MapType):
                found = part(self._variables[read.name], order)
                if found is not None and all(k in individuals or isinstance(k, Const) for k in keys):
                    yield found, keys

    def _phases(self, cluster: Sequence[Part]) -> list[Part]:
        """An enumeration with the same keys that decides when the cells are written, if none is among them."""
        if any(isinstance(p.variable.type, EnumType) for p in cluster):
            return []
        names = {p.variable.name for p in cluster}
        writers = [a for a in self._system.actions if any(w.var in names for w in a.writes)]
        read = reads(*(a.allowed for a in writers))
        for v in self._system.state:
            if isinstance(v.type, EnumType) and v.name in read and v.keys == cluster[0].variable.keys:
                found = part(v, ())
                if found is not None and len(combinations([*cluster, found])) <= MOST:
                    return [found]
        return []

    def _left(self, parts: tuple[Part, ...], keys: tuple[Expr, ...], body: Expr) -> _Cells | None:
        graph = self.graph(parts)
        wanted = None if graph is None else self._which(body, numbered(parts, keys))
        many = len(combinations(parts))
        if graph is None or wanted is None or len(wanted) == many:
            return None
        left = dict.fromkeys(sorted(wanted), 0)
        todo = deque(left)
        while todo:
            there = todo.popleft()
            for e in graph:
                if e.after == there and e.before not in left:
                    left[e.before] = left[there] + 1
                    todo.append(e.before)
        return _Cells(parts, keys, tuple(left.get(i, NEVER) for i in range(many)), graph)

    def graph(self, parts: tuple[Part, ...]) -> Graph | None:
        """How one step can change cells of these variables with the same keys; None if that cannot be told."""
        key = tuple((p.variable.name, len(p.values), p.values[0]) for p in parts)
        if key not in self._known:
            self._known[key] = self._graph(parts)
        return self._known[key]

    def _graph(self, parts: tuple[Part, ...]) -> Graph | None:
        many = len(combinations(parts))
        keys = [Ref(f"key!{i}", sort, Space.BOUND) for i, sort in enumerate(parts[0].variable.keys)]
        before = numbered(parts, keys)
        found: list[Edge] = []
        for action in self._system.actions:
            if any(w.var == p.variable.name for w in action.writes for p in parts):
                later = after(before, action.writes)
                moves = conj(action.allowed, negate(eq(before, later)))
                which = self._which(moves, add(arith(Op.MUL, number(many), before), later))
                if which is None:
                    return None
                found += [Edge(*divmod(n, many), action.name) for n in sorted(which)]
        return tuple(found)

    def _which(self, formula: Expr, code: Expr) -> frozenset[int] | None:
        """The values of `code` where `formula` holds, as far as a solver can tell; None if it cannot."""
        asked = ground([formula, eq(WAY, code)])
        text = script([*asked, *parameters(self._system, asked)])
        return values(text, symbol(WAY)[1:-1], self._context, most=MOST_EDGES)

    def _together(self, cells: Sequence[_Cells], images: dict[Expr, Expr]) -> Iterator[Expr]:
        """Lower bounds: those of cells of which no step changes two are added up."""
        groups: list[list[_Cells]] = []
        for cell in cells:
            for group in groups:
                if all(self._apart(cell, other, images) for other in group):
                    group.append(cell)
                    break
            else:
                groups.append([cell])
        for group in groups:
            yield add(*(c.at(images) for c in group))

    def _apart(self, a: _Cells, b: _Cells, images: dict[Expr, Expr]) -> bool:
        """Whether no step changes both."""
        if {e.action for e in a.graph}.isdisjoint(e.action for e in b.graph):
            return True
        keys = [[substitute(k, images) for k in c.keys] for c in (a, b)]
        if a.parts != b.parts or keys[0] == keys[1]:
            return False
        names = {p.variable.name for p in a.parts}
        writes = [[w for w in x.writes if w.var in names] for x in self._system.actions]
        return all(not any(w.binders for w in ws) and len({w.keys for w in ws}) <= 1 for ws in writes)


def _everybody(people: Population, r: Expr) -> list[Expr]:
    assert isinstance(r.type, EntityType)
    return [people.individual(i, r.type) for i in people.indices(r.type)]


def _opened(formula: Expr) -> tuple[list[Ref], Expr]:
    """The individuals that `formula` asks for, and what it asks of them."""
    bounds: list[Ref] = []
    body = negation_normal(formula)
    while isinstance(body, Apply) and body.op is Op.EXISTS:
        bound, body = body.args
        assert isinstance(bound, Ref)
        bounds.append(bound)
    return bounds, body
