"""Expressions: interned, folded without a change of meaning, and rewritten as a graph."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import BOT, ITEM, STAGE, Env, Shape, environment, exprs, numbers, values

from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
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
    floor_div,
    floor_mod,
    forall,
    free_bounds,
    implies,
    ite,
    le,
    lt,
    matches,
    negate,
    number,
    rebuild,
    refs,
    select,
    string,
    sub,
    substitute,
    subterms,
    total,
    transform,
)
from policydsl.core.system import Input, StateVar, System
from policydsl.core.types import BOOL, INT, STRING, MapType, Scalar, Value
from policydsl.evaluate import MEANING
from policydsl.interp import State, evaluate, initial
from policydsl.trace import Cell

P, Q, R = (Ref(n, BOOL, Space.INPUT) for n in "pqr")
X, Y, Z = (Ref(n, INT, Space.INPUT) for n in "xyz")
B = Ref("b#1", BOT, Space.BOUND)
M = Ref("m", MapType((BOT,), INT), Space.STATE)

STATE = (
    StateVar("m", (BOT,), INT, number(1)),
    StateVar("pair", (ITEM, BOT), INT, ZERO),
    StateVar("boss", (BOT,), BOT, Const("alice", BOT)),
    StateVar("stage", (ITEM,), STAGE, Const("Open", STAGE)),
    StateVar("flag", (), BOOL, TRUE),
)
INPUTS = tuple(Input(n, t) for n, t in (("b", BOT), ("i", ITEM), ("p", BOOL), ("x", INT), ("y", INT), ("s", STRING)))
SYSTEM = System("expr", (), STATE, (), ())
WILD = Shape(quantifiers=2, any_divisor=True)


def env() -> Env:
    return environment(STATE, INPUTS, (), (Const("root", BOT),), WILD)


@st.composite
def moments(draw: st.DrawFn) -> tuple[State, dict[str, Value]]:
    """A state and a request."""
    start = [
        Cell("m", (draw(st.sampled_from(("alice", "bob"))),), draw(numbers)),
        Cell("pair", ("*", "bob"), draw(numbers)),
        Cell("boss", ("bob",), draw(st.sampled_from(("bob", "root", "zoe")))),
        Cell("flag", (), draw(st.booleans())),
    ]
    return initial(SYSTEM, start=start), {i.name: draw(values(i.type)) for i in INPUTS}


def unfolded(data: st.DataObject, root: Expr) -> Expr:
    """`root`, whose folded form is known, written so that there is something to fold."""
    match data.draw(st.sampled_from(("not not", "and true", "or false", "if true", "plus 0", "same", "minus"))):
        case "not not" if root.type == BOOL:
            return Apply(Op.NOT, (Apply(Op.NOT, (root,), BOOL),), BOOL)
        case "and true" if root.type == BOOL:
            return Apply(Op.AND, (TRUE, root, root), BOOL)
        case "or false" if root.type == BOOL:
            return Apply(Op.OR, (root, FALSE, Apply(Op.AND, (root, FALSE), BOOL)), BOOL)
        case "if true":
            return Apply(Op.ITE, (TRUE, root, root), root.type)
        case "plus 0" if root.type == INT:
            return Apply(Op.ADD, (ZERO, root, Apply(Op.ADD, (number(1), number(-1)), INT)), INT)
        case "minus" if root.type == INT:
            return Apply(Op.SUB, (root, Apply(Op.MUL, (number(0), root), INT)), INT)
        case _:
            return root


@settings(max_examples=300, deadline=None)
@given(st.data(), moments())
def test_folding_changes_no_meaning(data: st.DataObject, moment: tuple[State, dict[str, Value]]) -> None:
    """Every operator, applied as it stands and through the smart constructors."""
    state, inputs = moment
    types: tuple[Scalar, ...] = (BOOL, INT, BOT, STAGE)
    type = data.draw(st.sampled_from(types))
    root = data.draw(exprs(type, env(), 3))
    raw: dict[Expr, Expr] = {}
    for e in subterms(root):
        plain: Expr = Apply(e.op, tuple(raw[a] for a in e.args), e.type) if isinstance(e, Apply) else e
        binder = isinstance(e, Ref) and (e.space is Space.BOUND or isinstance(e.type, MapType))
        pattern = isinstance(e, Const) and e.type == STRING
        raw[e] = plain if binder or pattern else unfolded(data, plain)
    folded = transform(raw[root], lambda _: None)
    found = evaluate(folded, state, inputs)
    expected = evaluate(raw[root], state, inputs)
    assert (found, found.__class__) == (expected, expected.__class__)
    assert folded.type == root.type


@settings(max_examples=300, deadline=None)
@given(st.data(), moments())
def test_rebuilding_changes_no_meaning(data: st.DataObject, moment: tuple[State, dict[str, Value]]) -> None:
    state, inputs = moment
    scalars: list[tuple[Op, tuple[Scalar, ...], Scalar]] = [
        (Op.NOT, (BOOL,), BOOL),
        (Op.AND, (BOOL, BOOL, BOOL), BOOL),
        (Op.OR, (BOOL, BOOL, BOOL), BOOL),
        (Op.IMPLIES, (BOOL, BOOL), BOOL),
        (Op.EQ, (BOOL, BOOL), BOOL),
        (Op.EQ, (BOT, BOT), BOOL),
        (Op.ITE, (BOOL, INT, INT), INT),
        (Op.ITE, (BOOL, BOOL, BOOL), BOOL),
        (Op.ADD, (INT, INT, INT), INT),
        *((op, (INT, INT), INT) for op in (Op.SUB, Op.MUL, Op.DIV, Op.MOD, Op.MIN, Op.MAX)),
        (Op.LE, (INT, INT), BOOL),
        (Op.LT, (INT, INT), BOOL),
    ]
    op, types, type = data.draw(st.sampled_from(scalars))
    args = tuple(data.draw(exprs(t, env(), 1)) for t in types)
    if data.draw(st.booleans()) and len(set(types)) == 1:
        args = (args[0],) * len(args)
    raw, built = Apply(op, args, type), rebuild(op, args, type)
    found, expected = evaluate(built, state, inputs), evaluate(raw, state, inputs)
    assert (found, found.__class__) == (expected, expected.__class__)
    assert built.type == type


@settings(max_examples=200, deadline=None)
@given(st.data(), moments())
def test_substituting_is_evaluating_elsewhere(data: st.DataObject, moment: tuple[State, dict[str, Value]]) -> None:
    state, inputs = moment
    root = data.draw(exprs(BOOL, env(), 3))
    image = data.draw(exprs(INT, env(), 2))
    x = Ref("x", INT, Space.INPUT)
    elsewhere = {**inputs, "x": evaluate(image, state, inputs)}
    assert evaluate(substitute(root, {x: image}), state, inputs) is evaluate(root, state, elsewhere)


def test_substitution_is_simultaneous() -> None:
    assert substitute(sub(X, Y), {X: Y, Y: X}) is sub(Y, X)
    assert substitute(X, {}) is X


@given(st.data())
def test_equal_terms_are_one_object(data: st.DataObject) -> None:
    root = data.draw(exprs(BOOL, env(), 3))
    again = pickle.loads(pickle.dumps(root))
    assert again is root
    assert copy.deepcopy(root) is root
    assert len(set(subterms(root))) == len(list(subterms(root)))


def test_constants_of_different_types_are_different() -> None:
    assert Const(True, BOOL) is not Const(1, INT)
    assert Const("Open", STAGE) is not string("Open")
    assert Const("a", BOT) is not Const("a", ITEM)
    assert len({Const(True, BOOL), Const(1, INT)}) == 2


def test_terms_cannot_be_changed() -> None:
    for e, name in ((number(1), "value"), (X, "name"), (add(X, Y), "args")):
        with pytest.raises(AttributeError):
            setattr(e, name, 2)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (negate(negate(P)), P),
        (conj(), TRUE),
        (disj(), FALSE),
        (conj(P, conj(Q, P), TRUE), conj(P, Q)),
        (disj(P, disj(Q, P), FALSE), disj(P, Q)),
        (conj(P, FALSE, Q), FALSE),
        (disj(P, TRUE), TRUE),
        (conj(P, Q, negate(P)), FALSE),
        (disj(negate(P), Q, P), TRUE),
        (implies(TRUE, P), P),
        (implies(P, FALSE), negate(P)),
        (implies(P, P), TRUE),
        (implies(FALSE, P), TRUE),
        (eq(X, X), TRUE),
        (eq(number(1), number(2)), FALSE),
        (eq(P, TRUE), P),
        (eq(FALSE, P), negate(P)),
        (ite(TRUE, X, Y), X),
        (ite(FALSE, X, Y), Y),
        (ite(P, X, X), X),
        (ite(P, TRUE, FALSE), P),
        (ite(P, FALSE, TRUE), negate(P)),
        (add(X, number(1), add(Y, number(2))), add(X, Y, number(3))),
        (add(number(1), number(-1)), ZERO),
        (add(X, ZERO), X),
        (sub(X, number(3)), add(X, number(-3))),
        (sub(X, X), ZERO),
        (arith(Op.MUL, X, ZERO), ZERO),
        (arith(Op.MUL, number(1), X), X),
        (arith(Op.MIN, X, X), X),
        (arith(Op.DIV, number(-7), number(2)), number(-4)),
        (le(X, X), TRUE),
        (lt(X, X), FALSE),
        (le(number(1), number(1)), TRUE),
        (forall(B, TRUE), TRUE),
        (exists(B, FALSE), FALSE),
        (total(B, ZERO), ZERO),
        (select(X), X),
    ],
)
def test_folding(found: Expr, expected: Expr) -> None:
    assert found is expected


@pytest.mark.parametrize("a", range(-7, 8))
@pytest.mark.parametrize("b", range(-3, 4))
def test_division_is_total_and_rounds_down(a: int, b: int) -> None:
    quotient, rest = floor_div(a, b), floor_mod(a, b)
    assert (MEANING[Op.DIV](a, b), MEANING[Op.MOD](a, b)) == (quotient, rest)
    if b > 0:
        assert a == b * quotient + rest
        assert 0 <= rest < b
    else:
        assert (quotient, rest) == (0, 0)


def test_types_of_both_sides_must_agree() -> None:
    with pytest.raises(AssertionError):
        eq(X, P)
    with pytest.raises(AssertionError):
        ite(P, X, Q)
    with pytest.raises(AssertionError):
        select(M, Const("i", ITEM))


def test_what_is_mentioned() -> None:
    c = Ref("c#2", BOT, Space.BOUND)
    body = le(select(M, B), add(X, select(M, c)))
    assert refs(body, space=Space.INPUT) == (X,)
    assert set(refs(body)) == {M, B, c, X}
    assert free_bounds(body) == (B, c)
    assert free_bounds(exists(B, body)) == (c,)
    assert free_bounds(forall(c, exists(B, body))) == ()


@settings(max_examples=100)
@given(st.data())
def test_arguments_come_before_the_terms_that_use_them(data: st.DataObject) -> None:
    seen: set[Expr] = set()
    roots = [data.draw(exprs(BOOL, env(), 3)) for _ in range(2)]
    for e in subterms(*roots):
        assert e not in seen
        assert not isinstance(e, Apply) or seen.issuperset(e.args)
        seen.add(e)
    assert seen.issuperset(roots)


def test_a_shared_graph_is_walked_once() -> None:
    e: Expr = add(X, Y)
    for _ in range(200):
        e = ite(P, e, arith(Op.MAX, e, Z))
    assert len(list(subterms(e))) == 5 + 400
    assert substitute(e, {Z: Z}) is e
    shifted = substitute(e, {X: Y, Y: X})
    assert len(list(subterms(shifted))) == 5 + 400
    assert matches(string("a"), "a").type == BOOL
