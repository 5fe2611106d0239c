"""Metrics and intervals: worked out by hand on small runs."""

from __future__ import annotations

from math import inf, isnan, nan
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from simulator import intervals
from simulator.figures import NOTHING, change, figure, interval, number, sparkline, thin
from simulator.intervals import Interval
from simulator.measures import BY_NAME, MEASURES, NAMES, Over, columns, row, total
from simulator.metrics import BY_NAME as METRIC
from simulator.metrics import METRICS, evaluate, service
from simulator.scenario import Scenario

SCENARIO = Scenario(name="x", bots=10, ticks=200, attack_begins=50, malicious=0.2)


def event(now: int, kind: str, number: int, subject: str = "bot", who: str = "agent") -> dict[str, object]:
    return {"tick": now // 1000, "now": now, "who": who, "kind": kind, "text": "", "incident": -1, "subject": subject,
            "number": number}  # fmt: skip


def run(ticks: int = 200, **given: object) -> dict[str, np.ndarray]:
    found = {n: np.zeros(ticks) for n in NAMES}
    found["service_asked"][:] = 10.0
    found["service_kept"][:] = 10.0
    for name, values in given.items():
        found[name] = np.broadcast_to(np.asarray(values, dtype=np.float64), ticks).copy()
    return found


def test_measures_are_told_apart() -> None:
    assert len(set(NAMES)) == len(MEASURES) == len(BY_NAME)
    with pytest.raises(ValueError, match="missing: \\['alarms'\\]; unknown: \\['alarm'\\]"):
        row({**{n: 0.0 for n in NAMES if n != "alarms"}, "alarm": 1.0})


def test_the_document_has_them_all() -> None:
    text = (Path(__file__).parent.parent / "docs" / "simulator.md").read_text(encoding="utf-8")
    for m in MEASURES:
        note = "; *hindsight*" if m.hindsight else ""
        assert f"| `{m.name}` | {m.unit} | {m.meaning}{note} |" in text
    for metric in METRICS:
        stem = metric.name.removesuffix("_p90").removesuffix("_p99").removesuffix("_p50")
        assert f"`{metric.name}`" in text or f"`{stem}_p50`" in text, metric.name


def test_rows_and_columns() -> None:
    table = columns([row({n: float(i) for i, n in enumerate(NAMES)})])
    assert {k: v.tolist() for k, v in table.items()} == {n: [float(i)] for i, n in enumerate(NAMES)}
    assert columns([])["alarms"].shape == (0,)


@pytest.mark.parametrize(("how", "expected"), [(Over.SUM, 6.0), (Over.MEAN, 3.0), (Over.LAST, 5.0), (Over.MOST, 5.0)])
def test_ticks_add_up(how: Over, expected: float) -> None:
    name = next((m.name for m in MEASURES if m.over is how), None)
    if name is not None:
        assert total(name, np.array([1.0, nan, 5.0])) == expected


def test_there_is_a_figure_for_every_metric() -> None:
    assert set(evaluate(SCENARIO, run(), [], [])) == {m.name for m in METRICS}


def test_decision_latency_is_one_that_occurred() -> None:
    decided = [(i, 0, 1000 * (i + 1)) for i in range(100)]
    found = evaluate(SCENARIO, run(), decided, [])
    assert (found["decision_p50"], found["decision_p90"], found["decision_p99"]) == (50.0, 90.0, 99.0)
    assert found["decided"] == 100.0


def test_detection_is_from_the_first_harm_to_the_first_alarm_after_it() -> None:
    events = [
        event(1000, "alarm", 1),  # before it did any harm: does not count
        event(2000, "first_harm", 1, who="hindsight"),
        event(2000, "first_harm", 2, who="hindsight"),
        event(2000, "first_harm", 3, who="hindsight"),
        event(5000, "alarm", 1),
        event(9000, "alarm", 1),
        event(4000, "alarm", 2, subject="skill"),  # another thing with the same number
        event(12_000, "detected", 3),
    ]
    found = evaluate(SCENARIO, run(), [], events)
    assert (found["detection_p50"], found["detection_p90"]) == (3.0, 10.0)
    assert found["detected"] == pytest.approx(200 / 3)


def test_response_is_from_the_first_alarm_to_containment() -> None:
    events = [
        event(1000, "alarm", 1),
        event(2000, "alarm", 1),
        event(4000, "contained", 1),
        event(9000, "contained", 1),
    ]
    assert evaluate(SCENARIO, run(), [], events)["response_p50"] == 3.0


def test_shares_of_nothing_do_not_apply() -> None:
    found = evaluate(SCENARIO, run(), [], [])
    for name in ("false_alarms", "harm_through", "coordination", "consensus_ms", "detected", "bad_share"):
        assert isnan(found[name]), name


def test_shares() -> None:
    ticks = run(
        alarms=2, alarms_false=0.5, harmful_delivered=1, harmful_denied=3, demand=4, demand_served=3, executed=2,
        good_executed=1.5, bad_executed=0.5, consensus_ms=300, consensus_decisions=2, quarantined=4,
        quarantined_honest=1,
    )  # fmt: skip
    found = evaluate(SCENARIO, ticks, [], [])
    assert (found["false_alarms"], found["harm_through"], found["coordination"]) == (25.0, 25.0, 75.0)
    assert (found["bad_share"], found["consensus_ms"], found["false_quarantine"]) == (25.0, 150.0, 25.0)


def dip(begin: int, end: int, to: float = 5.0) -> dict[str, np.ndarray]:
    kept = np.full(200, 10.0)
    kept[begin:end] = to
    return run(service_kept=kept)


