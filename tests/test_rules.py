"""Findings about rules: against trying all requests, and one by one where state, strings and individuals come in."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from small_rules import (
    EVERY,
    INPUTS,
    ROLE,
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
    forall,
    le,
    matches,
    negate,
    number,
    select,
    string,
)
from policydsl.core.system import Effect, Guard, GuardKind, Input, Obligation, RuleUse, StateVar, System
from policydsl.core.types import BOOL, INT, EntityType
from policydsl.interp import replay
from verifier import rules_pins
from verifier.rules import Finding, FindingKind, analyse
from verifier.rules_pins import apart, buckets, pins

BOT = EntityType("Bot")
principal = Input("principal", BOT)
trust = StateVar("trust", (BOT,), INT, number(50))
friend = StateVar("friend", (BOT, BOT), BOOL, FALSE)
ADMIN, GUEST = (eq(role.ref, case(ROLE, c)) for c in ("Admin", "Guest"))


def about(findings: Sequence[Finding]) -> set[tuple[str, str, tuple[str, ...]]]:
    """Kind, rule, and for findings that say it exactly, the other rules."""
    exact = (FindingKind.CONFLICT, FindingKind.DUPLICATE)
    return {(f.kind.name, f.rule, f.others if f.kind in exact else ()) for f in findings}


def expected(uses: Sequence[RuleUse], required: Expr) -> set[tuple[str, str, tuple[str, ...]]]:
    """The same, by trying all requests."""
    found: set[tuple[str, str, tuple[str, ...]]] = set()
    first: dict[tuple[str, Expr], str] = {}
    kept: list[RuleUse] = []
    for u in uses:
        twin = first.setdefault((u.effect, u.condition), u.rule)
        if twin == u.rule:
            kept.append(u)
        else:
            found.add(("DUPLICATE", u.rule, (twin,)))
    met = {u.rule: matching(u.condition) for u in kept}
    passed = matching(required)
    permitted = frozenset().union(*(met[u.rule] for u in kept if u.effect == "permit"))
    forbidden = frozenset().union(*(met[u.rule] for u in kept if u.effect == "forbid"))
    if not (permitted & passed) - forbidden:
        found.add(("NOTHING_PERMITS", "", ()))
    for i, u in enumerate(kept):
        mine = met[u.rule]
        if not mine:
            found.add(("NEVER_MATCHES", u.rule, ()))
            continue
        peers = [v for v in kept if v.effect == u.effect and v is not u]
        others = frozenset().union(*(met[v.rule] for v in peers if met[v.rule] != mine))
        before = [v.rule for v in kept[:i] if v.effect == u.effect and met[v.rule] == mine]
        if before:
            found.add(("DUPLICATE", u.rule, (before[0],)))
        elif mine <= others:
            found.add(("SHADOWED", u.rule, ()))
        elif u.effect == "permit" and mine & passed <= forbidden:
            found.add(("OVERRIDDEN", u.rule, ()))
        if u.effect == "forbid":
            meeting = tuple(v.rule for v in kept if v.effect == "permit" and met[v.rule] & mine)
            if meeting:
                found.add(("CONFLICT", u.rule, meeting))
    return found


@settings(max_examples=100, deadline=None)
@given(rules(), conditions)
def test_findings_are_those_of_trying_all_requests(uses: list[RuleUse], required: Expr) -> None:
    s = system(action(uses, [require(required)]))
    findings = analyse(s)
    assert about(findings) == expected(uses, required)
    assert all(f.certain for f in findings)


@settings(max_examples=60, deadline=None)
@given(rules(least=6, most=14))
def test_partition_changes_nothing(uses: list[RuleUse]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules_pins, "SMALL", 2)
        assert about(analyse(system(action(uses)))) == expected(uses, TRUE)


@settings(max_examples=60, deadline=None)
@given(rules(least=2))
def test_a_conflict_shows_a_request_that_both_rules_match(uses: list[RuleUse]) -> None:
    s = system(action(uses))
    for f in analyse(s):
        assert (f.witness is not None) == (f.kind is FindingKind.CONFLICT)
        if f.witness is not None:
            assert replay(s, f.witness) == []
            (step,) = f.witness.steps
            number_ = EVERY.index(dict(step.inputs))
            by_name = {u.rule: u.condition for u in uses}
            assert number_ in matching(by_name[f.rule]) & matching(by_name[f.others[0]])
            assert step.decision.effect == "deny"
            assert f.rule in step.decision.rules


@settings(max_examples=300, deadline=None)
@given(conditions, conditions)
def test_apart_means_that_nothing_satisfies_both(a: Expr, b: Expr) -> None:
    if apart(pins(a), pins(b)):
        assert not matching(a) & matching(b)


@settings(max_examples=300, deadline=None)
@given(conditions)
def test_pins_hold_wherever_the_condition_does(a: Expr) -> None:
    for term, values in pins(a).items():
        assert matching(a) <= matching(disj(*(eq(term, v) for v in values)))


@settings(max_examples=100, deadline=None)
@given(rules(least=5, most=14))
def test_buckets_cover_every_pair_that_can_meet(uses: list[RuleUse]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules_pins, "SMALL", 1)
        pinned = [pins(u.condition) for u in uses]
        found = buckets(pinned)
    assert sorted(i for b in found for i in b.own) == list(range(len(uses)))
    for b in found:
        for i in b.own:
            assert i in b.near
            assert all(apart(pinned[i], pinned[j]) for j in range(len(uses)) if j not in b.near)


def kinds(s: System, known: Sequence[Expr] = ()) -> list[tuple[FindingKind, str]]:
    return [(f.kind, f.rule) for f in analyse(s, known) if f.kind is not FindingKind.CONFLICT]


def test_roles_that_are_told_apart_are_told_apart_by_pins() -> None:
    members = disj(*(eq(role.ref, case(ROLE, c)) for c in ("Member", "Guest")))
    assert apart(pins(conj(ADMIN, night.ref)), pins(members))
    assert apart(pins(negate(ADMIN)), pins(ADMIN))
    assert apart(pins(night.ref), pins(negate(night.ref)))
    assert not apart(pins(members), pins(GUEST))
    assert not apart(pins(disj(ADMIN, night.ref)), pins(GUEST))


def test_an_action_without_permits_is_never_allowed() -> None:
    (finding,) = analyse(system(action([])))
    assert finding.kind is FindingKind.NOTHING_PERMITS
    assert finding.text == "`act` is never allowed: no rule permits it"


def test_permits_that_a_requirement_rules_out() -> None:
    s = system(action([permit("admins", ADMIN)], [require(negate(ADMIN))]))
    nothing, overridden = analyse(s)
    assert (nothing.kind, nothing.others) == (FindingKind.NOTHING_PERMITS, ("admins",))
    assert overridden.kind is FindingKind.OVERRIDDEN
    assert overridden.text == 'whatever `admins` permits on `act` is denied by the requirement "not required"'


def test_an_open_action_has_nothing_to_report() -> None:
    s = system(action([], assumed=()))
    assert analyse(System("s", (), (), (), ())) == ()
    only_requires = s.actions[0].__class__("act", INPUTS, (require(night.ref),), ())
    assert analyse(system(only_requires)) == ()


def test_assumptions_that_contradict_each_other_are_named() -> None:
    guards = [
        Guard(GuardKind.ASSUME, le(number(5), level.ref), "high"),
        Guard(GuardKind.ASSUME, night.ref, "night"),
        Guard(GuardKind.ASSUME, le(level.ref, number(4)), "low"),
    ]
    (finding,) = analyse(system(action([permit("all", TRUE)], assumed=guards)))
    assert finding.kind is FindingKind.CONTRADICTION
    assert "`high` and `low`" in finding.text


def test_the_shadowing_rules_are_named_and_no_others() -> None:
    uses = [
        permit("low", le(level.ref, number(1))),
        permit("night", night.ref),
        permit("high", le(number(2), level.ref)),
        permit("admins", ADMIN),
    ]
    found = {f.rule: f for f in analyse(system(action(uses)))}
    assert found["night"].others == found["admins"].others == ("low", "high")
    assert "low" not in found


def test_a_shadowed_rule_with_obligations_still_does_something() -> None:
    uses = [forbid("all", TRUE), forbid("admins", ADMIN)]
    noted = Obligation("notify", (string("x"),), ADMIN, Effect.DENY, "admins")
    findings = analyse(system(action(uses, obligations=[noted])))
    text = next(f.text for f in findings if f.rule == "admins")
    assert text == "whatever `admins` forbids on `act`, `all` forbids anyway; only its obligations make a difference"


def test_ranges_of_inputs_count() -> None:
    assert kinds(system(action([permit("all", TRUE), forbid("high", le(number(9), level.ref))]))) == [
        (FindingKind.NEVER_MATCHES, "high")
    ]


def test_patterns_are_understood() -> None:
    uses = [permit("bit", matches(word.ref, ".*bit.*")), permit("bitly", matches(word.ref, ".*bit[.]ly.*"))]
    s = system(action(uses, inputs=INPUTS, assumed=()))
    assert kinds(s) == [(FindingKind.SHADOWED, "bitly")]


def test_state_is_any_state_unless_an_invariant_is_known() -> None:
    b = Ref("b#1", BOT, Space.BOUND)
    trusted = le(number(0), select(trust.ref, principal.ref))
    s = system(
        action(
            [permit("all", TRUE), permit("some", trusted), forbid("none", negate(trusted))],
            inputs=[principal],
            assumed=(),
        ),
        state=(trust,),
    )
    assert (FindingKind.NEVER_MATCHES, "none") not in kinds(s)
    known = forall(b, le(number(0), select(trust.ref, b)))
    assert (FindingKind.NEVER_MATCHES, "none") in kinds(s, [known])


def test_a_witness_gives_the_state_that_it_needs() -> None:
    trusted = le(number(80), select(trust.ref, principal.ref))
    s = system(
        action([permit("trusted", trusted), forbid("all", TRUE)], inputs=[principal], assumed=()), state=(trust,)
    )
    conflict = next(f for f in analyse(s) if f.kind is FindingKind.CONFLICT)
    assert conflict.witness is not None
    (cell,) = conflict.witness.start
    (who,) = conflict.witness.steps[0].inputs
    assert (cell.var, cell.keys, cell.value) == ("trust", (who[1],), 80)


def test_quantified_conditions() -> None:
    b, c = (Ref(f"b#{i}", BOT, Space.BOUND) for i in (1, 2))
    lonely = forall(b, negate(select(friend.ref, principal.ref, b)))
    befriended = exists(c, select(friend.ref, principal.ref, c))
    uses = [
        permit("lonely", lonely),
        permit("befriended", befriended),
        permit("all", TRUE),
        forbid("both", conj(lonely, befriended)),
    ]
    s = system(action(uses, inputs=[principal], assumed=()), state=(friend,))
    assert (FindingKind.NEVER_MATCHES, "both") in kinds(s)
    assert (FindingKind.NEVER_MATCHES, "lonely") not in kinds(s)
    assert (FindingKind.SHADOWED, "lonely") in kinds(s)
    assert (FindingKind.SHADOWED, "all") in kinds(s)


def test_named_individuals_are_different() -> None:
    alice, bob = (eq(principal.ref, Const(n, BOT)) for n in ("alice", "bob"))
    s = system(
        action(
            [permit("one", alice), permit("two", bob), forbid("both", conj(alice, bob))], inputs=[principal], assumed=()
        )
    )
    assert kinds(s) == [(FindingKind.NEVER_MATCHES, "both")]


def test_what_is_not_decided_is_not_claimed() -> None:
    squares = [permit(f"r{i}", le(number(i), level.ref)) for i in range(4)]
    findings = analyse(system(action(squares)), rlimit=1)
    assert {f.kind for f in findings} <= {FindingKind.UNDECIDED}
    assert not any(f.certain for f in findings)
    assert findings


def test_rules_of_other_effects_are_only_asked_whether_they_match() -> None:
    never = conj(ADMIN, GUEST)
    uses = [
        permit("all", TRUE),
        RuleUse("slow", "limit", TRUE),
        RuleUse("ask", "approve", never),
        RuleUse("ask2", "approve", never),
    ]
    assert kinds(system(action(uses))) == [(FindingKind.NEVER_MATCHES, "ask"), (FindingKind.NEVER_MATCHES, "ask2")]
