"""Formulas made readable: they say the same, and read as people would have written them."""

from __future__ import annotations

import pytest
from checked import program
from hypothesis import given, settings
from hypothesis import strategies as st

from policydsl.core.expr import Expr, Op, Ref, Space, add, arith, conj, disj, eq, forall, le, lt, negate, number, sub
from policydsl.core.types import BOOL, INT, EntityType
from policydsl.interp import evaluate, initial
from policydsl.tidy import tidy
from policydsl.to_words import words
from policydsl.trace import Cell

X, Y, Z = (Ref(n, INT, Space.STATE) for n in "xyz")
B, B2 = (Ref(n, EntityType("Bot"), Space.BOUND) for n in "bc")
P, Q = (Ref(n, BOOL, Space.STATE) for n in "pq")


def times(n: int, e: Expr) -> Expr:
    return arith(Op.MUL, number(n), e)


@pytest.mark.parametrize(
    ("found", "read"),
    [
        (disj(negate(P), Q), "p implies q"),
        (disj(negate(P), negate(Q)), "not p or not q"),
        (disj(negate(eq(X, Y)), P, negate(Q)), "x == y and q implies p"),
        (disj(negate(le(X, Y)), P), "y < x or p"),
        (lt(number(1), add(X, times(-1, Y))), "x >= y + 2"),
        (negate(le(number(1), add(X, times(-1, Y)))), "x <= y"),
        (lt(number(-86_400_001), sub(X, Y)), "y <= x + 86_400_000"),
        (lt(number(-1), sub(X, Y)), "y <= x"),
        (lt(number(0), sub(X, Y)), "y < x"),
        (lt(number(1), times(-3, X)), "3 * x <= -2"),
        (lt(number(0), times(-1, X)), "x < 0"),
        (negate(lt(X, number(1))), "x > 0"),
        (negate(lt(X, number(5))), "x >= 5"),
        (lt(add(X, number(3)), add(X, number(2))), "false"),
        (le(add(X, Y), add(Y, X, number(1))), "true"),
        (le(add(times(2, X), times(-5, Y), times(-5, Z)), number(0)), "2 * x <= 5 * y + 5 * z"),
        (forall(B, disj(negate(eq(B, B2)), lt(number(1), X))), "forall b: Bot . b == c implies x >= 2"),
        (conj(negate(disj(P, lt(X, times(-1, Y)))), Q), "not (p or x + y < 0) and q"),
    ],
)
def test_what_a_solver_finds_is_written_as_people_would(found: Expr, read: str) -> None:
    assert words(tidy(found)) == read


def numbers(depth: int = 3) -> st.SearchStrategy[Expr]:
    leaves = st.one_of(st.sampled_from([X, Y, Z]), st.integers(-3, 3).map(number))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(add, inner, inner), st.builds(sub, inner, inner), st.builds(times, st.integers(-3, 3), inner)
        ),
        max_leaves=depth * 3,
    )


def truths() -> st.SearchStrategy[Expr]:
    compared = st.one_of(st.builds(le, numbers(), numbers()), st.builds(lt, numbers(), numbers()))
    return st.recursive(
        st.one_of(compared, st.sampled_from([P, Q]), st.builds(eq, numbers(), numbers())),
        lambda inner: st.one_of(st.builds(conj, inner, inner), st.builds(disj, inner, inner), inner.map(negate)),
        max_leaves=6,
    )


NAMED = "".join(f"state {n}: Int = any\n" for n in "xyz") + "state p: Bool = any\nstate q: Bool = any\naction go() { }"
SYSTEM = program(NAMED).system


@settings(max_examples=500, deadline=None)
@given(truths(), st.tuples(*[st.integers(-6, 6)] * 3), st.tuples(st.booleans(), st.booleans()))
def test_arithmetic_and_logic_say_the_same(e: Expr, ints: tuple[int, ...], bools: tuple[bool, ...]) -> None:
    values = dict(zip("xyzpq", (*ints, *bools), strict=True))
    state = initial(SYSTEM, start=[Cell(n, (), v) for n, v in values.items()])
    assert evaluate(tidy(e), state) is evaluate(e, state)
