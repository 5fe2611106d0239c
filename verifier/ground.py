"""Closed or open core formulas to quantifier-free ones: existentials get names, universals are instantiated by us.

Dropping instances of a universal assumption only makes a formula weaker, so an unsatisfiable result is final; a
satisfiable one may be spurious and is never reported without a replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import TypeAlias

from policydsl.core.expr import (
    FALSE,
    TRUE,
    Apply,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    disj,
    eq,
    free_bounds,
    implies,
    negate,
    rebuild,
    substitute,
    subterms,
    transform,
)
from policydsl.core.types import BOOL, EntityType

QUANTIFIERS = (Op.FORALL, Op.EXISTS)
LOGICAL = (Op.NOT, Op.AND, Op.OR, Op.IMPLIES, Op.ITE)
ROUNDS = 2
"""How often terms that instances bring in may be used for further instances."""
MAX_INSTANCES = 400
"""Instances of one universal formula in one obligation; those beyond are dropped, which is sound."""
MOST_CASES = 6
"""Quantified conditions about bound individuals in one comparison; each doubles it."""


def has_quantifier(e: Expr) -> bool:
    return isinstance(e, Apply) and e.quantified


class Names:
    """Hands out names for individuals: `b!1`, `b!2`, ... in order, so that texts do not depend on anything else."""

    def __init__(self) -> None:
        self._next = 0

    def truth(self) -> Ref:
        """A Boolean that nothing else mentions."""
        self._next += 1
        return Ref(f"holds!{self._next}", BOOL, Space.BOUND)

    def fresh(self, bound: Ref) -> Ref:
        self._next += 1
        # Scripts join formulas that were grounded apart, so a name must not stand for individuals of two sorts.
        return Ref(f"{bound.name.split('#')[0]}:{bound.type}!{self._next}", bound.type, Space.BOUND)


def negation_normal(e: Expr, positive: bool = True) -> Expr:
    """`e` (or its negation) with quantifiers under `and`/`or` only. Parts without quantifiers stay as they are."""
    if not has_quantifier(e):
        return e if positive else negate(e)
    assert isinstance(e, Apply)
    match e.op:
        case Op.NOT:
            return negation_normal(e.args[0], not positive)
        case Op.AND | Op.OR:
            parts = [negation_normal(a, positive) for a in e.args]
            return conj(*parts) if (e.op is Op.AND) == positive else disj(*parts)
        case Op.IMPLIES:
            a, b = negation_normal(e.args[0], not positive), negation_normal(e.args[1], positive)
            return disj(a, b) if positive else conj(a, b)
        case Op.EQ:
            a, b = e.args
            both = conj(implies(a, b), implies(b, a))
            return negation_normal(both, positive)
        case Op.ITE if e.type == BOOL:
            c, a, b = e.args
            return negation_normal(conj(implies(c, a), implies(negate(c), b)), positive)
        case Op.FORALL | Op.EXISTS:
            bound, body = e.args
            op = e.op if positive else (Op.EXISTS if e.op is Op.FORALL else Op.FORALL)
            return rebuild(op, (bound, negation_normal(body, positive)), BOOL)
        case _:
            raise UngroundableError(e)


class UngroundableError(Exception):
    """Too many quantifiers about other bound individuals stand inside a number or a key."""


def _lift(assertion: Expr, names: Names) -> Expr:
    """`assertion` with quantified conditions taken out of numbers and keys: those about bound individuals by cases,
    others named as Booleans."""
    defined: dict[Expr, Expr] = {}

    def named(e: Expr) -> Expr:
        if e not in defined:
            defined[e] = names.truth()
        return defined[e]

    def inside(e: Expr) -> Expr | None:
        return named(e) if isinstance(e, Apply) and e.op in QUANTIFIERS else None

    def twice(e: Expr) -> Expr:
        # What is asked about both ways would double with each level, so it gets a name if it is closed.
        return named(e) if has_quantifier(e) and not free_bounds(e) else go(e)

    def by_cases(e: Expr) -> Expr:
        open_ = _open_conditions(e)
        if len(open_) > MOST_CASES:
            raise UngroundableError(open_[0])
        if not open_:
            return transform(e, inside)
        first = open_[0]
        yes, no = substitute(e, {first: TRUE}), substitute(e, {first: FALSE})
        return go(disj(conj(first, yes), conj(negate(first), no)))

    def go(e: Expr) -> Expr:
        if not isinstance(e, Apply) or not has_quantifier(e):
            return e
        if e.op is Op.ITE and e.type == BOOL:
            return rebuild(e.op, (twice(e.args[0]), go(e.args[1]), go(e.args[2])), BOOL)
        if e.op is Op.EQ and e.args[0].type == BOOL:
            return rebuild(e.op, tuple(map(twice, e.args)), BOOL)
        if e.op in LOGICAL:
            return rebuild(e.op, tuple(map(go, e.args)), BOOL)
        if e.op in QUANTIFIERS:
            return rebuild(e.op, (e.args[0], go(e.args[1])), BOOL)
        return by_cases(e)

    parts = [go(assertion)]
    explained: set[Expr] = set()
    while len(explained) < len(defined):  # an explanation may name further conditions
        for quantified in [q for q in defined if q not in explained]:
            # SOUND: each new name stands for exactly one closed formula, so models correspond one to one.
            parts += [implies(defined[quantified], go(quantified)), implies(go(quantified), defined[quantified])]
            explained.add(quantified)
    return conj(*parts)


def _open_conditions(e: Expr) -> list[Expr]:
    """The outermost quantified formulas in `e` that are about individuals bound outside of `e`."""
    found: dict[Expr, None] = {}
    seen: set[Expr] = set()
    stack = [e]
    while stack:
        part = stack.pop()
        if part in seen or not has_quantifier(part):
            continue
        seen.add(part)
        assert isinstance(part, Apply)
        if part.op not in QUANTIFIERS:
            stack.extend(reversed(part.args))
        elif free_bounds(part):
            found[part] = None
    return list(found)


def skolemise(e: Expr, names: Names) -> Expr:
    """Name the witnesses of existentials that stand under no universal."""
    if not isinstance(e, Apply) or not has_quantifier(e):
        return e
    if e.op is Op.EXISTS:
        bound = e.args[0]
        assert isinstance(bound, Ref)
        return skolemise(substitute(e.args[1], {bound: names.fresh(bound)}), names)
    if e.op in (Op.AND, Op.OR):
        return rebuild(e.op, tuple(skolemise(a, names) for a in e.args), BOOL)
    return e


def individuals(roots: Iterable[Expr]) -> dict[EntityType, list[Expr]]:
    """Terms that name an individual without mentioning a bound one, by sort, in order of appearance."""
    found: dict[EntityType, dict[Expr, None]] = {}
    for root in roots:
        for e in _individuals(root):
            assert isinstance(e.type, EntityType)
            found.setdefault(e.type, {})[e] = None
    return {s: list(terms) for s, terms in found.items()}


@lru_cache(maxsize=1 << 14)
def _individuals(root: Expr) -> tuple[Expr, ...]:
    order = list(subterms(root))
    open_terms: set[Expr] = {e.args[0] for e in order if isinstance(e, Apply) and e.op in QUANTIFIERS}
    found: list[Expr] = []
    for e in order:
        if open_terms and isinstance(e, Apply) and not open_terms.isdisjoint(e.args):
            open_terms.add(e)
        elif isinstance(e.type, EntityType) and e not in open_terms and _names_one(e):
            found.append(e)
    return tuple(found)


def _names_one(e: Expr) -> bool:
    return not isinstance(e, Apply) or e.op is Op.SELECT


Instances: TypeAlias = dict[tuple[Expr, ...], Expr]
"""Universal formulas and individuals to what the formulas say of them, with Skolem names of their own."""


def _instantiate(e: Expr, terms: dict[EntityType, list[Expr]], names: Names, known: Instances) -> Expr:
    if not isinstance(e, Apply) or not has_quantifier(e):
        return e
    if e.op in (Op.AND, Op.OR):
        return rebuild(e.op, tuple(_instantiate(a, terms, names, known) for a in e.args), BOOL)
    assert e.op is Op.FORALL, e
    bounds: list[Ref] = []
    body: Expr = e
    while isinstance(body, Apply) and body.op is Op.FORALL:
        bound = body.args[0]
        assert isinstance(bound, Ref)
        bounds.append(bound)
        body = body.args[1]
    pools = [terms.get(b.type) or [_anybody(b.type)] for b in bounds if isinstance(b.type, EntityType)]
    instances: list[Expr] = []
    for choice in product(*pools):
        if len(instances) >= MAX_INSTANCES:
            break
        instance = known.get((e, *choice))
        if instance is None:
            instance = skolemise(substitute(body, dict(zip(bounds, choice, strict=True))), names)
            known[e, *choice] = instance
        instances.append(_instantiate(instance, terms, names, known))
    return conj(*instances)


def _anybody(type: EntityType) -> Expr:
    return Ref(f"some {type.name}", type, Space.BOUND)


def ground(assertions: Sequence[Expr], rounds: int = ROUNDS, *, strict: bool = False) -> list[Expr]:
    """For each assertion a quantifier-free formula it implies: if they are unsatisfiable, so are the assertions.

    One that has too many cases is left out, or raises `UngroundableError` if `strict`.
    """
    if not any(map(has_quantifier, assertions)):
        return list(assertions)
    names = Names()
    closed = [_closed(a, names, strict=strict) for a in assertions]
    result = closed
    terms = individuals(closed)
    known: Instances = {}
    for _ in range(rounds):
        # SOUND: each instance of a universal is implied by it; its Skolem names are its own, in all rounds the same.
        result = [_instantiate(a, terms, names, known) for a in closed]
        grown = individuals(result)
        if all(set(grown.get(s, ())) <= set(terms.get(s, ())) for s in grown):
            break
        terms = {s: _merge(terms.get(s, []), grown.get(s, [])) for s in {**terms, **grown}}
    return result


def _closed(assertion: Expr, names: Names, *, strict: bool) -> Expr:
    try:
        return skolemise(negation_normal(_lift(assertion, names)), names)
    except UngroundableError:
        if strict:
            raise
        # SOUND: without one of its assertions a script is only easier to satisfy.
        return TRUE


def _merge(old: list[Expr], new: list[Expr]) -> list[Expr]:
    return list(dict.fromkeys([*old, *(t for t in new if "!" not in getattr(t, "name", ""))]))


def distinct(terms: Sequence[Expr]) -> Expr:
    """That terms of one sort name different individuals."""
    return conj(*(negate(eq(a, b)) for i, a in enumerate(terms) for b in terms[i + 1 :] if a.type == b.type))
