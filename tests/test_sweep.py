"""Sweeps: the points, one file per run, what crashes loses itself alone, and the same sweep goes on where it was."""

from __future__ import annotations

import json
from collections import Counter
from math import inf, isnan, nan
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fake_engine import BEGIN, RANGES
from hypothesis import given
from hypothesis import strategies as st

from simulator import sweep
from simulator.executor import Here
from simulator.record import RecordError
from simulator.report_sweep import page
from simulator.scenario import Scenario, ScenarioError
from simulator.sweep import Plan, Result, Swept
from simulator.sweep_plan import Varied, points, scenario_at, shares, vary
from simulator.sweep_work import Work, make

BASE = Scenario(name="small", bots=20, ticks=30, attack_begins=10, malicious=0.3)


def varied(*texts: str) -> tuple[Varied, ...]:
    return tuple(vary(t, BASE, RANGES) for t in texts)


def plan(*texts: str, samples: int = 6, seeds: int = 1, scenario: Scenario = BASE) -> Plan:
    space = varied(*texts)
    return Plan(scenario, space, tuple(points(space, shares("lhs", len(space), samples, 1))), "lhs", seeds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quorum=200..600", Varied("QUORUM", "whole", 200.0, 600.0)),
        ("QUORUM=200..600", Varied("QUORUM", "whole", 200.0, 600.0)),
        ("decay=0..0.05", Varied("DECAY", "whole", 0.0, 50.0)),
        ("VOTING_PERIOD=30s..2m", Varied("VOTING_PERIOD", "whole", 30_000.0, 120_000.0)),
        ("malicious=0..0.5", Varied("malicious", "real", 0.0, 0.5)),
        ("bots=10..90", Varied("bots", "whole", 10.0, 90.0)),
        ("network.loss=0..1", Varied("network.loss", "real", 0.0, 1.0)),
        ("network.latency=low,high", Varied("network.latency", "choice", choices=("low", "high"))),
        ("QUORUM=100,300", Varied("QUORUM", "choice", choices=(100, 300))),
    ],
)
def test_what_is_varied(text: str, expected: Varied) -> None:
    assert vary(text, BASE, RANGES) == expected


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("quroum=2..3", "quroum", "did you mean `quorum`?"),
        ("NOTHING=2..3", "NOTHING", "the policy has no such parameter"),
        ("QUORUM=0..600", "QUORUM", "0..600 is not inside 1..1000000, for which the policy was proved"),
        ("QUORUM=600..200", "QUORUM", "is empty"),
        ("QUORUM", "QUORUM", "field=low..high"),
        ("QUORUM=7", "QUORUM", "neither a range"),
        ("malicious=a..b", "malicious", "`a` is no number"),
        ("bots=1.5..9.5", "bots", "whole number"),
        ("DECAY=0.5..1.5", "DECAY", "thousandths"),
        ("mix=1..2", "mix", "no such field that has one value"),
    ],
)
def test_what_cannot_be_varied(text: str, field: str, says: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        vary(text, BASE, RANGES)
    [(found, why)] = raised.value.faults
    assert found == field
    assert says in why


@given(st.floats(0, 1, exclude_max=True), st.integers(-5, 5), st.integers(1, 9))
def test_whole_numbers_stay_in_their_range(share: float, low: int, more: int) -> None:
    found = Varied("x", "whole", low, low + more).at(share)
    assert type(found) is int
    assert low <= found <= low + more


def test_every_value_of_a_range_comes_about_as_often() -> None:
    found = Counter(Varied("x", "whole", 1.0, 4.0).at(i / 1000) for i in range(1000))
    assert found == {1: 250, 2: 250, 3: 250, 4: 250}
    assert Varied("x", "whole", 1.0, 4.0).at(1.0) == 4
    assert Varied("x", "choice", choices=("a", "b")).at(1.0) == "b"


@pytest.mark.parametrize("method", ["lhs", "sobol", "random"])
def test_points_depend_on_the_seed_alone(method: str) -> None:
    one = shares(method, 3, 10, 5)
    assert one.shape == (10, 3)
    assert np.array_equal(one, shares(method, 3, 10, 5))
    assert not np.array_equal(one, shares(method, 3, 10, 6))


def test_a_latin_hypercube_has_one_point_in_every_row() -> None:
    rows = np.floor(shares("lhs", 2, 16, 1) * 16).astype(int)
    assert [sorted(c) for c in rows.T.tolist()] == [list(range(16))] * 2


def test_a_scenario_at_a_point() -> None:
    found = scenario_at(BASE, {"QUORUM": 400, "network.loss": 0.5, "malicious": 0.1})
    assert (found.parameters, found.network.loss, found.malicious) == ({"QUORUM": 400}, 0.5, 0.1)
    with pytest.raises(ScenarioError, match="committee"):
        scenario_at(BASE, {"bots": 3})


def test_each_run_has_its_file(tmp_path: Path) -> None:
    found = sweep.carry_on(tmp_path, plan("quorum=200..600", seeds=2), Here(), BEGIN)
    files = sorted((tmp_path / "results").glob("*.json"))
    assert len(files) == len(found.results) == 12
    one = json.loads(files[3].read_text())
    assert (one["number"], one["point"], one["seed"]) == (3, 1, BASE.seed + 1)
    assert set(one["settings"]) == {"QUORUM"}
    again = sweep.read(tmp_path)
    assert again.plan == found.plan
    np.testing.assert_equal({n: dict(r.metrics) for n, r in again.results.items()},
                            {n: dict(r.metrics) for n, r in found.results.items()})  # fmt: skip
    assert pq.read_table(tmp_path / "results.parquet")["QUORUM"].to_pylist()[::2] == [
        p["QUORUM"] for p in found.plan.points
    ]


def test_a_result_is_that_of_the_run_alone(tmp_path: Path) -> None:
    found = sweep.carry_on(tmp_path, plan("quorum=200..600"), Here(), BEGIN)
    alone = make(Work(scenario_at(BASE, found.plan.points[2]), BASE.seed, None, BEGIN))
    assert found.results[2].final == alone.final
    np.testing.assert_equal(dict(found.results[2].metrics), alone.metrics)


def test_a_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = sweep.carry_on(tmp_path / "whole", plan("quorum=200..600"), Here(), BEGIN)
    part = sweep.carry_on(tmp_path / "part", plan("quorum=200..600"), Here(), BEGIN, lambda done, _: done < 2)
    assert len(part.results) == 2
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "part" / "results").glob("*.json")}
    seen: list[int] = []
    again = sweep.carry_on(
        tmp_path / "part", plan("quorum=200..600"), Here(), BEGIN, lambda done, _: not seen.append(done)
    )
    assert seen[0] == 2
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert {n: r.final for n, r in again.results.items()} == {n: r.final for n, r in whole.results.items()}


