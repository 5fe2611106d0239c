"""Running sums: in every state of random runs of random systems, a ghost equals the sum that it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import past
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from past import Cells, Place

from policydsl import interp
from policydsl.check import sums_delta
from policydsl.check.sums import lower_sums
from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Apply,
    Expr,
    Op,
    Ref,
    Space,
    add,
    arith,
    conj,
    eq,
    forall,
    individual,
    ite,
    le,
    negate,
    number,
    select,
    sub,
    subterms,
    total,
)
from policydsl.core.system import (
    Action,
    Effect,
    Guard,
    GuardKind,
    Input,
    Obligation,
    Origin,
    Property,
    PropertyKind,
    RuleUse,
    StateVar,
    System,
    Write,
)
from policydsl.core.types import BOOL, INT, EntityType
from policydsl.diagnostics import Report

BOT, PROP = EntityType("Bot"), EntityType("Proposal")
PEOPLE = {BOT: ("a", "b", "root"), PROP: ("p", "q")}
ROOT = individual(BOT, "root")

WEIGHT = StateVar("weight", (PROP, BOT), INT, ZERO)
CAST = StateVar("cast", (PROP, BOT), BOOL, FALSE)
REP = StateVar("rep", (BOT,), INT, ZERO)
TRUST = StateVar("trust", (BOT, BOT), INT, ZERO)
DELEGATE = StateVar("delegate", (BOT,), BOT, ROOT)
PROPOSER = StateVar("proposer", (PROP,), BOT, ROOT)
OPEN = StateVar("open", (PROP,), BOOL, FALSE)
LEVEL = StateVar("level", (), INT, ZERO)
STATE = (WEIGHT, CAST, REP, TRUST, DELEGATE, PROPOSER, OPEN, LEVEL)

WHO, WHOM = Input("principal", BOT), Input("other", BOT)
THIS, THAT = Input("proposal", PROP), Input("rival", PROP)
SIZE, FLAG = Input("size", INT), Input("flag", BOOL)
INPUTS = (WHO, WHOM, THIS, THAT, SIZE, FLAG)

EACH, QUANTIFIED = Ref("b1", BOT, Space.BOUND), Ref("x2", BOT, Space.BOUND)
EVERY_PROPOSAL = Ref("w3", PROP, Space.BOUND)
SOMEBODY: tuple[Expr, ...] = (WHO.ref, WHOM.ref, ROOT, QUANTIFIED)
SOME_PROPOSAL: tuple[Expr, ...] = (THIS.ref, THAT.ref, individual(PROP, "p"))


@st.composite
def bodies(draw: st.DrawFn) -> Expr:
    """What is summed over `EACH`; nobody contributes at first."""
    who, what = draw(st.sampled_from(SOMEBODY)), draw(st.sampled_from(SOME_PROPOSAL))
    weight, rep = select(WEIGHT.ref, what, EACH), select(REP.ref, EACH)
    amount: Expr = draw(
        st.sampled_from(
            (
                weight,
                rep,
                select(TRUST.ref, who, EACH),
                select(TRUST.ref, EACH, who),
                select(TRUST.ref, EACH, EACH),
                add(weight, rep),
                arith(Op.MIN, rep, number(2)),
                sub(rep, weight),
                ite(select(CAST.ref, what, EACH), number(1), ZERO),
                ite(negate(eq(select(DELEGATE.ref, EACH), ROOT)), number(1), ZERO),
            )
        )
    )
    conditions = st.sampled_from(
        (
            select(CAST.ref, what, EACH),
            eq(EACH, who),
            negate(eq(EACH, who)),
            eq(select(DELEGATE.ref, EACH), who),
            le(rep, number(1)),
            select(OPEN.ref, what),
            le(LEVEL.ref, number(1)),
        )
    )
    return ite(conj(*draw(st.lists(conditions, max_size=2))), amount, draw(st.sampled_from((ZERO, ZERO, rep))))


BOT_KEYS: tuple[Expr, ...] = (WHO.ref, WHOM.ref, ROOT, select(PROPOSER.ref, THIS.ref), select(DELEGATE.ref, WHO.ref))
NUMBERS: tuple[Expr, ...] = (SIZE.ref, select(REP.ref, WHO.ref), select(WEIGHT.ref, THIS.ref, WHOM.ref), number(3))
KEYS = {BOT: BOT_KEYS, PROP: SOME_PROPOSAL}


@st.composite
def writes(draw: st.DrawFn) -> Write:
    var = draw(st.sampled_from(STATE))
    keys = tuple(draw(st.sampled_from(KEYS[k])) for k in var.keys)
    bulk = var in (WEIGHT, CAST, OPEN) and draw(st.booleans())
    if bulk:
        keys = (EVERY_PROPOSAL, *keys[1:])
    old = select(var.ref, *keys)
    new: Expr
    if var.type == INT:
        new = draw(st.sampled_from((*NUMBERS, add(old, SIZE.ref), sub(old, SIZE.ref), ZERO)))
    elif var.type == BOOL:
        new = draw(st.sampled_from((TRUE, FALSE, FLAG.ref, negate(old))))
    else:
        new = draw(st.sampled_from(BOT_KEYS))
    sometimes = select(OPEN.ref, keys[0]) if bulk else FLAG.ref
    when = draw(st.sampled_from((TRUE, FLAG.ref, eq(WHO.ref, WHOM.ref), sometimes)))
    return Write(var.name, keys, ite(when, new, old), (EVERY_PROPOSAL,) if bulk else ())


def asks(*sums: Expr) -> tuple[Property, ...]:
    """Properties that mention these sums, each on the left of a comparison."""
    return tuple(Property(f"s{i}", PropertyKind.ASSERT, le(s, LEVEL.ref)) for i, s in enumerate(sums))


def asked(p: Property) -> Expr:
    assert isinstance(p.expr, Apply)
    return p.expr.args[0]


@st.composite
def systems(draw: st.DrawFn) -> System:
    actions = tuple(
        Action(f"act{i}", INPUTS, (), tuple(draw(st.lists(writes(), min_size=1, max_size=3))))
        for i in range(draw(st.integers(1, 2)))
    )
    sums = [total(EACH, b) for b in draw(st.lists(bodies(), min_size=1, max_size=3))]
    return System("s", (), STATE, actions, asks(*sums))


REQUEST = st.fixed_dictionaries(
    {
        **{i.name: st.sampled_from(PEOPLE[i.type]) for i in INPUTS if isinstance(i.type, EntityType)},
        SIZE.name: st.integers(-2, 3),
        FLAG.name: st.booleans(),
    }
)
OBSERVERS = [
    {"principal": x, "other": y, "proposal": "p", "rival": r, "size": 1, "flag": True}
    for x, y, r in product(("a", "root"), ("a", "b"), ("p", "q"))
]


def wrong(original: System, lowered: System, run: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """Everything that is not as it should be in the states of this run."""
    states = [past.start(lowered, PEOPLE)]
    for name, inputs in run:
        after = past.step(lowered, lowered.action(name), states[-1], inputs, PEOPLE)
        states.append(states[-1] if after is None else after)
    for i, cells in enumerate(states):
        yield from (f"state {i}: {fault}" for fault in _wrong_in(original, lowered, cells))


def _wrong_in(original: System, lowered: System, cells: Cells) -> Iterator[str]:
    here = Place(cells, {}, PEOPLE, {})
    for s in lowered.sums:
        var = lowered.variable(s.var)
        for keys in product(*(PEOPLE[k] for k in var.keys)):
            at = replace(here, bound={k.name: v for k, v in zip(s.keys, keys, strict=True)})
            got, wanted = cells[s.var][keys], past.value(total(s.bound, s.body), at)
            if got != wanted:
                yield f"{s.var}{list(keys)} is {got}, not {wanted}"
    for p, q in zip(original.properties, lowered.properties, strict=True):
        for inputs in OBSERVERS:
            for x in PEOPLE[BOT]:
                at = replace(here, inputs=inputs, bound={QUANTIFIED.name: x}, after=cells)
                got, wanted = past.value(asked(q), at), past.value(asked(p), at)
                if (type(got), got) != (type(wanted), wanted):
                    yield f"{p.name} for {inputs}, {x} is {got}, not {wanted}"


def sums_in(system: System) -> list[Expr]:
    exprs = [e for a in system.actions for g in a.guards for e in (g.expr,)]
    exprs += [e for a in system.actions for w in a.writes for e in (w.value, *w.keys)]
    exprs += [r.condition for a in system.actions for r in a.rules]
    exprs += [e for a in system.actions for o in a.obligations for e in (*o.args, o.condition)]
    exprs += [e for p in system.properties for e in (p.expr, p.goal) if e is not None]
    return [e for e in subterms(*exprs) if isinstance(e, Apply) and e.op is Op.SUM]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_ghost_equals_its_sum_in_every_state(data: st.DataObject) -> None:
    system, report = data.draw(systems()), Report()
    lowered = lower_sums(system, report)
    if report.failed:
        assert {d.code for d in report.found} <= {"E340", "E342"}
        return
    assert sums_in(lowered) == []
    names = [a.name for a in system.actions]
    run = data.draw(st.lists(st.tuples(st.sampled_from(names), REQUEST), min_size=1, max_size=6))
    assert list(wrong(system, lowered, run)) == []


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_reference_interpreter_gives_a_ghost_and_its_sum_the_same_value(data: st.DataObject) -> None:
    """Over everyone, not just over those that a run names."""
    system, report = data.draw(systems()), Report()
    lowered = lower_sums(system, report)
    if report.failed:
        return
    state = interp.initial(lowered)
    names = [a.name for a in system.actions]
    for name, inputs in data.draw(st.lists(st.tuples(st.sampled_from(names), REQUEST), min_size=1, max_size=5)):
        state = interp.step(lowered, state, interp.Request(name, inputs)).state
        for p, q in zip(system.properties, lowered.properties, strict=True):
            for who in (*PEOPLE[BOT], "nobody so far"):
                observer = {**inputs, "principal": who}
                got, wanted = (interp.evaluate(asked(x), state, observer, {QUANTIFIED.name: who}) for x in (q, p))
                assert (type(got), got) == (type(wanted), wanted)


def act(*written: Write) -> Action:
    return Action("act", INPUTS, (), written)


def system_of(*actions: Action, sums: Sequence[Expr], state: tuple[StateVar, ...] = STATE) -> System:
    return System("s", (), state, actions, asks(*sums))


def put(var: StateVar, *keys: Expr, value: Expr, binders: tuple[Ref, ...] = ()) -> Write:
    return Write(var.name, keys, value, binders)


ALL_REP = total(EACH, select(REP.ref, EACH))
TALLY = total(EACH, ite(select(CAST.ref, THIS.ref, EACH), select(WEIGHT.ref, THIS.ref, EACH), ZERO))
POWER = total(EACH, ite(eq(select(DELEGATE.ref, EACH), WHO.ref), select(REP.ref, EACH), ZERO))
EXAMPLES = {
    "transfer": system_of(
        act(
            put(REP, WHO.ref, value=sub(select(REP.ref, WHO.ref), SIZE.ref)),
            put(REP, WHOM.ref, value=add(select(REP.ref, WHOM.ref), SIZE.ref)),
        ),
        sums=[ALL_REP],
    ),
    "vote": system_of(
        act(put(CAST, THIS.ref, WHO.ref, value=FLAG.ref), put(WEIGHT, THIS.ref, WHO.ref, value=SIZE.ref)),
        sums=[TALLY],
    ),
    "vote twice": system_of(
        act(put(WEIGHT, THIS.ref, WHO.ref, value=SIZE.ref), put(WEIGHT, THAT.ref, WHOM.ref, value=number(5))),
        sums=[total(EACH, select(WEIGHT.ref, THIS.ref, EACH))],
    ),
    "delegate": system_of(act(put(DELEGATE, WHO.ref, value=WHOM.ref), put(REP, WHO.ref, value=SIZE.ref)), sums=[POWER]),
    "bulk over the other key": system_of(
        act(put(WEIGHT, EVERY_PROPOSAL, WHO.ref, value=SIZE.ref, binders=(EVERY_PROPOSAL,))),
        sums=[total(EACH, select(WEIGHT.ref, THIS.ref, EACH))],
    ),
    "a key that the step moves": system_of(
        act(
            put(PROPOSER, THIS.ref, value=WHO.ref),
            put(TRUST, select(PROPOSER.ref, THIS.ref), WHOM.ref, value=SIZE.ref),
        ),
        sums=[total(EACH, ite(negate(eq(EACH, WHO.ref)), select(TRUST.ref, WHO.ref, EACH), ZERO))],
    ),
}
RUN = [
    ("act", {"principal": x, "other": y, "proposal": p, "rival": r, "size": n, "flag": f})
    for n, f, x, y, p, r in product((2, 3), (True, False), ("a", "b"), ("a", "b"), ("p", "q"), ("p", "q"))
]


def lower(system: System) -> System:
    report = Report()
    lowered = lower_sums(system, report)
    assert report.found == []
    return lowered


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_right(name: str) -> None:
    assert list(wrong(EXAMPLES[name], lower(EXAMPLES[name]), RUN)) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_without_any_one_ghost_write_the_examples_are_wrong(name: str) -> None:
    lowered = lower(EXAMPLES[name])
    (action,) = lowered.actions
    ghosts = [i for i, w in enumerate(action.writes) if lowered.variable(w.var).origin is Origin.GHOST]
    assert ghosts
    for i in ghosts:
        mutant = replace(lowered, actions=(replace(action, writes=action.writes[:i] + action.writes[i + 1 :]),))
        assert next(wrong(EXAMPLES[name], mutant, RUN), None)


@pytest.mark.parametrize("name", ["transfer", "vote twice"])
def test_without_the_case_of_an_alias_the_examples_are_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums_delta, "counted", lambda who, earlier: FALSE)
    assert next(wrong(EXAMPLES[name], lower(EXAMPLES[name]), RUN), None)


def test_a_point_write_where_the_other_keys_are_known() -> None:
    lowered = lower(EXAMPLES["vote"])
    (written,) = [w for w in lowered.actions[0].writes if w.var == "sum:weight(proposal)"]
    assert (written.keys, written.binders) == ((THIS.ref,), ())
    var = lowered.variable("sum:weight(proposal)")
    assert (var.keys, var.type, var.init, var.origin) == ((PROP,), INT, ZERO, Origin.GHOST)


def test_a_bulk_write_where_they_are_not() -> None:
    (written,) = [w for w in lower(EXAMPLES["delegate"]).actions[0].writes if w.var.startswith("sum:")]
    assert written.keys == written.binders == lower(EXAMPLES["delegate"]).sums[0].keys


def test_sums_that_differ_in_the_names_of_individuals_share_a_ghost() -> None:
    other = Ref("c9", BOT, Space.BOUND)
    variants = [
        total(bound, select(WEIGHT.ref, key, bound))
        for bound, key in ((EACH, THIS.ref), (other, THAT.ref), (EACH, EVERY_PROPOSAL), (other, individual(PROP, "p")))
    ]
    lowered = lower(system_of(act(), sums=variants))
    assert len(lowered.sums) == 1
    (kept,) = lowered.sums
    ghost = lowered.variable(kept.var).ref
    assert [asked(p) for p in lowered.properties] == [
        select(ghost, k) for k in (THIS.ref, THAT.ref, EVERY_PROPOSAL, individual(PROP, "p"))
    ]


def test_what_does_not_depend_on_the_summand_moves_out() -> None:
    whole = total(EACH, ite(conj(select(OPEN.ref, THIS.ref), select(CAST.ref, THIS.ref, EACH)), number(1), ZERO))
    lowered = lower(system_of(act(put(OPEN, THIS.ref, value=FLAG.ref)), sums=[whole]))
    ghost = lowered.variable("count:cast(proposal)")
    assert asked(lowered.properties[0]) is ite(select(OPEN.ref, THIS.ref), select(ghost.ref, THIS.ref), ZERO)


def test_sums_are_replaced_wherever_they_stand() -> None:
    big = le(number(3), ALL_REP)
    action = Action(
        "act",
        INPUTS,
        (Guard(GuardKind.REQUIRE, big, "r"),),
        (put(LEVEL, value=ALL_REP), put(REP, WHO.ref, value=ALL_REP)),
        (RuleUse("r", "permit", big),),
        (Obligation("log", (ALL_REP,), big, Effect.ALLOW),),
    )
    goal = forall(QUANTIFIED, le(total(EACH, select(TRUST.ref, QUANTIFIED, EACH)), ZERO))
    system = replace(system_of(action, sums=[ALL_REP]), properties=(Property("p", PropertyKind.LEADS_TO, big, goal),))
    lowered = lower(system)
    assert sums_in(system) != []
    assert sums_in(lowered) == []
    assert [s.var for s in lowered.sums] == ["sum:rep", "sum:trust(x2)"]


def test_the_new_state_of_a_step_property_is_the_next_ghost() -> None:
    changed = total(EACH, select(REP.next, EACH))
    lowered = lower(system_of(act(), sums=[changed, ALL_REP]))
    ghost = lowered.variable("sum:rep")
    assert [asked(p) for p in lowered.properties] == [ghost.next, ghost.ref]


def test_free_initial_values_make_a_free_initial_sum() -> None:
    state = tuple(replace(v, init=None) if v is REP else v for v in STATE)
    lowered = lower(system_of(act(), sums=[ALL_REP, total(EACH, select(TRUST.ref, WHO.ref, EACH))], state=state))
    assert [(v.name, v.init) for v in lowered.state if v.origin is Origin.GHOST] == [
        ("sum:rep", None),
        ("sum:trust(principal)", ZERO),
    ]


def test_a_constant_that_is_compared_stays_in_the_body() -> None:
    lowered = lower(system_of(act(), sums=[total(EACH, ite(eq(EACH, ROOT), ZERO, select(TRUST.ref, ROOT, EACH)))]))
    assert lowered.sums[0].keys == ()


RICH = replace(REP, init=number(100))
MIXED = sub(select(REP.next, EACH), select(REP.ref, EACH))
EVERY_BOT = Ref("y4", BOT, Space.BOUND)
ERRORS = {
    "E340": system_of(
        act(put(LEVEL, value=SIZE.ref)), sums=[total(EACH, arith(Op.MIN, select(REP.ref, EACH), LEVEL.ref))]
    ),
    "E341": system_of(act(put(REP, EVERY_BOT, value=ZERO, binders=(EVERY_BOT,))), sums=[ALL_REP]),
    "E342": system_of(act(), sums=[ALL_REP], state=(RICH, *STATE[3:])),
    "E343": system_of(act(), sums=[total(EACH, arith(Op.MIN, select(REP.ref, EACH), SIZE.ref))]),
    "E344": system_of(act(), sums=[total(EACH, select(REP.ref, select(DELEGATE.ref, EACH)))]),
    "E345": system_of(act(), sums=[total(EACH, ite(le(ALL_REP, ZERO), select(REP.ref, EACH), ZERO))]),
    "E346": system_of(act(), sums=[total(EACH, MIXED)]),
    "E347": system_of(
        act(put(REP, WHO.ref, value=SIZE.ref)),
        sums=[
            total(EACH, ite(conj(negate(eq(EACH, WHO.ref)), negate(eq(EACH, WHOM.ref))), select(REP.ref, EACH), ZERO))
        ],
    ),
}


@pytest.mark.parametrize("code", ERRORS)
def test_what_cannot_be_kept_is_an_error(code: str) -> None:
    report = Report()
    lower_sums(ERRORS[code], report)
    assert [d.code for d in report.found] == [code]
    assert report.found[0].help


def test_a_sum_to_which_everyone_contributes_for_one_key_only_is_an_error() -> None:
    """`delegate` is `root` for everyone at first, so the followers of `root` are not finitely many."""
    report = Report()
    followers = total(EACH, ite(eq(select(DELEGATE.ref, EACH), WHO.ref), number(1), ZERO))
    lower_sums(system_of(act(), sums=[followers]), report)
    assert [d.code for d in report.found] == ["E342"]
