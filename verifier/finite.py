"""A system with finitely many individuals of each sort: maps become cells, quantifiers become junctions.

Only the search for runs uses this. An individual is an index; the last one may be `anybody else`, whom no request
names, so that quantifiers mean what they mean over an unbounded population.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from policydsl.core.expr import (
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    disj,
    eq,
    ite,
    number,
    rebuild,
    refs,
    substitute,
    subterms,
)
from policydsl.core.system import StateVar, System
from policydsl.core.types import INT, EntityType, MapType, Scalar
from verifier.ground import QUANTIFIERS


def flat(type: Scalar) -> Scalar:
    """How a scalar is stored here: individuals are numbers."""
    return INT if isinstance(type, EntityType) else type


def cell_name(variable: str, keys: tuple[int, ...]) -> str:
    return f"{variable}[{','.join(map(str, keys))}]" if keys else variable


@dataclass(frozen=True)
class Population:
    """How many individuals of each sort there are; `named` come first, `others` says who has an anybody-else."""

    named: dict[EntityType, tuple[str, ...]]
    size: dict[EntityType, int]
    others: frozenset[EntityType]

    def indices(self, sort: EntityType) -> range:
        return range(self.size[sort] + (sort in self.others))

    def individual(self, index: int, sort: EntityType) -> Const:
        """The individual with this index, as a constant that keeps core terms well typed until they are rewritten."""
        names = self.named[sort]
        # A named one keeps its name: comparisons of constants are folded by name before this module sees them.
        return Const(names[index] if index < len(names) else f"#{index}", sort)

    def index(self, individual: Const) -> int:
        assert isinstance(individual.type, EntityType)
        name = str(individual.value)
        if name.startswith("#"):
            return int(name[1:])
        names = self.named[individual.type]
        # An individual that the specification does not name is only ever the value of an absent option.
        return names.index(name) if name in names else 0


def sorts(system: System) -> list[EntityType]:
    """Every sort of individuals, in order of appearance."""
    found: dict[EntityType, None] = {}
    for v in system.state:
        found.update(dict.fromkeys(v.keys))
        if isinstance(v.type, EntityType):
            found[v.type] = None
    for a in system.actions:
        found.update(dict.fromkeys(i.type for i in a.inputs if isinstance(i.type, EntityType)))
    roots = [p.expr for p in system.properties]
    for a in system.actions:
        roots += [*(g.expr for g in a.guards), *(w.value for w in a.writes)]
    found.update(dict.fromkeys(e.type for e in subterms(*roots) if isinstance(e.type, EntityType)))
    return list(found)


def population(system: System, size: int, principals: int) -> Population:
    """`size` individuals of each sort beside the named ones, `principals` of the sorts that act."""
    acting = {i.type for a in system.actions for i in a.inputs if i.name == "principal"}
    return _peopled(system, {s: principals if s in acting else size for s in sorts(system)})


def fewest(system: System, goals: Iterable[Expr]) -> Population:
    """As many individuals as one request of `system`, or one of `goals`, can be about at a time."""
    found = dict.fromkeys(sorts(system), 1)
    for a in system.actions:
        _raise(found, Counter(i.type for i in a.inputs if isinstance(i.type, EntityType)))
    for g in goals:
        _raise(found, Counter(r.type for r in refs(g, space=Space.BOUND) if isinstance(r.type, EntityType)))
    return _peopled(system, found)


def _raise(found: dict[EntityType, int], counts: Mapping[EntityType, int]) -> None:
    for sort, count in counts.items():
        found[sort] = max(count, found.get(sort, 1))


def _peopled(system: System, beside: Mapping[EntityType, int]) -> Population:
    named = {s: tuple(str(c.value) for c in system.individuals if c.type == s) for s in beside}
    sizes = {s: len(named[s]) + count for s, count in beside.items()}
    roots = [g.expr for a in system.actions for g in a.guards] + [w.value for a in system.actions for w in a.writes]
    quantified = {e.args[0].type for e in subterms(*roots) if isinstance(e, Apply) and e.op in QUANTIFIERS}
    return Population(named, sizes, frozenset(s for s in named if s in quantified))


class Finite:
    """Rewrites core expressions to expressions over cells (`STATE` and `NEXT` references without keys)."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self._memo: dict[Expr, Expr] = {}

    def __call__(self, e: Expr) -> Expr:
        found = self._memo.get(e)
        if found is None:
            found = self._memo[e] = self._rewrite(e)
        return found

    def _rewrite(self, e: Expr) -> Expr:
        match e:
            case Const():
                return number(self.population.index(e)) if isinstance(e.type, EntityType) else e
            case Ref():
                assert not isinstance(e.type, MapType)
                return Ref(e.name, flat(e.type), e.space)
            case Apply():
                if e.op is Op.SELECT:
                    return self._select(e)
                if e.op in QUANTIFIERS:
                    bound = e.args[0]
                    assert isinstance(bound.type, EntityType)
                    everybody = [
                        self(substitute(e.args[1], {bound: self.population.individual(i, bound.type)}))
                        for i in self.population.indices(bound.type)
                    ]
                    return conj(*everybody) if e.op is Op.FORALL else disj(*everybody)
                if e.op is Op.EQ:
                    return eq(self(e.args[0]), self(e.args[1]))
                if e.op is Op.ITE:
                    return ite(self(e.args[0]), self(e.args[1]), self(e.args[2]))
                return rebuild(e.op, tuple(map(self, e.args)), e.type)

    def _select(self, e: Apply) -> Expr:
        variable = e.args[0]
        assert isinstance(variable, Ref)
        assert isinstance(variable.type, MapType)
        keys = [self(k) for k in e.args[1:]]
        value = flat(variable.type.value)
        return self._pick(variable, value, variable.type.keys, keys, ())

    def _pick(
        self, variable: Ref, value: Scalar, key_sorts: tuple[EntityType, ...], keys: list[Expr], done: tuple[int, ...]
    ) -> Expr:
        if len(done) == len(keys):
            return Ref(cell_name(variable.name, done), value, variable.space)
        key = keys[len(done)]
        if isinstance(key, Const):
            return self._pick(variable, value, key_sorts, keys, (*done, int(key.value)))
        indices = list(self.population.indices(key_sorts[len(done)]))
        result = self._pick(variable, value, key_sorts, keys, (*done, indices[-1]))
        for i in reversed(indices[:-1]):
            result = ite(eq(key, number(i)), self._pick(variable, value, key_sorts, keys, (*done, i)), result)
        return result

    def cells(self, variable: StateVar) -> list[tuple[int, ...]]:
        return list(product(*(self.population.indices(k) for k in variable.keys)))