def test_resilience_compares_with_before_the_attack() -> None:
    kept = np.full(200, 8.0)
    kept[50:] = 6.0
    found = evaluate(SCENARIO, run(service_kept=kept), [], [])
    assert found["resilience"] == pytest.approx(75.0)
    assert found["worst"] == pytest.approx(75.0)


def test_the_first_ticks_are_no_yardstick() -> None:
    kept = np.full(200, 9.0)
    kept[:10] = 0.0
    assert evaluate(SCENARIO, run(service_kept=kept), [], [])["resilience"] == pytest.approx(100.0)


def test_time_to_recover() -> None:
    found = evaluate(SCENARIO, dip(100, 130), [], [])
    # Windows of 20 ticks are low that have three low ticks: those that begin at 83 to 127.
    assert found["recovery"] == 45.0
    assert found["worst"] == pytest.approx(50.0)
    assert evaluate(SCENARIO, run(), [], [])["recovery"] == 0.0
    assert evaluate(SCENARIO, dip(150, 200), [], [])["recovery"] == inf


def test_what_happens_before_the_attack_is_no_dip() -> None:
    assert evaluate(SCENARIO, dip(10, 20), [], [])["recovery"] == 0.0


def test_without_attackers_there_is_no_resilience() -> None:
    peaceful = SCENARIO.model_copy(update={"malicious": 0.0})
    assert isnan(evaluate(peaceful, run(), [], [])["resilience"])


def test_accuracy_is_that_of_the_end() -> None:
    auc = np.full(200, nan)
    auc[::10] = 0.5
    auc[180:200:10] = 0.9
    assert evaluate(SCENARIO, run(reputation_auc=auc), [], [])["reputation_auc"] == pytest.approx(0.9)


def test_service_is_a_share_over_ticks() -> None:
    ticks = run(service_asked=np.tile([10.0, 0.0], 100), service_kept=np.tile([0.0, 10.0], 100))
    assert service(ticks)[20:].tolist() == [1.0] * 180


def test_a_short_run_has_figures_too() -> None:
    assert set(evaluate(SCENARIO, run(1), [], [])) == {m.name for m in METRICS}


def test_the_interval_of_student() -> None:
    values = [1.0, 2.0, 4.0, 5.0, nan]
    found = intervals.mean(values)
    known = stats.t.interval(0.95, 3, loc=3.0, scale=stats.sem(values[:4]))
    assert (found.value, found.count) == (3.0, 4)
    assert (found.low, found.high) == pytest.approx(known)


def test_one_run_has_no_interval() -> None:
    assert not intervals.mean([2.0]).known
    assert intervals.mean([]).count == 0
    found = intervals.mean([1.0, inf])
    assert (found.value, found.endless, found.known) == (inf, 1, False)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    draws = np.random.default_rng(1).normal(3.0, 1.0, (400, 8))
    covered = sum(i.low <= 3.0 <= i.high for i in map(intervals.mean, draws))
    assert 0.92 * 400 <= covered <= 0.98 * 400


def test_pairs_show_what_means_hide() -> None:
    noise = np.random.default_rng(1).normal(0.0, 10.0, 12)
    before, after = noise, noise + 1.0 + 0.01 * np.arange(12)
    assert intervals.difference(before, after, paired=True).excludes_zero
    assert not intervals.difference(before, after, paired=False).excludes_zero


def test_the_interval_of_welch() -> None:
    a, b = [1.0, 2.0, 3.0, 4.0], [2.0, 5.0, 9.0]
    found = intervals.difference(a, b, paired=False)
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_who_never_recovers_is_not_left_out() -> None:
    assert isnan(intervals.difference([1.0, 2.0], [1.0, inf], paired=True).value)


def test_a_median_with_an_interval() -> None:
    found = intervals.median([1.0, 2.0, 3.0, 4.0, 100.0])
    assert found.value == 3.0
    assert found.low <= 3.0 <= found.high
    assert found == intervals.median([1.0, 2.0, 3.0, 4.0, 100.0])
    assert intervals.median([1.0, inf, inf]).value == inf


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012"), (inf, "never"), (nan, NOTHING),
     (100.0, "100"), (1e-6, "1.0e-06"), (-0.5, "-0.5"), (7.0, "7")],
)  # fmt: skip
def test_numbers_as_people_read_them(value: float, text: str) -> None:
    assert number(value) == text


def test_figures_have_units() -> None:
    assert figure(METRIC["resilience"], 97.25) == "97.2 %"
    assert figure(METRIC["recovery"], inf) == "never"
    assert (figure(METRIC["recovery"], 1.0), figure(METRIC["recovery"], 2.0)) == ("1 tick", "2 ticks")
    assert interval(METRIC["recovery"], Interval(inf, nan, nan, 3, 2)) == "never (never in 2 of 5 runs)"
    assert interval(METRIC["resilience"], Interval(90.0, 88.0, 92.0, 5)) == "90 % (88 to 92)"
    assert change(METRIC["resilience"], Interval(2.0, 1.0, 3.0, 5)) == "+2 points (1 to 3)"


def test_sparklines() -> None:
    assert sparkline(np.array([0.0, 1.0, 2.0, nan]), 4) == "▁▅█ "
    assert sparkline(np.full(3, 5.0), 3) == "▁▁▁"
    assert sparkline(np.full(5, nan), 3) == "   "
    assert len(sparkline(np.arange(1000.0), 40)) == 40


def test_thinning_keeps_the_mean() -> None:
    values = np.random.default_rng(3).random(1000)
    assert thin(values, 50).mean() == pytest.approx(values.mean())
    assert thin(np.array([1.0, nan, 3.0]), 5).tolist()[::2] == [1.0, 3.0]
