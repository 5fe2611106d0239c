"""Flaws in the rules of governance are refuted, each by the property that is there for it, with a run that replays."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from policydsl.core.expr import FALSE, Apply, Expr, Ref, substitute, subterms
from policydsl.core.system import GuardKind, Origin, Program, PropertyKind, System
from policydsl.diagnostics import Report
from policydsl.interp import replay, start_faults, violated
from policydsl.load import load
from policydsl.run_tests import run_test
from policydsl.trace import Trace

ROOT = Path(__file__).parent.parent
LIFECYCLE, GOVERNANCE = "specs/mvg/lifecycle.policy", "specs/mvg/governance.policy"
BALLOT = "ballot[proposal, member] == None"
SNAPSHOT = "snapshot[proposal, principal]"
STANDING = "standing[proposal] := reputation[principal]"
HIS = "snapshot[proposal, member]"
REWARD = "then min(MAX_REPUTATION, reputation[author] + PROPOSAL_REWARD)"
OPENING = "where b in Members { snapshot[proposal, b] := reputation[b] }"
FINE = """  stage[proposal] := ReputationUpdate
  if proposer[proposal] has author {
    reputation[author] := max(MIN_REPUTATION, reputation[author] - PROPOSAL_PENALTY)"""
OPEN = "{Drafted, Submitted, VotingOpen, Approved}"

SAFETY = (PropertyKind.INVARIANT, PropertyKind.STEP, PropertyKind.ASSERT)

# What stands where, what is put there instead, and what notices.
FLAWS = [
    (LIFECYCLE, BALLOT, "true", "one_ballot_per_voter"),
    (LIFECYCLE, BALLOT, "true", "honest_tally_of_yes"),
    (LIFECYCLE, BALLOT, "true", "ballots_do_not_change"),
    (LIFECYCLE, "counted[proposal, member] += 1", "counted[proposal, member] += 2", "a_ballot_is_counted"),
    (LIFECYCLE, "counted[proposal, member] += 1", "counted[proposal, member] += 2", "one_ballot_per_voter"),
    (LIFECYCLE, f"weight[proposal, member]  := {HIS}", "weight[proposal, member] := 1", "weight_is_the_snapshot"),
    (LIFECYCLE, f"no[proposal]  += {HIS}", "no[proposal] += 2 * reputation[member]", "honest_tally_of_no"),
    (LIFECYCLE, f"yes[proposal] += {HIS}", f"yes[proposal] -= {HIS}", "votes_never_decrease"),
    (LIFECYCLE, "now <= vote_end[proposal]           else", "true else", "votes_only_in_the_window@vote_for"),
    (LIFECYCLE, "require representative[member] == principal", "require true", "revoked_is_revoked"),
    (LIFECYCLE, "require represents[principal]               else", "require true else", "no_vote_without_a_mandate"),
    (LIFECYCLE, "require represents[to]            else", "require true else", "no_circles"),
    (LIFECYCLE, "height[to]                := max(height[to], height[principal] + 1)", "", "no_circles"),
    (LIFECYCLE, "require not represents[principal]", "require true", "one_level"),
    (LIFECYCLE, "representative[principal] := to", "representative[to] := to", "mandates_are_given_in_person@delegate"),
    (LIFECYCLE, "require representative[principal] != none", "require not represents[principal] and 1 > 2",
     "a_mandate_can_always_be_revoked"),
    (GOVERNANCE, f"yes[proposal] += {SNAPSHOT}", "yes[proposal] += reputation[principal] + 1", "honest_tally_of_yes"),
    (GOVERNANCE, f"weight[proposal, principal]  := {SNAPSHOT}", "weight[proposal, principal] := 1",
     "weight_is_the_snapshot"),
    (GOVERNANCE, f"require {SNAPSHOT} > 0", f"require {SNAPSHOT} > 100", "nobody_is_kept_from_voting"),
    (GOVERNANCE, OPENING, "where b in Members { snapshot[proposal, b] := 1 }", "weights_are_taken_at_the_opening"),
    (GOVERNANCE, OPENING, "{ snapshot[proposal, b] := reputation[b] }", "weights_are_taken_at_the_opening"),
    (GOVERNANCE, STANDING, "snapshot[proposal, principal] := 1",
     "nothing_counts_before_the_opening"),
    (GOVERNANCE, STANDING, "executions[proposal] := 1", "executed_after_approval"),
    (GOVERNANCE, STANDING, "withdrawn[proposal] := true", "what_is_taken_back_is_archived"),
    (GOVERNANCE, "vote_start[proposal] := now", "vote_start[proposal] := now + 1s", "the_opening_was_before"),
    (GOVERNANCE, "now + VOTING_PERIOD", "now + VOTING_PERIOD - 1s", "voting_lasts_its_time"),
    (GOVERNANCE, "+ no[proposal] >= QUORUM {", "+ no[proposal] >= 1 {", "approved_by_a_vote"),
    (GOVERNANCE, "+ no[proposal] >= QUORUM {", "+ no[proposal] >= 1 {", "executed_had_quorum"),
    (GOVERNANCE, "if yes[proposal] > no[proposal] and", "if", "executed_had_quorum"),
    (GOVERNANCE, "require now >= ready_at[proposal]", "require true", "executed_had_waited"),
    (GOVERNANCE, "  stage[proposal]       := Executing\n", "", "no_double_execution"),
    (GOVERNANCE, OPEN, OPEN.replace("}", ", Executing}"), "never_executed_and_withdrawn"),
    (GOVERNANCE, REWARD, "then reputation[author] + PROPOSAL_REWARD", "bounded_reputation"),
    (GOVERNANCE, REWARD, "then reputation[author]", "proposers_answer_for_the_outcome"),
    (GOVERNANCE, "if (ballot[proposal, b] == Yes) == worked[proposal]", "if ballot[proposal, b] == No",
     "voters_answer_for_the_outcome"),
    (GOVERNANCE, "counted[proposal, principal] += 1", f"{SNAPSHOT} := 0", "snapshots_do_not_change"),
    (GOVERNANCE, "require stage[proposal] == Unwritten", "require true", "written_once"),
    (GOVERNANCE, "require stage[proposal] == Unwritten", "require true", "proposals_do_not_change"),
    (GOVERNANCE, "counted[proposal, principal] += 1", "vote_end[proposal] := now", "the_window_does_not_move"),
    (GOVERNANCE, "executed_at[proposal] := now", "ready_at[proposal] := now", "only_a_vote_schedules"),
    (GOVERNANCE, FINE, FINE.replace("-", "+"), "defeat_never_pays@penalise"),
    (GOVERNANCE, "stage[proposal] := Defeated", "stage[proposal] := Archived", "archived_for_a_reason"),
    (GOVERNANCE, "stage[proposal] := Defeated", "stage[proposal] := Rejected", "lifecycle"),
]  # fmt: skip

# What is tried, beside what the policy's own tests try.
ATTACKS = """
test "a single vote" {
  given alice in Members
  at 0h  draft(alice, p1, upgrade)
  at 0h  submit(alice, p1)
  at 0h  open_voting(p1)
  at 1h  vote(alice, p1, true)
  at 25h close_voting(p1)
  at 73h execute(p1)
  at 73h penalise(p1)
}

test "at once, twice, and taken back" {
  given QUORUM = 100
  given alice in Members
  at 0h  draft(alice, p1, upgrade)
  at 0h  submit(alice, p1)
  at 0h  open_voting(p1)
  at 1h  vote(alice, p1, true)
  at 25h close_voting(p1)
  at 25h execute(p1)
  at 73h execute(p1)
  at 73h execute(p1)
  at 73h withdraw(alice, p1)
}

test "without a majority" {
  given QUORUM = 200
  given alice in Members
  given bob in Members
  at 0h  draft(alice, p1, upgrade)
  at 0h  submit(alice, p1)
  at 0h  open_voting(p1)
  at 1h  vote(alice, p1, true)
  at 1h  vote(bob, p1, false)
  at 25h close_voting(p1)
  at 73h execute(p1)
}

test "a reward for the best" {
  given QUORUM = 100
  given PROPOSAL_REWARD = 1_000
  given alice in Members
  given bob in Members
  given judy in Auditors
  at 0h  draft(alice, p1, upgrade)
  at 0h  submit(alice, p1)
  at 0h  open_voting(p1)
  at 1h  vote(bob, p1, true)
  at 25h close_voting(p1)
  at 73h execute(p1)
  at 73h monitor(p1)
  at 73h collect_feedback(judy, p1, true)
  at 73h update_reputation(p1)
}

test "a reward for others" {
  given QUORUM = 100
  given alice in Members
  given bob in Members
  given judy in Auditors
  at 0h  draft(alice, p1, upgrade)
  at 0h  submit(alice, p1)
  at 0h  open_voting(p1)
  at 1h  vote(bob, p1, true)
  at 25h close_voting(p1)
  at 73h execute(p1)
  at 73h monitor(p1)
  at 73h collect_feedback(judy, p1, true)
  at 73h update_reputation(p1)
}

test "a change of mind" {
  given alice in Members
  given rita in Members
  stand(rita)
  delegate(alice, rita)
  draft(alice, p1, upgrade)
  submit(alice, p1)
  open_voting(p1)
  vote_for(rita, alice, p1, true)
  vote_for(rita, alice, p1, false)
}

test "another text" {
  given alice in Members
  given bob in Members
  draft(alice, p1, upgrade)
  submit(alice, p1)
  draft(bob, p1, takeover)
}

test "too late" {
  given alice in Members
  given rita in Members
  at 0h  stand(rita)
  at 0h  delegate(alice, rita)
  at 0h  draft(alice, p1, upgrade)
  at 0h  submit(alice, p1)
  at 0h  open_voting(p1)
  at 25h vote_for(rita, alice, p1, true)
}
"""


def with_flaw(file: str, was: str, now: str) -> Program:
    """The lifecycle with `now` where `was` stands in `file`, which is once."""

    def read(path: str) -> str:
        text = (ROOT / path).read_text(encoding="utf-8")
        rules, claims = text.split("\ninvariant ", 1)
        if path == file:
            assert rules.count(was) == 1, was
            rules = rules.replace(was, now)
        return f"{rules}\ninvariant {claims}{ATTACKS if path == LIFECYCLE else ''}"

    report = Report()
    [program] = load([LIFECYCLE], read, report)
    assert not report.failed, report.sorted()
    return program


def runs(program: Program) -> list[Trace]:
    return [r.trace for r in (run_test(program.system, t) for t in program.tests) if r.trace is not None]


@cache
def as_it_is() -> tuple[System, list[Trace]]:
    program = with_flaw("", "", "")
    return program.system, runs(program)


@pytest.mark.parametrize(("file", "was", "now", "name"), FLAWS, ids=[f"{f[3]}-{i}" for i, f in enumerate(FLAWS)])
def test_a_flaw_is_refuted(file: str, was: str, now: str, name: str) -> None:
    """Some run of the flawed rules, from their beginning, breaks the property; and none of the rules as they are."""
    flawed, (good, tried) = with_flaw(file, was, now), as_it_is()
    system, claim = flawed.system, flawed.system.claim(name)
    assert {violated(good, good.claim(name), run) for run in tried} == {None}
    broken = [run for run in runs(flawed) if not start_faults(system, run) and violated(system, claim, run) is not None]
    assert broken
    assert [replay(system, run) for run in broken] == [[]] * len(broken)


def test_there_is_a_flaw_for_every_promise_of_safety() -> None:
    claims = {p.name.partition("@")[0] for p in as_it_is()[0].properties if p.kind in SAFETY}
    assert claims == {name.partition("@")[0] for *_, name in FLAWS}


def bots_alone(e: Expr) -> Expr:
    """In the twin, humans are no members unless they are let in."""
    human = [
        x for x in subterms(e) if isinstance(x, Apply) and isinstance(x.args[0], Ref) and x.args[0].name == "Humans"
    ]
    return substitute(e, dict.fromkeys(human, FALSE))


@pytest.mark.parametrize("name", ["stand", "step_down", "delegate", "revoke", "vote_for"])
def test_the_twin_delegates_by_the_same_rules(name: str) -> None:
    """But for rules about quarantine and the like, and for the number that shows that there are no circles."""
    [twin] = load(["specs/twin/ecosystem.policy"], lambda p: (ROOT / p).read_text(encoding="utf-8"), Report())
    rules, changes = [], []
    for system in (as_it_is()[0], twin.system):
        action = system.action(name)
        declared = {v.name for v in system.state if v.origin is Origin.DECLARED} - {"height"}
        rules.append([(bots_alone(g.expr), g.reason) for g in action.guards if g.kind is GuardKind.REQUIRE])
        changes.append([(w.var, w.keys, w.value) for w in action.writes if w.var in declared])
    assert rules[0] == rules[1] != []
    assert changes[0] == changes[1] != []
