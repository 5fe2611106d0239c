"""A search for good parameters: a scenario, a metric and what the policy allows go in, the best candidate comes out.

Candidates are tried on several seeds, and the best one again, beside what the scenario has now, on seeds that the
search has not seen: what was found on noise does not stand that. Batches have a fixed size, so the search does the
same whatever the number of workers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any

import numpy as np

from simulator.executor import each
from simulator.intervals import Interval, difference, mean
from simulator.metrics import BY_NAME
from simulator.optimise_within import Within
from simulator.scenario import Scenario, ScenarioError
from simulator.sweep_plan import scenario_at
from simulator.sweep_work import Made, Work, make

BATCH = 4
"""Candidates that are chosen before the results of any of them are known."""
REFUSALS = 200
"""For each candidate that is tried, at most so many may be inadmissible."""
WIDE = 100
"""A range whose ends differ by this factor is searched by orders of magnitude."""
FRESH = 1_000_000
"""So far behind the seeds of the search are those of the check."""
WORST = 1e12
"""What counts as the value of a run that crashed or never recovered."""

Told = Callable[[int, int], bool]


@dataclass(frozen=True, slots=True)
class Trial:
    number: int
    parameters: Mapping[str, int]
    value: float
    """The mean over the seeds; `nan` if a run crashed or the figure does not apply."""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    metric: str
    more: bool
    trials: tuple[Trial, ...]
    now: str | None
    """The invariant that the parameters of the scenario break as they are, if they do."""
    refused: int
    """Candidates that were not tried, as an invariant of the policy would not hold."""
    best: Trial | None
    before: Interval
    """What the scenario comes to as it is, on fresh seeds ..."""
    after: Interval
    """... what the best candidate does, on the same ..."""
    gain: Interval
    """... and the difference, seed by seed."""
    importance: Mapping[str, float]
    interrupted: bool = False
    """Whether somebody stopped it."""


def optimise(
    scenario: Scenario,
    metric: str,
    more: bool,
    within: Within,
    executor: Executor,
    engine: str,
    trials: int,
    seeds: int,
    told: Told = lambda _d, _t: True,
) -> Found:
    """Searches with Optuna's TPE. Raises `ScenarioError` if there is nothing to choose."""
    import optuna

    if not within.ranges:
        raise ScenarioError([("within", f"`{within.system.name}` has no number that is a parameter of the twin")])
    optuna.logging.disable_default_handler()
    sampler = optuna.samplers.TPESampler(seed=scenario.seed, multivariate=True, constant_liar=True, n_startup_trials=8)
    study = optuna.create_study(direction="maximize" if more else "minimize", sampler=sampler)
    done: list[Trial] = []
    refused = 0
    going = told(0, trials)
    while len(done) < trials and going:
        asked: list[tuple[Any, dict[str, int]]] = []
        while len(asked) < min(BATCH, trials - len(done)) and refused < REFUSALS * trials:
            trial = study.ask()
            chosen = {r.parameter: _suggest(trial, r.parameter, r.low, r.high) for r in within.ranges}
            if within.fault(chosen) is None:
                asked.append((trial, chosen))
            else:
                refused += 1
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        if not asked:
            break
        tried = _try(scenario, metric, [c for _, c in asked], seeds, executor, engine, len(done))
        for (trial, _), result in zip(asked, tried, strict=True):
            worst = -WORST if more else WORST
            study.tell(trial, result.value if isfinite(result.value) else worst)
        done += tried
        going = told(len(done), trials)
        if all(isnan(t.value) for t in done):
            # What none of the first candidates has, none has: it does not apply, or the engine fails.
            break
    usable = [t for t in done if not isnan(t.value)]
    best = (max if more else min)(usable, key=lambda t: (t.value, -t.number)) if usable else None
    unknown = Interval(float("nan"), float("nan"), float("nan"), 0)
    before = after = gain = unknown
    if best is not None and going:
        fresh = max(8, seeds)
        pair = [{}, dict(best.parameters)]
        a, b = _figures(scenario, metric, pair, fresh, executor, engine, scenario.seed + FRESH)
        before, after, gain = mean(a), mean(b), difference(a, b, paired=True)
    now = within.fault(scenario.parameters)
    importance = _importance(study, len(usable))
    return Found(metric, more, tuple(done), now, refused, best, before, after, gain, importance, not going)


def _suggest(trial: Any, name: str, low: int, high: int) -> int:
    return int(trial.suggest_int(name, low, high, log=low > 0 and high / low >= WIDE))


def _try(
    scenario: Scenario,
    metric: str,
    candidates: Sequence[Mapping[str, int]],
    seeds: int,
    executor: Executor,
    engine: str,
    first: int,
) -> list[Trial]:
    figures = _figures(scenario, metric, candidates, seeds, executor, engine, scenario.seed)
    return [
        Trial(
            first + i, dict(c), float(np.mean(f)), "" if not np.isnan(f).any() else "a run failed, or lacks the figure"
        )
        for i, (c, f) in enumerate(zip(candidates, figures, strict=True))
    ]


def _figures(
    scenario: Scenario,
    metric: str,
    candidates: Sequence[Mapping[str, int]],
    seeds: int,
    executor: Executor,
    engine: str,
    first_seed: int,
) -> list[list[float]]:
    """The metric of each candidate for each seed; `nan` where a run crashed."""
    works = [
        Work(scenario_at(scenario, c), first_seed + s, None, engine, i * seeds + s)
        for i, c in enumerate(candidates)
        for s in range(seeds)
    ]
    found = [[float("nan")] * seeds for _ in candidates]
    for work, made in each(executor, make, works):
        if isinstance(made, Made):
            found[work.number // seeds][work.number % seeds] = made.metrics[metric]
    return found


def _importance(study: Any, usable: int) -> dict[str, float]:
    """How much of the variance each parameter explains (fANOVA); nothing from too few trials."""
    import optuna

    if usable < 10:
        return {}
    try:
        with warnings.catch_warnings():
            # It warns where it can say nothing; all shares are then equal.
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            found = dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    except (ValueError, RuntimeError):
        return {}
    return found if len(set(found.values())) > 1 else {}


def known_metric(name: str) -> str:
    """Raises `ScenarioError` if there is no such metric."""
    if name not in BY_NAME:
        raise ScenarioError([("metric", f"there is no metric `{name}`; there are {', '.join(BY_NAME)}")])
    return name
