"""Leads-to: proved only when every fair run gets there, and otherwise explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
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
    individual,
    ite,
    le,
    lt,
    negate,
    number,
    select,
)
from policydsl.core.system import (
    CLOCK,
    NOW,
    Action,
    Guard,
    GuardKind,
    Input,
    Origin,
    Property,
    PropertyKind,
    StateVar,
    System,
    Write,
)
from policydsl.core.types import BOOL, INT, EntityType, EnumType
from policydsl.interp import evaluate, replay, start_faults, states
from verifier.bounded import Limits
from verifier.induction import Obligation
from verifier.liveness import prove_leads_to
from verifier.solve import Answer, with_both
from verifier.verdict import Proved, Refuted, Unknown, Verdict

BOT = EntityType("Bot")
PROPOSAL = EntityType("Proposal")
STAGE = EnumType("Stage", ("Drafted", "Open", "Approved", "Defeated", "Archived"))
DRAFTED, OPEN, APPROVED, DEFEATED, ARCHIVED = (case(STAGE, c) for c in STAGE.cases)

STAGES = StateVar("stage", (PROPOSAL,), STAGE, DRAFTED)
YES = StateVar("yes", (PROPOSAL,), INT, ZERO)
NO = StateVar("no", (PROPOSAL,), INT, ZERO)
END = StateVar("vote_end", (PROPOSAL,), INT, ZERO)
FROZEN = StateVar("frozen", (PROPOSAL,), BOOL, FALSE)
AUTHOR = StateVar("author", (PROPOSAL,), BOT, individual(BOT, ""))
CLOCKED = StateVar(CLOCK, (), INT, ZERO, Origin.CLOCK)
STATE = (STAGES, YES, NO, END, FROZEN, AUTHOR, CLOCKED)

now = Input(NOW, INT)
who = Input("principal", BOT)
it = Input("proposal", PROPOSAL)
support = Input("support", BOOL)
x = Ref("p#7", PROPOSAL, Space.BOUND)

SMALL = Limits(depth=6, rlimit=1_000_000, total=10_000_000)


def of(v: StateVar, *keys: Expr) -> Expr:
    return select(v.ref, *keys)


def action(
    name: str, inputs: Sequence[Input], guards: Sequence[Expr], writes: dict[StateVar, Expr], *, fair: bool = False
) -> Action:
    """An action on `it`, in a system that knows time."""
    time = Guard(GuardKind.ASSUME, le(CLOCKED.ref, now.ref), "the clock went back")
    required = tuple(Guard(GuardKind.REQUIRE, g, "no") for g in guards)
    written = tuple(Write(v.name, (it.ref,), e) for v, e in writes.items())
    return Action(name, (*inputs, now), (time, *required), (*written, Write(CLOCK, (), now.ref)), fair=fair)


def at(stage: Expr) -> Expr:
    return eq(of(STAGES, it.ref), stage)


late = lt(of(END, it.ref), now.ref)
yes, no = of(YES, it.ref), of(NO, it.ref)

submit = action("submit", (who, it), [at(DRAFTED)], {STAGES: OPEN, END: add(now.ref, number(10)), AUTHOR: who.ref})
vote = action(
    "vote",
    (who, it, support),
    [at(OPEN), le(now.ref, of(END, it.ref))],
    {YES: ite(support.ref, add(yes, number(1)), yes), NO: ite(support.ref, no, add(no, number(1)))},
)
close_yes = action("close_yes", (it,), [at(OPEN), late, lt(no, yes)], {STAGES: APPROVED}, fair=True)
close_no = action("close_no", (it,), [at(OPEN), late, le(yes, no)], {STAGES: DEFEATED}, fair=True)
VOTING = (submit, vote, close_yes, close_no)


def system(*actions: Action, properties: tuple[Property, ...] = ()) -> System:
    return System("voting", (), STATE, actions, properties)


def leads(given: Expr, goal: Expr) -> Property:
    return Property("done", PropertyKind.LEADS_TO, given, goal)


def stage_in(*stages: Expr) -> Expr:
    return disj(*(eq(of(STAGES, x), s) for s in stages))


CLOSES = leads(stage_in(OPEN), stage_in(APPROVED, DEFEATED))


def both(obligation: Obligation) -> Answer:
    return with_both(obligation.text)


def answer(s: System, prop: Property = CLOSES, known: Sequence[Expr] = ()) -> Verdict:
    return prove_leads_to(s, prop, known, both, SMALL)


def test_voting_closes() -> None:
    verdict = answer(system(*VOTING))
    assert isinstance(verdict, Proved), verdict
    assert verdict.assumptions == (
        "time goes on",
        "`close_yes` happens if it stays possible",
        "`close_no` happens if it stays possible",
    )
    assert "`Open`" in verdict.how
    assert verdict.uses == ()
