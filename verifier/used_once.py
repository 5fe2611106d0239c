"""Things that are used once to lemmas that are likely, and a claim to those of them that make it inductive.

`require not used[t]` with `used[t] := true` makes `t` fresh: nothing refers to it yet, nobody else ever will, and
nothing is kept for it. Proofs about fresh things rest on that, and tracking the cells of a few does not find it: the
lemmas are about others than those that the claim speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from policydsl.core.expr import (
    FALSE,
    TRUE,
    Const,
    Expr,
    Ref,
    Space,
    conj,
    eq,
    forall,
    implies,
    negate,
    select,
    subterms,
)
from policydsl.core.system import Origin, StateVar, System
from policydsl.core.types import BOOL, EntityType
from verifier.induction import Obligation
from verifier.joint import Inductive, inductive
from verifier.solve import Answer


def with_fresh_things(
    system: System, name: str, goal: Expr, known: Sequence[Expr], discharge: Callable[[Obligation], Answer]
) -> tuple[tuple[Expr, ...], tuple[Obligation, ...]] | None:
    """Lemmas with which `goal` is inductive, given invariants `known`, and the obligations that say so, discharged."""
    lemmas = dict(likely(system))
    given = {f"known {i}": e for i, e in enumerate(known)}
    found = _found(system, lemmas, name, goal, given, discharge)
    if not lemmas or found is None:
        return None
    lemmas = {n: e for n, e in lemmas.items() if n in found}
    for left_out in tuple(lemmas):
        fewer = {n: e for n, e in lemmas.items() if n != left_out}
        again = _found(system, fewer, name, goal, given, discharge)
        if again is not None:
            lemmas, found = {n: e for n, e in fewer.items() if n in again}, again
    # SOUND: all that `inductive` found rests on `known` and on one another; nothing that it rests on is left out.
    obligations = dict.fromkeys(o for n in (name, *lemmas) for o in found[n].obligations)
    return tuple(lemmas.values()), tuple(obligations)


def _found(
    system: System,
    lemmas: Mapping[str, Expr],
    name: str,
    goal: Expr,
    given: Mapping[str, Expr],
    discharge: Callable[[Obligation], Answer],
) -> Inductive | None:
    """What of `lemmas` and `goal` is inductive together, if `goal` is."""
    if not lemmas:
        return None
    found = inductive(system, [*lemmas.items(), (name, goal)], given, discharge)
    return found if name in found else None


@lru_cache(maxsize=16)
def likely(system: System) -> tuple[tuple[str, Expr], ...]:
    """Closed formulas with names; nothing says that any of them holds."""
    return tuple((n, e) for flag in system.state if _is_mark(system, flag) for n, e in _about(system, flag))


def _is_mark(system: System, flag: StateVar) -> bool:
    """Whether `flag` says of single things that they were used: it is only ever raised, once where it was down."""
    if flag.type != BOOL or len(flag.keys) != 1 or flag.init is not FALSE:
        return False
    writes = [(a, w) for a in system.actions for w in a.writes if w.var == flag.name]
    asked = [set(subterms(*(g.expr for g in a.guards))) for a, _ in writes]
    once = [negate(select(flag.ref, *w.keys)) in terms for (_, w), terms in zip(writes, asked, strict=True)]
    return all(w.value is TRUE for _, w in writes) and any(once)


def _about(system: System, flag: StateVar) -> Iterator[tuple[str, Expr]]:
    (sort,) = flag.keys
    variables = {v.name: v for v in system.state}
    for v in system.state:
        if v is flag or v.origin not in (Origin.DECLARED, Origin.GHOST):
            continue
        option = variables.get(f"{v.name.removesuffix('.value')}.has") if v.name.endswith(".value") else None
        if option is None:
            yield from _kept_for(v, flag, sort)
        elif v.type == sort:
            yield from _referring(option, v, flag, sort)


def _kept_for(v: StateVar, flag: StateVar, sort: EntityType) -> Iterator[tuple[str, Expr]]:
    """Nothing is kept in `v` for what was not used."""
    keys = _keys(v)
    for i, key in enumerate(keys):
        if key.type == sort and isinstance(v.init, Const):
            formula = implies(negate(eq(select(v.ref, *keys), v.init)), select(flag.ref, key))
            yield f"{v.name} of used ones ({flag.name} {i})", _closed(keys, formula)


def _referring(option: StateVar, value: StateVar, flag: StateVar, sort: EntityType) -> Iterator[tuple[str, Expr]]:
    """What `value` refers to was used, and by one at a time."""
    keys, it = _keys(value), Ref("x#used", sort, Space.BOUND)

    def refers(by: tuple[Ref, ...]) -> Expr:
        has, what = (select(v.ref, *by) if by else v.ref for v in (option, value))
        return conj(has, eq(what, it))

    used = _closed((*keys, it), implies(refers(keys), select(flag.ref, it)))
    yield f"{value.name} is used ({flag.name})", used
    if len(keys) == 1:
        other = Ref("y#used", keys[0].type, Space.BOUND)
        once = implies(conj(refers(keys), refers((other,))), eq(keys[0], other))
        yield f"{value.name} is used once", _closed((*keys, other, it), once)


def _keys(v: StateVar) -> tuple[Ref, ...]:
    return tuple(Ref(f"{chr(ord('a') + i)}#used", k, Space.BOUND) for i, k in enumerate(v.keys))


def _closed(bounds: tuple[Ref, ...], body: Expr) -> Expr:
    for bound in reversed(bounds):
        body = forall(bound, body)
    return body
