"""The reference interpreter: against a world with finitely many individuals, and case by case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import BOT, ITEM, NAMES, STAGE, Shape, requests, systems

from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    add,
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
    select,
    sub,
    total,
)
from policydsl.core.system import (
    CLOCK,
    NOW,
    Action,
    Effect,
    Guard,
    GuardKind,
    Input,
    Obligation,
    Origin,
    Param,
    Property,
    PropertyKind,
    RuleUse,
    StateVar,
    System,
    Write,
)
from policydsl.core.types import BOOL, INT, STRING, EnumType, Scalar, Type, Value
from policydsl.interp import (
    EVERYONE_ELSE,
    MEANING,
    FaultError,
    Request,
    State,
    UnfitError,
    evaluate,
    initial,
    replay,
    request_fault,
    run,
    start_faults,
    states,
    step,
    violated,
)
from policydsl.regular import member
from policydsl.trace import Cell, Change, Decision, Trace

A, B = (Ref(f"{n}#0", BOT, Space.BOUND) for n in "ab")
WHO = Input("principal", BOT)
OTHER = Input("other", BOT)
M = StateVar("m", (BOT,), INT, number(100))
OWNER = StateVar("owner", (BOT,), BOT, Const("", BOT))
PAIR = StateVar("pair", (ITEM, BOT), INT, ZERO)
N = StateVar("n", (), INT, ZERO)


def need(e: Expr, reason: str = "no") -> Guard:
    return Guard(GuardKind.REQUIRE, e, reason)


def system(*actions: Action, state: tuple[StateVar, ...] = (M, OWNER, PAIR, N), **more: Any) -> System:
    return System("test", more.get("params", ()), state, actions, more.get("properties", ()), more.get("sums", ()))


def act(
    name: str, *inputs: Input, guards: tuple[Guard, ...] = (), writes: tuple[Write, ...] = (), **more: Any
) -> Action:
    return Action(name, inputs, guards, writes, **more)


def ask(name: str, **inputs: Value) -> Request:
    return Request(name, inputs)


@dataclass
class World:
    """The same system over a finite population, in the plainest way there is."""

    system: System
    people: Mapping[Type, list[str]]
    params: Mapping[str, Value]
    cells: dict[str, dict[tuple[str, ...], Value]]

    def value(self, e: Expr, inputs: Mapping[str, Value], bound: Mapping[str, str]) -> Any:
        def go(x: Expr) -> Any:
            return self.value(x, inputs, bound)

        if isinstance(e, Const):
            return e.value
        if isinstance(e, Ref):
            match e.space:
                case Space.STATE:
                    return self.cells[e.name] if self.system.variable(e.name).keys else self.cells[e.name][()]
                case Space.INPUT:
                    return inputs[e.name]
                case Space.PARAM:
                    return self.params[e.name]
                case _:
                    return bound[e.name]
        if e.op in (Op.FORALL, Op.EXISTS):
            binder, body = e.args
            found = [self.value(body, inputs, {**bound, binder.name: x}) for x in self.people[binder.type]]  # type: ignore[union-attr]
            return all(found) if e.op is Op.FORALL else any(found)
        args = [go(a) for a in e.args]
        match e.op:
            case Op.NOT:
                return not args[0]
            case Op.AND:
                return all(args)
            case Op.OR:
                return any(args)
            case Op.IMPLIES:
                return args[1] if args[0] else True
            case Op.EQ:
                return args[0] == args[1]
            case Op.ITE:
                return args[1] if args[0] else args[2]
            case Op.ADD:
                return sum(args)
            case Op.SUB:
                return args[0] - args[1]
            case Op.MUL:
                return args[0] * args[1]
            case Op.DIV:
                return args[0] // args[1] if args[1] > 0 else 0
            case Op.MOD:
                return args[0] - args[1] * (args[0] // args[1]) if args[1] > 0 else 0
            case Op.MIN:
                return min(args[1], args[0])
            case Op.MAX:
                return max(args[1], args[0])
            case Op.LE:
                return args[0] <= args[1]
            case Op.LT:
                return args[0] < args[1]
            case Op.MATCHES:
                return member(args[1], args[0])
            case Op.SELECT:
                return args[0][tuple(args[1:])]
            case _:
                raise AssertionError(e.op)

    def step(self, request: Request) -> str:
        action = self.system.action(request.action)
        failed = {g.kind for g in action.guards if not self.value(g.expr, request.inputs, {})}
        if failed:
            return "pending" if failed == {GuardKind.APPROVE} else "deny"
        after = {name: dict(rows) for name, rows in self.cells.items()}
        for w in action.writes:
            for choice in product(*(self.people[b.type] for b in w.binders)):
                bound = {b.name: x for b, x in zip(w.binders, choice, strict=True)}
                keys = tuple(self.value(k, request.inputs, bound) for k in w.keys)
                after[w.var][keys] = self.value(w.value, request.inputs, bound)
        self.cells = after
        return "allow"


def world(s: System, start: State) -> World:
    """Everybody who can be named, and three more of each sort: as many as quantifiers are nested."""
    people: dict[Type, list[str]] = {k: [*v, "~1", "~2", "~3"] for k, v in NAMES.items()}
    cells = {
        v.name: {keys: start.read(v.name, keys) for keys in product(*(people[k] for k in v.keys))} for v in s.state
    }
    return World(s, people, start.params, cells)


def assert_same(state: State, w: World) -> None:
    for name, rows in w.cells.items():
        for keys, value in rows.items():
            found = state.read(name, keys)
            assert (found, type(found)) == (value, type(value)), (name, keys)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_agrees_with_a_world_in_which_everybody_is_listed(data: st.DataObject) -> None:
    s = data.draw(systems(Shape(quantifiers=2)))
    state = initial(s)
    w = world(s, state)
    for request in data.draw(requests(s)):
        result = step(s, state, request)
        state = result.state
        assert result.decision.effect == w.step(request)
        assert_same(state, w)
        for p in s.properties:
            assert evaluate(p.expr, state) is w.value(p.expr, {}, {})


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_having_a_row_makes_no_difference(data: st.DataObject) -> None:
    s = data.draw(systems())
    sent = data.draw(requests(s))
    plain = initial(s)
    named = plain.naming((v.name, tuple(data.draw(st.sampled_from(NAMES[k])) for k in v.keys)) for v in s.state)
    assert named == plain
    assert hash(named) == hash(plain)
    for request in sent:
        x, y = step(s, plain, request), step(s, named, request)
        assert (x.decision, x.changes) == (y.decision, y.changes)
        assert x.state == y.state
        plain, named = x.state, y.state


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_cells_say_all_of_a_state(data: st.DataObject) -> None:
    s = data.draw(systems())
    _, state = run(s, data.draw(requests(s)))
    cells = tuple(state.cells())
    again = initial(s, start=data.draw(st.permutations(cells)))
    assert tuple(again.cells()) == cells
    assert_same(again, world(s, state))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_changes_say_all_of_a_step(data: st.DataObject) -> None:
    """Who is not listed changes as the most specific pattern that covers them says, or not at all."""
    s = data.draw(systems())
    state = initial(s)
    for request in data.draw(requests(s)):
        result = step(s, state, request)
        before, after = world(s, state), world(s, result.state)
        assert list(result.changes) == sorted(result.changes, key=lambda c: (c.var, c.keys))
        for name, rows in before.cells.items():
            listed = {c.keys: c for c in result.changes if c.var == name}
            for keys, old in rows.items():
                covering = [p for p in product(*({k, EVERYONE_ELSE} for k in keys)) if p in listed]
                new = after.cells[name][keys]
                if keys in listed:
                    assert (listed[keys].before, listed[keys].after) == (old, new)
                elif not covering:
                    assert new == old
        state = result.state


def test_every_operator_has_a_meaning() -> None:
    assert set(MEANING) == set(Op)


def pay() -> Action:
    """`m[principal] -= 10; m[other] += 10`, lowered: the second assignment sees the first."""
    w, o = WHO.ref, OTHER.ref
    left = sub(select(M.ref, w), number(10))
    return act(
        "pay",
        WHO,
        OTHER,
        guards=(need(le(number(10), select(M.ref, w)), "poor"),),
        writes=(
            Write("m", (w,), left),
            Write("m", (o,), add(ite(eq(w, o), left, select(M.ref, o)), number(10))),
        ),
    )


def test_writes_are_of_the_state_before_and_later_ones_win() -> None:
    s = system(pay())
    to_bob = step(s, initial(s), ask("pay", principal="alice", other="bob"))
    assert to_bob.changes == (Change("m", ("alice",), 100, 90), Change("m", ("bob",), 100, 110))
    assert step(s, initial(s), ask("pay", principal="alice", other="alice")).changes == ()
    swap = act("swap", WHO, OTHER, writes=tuple(
        Write("m", (x.ref,), select(M.ref, y.ref)) for x, y in ((WHO, OTHER), (OTHER, WHO))
    ))  # fmt: skip
    s = system(swap)
    swapped = step(s, initial(s, start=[Cell("m", ("alice",), 1)]), ask("swap", principal="alice", other="bob"))
    assert swapped.changes == (Change("m", ("alice",), 1, 100), Change("m", ("bob",), 100, 1))


def test_what_is_denied_changes_nothing() -> None:
    s = system(pay())
    start = initial(s, start=[Cell("m", ("alice",), 9)])
    result = step(s, start, ask("pay", principal="alice", other="bob"))
    assert result.decision == Decision("deny", reason="poor")
    assert result.state is start
    assert result.changes == ()


def test_a_write_for_everyone_reaches_those_without_a_row() -> None:
    bulk = act("reset", WHO, writes=(Write("m", (A,), ite(eq(A, WHO.ref), number(1), number(7)), (A,)),))
    s = system(bulk)
    result = step(s, initial(s, start=[Cell("m", ("bob",), 3)]), ask("reset", principal="alice"))
    assert result.changes == (
        Change("m", ("*",), 100, 7),
        Change("m", ("alice",), 100, 1),
        Change("m", ("bob",), 3, 7),
    )
    assert [result.state.read("m", (x,)) for x in ("alice", "bob", "never seen")] == [1, 7, 7]


def test_one_who_stays_where_everyone_else_changes_is_listed() -> None:
    bulk = act("reset", WHO, writes=(Write("m", (A,), ite(eq(A, WHO.ref), number(100), number(7)), (A,)),))
    s = system(bulk)
    result = step(s, initial(s), ask("reset", principal="alice"))
    assert result.changes == (Change("m", ("*",), 100, 7), Change("m", ("alice",), 100, 100))


def test_a_write_for_everyone_also_reaches_whom_the_same_step_names() -> None:
    both = act(
        "both", WHO, writes=(Write("m", (WHO.ref,), number(1)), Write("m", (A,), number(7), (A,)), Write("n", (), ZERO))
    )
    other = act("other", WHO, writes=(Write("m", (A,), number(7), (A,)), Write("m", (WHO.ref,), number(1))))
    s = system(both, other)
    assert step(s, initial(s), ask("both", principal="alice")).state.read("m", ("alice",)) == 7
    assert step(s, initial(s), ask("other", principal="alice")).state.read("m", ("alice",)) == 1


def test_everyone_may_become_a_value_of_their_own() -> None:
    own = act("own", writes=(Write("owner", (A,), A, (A,)),))
    give = act("give", WHO, OTHER, writes=(Write("owner", (WHO.ref,), OTHER.ref),))
    injective = forall(A, forall(B, implies(eq(select(OWNER.ref, A), select(OWNER.ref, B)), eq(A, B))))
    s = system(own, give)
    owned = step(s, initial(s), ask("own"))
    assert owned.changes == (Change("owner", ("*",), "", "*"),)
    assert [owned.state.read("owner", (x,)) for x in ("alice", "zoe")] == ["alice", "zoe"]
    assert evaluate(injective, owned.state) is True
    given_ = step(s, owned.state, ask("give", principal="alice", other="bob"))
    assert given_.changes == (Change("owner", ("alice",), "alice", "bob"),)
    assert given_.state.read("owner", ("bob",)) == "bob"
    assert evaluate(injective, given_.state) is False
    assert initial(s, start=tuple(given_.state.cells())) == given_.state


def test_a_bulk_write_over_two_binders_of_one_sort_is_refused() -> None:
    grid = StateVar("grid", (BOT, BOT), INT, ZERO)
    s = system(act("fill", writes=(Write("grid", (A, B), number(1), (A, B)),)), state=(grid,))
    with pytest.raises(FaultError):
        step(s, initial(s), ask("fill"))


def test_the_first_kind_of_guard_that_fails_gives_the_reason() -> None:
    flags = tuple(Input(k.value, BOOL) for k in GuardKind)
    guards = [Guard(k, Ref(k.value, BOOL, Space.INPUT), f"by {k.value}", f"r_{k.value}") for k in GuardKind]
    # The interpreter does not rely on the order in which they stand.
    s = system(act("a", *flags, guards=tuple(reversed(guards))))
    for i, kind in enumerate(GuardKind):
        inputs = {k.value: j < i for j, k in enumerate(GuardKind)}
        found = step(s, initial(s), Request("a", inputs)).decision
        assert found.effect == ("pending" if kind is GuardKind.APPROVE else "deny")
        assert found.reason == f"by {kind.value}"
        assert found.rules == (() if kind is GuardKind.PERMIT else (f"r_{kind.value}",))
    assert step(s, initial(s), Request("a", {k.value: True for k in GuardKind})).decision == Decision("allow")


def test_rules_that_determine_the_answer_are_named_once_and_in_order() -> None:
    x = Input("x", INT)
    small, big = lt(x.ref, number(3)), lt(number(5), x.ref)
    guards = (
        Guard(GuardKind.FORBID, negate(small), "too small", "small"),
        Guard(GuardKind.FORBID, negate(lt(x.ref, number(2))), "far too small", "tiny"),
        Guard(GuardKind.PERMIT, disj(big, le(x.ref, number(4))), "nothing permits it", "large, middling"),
    )
    rules = (
        RuleUse("large", "permit", big),
        RuleUse("middling", "permit", le(x.ref, number(9))),
        RuleUse("small", "forbid", small),
    )
    s = system(act("a", x, guards=guards, rules=rules))
    answers = [step(s, initial(s), ask("a", x=v)).decision for v in (1, 2, 5, 6, 10)]
    assert [(d.effect, d.rules, d.reason) for d in answers] == [
        ("deny", ("small", "tiny"), "too small"),
        ("deny", ("small",), "too small"),
        ("deny", (), "nothing permits it"),
        ("allow", ("large", "middling"), ""),
        ("allow", ("large",), ""),
    ]


def test_obligations_go_with_the_answer_and_their_condition() -> None:
    x = Input("x", INT)
    obligations = tuple(
        Obligation(e.value, (WHO.ref, add(x.ref, number(1))), lt(x.ref, number(9)), e, "r") for e in Effect
    )
    guards = (need(lt(ZERO, x.ref)), Guard(GuardKind.APPROVE, negate(eq(x.ref, number(5))), "ask"))
    s = system(act("a", WHO, x, guards=guards, obligations=obligations))
    found = [step(s, initial(s), ask("a", principal="p", x=v)).decision.obligations for v in (0, 5, 7, 9)]
    assert found == [(("deny", ("p", 1)),), (("pending", ("p", 6)),), (("allow", ("p", 8)),), ()]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ask("b"), "unknown action"),
        (ask("a", principal="p", x=1, e="X"), "missing input"),
        (ask("a", principal="p", x=True, e="X", s=""), "ill-typed input"),
        (ask("a", principal="p", x="1", e="X", s=""), "ill-typed input"),
        (ask("a", principal=1, x=1, e="X", s=""), "ill-typed input"),
        (ask("a", principal="*", x=1, e="X", s=""), "ill-typed input"),
        (ask("a", principal="p", x=1, e="Z", s=""), "ill-typed input"),
        (ask("a", principal="p", x=1, e="X", s=3), "ill-typed input"),
        (ask("a", principal="p", x=1, e="X", s="", y=2), "unknown input"),
        (ask("a", principal="p", x=1, e="X", s="*"), None),
    ],
)
def test_requests_that_the_system_does_not_know_are_denied(request_: Request, reason: str | None) -> None:
    e = Input("e", EnumType("E", ("X", "Y")))
    s = system(act("a", WHO, Input("x", INT), e, Input("s", STRING), writes=(Write("n", (), number(1)),)))
    assert request_fault(s, request_) == reason
    result = step(s, initial(s), request_)
    assert result.decision == (Decision("deny", reason=reason) if reason else Decision("allow"))
    assert bool(result.changes) is (reason is None)


def test_quantifiers_see_individuals_that_nobody_has_named() -> None:
    s = initial(system(), start=[Cell("m", ("alice",), 1)])
    here = eq(select(M.ref, A), number(1))
    assert evaluate(forall(A, disj(here, eq(select(M.ref, A), number(100)))), s) is True
    assert evaluate(forall(A, here), s) is False
    assert evaluate(exists(A, here), s) is True
    assert evaluate(exists(A, eq(select(M.ref, A), number(2))), s) is False
    others = conj(negate(eq(A, B)), negate(eq(A, Const("alice", BOT))), negate(eq(B, Const("alice", BOT))))
    assert evaluate(exists(A, exists(B, others)), s) is True
    assert evaluate(forall(A, exists(B, negate(eq(A, B)))), s) is True
    c = Ref("c#0", BOT, Space.BOUND)
    assert evaluate(forall(A, forall(B, exists(c, conj(negate(eq(c, A)), negate(eq(c, B)))))), s) is True
    # An individual that only the formula mentions, or only the request.
    assert evaluate(exists(A, eq(A, Const("zoe", BOT))), s) is True
    assert evaluate(exists(A, eq(A, WHO.ref)), s, {"principal": "yan"}) is True
    assert evaluate(exists(A, eq(A, B)), s, {}, {"b#0": "xi"}) is True


def test_a_sum_is_over_all_individuals() -> None:
    s = initial(system(), start=[Cell("m", ("alice",), 1), Cell("m", ("bob",), 5)])
    there = negate(eq(select(M.ref, A), number(100)))
    assert evaluate(total(A, ite(there, select(M.ref, A), ZERO)), s) == 6
    with pytest.raises(FaultError):
        evaluate(total(A, select(M.ref, A)), s)


def test_the_next_state_is_read_apart() -> None:
    s = system(pay())
    before = initial(s)
    after = step(s, before, ask("pay", principal="alice", other="bob")).state
    lost = lt(select(M.next, WHO.ref), select(M.ref, WHO.ref))
    found = [evaluate(lost, before, {"principal": x}, after=after) for x in ("alice", "bob", "carol")]
    assert found == [True, False, False]
    assert evaluate(exists(A, lt(select(M.next, A), select(M.ref, A))), before, after=after) is True
    with pytest.raises(FaultError):
        evaluate(lost, before, {"principal": "alice"})


def test_shared_and_deep_terms_are_evaluated_once() -> None:
    e: Expr = N.ref
    for _ in range(5_000):
        e = ite(lt(e, number(3)), add(e, number(1)), sub(e, N.ref))
    assert evaluate(e, initial(system())) == 3


def test_parameters_and_free_cells() -> None:
    limit = Param("LIMIT", INT, number(3), 1, 5)
    types: tuple[Scalar, ...] = (BOOL, INT, STRING, STAGE, BOT)
    any_ = [StateVar(f"f{i}", (), t, None) for i, t in enumerate(types)]
    s = system(state=(StateVar("x", (BOT,), INT, add(limit.ref, number(1))), *any_), params=(limit,))
    assert initial(s).read("x", ("zoe",)) == 4
    assert initial(s, {"LIMIT": 5}).read("x", ("zoe",)) == 6
    found = [initial(s).read(v.name, ()) for v in any_]
    assert [(type(v), v) for v in found] == [(bool, False), (int, 0), (str, ""), (str, "Draft"), (str, "")]
    for bad in ({"LIMIT": 0}, {"LIMIT": 6}, {"LIMIT": True}, {"LIMIT": "3"}, {"OTHER": 1}):
        with pytest.raises(UnfitError):
            initial(s, bad)


@pytest.mark.parametrize(
    "cell",
    [
        Cell("nothing", (), 1),
        Cell("m", (), 1),
        Cell("m", ("a", "b"), 1),
        Cell("m", ("a",), True),
        Cell("m", ("a",), "1"),
        Cell("m", (1,), 1),  # type: ignore[arg-type]
        Cell("owner", ("a",), "*"),
        Cell("owner", ("a",), 1),
    ],
)
def test_cells_that_do_not_fit_are_refused(cell: Cell) -> None:
    with pytest.raises(UnfitError):
        initial(system(), start=[cell])


def test_a_cell_for_everyone_yields_to_one_for_somebody() -> None:
    some, every = Cell("pair", ("i1", "bob"), 3), Cell("pair", ("i1", "*"), 2)
    for start in ([some, every], [every, some]):
        state = initial(system(), start=start)
        assert [state.read("pair", k) for k in (("i1", "bob"), ("i1", "zoe"), ("i2", "bob"))] == [3, 2, 0]


def paid() -> tuple[System, Trace]:
    s = system(pay())
    sent = [ask("pay", principal=p, other=o) for p, o in (("alice", "bob"), ("bob", "alice"), ("carol", "carol"))]
    return s, run(s, [*sent, ask("pay", principal="poor", other="bob"), ask("steal")], start=[Cell("m", ("poor",), 1)])[
        0
    ]


def test_a_recorded_run_replays() -> None:
    s, trace = paid()
    assert [x.decision.effect for x in trace.steps] == ["allow", "allow", "allow", "deny", "deny"]
    assert replay(s, trace) == []
    assert len(states(s, trace)) == 6
    assert states(s, trace)[3].read("m", ("alice",)) == 100


def float_before(change: Change) -> Change:
    before: Any = float(change.before)
    return replace(change, before=before)


TAMPERED: dict[str, Callable[[Trace], Trace]] = {
    "effect": lambda t: first(t, decision=Decision("deny")),
    "reason": lambda t: first(t, decision=Decision("allow", reason="why not")),
    "rules": lambda t: first(t, decision=Decision("allow", ("r",))),
    "obligations": lambda t: first(t, decision=Decision("allow", obligations=(("log", ()),))),
    "no changes": lambda t: first(t, changes=()),
    "type of a value": lambda t: first(t, changes=(float_before(t.steps[0].changes[0]), t.steps[0].changes[1])),
    "input": lambda t: first(t, inputs=(("principal", "alice"), ("other", "carol"))),
    "action": lambda t: first(t, action="give"),
    "start": lambda t: replace(t, start=(Cell("m", ("alice",), 1),)),
    "unknown start": lambda t: replace(t, start=(Cell("z", (), 1),)),
    "params": lambda t: replace(t, params=(("P", 1),)),
    "lost step": lambda t: replace(t, steps=(t.steps[1], *t.steps[1:])),
}


def first(t: Trace, **changes: Any) -> Trace:
    return replace(t, steps=(replace(t.steps[0], **changes), *t.steps[1:]))


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_run_that_was_tampered_with_does_not_replay(change: Callable[[Trace], Trace]) -> None:
    s, trace = paid()
    assert replay(s, change(trace)) != []


def test_only_free_variables_may_start_otherwise() -> None:
    free = StateVar("free", (BOT,), INT, None)
    s = system(state=(M, free))
    trace = run(s, [], start=[Cell("free", ("a",), 3)])[0]
    assert start_faults(s, trace) == []
    assert start_faults(s, replace(trace, start=(Cell("m", ("a",), 100),))) == []
    assert start_faults(s, replace(trace, start=(Cell("m", ("a",), 99),))) != []
    assert start_faults(s, replace(trace, start=(Cell("m", ("*",), 99),))) != []
    assert start_faults(s, replace(trace, params=(("P", 1),))) != []


def test_where_a_property_breaks() -> None:
    x = Ref("x", INT, Space.INPUT)
    guards = (need(lt(x, number(9))), Guard(GuardKind.ASSUME, le(ZERO, x), "range"))
    tick = act("tick", Input("x", INT), guards=guards, writes=(Write("n", (), add(N.ref, number(1))),))
    s = system(tick, act("rest"))
    trace = run(s, [ask("rest"), ask("tick", x=9), ask("tick", x=-1), ask("tick", x=1), ask("tick", x=2)])[0]
    same = eq(N.next, N.ref)

    def at(kind: PropertyKind, e: Expr, action: str = "") -> int | None:
        return violated(s, Property("p", kind, e, action=action), trace)

    assert at(PropertyKind.INVARIANT, TRUE) is None
    assert at(PropertyKind.INVARIANT, lt(ZERO, N.ref)) == 0
    assert at(PropertyKind.LEMMA, lt(N.ref, number(2))) == 5
    assert at(PropertyKind.REACHABLE, eq(N.ref, number(1))) == 4
    assert at(PropertyKind.REACHABLE, eq(N.ref, number(7))) is None
    # The second request is denied and still asserted about; the third is outside what is assumed.
    assert at(PropertyKind.ASSERT, lt(x, number(9)), "tick") == 2
    assert at(PropertyKind.ASSERT, le(ZERO, x), "tick") is None
    assert at(PropertyKind.ASSERT, FALSE, "rest") == 1
    # Steps are allowed steps.
    assert at(PropertyKind.STEP, same, "tick") == 4
    assert at(PropertyKind.STEP, same, "rest") is None
    assert at(PropertyKind.STEP, same) == 4
    assert at(PropertyKind.STEP, eq(x, number(1)), "tick") == 5
    assert at(PropertyKind.LEADS_TO, FALSE) is None


def test_time_is_an_input_and_a_variable() -> None:
    clock, now = StateVar(CLOCK, (), INT, ZERO, Origin.CLOCK), Input(NOW, INT)
    guard = Guard(GuardKind.ASSUME, le(clock.ref, now.ref), "the clock went back")
    s = system(act("tick", now, guards=(guard,), writes=(Write(CLOCK, (), now.ref),)), state=(clock,))
    trace, state = run(s, [ask("tick", now=5), ask("tick", now=4), ask("tick", now=5)])
    assert s.timed
    assert [x.decision.reason for x in trace.steps] == ["", "the clock went back", ""]
    assert state.read(CLOCK, ()) == 5
