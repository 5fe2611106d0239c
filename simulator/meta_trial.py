"""The rehearsal of an amendment: a scenario and new numbers go in, paired figures and what they promise come out.

Each seed is run twice, with the numbers as they are and with the new ones from a tick on, and the metric is that of the
ticks after it: just what will be watched when the amendment is on trial.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np

from simulator.carry_out import ENGINE, engine_named
from simulator.executor import each
from simulator.intervals import LEVEL, Interval, difference, mean
from simulator.measures import Columns
from simulator.metrics import BY_NAME, Metric, evaluate
from simulator.record import History
from simulator.scenario import Scenario

FEWEST = 4
"""Pairs without which no interval says anything."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is run: `ticks` of the scenario are those of a run, and the change comes before the tick `begins`."""

    scenario: Scenario
    metric: str
    begins: int
    seeds: tuple[int, ...]

    @property
    def measure(self) -> Metric:
        return BY_NAME[self.metric]


@dataclass(frozen=True, slots=True)
class Trial:
    """The figure of each seed, without the amendment and with it; `nan` never: what has none is not a trial."""

    rehearsal: Rehearsal
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def gain(self) -> Interval:
        """How much more there is with the amendment, pair by pair."""
        return difference(self.before, self.after, paired=True)

    @property
    def better(self) -> bool:
        """Whether the whole interval is on the good side. One that includes 0 is no improvement."""
        if self.trouble:
            return False
        gain = self.gain
        return gain.known and (gain.low > 0 if self.rehearsal.measure.more_is_better else gain.high < 0)

    @property
    def trouble(self) -> str:
        """Why nothing can be said, if so."""
        if self.rehearsal.measure.more_is_better is None:
            return f"of `{self.rehearsal.metric}`, neither more nor less is better"
        bad = [s for s, *pair in zip(self.rehearsal.seeds, self.before, self.after) if not all(map(isfinite, pair))]
        if bad:
            return f"`{self.rehearsal.metric}` has no value in the runs with seed {', '.join(map(str, bad))}"
        if len(self.before) < FEWEST or len(self.before) != len(self.after):
            return f"{len(self.before)} pairs are too few: {FEWEST} are the fewest"
        return ""

    @property
    def promise(self) -> float:
        """What a run under the amendment has to come to at least (at most, where less is better): the end of the
        interval in which the next run is to be expected, and no worse than the mean without it."""
        from scipy import stats

        count, found = len(self.after), mean(self.after)
        spread = float(np.std(self.after, ddof=1)) * sqrt(1 + 1 / count)
        reach = spread * float(stats.t.ppf(0.5 + LEVEL / 2, count - 1))
        before = mean(self.before).value
        if self.rehearsal.measure.more_is_better:
            return max(found.value - reach, before)
        return min(found.value + reach, before)

    def came(self, figure: float) -> bool:
        """Whether a figure is what was promised. One that is missing is not."""
        if not isfinite(figure):
            return False
        return figure >= self.promise if self.rehearsal.measure.more_is_better else figure <= self.promise


def figure_of(
    rehearsal: Rehearsal,
    columns: Columns,
    decided: Iterable[Sequence[int]],
    happenings: Iterable[Mapping[str, Any]],
    begins: int,
) -> float:
    """The metric of a run over the ticks from `begins` on."""
    scenario = rehearsal.scenario
    at = begins * scenario.tick_ms
    rest = {name: values[begins:] for name, values in columns.items()}
    executed = [row for row in decided if row[2] >= at]
    noted = [h for h in happenings if h["tick"] >= begins]
    later = scenario.model_copy(update={"attack_begins": max(0, scenario.attack_begins - begins)})
    return evaluate(later, rest, executed, noted)[rehearsal.metric]


@dataclass(frozen=True, slots=True)
class Run:
    """One half of a pair, as it travels to another process."""

    rehearsal: Rehearsal
    seed: int
    amendment: Mapping[str, int]
    engine: str = ENGINE


def make(run: Run) -> float:
    rehearsal = run.rehearsal
    engine, history = engine_named(run.engine)(rehearsal.scenario, run.seed, 0), History()
    while engine.tick < rehearsal.scenario.ticks:
        if run.amendment and engine.tick == rehearsal.begins:
            engine.reparameterise(run.amendment)
        history.add(engine.step())
    return figure_of(rehearsal, history.columns, history.decided, history.happenings, rehearsal.begins)


def simulate(rehearsal: Rehearsal, amendment: Mapping[str, int], executor: Executor, engine: str = ENGINE) -> Trial:
    """Runs all pairs. A run that crashes has no figure, and so there is no improvement."""
    runs = [Run(rehearsal, seed, a, engine) for seed in rehearsal.seeds for a in ({}, amendment)]
    found: dict[tuple[int, bool], float] = {}
    for run, figure in each(executor, make, runs):
        found[run.seed, bool(run.amendment)] = figure if isinstance(figure, float) else float("nan")
    before, after = (tuple(found[seed, with_] for seed in rehearsal.seeds) for with_ in (False, True))
    return Trial(rehearsal, before, after)
