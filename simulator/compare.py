"""Two sets of runs side by side: records go in, for each metric both means and the difference, with intervals, out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulator import record
from simulator.intervals import Interval, difference, mean
from simulator.metrics import METRICS, Metric
from simulator.record import Record, RecordError

Row = tuple[Metric, Interval, Interval, Interval]


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