def test_half_a_result_is_none(tmp_path: Path) -> None:
    sweep.carry_on(tmp_path, plan("quorum=200..600"), Here(), BEGIN)
    (tmp_path / "results" / "00003.json").rename(tmp_path / "results" / ".00003.json.partial")
    assert sorted(sweep.read(tmp_path).results) == [0, 1, 2, 4, 5]
    assert len(sweep.carry_on(tmp_path, plan("quorum=200..600"), Here(), BEGIN).results) == 6


def test_a_run_that_crashes_loses_itself_alone(tmp_path: Path) -> None:
    found = sweep.carry_on(tmp_path, plan("title=fine,crash", samples=6), Here(), BEGIN)
    crashing = {i for i, p in enumerate(found.plan.points) if p["title"] == "crash"}
    assert set(found.failed) == crashing
    assert len(crashing) == 3
    assert set(found.results) == set(range(6)) - crashing
    told = (tmp_path / "failed" / f"{min(crashing):05}.txt").read_text()
    assert "RuntimeError: the engine broke" in told
    assert '"title": "crash"' in told


def test_another_sweep_is_not_mixed_in(tmp_path: Path) -> None:
    sweep.carry_on(tmp_path, plan("quorum=200..600"), Here(), BEGIN)
    for other in (plan("quorum=200..601"), plan("quorum=200..600", seeds=2), plan("quorum=200..600", samples=7)):
        with pytest.raises(RecordError, match="another sweep"):
            sweep.carry_on(tmp_path, other, Here(), BEGIN)


def test_points_that_make_no_sense_stop_a_sweep_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="committee"):
        sweep.carry_on(tmp_path, plan("bots=3..9"), Here(), BEGIN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "[]", '{"scenario": {}}'])
def test_what_is_no_sweep(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecordError, match="there is no"):
        sweep.read(tmp_path)
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(RecordError):
        sweep.read(tmp_path)


def swept(values: list[float], quorums: list[int], metric: str = "resilience") -> Swept:
    space = (Varied("QUORUM", "whole", 0.0, 100.0),)
    results = {i: Result(i, i, 1, {metric: v}, "") for i, v in enumerate(values)}
    return Swept(Plan(BASE, space, tuple({"QUORUM": q} for q in quorums), "lhs"), results)


def test_rank_correlation() -> None:
    assert sweep.correlations(swept([1.0, 2.0, 9.0], [5, 6, 7]), "resilience") == pytest.approx({"QUORUM": 1.0})
    assert sweep.correlations(swept([9.0, 2.0, 1.0], [5, 6, 7]), "resilience") == pytest.approx({"QUORUM": -1.0})
    assert sweep.correlations(swept([1.0, 2.0, inf], [5, 6, 7]), "resilience") == pytest.approx({"QUORUM": 1.0})
    for nothing in (swept([1.0, 1.0, 1.0], [5, 6, 7]), swept([1.0, nan, 3.0], [5, 6, 7])):
        assert isnan(sweep.correlations(nothing, "resilience")["QUORUM"])


def test_the_best_point() -> None:
    found = swept([1.0, 9.0, nan, 2.0], [5, 6, 7, 8])
    assert sweep.top(found, "resilience", True) == (1, 9.0)
    assert sweep.top(found, "resilience", False) == (0, 1.0)
    assert sweep.top(swept([nan], [5]), "resilience", True) is None


def test_what_matters_is_found(tmp_path: Path) -> None:
    found = sweep.carry_on(tmp_path, plan("malicious=0..0.5", "network.loss=0..1", samples=12), Here(), BEGIN)
    ranks = sweep.correlations(found, "resilience")
    assert ranks["malicious"] < -0.9
    assert abs(ranks["network.loss"]) < 0.6


def test_the_page_of_a_sweep(tmp_path: Path) -> None:
    found = sweep.carry_on(tmp_path, plan("title=<b>fine</b>,crash", "quorum=200..600"), Here(), BEGIN)
    text = page(found, ["resilience"], {})
    assert "3 failed" in text
    assert "<b>fine</b>" not in text
    assert "rank correlation" in text
