"""Rehearsals of amendments: what counts as better, what is promised, and what has come."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan, nan
from pathlib import Path

import pytest

from policydsl.core.to_json import digest
from policydsl.diagnostics import Report
from policydsl.load import load as load_policies
from simulator.engine import begin
from simulator.executor import Here
from simulator.meta_books import shipped
from simulator.meta_evidence import Evidence, EvidenceError, digest_of, from_text, keep, place_of, read, to_text
from simulator.meta_trial import Rehearsal, Trial, figure_of, simulate
from simulator.record import History
from simulator.scenario import Scenario, load, with_settings

SEEDS = (1, 2, 3, 4)


def trial(before: tuple[float, ...], after: tuple[float, ...], metric: str = "resilience") -> Trial:
    return Trial(Rehearsal(load("normal_operation"), metric, 10, SEEDS[: len(before)]), before, after)


def test_better_is_better_beyond_doubt() -> None:
    assert trial((80.0, 81.0, 82.0, 83.0), (90.0, 91.5, 92.0, 93.0)).better
    # On average there is more, and the interval includes 0.
    doubtful = trial((80.0, 81.0, 82.0, 83.0), (90.0, 79.0, 95.0, 70.0))
    assert doubtful.gain.value > 0 > doubtful.gain.low
    assert not doubtful.better
    assert not trial((90.0, 91.0, 92.0, 93.0), (80.0, 81.5, 82.0, 83.0)).better
    # Of a latency, less is better.
    assert trial((90.0, 91.0, 92.0, 93.0), (80.0, 81.5, 82.0, 83.0), "decision_p50").better
    assert not trial((80.0, 81.0, 82.0, 83.0), (90.0, 91.5, 92.0, 93.0), "decision_p50").better


def test_no_difference_is_no_improvement() -> None:
    same = trial((80.0, 80.0, 80.0, 80.0), (80.0, 80.0, 80.0, 80.0))
    assert (same.gain.low, same.gain.high) == (0.0, 0.0)
    assert not same.better


@pytest.mark.parametrize("missing", [nan, inf, -inf])
def test_a_figure_that_is_missing_is_no_improvement(missing: float) -> None:
    for found in (
        trial((80.0, 81.0, 82.0, 83.0), (90.0, missing, 92.0, 93.0)),
        trial((80.0, missing, 82.0, 83.0), (90.0, 91.0, 92.0, 93.0)),
    ):
        assert not found.better
        assert found.trouble == "`resilience` has no value in the runs with seed 2"


def test_what_nothing_can_be_said_of() -> None:
    assert trial((1.0, 1.0, 1.0, 1.0), (2.0, 2.0, 2.0, 2.0), "decided").trouble == (
        "of `decided`, neither more nor less is better"
    )
    assert trial((1.0, 1.0, 1.0), (2.0, 2.1, 2.0)).trouble == "3 pairs are too few: 4 are the fewest"
    assert not trial((1.0, 1.0, 1.0), (2.0, 2.1, 2.0)).better


def test_a_promise_is_no_worse_than_what_was_there() -> None:
    sharp = trial((80.0, 81.0, 82.0, 83.0), (90.0, 90.1, 90.0, 90.1))
    assert 89 < sharp.promise < 120
    assert sharp.came(sharp.promise)
    assert not sharp.came(sharp.promise - 0.001)
    # Figures that vary a lot promise no less than there was on average.
    wide = trial((70.0, 71.0, 72.0, 73.0), (80.0, 99.0, 90.0, 85.0))
    assert wide.promise == 71.5
    quick = trial((90.0, 90.0, 90.0, 90.0), (70.0, 71.0, 72.0, 73.0), "decision_p50")
    assert 73 < quick.promise < 120
    assert quick.came(72.0)
    assert not quick.came(90.5)


@pytest.mark.parametrize("figure", [nan, inf, -inf])
def test_what_is_missing_has_not_come(figure: float) -> None:
    assert not trial((80.0, 81.0, 82.0, 83.0), (90.0, 91.0, 92.0, 93.0)).came(figure)
    assert not trial((90.0, 91.0, 92.0, 93.0), (80.0, 81.0, 82.0, 83.0), "decision_p50").came(figure)


def small(ticks: int) -> Scenario:
    return with_settings(load("normal_operation"), ["bots=50", "committee_faults=1", f"ticks={ticks}"])


def test_pairs_differ_by_the_amendment_alone() -> None:
    rehearsal = Rehearsal(small(60), "decision_p50", 20, (1, 2, 3, 4))
    at_once = {"VOTING_PERIOD": 5000, "TIMELOCK": 1000}
    rehearsal = replace(rehearsal, scenario=rehearsal.scenario.model_copy(update={"parameters": at_once}))
    same = simulate(rehearsal, {"TIMELOCK": 1000}, Here())
    assert same.before == same.after
    assert len(set(same.before)) > 1
    other = simulate(rehearsal, {"TIMELOCK": 8000}, Here())
    assert other.before == same.before
    assert other.after != same.after


def test_a_run_that_crashes_has_no_figure() -> None:
    rehearsal = Rehearsal(small(20), "decision_p50", 10, SEEDS)
    found = simulate(rehearsal, {"TIMELOCK": 1}, Here())
    assert all(map(isnan, found.after))
    assert not found.better


def test_the_figure_is_of_the_ticks_after_the_change() -> None:
    engine, history = begin(small(120), 1), History()
    while engine.tick < 120:
        history.add(engine.step())
    rehearsal = Rehearsal(small(120), "coordination", 60, SEEDS)
    served, demand = (float(history.columns[n][60:].sum()) for n in ("demand_served", "demand"))
    run = history.columns, history.decided, history.happenings
    assert figure_of(rehearsal, *run, 60) == pytest.approx(100 * served / demand)
    assert figure_of(rehearsal, *run, 60) != figure_of(rehearsal, *run, 0)


def evidence() -> Evidence:
    found = trial((80.0, 81.0, 82.0, 83.0), (90.0, 91.5, 92.0, 93.0))
    return Evidence("a1", {"QUORUM": 400}, {"QUORUM": 300}, found, 5, "v0", "v1", {"p": "1"}, {"p": "2"})


def test_evidence_is_what_it_was(tmp_path: Path) -> None:
    digest = keep(tmp_path, evidence())
    assert read(tmp_path, digest) == evidence()
    assert from_text(to_text(evidence())) == evidence()
    assert digest == digest_of(to_text(evidence()))


def test_every_changed_byte_of_evidence_is_noticed(tmp_path: Path) -> None:
    digest = keep(tmp_path, evidence())
    path = place_of(tmp_path, digest)
    data = path.read_bytes()
    for at in range(0, len(data), 41):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(EvidenceError):
            read(tmp_path, digest)
    path.unlink()
    with pytest.raises(EvidenceError, match="cannot be read"):
        read(tmp_path, digest)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "policyctl.evidence/2"}', '{"format": 1}'])
def test_what_is_no_evidence(text: str) -> None:
    with pytest.raises(EvidenceError):
        from_text(text)


def test_what_ships_is_built_from_the_texts() -> None:
    """See `just update`."""
    for policy in shipped().policies:
        path = f"specs/{policy.system.name.replace('.', '/')}.policy"
        [program] = load_policies([path], lambda p: Path(p).read_text("utf-8"), Report())
        assert digest(program.system) == policy.digest
        assert policy.unproved == ()
    assert [p.system.name for p in shipped().policies] == ["mvg.meta", "mvg.parameters"]
