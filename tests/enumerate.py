"""Every run of a small system, by brute force: a system and pools of values become, for each property, the first step
at which some run decides it. Knows nothing of solvers: only the reference interpreter is asked.

What it finds is certain; what it does not find may lie outside of its pools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

from policydsl.core.expr import Apply, Const, Op, subterms
from policydsl.core.system import Effect, Property, PropertyKind, System
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar, Value
from policydsl.interp import Request, State, UnfitError, evaluate, initial, step
from policydsl.state import EVERYONE_ELSE
from policydsl.trace import Cell

INVARIANTS = (PropertyKind.INVARIANT, PropertyKind.LEMMA)


@dataclass(frozen=True)
class Pools:
    """The values that are tried: so many unnamed individuals of each sort, and these numbers and texts."""

    individuals: int = 2
    numbers: tuple[int, ...] = (0, 1, 5)
    texts: tuple[str, ...] = ("", "ab")
    starts: int = 6  # initial states at most
    steps: int = 3_000  # requests answered at most


@dataclass
class Found:
    """For each property that some run breaks (or reaches, if `reachable`): the number of steps, and the run."""

    at: dict[str, int] = field(default_factory=dict)
    runs: dict[str, list[Request]] = field(default_factory=dict)
    states: int = 0
    complete: bool = True  # all runs of the given depth over the pools were seen

    def note(self, prop: Property, depth: int, run: list[Request]) -> None:
        if prop.name not in self.at:
            self.at[prop.name] = depth
            self.runs[prop.name] = run


def people(system: System, pools: Pools) -> dict[EntityType, list[str]]:
    """The individuals of each sort: those that the system names, and some that it does not."""
    sorts: dict[EntityType, None] = {}
    for v in system.state:
        sorts.update(dict.fromkeys(v.keys))
        if isinstance(v.type, EntityType):
            sorts[v.type] = None
    for a in system.actions:
        sorts.update(dict.fromkeys(i.type for i in a.inputs if isinstance(i.type, EntityType)))
    named = {s: [str(c.value) for c in system.individuals if c.type == s] for s in sorts}
    return {s: named[s] + [f"{s.name.lower()}{i}" for i in range(pools.individuals)] for s in sorts}


def values(type: Scalar, pools: Pools, everybody: Mapping[EntityType, Sequence[str]]) -> Sequence[Value]:
    match type:
        case BoolType():
            return (False, True)
        case IntType():
            return pools.numbers
        case EnumType():
            return type.cases
        case EntityType():
            return everybody.get(type, ())
        case _:
            return pools.texts


def requests(system: System, pools: Pools) -> list[Request]:
    """All requests over the pools."""
    everybody = people(system, pools)
    found = []
    for a in system.actions:
        names = [i.name for i in a.inputs]
        for choice in product(*(values(i.type, pools, everybody) for i in a.inputs)):
            found += [Request(a.name, dict(zip(names, choice, strict=True)))]
    return found


def starts(system: System, pools: Pools) -> Iterator[State]:
    """Initial states over the pools: the default one, then others, for declared and for extreme parameters."""
    everybody = people(system, pools)
    choices = []
    for p in system.params:
        wanted = (
            {p.default.value, p.low, p.high} if isinstance(p.type, IntType) else set(values(p.type, pools, everybody))
        )
        choices.append([(p.name, v) for v in sorted((v for v in wanted if v is not None), key=str)])
    free = [v for v in system.state if v.init is None and not any(s.var == v.name for s in system.sums)]
    cells: list[list[Cell | None]] = []
    for v in free:
        for keys in product(*([*everybody[k], EVERYONE_ELSE] for k in v.keys)):
            cells += [[None, *(Cell(v.name, keys, x) for x in values(v.type, pools, everybody))]]
    for params in product(*choices):
        for i, chosen in enumerate(_spread(cells)):
            if i >= pools.starts:
                break
            try:
                yield initial(system, dict(params), [c for c in chosen if c is not None])
            except UnfitError:
                continue


def _spread(cells: list[list[Cell | None]]) -> Iterator[list[Cell | None]]:
    """Choices far from each other, the one without any first; all of them if they are few."""
    total = 1
    for options in cells:
        total *= len(options)
    stride = 1 if total <= 64 else 7919
    for i in range(min(total, 64)):
        number, chosen = (i * stride) % total, []
        for options in cells:
            number, rest = divmod(number, len(options))
            chosen.append(options[rest])
        yield chosen


def explore(system: System, depth: int, pools: Pools = Pools()) -> Found:
    """All runs of up to `depth` allowed steps over the pools, breadth first, as far as `pools.steps` goes."""
    found = Found()
    asked = requests(system, pools)
    level: list[tuple[State, list[Request]]] = []
    seen: set[tuple[object, ...]] = set()

    def visit(state: State, run: list[Request]) -> None:
        key = (tuple(sorted(state.params.items())), *state.cells())
        if key in seen:
            return
        seen.add(key)
        level.append((state, run))
        found.states += 1
        for p in system.properties:
            if p.name not in found.at and p.kind in (*INVARIANTS, PropertyKind.REACHABLE):
                if (evaluate(p.expr, state) is True) == (p.kind is PropertyKind.REACHABLE):
                    found.note(p, len(run), run)

    for state in starts(system, pools):
        visit(state, [])
    budget = pools.steps
    for number in range(1, depth + 1):
        here, level = level, []
        for state, run in here:
            for request in islice(asked, max(0, budget)):
                budget -= 1
                _take(system, state, request, run, number, found, visit)
            if budget <= 0:
                found.complete = False
                return found
    return found


def _take(
    system: System, state: State, request: Request, run: list[Request], number: int, found: Found, visit: object
) -> None:
    action = system.action(request.action)
    result = step(system, state, request)
    allowed = result.decision.effect == Effect.ALLOW.value
    for p in system.properties:
        if p.name in found.at or p.action not in ("", request.action):
            continue
        if p.kind is PropertyKind.ASSERT and evaluate(action.assumed, state, request.inputs) is True:
            if evaluate(p.expr, state, request.inputs) is not True:
                found.note(p, number, [*run, request])
        elif p.kind is PropertyKind.STEP and allowed:
            if evaluate(p.expr, state, request.inputs, after=result.state) is not True:
                found.note(p, number, [*run, request])
    if allowed:
        visit(result.state, [*run, request])  # type: ignore[operator]


def mentions_nobody(system: System) -> bool:
    """Whether the value of an absent option stands anywhere: whom it equals, a search among few cannot tell."""
    roots = [p.expr for p in system.properties] + [v.init for v in system.state if v.init is not None]
    for a in system.actions:
        roots += [*(g.expr for g in a.guards), *(e for w in a.writes for e in (*w.keys, w.value))]
    return any(isinstance(e, Const) and isinstance(e.type, EntityType) and e.value == "" for e in subterms(*roots))


def has_quantifier(system: System) -> bool:
    roots = [g.expr for a in system.actions for g in a.guards] + [w.value for a in system.actions for w in a.writes]
    roots += [p.expr for p in system.properties]
    return any(isinstance(e, Apply) and e.op in (Op.FORALL, Op.EXISTS) for e in subterms(*roots))
