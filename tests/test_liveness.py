"""Leads-to: proved only when every fair run gets there, and otherwise explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

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
    disj,
    eq,
    exists,
    forall,
    free_bounds,
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
    Expected,
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
from policydsl.diagnostics import Report
from policydsl.interp import evaluate, replay, start_faults, states
from policydsl.load import load
from policydsl.trace import Trace
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

SMALL = Limits(depth=4, rlimit=1_000_000, total=10_000_000)
NOWHERE = Limits(depth=0, rlimit=1_000, total=1_000)


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


def proved(s: System, prop: Property = CLOSES, known: Sequence[Expr] = ()) -> Proved:
    verdict = answer(s, prop, known)
    assert isinstance(verdict, Proved), verdict
    return verdict


def refuted(s: System, prop: Property = CLOSES) -> Refuted:
    """Refuted by a run that is one, and that ends before the goal."""
    verdict = answer(s, prop)
    assert isinstance(verdict, Refuted), verdict
    assert_run(s, prop, verdict.trace)
    return verdict


def unknown(s: System, prop: Property = CLOSES, known: Sequence[Expr] = ()) -> Unknown:
    verdict = answer(s, prop, known)
    assert isinstance(verdict, Unknown), verdict
    if verdict.cti is not None:
        assert_run(s, prop, verdict.cti)
    return verdict


def assert_run(s: System, prop: Property, trace: Trace) -> None:
    assert replay(s, trace) == []
    assert start_faults(s, trace) == []
    assert trace.property == prop.name
    assert prop.goal is not None
    assert all(step.decision.effect == "allow" for step in trace.steps)
    goal_missed = negate(prop.goal)
    for bound in free_bounds(prop.goal):
        goal_missed = exists(bound, goal_missed)
    assert evaluate(goal_missed, states(s, trace)[-1]) is True


def test_voting_closes() -> None:
    verdict = proved(system(*VOTING))
    assert verdict.assumptions == (
        "time goes on",
        "`close_yes` happens if it stays possible",
        "`close_no` happens if it stays possible",
    )
    assert verdict.how == "phase `Open`, left by fair actions"
    assert verdict.uses == ()


def test_a_solver_that_does_not_answer_proves_nothing() -> None:
    verdict = prove_leads_to(system(*VOTING), CLOSES, (), lambda _: Answer.UNKNOWN, SMALL)
    assert isinstance(verdict, Unknown)


def test_every_obligation_matters_to_somebody() -> None:
    """Whatever single question is answered otherwise, nothing is proved, or it is proved from other questions."""
    asked: list[str] = []

    def remember(obligation: Obligation) -> Answer:
        found = both(obligation)
        if found is Answer.UNSAT:
            asked.append(obligation.what)
        return found

    assert isinstance(prove_leads_to(system(*VOTING), CLOSES, (), remember, SMALL), Proved)
    needed = {
        "Open: close_yes stays possible",
        "Open: close_no stays possible",
        "Open: in the end something is possible",
        "Open: vote_end[p] comes",
    }
    assert needed <= set(asked)
    for what in sorted(needed):

        def doubt(obligation: Obligation, what: str = what) -> Answer:
            return Answer.UNKNOWN if obligation.what == what else both(obligation)

        assert isinstance(prove_leads_to(system(*VOTING), CLOSES, (), doubt, NOWHERE), Unknown), what


def test_without_the_action_that_closes_a_lost_vote_it_is_stuck() -> None:
    verdict = refuted(system(submit, vote, close_yes))
    assert verdict.reason == "`Open` is stuck when `yes[p] <= no[p]`: no fair action leaves it then"
    # Only when some request has come after the end is it certain that nobody will vote any more.
    assert [s.action for s in verdict.trace.steps] == ["submit", "submit"]


CLOSE_LOST = action("close_no", (it,), [at(OPEN), late, lt(yes, no)], {STAGES: DEFEATED}, fair=True)


def test_a_tie_is_stuck() -> None:
    verdict = refuted(system(submit, vote, close_yes, CLOSE_LOST))
    assert verdict.reason == "the tie `no[p] == yes[p]` is stuck in `Open`: no fair action is possible then"


WITHDRAW = action("withdraw", (who, it), [at(OPEN), eq(of(AUTHOR, it.ref), who.ref)], {STAGES: ARCHIVED})
CLOSES_OR_GOES = leads(stage_in(OPEN), stage_in(APPROVED, DEFEATED, ARCHIVED))


def test_a_tie_that_somebody_may_resolve_is_not_refuted() -> None:
    verdict = unknown(system(submit, vote, close_yes, CLOSE_LOST, WITHDRAW), CLOSES_OR_GOES)
    assert verdict.reason == (
        "the tie `no[p] == yes[p]` is stuck in `Open`: no fair action is possible then, "
        "so it waits for a human (`withdraw`)"
    )
    assert verdict.cti is not None
    assert [s.action for s in verdict.cti.steps] == ["submit"]


def test_a_way_out_that_is_not_the_goal() -> None:
    assert isinstance(proved(system(*VOTING, WITHDRAW), CLOSES_OR_GOES), Proved)
    verdict = refuted(system(*VOTING, WITHDRAW))
    assert verdict.reason == "`Archived` is never left: no action leads out of it"
    assert [s.action for s in verdict.trace.steps] == ["submit", "withdraw"]


def test_an_unfair_exit_is_a_human_to_wait_for() -> None:
    by_hand = [replace(a, fair=False) for a in VOTING]
    assert unknown(system(*by_hand)).reason == (
        "`Open` waits for a human: no fair action leaves it (only `close_yes`, `close_no`)"
    )
    half = [replace(a, fair=a.name == "close_yes") for a in VOTING]
    assert unknown(system(*half)).reason == (
        "`Open` is stuck when `yes[p] <= no[p]`: no fair action leaves it then, so it waits for a human (`close_no`)"
    )


def test_a_phase_before_that_waits_for_a_human() -> None:
    verdict = unknown(system(*VOTING), leads(stage_in(DRAFTED), stage_in(APPROVED, DEFEATED)))
    assert verdict.reason == "`Drafted` waits for a human: no fair action leaves it (only `submit`)"
    assert verdict.cti is not None
    assert verdict.cti.steps == ()
    opens = [replace(a, fair=True) if a.name == "submit" else a for a in VOTING]
    whole = proved(system(*opens), leads(stage_in(DRAFTED), stage_in(APPROVED, DEFEATED)))
    assert whole.how == "phases `Drafted`, `Open`, left by fair actions"
    assert "`submit` happens if it stays possible" in whole.assumptions


IN_TIME = le(now.ref, of(END, it.ref))


@pytest.mark.parametrize("guards", [[at(OPEN)], [at(OPEN), IN_TIME]], ids=["always", "in time"])
def test_a_deadline_that_can_be_put_off_for_ever(guards: list[Expr]) -> None:
    extend = action("extend", (it,), guards, {END: add(now.ref, number(5))})
    verdict = unknown(system(*VOTING, extend))
    assert verdict.reason == "`Open` may last for ever: `extend` can put off `vote_end[p]` again and again"


def test_a_deadline_that_can_be_put_forward() -> None:
    hurry = action("hurry", (it,), [at(OPEN), IN_TIME], {END: now.ref})
    assert isinstance(proved(system(*VOTING, hurry)), Proved)


def test_a_deadline_that_can_be_put_off_in_another_phase() -> None:
    extend = action("extend", (it,), [at(DRAFTED)], {END: add(now.ref, number(5))})
    assert isinstance(proved(system(*VOTING, extend)), Proved)


def test_a_deadline_by_which_something_must_happen_makes_nobody_do_it() -> None:
    close = action("close", (it,), [at(OPEN), IN_TIME], {STAGES: APPROVED}, fair=True)
    assert refuted(system(submit, vote, close)).reason == "`Open` is stuck once it is too late for `close`"


def test_an_exit_by_day_and_another_by_night() -> None:
    """One of them is always possible, neither of them stays so."""
    hour = arith(Op.MOD, now.ref, number(24))
    by_day = action("by_day", (it,), [at(OPEN), le(number(12), hour)], {STAGES: APPROVED}, fair=True)
    by_night = action("by_night", (it,), [at(OPEN), lt(hour, number(12))], {STAGES: APPROVED}, fair=True)
    assert isinstance(unknown(system(submit, by_day, by_night)), Unknown)


def test_what_must_not_happen_for_a_while_after_every_request_may_never_happen() -> None:
    quiet = lt(add(CLOCKED.ref, number(5)), now.ref)
    close = action("close", (it,), [at(OPEN), quiet], {STAGES: APPROVED}, fair=True)
    assert "can put off `clock + 5ms` again and again" in unknown(system(submit, vote, close)).reason


def test_phases_in_a_circle() -> None:
    reopen = action("reopen", (it,), [at(DEFEATED)], {STAGES: OPEN})
    verdict = unknown(system(*VOTING, reopen), leads(stage_in(OPEN), stage_in(APPROVED)))
    assert verdict.reason == "the phases `Open`, `Defeated` can follow one another for ever"
    assert isinstance(proved(system(*VOTING, reopen)), Proved)


THAWED = negate(of(FROZEN, it.ref))
FREEZE = action("freeze", (it,), [at(OPEN)], {FROZEN: TRUE})
THAW = action("thaw", (it,), [at(OPEN)], {FROZEN: FALSE})
CLOSE = action("close", (it,), [at(OPEN), late, THAWED], {STAGES: APPROVED}, fair=True)


def test_an_exit_that_can_be_disabled() -> None:
    assert refuted(system(submit, vote, CLOSE, FREEZE)).reason == (
        "`Open` is stuck when `frozen[p]`: no fair action leaves it then"
    )
    assert isinstance(unknown(system(submit, vote, CLOSE, FREEZE, THAW)), Unknown)
    assert isinstance(unknown(system(submit, vote, CLOSE, FREEZE, replace(THAW, fair=True))), Unknown)


def test_two_exits_of_which_each_can_be_disabled_in_turn() -> None:
    other = action("close_frozen", (it,), [at(OPEN), late, of(FROZEN, it.ref)], {STAGES: DEFEATED}, fair=True)
    assert isinstance(proved(system(submit, vote, CLOSE, other)), Proved)
    verdict = unknown(system(submit, vote, CLOSE, other, FREEZE, THAW))
    assert verdict.reason == "`Open` may last for ever: `freeze` can make `close` impossible again and again"


def test_a_flag_that_goes_one_way_is_part_of_the_phase() -> None:
    early = action("freeze", (it,), [at(DRAFTED)], {FROZEN: TRUE})
    thaw = action("thaw", (it,), [at(OPEN)], {FROZEN: FALSE}, fair=True)
    verdict = proved(system(submit, vote, early, thaw, CLOSE))
    assert verdict.how == "phases `Open and frozen[p]`, `Open and not frozen[p]`, left by fair actions"
    assert isinstance(unknown(system(submit, vote, early, replace(thaw, fair=False), CLOSE)), Unknown)


def test_only_a_certain_one_can_do_it() -> None:
    by_author = action("close", (who, it), [at(OPEN), eq(of(AUTHOR, it.ref), who.ref)], {STAGES: APPROVED}, fair=True)
    verdict = proved(system(submit, vote, by_author))
    assert verdict.assumptions[-1] == "`close` with `principal` = `author[p]` happens if it stays possible"
    give = action("give", (who, it), [at(OPEN)], {AUTHOR: who.ref})
    assert isinstance(unknown(system(submit, vote, by_author, give)), Unknown)


def test_anybody_can_do_it() -> None:
    by_somebody = action("close", (who, it), [at(OPEN)], {STAGES: APPROVED, AUTHOR: who.ref}, fair=True)
    assert proved(system(submit, by_somebody)).assumptions[-1] == "`close` happens if it stays possible"


def test_inputs_that_must_be_chosen() -> None:
    count = Input("count", INT)
    guards = [at(OPEN), le(number(3), count.ref), le(count.ref, number(9)), support.ref]
    close = action("close", (it, count, support), guards, {STAGES: APPROVED}, fair=True)
    assert proved(system(submit, close)).assumptions[-1] == (
        "`close` with `count` = `3`, `support` = `true` happens if it stays possible"
    )


def test_the_approval_of_a_human_is_not_taken_for_granted() -> None:
    approved = Input("approved_boss", BOOL)
    close = action("close", (it, approved), [at(OPEN)], {STAGES: APPROVED}, fair=True)
    asks = Guard(GuardKind.APPROVE, approved.ref, "the boss has not approved", "boss")
    assert isinstance(proved(system(submit, close)), Proved)
    assert isinstance(unknown(system(submit, replace(close, guards=(*close.guards, asks)))), Unknown)


def test_invariants_help_and_are_named() -> None:
    p = Ref("p#1", PROPOSAL, Space.BOUND)
    votes = Property("votes", PropertyKind.INVARIANT, forall(p, le(ZERO, of(YES, p))))
    close = action("close", (it,), [at(OPEN), lt(number(-1), yes)], {STAGES: APPROVED}, fair=True)
    s = system(submit, vote, close, properties=(votes,))
    assert isinstance(unknown(s), Unknown)
    assert proved(s, CLOSES, [votes.expr]).uses == ("votes",)


def test_an_invariant_may_bind_the_very_individual() -> None:
    votes = forall(x, le(ZERO, of(YES, x)))
    close = action("close", (it,), [at(OPEN), lt(number(-1), yes)], {STAGES: APPROVED}, fair=True)
    assert isinstance(proved(system(submit, vote, close), CLOSES, [votes]), Proved)


def test_two_individuals() -> None:
    y = Ref("q#8", PROPOSAL, Space.BOUND)
    open_ = eq(of(STAGES, y), OPEN)
    over = conj(negate(stage_in(OPEN)), negate(open_))
    pair = leads(conj(stage_in(OPEN), open_), disj(negate(stage_in(OPEN)), negate(open_)))
    assert isinstance(proved(system(*VOTING), pair), Proved)
    # That both are over at one moment does not follow from each being over some time: one might be opened again.
    again = action("again", (it,), [at(DEFEATED)], {STAGES: OPEN})
    assert isinstance(unknown(system(*VOTING, again), replace(pair, goal=over)), Unknown)


def test_two_sorts_of_individuals() -> None:
    b = Ref("b#9", BOT, Space.BOUND)
    held = StateVar("held", (BOT, PROPOSAL), INT, ZERO)
    free = Action(
        "free",
        (who, it),
        (Guard(GuardKind.REQUIRE, lt(ZERO, of(held, who.ref, it.ref)), "nothing held"),),
        (Write("held", (who.ref, it.ref), ZERO),),
        fair=True,
    )
    take = Action("take", (who, it), (), (Write("held", (who.ref, it.ref), add(of(held, who.ref, it.ref), number(1))),))
    prop = leads(lt(ZERO, of(held, b, x)), eq(of(held, b, x), ZERO))
    s = System("holds", (), (held,), (take, free), ())
    assert proved(s, prop).assumptions == ("`free` happens if it stays possible",)
    assert unknown(replace(s, actions=(take, replace(free, fair=False))), prop).reason == (
        "`0 < held[b, p]` waits for a human: no fair action leaves it (only `free`)"
    )


def test_a_goal_that_holds_already() -> None:
    verdict = proved(system(*VOTING), leads(stage_in(OPEN), stage_in(OPEN, APPROVED)))
    assert verdict.assumptions == ()


def test_a_clock_that_may_run_ahead_is_not_trusted() -> None:
    hasty = [replace(a, writes=(*a.writes[:-1], Write(CLOCK, (), add(now.ref, number(9))))) for a in VOTING]
    assert isinstance(unknown(system(*hasty)), Unknown)


VOTING_TEXT = """
module voting

