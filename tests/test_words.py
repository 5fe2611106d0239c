"""Core terms, steps and changes in words: what an author would have written, and the parser reads back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import BOT, ITEM, STAGE, Shape, environment, exprs, systems

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
    forall,
    implies,
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
from policydsl.core.system import (
    CLOCK,
    NOW,
    Action,
    Guard,
    GuardKind,
    Input,
    Origin,
    Param,
    PropertyKind,
    RuleUse,
    StateVar,
    Sum,
    System,
    Write,
)
from policydsl.core.types import BOOL, INT, STRING, EntityType, MapType, Scalar, Value
from policydsl.diagnostics import Report
from policydsl.interp import Request, run
from policydsl.load import load
from policydsl.to_words import (
    describe_cells,
    describe_change,
    describe_changes,
    describe_step,
    duration_words,
    value_words,
    words,
)
from policydsl.trace import Cell, Change, Decision, Step

SPECS = Path(__file__).parent.parent / "specs"

A, B = Ref("a#1", BOT, Space.BOUND), Ref("b#2", BOT, Space.BOUND)
P = Ref("p#3", ITEM, Space.BOUND)
M = Ref("m", MapType((BOT,), INT), Space.STATE)
X, Y = Ref("x", INT, Space.STATE), Ref("y", INT, Space.INPUT)
T = Ref("text", STRING, Space.INPUT)
HAS, VALUE = Ref("boss.has", MapType((ITEM,), BOOL), Space.STATE), Ref("boss.value", MapType((ITEM,), BOT), Space.STATE)
HAS2, VALUE2 = Ref("other.has", BOOL, Space.INPUT), Ref("other.value", BOT, Space.INPUT)
WHERE = Ref("stage", MapType((ITEM,), STAGE), Space.STATE)
SMALL, BIG = lt(X, number(3)), lt(number(5), X)
DRAFT, OPEN = Const("Draft", STAGE), Const("Open", STAGE)
ROOT = Const("root", BOT)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (le(select(M, B), number(1000)), "m[b] <= 1_000"),
        (TRUE, "true"),
        (string('a "b" \\ \n'), '"a \\"b\\" \\\\ \\n"'),
        (eq(select(WHERE, P), OPEN), "stage[p] == Open"),
        (negate(eq(select(WHERE, P), OPEN)), "stage[p] != Open"),
        (disj(eq(select(WHERE, P), OPEN), eq(select(WHERE, P), DRAFT)), "stage[p] in {Open, Draft}"),
        (disj(eq(select(WHERE, P), OPEN), eq(X, ZERO)), "stage[p] == Open or x == 0"),
        (negate(SMALL), "x >= 3"),
        (negate(le(X, Y)), "x > y"),
        (negate(conj(SMALL, BIG)), "not (x < 3 and 5 < x)"),
        (negate(Ref("flag", BOOL, Space.STATE)), "not flag"),
        (disj(conj(SMALL, BIG), SMALL), "x < 3 and 5 < x or x < 3"),
        (conj(disj(SMALL, BIG), SMALL), "(x < 3 or 5 < x) and x < 3"),
        (implies(SMALL, implies(BIG, SMALL)), "x < 3 implies 5 < x implies x < 3"),
        (implies(implies(BIG, SMALL), SMALL), "(5 < x implies x < 3) implies x < 3"),
        (eq(SMALL, implies(BIG, SMALL)), "x < 3 iff 5 < x implies x < 3"),
        (eq(eq(SMALL, BIG), SMALL), "(x < 3 iff 5 < x) iff x < 3"),
        (add(X, Y, number(-3)), "x + y - 3"),
        (sub(X, add(X, Y)), "x - (x + y)"),
        (sub(sub(X, Y), X), "x - y - x"),
        (arith(Op.MUL, number(3), add(X, Y)), "3 * (x + y)"),
        (add(arith(Op.MUL, number(3), X), Y), "3 * x + y"),
        (arith(Op.MOD, arith(Op.DIV, X, number(3)), number(2)), "x / 3 % 2"),
        (arith(Op.DIV, X, arith(Op.MUL, X, number(2))), "x / (x * 2)"),
        (arith(Op.MIN, X, add(X, Y)), "min(x, x + y)"),
        (ite(SMALL, X, ite(BIG, Y, X)), "if x < 3 then x else (if 5 < x then y else x)"),
        (add(X, ite(SMALL, X, Y)), "x + (if x < 3 then x else y)"),
        (forall(A, exists(B, eq(A, B))), "forall a: Bot . exists b: Bot . a == b"),
        (forall(A, forall(P, SMALL)), "forall a: Bot, p: Item . x < 3"),
        (conj(forall(A, eq(A, ROOT)), SMALL), "(forall a: Bot . a == root) and x < 3"),
        (total(A, select(M, A)), "sum(a: Bot . m[a])"),
        (total(A, ite(SMALL, select(M, A), ZERO)), "sum(a: Bot where x < 3 . m[a])"),
        (total(A, ite(eq(A, B), number(1), ZERO)), "count(a: Bot where a == b)"),
        (select(HAS, P), "boss[p] has value"),
        (negate(select(HAS, P)), "boss[p] == none"),
        (conj(select(HAS, P), eq(select(VALUE, P), B)), "boss[p] == b"),
        (conj(SMALL, eq(ROOT, select(VALUE, P)), select(HAS, P)), "x < 3 and boss[p] == root"),
        (negate(conj(select(HAS, P), eq(select(VALUE, P), B))), "boss[p] != b"),
        (conj(select(HAS, P), negate(eq(select(VALUE, P), B))), "boss[p] has value and boss[p] != b"),
        (
            conj(eq(select(HAS, P), HAS2), implies(HAS2, eq(select(VALUE, P), VALUE2)), SMALL),
            "boss[p] == other and x < 3",
        ),
        (negate(conj(eq(select(HAS, P), HAS2), implies(HAS2, eq(select(VALUE, P), VALUE2)))), "boss[p] != other"),
        (select(Ref("rec.size", MapType((BOT,), INT), Space.STATE), A), "rec[a].size"),
        (Ref("found.Shell", BOOL, Space.INPUT), "Shell in found"),
        (negate(Ref("found.Shell", BOOL, Space.INPUT)), "not Shell in found"),
        (matches(T, "a\\.b"), 'text == "a.b"'),
        (matches(T, "ab.*"), 'text starts with "ab"'),
        (matches(T, ".*ab"), 'text ends with "ab"'),
        (matches(T, ".*bit\\.ly/.*"), 'text contains "bit.ly/"'),
        (matches(T, "a.b.*"), 'text like "a?b*"'),
        (matches(T, ".*"), 'text like "*"'),
        (matches(T, "a\\*.*"), 'text matches "a\\\\*.*"'),
        (matches(T, "[ab]+"), 'text matches "[ab]+"'),
        (le(select(M, B), select(Ref("m", M.type, Space.NEXT), B)), "old(m[b]) <= m[b]"),
    ],
)
def test_words(expr: Expr, text: str) -> None:
    assert words(expr) == text


def test_bound_names_do_not_collide() -> None:
    others = [Ref(f"a#{i}", BOT, Space.BOUND) for i in (7, 8)]
    found = forall(A, forall(others[0], exists(others[1], conj(eq(A, others[0]), eq(A, others[1])))))
    assert words(found) == "forall a: Bot, a2: Bot . exists a3: Bot . a == a2 and a == a3"
    assert words(forall(A, eq(A, Ref("a", BOT, Space.INPUT)))) == "forall a2: Bot . a2 == a"
    ghost = Ref("sum:weight(p).each", BOT, Space.BOUND)
    assert words(forall(ghost, eq(ghost, B))) == "forall b: Bot . b == b2"


def test_other_names() -> None:
    assert words(le(select(M, B), X), {"m": "reputation", "x": "limit"}) == "reputation[b] <= limit"


def test_step_properties_need_not_mention_the_state_after() -> None:
    assert words(le(select(M, B), X), step=True) == "old(m[b]) <= old(x)"
    assert words(le(select(M, B), Y)) == "m[b] <= y"


def test_huge_terms_are_cut() -> None:
    e: Expr = X
    for _ in range(64):
        e = ite(lt(e, number(3)), add(e, number(1)), sub(e, X))
    assert words(le(e, ZERO)) == "... <= 0"
    assert words(implies(conj(SMALL, lt(e, ZERO)), BIG)) == "x < 3 and ... < 0 implies 5 < x"


def clocked() -> System:
    """`end[item] := now + wait`, with a group, a running sum and an approval."""
    clock, now = StateVar(CLOCK, (), INT, ZERO, Origin.CLOCK), Input(NOW, INT)
    end, wait = StateVar("end", (ITEM,), INT, ZERO), StateVar("wait", (), INT, number(60_000))
    votes, group = StateVar("votes", (ITEM, BOT), INT, ZERO), StateVar("Admins", (BOT,), BOOL, None, Origin.GROUP)
    ghost = StateVar("sum:votes(i#9)", (ITEM,), INT, ZERO, Origin.GHOST)
    boss = [StateVar("boss.has", (ITEM,), BOOL, FALSE), StateVar("boss.value", (ITEM,), BOT, Const("", BOT))]
    who, item = Input("principal", BOT), Input("item", ITEM)
    options = (Input("to.has", BOOL), Input("to.value", BOT), Input("found.Shell", BOOL), Input("found.Mail", BOOL))
    approve = (Input("approved_ok", BOOL), Input("asked_ok", INT))
    asked = approve[1].ref
    fresh = conj(le(asked, now.ref), lt(sub(now.ref, asked), number(600_000)))
    guard = Guard(GuardKind.APPROVE, fresh, "ask", "ok")
    writes = (
        Write("end", (item.ref,), add(now.ref, wait.ref)),
        Write(CLOCK, (), now.ref),
        Write("boss.has", (item.ref,), options[0].ref),
        Write("boss.value", (item.ref,), options[1].ref),
    )
    act = Action("open", (who, item, *options, *approve, now), (guard,), writes, (RuleUse("ok", "approve", TRUE),))
    i, b = Ref("i#9", ITEM, Space.BOUND), Ref("sum:votes(i#9).each", BOT, Space.BOUND)
    return System(
        "clocked",
        (Param("delay", INT, number(5_000)), Param("size", INT, ZERO)),
        (clock, end, wait, votes, group, ghost, *boss),
        (act,),
        (),
        (Sum("sum:votes(i#9)", (i,), b, select(votes.ref, i, b)),),
    )


def test_a_system_tells_times_groups_and_sums() -> None:
    s = clocked()
    end, wait, clock = (s.variable(n).ref for n in ("end", "wait", CLOCK))
    admins, ghost = s.variable("Admins").ref, s.variable("sum:votes(i#9)")
    assert words(le(add(select(end, P), number(86_400_000)), clock), system=s) == "end[p] + 24h <= clock"
    assert words(le(sub(clock, select(end, P)), number(90_000)), system=s) == "clock - end[p] <= 90s"
    assert words(eq(wait, ZERO), system=s) == "wait == 0s"
    assert words(eq(select(s.variable("boss.value").ref, P), A), system=s) == "boss[p] == a"
    assert words(sub(clock, wait), system=s) == words(add(clock, arith(Op.MUL, number(-1), wait)), system=s)
    assert words(eq(select(end, P), ZERO), system=s) == "end[p] == 0s"
    assert words(add(select(end, P), number(-60_000)), system=s) == "end[p] - 1m"
    assert words(le(Ref("size", INT, Space.PARAM), number(60_000)), system=s) == "size <= 60_000"
    assert words(conj(select(admins, A), SMALL), system=s) == "a in Admins and x < 3"
    assert words(le(select(ghost.ref, P), X), system=s) == "sum(b: Bot . votes[p, b]) <= x"
    assert words(le(select(ghost.next, P), X), system=s) == "sum(b: Bot . votes[p, b]) <= old(x)"


def test_durations() -> None:
    found = [duration_words(n) for n in (0, 250, 1_000, 90_000, 300_000, 86_400_000, 172_800_000, 604_800_000, -60_000)]
    assert found == ["0s", "250ms", "1s", "90s", "5m", "24h", "2d", "7d", "-1m"]


def test_steps_and_changes() -> None:
    s = clocked()

    def ask(at: int, **more: Value) -> Request:
        inputs: dict[str, Value] = {"principal": "bob", "item": "p1", "to.has": False, "to.value": "", "now": at}
        inputs |= {"found.Shell": False, "found.Mail": True, "approved_ok": False, "asked_ok": 0}
        return Request("open", inputs | {k.replace("__", "."): v for k, v in more.items()})

    sent = [
        ask(60_000),
        ask(120_000, to__has=True, to__value="alice", approved_ok=True, asked_ok=60_000),
        ask(120_000, to__has=True, to__value="carol"),
        ask(120_000, to__value="carol"),
        ask(900_000),
    ]
    trace, _ = run(s, sent)
    assert [describe_step(x, s) for x in trace.steps] == [
        "at 1m open(bob, p1, none, {Mail})",
        "at 2m open(bob, p1, alice, {Mail}) with ok approved (asked at 1m)",
        "at 2m open(bob, p1, carol, {Mail})",
        "at 2m open(bob, p1, none, {Mail})",
        "at 15m open(bob, p1, none, {Mail})",
    ]
    assert [x.decision.effect for x in trace.steps] == ["allow"] * 4 + ["pending"]
    assert [describe_changes(x.changes, s) for x in trace.steps] == [
        ["end[p1]: 0s -> 2m"],
        ["boss[p1]: none -> alice", "end[p1]: 2m -> 3m"],
        ["boss[p1]: alice -> carol"],
        ["boss[p1]: some -> none"],
        [],
    ]
    assert describe_changes(trace.steps[0].changes, s, everything=True) == ["clock: 0s -> 1m", "end[p1]: 0s -> 2m"]


def test_what_is_not_known_of_an_option() -> None:
    s = clocked()
    gone = (Change("boss.has", ("p1",), True, False),)
    assert describe_changes(gone, s) == ["boss[p1]: some -> none"]
    before = run(s, [], start=[Cell("boss.has", ("p1",), True), Cell("boss.value", ("p1",), "bob")])[1]
    assert describe_changes(gone, s, before) == ["boss[p1]: bob -> none"]


def test_cells_and_single_changes() -> None:
    s = clocked()
    cells = [
        Cell("Admins", ("bob",), True),
        Cell("Admins", ("alice",), False),
        Cell("boss.has", ("p1",), True),
        Cell("boss.value", ("p1",), "bob"),
        Cell("boss.has", ("p2",), False),
        Cell("end", ("",), 60_000),
        Cell("votes", ("p1", "*"), 20_000),
    ]
    assert describe_cells(cells, s) == [
        "bob in Admins",
        "not alice in Admins",
        "boss[p1] = bob",
        "boss[p2] = none",
        'end[""] = 1m',
        "votes[p1, *] = 20_000",
    ]
    assert describe_change(Change("votes", ("p1", "bob"), 0, 100), s) == "votes[p1, bob]: 0 -> 100"
    assert describe_change(Change("Admins", ("bob",), False, True), s) == "bob in Admins: false -> true"


def test_a_step_that_the_system_does_not_know() -> None:
    step = Step("nothing", (("a", 1), ("b", "x")), Decision("deny"), ())
    assert describe_step(step, clocked()) == "nothing(1, x)"


@pytest.mark.parametrize(
    ("value", "type", "text"),
    [(True, BOOL, "true"), (-12_345, INT, "-12_345"), ("*", BOT, "itself"), ("*", STRING, '"*"'), ("", BOT, '""')],
)
def test_values(value: Value, type: Scalar, text: str) -> None:
    assert value_words(value, type) == text


def shape(e: Expr) -> Any:
    """A term up to the names of what it binds, and with `not a <= b` as `b < a`."""

    def go(e: Expr, bound: dict[str, int]) -> Any:
        match e:
            case Const():
                return e.value, str(e.type)
            case Ref():
                return bound.get(e.name, e.name), e.space
            case Apply(op=Op.NOT, args=(Apply(op=Op.LE | Op.LT, args=(a, b)) as order,)):
                return Op.LT if order.op is Op.LE else Op.LE, go(b, bound), go(a, bound)
            case Apply(op=Op.FORALL | Op.EXISTS | Op.SUM, args=(Ref() as binder, body)):
                return e.op, str(binder.type), go(body, {**bound, binder.name: len(bound)})
            case Apply():
                return e.op, *(go(a, bound) for a in e.args)

    return go(e, {})


KEYWORDS = {
    PropertyKind.INVARIANT: "invariant",
    PropertyKind.LEMMA: "invariant",
    PropertyKind.REACHABLE: "reachable",
    PropertyKind.STEP: "step",
}


@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.policy")), ids=lambda p: p.stem)
def test_the_words_of_a_property_say_the_property(path: Path) -> None:
    """Every property of the shipped policies, written in words, appended to its policy, and lowered again."""

    def read(text: str) -> list[System]:
        report = Report()
        found = load([str(path)], lambda p: text if p == str(path) else Path(p).read_text("utf-8"), report)
        assert not report.failed, [f"{d.code} {d.text}" for d in report.sorted()]
        return [p.system for p in found]

    text = path.read_text("utf-8")
    (system,) = read(text)
    props = [p for p in system.properties if p.kind in KEYWORDS]
    for i, p in enumerate(props):
        on = f" on {p.action}" if p.action else ""
        said = words(p.expr, system=system, step=p.kind is PropertyKind.STEP)
        text += f"\n{KEYWORDS[p.kind]} in_words_{i}{on}: {said}\n"
    (again,) = read(text)
    found = {p.name: p.expr for p in again.properties}
    for i, p in enumerate(props):
        assert shape(found[f"in_words_{i}"]) == shape(p.expr), p.name


ENV = environment(
    (
        StateVar("m", (BOT,), INT, ZERO),
        StateVar("pair", (ITEM, BOT), INT, ZERO),
        StateVar("boss", (BOT,), BOT, ROOT),
        StateVar("stage", (ITEM,), STAGE, DRAFT),
        StateVar("x", (), INT, ZERO),
        StateVar("flag", (), BOOL, FALSE),
        StateVar("who", (), BOT, ROOT),
        StateVar("what", (), ITEM, Const("first", ITEM)),
    ),
    (),
    (),
    (ROOT, Const("first", ITEM)),
    Shape(strings=False, quantifiers=2),
)
HEADER = """
entity Bot { root }
entity Item { first }
enum Stage { Draft, Open, Done }
state m : Bot -> Int = 0
state pair : (Item, Bot) -> Int = 0
state boss : Bot -> Bot = root
state stage : Item -> Stage = Draft
state x : Int = 0
state flag : Bool = false
state who : Bot = root
state what : Item = first
"""


@settings(max_examples=100, deadline=None)
@given(st.lists(exprs(BOOL, ENV, 3), min_size=1, max_size=5))
def test_words_read_back(found: list[Expr]) -> None:
    text = HEADER + "\n".join(f"invariant w{i}: {words(e)}" for i, e in enumerate(found))
    report = Report()
    programs = load(["w.policy"], {"w.policy": text}.__getitem__, report)
    assert programs, (text, [f"{d.code} {d.text}" for d in report.sorted()])
    again = {p.name: p.expr for p in programs[0].system.properties}
    for i, e in enumerate(found):
        assert shape(again[f"w{i}"]) == shape(e)


@settings(max_examples=50, deadline=None)
@given(systems())
def test_everything_has_words(s: System) -> None:
    for p in s.properties:
        assert words(p.expr, system=s)
    for a in s.actions:
        for g in a.guards:
            assert "#" not in words(g.expr, system=s)


def test_strategies_and_policy_agree_on_names() -> None:
    assert EntityType("Bot") == BOT
    assert EntityType("Item") == ITEM
