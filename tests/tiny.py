"""A small governance system made by hand, sound or with the guard against a second vote left out."""

from __future__ import annotations

from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Expr,
    Op,
    Ref,
    Space,
    add,
    arith,
    case,
    conj,
    eq,
    exists,
    forall,
    implies,
    individual,
    ite,
    le,
    number,
    select,
)
from policydsl.core.system import Action, Guard, GuardKind, Input, Property, PropertyKind, StateVar, System, Write
from policydsl.core.types import BOOL, INT, EntityType, EnumType

BOT = EntityType("Bot")
PROPOSAL = EntityType("Proposal")
STAGE = EnumType("Stage", ("Drafted", "Open", "Approved", "Executed"))
BALLOT = EnumType("Ballot", ("None", "Yes", "No"))

REPUTATION = StateVar("reputation", (BOT,), INT, number(100))
STAGES = StateVar("stage", (PROPOSAL,), STAGE, case(STAGE, "Drafted"))
BALLOTS = StateVar("ballot", (PROPOSAL, BOT), BALLOT, case(BALLOT, "None"))
YES = StateVar("yes", (PROPOSAL,), INT, ZERO)
EXECUTIONS = StateVar("execs", (PROPOSAL,), INT, ZERO)
HAS_PROPOSER = StateVar("proposer.has", (PROPOSAL,), BOOL, FALSE)
PROPOSER = StateVar("proposer.value", (PROPOSAL,), BOT, individual(BOT, ""))
VOTES = StateVar("votes", (PROPOSAL, BOT), INT, ZERO)

WHO = Input("principal", BOT)
WHAT = Input("proposal", PROPOSAL)
SUPPORT = Input("support", BOOL)

STAGE_NOW = select(STAGES.ref, WHAT.ref)
YES_NOW = select(YES.ref, WHAT.ref)


def _require(condition: Expr, reason: str) -> Guard:
    return Guard(GuardKind.REQUIRE, condition, reason)


def _in(stage: str) -> Guard:
    return _require(eq(STAGE_NOW, case(STAGE, stage)), f"not {stage}")


SUBMIT = Action(
    "submit",
    (WHO, WHAT),
    (_in("Drafted"),),
    (
        Write("stage", (WHAT.ref,), case(STAGE, "Open")),
        Write("proposer.has", (WHAT.ref,), TRUE),
        Write("proposer.value", (WHAT.ref,), WHO.ref),
    ),
)
CLOSE = Action(
    "close",
    (WHAT,),
    (_in("Open"), _require(le(number(300), YES_NOW), "no quorum")),
    (Write("stage", (WHAT.ref,), case(STAGE, "Approved")),),
)


def _vote(*, once: bool) -> Action:
    cell = (WHAT.ref, WHO.ref)
    again = _require(eq(select(BALLOTS.ref, *cell), case(BALLOT, "None")), "already voted")
    return Action(
        "vote",
        (WHO, WHAT, SUPPORT),
        (_in("Open"), again) if once else (_in("Open"),),
        (
            Write("ballot", cell, ite(SUPPORT.ref, case(BALLOT, "Yes"), case(BALLOT, "No"))),
            Write("votes", cell, add(select(VOTES.ref, *cell), number(1))),
            Write("yes", (WHAT.ref,), ite(SUPPORT.ref, add(YES_NOW, select(REPUTATION.ref, WHO.ref)), YES_NOW)),
        ),
    )


def _execute(*, capped: bool) -> Action:
    author = select(PROPOSER.ref, WHAT.ref)
    held = select(REPUTATION.ref, author)
    earned = add(held, number(10))
    reward = arith(Op.MIN, number(1000), earned) if capped else earned
    return Action(
        "execute",
        (WHO, WHAT),
        (_in("Approved"),),
        (
            Write("stage", (WHAT.ref,), case(STAGE, "Executed")),
            Write("execs", (WHAT.ref,), add(select(EXECUTIONS.ref, WHAT.ref), number(1))),
            Write("reputation", (author,), ite(select(HAS_PROPOSER.ref, WHAT.ref), reward, held)),
        ),
    )


B = Ref("b#1", BOT, Space.BOUND)
P = Ref("p#1", PROPOSAL, Space.BOUND)
EXECUTED = select(EXECUTIONS.ref, P)

PROPERTIES = (
    Property(
        "bounded",
        PropertyKind.INVARIANT,
        forall(B, conj(le(ZERO, select(REPUTATION.ref, B)), le(select(REPUTATION.ref, B), number(1000)))),
    ),
    Property("no_double_execution", PropertyKind.INVARIANT, forall(P, le(EXECUTED, number(1)))),
    Property("one_ballot", PropertyKind.INVARIANT, forall(P, forall(B, le(select(VOTES.ref, P, B), number(1))))),
    Property(
        "quorum",
        PropertyKind.INVARIANT,
        forall(P, implies(le(number(1), EXECUTED), le(number(300), select(YES.ref, P)))),
    ),
    Property("wins", PropertyKind.REACHABLE, exists(P, eq(EXECUTED, number(1)))),
)
STATE = (REPUTATION, STAGES, BALLOTS, YES, EXECUTIONS, HAS_PROPOSER, PROPOSER, VOTES)


def system(good: bool = True) -> System:
    """All properties of the good one hold; the other lets a bot vote twice, and knows no ceiling of reputation."""
    return System("mini", (), STATE, (SUBMIT, _vote(once=good), CLOSE, _execute(capped=good)), PROPERTIES)
