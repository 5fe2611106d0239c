"""Two sets of runs side by side: records go in, for each metric both means and the difference, with intervals, out.

Beside them: in what the runs differ, how far that leaves them comparable, and how far the attackers got in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator import record
from simulator.carry_out import differences
from simulator.goals import Goal, outcomes
from simulator.intervals import Interval, difference, mean
from simulator.metrics import METRICS, Metric
from simulator.record import Record, RecordError

Row = tuple[Metric, Interval, Interval, Interval]
SAME = ("name", "bots", "tick_ms", "attack_begins")
"""Runs that differ in one of these fields, or in how long they are, are hardly comparable."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A goal that attackers have in both sets of runs: how far they got on average, and in how many runs to the end."""

    goal: Goal
    far: tuple[float, float]
    runs: tuple[int, int]


def runs_in(folder: Path) -> list[Record]:
    """The run in a directory, or the runs in the directories in it, by seed. Raises `RecordError` if there is none."""
    if record.is_record(folder):
        return [record.read(folder)]
    if not folder.is_dir():
        raise RecordError(f"there is no directory `{folder}`")
    found = [record.read(p) for p in sorted(folder.iterdir()) if p.is_dir() and record.is_record(p)]
    if not found:
        raise RecordError(f"`{folder}` is no record of a run, and there is none in it")
    return sorted(found, key=lambda r: (r.header.seed, r.header.run))


def compare(one: Sequence[Record], other: Sequence[Record]) -> tuple[int, list[Row]]:
    """How many pairs with equal seeds there are (0 if not all pair), and a row for each metric.

    Runs with equal seeds see the same chances, so their differences have less noise in them than their figures.
    """
    left, right = ({(r.header.seed, r.header.run): r for r in runs} for runs in (one, other))
    paired = left.keys() == right.keys() and len(left) == len(one) and len(right) == len(other)
    keys = sorted(left)
    rows: list[Row] = []
    for metric in METRICS:
        if paired:
            a = [left[k].metrics[metric.name] for k in keys]
            b = [right[k].metrics[metric.name] for k in keys]
        else:
            a, b = ([r.metrics[metric.name] for r in runs] for runs in (one, other))
        rows.append((metric, mean(a), mean(b), difference(a, b, paired)))
    return (len(keys) if paired else 0), rows


def unlike(one: Sequence[Record], other: Sequence[Record]) -> tuple[list[str], list[str]]:
    """In which fields the runs differ: those that make them hardly comparable, each with both values, and the rest."""
    a, b = one[0].header, other[0].header
    fields = differences(a.scenario, b.scenario)
    serious = [f"{f}: {getattr(a.scenario, f)} and {getattr(b.scenario, f)}" for f in fields if f in SAME]
    ticks = tuple("/".join(f"{n:,}" for n in sorted({r.header.done for r in runs})) for runs in (one, other))
    if ticks[0] != ticks[1]:
        serious.append(f"ticks: {ticks[0]} and {ticks[1]}")
    changed = ["changes on the way"] if a.changes != b.changes else []
    if a.policies != b.policies:
        changed.append("policies")
    return serious, [*(f for f in fields if f not in (*SAME, "title", "description")), *changed]


def goals(one: Sequence[Record], other: Sequence[Record]) -> list[Reached]:
    """How far the attackers got, for each goal that they have in all runs."""
    both = []
    for runs in (one, other):
        far: dict[tuple[str, str], tuple[Goal, list[float], int]] = {}
        for r in runs:
            for o in {(o.goal.text, o.goal.unit): o for o in outcomes(r.header.scenario, r.columns)}.values():
                goal, got, reached = far.get((o.goal.text, o.goal.unit), (o.goal, [], 0))
                far[o.goal.text, o.goal.unit] = goal, [*got, o.got], reached + o.reached
        both.append({k: v for k, v in far.items() if len(v[1]) == len(runs)})
    left, right = both
    return [
        Reached(goal, (sum(got) / len(got), sum(right[k][1]) / len(right[k][1])), (reached, right[k][2]))
        for k, (goal, got, reached) in left.items()
        if k in right
    ]
