"""Test blocks: what passes, what fails, where, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policydsl.core.expr import number
from policydsl.core.system import Program, TestCheck, TestStep
from policydsl.diagnostics import Report
from policydsl.interp import replay
from policydsl.load import load
from policydsl.run_tests import TestResult, run_test

POLICY = """
entity Bot { root }
enum Stage { Draft, Open, Done }
param LIMIT : Int[1..9] = 3
state m : Bot -> Int = 5
state stage : Stage = Draft
state open_for : Bot? = none
state seen : Time = 0

action pay(principal: Bot, other: Bot, amount: Int[0..9]) {
  require amount <= m[principal] else "too poor"
  m[principal] -= amount
  m[other]     += amount
  seen := now
}

forbid greedy on pay when amount > LIMIT because "more than the limit"
"""


def program(body: str) -> Program:
    text = POLICY + 'test "t" {\n' + body + "\n}\n"
    report = Report()
    found = load(["t.policy"], {"t.policy": text}.__getitem__, report)
    assert found, [f"{d.code} {d.text}" for d in report.sorted()]
    return found[0]


def result(body: str) -> TestResult:
    p = program(body)
    return run_test(p.system, p.tests[0])


PASSING = """
  given m[alice] = 9
  given LIMIT = 4
  at 5m pay(alice, bob, 4)  expect allow
  at 5m pay(alice, bob, 5)  expect deny by greedy
  expect m[alice] == 5
  expect m[bob] == 9
  pay(alice, bob, 3)
  at 6m pay(alice, alice, 2)  expect allow
  expect m[alice] == 2
  at 7m pay(alice, bob, 3)  expect deny "too poor"
  at 5m pay(alice, bob, 1)  expect deny "the clock went back"
  expect seen == 6m
  expect m[root] == 5
  expect forall b: Bot . m[b] >= 2
"""


def test_a_test_that_passes() -> None:
    p = program(PASSING)
    found = run_test(p.system, p.tests[0])
    assert found.failures == ()
    assert found.passed
    assert found.trace is not None
    assert [s.decision.effect for s in found.trace.steps] == ["allow", "deny", "allow", "allow", "deny", "deny"]
    assert dict(found.trace.params) == {"LIMIT": 4}
    assert replay(p.system, found.trace) == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("at 1m pay(a, b, 1) expect deny", "expected deny, got allow"),
        ("at 1m pay(a, b, 4) expect allow", "expected allow, got deny by greedy: more than the limit"),
        ("at 1m pay(a, b, 4) expect pending", "expected pending, got deny by greedy: more than the limit"),
        ("at 1m pay(a, b, 9) expect deny by greedy", "expected it by `greedy`, got no rule (too poor)"),
        ('at 1m pay(a, b, 4) expect deny "x"', 'expected the reason "x", got "more than the limit"'),
        ("expect m[a] == 6", "expected m[a] == 6, but m[a] is 5"),
        ("expect stage in {Open, Done}", "expected stage in {Open, Done}, but stage is Draft"),
        ("expect seen == 24h", "expected seen == 24h, but seen is 0s"),
        ("expect forall b: Bot . m[b] > 5", "expected forall b: Bot . m[b] > 5"),
    ],
)
def test_what_fails_says_why(body: str, text: str) -> None:
    found = result(body)
    assert not found.passed
    assert [f.text for f in found.failures] == [text]


def test_a_test_goes_on_after_a_failure_and_names_the_places() -> None:
    body = "at 1m pay(a, b, 9) expect allow\nexpect m[b] == 14\nat 2m pay(a, b, 2) expect allow\nexpect m[b] == 8"
    found = result(body)
    first = POLICY.count("\n") + 2
    assert [f.span.line for f in found.failures] == [first, first + 1, first + 3]
    assert found.trace is not None
    assert len(found.trace.steps) == 2


def test_a_start_outside_the_range_of_a_parameter_fails() -> None:
    """The checker may refuse it first; a system that came from elsewhere has only this."""
    p = program("given LIMIT = 4\nexpect m[a] == 5")
    test = p.tests[0]
    assert all(isinstance(s, TestStep | TestCheck) for s in test.steps)
    found = run_test(p.system, replace(test, params=(("LIMIT", number(10)),)))
    assert found.trace is None
    assert [f.text for f in found.failures] == ["parameter `LIMIT` is outside its range: 10"]
    assert found.failures[0].span == test.span


# ---- a human answers, and obligations

ASKING = """
entity Bot
entity Human
obligation freeze(who: Bot, long: Duration)
param MANY : Int = 100

state sent : Int = 0

action spend(principal: Bot, amount: Int[0..1_000])
action send(principal: Bot, to: Human, text: String) { sent += 1 }
action refuse(principal: Bot) { sent += 10 }

pattern key = "sk-[a-z]+"
permit all on spend
approve big on spend when amount > 10 by human within 10m
approve huge on spend when amount > MANY by boss within 24h
forbid shouting on send when text starts with "URGENT" because "no shouting"
  then freeze(principal, 1h30m), log(text), log(to)
