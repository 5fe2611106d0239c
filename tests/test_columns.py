"""Tables of requests: every row is answered as the reference interpreter answers it, in type and value."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policydsl.core.expr import (
    TRUE,
    ZERO,
    Apply,
    Const,
    Expr,
    Op,
    add,
    arith,
    conj,
    disj,
    eq,
    exists,
    forall,
    ite,
    le,
    lt,
    matches,
    negate,
    number,
    select,
    string,
    sub,
    total,
)
from policydsl.core.system import Action, Effect, Guard, GuardKind, Input, Obligation, RuleUse, StateVar, System
from policydsl.core.types import BOOL, INT, STRING, Value
from policydsl.evaluate import FaultError, evaluate
from policydsl.interp import Request, State, decide, initial, step
from policydsl.trace import Cell
from runtime import columns_groups, columns_ints, columns_maps
from runtime.columns import Ints, Table, Traffic, Words, column, request_at, table, traffic, value_at
from runtime.columns_decide import UNKNOWN, decide_table, plan
from runtime.columns_eval import MEANING_COLUMNS, Batch
from runtime.columns_words import Shared
from tests.strategies import BOT, ITEM, NAMES, STAGE, Shape, environment, exprs, requests, systems, values


def test_every_operator_has_a_row() -> None:
    assert sorted(MEANING_COLUMNS, key=lambda op: op.name) == sorted(Op, key=lambda op: op.name)


def agree(system: System, state: State, asked: Sequence[Request]) -> Traffic:
    """All decisions are those of the interpreter."""
    found = traffic(system, asked)
    seen = [*found.unknown.tolist()]
    for t in found.tables:
        decided = decide_table(system, state, t)
        assert len(decided) == t.size
        for row, (position, decision) in enumerate(zip(t.positions.tolist(), decided, strict=True)):
            expected = decide(system, state, asked[position])
            assert repr(decision) == repr(expected)
            assert repr(decided[row]) == repr(expected)
            assert bool(decided.allowed[row]) is (expected.effect == "allow")
            seen.append(position)
    for position in found.unknown.tolist():
        assert decide(system, state, asked[position]).reason == "unknown action"
    assert sorted(seen) == list(range(len(asked)))
    return found


STRANGE = (None, 1.5, "*", True, 7, "Draft", "nobody knows")


def broken(draw: st.DrawFn, request: Request) -> Request:
    """The same request with something wrong, perhaps."""
    inputs = dict(request.inputs)
    match draw(st.integers(0, 9)):
        case 0 if inputs:
            inputs.pop(draw(st.sampled_from(sorted(inputs))))
        case 1 if inputs:
            inputs[draw(st.sampled_from(sorted(inputs)))] = draw(st.sampled_from(STRANGE))  # type: ignore[arg-type]
        case 2:
            inputs["odd"] = 1
        case 3 if not draw(st.integers(0, 3)):
            return Request("no such action", inputs)
    return Request(request.action, inputs)


@st.composite
def situations(draw: st.DrawFn, shape: Shape | None = None) -> tuple[System, State, list[Request]]:
    system = draw(systems(shape))
    state = initial(system)
    for request in draw(requests(system, most=4)):
        state = step(system, state, request).state
    return system, state, [broken(draw, r) for r in draw(requests(system, most=12))]


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(situations(Shape(quantifiers=2, any_divisor=True)))
def test_rows_are_decided_as_the_interpreter_does(situation: tuple[System, State, list[Request]]) -> None:
    agree(*situation)


SIZES = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([s * (2**k) + d for s in (-1, 1) for k in (31, 32, 62, 63, 64, 65) for d in (-1, 0, 1)]),
)
TEXTS = ("", "a", "a\0", "\0", "\ud800", "\U0001f600", "ab", "a\ud800b", "*")
X, Y, OK = Input("x", INT), Input("y", INT), Input("ok", BOOL)
BIG = StateVar("big", (BOT,), INT, number(2**63 - 1))
WHO = Input("principal", BOT)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_expressions_over_columns(data: st.DataObject) -> None:
    """Of every type, with numbers around the edges of 64 bits and any strings."""
    maps = (StateVar("m", (BOT,), INT, number(data.draw(SIZES))), StateVar("boss", (BOT,), BOT, None))
    inputs = (
        X, Y, OK, WHO, Input("other", BOT), Input("item", ITEM), Input("stage", STAGE), Input("text", STRING)
    )  # fmt: skip
    state = initial(System("s", (), maps, (), ()))
    env = environment(maps, inputs, shape=Shape(quantifiers=1, any_divisor=True))
    type = data.draw(st.sampled_from((BOOL, INT, INT, STRING, BOT, STAGE)))
    e = data.draw(exprs(type, env, 4))

    def some(i: Input) -> st.SearchStrategy[Value]:
        return SIZES if i.type == INT else st.sampled_from(TEXTS) if i.type == STRING else values(i.type)

    rows = data.draw(st.lists(st.fixed_dictionaries({i.name: some(i) for i in inputs}), max_size=6))
    compare(e, state, inputs, rows)


def compare(e: Expr, state: State, inputs: Sequence[Input], rows: Sequence[dict[str, Value]]) -> None:
    made = {i.name: column(i.type, [r[i.name] for r in rows]) for i in inputs}
    found = Batch(Shared(state), made).value(e)
    for n, row in enumerate(rows):
        value = value_at(found, n)
        expected = evaluate(e, state, row)
        assert (value.__class__, value) == (expected.__class__, expected)
        if isinstance(found, Ints):
            assert found.low <= expected <= found.high  # type: ignore[operator]  # both are numbers


CALCULATIONS = {
    "+": add,
    "-": sub,
    "<": lt,
    "<=": le,
    "=": eq,
    **{op.value: (lambda a, b, op=op: arith(op, a, b)) for op in (Op.MUL, Op.DIV, Op.MOD, Op.MIN, Op.MAX)},
    "if": lambda a, b: ite(OK.ref, a, b),
}


@pytest.mark.parametrize("name", CALCULATIONS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_arithmetic_is_exact_at_the_edges(name: str, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.fixed_dictionaries({"x": SIZES, "y": SIZES, "ok": st.booleans()}), max_size=5))
    constant = number(data.draw(SIZES))
    state = initial(System("s", (), (), (), ()))
    make = CALCULATIONS[name]
    for a, b in ((X.ref, Y.ref), (X.ref, constant), (constant, Y.ref), (X.ref, X.ref)):
        compare(make(a, b), state, (X, Y, OK), rows)
        compare(make(make(a, b), Y.ref), state, (X, Y, OK), rows) if make(a, b).type == INT else None


def test_bounds_decide_what_numbers_are_used() -> None:
    """Numbers of 64 bits as long as nothing can leave them, in arguments and results."""
    a = column(INT, [5, 2**63 - 1])
    assert isinstance(a, Ints)
    assert a.values.dtype == np.int64
    more = columns_ints.add(a, 1)
    assert isinstance(more, Ints)
    assert more.values.dtype == object
    assert more.values.tolist() == [6, 2**63]
    less = columns_ints.minimum(more, 10)
    assert isinstance(less, Ints)
    assert less.values.dtype == np.int64


def test_bounds_that_are_wrong_are_noticed() -> None:
    a = Ints(np.array([2**63 - 1]), 0, 1)
    with np.errstate(over="ignore"):
        wrapped = columns_ints.add(a, 1)
    assert isinstance(wrapped, Ints)
    assert wrapped.at(0) != 2**63


def ask(*rows: dict[str, Value]) -> list[Request]:
    return [Request("act", r) for r in rows]


def small(
    *guards: Guard, inputs: tuple[Input, ...] = (WHO, X), state: tuple[StateVar, ...] = (), **more: object
) -> System:
    return System("small", (), state, (Action("act", inputs, guards, (), **more),), ())  # type: ignore[arg-type]


def test_nothing_at_all() -> None:
    system = small(Guard(GuardKind.REQUIRE, lt(X.ref, number(3)), "big"))
    assert agree(system, initial(system), []).tables == ()
    empty = decide_table(system, initial(system), table(system, system.action("act"), []))
    assert list(empty) == []
    assert empty.effects.tolist() == []
    pairs = StateVar("pair", (BOT, BOT), INT, number(1))
    system = small(Guard(GuardKind.REQUIRE, eq(select(pairs.ref, WHO.ref, WHO.ref), X.ref), "no"), state=(pairs,))
    assert list(decide_table(system, initial(system), table(system, system.action("act"), []))) == []


def test_faults_are_those_of_the_interpreter() -> None:
    system = small(Guard(GuardKind.REQUIRE, lt(X.ref, number(3)), "big"))
    rows: list[dict[str, Value]] = [
        {"principal": "a", "x": 1},
        {"principal": "a"},
        {"principal": "*", "x": 1},
        {"principal": "a", "x": True},
        {"principal": "a", "x": 1, "y": 2},
        {"principal": "a", "x": 4},
    ]
    asked = [*ask(*rows), Request("other", {})]
    found = agree(system, initial(system), asked)
    assert found.unknown.tolist() == [6]
    assert found.tables[0].faults == {
        1: "missing input", 2: "ill-typed input", 3: "ill-typed input", 4: "unknown input"
    }  # fmt: skip
    assert decide_table(system, initial(system), found.tables[0]).failing.tolist() == [-1, *[UNKNOWN] * 4, 0]


def test_the_first_guard_in_order_of_kinds_gives_the_reason() -> None:
    over = [lt(X.ref, number(n)) for n in range(4)]
    system = small(
        Guard(GuardKind.APPROVE, over[0], "ask", "human"),
        Guard(GuardKind.FORBID, over[2], "two", "second"),
        Guard(GuardKind.FORBID, over[1], "one", "first"),
        Guard(GuardKind.PERMIT, disj(over[3], eq(X.ref, number(9))), "none", "a, b"),
        rules=(RuleUse("a", "permit", over[3]), RuleUse("b", "permit", TRUE), RuleUse("f", "forbid", TRUE)),
        obligations=(
            Obligation("log", (WHO.ref, add(X.ref, X.ref)), over[1], Effect.PENDING),
            Obligation("tell", (), TRUE, Effect.DENY),
        ),
    )
    agree(system, initial(system), ask(*({"principal": "p", "x": n} for n in range(-1, 10))))


def many(count: int) -> System:
    """Rules of which few are about any one request."""
    uses = []
    for i in range(count):
        condition = conj(
            eq(Input("stage", STAGE).ref, Const(STAGE.cases[i % 3], STAGE)),
            eq(WHO.ref, Const(f"bot{i % 7}", BOT)),
            le(X.ref, number(i)),
        )
        uses.append(RuleUse(f"r{i}", "forbid" if i % 5 == 0 else "permit", condition))
    guards = [
        Guard(GuardKind.FORBID, Apply(Op.NOT, (u.condition,), BOOL), f"no {u.rule}", u.rule)
        for u in uses
        if u.effect == "forbid"
    ]
    permits = [u for u in uses if u.effect == "permit"]
    guards.append(Guard(GuardKind.PERMIT, disj(*(u.condition for u in permits)), "none"))
    action = Action("act", (WHO, X, Input("stage", STAGE)), tuple(guards), (), tuple(uses))
    return System("many", (), (), (action,), ())


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from((1, 4, 30, 120)),
    st.sampled_from((1, columns_groups.MOST)),
    st.lists(
        st.fixed_dictionaries({
            "principal": st.sampled_from([f"bot{i}" for i in range(9)]),
            "x": st.integers(-1, 125),
            "stage": st.sampled_from(STAGE.cases),
        }),
        max_size=60,
    ),
)  # fmt: skip
def test_many_rules(count: int, most: int, rows: list[dict[str, Value]]) -> None:
    """Told apart at once, or one term after another."""
    system = many(count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns_groups, "MOST", most)
        agree(system, initial(system), ask(*rows))


@pytest.mark.parametrize("most", [1, 30, columns_groups.MOST])
def test_groups_by_terms_of_every_type(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_groups, "MOST", most)
    text, big = Input("text", STRING), 2**64
    conditions = [
        conj(
            eq(X.ref, number((n % 4) * 3 if n % 5 else big)),
            eq(WHO.ref, Const(("a", "b", "")[n // 4 % 3], BOT)),
            eq(text.ref, string(("", "t")[n // 12 % 2])),
            OK.ref if n // 24 % 2 else negate(OK.ref),
            le(Y.ref, number(n % 7)),
        )
        for n in range(48)
    ]
    conditions += [conj(OK.ref if n % 2 else negate(OK.ref), eq(Y.ref, number(n))) for n in range(60)]
    guards = [Guard(GuardKind.FORBID, negate(c), f"no {n}", f"r{n}") for n, c in enumerate(conditions)]
    system = small(*guards, inputs=(WHO, X, Y, OK, text))
    for numbers in ((0, 3, 5, 6, -1), (0, 3, 9, big, -big)):
        rows: list[dict[str, Value]] = [
            {"principal": a, "x": n, "y": i % 9, "ok": i % 2 == 0, "text": t}
            for i, (a, n, t) in enumerate(product(("a", "b", "c", ""), numbers, ("", "t", "u", "t")))
        ]
        agree(system, initial(system), ask(*rows))


def test_what_is_permitted_by_no_rule_is_no_rules_doing() -> None:
    twice = [Guard(GuardKind.FORBID, lt(X.ref, number(n)), f"over {n}", "limit") for n in (5, 6)]
    permit = RuleUse("p", "permit", lt(X.ref, number(3)))
    system = small(
        *twice, Guard(GuardKind.PERMIT, permit.condition, "nobody permits it", "p"), rules=(permit, permit)
    )  # fmt: skip
    agree(system, initial(system), ask(*({"principal": "a", "x": n} for n in (1, 4, 5, 7))))
    decided = decide_table(system, initial(system), traffic(system, ask({"principal": "a", "x": 4})).tables[0])
    assert decided[0].rules == ()


def test_a_plan_can_be_used_again() -> None:
    system = many(40)
    how = plan(system.action("act"))
    for x in (1, 50):
        asked = ask(*({"principal": f"bot{i}", "x": x, "stage": "Open"} for i in range(9)))
        found = traffic(system, asked).tables[0]
        assert list(decide_table(system, initial(system), found, how)) == [
            decide(system, initial(system), r) for r in asked
        ]


def test_everybody_is_asked_once_for_each_row() -> None:
    """Individuals that only other rows name are nobody special in this one."""
    m = StateVar("m", (BOT,), INT, number(1))
    other = Input("other", BOT)
    who = Const("root", BOT)
    bound = environment((m,)).bind(BOT)[0]
    guard = exists(bound, conj(eq(bound, other.ref), lt(select(m.ref, bound), X.ref)))
    lonely = exists(bound, conj(eq(bound, WHO.ref), eq(bound, other.ref), eq(bound, who)))
    system = small(
        Guard(GuardKind.REQUIRE, guard, "low"),
        Guard(GuardKind.REQUIRE, lonely, "not root"),
        inputs=(WHO, X, other),
        state=(m,),
    )
    names = (*NAMES[BOT], "**", "***")
    agree(
        system,
        initial(system),
        ask(*({"principal": a, "x": n, "other": b} for a in names for b in names for n in (1, 2))),
    )


def test_sums_count_everybody_once() -> None:
    m = StateVar("m", (BOT,), INT, number(0))
    other = Input("other", BOT)
    state = initial(System("s", (), (m,), (), ()), start=[Cell("m", ("a",), 5), Cell("m", ("b",), 7)])
    bound, _ = environment((m,)).bind(BOT)
    named = disj(eq(bound, WHO.ref), eq(bound, other.ref))
    everybody = ("a", "b", "c", "", "**")
    rows: list[dict[str, Value]] = [{"principal": x, "other": y} for x in everybody for y in everybody]
    for body in (select(m.ref, bound), ite(named, number(1), select(m.ref, bound)), ite(named, number(2**62), ZERO)):
        compare(total(bound, body), state, (WHO, other), rows * 2)
        compare(total(bound, body), state, (WHO, other), rows[:7])
    with pytest.raises(FaultError):
        compare(total(bound, ite(named, ZERO, number(1))), state, (WHO, other), rows)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_terms_of_few_words_and_many_rows(data: st.DataObject) -> None:
    """Computed for each combination of words, or for each row: it makes no difference."""
    system, state, _ = data.draw(situations(Shape(quantifiers=2)))
    inputs = (WHO, Input("other", BOT))
    env = environment(system.state, inputs, system.params, shape=Shape(quantifiers=2))
    bound, inner = env.bind(BOT)
    e = exists(bound, data.draw(exprs(BOOL, inner, 3)))
    rows: list[dict[str, Value]] = [{"principal": x, "other": y} for x in NAMES[BOT] for y in NAMES[BOT]]
    for some in (rows * 2, rows, rows[:5]):
        compare(e, state, inputs, some)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(situations())
def test_rows_of_a_state_that_are_told_apart(situation: tuple[System, State, list[Request]]) -> None:
    """All rows that keys may have are read, or only those that they have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns_maps, "FEW", 0)
        agree(*situation)


