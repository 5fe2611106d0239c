"""The diff of two versions: against a search through all runs of small systems, and edit by edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_rules import (
    INPUTS,
    MOST,
    REPRESENTATIVES,
    ROLE,
    Draw,
    action,
    conditions,
    forbid,
    level,
    matching,
    night,
    permit,
    require,
    role,
    rules,
    system,
    word,
)
from strategies import Shape, requests, systems

from policydsl.core.expr import (
    FALSE,
    TRUE,
    Const,
    Expr,
    Ref,
    Space,
    add,
    case,
    conj,
    disj,
    eq,
    exists,
    forall,
    ite,
    le,
    lt,
    negate,
    number,
    select,
    string,
)
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
    RuleUse,
    StateVar,
    System,
    Write,
)
from policydsl.core.types import BOOL, INT, EntityType, EnumType
from policydsl.interp import Request, State, decide, initial, replay, start_faults, step
from policydsl.trace import Cell
from verifier.bounded import Limits
from verifier.diff import Diff, Difference, Kind, Shown, VerdictChange, diff
from verifier.diff_cases import simplified
from verifier.diff_small import Play, Shrinker
from verifier.verdict import Outcome, Proved, Refuted, Unknown, Verification

BOT = EntityType("Bot")
principal = Input("principal", BOT)
ADMIN, GUEST = (eq(role.ref, case(ROLE, c)) for c in ("Admin", "Guest"))


def by_kind(d: Diff) -> dict[tuple[str, Kind], Difference]:
    return {(x.action, x.kind): x for x in d.differences}


def texts(d: Diff) -> list[str]:
    return [f"{e.what} {e.name} {e.how}" for e in d.edits]


def shown(d: Diff, name: str, kind: Kind) -> Difference:
    found = by_kind(d)[name, kind]
    assert found.shown is Shown.RUN
    return found


def confirmed(old: System, new: System, d: Difference) -> None:
    """The traces are what the interpreters do, from initial states, with the same requests, differing as claimed."""
    assert d.old is not None
    assert d.new is not None
    assert replay(old, d.old) == replay(new, d.new) == []
    before = [s.decision.effect for t in (d.old, d.new) for s in t.steps[:-1]]
    assert set(before) <= {"allow"}
    assert [s.action for s in d.old.steps] == [s.action for s in d.new.steps]
    for a, b in zip(d.old.steps, d.new.steps, strict=True):
        both = dict(a.inputs).keys() & dict(b.inputs).keys()
        assert all(repr(dict(a.inputs)[n]) == repr(dict(b.inputs)[n]) for n in both)
    last = [t.steps[-1].decision for t in (d.old, d.new)]
    match d.kind:
        case Kind.ALLOWED | Kind.DENIED | Kind.PENDING:
            effect = {Kind.ALLOWED: "allow", Kind.DENIED: "deny", Kind.PENDING: "pending"}[d.kind]
            assert last[1].effect == effect != last[0].effect
        case Kind.OBLIGATIONS:
            assert last[0].effect == last[1].effect
            assert set(last[0].obligations) != set(last[1].obligations)
        case Kind.EFFECTS:
            assert last[0].effect == last[1].effect == "allow"
            assert d.old.steps[-1].changes != d.new.steps[-1].changes
    if d.shown is Shown.RUN:
        assert start_faults(old, d.old) == start_faults(new, d.new) == []


# Without state: all requests


def answers(s: System) -> list[tuple[str, frozenset[Any]]]:
    start = initial(s)
    decisions = [decide(s, start, Request("act", r)) for r in REPRESENTATIVES]
    return [(d.effect, frozenset(d.obligations)) for d in decisions]


def ways(old: System, new: System) -> set[Kind]:
    """How answers to single requests differ, by trying all of them."""
    found = set()
    for (a, x), (b, y) in zip(answers(old), answers(new), strict=True):
        if a != b:
            found.add({"allow": Kind.ALLOWED, "deny": Kind.DENIED, "pending": Kind.PENDING}[b])
        elif x != y:
            found.add(Kind.OBLIGATIONS)
    return found


obliged = st.tuples(
    st.sampled_from(("notify", "log")), st.sampled_from((level.ref, number(1))), st.sampled_from(list(Effect))
)


@st.composite
def policies(draw: Draw) -> System:
    """Rules, a requirement, a rule that asks a human, and obligations, over one small action."""
    uses = draw(rules(most=4))
    asking = RuleUse("ask", "approve", draw(conditions))
    human = Guard(GuardKind.APPROVE, negate(asking.condition), "asks a human", "ask")
    noted = [
        Obligation(
            draw(st.sampled_from(("notify", "log"))),
            (draw(st.sampled_from((level.ref, number(1)))),),
            draw(conditions),
            e,
        )
        for e in draw(st.lists(st.sampled_from(list(Effect)), max_size=2))
    ]
    guards = [require(draw(conditions)), *([human] if draw(st.booleans()) else [])]
    return system(action([*uses, asking], guards, obligations=noted))


@settings(max_examples=60, deadline=None)
@given(policies(), policies(), st.integers(0, 3))
def test_differences_are_those_of_trying_all_requests(old: System, other: System, keep: int) -> None:
    a, b = old.actions[0], other.actions[0]
    mixed = [
        replace(a, guards=b.guards),
        replace(a, obligations=b.obligations),
        b,
        replace(a, guards=(*a.guards[:3], *b.guards[3:])),
    ]
    new = system(mixed[keep])
    d = diff(old, new)
    assert {x.kind for x in d.differences} == ways(old, new)
    for x in d.differences:
        assert x.shown is Shown.RUN
        confirmed(old, new, x)


@settings(max_examples=200, deadline=None)
@given(st.lists(conditions, min_size=1, max_size=6))
def test_cutting_down_keeps_the_meaning(parts: list[Expr]) -> None:
    cut = simplified(parts)
    assert matching(conj(*parts)) == (frozenset() if cut is None else matching(conj(*cut)))


def test_cutting_down_leaves_only_rules_that_can_meet() -> None:
    uses = [conj(eq(role.ref, case(ROLE, c)), le(level.ref, number(i))) for c in ROLE.cases for i in range(20)]
    edited = [*uses[:-1], conj(GUEST, le(level.ref, number(40)))]
    cut = simplified([disj(*edited), negate(disj(*uses))])
    assert cut is not None
    assert not any(ADMIN in (e, *getattr(e, "args", ())) for e in cut)


# With state: all runs

STAGE = EnumType("Stage", ("Draft", "Open", "Done"))
stage = StateVar("stage", (), STAGE, case(STAGE, "Draft"))
flag = StateVar("flag", (), BOOL, FALSE)
count = StateVar("count", (), INT, number(0))
STATE = (stage, flag, count)
say = Input("say", BOOL)
MOVES = [Request(a, {"say": b}) for a, b in product(("a0", "a1"), (False, True))]

UP = ite(lt(count.ref, number(2)), add(count.ref, number(1)), number(2))
facts = st.one_of(
    st.sampled_from([eq(stage.ref, case(STAGE, c)) for c in STAGE.cases]),
    st.sampled_from([flag.ref, negate(flag.ref), say.ref, negate(say.ref), TRUE]),
    st.sampled_from([lt(count.ref, number(n)) for n in (1, 2)] + [le(number(n), count.ref) for n in (1, 2)]),
)
writes_ = st.one_of(
    st.sampled_from([Write("stage", (), case(STAGE, c)) for c in STAGE.cases]),
    st.sampled_from([Write("flag", (), e) for e in (TRUE, FALSE, say.ref, negate(flag.ref))]),
    st.sampled_from(
        [
            Write("count", (), e)
            for e in (number(0), number(1), ite(lt(count.ref, number(2)), add(count.ref, number(1)), number(2)))
        ]
    ),
)


@st.composite
def machines(draw: Draw) -> System:
    """Two actions over finitely many states."""
    actions = []
    for name in ("a0", "a1"):
        guards = [Guard(GuardKind.REQUIRE, draw(facts), f"g{i}") for i in range(draw(st.integers(0, 2)))]
        if draw(st.integers(0, 3)) == 0:
            guards.append(Guard(GuardKind.APPROVE, draw(facts), "asks a human", "ask"))
        actions.append(Action(name, (say,), tuple(guards), tuple(draw(st.lists(writes_, max_size=2)))))
    return System("machine", (), STATE, tuple(actions), ())


@st.composite
def edited_machines(draw: Draw) -> tuple[System, System]:
    """A machine, and the same with a guard or a write of another one."""
    old, other = draw(machines()), draw(machines())
    k = draw(st.integers(0, 1))
    field = draw(st.sampled_from(("guards", "writes", "start")))
    if field == "start":
        return old, replace(old, state=(stage, replace(flag, init=TRUE), count))
    actions = list(old.actions)
    actions[k] = replace(actions[k], **{field: getattr(other.actions[k], field)})
    return old, replace(old, actions=tuple(actions))


def lock_step(old: System, new: System) -> dict[tuple[str, Kind], int]:
    """Each way in which decisions differ after requests that both allow, with the fewest requests that show it."""
    level_ = [(initial(old), initial(new))]
    seen: set[Any] = set()
    found: dict[tuple[str, Kind], int] = {}
    depth = 0
    while level_:
        depth += 1
        following = []
        for a, b in level_:
            for r in MOVES:
                x, y = step(old, a, r), step(new, b, r)
                if x.decision.effect != y.decision.effect:
                    kind = {"allow": Kind.ALLOWED, "deny": Kind.DENIED, "pending": Kind.PENDING}[y.decision.effect]
                    found.setdefault((r.action, kind), depth)
                elif x.decision.effect == "allow":
                    key = tuple(cells(x.state)), tuple(cells(y.state))
                    if key not in seen:
                        seen.add(key)
                        following.append((x.state, y.state))
        level_ = following
    return found


def cells(s: State) -> list[Any]:
    return [s.read(v.name, ()) for v in STATE]


@settings(max_examples=80, deadline=None)
@given(edited_machines())
def test_runs_are_shortest_and_none_is_missed(pair: tuple[System, System]) -> None:
    old, new = pair
    d = diff(old, new, limits=Limits(depth=6))
    real = lock_step(old, new)
    decided = {k: x for k, x in by_kind(d).items() if x.kind not in (Kind.EFFECTS, Kind.OBLIGATIONS)}
    assert {k: len(x.old.steps) for k, x in decided.items() if x.shown is Shown.RUN and x.old} == {
        k: n for k, n in real.items() if n <= 6
    }
    # SOUND: what is ruled out is ruled out for runs of any length.
    assert real.keys() <= decided.keys()
    for x in d.differences:
        if x.old is not None:
            confirmed(old, new, x)
    assert not d.undecided


@settings(max_examples=40, deadline=None)
@given(edited_machines(), st.lists(st.sampled_from(MOVES), max_size=8))
def test_what_is_the_same_answers_alike(pair: tuple[System, System], moves: list[Request]) -> None:
    old, new = pair
    if diff(old, new).same:
        a, b = initial(old), initial(new)
        for r in moves:
            x, y = step(old, a, r), step(new, b, r)
            assert x.decision.effect == y.decision.effect
            a, b = x.state, y.state


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_systems_can_be_compared(data: st.DataObject) -> None:
    old, new = (data.draw(systems(Shape(quantifiers=1))) for _ in range(2))
    if data.draw(st.booleans()):
        new = replace(old, actions=(replace(old.actions[0], guards=old.actions[0].guards[:-1]), *old.actions[1:]))
    d = diff(old, new, limits=Limits(depth=2, total=2_000_000), proof_rlimit=0)
    for x in d.differences:
        if x.old is not None:
            confirmed(old, new, x)
    if d.same:
        for r in data.draw(requests(new)):
            x, y = (step(s, initial(s), r).decision for s in (old, new))
            assert x.effect == y.effect


# One edit at a time


def test_the_same_in_another_order_is_the_same() -> None:
    uses = [permit("a", ADMIN), permit("b", conj(GUEST, night.ref)), forbid("c", eq(word.ref, string("a")))]
    old = system(action(uses), action(uses, name="other"))
    new = system(action(list(reversed(uses)), name="other"), action(uses))
    d = diff(old, new)
    assert d.same
    assert d.differences == ()


def test_an_equal_condition_in_other_words_is_the_same() -> None:
    old = system(action([permit("low", le(level.ref, number(1)))]))
    new = system(action([permit("low", negate(le(number(2), level.ref)))]))
    d = diff(old, new)
    assert d.same
    assert [(e.what, e.name, e.how) for e in d.edits] == [("rule", "low on act", "changed")]


def test_a_raised_limit_newly_allows_the_least_request_above_it() -> None:
    old = system(action([permit("low", le(level.ref, number(1)))], assumed=()))
    new = system(action([permit("low", le(level.ref, number(5)))], assumed=()))
    d = diff(old, new)
    (x,) = d.differences
    assert (x.kind, x.shown) == (Kind.ALLOWED, Shown.RUN)
    assert x.new is not None
    assert dict(x.new.steps[0].inputs) == {"role": "Admin", "level": 2, "night": False, "word": ""}
    assert x.old is not None
    assert x.old.steps[0].decision.reason == "no rule permits it"


def test_an_action_that_is_added_or_removed_is_listed() -> None:
    a, b = action([permit("all", TRUE)]), action([permit("all", TRUE)], name="other")
    d = diff(system(a), system(a, b))
    assert not d.same
    assert d.differences == ()
    assert [(e.what, e.name, e.how) for e in d.edits] == [("action", "other", "added")]
    assert [(e.what, e.how) for e in diff(system(a, b), system(a)).edits] == [("action", "removed")]


def test_an_input_of_another_type_is_not_compared() -> None:
    other = (replace(level, type=BOOL), role, night, word)
    d = diff(system(action([permit("all", TRUE)])), system(action([permit("none", FALSE)], inputs=other, assumed=())))
    assert d.skipped == ("act",)
    assert not d.same
    assert d.differences == ()


def test_an_approve_rule_that_is_added_makes_requests_pending() -> None:
    approved = Input("approved_ask", BOOL)
    old = system(action([permit("all", TRUE)]))
    human = Guard(GuardKind.APPROVE, disj(negate(ADMIN), approved.ref), "asks a human", "ask")
    asked = Obligation("approve", (string("ask"),), conj(ADMIN, negate(approved.ref)), Effect.PENDING, "ask")
    uses = [permit("all", TRUE), RuleUse("ask", "approve", ADMIN)]
    new = system(action(uses, [human], inputs=(*INPUTS, approved), obligations=[asked]))
    d = diff(old, new)
    assert {x.kind for x in d.differences} == {Kind.PENDING}
    x = shown(d, "act", Kind.PENDING)
    confirmed(old, new, x)
    back = diff(new, old)
    assert {x.kind for x in back.differences} == {Kind.ALLOWED}
    confirmed(new, old, shown(back, "act", Kind.ALLOWED))


def test_a_case_that_is_added_is_unknown_to_the_old_version() -> None:
    wider = EnumType("Role", ("Admin", "Auditor", "Member", "Guest"))
    newer = Input("role", wider)
    old = system(action([permit("staff", negate(GUEST))], inputs=(role, night), assumed=()))
    new = system(
        action([permit("staff", negate(eq(newer.ref, case(wider, "Guest"))))], inputs=(newer, night), assumed=())
    )
    d = diff(old, new)
    (x,) = d.differences
    confirmed(old, new, shown(d, "act", Kind.ALLOWED))
    assert x.new is not None
    assert dict(x.new.steps[-1].inputs)["role"] == "Auditor"
    assert ("enum", "Role", "changed", "+Auditor") in [(e.what, e.name, e.how, e.detail) for e in d.edits]
    assert {y.kind for y in diff(new, old).differences} == {Kind.DENIED}


def test_parameters_of_equal_default_are_the_same_number() -> None:
    def capped(param: Param) -> System:
        return replace(system(action([permit("low", le(level.ref, param.ref))])), params=(param,))

    cap = Param("CAP", INT, number(1), 0, 9)
    assert diff(capped(cap), capped(replace(cap, high=5))).same
    d = diff(capped(cap), capped(replace(cap, default=number(2))))
    assert {x.kind for x in d.differences} == {Kind.ALLOWED}
    assert [(e.what, e.detail) for e in d.edits] == [("parameter", "1 in 0..9 -> 2 in 0..9")]


counts = StateVar("counts", (BOT,), INT, number(0))
b = Ref("b#1", BOT, Space.BOUND)


def counter(limit: int, by: int = 1, start: int = 0, also: Sequence[Guard] = ()) -> System:
    guard = Guard(GuardKind.REQUIRE, lt(select(counts.ref, principal.ref), number(limit)), "too often")
    more = add(select(counts.ref, principal.ref), number(by))
    one = Action("use", (principal,), (guard, *also), (Write("counts", (principal.ref,), more),))
    idle = Action("idle", (principal,), (), ())
    return System("counter", (), (replace(counts, init=number(start)),), (one, idle), ())


def test_a_run_leads_to_the_difference() -> None:
    old, new = counter(2), counter(3)
    d = diff(old, new)
    (x,) = d.differences
    confirmed(old, new, shown(d, "use", Kind.ALLOWED))
    assert x.new is not None
    assert len(x.new.steps) == 3
    assert len({dict(s.inputs)["principal"] for s in x.new.steps}) == 1


def test_another_effect_is_shown_and_so_is_what_follows_from_it() -> None:
    old, new = counter(4), counter(4, by=2)
    d = diff(old, new)
    assert {(x.kind, len(x.new.steps) if x.new else 0) for x in d.differences} == {(Kind.EFFECTS, 1), (Kind.DENIED, 3)}
    for x in d.differences:
        assert x.shown is Shown.RUN
        confirmed(old, new, x)


def test_another_start_is_shown_by_what_follows_from_it() -> None:
    old, new = counter(4), counter(4, start=2)
    d = diff(old, new)
    assert [(x.kind, len(x.new.steps) if x.new else 0) for x in d.differences] == [(Kind.DENIED, 3)]
    confirmed(old, new, d.differences[0])


def test_a_requirement_that_always_holds_makes_no_difference() -> None:
    always = Guard(GuardKind.REQUIRE, le(number(0), select(counts.ref, principal.ref)), "negative")
    old, new = counter(2), counter(2, also=[always])
    assert diff(old, new).same
    (unproved,) = diff(old, new, proof_rlimit=0).differences
    assert (unproved.kind, unproved.shown, unproved.depth) == (Kind.DENIED, Shown.STATE, 6)
    assert unproved.old is not None
    assert [c.value for c in unproved.old.start] == [-1]
    confirmed(old, new, unproved)


def test_proved_invariants_rule_out_states() -> None:
    always = Guard(GuardKind.REQUIRE, le(number(0), select(counts.ref, principal.ref)), "negative")
    claim = Property("positive", PropertyKind.INVARIANT, forall(b, le(number(0), select(counts.ref, b))))
    old, new = (replace(s, properties=(claim,)) for s in (counter(2), counter(2, also=[always])))

    def results(verdict: Any) -> Verification:
        return Verification("counter", "", (Outcome(claim, verdict),))

    known = diff(old, new, results(Proved("")), results(Proved("")), proof_rlimit=0)
    assert known.same
    assert known.verdicts == ()
    unsure = diff(old, new, results(Unknown("")), results(Unknown("")), proof_rlimit=0)
    assert not unsure.same


def test_verdicts_and_properties_that_changed_are_listed() -> None:
    claim = Property("positive", PropertyKind.INVARIANT, forall(b, le(number(0), select(counts.ref, b))))
    other = replace(claim, name="other")
    old, new = (
        replace(counter(2), properties=(claim,)),
        replace(counter(2), properties=(replace(claim, expr=TRUE), other)),
    )
    old_results = Verification("c", "", (Outcome(claim, Unknown("")),))
    new_results = Verification("c", "", (Outcome(claim, Proved("")), Outcome(other, Proved(""))))
    d = diff(old, new, old_results, new_results)
    assert [(e.what, e.name, e.how) for e in d.edits] == [
        ("property", "positive", "changed"),
        ("property", "other", "added"),
    ]
    assert d.verdicts == (VerdictChange("positive", "unknown", "proved"), VerdictChange("other", "", "proved"))
    assert d.same


def test_free_starts_are_the_same_in_both() -> None:
    group = StateVar("group", (BOT,), BOOL, None)
    inside = select(group.ref, principal.ref)

    def club(toggles: bool) -> System:
        enter = Action("enter", (principal,), (Guard(GuardKind.REQUIRE, inside, "not a member"),), ())
        leave = Action(
            "leave", (principal,), (), (Write("group", (principal.ref,), negate(inside) if toggles else FALSE),)
        )
        return System("club", (), (group,), (enter, leave), ())

    old, new = club(toggles=False), club(toggles=True)
    d = diff(old, new)
    runs = [x for x in d.differences if x.shown is Shown.RUN]
    assert [(x.action, x.kind, len(x.new.steps) if x.new else 0) for x in runs] == [
        ("enter", Kind.ALLOWED, 2),
        ("leave", Kind.EFFECTS, 1),
    ]
    for x in runs:
        confirmed(old, new, x)
        assert x.old is not None
        assert x.new is not None
        assert x.old.start == x.new.start


def test_bound_names_do_not_matter() -> None:
    def closed(name: str) -> System:
        who = Ref(name, BOT, Space.BOUND)
        guard = Guard(GuardKind.REQUIRE, exists(who, lt(number(3), select(counts.ref, who))), "nobody")
        everyone = Write("counts", (who,), number(5), (who,))
        return System("s", (), (counts,), (Action("act", (), (guard,), (everyone,)),), ())

    d = diff(closed("b#1"), closed("b#7"))
    assert d.same
    assert d.edits == ()


def test_state_of_one_version_alone_does_not_disturb() -> None:
    seen = StateVar("seen", (BOT,), BOOL, FALSE)
    old = counter(2)
    use = old.actions[0]
    new = replace(
        old,
        state=(*old.state, seen),
        actions=(replace(use, writes=(*use.writes, Write("seen", (principal.ref,), TRUE))), old.actions[1]),
    )
    d = diff(old, new)
    assert d.same
    assert [(e.what, e.name, e.how) for e in d.edits] == [
        ("state", "seen", "added"),
        ("effect", "seen on use", "added"),
    ]
    once = Guard(GuardKind.REQUIRE, negate(select(seen.ref, principal.ref)), "once only")
    newest = replace(new, actions=(replace(new.actions[0], guards=(*use.guards, once)), old.actions[1]))
    (x,) = diff(old, newest).differences
    assert x.kind is Kind.DENIED
    assert len(x.old.steps if x.old else ()) == 2


def test_what_the_solver_gives_up_on_is_unknown_not_the_same() -> None:
    squares = [le(add(level.ref, level.ref, number(i)), number(2 * i)) for i in range(3)]
    old = system(action([permit("a", squares[0])], assumed=()))
    new = system(action([permit("a", squares[1])], assumed=()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verifier.diff.RLIMIT", 1)
        d = diff(old, new, limits=Limits(depth=0), proof_rlimit=0)
    assert not d.same


def test_statuses_of_refuted_properties_are_compared() -> None:
    claim = Property("p", PropertyKind.INVARIANT, TRUE)
    s = counter(2)
    (x,) = diff(s, counter(3)).differences
    assert x.old is not None
    before, after = (Verification("c", "", (Outcome(claim, v),)) for v in (Proved(""), Refuted(x.old)))
    assert diff(s, s, before, after).verdicts == (VerdictChange("p", "proved", "refuted"),)


def test_levels_are_as_small_as_the_tests_assume() -> None:
    assert MOST < 5
    assert Const("a", BOT) is not Const("b", BOT)


def test_what_may_follow_from_different_states_is_named_when_it_is_much() -> None:
    def ladder(by: int) -> System:
        up = Action("up", (), (), (Write("count", (), add(count.ref, number(by))),))
        high = [
            Action(f"a{i}", (), (Guard(GuardKind.REQUIRE, eq(count.ref, number(100 + i)), "not there"),), ())
            for i in range(4)
        ]
        return System("ladder", (), (count,), (up, *high), ())

    d = diff(ladder(1), ladder(2), limits=Limits(depth=3))
    assert [(x.action, x.kind) for x in d.differences if x.shown is Shown.RUN] == [("up", Kind.EFFECTS)]
    rest = [x for x in d.differences if x.shown is not Shown.RUN]
    assert {(x.action, x.kind) for x in rest} == {(f"a{i}", k) for i in range(4) for k in (Kind.ALLOWED, Kind.DENIED)}
    assert {(x.shown, x.old, x.depth) for x in rest} == {(Shown.DRIFT, None, 3)}


ITEM = EntityType("Item")
times = System(
    "times",
    (Param("P", INT, number(7)),),
    (counts,),
    (Action("act", (principal, Input("item", ITEM), Input("now", INT)), (), ()),),
    (),
)


def act(who: str, item: str, now: int) -> Request:
    return Request("act", {"principal": who, "item": item, "now": now})


def test_runs_are_shrunk_as_far_as_they_stay_good() -> None:
    def good(p: Play) -> bool:
        first, last = (int(r.inputs["now"]) for r in p.requests)
        return last - first > 1_000 and p.requests[0].inputs["item"] == p.requests[1].inputs["item"]

    found = Play({"P": 9}, (Cell("counts", ("alice",), 5),), (act("alice", "i3", 4_711), act("bob", "i3", 9_999)))
    small = Shrinker(times, [1_000], good).shrink(found)
    assert small == Play({"P": 7}, (), (act("alice", "i1", 0), act("bob", "i1", 1_001)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-50, 5_000), min_size=1, max_size=4), st.integers(0, 5_000), st.integers(-3, 20))
def test_what_is_shrunk_is_good_and_no_larger(nows: list[int], bound: int, parameter: int) -> None:
    def good(p: Play) -> bool:
        return sum(int(r.inputs["now"]) for r in p.requests) >= min(bound, sum(nows)) and int(p.params["P"]) >= -3

    found = Play({"P": parameter}, (), tuple(act("alice", "i2", n) for n in nows))
    small = Shrinker(times, [100], good).shrink(found)
    assert good(small)
    assert all(abs(int(b.inputs["now"])) <= abs(int(a.inputs["now"])) for a, b in zip(found.requests, small.requests))
    assert len(small.requests) == len(found.requests)