entity Bot
entity Proposal

enum Stage { Drafted, Open, Approved, Defeated }

param QUORUM : Int[1..1_000] = 3

state stage    : Proposal -> Stage = Drafted
state vote_end : Proposal -> Time  = 0
state yes, no  : Proposal -> Int   = 0

action submit(principal: Bot, proposal: Proposal) {
  require stage[proposal] == Drafted  else "not a draft"
  stage[proposal]    := Open
  vote_end[proposal] := now + 24h
}

action vote(principal: Bot, proposal: Proposal, support: Bool) {
  require stage[proposal] == Open        else "voting is not open"
  require now <= vote_end[proposal]      else "voting has ended"
  if support { yes[proposal] += 1 } else { no[proposal] += 1 }
}

fair action close_yes(proposal: Proposal) {
  require stage[proposal] == Open                        else "voting is not open"
  require now > vote_end[proposal]                       else "voting has not ended"
  require yes[proposal] > no[proposal]                   else "more are against it"
  stage[proposal] := if yes[proposal] >= QUORUM then Approved else Defeated
}

fair action close_no(proposal: Proposal) {
  require stage[proposal] == Open                        else "voting is not open"
  require now > vote_end[proposal]                       else "voting has not ended"
  require yes[proposal] COMPARED no[proposal]            else "more are for it"
  stage[proposal] := Defeated
}

eventually voting_closes:
  forall p: Proposal . stage[p] == Open leads to stage[p] in {Approved, Defeated}
"""


@pytest.mark.parametrize(("compared", "kind"), [("<=", Proved), ("<", Refuted)])
def test_policy_text(compared: str, kind: type) -> None:
    report = Report()
    (program,) = load(["voting.policy"], lambda _: VOTING_TEXT.replace("COMPARED", compared), report)
    assert isinstance(answer(program.system, program.system.claim("voting_closes")), kind)


SPECS = Path(__file__).parent.parent / "specs"


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [p for p in sorted(SPECS.rglob("*.policy")) if "\neventually " in p.read_text()], ids=lambda p: p.stem
)
def test_policies_that_ship(path: Path) -> None:
    report = Report()
    (program,) = load([str(path)], lambda p: Path(p).read_text(), report)
    claims = program.system.properties
    invariants = (PropertyKind.INVARIANT, PropertyKind.LEMMA)
    known = [p.expr for p in claims if p.kind in invariants and p.expected is Expected.PROVED]
    found = {p.name: answer(program.system, p, known) for p in claims if p.kind is PropertyKind.LEADS_TO}
    assert found
    assert {n: v for n, v in found.items() if not isinstance(v, Proved)} == {}
