"""The decision tree over conditions: what it leaves out does not hold, and what it leaves is worth what it was."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policydsl.core.expr import (
    FALSE,
    TRUE,
    Const,
    Expr,
    Ref,
    Space,
    case,
    conj,
    disj,
    eq,
    exists,
    implies,
    le,
    lt,
    matches,
    negate,
    number,
    select,
    string,
)
from policydsl.core.system import Input, StateVar
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType, Value
from policydsl.evaluate import evaluate
from policydsl.interp import State, initial, step
from runtime import index
from runtime.index import Branch, Leaf, discriminate, leaf_of, leaves
from tests.small_rules import NOWHERE
from tests.small_rules import conditions as small
from tests.strategies import BOT, requests, systems

ROLE = EnumType("Role", ("Admin", "Member", "Guest"))
WHO, NAME, LEVEL, NIGHT, WORD = (
    Input(n, t).ref for n, t in (("who", BOT), ("role", ROLE), ("level", INT), ("night", BOOL), ("word", STRING))
)
NAMES, TEXTS = ("", "ann", "bob"), ("", "a", "*")


def compare(state: State, conditions: Sequence[Expr], inputs: dict[str, Value]) -> None:
    leaf = leaf_of(discriminate(conditions), lambda e: evaluate(e, state, inputs))
    remains = dict(leaf.conditions)
    assert list(remains) == sorted(remains)
    for i, condition in enumerate(conditions):
        assert evaluate(remains.get(i, FALSE), state, inputs) is evaluate(condition, state, inputs)


atoms = st.one_of(
    st.builds(lambda n: eq(WHO, Const(n, BOT)), st.sampled_from(NAMES)),
    st.builds(lambda n: eq(Const(n, BOT), WHO), st.sampled_from(NAMES)),
    st.builds(lambda c: eq(NAME, case(ROLE, c)), st.sampled_from(ROLE.cases)),
    st.builds(lambda n: eq(LEVEL, number(n)), st.integers(-1, 2)),
    st.builds(lambda n: lt(number(n), LEVEL), st.integers(-1, 2)),
    st.builds(lambda n: le(LEVEL, number(n)), st.integers(-1, 2)),
    st.builds(lambda t: eq(WORD, string(t)), st.sampled_from(TEXTS)),
    st.builds(lambda p: matches(WORD, p), st.sampled_from(("a.*", ".*b"))),
    st.just(NIGHT),
    st.just(eq(eq(NIGHT, le(LEVEL, number(0))), eq(NAME, case(ROLE, "Guest")))),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        inner.map(negate),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: conj(*p)),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: disj(*p)),
        st.tuples(inner, inner).map(lambda p: implies(*p)),
    ),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(conditions | small, max_size=12),
    st.fixed_dictionaries({
        "who": st.sampled_from((*NAMES, "eve")),
        "role": st.sampled_from(ROLE.cases),
        "level": st.integers(-2, 3),
        "night": st.booleans(),
        "word": st.sampled_from((*TEXTS, "ab", "b")),
    }),
)  # fmt: skip
def test_what_remains_is_worth_what_it_was(asked: list[Expr], inputs: dict[str, Value]) -> None:
    compare(NOWHERE, asked, inputs)


def literals(term: Expr, values: Sequence[Const]) -> st.SearchStrategy[Expr]:
    """What a term is or is not, said in several ways."""
    one = st.sampled_from(values).map(lambda c: eq(term, c))
    some = st.lists(one, min_size=1, max_size=3)
    no = some.map(lambda p: [negate(e) for e in p])
    parts = st.one_of(some, no, st.tuples(one, one.map(negate)))
    return st.one_of(
        parts.map(lambda p: disj(*p)), parts.map(lambda p: conj(*p)), parts.map(lambda p: negate(conj(*p)))
    )


about = st.lists(
    literals(LEVEL, [number(n) for n in range(3)]) | literals(WHO, [Const(n, BOT) for n in NAMES]),
    min_size=1,
    max_size=4,
).map(lambda parts: conj(*parts))


@settings(max_examples=250, deadline=None)
@given(st.lists(about, min_size=3, max_size=9))
def test_what_terms_are_and_are_not(asked: list[Expr]) -> None:
    for who in (*NAMES, "eve"):
        for level in range(4):
            compare(NOWHERE, asked, {"who": who, "level": level})


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_conditions_on_a_state(data: st.DataObject) -> None:
    system = data.draw(systems())
    state = initial(system)
    for request in data.draw(requests(system)):
        state = step(system, state, request).state
    for request in data.draw(requests(system)):
        action = system.action(request.action)
        asked = [c for g in action.guards for c in (g.expr, negate(g.expr))] * 2
        compare(state, asked, dict(request.inputs))


@settings(max_examples=200, deadline=None)
@given(st.lists(conditions, max_size=30), st.integers(1, 6))
def test_a_tree_is_not_much_larger_than_its_conditions(asked: list[Expr], spread: int) -> None:
    sizes = [len(leaf.conditions) for leaf in leaves(discriminate(asked, spread))]
    assert sum(max(1, n) for n in sizes) <= spread * max(1, len(asked))


ACTIONS = EnumType("Act", tuple("abcdefghij"))
CHANNELS = EnumType("Channel", tuple("klmnopqrst"))
ACT, CHANNEL = Input("act", ACTIONS).ref, Input("channel", CHANNELS).ref


def rules(count: int) -> list[Expr]:
    return [
        conj(
            eq(NAME, case(ROLE, ROLE.cases[i % 3])),
            eq(ACT, case(ACTIONS, ACTIONS.cases[i // 3 % 10])),
            le(LEVEL, number(i)),
            disj(*(eq(CHANNEL, case(CHANNELS, CHANNELS.cases[(i // 30 + k) % 10])) for k in range(3))),
        )
        for i in range(count)
    ]


def test_rules_that_differ_in_what_they_compare_are_told_apart() -> None:
    tree = discriminate(rules(300))
    assert isinstance(tree, Branch)
    sizes = [len(leaf.conditions) for leaf in leaves(tree)]
    assert max(sizes) <= 10
    assert sum(sizes) <= 4 * 300
    leaf = leaf_of(tree, {NAME: "Admin", ACT: "a", CHANNEL: "k", LEVEL: 0}.__getitem__)
    # Of rules 0, 30, 60, ..., those that name the channel; nothing remains to be asked but the level.
    assert leaf == Leaf(tuple((i, le(LEVEL, number(i))) for i in (0, 240, 270)))


def test_few_conditions_stay_together() -> None:
    asked = rules(2)
    assert discriminate(asked) == Leaf(tuple(enumerate(asked)))
    assert discriminate([]) == Leaf(())
    assert discriminate([TRUE, FALSE]) == Leaf(((0, TRUE),))


def test_what_certainly_holds_remains_as_true() -> None:
    asked = [eq(NAME, case(ROLE, c)) for c in ROLE.cases] + [negate(eq(NAME, case(ROLE, "Admin")))]
    leaf = leaf_of(discriminate(asked, 8), {NAME: "Guest"}.__getitem__)
    assert leaf == Leaf(((2, TRUE), (3, TRUE)))


def test_nobody_is_a_name_like_others() -> None:
    asked = [eq(WHO, Const(n, BOT)) for n in ("", "ann", "bob", "eve")]
    tree = discriminate(asked)
    assert leaf_of(tree, {WHO: ""}.__getitem__) == Leaf(((0, TRUE),))
    assert leaf_of(tree, {WHO: "somebody"}.__getitem__) == Leaf(())


def test_bound_individuals_are_not_branched_on() -> None:
    item = EntityType("Item")
    x = Ref("x#0", item, Space.BOUND)
    asked = [exists(x, conj(eq(x, Const(n, item)), eq(WHO, Const(n, BOT)))) for n in ("i", "j", "k")] * 2
    # The quantified conditions themselves are Booleans, and may be.
    seen = [discriminate(asked)]
    for tree in seen:
        if isinstance(tree, Branch):
            assert isinstance(tree.term, Ref)
            assert tree.term is not x
            seen += [*tree.cases.values(), tree.other]


def test_reads_of_the_state_are_branched_on() -> None:
    stage = select(StateVar("stage", (BOT,), ROLE, None).ref, WHO)
    asked = [eq(stage, case(ROLE, c)) for c in ROLE.cases for _ in range(2)]
    tree = discriminate(asked)
    assert isinstance(tree, Branch)
    assert tree.term is stage


def test_it_matters_that_other_values_are_not_those_of_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_beside", lambda left, *_: left)
    leaf = leaf_of(discriminate([eq(WHO, Const(n, BOT)) for n in "abcd"]), {WHO: "e"}.__getitem__)
    assert len(leaf.conditions) == 4
