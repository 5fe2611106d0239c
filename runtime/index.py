"""Many conditions become a decision tree over what they compare with constants: a leaf has those that can hold.

`discriminate` is for whoever asks many conditions of one request, the rules of an action, say: instead of all, one asks
those of the leaf that `leaf_of` finds. Individuals are told apart by their names, as everywhere at run time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from policydsl.core.expr import FALSE, Apply, Const, Expr, Op, Ref, Space, negate, transform, truth
from policydsl.core.types import BOOL, BoolType, EnumType, MapType, Value

SPREAD = 4
"""A tree has at most this many times as many entries in its leaves as there are conditions."""
FEW = 2
"""So many conditions are as quickly asked as told apart."""
WORTH = 0.75
"""A branch is made when at most this share of the conditions is left in its cases, on average."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """The conditions that may hold here, in order: the number of each, and what remains of it, given the path.

    What cannot hold is left out; what certainly holds remains as TRUE."""

    conditions: tuple[tuple[int, Expr], ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """Go on with the case of the value of `term`, or with `other` when there is none for it.

    `term` is a scalar that mentions no bound individual, and its cases are of its type."""

    term: Expr
    cases: Mapping[Value, Tree]
    other: Tree


Tree: TypeAlias = Leaf | Branch


def discriminate(conditions: Sequence[Expr], spread: int = SPREAD) -> Tree:
    """A tree such that, whatever values the terms have, a condition holds exactly if it is among those of the leaf that
    these values lead to, and what remains of it there holds.

    Leaves have at most `spread` entries for each condition, empty leaves counted as one.
    """
    left = tuple((i, c) for i, c in enumerate(conditions) if c is not FALSE)
    return _tree(left, spread * max(1, len(left)))


def leaf_of(tree: Tree, value: Callable[[Expr], Value]) -> Leaf:
    """The leaf to which the values of terms lead."""
    while isinstance(tree, Branch):
        tree = tree.cases.get(value(tree.term), tree.other)
    return tree


def leaves(tree: Tree) -> Iterator[Leaf]:
    """All leaves."""
    if isinstance(tree, Leaf):
        yield tree
    else:
        for below in (*tree.cases.values(), tree.other):
            yield from leaves(below)


_Left: TypeAlias = tuple[tuple[int, Expr], ...]


def _tree(left: _Left, room: int) -> Tree:
    term = _best(left, room) if len(left) > FEW else None
    if term is None:
        return Leaf(left)
    values = _values(term, [t for _, c in left if (t := _tests(c).get(term)) is not None])
    parts = {v: _given(left, term, v) for v in values}
    rest = () if _exhausted(term, values) else _beside(left, term, values)
    total = sum(max(1, len(p)) for p in (*parts.values(), rest))
    # What is left of the room is shared out, so that the bound holds for the whole tree.
    cases = {v: _tree(p, room * max(1, len(p)) // total) for v, p in parts.items()}
    return Branch(term, cases, _tree(rest, room * max(1, len(rest)) // total))


def _values(term: Expr, tests: Sequence[_Test]) -> list[Value]:
    if term.type == BOOL:
        return [False, True]
    return sorted(set[Value]().union(*(t.values for t in tests)))


def _exhausted(term: Expr, values: Sequence[Value]) -> bool:
    return term.type == BOOL or (isinstance(term.type, EnumType) and len(values) == len(term.type.cases))


def _best(left: _Left, room: int) -> Expr | None:
    """The term to branch on that leaves the fewest conditions on average; None if none is worth it."""
    about: dict[Expr, list[_Test]] = {}
    for _, condition in left:
        for term, test in _tests(condition).items():
            about.setdefault(term, []).append(test)
    best, least = None, WORTH * len(left)
    for term, tests in about.items():
        anywhere = len(left) - len(tests) + sum(not t.among for t in tests)
        inside: Counter[Value] = Counter()
        for t in tests:
            inside.update(dict.fromkeys(t.values, 1 if t.among else -1))
        values = _values(term, tests)
        sizes = [anywhere + inside[v] for v in values] + ([] if _exhausted(term, values) else [anywhere])
        mean = sum(sizes) / len(sizes)
        # What is left may be less than counted here, never more.
        if mean < least and sum(max(1, n) for n in sizes) + 1 <= room:
            best, least = term, mean
    return best


@dataclass(frozen=True, slots=True)
class _Test:
    """A term must be among `values`, or must not."""

    values: frozenset[Value]
    among: bool

    def both(self, other: _Test) -> _Test:
        match self.among, other.among:
            case True, True:
                return _Test(self.values & other.values, True)
            case True, False:
                return _Test(self.values - other.values, True)
            case False, True:
                return _Test(other.values - self.values, True)
            case _:
                return _Test(self.values | other.values, False)


@lru_cache(maxsize=1 << 14)
def _tests(condition: Expr) -> Mapping[Expr, _Test]:
    """What terms must be for `condition` to hold, as far as one can see."""
    found: dict[Expr, _Test] = {}
    for part in _conjuncts(condition):
        named = _test(part)
        if named is not None:
            term, test = named
            found[term] = found[term].both(test) if term in found else test
    return found


def _conjuncts(e: Expr) -> Iterator[Expr]:
    match e:
        case Apply(op=Op.AND, args=parts):
            for part in parts:
                yield from _conjuncts(part)
        case Apply(op=Op.NOT, args=(Apply(op=Op.OR, args=parts),)):
            for part in parts:
                yield from _conjuncts(negate(part))
        case Apply(op=Op.NOT, args=(Apply(op=Op.IMPLIES, args=(a, b)),)):
            yield from _conjuncts(a)
            yield from _conjuncts(negate(b))
        case _:
            yield e


def _test(e: Expr) -> tuple[Expr, _Test] | None:
    match e:
        case Apply(op=Op.EQ, args=(term, Const(value=v)) | (Const(value=v), term)) if _splits(term):
            return term, _Test(frozenset((v,)), True)
        case Apply(op=Op.NOT, args=(inner,)):
            named = _test(inner)
            return named and (named[0], _Test(named[1].values, not named[1].among))
        case Apply(op=Op.OR | Op.AND, args=parts):
            tests = [_test(p) for p in parts]
            first = tests[0]
            alike = first is not None and all(t is not None and t[0] is first[0] for t in tests)
            if first is None or not alike or first[0].type == BOOL:
                return None
            among = e.op is Op.OR
            every = [t[1] for t in tests if t is not None and t[1].among is among]
            if len(every) < len(tests):
                return None
            return first[0], _Test(frozenset().union(*(t.values for t in every)), among)
        case Ref() | Apply() if e.type == BOOL and _splits(e):
            return e, _Test(frozenset((True,)), True)
        case _:
            return None


def _splits(term: Expr) -> bool:
    match term:
        case Ref():
            return term.space is not Space.BOUND and not isinstance(term.type, MapType)
        case Apply():
            return not term.bound and term.op not in (Op.IMPLIES, Op.NOT, Op.AND, Op.OR)
        case _:
            return False


def _given(left: _Left, term: Expr, value: Value) -> _Left:
    """What remains of the conditions when `term` has this value."""
    alone = isinstance(term.type, BoolType)

    def leaf(e: Expr) -> Expr | None:
        if e is term:
            # A number or name stays as it is: in other places than comparisons it gains nothing to know it.
            return truth(value is True) if alone else e
        match e:
            case Apply(op=Op.EQ | Op.LE | Op.LT, args=(a, Const(value=v))) if a is term:
                return truth(_holds(e.op, value, v))
            case Apply(op=Op.EQ | Op.LE | Op.LT, args=(Const(value=v), a)) if a is term:
                return truth(_holds(e.op, v, value))
            case _:
                return None

    return _simplified(left, term, leaf, value)


def _holds(op: Op, a: Value, b: Value) -> bool:
    # SOUND: what is compared here are the values that are there at run time, so names that differ are individuals that
    # differ, `NOBODY` too.
    if op is Op.EQ:
        return a == b
    assert not isinstance(a, str)
    assert not isinstance(b, str)
    return a <= b if op is Op.LE else a < b


def _beside(left: _Left, term: Expr, values: Sequence[Value]) -> _Left:
    """What remains of the conditions when `term` has none of these values."""
    known = frozenset(values)

    def leaf(e: Expr) -> Expr | None:
        match e:
            case Apply(op=Op.EQ, args=(a, Const(value=v)) | (Const(value=v), a)) if a is term and v in known:
                return FALSE
            case _:
                return None

    return _simplified(left, term, leaf, None)


def _simplified(left: _Left, term: Expr, leaf: Callable[[Expr], Expr | None], value: Value | None) -> _Left:
    memo: dict[Expr, Expr] = {}
    found = []
    for i, condition in left:
        test = _tests(condition).get(term)
        if test is not None and (value in test.values) is not test.among:
            continue
        remains = transform(condition, leaf, memo)
        if remains is not FALSE:
            found.append((i, remains))
    return tuple(found)
