"""Sweeps: a plan goes in, one result file per run comes out, and what they say together.

A run that crashes loses itself alone. The files are written here, as results come: what is there when the sweep is
started again is not made again, wherever the runs were made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from simulator.executor import each
from simulator.metrics import METRICS
from simulator.record import RecordError, write, write_text
from simulator.scenario import Scenario, from_data, to_data
from simulator.sweep_plan import Varied, scenario_at
from simulator.sweep_work import Made, Work, make

FORMAT = "policyctl.sweep/1"
PLAN = "sweep.json"
RESULTS = "results"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Plan:
    scenario: Scenario
    varied: tuple[Varied, ...]
    points: tuple[Mapping[str, Any], ...]
    method: str
    """How the points were chosen; the analysis depends on it."""
    seeds: int = 1
    """So many runs at each point, with the seed of the scenario and those behind it."""


@dataclass(frozen=True, slots=True)
class Result:
    number: int
    point: int
    seed: int
    metrics: Mapping[str, float]
    final: str


@dataclass(slots=True)
class Swept:
    """What is there of a sweep; `failed` says why a run is not."""

    plan: Plan
    results: dict[int, Result] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)

    def values(self, metric: str) -> list[float]:
        """For each point the mean over its seeds, as far as they are there."""
        found: list[list[float]] = [[] for _ in self.plan.points]
        for result in self.results.values():
            if not isnan(result.metrics[metric]):
                found[result.point].append(result.metrics[metric])
        return [float(np.mean(v)) if v else float("nan") for v in found]


def works(plan: Plan, engine: str) -> list[Work]:
    """Every run of a plan, numbered. Raises `ScenarioError` for points that make no sense."""
    found = []
    for place, point in enumerate(plan.points):
        scenario = scenario_at(plan.scenario, point)
        for extra in range(plan.seeds):
            number = place * plan.seeds + extra
            found.append(Work(scenario, plan.scenario.seed + extra, None, engine, number))
    return found


def carry_on(
    folder: Path, plan: Plan, executor: Executor, engine: str, told: Callable[[int, int], bool] = lambda _d, _t: True
) -> Swept:
    """Makes what is missing of a sweep. Raises `RecordError` if another sweep is there."""
    todo = works(plan, engine)
    _claim(folder, plan)
    swept = read(folder)
    todo = [w for w in todo if w.number not in swept.results]
    total = len(plan.points) * plan.seeds
    going = told(len(swept.results), total)
    for work, found in each(executor, make, todo) if going else ():
        point = work.number // plan.seeds
        if isinstance(found, Made):
            result = Result(work.number, point, work.seed, found.metrics, found.final)
            _write_result(folder, result, plan)
            swept.results[work.number] = result
            swept.failed.pop(work.number, None)
            (folder / FAILED / f"{work.number:05}.txt").unlink(missing_ok=True)
        else:
            text = f"{type(found).__name__}: {found}"
            notes = "".join(getattr(found, "__notes__", ()))
            write_text(folder / FAILED / f"{work.number:05}.txt", f"{json.dumps(plan.points[point])}\n{text}\n{notes}")
            swept.failed[work.number] = text
        if not told(len(swept.results) + len(swept.failed), total):
            executor.shutdown(wait=False, cancel_futures=True)
            break
    if swept.results:
        write_table(folder, swept)
    return swept


def read(folder: Path) -> Swept:
    """What is there. Raises `RecordError` if it is no sweep."""
    try:
        data = json.loads((folder / PLAN).read_text("utf-8"))
        varied = tuple(Varied(**{**v, "choices": tuple(v["choices"])}) for v in data["varied"])
        plan = Plan(from_data(data["scenario"]), varied, tuple(data["points"]), data["method"], data["seeds"])
        swept = Swept(plan)
        for path in sorted((folder / RESULTS).glob("*.json")):
            found = json.loads(path.read_text("utf-8"))
            figures = {k: _number(v) for k, v in found["metrics"].items()}
            result = Result(found["number"], found["point"], found["seed"], figures, found["final"])
            swept.results[result.number] = result
        return swept
    except FileNotFoundError:
        raise RecordError(f"`{folder}` is no sweep: there is no `{PLAN}` in it") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"the sweep in `{folder}` cannot be read: {error}") from None


def write_table(folder: Path, swept: Swept) -> None:
    """All results as one table: a row for each run, what was varied and every metric in columns."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    rows = [swept.results[n] for n in sorted(swept.results)]
    table: dict[str, Any] = {"run": [r.number for r in rows], "seed": [r.seed for r in rows]}
    for v in swept.plan.varied:
        table[v.name] = [swept.plan.points[r.point][v.name] for r in rows]
    for m in METRICS:
        table[m.name] = [r.metrics[m.name] for r in rows]
    write(folder / "results.parquet", lambda p: pq.write_table(pa.table(table), p))


def correlations(swept: Swept, metric: str) -> dict[str, float]:
    """Spearman's rank correlation of a metric with each thing that was varied; `nan` where nothing can be said."""
    from scipy import stats

    values = np.asarray(swept.values(metric))
    known = ~np.isnan(values)
    found = {}
    for v in swept.plan.varied:
        places = np.array([v.place_of(p[v.name]) for p in swept.plan.points])[known]
        mine = values[known]
        if len(mine) < 3 or np.ptp(places) == 0 or (np.isfinite(mine).all() and np.ptp(mine) == 0):
            found[v.name] = float("nan")
        else:
            # Ranks: infinite times are simply the longest ones.
            found[v.name] = float(np.corrcoef(stats.rankdata(places), stats.rankdata(mine))[0, 1])
    return found


def _claim(folder: Path, plan: Plan) -> None:
    data = {
        "format": FORMAT,
        "scenario": to_data(plan.scenario),
        "method": plan.method,
        "seeds": plan.seeds,
        "varied": [asdict(v) for v in plan.varied],
        "points": [dict(p) for p in plan.points],
    }
    text = f"{json.dumps(data, indent=1)}\n"
    place = folder / PLAN
    if not place.exists():
        write_text(place, text)
    elif json.loads(place.read_text("utf-8")) != json.loads(text):
        raise RecordError(f"another sweep is in `{folder}`: with other points, settings or seeds")


def _write_result(folder: Path, result: Result, plan: Plan) -> None:
    data = {
        "number": result.number,
        "point": result.point,
        "settings": dict(plan.points[result.point]),
        "seed": result.seed,
        "final": result.final,
        # JSON has neither `nan` nor infinity.
        "metrics": {k: None if isnan(v) else "never" if v == float("inf") else v for k, v in result.metrics.items()},
    }
    write_text(folder / RESULTS / f"{result.number:05}.json", f"{json.dumps(data, indent=1)}\n")


def _number(value: Any) -> float:
    return float("nan") if value is None else float("inf") if value == "never" else float(value)


def top(swept: Swept, metric: str, more: bool) -> tuple[int, float] | None:
    """The best point for a metric and what it came to there."""
    values = swept.values(metric)
    usable = [(v, i) for i, v in enumerate(values) if not isnan(v)]
    if not usable:
        return None
    value, place = max(usable) if more else min(usable)
    return place, value


def select(names: Sequence[str]) -> list[str]:
    """Those metrics, or the ones that sum a run up."""
    return list(names) or [
        "resilience",
        "harm_through",
        "false_alarms",
        "decision_p50",
        "coordination",
        "reputation_auc",
    ]
