"""How many incidents are to be expected: counts of past periods go in, a forecast with an interval comes out.

Holt's linear method with a damped trend (Holt 1957; Gardner and McKenzie 1985), as in Hyndman and Athanasopoulos,
Forecasting: Principles and Practice, 3rd edition, 8.2 and 8.7: a level and a trend, which follow the counts by the
shares `alpha` and `beta`. Both are those of a small grid that would have forecast the past best. Only additions,
products and square roots, in one order: the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

ALPHAS = (0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
BETAS = (0.0, 0.05, 0.15, 0.3)
DAMPED = 0.9
"""What is left of the trend after one more period."""
PAST = 0.9
"""An error counts for so much less with each period that has passed since."""
FEWEST = 4
"""Before there are so many periods, the last one is the forecast."""
NINETY = 1.645
"""Deviations on either side of which lie 5 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of one period."""

    mean: float
    low: float
    """With a probability of 90 % it is between `low` and `high`, if errors are as they were."""
    high: float


def forecast(counts: Sequence[float], ahead: int = 1) -> Forecast:
    """The count of the period that comes `ahead` periods after the last one; counts are never below zero."""
    if not counts:
        return Forecast(0.0, 0.0, 0.0)
    if len(counts) < FEWEST:
        return _between(counts[-1], sqrt(counts[-1] + 1.0))
    best = min(((_errors(counts, a, b)[0], a, b) for a in ALPHAS for b in BETAS if b <= a), default=(0.0, 0.5, 0.1))
    _, alpha, beta = best
    squares, level, trend = _errors(counts, alpha, beta)
    # Counts vary at least as independent events do.
    variance = max(squares, level, 0.25)
    mean, damp, sum_of_damps, spread = level, 1.0, 0.0, 1.0
    for step in range(ahead):
        if step:
            spread += (alpha + beta * sum_of_damps) * (alpha + beta * sum_of_damps)
        damp *= DAMPED
        sum_of_damps += damp
        mean += damp * trend
    return _between(max(mean, 0.0), sqrt(variance * spread))


def _errors(counts: Sequence[float], alpha: float, beta: float) -> tuple[float, float, float]:
    """The mean of the squares of errors one period ahead; and the level and the trend in the end."""
    level, trend, squares, weight = counts[0], 0.0, 0.0, 0.0
    for count in counts[1:]:
        expected = level + DAMPED * trend
        error = count - expected
        squares, weight = PAST * squares + error * error, PAST * weight + 1.0
        level = expected + alpha * error
        trend = DAMPED * trend + beta * error
    return squares / weight, level, trend


def _between(mean: float, deviation: float) -> Forecast:
    return Forecast(mean, max(0.0, mean - NINETY * deviation), mean + NINETY * deviation)