redact keys on send when text contains key replace with "[key]"
permit loud on send when text == "loud" then notify(to), alert(principal)
permit quiet on send when text != "loud"
"""


def asked(body: str) -> TestResult:
    report = Report()
    text = ASKING + 'test "t" {\n' + body + "\n}\n"
    found = load(["t.policy"], {"t.policy": text}.__getitem__, report)
    assert found, [f"{d.code} {d.text}" for d in report.sorted()]
    return run_test(found[0].system, found[0].tests[0])


@pytest.mark.parametrize(
    "body",
    [
        'at 1h spend(b, 11) expect pending by big "human must approve: big"  at 70m approve big expect allow by all',
        'at 1h spend(b, 11) at 2h approve big expect deny by big "the answer came too late"',
        'spend(b, 11) refuse big expect deny by big "refused"  expect sent == 0',
        "spend(b, 200) expect pending by huge  at 9m approve big expect pending  at 10m approve huge expect allow",
        # An approval is only good for a while, even where another one is waited for.
        "spend(b, 200)  at 9m approve big expect pending  at 11m approve huge expect pending by big",
        # The question was asked with the request, not when another one was answered.
        "spend(b, 200)  at 9m approve huge expect pending by big  at 11m approve big expect deny",
        # The latest is answered first, and each once.
        "spend(b, 11) at 1m spend(c, 12)  at 11m approve big expect allow  approve big expect deny by big",
        'send(b, ann, "URGENT") expect deny by shouting with freeze(b, 1h30m), log("URGENT"), log(ann) without notify',
        'send(b, ann, "loud") expect allow by loud with notify(ann)',
        'send(b, ann, "psst") expect allow by quiet without notify, alert',
        'send(b, ann, "sk-abc") expect allow with redact(text)',
        "refuse(b) expect allow  expect sent == 10",
    ],
)
def test_a_human_answers_and_obligations_are_there(body: str) -> None:
    assert asked(body).failures == ()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("approve big expect allow", "no request waits for `big`"),
        ("spend(b, 11) approve huge", "no request waits for `huge`"),
        ("spend(b, 11) approve big approve big", "no request waits for `big`"),
        ("spend(b, 11) refuse big approve big", "no request waits for `big`"),
        ("spend(b, 11) at 10m approve big expect deny", "expected deny, got allow by all"),
        ("spend(b, 11) at 601s approve big expect allow", "expected allow, got deny by big: the answer came too late"),
        ("spend(b, 11) expect pending by huge", "expected it by `huge`, got `big` (human must approve: big)"),
        (
            'send(b, ann, "loud") expect allow with notify(bob)',
            "expected notify(bob), got notify(ann), alert(b)",
        ),
        ('send(b, ann, "loud") expect allow without alert', "expected no `alert`, got notify(ann), alert(b)"),
        ('send(b, ann, "psst") expect allow with alert(b)', "expected alert(b), got no obligation"),
        ('send(b, ann, "psst") expect allow with redact(text)', "expected redact(text), got no obligation"),
        (
            'send(b, ann, "URGENT") expect deny with freeze(b, 1h)',
            'expected freeze(b, 3_600_000), got freeze(b, 5_400_000), log("URGENT"), log("ann")',
        ),
    ],
)
def test_what_a_human_or_an_obligation_fails_says_why(body: str, text: str) -> None:
    found = asked(body)
    assert [f.text for f in found.failures] == [text]


def test_the_run_of_a_test_with_answers_is_one_of_the_policy() -> None:
    found = asked("at 1h spend(b, 11)  at 61m refuse big  at 62m spend(b, 12)  at 63m approve big expect allow")
    assert found.trace is not None
    assert [s.decision.effect for s in found.trace.steps] == ["pending", "pending", "allow"]
    assert dict(found.trace.steps[2].inputs) == {
        "principal": "b",
        "amount": 12,
        "approved_big": True,
        "asked_big": 62 * 60_000,
        "approved_huge": False,
        "asked_huge": 0,
        "now": 63 * 60_000,
    }


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ("spend(b, 11) approve bigg", "E107", "bigg"),
        ("spend(b, 11) refuse shouting", "E107", "shouting"),
        ("spend(b, 11) expect deny by shouting", "E107", "shouting"),
        ("spend(b, 11) expect allow with notify(b)", "E112", "notify"),
        ('send(b, ann, "loud") expect deny with notify(ann)', "E112", "notify"),
        ('send(b, ann, "loud") expect allow without notfy', "E112", "notfy"),
        ('send(b, ann, "loud") expect allow with notify(ann, b)', "E202", "notify(ann, b)"),
        ('send(b, ann, "loud") expect allow with notify(3)', "E201", "3"),
        ("spend(b, 11) expect pending with approve(big)", "E604", "approve"),
        ('send(b, ann, "x") expect allow with redact(to)', "E604", "redact(to)"),
        ('expect deny with log("x")', "E022", 'expect deny with log("x")'),
        ("spend(b, 11) expect asked", "E604", "expect asked"),
        ("at 1h90m spend(b, 11)", None, ""),
        ("at 5m1h spend(b, 11)", "E018", "5m1h"),
        ("at 5m6m spend(b, 11)", "E018", "5m6m"),
    ],
)
def test_expectations_that_cannot_be(body: str, code: str | None, place: str) -> None:
    report = Report()
    text = ASKING + 'test "t" {\n' + body + "\n}\n"
    load(["t.policy"], {"t.policy": text}.__getitem__, report)
    found = [(d.code, text[d.span.start : d.span.end]) for d in report.sorted()]
    assert found == ([] if code is None else [(code, place)])
