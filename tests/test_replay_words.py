"""Where a recorded run and a policy disagree, as it is said to people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policydsl.core.system import System
from policydsl.diagnostics import Report
from policydsl.interp import Request, replay, run
from policydsl.load import load
from policydsl.replay_words import describe_difference, describe_start_faults
from policydsl.trace import Cell, Change, Trace

POLICY = """
entity Job
entity Bot
param FEW : Int[1..9] = 2
state done : Job -> Int = 0
state who : Job -> Bot? = none
state last : Time = 0
action finish(principal: Bot, job: Job) {
  require who[job] == none else "taken"
  done[job] += 10
  who[job] := principal
  last := now
}
permit ok on finish when done[job] < 100 then notify(principal)
forbid early on finish when now - last < 5m because "too early" then alert(principal)
limit rate on finish to FEW per 24h
"""


def system(old: str = "", new: str = "") -> System:
    report = Report()
    assert old in POLICY
    found = load(["dir/p.policy"], {"dir/p.policy": POLICY.replace(old, new) if old else POLICY}.__getitem__, report)
    assert found, [f"{d.code} {d.text}" for d in report.sorted()]
    return found[0].system


def recorded() -> Trace:
    requests = [(300_000, "j1"), (300_001, "j2"), (86_400_001, "j2"), (90_000_000, "j2")]
    asks = [Request("finish", {"principal": "ann", "job": job, "now": now}) for now, job in requests]
    trace, _ = run(system(), asks)
    assert [s.decision.effect for s in trace.steps] == ["allow", "deny", "allow", "deny"]
    return trace


def said(s: System, trace: Trace) -> list[str]:
    return [f"{d.at}: {text}" for d in replay(s, trace) for text in describe_difference(d, s)]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("", "", []),
        (
            "now - last < 5m",
            "now - last < 24h",
            [
                "1: at 5m finish(ann, j1): recorded allow by ok, now deny by early: too early (p.policy:15)",
                "3: at 24h1ms finish(ann, j2): recorded last: 5m -> 24h1ms, now last: 0s -> 24h1ms",
                "4: at 25h finish(ann, j2): recorded no obligation, now alert(ann)",
            ],
        ),
        (
            "now - last < 5m",
            "now - last > 40h",
            [
                "2: at 5m1ms finish(ann, j2): recorded deny by early: too early, now allow by ok (p.policy:15)",
                "3: at 24h1ms finish(ann, j2): recorded allow by ok, now deny: taken (p.policy:9)",
            ],
        ),
        (
            '"taken"',
            '"it is taken"',
            ["4: at 25h finish(ann, j2): recorded deny: taken, now deny: it is taken (p.policy:9)"],
        ),
        (
            "then notify(principal)",
            "then notify(job)",
            [
                "1: at 5m finish(ann, j1): recorded notify(ann), now notify(j1)",
                "3: at 24h1ms finish(ann, j2): recorded notify(ann), now notify(j2)",
            ],
        ),
        (
            "+= 10",
            "+= 11",
            [
                "1: at 5m finish(ann, j1): recorded done[j1]: 0 -> 10, now done[j1]: 0 -> 11",
                "3: at 24h1ms finish(ann, j2): recorded done[j2]: 0 -> 10, now done[j2]: 0 -> 11",
            ],
        ),
        (
            "last := now",
            "last := now + 1h30m",
            [
                "1: at 5m finish(ann, j1): recorded last: 0s -> 5m, now last: 0s -> 95m",
                "3: at 24h1ms finish(ann, j2): recorded last: 5m -> 24h1ms, now last: 95m -> 25h30m1ms",
                "4: at 25h finish(ann, j2): recorded no obligation, now alert(ann)",
            ],
        ),
        (
            "who[job] := principal",
            "",
            [
                "1: at 5m finish(ann, j1): recorded who[j1]: none -> ann, now no change",
                "3: at 24h1ms finish(ann, j2): recorded who[j2]: none -> ann, now no change",
                "4: at 25h finish(ann, j2): recorded deny: taken, now allow by ok (p.policy:9)",
            ],
        ),
    ],
)
def test_what_differs_is_said_as_the_policy_writes_it(old: str, new: str, found: list[str]) -> None:
    assert said(system(old, new), recorded()) == found


def test_what_only_the_past_remembers_is_said_where_nothing_else_differs() -> None:
    trace = recorded()
    first = trace.steps[0]
    kept = tuple(c for c in first.changes if c.var in ("done", "who.has", "who.value", "last"))
    assert kept != first.changes
    [text] = said(system(), replace(trace, steps=(replace(first, changes=kept),)))
    assert text.startswith("1: at 5m finish(ann, j1): what is remembered of the past: recorded no change, now ")


def test_what_the_policy_does_not_have_is_said_too() -> None:
    trace = recorded()
    first = trace.steps[0]
    more = replace(first, changes=(*first.changes, Change("zeal", (), 0, 1)))
    assert said(system(), replace(trace, steps=(more,))) == [
        "1: at 5m finish(ann, j1): recorded a change of `zeal`, which there is not, now no change"
    ]
    other = replace(first, action="end")
    [text] = said(system(), replace(trace, steps=(other,)))
    assert text.startswith("1: at 5m end(ann, j1): recorded allow by ok, now deny: unknown action")


def test_a_start_that_is_none() -> None:
    trace = recorded()
    s = system()
    assert describe_start_faults(s, trace) == []
    moved = replace(trace, start=(Cell("last", (), 86_400_001), Cell("who.has", ("j9",), True)))
    assert describe_start_faults(s, moved) == [
        "starts with last = 24h1ms, and no run of the policy does",
        'starts with who[j9] = "", and no run of the policy does',
    ]
    unfit = replace(trace, params=(("FEW", 10),))
    assert describe_start_faults(s, unfit) == ["parameter `FEW` is outside its range: 10"]
    assert said(s, unfit) == ["0: parameter `FEW` is outside its range: 10"]
