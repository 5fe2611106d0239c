"""A claim to a lemma made of guesses: what excludes what, what comes with what, and of what there is only one.

Spacer generalises from few distinguished individuals; where more take part, such a lemma is often one of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import TypeVar

from policydsl.core.after import reads
from policydsl.core.expr import Expr, Ref, Space, conj, eq, forall, implies, negate, select
from policydsl.core.system import StateVar, System
from policydsl.core.types import BoolType
from verifier.bounded import Goal, Limits, Searcher
from verifier.finite import fewest
from verifier.induction import entails_obligation, init_obligation, near, step_obligation
from verifier.parts import alone
from verifier.solve import Answer, with_z3

T = TypeVar("T")

FAR = 4
"""How many steps away from a claim variables still decide it."""
MOST_VARIABLES = 6
MOST_GUESSES = 120
LIMITS = Limits(depth=4, rlimit=300_000, total=3_000_000)
"""How far to look for runs that show a guess to be wrong."""
RLIMIT = 300_000


@dataclass(frozen=True, slots=True)
class _Guess:
    """`formula` is implied by any of the same `about` whose `shared` are fewer."""

    formula: Expr
    about: tuple[str, ...]
    shared: frozenset[object]


def guess(system: System, goal: Expr, known: Sequence[Expr]) -> list[Expr] | None:
    """Guesses that are inductive together with `known` and imply `goal`, if all that decides is flags.

    One solver has said so; nothing is proved before both have.
    """
    names = reads(goal)
    for _ in range(FAR):
        names = near(system, names)
    variables = [v for v in system.state if v.name in names]
    if len(variables) > MOST_VARIABLES or not all(isinstance(v.type, BoolType) for v in variables):
        return None
    for kept in _attempts(system, tuple(variables)):
        formulas = [g.formula for g in kept]
        if _follows(system, goal, [*formulas, *known]):
            strongest = [g.formula for g in _strongest(kept)]
            enough = _follows(system, goal, [*strongest, *known]) and _all_kept(system, strongest, known)
            return _fewest(system, goal, strongest if enough else formulas, known)
    return None


@lru_cache(maxsize=8)
def _attempts(system: System, variables: tuple[StateVar, ...]) -> tuple[tuple[_Guess, ...], ...]:
    """Guesses that are inductive together: of the strongest, and of all."""
    every = list({g.formula: g for g in _guesses(variables)}.values())
    if len(every) > MOST_GUESSES:
        return ()
    likely = _not_refuted(system, every)
    return tuple(_inductive(system, some) for some in (_strongest(likely), likely))


def _strongest(guesses: Sequence[_Guess]) -> list[_Guess]:
    return [g for g in guesses if not any(o.about == g.about and o.shared < g.shared for o in guesses)]


def _guesses(variables: Sequence[StateVar]) -> Iterator[_Guess]:
    for v in variables:
        for shared in _subsets(range(len(v.keys))):
            if len(shared) < len(v.keys):
                yield _Guess(_unique(v, shared), ("one", v.name), frozenset(shared))
    for a, b in combinations(variables, 2):
        for pairs in _alignments(a, b):
            here, there = _individuals(a, b, pairs)
            both = conj(select(a.ref, *here), select(b.ref, *there))
            yield _Guess(_closed([*here, *there], negate(both)), ("not both", a.name, b.name), frozenset(pairs))
            for one, other, keys, rest in ((a, b, here, there), (b, a, there, here)):
                if set(rest) <= set(keys):
                    formula = implies(select(one.ref, *keys), select(other.ref, *rest))
                    yield _Guess(
                        _closed(keys, formula), ("comes with", one.name, other.name, *map(str, pairs)), frozenset()
                    )


def _unique(v: StateVar, shared: frozenset[int]) -> Expr:
    """Of all that agree in the keys `shared`, the flag is set for one only."""
    here = [Ref(f"x{i}", sort, Space.BOUND) for i, sort in enumerate(v.keys)]
    there = [x if i in shared else Ref(f"y{i}", x.type, Space.BOUND) for i, x in enumerate(here)]
    same = conj(*(eq(x, y) for x, y in zip(here, there, strict=True)))
    return _closed([*here, *there], implies(conj(select(v.ref, *here), select(v.ref, *there)), same))


def _individuals(a: StateVar, b: StateVar, pairs: Sequence[tuple[int, int]]) -> tuple[list[Ref], list[Ref]]:
    here = [Ref(f"x{i}", sort, Space.BOUND) for i, sort in enumerate(a.keys)]
    same = {j: here[i] for i, j in pairs}
    return here, [same.get(j) or Ref(f"y{j}", sort, Space.BOUND) for j, sort in enumerate(b.keys)]


def _alignments(a: StateVar, b: StateVar) -> Iterator[tuple[tuple[int, int], ...]]:
    """Ways in which keys of the one are keys of the other."""
    possible = [(i, j) for i, x in enumerate(a.keys) for j, y in enumerate(b.keys) if x == y]
    for chosen in _subsets(possible):
        if len({i for i, _ in chosen}) == len(chosen) == len({j for _, j in chosen}):
            yield tuple(p for p in possible if p in chosen)


def _subsets(items: Sequence[T]) -> list[frozenset[T]]:
    return [frozenset(s) for n in range(len(items) + 1) for s in combinations(items, n)]


def _closed(individuals: Sequence[Ref], body: Expr) -> Expr:
    for x in reversed(list(dict.fromkeys(individuals))):
        body = forall(x, body)
    return body


def _not_refuted(system: System, candidates: Sequence[_Guess]) -> list[_Guess]:
    """Those that no short run among few breaks."""
    part = alone(system)
    goals = [Goal(f"guess {i}", negate(c.formula)) for i, c in enumerate(candidates)]
    searcher = Searcher(part, goals, LIMITS, people=fewest(part, [g.formula for g in goals]))
    searcher.look(LIMITS.depth)
    return [c for g, c in zip(goals, candidates, strict=True) if g.name not in searcher.result.found]


def _inductive(system: System, candidates: Sequence[_Guess]) -> tuple[_Guess, ...]:
    """The most of them that are inductive together."""
    kept = [g for g in candidates if with_z3(init_obligation(system, "", g.formula).text, RLIMIT) is Answer.UNSAT]
    while True:
        rest = [g for g in kept if _is_kept(system, g.formula, [o.formula for o in kept if o is not g])]
        if len(rest) == len(kept):
            return tuple(kept)
        kept = rest


def _is_kept(system: System, c: Expr, given: Sequence[Expr]) -> bool:
    step = step_obligation(system, "", c, given)
    return step is None or with_z3(step.text, RLIMIT) is Answer.UNSAT


def _follows(system: System, goal: Expr, given: Sequence[Expr]) -> bool:
    return with_z3(entails_obligation(system, "", given, goal).text, RLIMIT) is Answer.UNSAT


def _fewest(system: System, goal: Expr, kept: Sequence[Expr], known: Sequence[Expr]) -> list[Expr]:
    """As few of `kept` as are inductive and still imply `goal`; the weakest go first."""
    result = list(kept)
    for c in reversed(kept):
        rest = [o for o in result if o is not c]
        if _follows(system, goal, [*rest, *known]) and _all_kept(system, rest, known):
            result = rest
    return result


def _all_kept(system: System, formulas: Sequence[Expr], known: Sequence[Expr]) -> bool:
    return all(_is_kept(system, f, [*(o for o in formulas if o is not f), *known]) for f in formulas)
