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
        ("expect seen == 24h", "expected seen == 24h, but seen is 0"),
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
