"""Figures as people read them: numbers and columns go in, short texts and sparklines come out."""

from __future__ import annotations

from math import isinf, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.intervals import Interval
from simulator.metrics import Metric

Floats = NDArray[np.float64]

NOTHING = "–"
"""What stands for a figure that does not apply."""
BARS = "▁▂▃▄▅▆▇█"


def number(value: float) -> str:
    """Three digits that mean something, and thousands apart."""
    if isnan(value):
        return NOTHING
    if isinf(value):
        return "never"
    if value == 0:
        return "0"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    places = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    text = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return text if text not in ("0", "-0") else f"{value:.1e}"


def figure(metric: Metric, value: float) -> str:
    """The number with its unit."""
    text = number(value)
    unit = "tick" if value == 1 and metric.unit == "ticks" else metric.unit
    return text if text in (NOTHING, "never") or not unit else f"{text} {unit}"


def interval(metric: Metric, found: Interval) -> str:
    """`92 % (90 to 94)`; how many runs never came to an end, where that is so."""
    text = figure(metric, found.value)
    if found.endless:
        return f"{text} (never in {found.endless} of {found.endless + found.count} runs)"
    if not found.known:
        return text
    return f"{text} ({number(found.low)} to {number(found.high)})"


def change(metric: Metric, found: Interval) -> str:
    """A difference: with its sign, and percentages differ by points."""
    if isnan(found.value):
        return NOTHING
    unit = "points" if metric.unit == "%" else "" if metric.unit == "AUC" else metric.unit
    text = f"{'+' if found.value > 0 else ''}{number(found.value)} {unit}".rstrip()
    return f"{text} ({number(found.low)} to {number(found.high)})" if found.known else text


def thin(values: Floats, points: int) -> Floats:
    """Means over equal stretches, at most so many; unknown values are left out."""
    values = np.asarray(values, dtype=np.float64)
    if len(values) <= points:
        return values
    ends = np.linspace(0, len(values), points + 1).astype(np.int64)
    known = ~np.isnan(values)
    sums = np.cumsum(np.concatenate([[0.0], np.where(known, values, 0.0)]))
    counts = np.cumsum(np.concatenate([[0], known]))
    parts, many = np.diff(sums[ends]), np.diff(counts[ends])
    found: Floats = np.divide(parts, many, out=np.full(points, np.nan), where=many > 0)
    return found


def sparkline(values: Floats, width: int = 40, low: float | None = None, high: float | None = None) -> str:
    """A line of bars, lowest to highest (or between `low` and `high`); a blank where nothing is known."""
    parts = thin(values, width)
    known = parts[~np.isnan(parts)]
    if not known.size:
        return " " * len(parts)
    least = float(known.min()) if low is None else low
    span = (float(known.max()) if high is None else high) - least
    return "".join(_bar(v, least, span) for v in parts)


def _bar(value: Any, least: float, span: float) -> str:
    if isnan(value):
        return " "
    share = (value - least) / span if span > 0 else 0.0
    return BARS[min(len(BARS) - 1, max(0, int(share * len(BARS))))]


def plural(count: float, one: str, many: str = "") -> str:
    """`1 bot`, `2,000 bots`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
