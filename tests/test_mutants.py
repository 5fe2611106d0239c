"""Small mistakes in the policies that ship are noticed, and what is proved of a policy with a mistake is true.

A mistake is noticed by a `test` block or by a property that no longer holds; or it makes no difference, which is shown;
or it stands in `SURVIVORS`, with the reason why another policy would do as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

import pytest
from dashboard import ROOT, SPECS

from policydsl.core.expr import FALSE, Ref, Space, le, number
from policydsl.core.system import Program, Property, PropertyKind, System
from policydsl.core.types import INT
from policydsl.diagnostics import Report
from policydsl.interp import replay, start_faults, violated
from policydsl.load import load
from policydsl.run_tests import run_test
from tests.checked import program
from tests.mutate import Mutant, mutants, same
from tests.walk import walk
from verifier.bounded import Limits, Search, search, violations
from verifier.verdict import Proved, Refuted, Verification
from verifier.verify import Settings, verify

LIMITS = Limits(depth=6, rlimit=300_000, total=3_000_000)
SETTINGS = Settings(rlimit=1_000_000, spacer_rlimit=100_000, spacer_rlimit_last=100_000, limits=LIMITS, vacuity=False)

# An answer of a human is an input of the request, which the requests of tests do not have.
ANSWER = "how long a human's answer counts, no property and no test says"
# What was spent in a window is estimated from a few parts of it, and never too low.
ESTIMATE = "the estimate for a window is coarser than this"
SURVIVORS: dict[str, dict[str, str]] = {
    "specs/agents/powers.policy": {
        "quarantine: without by_human[suspect] := false": "it is false already of whoever is not in quarantine",
    },
    "specs/gateway/messaging.policy": {
        "risky_install: 10m + 1": ANSWER,
        "risky_install: 10m - 1": ANSWER,
        "heavy_spending: 7d + 1": ESTIMATE,
    },
}


@dataclass(frozen=True)
class Base:
    """A policy that ships, and the names of its properties that are good."""

    system: System
    good: frozenset[str]


@cache
def base(path: str) -> Base:
    [found] = load([path], lambda p: (ROOT / p).read_text(encoding="utf-8"), Report())
    return based(found.system)


def based(system: System) -> Base:
    return Base(system, frozenset(o.property.name for o in verify(system).outcomes if o.status == "proved"))


def all_mutants(path: str) -> Iterator[Mutant]:
    return mutants(path, (ROOT / path).read_text(encoding="utf-8"))


def fails_a_test(mutant: Program) -> bool:
    return any(not run_test(mutant.system, test).passed for test in mutant.tests)


def makes_no_difference(original: System, mutant: System) -> bool:
    """Whether that is proved, as any other property of `original` would be."""
    claims = same(original, mutant)
    if claims is None:
        return False
    claimed = replace(original, properties=(*original.properties, *claims))
    found = verify(claimed, replace(SETTINGS, only=frozenset(c.name for c in claims)))
    return all(isinstance(o.verdict, Proved) for o in found.outcomes)


def lost(original: Base, mutant: System, found: Verification) -> list[str]:
    """What the mistake makes false for certain: broken by a run, or, if `reachable`, proved to be out of reach."""
    broken = []
    for o in found.outcomes:
        if o.property.name in original.good and o.status == "refuted":
            broken.append(o.property.name)
            if isinstance(o.verdict, Refuted) and o.property.kind is not PropertyKind.LEADS_TO:
                trace = o.verdict.trace
                assert replay(mutant, trace) == start_faults(mutant, trace) == []
                assert violated(mutant, o.property, trace) == len(trace.steps)
    return broken


def contradictions(system: System, proved: list[Property]) -> list[str]:
    """Which of the `proved` properties some run breaks."""
    walked = walk(system, proved, seed=1, requests=150)
    found = search(system, [g for p in proved for g in violations(system, p)], Limits(4, 300_000, 3_000_000)).found
    runs: dict[str, object] = {**found, **walked}
    return [f"{p.name}: {runs[p.name]}" for p in proved if p.name in runs]


def survives(original: Base, mutant: Mutant, *, thorough: bool) -> bool:
    """Whether the mistake changes something that nobody notices. What is proved of the mutant is put to the test."""
    noticed = fails_a_test(mutant.program)
    if noticed and not thorough:
        return False
    system = mutant.program.system
    if not noticed and makes_no_difference(original.system, system):
        return False
    found = verify(system, SETTINGS)
    broken = lost(original, system, found)
    assert contradictions(system, [o.property for o in found.outcomes if isinstance(o.verdict, Proved)]) == []
    return not noticed and not broken


QUICK = ("protocols/fifo", "protocols/lock", "mutual", "ring", "ticket", "mvg/reputation", "timelock", "temporal")
SMALL = [path for path in SPECS if any(part in path for part in QUICK)]


@pytest.mark.parametrize("path", SMALL)
def test_some_mistakes_are_noticed(path: str) -> None:
    sample = list(islice(all_mutants(path), 0, None, 7))
    left = [m.label for i, m in enumerate(sample) if survives(base(path), m, thorough=i % 4 == 0)]
    assert left == [m.label for m in sample if m.label in SURVIVORS.get(path, {})]


@pytest.mark.slow
@pytest.mark.parametrize("path", SPECS)
def test_all_mistakes_are_noticed(path: str) -> None:
    found = list(all_mutants(path))
    stride = max(5, len(found) // 20)
    left = [m.label for i, m in enumerate(found) if survives(base(path), m, thorough=i % stride == 0)]
    assert sorted(left) == sorted(SURVIVORS.get(path, {}))


def test_survivors_are_of_policies_that_ship() -> None:
    assert set(SURVIVORS) <= set(SPECS)


# The helpers.

DOOR = """
state open: Bool = false
state visits: Int = 0
action unlock() { require not open  open := true  visits += 1 }
action lock() { require open  require visits > 0  open := false }
invariant counted: open implies visits > 0
reachable twice: visits == 2
"""


def door(was: str = "", now: str = "") -> Program:
    assert was in DOOR
    return program(DOOR.replace(was, now))


@pytest.mark.parametrize(
    ("was", "now", "no_difference", "broken"),
    [
        ("require visits > 0", "", True, []),  # it follows from the invariant
        ("visits > 0  open", "visits > 1  open", False, ["twice"]),
        ("require not open", "", False, []),
        ("visits += 1", "visits += 2", False, []),
        ("visits += 1", "visits -= 1", False, ["counted", "twice"]),
        ("visits += 1", "visits := visits + 1", True, []),
    ],
)
def test_what_a_mistake_does(was: str, now: str, no_difference: bool, broken: list[str]) -> None:
    original, mutant = based(door().system), door(was, now).system
    assert makes_no_difference(original.system, mutant) is no_difference
    assert lost(original, mutant, verify(mutant, SETTINGS)) == broken


@pytest.mark.parametrize("without", ["walk", "search"])
def test_a_false_proof_is_contradicted(without: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: dict[str, object] = {"walk": {}, "search": Search()}
    monkeypatch.setitem(globals(), without, lambda *_, **__: nothing[without])
    seldom = Property("seldom", PropertyKind.INVARIANT, le(Ref("visits", INT, Space.STATE), number(1)))
    never = Property("never", PropertyKind.INVARIANT, FALSE)
    found = contradictions(door().system, [*door().system.properties, seldom, never])
    assert [text.partition(":")[0] for text in found] == ["twice", "seldom", "never"]