PATTERNS = ("a.*", ".*b", ".*ab.*", "a", ".*", "", "a.*b.*", "[ab]{1,2}", "\\\\.*", ".*(?:ab)", "a\0.*")


def test_words_that_few_rows_have() -> None:
    """A pattern is asked of the words of the rows, or of all words there are."""
    ends = ("", "b", "\U0001f600")
    texts = [a + b + c for a in ("", "a", "b", "a\0") for b in ("", "ab", "\\", "\ud800") for c in ends]
    many = column(STRING, texts)
    assert isinstance(many, Words)
    text = Input("text", STRING)
    state = initial(System("s", (), (), (), ()))
    shared = Shared(state)
    for pattern in PATTERNS:
        for start in range(len(texts) - 2):
            few = Batch(shared, {"text": many[start : start + 2]}).truth(matches(text.ref, pattern))
            expected = [evaluate(matches(text.ref, pattern), state, {"text": t}) for t in texts[start : start + 2]]
            assert [value_at(few, i) for i in range(2)] == expected


def test_strangers_are_not_confused() -> None:
    """There is always somebody else, and somebody else than two."""
    state = initial(System("s", (), (), (), ()))
    bounds, env = [], environment(())
    for _ in range(3):
        bound, env = env.bind(BOT)
        bounds.append(bound)
    a, b, c = bounds
    other = Input("other", BOT)
    differ = [negate(eq(x, y)) for x, y in ((a, b), (a, WHO.ref), (b, WHO.ref), (b, other.ref), (c, a), (c, b))]
    rows: list[dict[str, Value]] = [{"principal": x, "other": y} for x in ("**", "a") for y in ("***", "a", "**")]
    for some in (rows, rows * 3):
        compare(forall(a, exists(b, conj(*differ[:4]))), state, (WHO, other), some)
        compare(forall(a, forall(b, exists(c, conj(*differ[4:])))), state, (WHO, other), some)
        compare(exists(a, forall(b, disj(eq(a, b), eq(b, WHO.ref)))), state, (WHO, other), some)
        compare(exists(a, conj(eq(a, WHO.ref), forall(b, eq(a, b)))), state, (WHO, other), some)
    numbered = [{**r, "x": n} for n, r in enumerate(rows * 3)]
    for inner in (conj(negate(eq(a, b)), negate(eq(b, WHO.ref))), conj(eq(a, b), eq(b, WHO.ref))):
        compare(forall(a, disj(lt(X.ref, number(3)), exists(b, inner))), state, (WHO, X), numbered)


