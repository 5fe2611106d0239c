"""Formulas about numbers that are known within bounds, against what they say of every number between the bounds."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policydsl.check.estimates import Estimates, InexactError
from policydsl.core.expr import (
    FALSE,
    TRUE,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    add,
    arith,
    conj,
    disj,
    eq,
    exists,
    forall,
    implies,
    ite,
    le,
    lt,
    negate,
    number,
    sub,
    substitute,
    total,
)
from policydsl.core.types import BOOL, INT, EntityType

FLAGS = [Ref(name, BOOL, Space.INPUT) for name in "pq"]
NUMBERS = [Ref(name, INT, Space.INPUT) for name in "lmn"]


def numbers(estimates: list[Expr], depth: int) -> st.SearchStrategy[Expr]:
    leaves = st.one_of(st.sampled_from(estimates), st.sampled_from(NUMBERS), st.integers(-3, 3).map(number))
    if depth == 0:
        return leaves
    part = numbers(estimates, depth - 1)
    return st.one_of(
        leaves,
        st.builds(add, part, part),
        st.builds(sub, part, part),
        st.builds(arith, st.sampled_from([Op.MIN, Op.MAX]), part, part),
        st.builds(arith, st.just(Op.MUL), st.integers(-2, 2).map(number), part),
        st.builds(arith, st.just(Op.MUL), part, st.integers(-2, 2).map(number)),
        st.builds(arith, st.sampled_from([Op.DIV, Op.MOD]), part, st.integers(1, 3).map(number)),
        st.builds(ite, formulas(estimates, depth - 1), part, part),
    )


def formulas(estimates: list[Expr], depth: int) -> st.SearchStrategy[Expr]:
    value = numbers(estimates, depth)
    leaves = st.one_of(st.sampled_from(FLAGS), st.builds(le, value, value), st.builds(lt, value, value))
    leaves = st.one_of(leaves, st.builds(eq, value, value))
    if depth == 0:
        return leaves
    part = formulas(estimates, depth - 1)
    return st.one_of(
        leaves,
        st.builds(negate, part),
        *(st.builds(make, part, part) for make in (conj, disj, implies, eq)),
        st.builds(ite, part, part, part),
    )


def value(e: Expr, where: dict[Expr, Expr]) -> bool | int:
    found = substitute(e, where)
    assert isinstance(found, Const)
    assert not isinstance(found.value, str)
    return found.value


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_the_safe_side_is_safe(data: st.DataObject) -> None:
    estimates = Estimates()
    a, b = estimates.number(number(-1), number(1)), estimates.number(NUMBERS[0], NUMBERS[1])
    e = data.draw(st.one_of(formulas([a, b], 2), numbers([a, b], 2)))
    found = []
    for settle in (estimates.least, estimates.most):
        try:
            found.append(settle(e))
        except InexactError:
            found.append(None)
    least, most = found
    assert not any(s is not None and estimates.among(s) for s in found)
    for p, q, (k, m), n in product((FALSE, TRUE), (FALSE, TRUE), ((0, 0), (-2, 1), (1, 3)), (-1, 2)):
        where: dict[Expr, Expr] = dict(zip((*FLAGS, *NUMBERS), (p, q, number(k), number(m), number(n)), strict=True))
        for i, j in product(range(-1, 2), range(k, m + 1)):
            here = value(e, {**where, a: number(i), b: number(j)})
            assert least is None or value(least, where) <= here
            assert most is None or here <= value(most, where)


def test_every_way_in_which_a_truth_depends_on_a_number_has_a_safe_side() -> None:
    """Which is not trivial: what would hold of the exact number at both bounds does of both."""
    x = Ref("x", EntityType("Bot"), Space.BOUND)
    estimates = Estimates()
    a = estimates.number(number(2), number(5))
    three = number(3)
    for e, least, most in [
        (le(a, three), FALSE, TRUE),
        (le(a, number(5)), TRUE, TRUE),
        (lt(three, a), FALSE, TRUE),
        (negate(le(three, a)), FALSE, TRUE),
        (eq(a, three), FALSE, TRUE),
        (negate(eq(a, number(6))), TRUE, TRUE),
        (eq(le(a, number(5)), lt(a, number(2))), FALSE, FALSE),
        (Apply(Op.ITE, (le(a, three), lt(a, number(9)), le(a, number(5))), BOOL), TRUE, TRUE),
        (forall(x, le(a, three)), FALSE, TRUE),
        (exists(x, le(a, number(5))), TRUE, TRUE),
        (arith(Op.DIV, a, number(2)), number(1), number(2)),
        (sub(number(9), a), number(4), number(7)),
        (arith(Op.MUL, number(-2), a), number(-10), number(-4)),
        (total(x, a), total(x, number(2)), total(x, number(5))),
    ]:
        assert (estimates.least(e), estimates.most(e)) == (least, most), e


@pytest.mark.parametrize(
    "make",
    [
        lambda a: eq(arith(Op.MOD, a, number(2)), number(0)),
        lambda a: arith(Op.DIV, number(9), arith(Op.MAX, number(1), a)),
        lambda a: ite(le(a, number(3)), number(1), number(2)),
    ],
)
def test_what_has_no_safe_side_is_refused(make: object) -> None:
    assert callable(make)
    estimates = Estimates()
    e = make(estimates.number(number(2), number(5)))
    for settle in (estimates.least, estimates.most):
        with pytest.raises(InexactError):
            settle(e)


def test_the_same_number_is_the_same_each_time() -> None:
    estimates = Estimates()
    a, b = (estimates.number(NUMBERS[0], NUMBERS[1]) for _ in range(2))
    assert a is b
    assert estimates.number(NUMBERS[0], NUMBERS[2]) is not a
    assert implies(le(a, number(3)), le(b, number(3))) is TRUE
