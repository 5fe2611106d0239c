"""The policies that ship: they check cleanly, their tests pass, their verdicts and their dashboard are true."""

from __future__ import annotations

import gzip
import re
from functools import cache

import pytest
from dashboard import README, ROOT, SPECS, dashboard

from policydsl.core.system import Expected, Program, PropertyKind, Test
from policydsl.core.to_json import digest
from policydsl.diagnostics import Report
from policydsl.expr_words import words
from policydsl.interp import Request, initial, step
from policydsl.load import load
from policydsl.run_tests import run_test
from policydsl.to_text import format_text
from simulator.policies import governing, shipped
from tests.mutate import instead
from verifier.verdict import Unknown
from verifier.verify import verify_with_proofs

LOGS = ROOT / "tests" / "data" / "temporal"


@cache
def checked(path: str) -> tuple[Program, Report]:
    report = Report()
    [program] = load([path], lambda p: (ROOT / p).read_text(encoding="utf-8"), report)
    return program, report


def program(path: str) -> Program:
    return checked(path)[0]


def blocks_inside() -> list[tuple[str, Test]]:
    return [(path, test) for path in SPECS for test in program(path).tests]


def test_there_are_policies() -> None:
    assert len(SPECS) >= 30


@pytest.mark.parametrize("path", SPECS)
def test_checks_without_a_word(path: str) -> None:
    assert checked(path)[1].sorted() == ()


@pytest.mark.parametrize("path", SPECS)
def test_is_in_the_one_style(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert format_text(text) == text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(("path", "test"), blocks_inside(), ids=lambda x: x if isinstance(x, str) else x.name)
def test_its_tests_pass(path: str, test: Test) -> None:
    result = run_test(program(path).system, test)
    assert [f"{path}:{f.span.line}: {f.text}" for f in result.failures] == []
    assert result.passed


@pytest.mark.parametrize("path", SPECS)
def test_its_tests_can_fail(path: str) -> None:
    """Each expected decision turned into its opposite has to be noticed."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for was, other in (("deny", "allow"), ("allow", "deny")):
        expected = re.findall(rf"expect {was}\b", text)
        turned = re.sub(rf"expect {was}\b.*", f"expect {other}", text)
        [changed] = load([path], instead(path, turned), Report())
        failures = [f for test in changed.tests for f in run_test(changed.system, test).failures]
        assert len(failures) >= len(expected)
    assert "expect deny" in text or "expect allow" in text


@pytest.mark.parametrize("path", SPECS)
def test_says_what_it_is_about(path: str) -> None:
    system = program(path).system
    assert system.doc
    assert system.name == path.removeprefix("specs/").removesuffix(".policy").replace("/", ".")
    assert program(path).tests


@pytest.mark.parametrize("path", SPECS)
def test_what_is_expected_to_fail_says_why(path: str) -> None:
    expected = [p for p in program(path).system.properties if p.expected is not Expected.PROVED]
    assert [p.name for p in expected if not p.because] == []
    if path.endswith("_flawed.policy"):
        assert expected
    if path.endswith("_repaired.policy"):
        flawed = program(path.replace("_repaired", "_flawed")).system.properties
        repaired = {p.name: p.expected for p in program(path).system.properties}
        broken = [p.name for p in flawed if p.expected is Expected.REFUTED]
        # The very property that the flawed rules break is proved of the repaired ones.
        assert broken
        assert [repaired.get(name) for name in broken] == [Expected.PROVED] * len(broken)


def test_what_is_claimed_again_of_the_whole_is_the_same() -> None:
    """A policy repeats claims of those that it imports under their names, and these are no weaker for it."""
    names = ("mvg/governance", "mvg/lifecycle", "agents/powers", "twin/ecosystem")
    systems = [program(f"specs/{name}.policy").system for name in names]
    machine, life, powers, whole = ({p.name: words(p.expr, system=s) for p in s.properties} for s in systems)
    for part, again in ((machine, life), (machine, powers), (machine, whole), (powers, whole)):
        names = {name for name in part.keys() & again.keys() if "@" not in name}
        assert "bounded_reputation" in names
        assert {name for name in names if part[name] != again[name]} == set()
    assert "a_cascade_stops" in powers.keys() & whole.keys()


def test_the_twin_is_governed_by_these_policies() -> None:
    """What ships with the simulator is built from the texts that are here: see `just update`."""
    governed = governing(shipped())
    paths = [f"specs/{p.system.name.replace('.', '/')}.policy" for p in governed]
    assert paths == ["specs/twin/ecosystem.policy", "specs/agents/incidents.policy"]
    assert [digest(p.system) for p in governed] == [digest(program(path).system) for path in paths]


def test_the_machine_needs_no_lemma() -> None:
    machine = program("specs/mvg/governance.policy").system
    kinds = [p.kind for p in machine.properties]
    assert PropertyKind.LEMMA not in kinds
    safety = (PropertyKind.INVARIANT, PropertyKind.STEP, PropertyKind.ASSERT)
    assert sum(k in safety for k in kinds) >= 14
    assert len(machine.actions) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("path", SPECS)
def test_verdicts_are_as_declared(path: str) -> None:
    system, tests = program(path).system, program(path).tests
    runs = [result.trace for result in (run_test(system, test) for test in tests) if result.trace is not None]
    verification, _ = verify_with_proofs(system, runs=runs)
    surprises = {
        o.property.name: f"{o.status}, {o.verdict.reason if isinstance(o.verdict, Unknown) else 'found'}"
        for o in verification.outcomes
        if not o.as_expected
    }
    assert surprises == {}
    assert [o.property.name for o in verification.outcomes] == [p.name for p in system.properties]
    assert [v.subject for v in verification.vacuities if v.certain] == []


def recorded(name: str) -> list[list[str]]:
    with gzip.open(LOGS / f"{name}.csv.gz", "rt", encoding="utf-8") as lines:
        return [line.strip().split(",") for line in lines]


@pytest.mark.parametrize(("name", "rule"), [("access", "no_session"), ("file", "not_open")])
def test_a_recorded_log_has_exactly_one_violation(name: str, rule: str) -> None:
    system = program(f"specs/temporal/{name}.policy").system
    events = recorded(name)
    assert len(events) > 10_000
    state, denied = initial(system), []
    for number, (action, *values) in enumerate(events, start=1):
        names = [i.name for i in system.action(action).inputs]
        result = step(system, state, Request(action, dict(zip(names, values, strict=True))))
        state = result.state
        if result.decision.effect != "allow":
            denied.append((number, action, result.decision.rules))
    assert [(number, action) for number, action, _ in denied] == [(len(events), events[-1][0])]
    assert rule in denied[0][2]


def test_the_dashboard_is_true() -> None:
    assert dashboard([program(path).system for path in SPECS]) in README.read_text(encoding="utf-8")
