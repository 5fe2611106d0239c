"""`P leads to Q` to the phases one may be in between, and which phase can follow which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import networkx as nx

from policydsl.core.expr import TRUE, Apply, Const, Expr, Op, Ref, Space, conj, eq, negate, refs, subterms
from policydsl.core.types import BoolType, EnumType
from policydsl.to_words import words
from verifier.liveness_ask import Asker, primed
from verifier.liveness_exits import Phase

MOST_FLAGS = 2
"""Truth values that together may make up the phases when no enumeration does."""

Split = list[tuple[str, Expr]]
"""Names and formulas of which exactly one holds in every state."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Whenever P holds and Q does not, one of `phases` holds, and goes on to hold until another does, or Q."""

    phases: tuple[Phase, ...]
    start: tuple[Phase, ...]
    edges: tuple[tuple[str, str], ...]  # from and to, by name, without loops

    @property
    def cycle(self) -> list[str]:
        """Phases that can follow one another for ever; empty if there are none."""
        graph = nx.DiGraph(list(self.edges))
        try:
            return [a for a, _ in nx.find_cycle(graph)]
        except nx.NetworkXNoCycle:
            return []

    @property
    def in_order(self) -> list[Phase]:
        """The phases, each before those that follow it. There must be no cycle."""
        graph = nx.DiGraph(list(self.edges))
        graph.add_nodes_from(p.name for p in self.phases)
        order = list(nx.lexicographical_topological_sort(graph))
        return sorted(self.phases, key=lambda p: order.index(p.name))


def splits(given: Expr, goal: Expr, exits: Sequence[Expr], individuals: Sequence[Ref]) -> Iterator[Split]:
    """Ways to tell phases apart, the likely ones first. `exits` are the guards of fair actions."""
    cells = dict.fromkeys([*_cells(given, individuals), *_cells(goal, individuals)])
    simple: list[Split] = [
        [(c, eq(cell, Const(c, cell.type))) for c in cell.type.cases]
        for cell in cells
        if isinstance(cell.type, EnumType)
    ]
    simple.append([(words(given), TRUE)])
    yield from simple
    flags = _flags(list(cells))
    if flags:
        yield flags
    others = _flags([c for e in exits for c in _cells(e, individuals) if c not in cells])
    if others:
        for first in simple:
            yield [(f"{a} and {b}", conj(e, f)) for a, e in first for b, f in others]


def _flags(cells: Sequence[Expr]) -> Split:
    """All combinations of the truth values among `cells`; none if there are none."""
    flags = [c for c in dict.fromkeys(cells) if isinstance(c.type, BoolType)][:MOST_FLAGS]
    choices = list(product(*([f, negate(f)] for f in flags))) if flags else []
    return [(words(conj(*choice)), conj(*choice)) for choice in choices]


def _cells(e: Expr, individuals: Sequence[Ref]) -> list[Expr]:
    """The cells of these individuals that `e` reads and that have few values."""
    fixed = set(individuals)

    def is_cell(t: Expr) -> bool:
        if isinstance(t, Ref):
            return t.space is Space.STATE
        if not isinstance(t, Apply) or t.op is not Op.SELECT:
            return False
        return all(k in fixed or isinstance(k, Const) for k in t.args[1:])

    return [t for t in subterms(e) if isinstance(t.type, (EnumType, BoolType)) and is_cell(t)]


def pending(asker: Asker, split: Split, given: Expr, goal: Expr) -> Pending:
    """The phases between `given` and `goal`; none if `given` always comes with `goal`."""
    open_ = negate(goal)
    kept = list(given.args) if isinstance(given, Apply) and given.op is Op.AND else [given]
    while True:
        asker.excluded.clear()  # what phases that were told apart otherwise rested on
        found = _explore(asker, split, given, open_, conj(*kept))
        broken = [k for k in kept if not _is_kept(asker, found, k, open_)]
        if not broken:
            return found
        # SOUND: forgetting what P says only makes the phases wider; they still hold wherever P does and Q does not.
        kept = [k for k in kept if k not in broken]


def _explore(asker: Asker, split: Split, given: Expr, open_: Expr, kept: Expr) -> Pending:
    def phase(name: str, formula: Expr) -> Phase:
        return Phase(name, conj(formula, kept, open_))

    names = [n for n, _ in split]
    start = [names[i] for i in asker.which("starts nowhere else", conj(given, open_), [f for _, f in split])]
    found: dict[str, Phase] = {}
    edges: list[tuple[str, str]] = []
    work = list(start)
    formulas = dict(split)
    while work:
        name = work.pop(0)
        if name in found:
            continue
        here = found[name] = phase(name, formulas[name])
        # SOUND: whatever is not shown to be impossible counts as a way on.
        others = [n for n in names if n != name]
        links = [primed(conj(formulas[n], open_)) for n in others]
        following = [others[i] for i in asker.which_steps(f"nothing else follows {name}", here.formula, links)]
        edges += [(name, other) for other in following]
        work += following
    return Pending(tuple(found.values()), tuple(found[n] for n in start), tuple(edges))


def _is_kept(asker: Asker, found: Pending, fact: Expr, open_: Expr) -> bool:
    """Whether `fact` goes on to hold on every step from a phase until the goal."""
    if not refs(fact, space=Space.STATE):
        return True
    lost = primed(conj(negate(fact), open_))
    return all(asker.no_step(f"{p.name}: {words(fact)} goes on", p.formula, lost) for p in found.phases)
