"""Parts that differ in names only are verified once: what counts as the same, and what is then said of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policydsl.core.system import System
from policydsl.interp import replay, violated
from policydsl.run_tests import run_test
from policydsl.to_words import words
from tests.checked import program
from verifier import verify as module
from verifier.certificate import certificate
from verifier.parts import parts
from verifier.rules import analyse
from verifier.shapes import groups
from verifier.verdict import Proved, Refuted, Unknown, Verification, Witnessed
from verifier.verify import Settings, verify, verify_with_proofs

FIRST = """
entity Job { urgent }
enum Stage { Open, Taken, Done }
param MOST: Int[1..9] = 3
group Trusted of Job
state stage : Job -> Stage = Open
state paid  : Job -> Int   = 0
state next  : Job -> Job?  = none
action take(principal: Job, job: Job) {
  require stage[job] == Open else "somebody has it"
  require job != urgent or principal in Trusted else "not for you"
  stage[job] := Taken
  next[job]  := principal
}
fair action finish(job: Job) {
  require stage[job] == Taken else "not taken"
  stage[job] := Done
  paid[job]  += MOST
}
forbid barred on take when principal == urgent because "no"
invariant paid_once:      forall j: Job . paid[j] <= 9
invariant paid_when_done: forall j: Job . paid[j] > 0 implies stage[j] == Done
invariant has_somebody:   forall j: Job . stage[j] != Open implies next[j] != none
expect refuted invariant never_two: forall j: Job . paid[j] < 2
reachable somebody_is_paid: exists j: Job . paid[j] == 5 and next[j] == some
eventually all_ends: forall j: Job . stage[j] == Taken leads to stage[j] == Done
assert for_others on take: allowed implies principal != urgent
""".replace(" and next[j] == some", "")

NAMES = {
    "Job": "Task", "urgent": "pressing", "Stage": "Phase", "Open": "New", "Taken": "Begun", "Done": "Ended",
    "MOST": "WAGE", "Trusted": "Known", "stage": "phase", "paid": "earned", "next": "who", "take": "begin",
    "finish": "end", "barred": "shut", "paid_once": "earned_once", "paid_when_done": "earned_when_ended",
    "has_somebody": "has_one", "never_two": "not_two", "somebody_is_paid": "one_is_paid", "all_ends": "each_ends",
    "for_others": "not_for_them",
}  # fmt: skip
"""One name contains another (`paid`, `paid_once`), so that a careless replacement shows."""


def renamed(text: str) -> str:
    import re

    return re.sub(r'"[^"]*"|\w+', lambda m: NAMES.get(m.group(), m.group()), text)


SECOND = renamed(FIRST)


def system(*texts: str) -> System:
    return program("\n".join(texts)).system


def sizes(*texts: str) -> list[int]:
    return [len(g.members) for g in groups(parts(system(*texts)))]


def apart(whole: System) -> Verification:
    """As if no two parts were the same."""
    return verify_with_proofs(whole, Settings(proofs=True))[0]


def test_names_do_not_matter() -> None:
    assert sizes(FIRST, SECOND) == [2]


def test_bound_names_and_reasons_and_remarks_do_not_matter() -> None:
    second = SECOND.replace("forall j: Task", "/// Something.\n forall x: Task").replace("[j]", "[x]")
    second = second.replace("exists j", "exists x").replace("somebody has it", "it is gone")
    assert sizes(FIRST, second) == [2]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("earned[j] <= 9", "earned[j] <= 8"),
        ("earned[job]  += WAGE", "earned[job]  += 3"),
        ("WAGE: Int[1..9] = 3", "WAGE: Int[1..8] = 3"),
        ("WAGE: Int[1..9] = 3", "WAGE: Int[1..9] = 4"),
        ("WAGE: Int[1..9] = 3", "WAGE: Int[0..9] = 3"),
        ("earned  : Task -> Int   = 0", "earned  : Task -> Int   = 1"),
        ("earned  : Task -> Int   = 0", "earned  : Task -> Int   = any"),
        ("phase : Task -> Phase = New", "phase : Task -> Phase = Begun"),
        ("{ New, Begun, Ended }", "{ New, Begun, Ended, Lost }"),
        ("{ New, Begun, Ended }", "{ New, Ended, Begun }"),
        ("Task { pressing }", "Task { pressing, other }"),
        ("job != pressing or principal in Known", "job != pressing or job in Known"),
        ("job != pressing or principal in Known", "principal != pressing or principal in Known"),
        ("job != pressing or principal in Known", "job != pressing"),
        ('require phase[job] == Begun else "not taken"', ""),
        ("who[job]  := principal", "who[job]  := job"),
        ("fair action end", "action end"),
        ("forbid shut", "permit shut"),
        ("expect refuted invariant not_two", "invariant not_two"),
        ("invariant earned_once", "lemma earned_once"),
        ("leads to phase[j] == Ended", "leads to phase[j] == New"),
        ("allowed implies principal != pressing", "allowed implies job != pressing"),
    ],
)
def test_everything_else_does(old: str, new: str) -> None:
    assert old in SECOND
    assert sizes(FIRST, SECOND.replace(old, new)) == [1, 1]


def test_two_names_are_not_one() -> None:
    one = "state a1: Bool = false state b1: Bool = false action f1() { a1 := true b1 := a1 }"
    two = "state a2: Bool = false state b2: Bool = false action f2() { a2 := true b2 := b2 }"
    three = "state a3: Bool = false state b3: Bool = false action f3() { a3 := true b3 := not a3 }"
    assert sizes(one, two, three) == [1, 1, 1]


def test_one_name_is_not_two() -> None:
    # In each, two sorts; what differs is only which of them is meant.
    one = "entity A1 entity B1 state m1: (A1, B1) -> Int = 0 action f1(a: A1, b: B1) { m1[a, b] += 1 }"
    two = "entity A2 state m2: (A2, A2) -> Int = 0 action f2(a: A2, b: A2) { m2[a, b] += 1 }"
    assert sizes(one, two) == [1, 1]
    assert sizes(two, one) == [1, 1]


def test_individuals_are_told_apart() -> None:
    text = """
    entity E{n} {{ x{n}, y{n} }}
    state s{n}: Int = 0
    action f{n}(e: E{n}, d: E{n}) {{
      require e == x{n} and d == {w}
      s{n} += 1
    }}
    """
    assert sizes(text.format(n=1, w="x1"), text.format(n=2, w="y2")) == [1, 1]
    assert sizes(text.format(n=1, w="y1"), text.format(n=2, w="y2")) == [2]


def test_strings_are_not_names() -> None:
    text = 'state s{n}: Int = 0 action f{n}(t: String) {{ require t == "{w}" s{n} += 1 }}'
    assert sizes(text.format(n=1, w="a"), text.format(n=2, w="b")) == [1, 1]
    assert sizes(text.format(n=1, w="a"), text.format(n=2, w="a")) == [2]
    # What looks like a mark could be taken for one later.
    assert sizes(text.format(n=1, w="<v1>"), text.format(n=2, w="<v1>")) == [1, 1]


def test_each_gets_the_verdict_in_its_own_names() -> None:
    whole = system(FIRST, SECOND)
    found = {o.property.name: o.verdict for o in verify(whole).outcomes}
    expected = {o.property.name: o.verdict for o in apart(whole).outcomes}
    assert {n: type(v) for n, v in found.items()} == {n: type(v) for n, v in expected.items()}
    assert {Proved, Refuted, Witnessed} == {type(v) for v in found.values()}
    for name, verdict in found.items():
        other = expected[name]
        match verdict, other:
            case Proved(), Proved():
                assert (verdict.how, verdict.uses, verdict.assumptions) == (other.how, other.uses, other.assumptions)
                assert [words(x) for x in verdict.lemmas] == [words(x) for x in other.lemmas]
            case (Refuted(trace), Refuted()) | (Witnessed(trace), Witnessed()):
                assert replay(whole, trace) == []
                assert violated(whole, whole.claim(name), trace) is not None
    assert "`end` happens if it stays possible" in found["each_ends"].assumptions


def test_what_never_happens_is_said_of_each() -> None:
    rules = 'forbid idle on take when principal == urgent and principal != urgent because "never"'
    whole = system(FIRST, rules, SECOND, renamed(rules).replace("idle", "vain"))
    assert verify(whole).vacuities == apart(whole).vacuities
    assert "rule `vain` on `begin`" in [v.subject for v in verify(whole).vacuities]


def test_an_unknown_is_one_of_each() -> None:
    text = """
    state n{n}, m{n}: Int = 0
    action up{n}() {{ n{n} += 2 }}
    action on{n}() {{ m{n} += n{n} }}
    expect unknown invariant u{n}: n{n} != 1_001
    expect unknown eventually e{n}: n{n} == 2 leads to m{n} == 1_000
    """
    whole = system(text.format(n=1), text.format(n=2))
    assert sizes(text.format(n=1), text.format(n=2)) == [2]
    little = replace(Settings(proofs=False), spacer_rlimit=1, spacer_rlimit_last=1)
    found = {o.property.name: o.verdict for o in verify(whole, little).outcomes}
    for name, verdict in found.items():
        assert isinstance(verdict, Unknown), (name, verdict)
        assert "<" not in verdict.reason
    invariant = found["u2"]
    assert isinstance(invariant, Unknown)
    assert invariant.cti is not None
    assert replay(whole, invariant.cti) == []
    assert [s.action for s in invariant.cti.steps] == ["up2"]


def test_runs_of_tests_help_all() -> None:
    deep = "state n{n}: Int = 0 action f{n}(k: Int) {{ require k == n{n} * 7 + 3 n{n} := k }} reachable r{n}: n{n} > 23"
    test = 'test "far" { f1(3) f1(24) }'
    loaded = program("\n".join([deep.format(n=1), deep.format(n=2), test]))
    run = run_test(loaded.system, loaded.tests[0])
    assert run.passed
    assert run.trace is not None
    shallow = replace(Settings(proofs=False), shallow=0, limits=replace(Settings().limits, depth=0))
    found, _ = verify_with_proofs(loaded.system, shallow, runs=[run.trace])
    assert [o.status for o in found.outcomes] == ["proved", "proved"]


def test_one_with_a_name_that_is_taken_is_looked_at_alone() -> None:
    # The run of the first says `alice`; in the second somebody real is called so.
    text = """
    entity B{n} {{ {who} }}
    state s{n}: B{n} -> Bool = false
    action f{n}(principal: B{n}) {{
      require principal != {who}
      s{n}[principal] := true
    }}
    expect refuted invariant i{n}: forall b: B{n} . not s{n}[b]
    """
    whole = system(text.format(n=1, who="root"), text.format(n=2, who="alice"))
    assert len(groups(parts(whole))) == 1
    for outcome in verify(whole).outcomes:
        assert isinstance(outcome.verdict, Refuted)
        assert violated(whole, outcome.property, outcome.verdict.trace) is not None
        assert [s.decision.effect for s in outcome.verdict.trace.steps] == ["allow"]


def test_a_certificate_has_a_proof_of_each() -> None:
    whole = system(FIRST, SECOND)
    verification, proofs = verify_with_proofs(whole)
    assert {"earned_once", "paid_once"} <= proofs.keys()
    records = {r.name: r for r in certificate(whole, verification, proofs).properties}
    assert "earned" in str(records["earned_once"].obligations)


def test_shapes_are_used(monkeypatch) -> None:
    asked: list[str] = []
    made = module._Run

    class Counting(made):  # type: ignore[misc,valid-type]
        def run(self):
            asked.append(self.system.name)
            return super().run()

    monkeypatch.setattr(module, "_Run", Counting)
    verify(system(FIRST, SECOND))
    assert len(asked) == 1
    verify_with_proofs(system(FIRST, SECOND))
    assert len(asked) == 3


def test_findings_about_rules_are_those_of_each() -> None:
    twice = FIRST + 'forbid again on take when principal == urgent because "no"'
    whole = system(twice, renamed(twice).replace("again", "once_more"))
    assert [(f.action, f.rule) for f in analyse(whole)] == [("take", "again"), ("begin", "once_more")]
    assert analyse(system(FIRST, SECOND)) == ()
