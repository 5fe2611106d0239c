"""Intervals: what several runs measured goes in, a mean or a median with an interval around it comes out.

Runs differ in their seed alone, so they are independent draws of one distribution.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 2000
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` and `high` are `nan` when there are not two numbers to say anything from."""

    value: float
    low: float
    high: float
    count: int
    """How many runs have the figure at all."""
    endless: int = 0
    """How many have an infinite one, such as a time to recover of a system that did not."""

    @property
    def known(self) -> bool:
        return self.low == self.low

    @property
    def excludes_zero(self) -> bool:
        return self.known and (self.low > 0 or self.high < 0)


def mean(values: Iterable[float], level: float = LEVEL) -> Interval:
    """The mean, with Student's interval. Exact for normal figures, and good for means of a dozen of any kind."""
    from scipy import stats

    known, endless = _known(values)
    if not known.size:
        return Interval(float("inf") if endless else NAN, NAN, NAN, 0, endless)
    middle = float(known.mean())
    if endless:
        return Interval(float("inf"), NAN, NAN, len(known), endless)
    if len(known) < 2:
        return Interval(middle, NAN, NAN, len(known))
    half = float(known.std(ddof=1)) / len(known) ** 0.5 * float(stats.t.ppf(0.5 + level / 2, len(known) - 1))
    return Interval(middle, middle - half, middle + half, len(known))


def median(values: Iterable[float], level: float = LEVEL) -> Interval:
    """The median, with a bootstrap interval; infinite values count as longest."""
    from scipy import stats

    known, endless = _known(values)
    ordered = np.concatenate([known, np.full(endless, np.inf)])
    if not ordered.size:
        return Interval(NAN, NAN, NAN, 0)
    middle = float(np.median(ordered))
    if endless or len(known) < 3 or known.min() == known.max():
        same = bool(known.size > 1 and not endless and known.min() == known.max())
        return Interval(middle, middle if same else NAN, middle if same else NAN, len(known), endless)
    # The generator has a seed of its own: an interval is a function of the figures.
    found = stats.bootstrap(
        (known,), np.median, n_resamples=RESAMPLES, confidence_level=level, method="percentile", rng=_generator()
    ).confidence_interval
    return Interval(middle, float(found.low), float(found.high), len(known))


def difference(before: Iterable[float], after: Iterable[float], paired: bool, level: float = LEVEL) -> Interval:
    """How much more `after` has on average: pair by pair where runs share their seeds, else by Welch's interval.

    Unknown when any figure is infinite.
    """
    from scipy import stats

    a, b = np.asarray(list(before), dtype=np.float64), np.asarray(list(after), dtype=np.float64)
    endless = int(np.count_nonzero(np.isinf(a)) + np.count_nonzero(np.isinf(b)))
    if endless:
        # To leave these out would make the side look better on which they are.
        return Interval(NAN, NAN, NAN, 0, endless)
    if paired:
        return mean(_difference(a, b), level)
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if not (a.size and b.size):
        return Interval(NAN, NAN, NAN, 0)
    middle = float(b.mean() - a.mean())
    if len(a) < 2 or len(b) < 2:
        return Interval(middle, NAN, NAN, min(len(a), len(b)))
    va, vb = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    if va + vb == 0:
        return Interval(middle, middle, middle, min(len(a), len(b)))
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = float(stats.t.ppf(0.5 + level / 2, freedom)) * (va + vb) ** 0.5
    return Interval(middle, middle - half, middle + half, min(len(a), len(b)))


def _difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pairs in which either is unknown say nothing."""
    usable = np.isfinite(a) & np.isfinite(b)
    return b[usable] - a[usable]


def _known(values: Iterable[float]) -> tuple[NDArray[np.float64], int]:
    given = np.asarray(list(values), dtype=np.float64)
    return given[np.isfinite(given)], int(np.count_nonzero(np.isinf(given)))


def _generator() -> Any:
    return np.random.default_rng(20260213)
