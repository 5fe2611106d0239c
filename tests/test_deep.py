"""Long runs: found although there are many ways to go astray, and no longer than they must be."""

from __future__ import annotations

from pathlib import Path

import pytest
import z3

from policydsl.core.expr import Expr
from policydsl.core.system import PropertyKind, System
from policydsl.core.types import EntityType
from policydsl.interp import violated
from policydsl.trace import Trace
from tests.checked import program
from verifier import deep, distance
from verifier.bounded import Goal, Limits, Searcher, violations
from verifier.deep import search
from verifier.distance import Graphs
from verifier.few_values import part
from verifier.finite import fewest
from verifier.vacuity import vacuity_goals
from verifier.verify import verify

ROOT = Path(__file__).parent.parent
GOVERNANCE = "specs/mvg/governance.policy"
LIMITS = Limits()


def shipped(path: str, more: str = "") -> System:
    """A policy that ships, without its tests."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return program(text.split('\ntest "')[0] + more).system


def found(system: System, name: str) -> Trace | None:
    return search(system, violations(system, system.claim(name)), LIMITS).found.get(name)


def test_governance_comes_full_circle_without_a_test_that_shows_how() -> None:
    system = shipped(GOVERNANCE)
    trace = found(system, "full_circle")
    assert trace is not None
    assert " ".join(s.action for s in trace.steps) == (
        "draft submit open_voting vote close_voting execute monitor collect_feedback update_reputation optimize settle"
    )
    assert violated(system, system.claim("full_circle"), trace) == 11


@pytest.mark.slow
def test_nothing_of_governance_is_unknown_without_tests() -> None:
    outcomes = verify(shipped(GOVERNANCE)).outcomes
    assert {o.status for o in outcomes} == {"proved"}


TWO = """
reachable two: exists p: Proposal, q: Proposal . p != q and stage[p] == Settled and stage[q] == Settled
"""


def test_two_proposals_may_come_to_their_ends() -> None:
    system = shipped(GOVERNANCE, TWO)
    trace = found(system, "two")
    assert trace is not None
    assert len(trace.steps) == 14


def chain(length: int) -> str:
    stages = [f"S{i}" for i in range(length + 1)]
    steps = "\n".join(
        f"""
        action go{i}(principal: Bot, job: Job, n: Int) {{
          require stage[job] == S{i} and n > {i} and n < 100
          stage[job] := S{i + 1}  sum_[job] += n  count_[principal] += 1
        }}"""
        for i in range(length)
    )
    return f"""
    entity Bot entity Job enum Stage {{ {", ".join(stages)} }}
    state stage: Job -> Stage = S0
    state sum_: Job -> Int = 0
    state count_: Bot -> Int = 0
    {steps}
    action back(job: Job) {{ require stage[job] == S3  stage[job] := S1 }}
    action idle(principal: Bot, n: Int[0..9]) {{ count_[principal] += n }}
    reachable end: exists j: Job . stage[j] == S{length} and sum_[j] > 500
    invariant small: forall j: Job . stage[j] == S{length} implies sum_[j] <= 900
    invariant never: forall j: Job . stage[j] == S{length} implies sum_[j] >= 50
    """


def test_what_is_further_away_than_others_look_is_found() -> None:
    system = program(chain(18)).system
    for name in ("end", "small"):
        trace = found(system, name)
        assert trace is not None
        assert [s.action for s in trace.steps] == [f"go{i}" for i in range(18)]
    assert found(system, "never") is None


SHOUT = """
entity Bot
state loud: Int = 0
state shouted: Bot -> Bool = false
action shout(principal: Bot) { require not shouted[principal]  shouted[principal] := true  loud += 3 }
action say(principal: Bot) { loud += 1 }
invariant quiet: loud < 7
reachable noise: loud >= 7
"""


def test_a_run_among_few_is_not_shown_if_there_is_a_shorter_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "EASY", -1)
    monkeypatch.setattr(deep, "FAVOUR", 1_000_000)
    system = program(SHOUT).system
    broken, reached = found(system, "quiet"), found(system, "noise")
    assert broken is not None
    assert reached is not None
    assert len(broken.steps) == 3
    # Whoever only wants to know that it can be reached need not wait for the shortest.
    assert len(reached.steps) == 5


def test_what_is_found_among_few_counts_when_nothing_is_left_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "EASY", -1)
    monkeypatch.setattr(deep, "FAVOUR", 1_000_000)
    system = program(SHOUT).system
    searcher = Searcher(system, violations(system, system.claim("quiet")), Limits())
    searcher.spent = searcher.limits.total - 1
    deep.deepen(searcher)
    assert len(searcher.result.found["quiet"].steps) == 5


# What is said of distances is true.

POLICIES = [
    "specs/mvg/seed_contract.policy",
    "specs/failures/beanstalk_flawed.policy",
    "specs/failures/tornado_cash_flawed.policy",
    "specs/protocols/lock_server.policy",
    "specs/protocols/mutual_exclusion.policy",
]


@pytest.mark.parametrize("path", POLICIES)
def test_distances_make_no_run_longer_and_hide_none(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "NEAR", -1)
    system = shipped(path)
    goals = [g for p in system.properties for g in violations(system, p)] + vacuity_goals(system)
    limits = Limits(depth=4)
    people = fewest(system, [g.formula for g in goals])
    lengths: list[dict[str, int]] = []
    for graphs in (None, Graphs(system)):
        searcher = Searcher(system, goals, limits, people=people)
        if graphs is not None:
            searcher.measure(graphs)
        searcher.look(limits.depth)
        runs = searcher.result.found
        lengths.append({g.name: len(runs[g.name].steps) for g in goals if g.minimal and g.name in runs})
        lengths.append(dict.fromkeys(runs, 0))
    assert lengths[0] == lengths[2]
    assert lengths[1] == lengths[3]


STAGES = """
entity Job
enum Stage {{ A, B, C, D }}
state stage: Job -> Stage = A
state done: Job -> Int = 0
state flag: Job -> Bool = false
action ab(job: Job) {{ require stage[job] == A  stage[job] := B }}
action bc(job: Job) {{ require stage[job] == B and flag[job]  stage[job] := C }}
action cd(job: Job) {{ require stage[job] == C  stage[job] := D  done[job] += 1 }}
action da(job: Job) {{ require stage[job] == D  stage[job] := A }}
action raise(job: Job) {{ require stage[job] == B  flag[job] := true }}
{more}
reachable g: {goal}
"""


def furthest(goal: str, more: str = "") -> list[int]:
    """The greatest distances from the first state, one for each sum of distances, without those that say nothing."""
    system = program(STAGES.format(goal=goal, more=more)).system
    formula: Expr = system.claim("g").expr
    people = fewest(system, [formula])
    (job,) = [s for s in people.size if s == EntityType("Job")]
    assert people.size[job] == goal.count(": Job")
    runs = search(system, [Goal("g", formula)], Limits(depth=0)).found
    assert not runs
    bounds = Graphs(system).distances(formula, None, people)
    searcher = Searcher(system, [Goal("g", formula)], Limits(depth=12), people=people)
    result = []
    for b in bounds:
        template, name = searcher.unrolling.question(b.left, None)
        searcher._add(searcher.unrolling.at(template, 0))
        assert str(searcher.solver.check()) == "sat"
        value = searcher.solver.model().eval(z3.Int(searcher.unrolling.at(name, 0), searcher.context))
        assert isinstance(value, z3.IntNumRef)
        result.append(value.as_long())
    return result


@pytest.mark.parametrize(
    ("goal", "wanted"),
    [
        ("exists j: Job . stage[j] == D", [3]),
        ("exists j: Job . stage[j] == D and flag[j]", [4]),  # each apart, both together
        ("exists j: Job . done[j] == 1", [3]),  # the stage decides when it grows
        ("exists j: Job . done[j] >= 2", [7]),
        ("exists j: Job . stage[j] == B", []),  # too near to be worth it
        ("exists j: Job, k: Job . j != k and stage[j] == D and stage[k] == D", [6, 6]),
        ("exists j: Job, k: Job . j != k and stage[j] == D and not flag[k]", [3, 3]),
    ],
)
def test_how_far_it_is_at_least(goal: str, wanted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "NEAR", 2)
    assert furthest(goal) == wanted


def test_distances_are_not_added_up_where_one_step_goes_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "NEAR", 2)
    goal = "exists j: Job, k: Job . j != k and stage[j] == D and stage[k] == D"
    assert furthest(goal, "action all(job: Job) { for each k: Job where stage[k] == C { stage[k] := D } }") == [3] * 4
    monkeypatch.setattr(distance, "NEAR", 0)
    two = "action both(job: Job, other: Job) { require stage[other] == C  stage[job] := D  stage[other] := D }"
    assert set(furthest(goal, two)) == {1}


@pytest.mark.parametrize(
    ("comparison", "values"),
    [
        ("n <= 1", (0, 1, 2)),
        ("n == 0", (0, 1)),
        ("n > 3", (0, 1, 2, 3, 4)),
        ("n >= 3", (0, 1, 2, 3)),
        ("n < 9", (8, 9)),
        ("true", None),
    ],
)
def test_numbers_that_are_told_apart(comparison: str, values: tuple[int, ...] | None) -> None:
    system = program(f"state n: Int = 0 action up() {{ n += 1 }} reachable g: {comparison}").system
    found = part(system.variable("n"), [system.claim("g").expr])
    assert (None if found is None else found.values) == values


def test_as_many_individuals_as_one_request_is_about() -> None:
    system = program(
        """
        entity Bot { root } entity Job
        state known: (Bot, Bot) -> Bool = false
        state of_: Job -> Bot? = none
        action meet(principal: Bot, other: Bot) { known[principal, other] := true }
        action take(principal: Bot, job: Job) { of_[job] := principal }
        reachable g: exists j: Job, k: Job, l: Job . j != k and k != l and j != l
        """
    ).system
    sizes = fewest(system, [system.claim("g").expr]).size
    assert {s.name: n for s, n in sizes.items()} == {"Bot": 3, "Job": 3}
    assert {s.name: n for s, n in fewest(system, []).size.items()} == {"Bot": 3, "Job": 1}
    assert system.claim("g").kind is PropertyKind.REACHABLE