@pytest.mark.parametrize("few", [0, columns_maps.FEW])
def test_maps_of_two_keys(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each combination has a value of its own, some that of one of the keys."""
    monkeypatch.setattr(columns_maps, "FEW", few)
    pair, boss = StateVar("pair", (ITEM, BOT), INT, ZERO), StateVar("boss", (BOT, BOT), BOT, None)
    item, other = Input("item", ITEM), Input("other", BOT)
    start = [Cell("pair", (i, b), 10 * n + m) for n, i in enumerate("ijk") for m, b in enumerate("abc")]
    start += [Cell("pair", ("*", "a"), 77), Cell("boss", ("a", "*"), "*"), Cell("boss", ("*", "b"), "*")]
    start += [Cell("boss", ("a", "b"), "root")]
    state = initial(System("s", (), (pair, boss), (), ()), start=start)
    everybody: list[dict[str, Value]] = [
        {"item": i, "principal": a, "other": b} for i in "ijkx" for a in "abcx" for b in ("a", "b", "y", "")
    ]
    a = Const("a", BOT)
    for rows in (everybody, everybody[::7], everybody[:2]):
        for keys in ((item.ref, WHO.ref), (item.ref, a), (Const("k", ITEM), other.ref)):
            compare(select(pair.ref, *keys), state, (item, WHO, other), rows)
        for keys in ((WHO.ref, other.ref), (other.ref, WHO.ref), (a, other.ref), (WHO.ref, a), (WHO.ref, WHO.ref)):
            compare(select(boss.ref, *keys), state, (item, WHO, other), rows)
            compare(select(boss.ref, select(boss.ref, *keys), WHO.ref), state, (item, WHO, other), rows)


def test_words_of_different_vocabularies() -> None:
    other = Input("other", BOT)
    a, b = ["x", "y", "z", *(f"a{i}" for i in range(250))], ["y", "x", "w", *(f"b{i}" for i in range(250))]
    for names in ((a, b), (a[:3], b[:3]), (a[:3], a[2::-1])):
        rows: list[dict[str, Value]] = [
            {"principal": x, "other": y, "ok": i % 3 == 0} for i, (x, y) in enumerate(zip(*names, strict=True))
        ]
        state = initial(System("s", (), (), (), ()))
        either = ite(OK.ref, WHO.ref, other.ref)
        for e in (eq(WHO.ref, other.ref), either, eq(either, WHO.ref), eq(other.ref, either)):
            compare(e, state, (WHO, other, OK), rows)


def test_terms_may_be_deep() -> None:
    e: Expr = X.ref
    for n in range(400):
        e = ite(lt(X.ref, number(n)), Y.ref, arith(Op.MAX, e, number(n % 7)))
    compare(e, initial(System("s", (), (), (), ())), (X, Y), [{"x": n, "y": -n} for n in (-1, 0, 5, 399, 400, 500)])


def test_requests_come_back_out() -> None:
    system = small(inputs=(WHO, X, OK))
    rows: list[dict[str, Value]] = [
        {"principal": "a\0", "x": 2**70, "ok": True},
        {"principal": "", "x": -1, "ok": False},
    ]
    found: Table = traffic(system, ask(*rows)).tables[0]
    assert [repr(request_at(found, i)) for i in range(2)] == [repr(r) for r in ask(*rows)]


def test_a_wrong_meaning_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEANING_COLUMNS, Op.LT, MEANING_COLUMNS[Op.LE])
    system = small(Guard(GuardKind.REQUIRE, lt(X.ref, number(3)), "big"))
    with pytest.raises(AssertionError):
        agree(system, initial(system), ask(*({"principal": "a", "x": n} for n in range(5))))
