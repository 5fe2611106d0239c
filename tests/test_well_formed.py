"""What is no system is told, and what is told to be one can be run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import BOT, ITEM, STAGE, requests, systems

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
    eq,
    forall,
    le,
    lt,
    matches,
    number,
    select,
    string,
    total,
)
from policydsl.core.from_json import MalformedError, from_data
from policydsl.core.system import (
    Action,
    Effect,
    Guard,
    GuardKind,
    Input,
    Obligation,
    Param,
    Property,
    PropertyKind,
    StateVar,
    Sum,
    System,
    Write,
)
from policydsl.core.to_json import to_data
from policydsl.core.types import BOOL, INT, STRING
from policydsl.core.well_formed import SIGNATURES, faults
from policydsl.diagnostics import Report
from policydsl.interp import UnfitError, evaluate, initial, step
from policydsl.load import load

SPECS = Path(__file__).parent.parent / "specs"

B, C, ONE = Ref("b#1", BOT, Space.BOUND), Ref("c#2", BOT, Space.BOUND), Ref("i#3", ITEM, Space.BOUND)
M, N = StateVar("m", (BOT,), INT, ZERO), StateVar("n", (), INT, ZERO)
GHOST = StateVar("g", (ITEM,), INT, ZERO)
PAIR = StateVar("pair", (ITEM, BOT), INT, ZERO)
WHO, TEXT = Input("principal", BOT), Input("text", STRING)
READ = select(M.ref, WHO.ref)
ACTION = Action(
    "a",
    (WHO, TEXT),
    (Guard(GuardKind.REQUIRE, le(ZERO, READ), "no"), Guard(GuardKind.FORBID, matches(TEXT.ref, "a.*"), "no")),
    (Write("m", (WHO.ref,), add(READ, number(1))), Write("m", (B,), N.ref, (B,))),
    (),
    (Obligation("log", (WHO.ref,), TRUE, Effect.ALLOW),),
)
INVARIANT = Property("p", PropertyKind.INVARIANT, forall(B, le(ZERO, select(M.ref, B))))
GOOD = System(
    "good",
    (Param("LIMIT", INT, number(3), 1, 5),),
    (M, N, GHOST, PAIR),
    (ACTION,),
    (INVARIANT,),
    (Sum("g", (ONE,), B, select(PAIR.ref, ONE, B)),),
    (Const("root", BOT),),
)


def acting(**changes: Any) -> System:
    return replace(GOOD, actions=(replace(ACTION, **changes),))


def guarded(e: Expr) -> System:
    return acting(guards=(Guard(GuardKind.REQUIRE, e, "no"),))


def claiming(e: Expr, kind: PropertyKind = PropertyKind.INVARIANT, **more: Any) -> System:
    return replace(GOOD, properties=(Property("p", kind, e, **more),))


def writing(*args: Any) -> System:
    return acting(writes=(Write(*args),))


def apply(op: Op, *args: Expr, type: Any = BOOL) -> Apply:
    return Apply(op, args, type)


GUARD = "action `a`: "
BAD: list[tuple[System, str]] = [
    (guarded(N.ref), GUARD + "Int instead of Bool"),
    (guarded(apply(Op.NOT, N.ref)), GUARD + "`not` is applied to what it is not for"),
    (guarded(apply(Op.NOT, TRUE, TRUE)), GUARD + "`not` is applied to what it is not for"),
    (guarded(apply(Op.AND)), GUARD + "`and` is applied to what it is not for"),
    (guarded(apply(Op.OR, TRUE, N.ref)), GUARD + "`or` is applied to what it is not for"),
    (guarded(apply(Op.EQ, N.ref, TRUE)), GUARD + "`=` is applied to what it is not for"),
    (guarded(apply(Op.EQ, M.ref, M.ref)), GUARD + "`=` is applied to what it is not for"),
    (guarded(apply(Op.ITE, N.ref, TRUE, FALSE)), GUARD + "`if` is applied to what it is not for"),
    (guarded(lt(apply(Op.ITE, TRUE, N.ref, TRUE, type=INT), ZERO)), GUARD + "`if` is applied to what it is not for"),
    (guarded(lt(apply(Op.ADD, N.ref, TRUE, type=INT), ZERO)), GUARD + "`+` is applied to what it is not for"),
    (guarded(lt(apply(Op.DIV, N.ref, type=INT), ZERO)), GUARD + "`div` is applied to what it is not for"),
    (guarded(apply(Op.LE, TEXT.ref, string("a"))), GUARD + "`<=` is applied to what it is not for"),
    (guarded(apply(Op.MATCHES, TEXT.ref, TEXT.ref)), GUARD + "`matches` is applied to what it is not for"),
    (guarded(matches(TEXT.ref, "(")), GUARD + "`matches` is applied to what it is not for"),
    (guarded(lt(apply(Op.SELECT, M.ref, type=INT), ZERO)), GUARD + "`select` is applied to what it is not for"),
    (guarded(lt(apply(Op.SELECT, M.ref, ONE, type=INT), ZERO)), GUARD + "`i#3` is bound nowhere"),
    (
        guarded(forall(ONE, lt(apply(Op.SELECT, M.ref, ONE, type=INT), ZERO))),
        GUARD + "`select` is applied to what it is not for",
    ),
    (guarded(apply(Op.FORALL, WHO.ref, TRUE)), GUARD + "`forall` is applied to what it is not for"),
    (guarded(apply(Op.EXISTS, B, N.ref)), GUARD + "`exists` is applied to what it is not for"),
    (guarded(lt(total(B, N.ref), ZERO)), GUARD + "a sum that no state variable keeps"),
    (guarded(eq(B, WHO.ref)), GUARD + "`b#1` is bound nowhere"),
    (guarded(eq(Ref("n#1", INT, Space.BOUND), ZERO)), GUARD + "`n#1` is bound nowhere"),
    (guarded(lt(Ref("z", INT, Space.INPUT), ZERO)), GUARD + "there is no input `z` of type Int"),
    (guarded(Ref("principal", BOOL, Space.INPUT)), GUARD + "there is no input `principal` of type Bool"),
    (guarded(lt(Ref("z", INT, Space.PARAM), ZERO)), GUARD + "there is no param `z` of type Int"),
    (guarded(lt(Ref("m", INT, Space.STATE), ZERO)), GUARD + "there is no state `m` of type Int"),
    (guarded(lt(N.next, ZERO)), GUARD + "there is no next `n` of type Int"),
    (guarded(eq(Const("Lost", STAGE), Const("Open", STAGE))), ""),
    (guarded(apply(Op.EQ, Const("Lost", STAGE), Const("Open", STAGE))), GUARD + "`Lost` is no Stage"),
    (guarded(apply(Op.EQ, Const("*", BOT), WHO.ref)), GUARD + "`*` is no Bot"),
    (guarded(apply(Op.LT, Const(True, INT), ZERO)), GUARD + "`True` is no Int"),
    (acting(inputs=(WHO, TEXT, WHO)), GUARD + "an input is declared twice"),
    (acting(obligations=(Obligation("log", (B,), TRUE, Effect.ALLOW),)), GUARD + "`b#1` is bound nowhere"),
    (acting(obligations=(Obligation("log", (), N.ref, Effect.ALLOW),)), GUARD + "Int instead of Bool"),
    (writing("x", (), ZERO), GUARD + "write of `x`: there is no such state variable"),
    (writing("m", (), ZERO), GUARD + "write of `m`: 0 keys instead of 1"),
    (writing("m", (WHO.ref,), TRUE), GUARD + "write of `m`: Bool instead of Int"),
    (writing("m", (TEXT.ref,), ZERO), GUARD + "write of `m`: String instead of Bot"),
    (writing("m", (WHO.ref,), select(M.ref, B)), GUARD + "write of `m`: `b#1` is bound nowhere"),
    (writing("m", (WHO.ref,), ZERO, (B,)), GUARD + "write of `m`: `b#1` is not exactly one of the keys"),
    (writing("n", (), ZERO, (B,)), GUARD + "write of `n`: `b#1` is not exactly one of the keys"),
    (replace(claiming(TRUE), properties=(INVARIANT, INVARIANT)), "property `p` is declared twice"),
    (replace(GOOD, state=(M, N, GHOST, PAIR, N)), "state variable `n` is declared twice"),
    (replace(GOOD, actions=(ACTION, ACTION)), "action `a` is declared twice"),
    (replace(GOOD, params=(Param("P", INT, number(9), 1, 5),)), "parameter `P` has a default that does not fit"),
    (replace(GOOD, params=(Param("P", INT, TRUE),)), "parameter `P` has a default that does not fit"),
    (replace(GOOD, individuals=(string("root"),)), "`root` is no individual"),
    (
        replace(GOOD, state=(replace(M, init=N.ref), N, GHOST, PAIR)),
        "initial value of `m`: there is no state `n` of type Int",
    ),
    (replace(GOOD, state=(replace(M, init=TRUE), N, GHOST, PAIR)), "initial value of `m`: Bool instead of Int"),
    (claiming(lt(READ, ZERO)), "invariant `p`: there is no input `principal` of type Bot"),
    (claiming(lt(N.next, ZERO)), "invariant `p`: there is no next `n` of type Int"),
    (claiming(lt(select(M.ref, B), ZERO)), "invariant `p`: `b#1` is bound nowhere"),
    (claiming(lt(N.next, ZERO), PropertyKind.ASSERT), "assert `p`: there is no next `n` of type Int"),
    (claiming(TRUE, PropertyKind.STEP, action="b"), "step `p`: there is no action `b`"),
    (claiming(TRUE, PropertyKind.LEADS_TO), "eventually `p`: a goal is missing"),
    (claiming(TRUE, goal=TRUE), "invariant `p`: a goal where there can be none"),
    (replace(GOOD, sums=(Sum("n", (ONE,), B, ZERO),)), "sum `n`: there is no such state variable"),
    (replace(GOOD, sums=(Sum("g", (ONE,), B, TRUE),)), "sum `g`: Bool instead of Int"),
    (replace(GOOD, sums=(Sum("g", (ONE,), B, select(PAIR.ref, ONE, C)),)), "sum `g`: `c#2` is bound nowhere"),
]
FINE = [
    GOOD,
    claiming(lt(N.next, N.ref), PropertyKind.STEP),
    claiming(lt(READ, N.next), PropertyKind.STEP, action="a"),
    claiming(lt(READ, ZERO), PropertyKind.ASSERT, action="a"),
    claiming(eq(select(M.ref, B), ZERO), PropertyKind.LEADS_TO, goal=eq(select(M.ref, B), number(1))),
    writing("pair", (ONE, WHO.ref), ZERO, (ONE,)),
    guarded(forall(B, forall(C, eq(B, C)))),
]


@pytest.mark.parametrize(("system", "text"), [b for b in BAD if b[1]], ids=lambda x: x if isinstance(x, str) else "")
def test_what_is_wrong_is_told(system: System, text: str) -> None:
    assert text in faults(system)
    with pytest.raises(MalformedError):
        from_data(to_data(system))


@pytest.mark.parametrize("system", FINE)
def test_what_is_right_is_not_complained_about(system: System) -> None:
    assert faults(system) == []
    assert from_data(to_data(system)) == system


def test_every_operator_has_a_signature() -> None:
    assert set(SIGNATURES) == set(Op)


def test_two_binders_of_one_sort() -> None:
    grid = StateVar("grid", (BOT, BOT), INT, ZERO)
    s = replace(
        GOOD, state=(*GOOD.state, grid), actions=(replace(ACTION, writes=(Write("grid", (B, C), ZERO, (B, C)),)),)
    )
    assert faults(s) == [GUARD + "write of `grid`: two binders of one sort"]


@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.policy")), ids=lambda p: p.stem)
def test_the_checker_makes_well_formed_systems(path: Path) -> None:
    programs = load([str(path)], lambda p: Path(p).read_text("utf-8"), Report())
    assert programs
    for p in programs:
        assert faults(p.system) == []


@settings(max_examples=50, deadline=None)
@given(systems())
def test_the_strategies_make_well_formed_systems(s: System) -> None:
    assert faults(s) == []


def places(data: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a number of a row or a word of the language stands."""
    if isinstance(data, dict | list):
        items = data.items() if isinstance(data, dict) else enumerate(data)
        return [p for k, v in items for p in places(v, (*here, k))]
    return [here]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_is_accepted_can_be_run(data: st.DataObject) -> None:
    """A document with something in it exchanged is refused, or is a system in which nothing goes wrong."""
    s = data.draw(systems())
    document = to_data(s)
    where = data.draw(st.sampled_from(places(document["system"], ("system",))))
    at = document
    for k in where[:-1]:
        at = at[k]
    old = at[where[-1]]
    rows = max(len(document["system"]["exprs"]), 1)
    new = (
        st.integers(0, rows - 1)
        if isinstance(old, int)
        else st.sampled_from([*(o.value for o in Op), "m", "a0", "root"])
    )
    at[where[-1]] = data.draw(new)
    try:
        changed = from_data(document)
    except MalformedError:
        return
    try:
        state = initial(changed)
    except UnfitError:
        return
    for request in data.draw(requests(changed)):
        state = step(changed, state, request).state
    for p in changed.properties:
        assert evaluate(p.expr, state).__class__ is bool
