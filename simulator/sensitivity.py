"""Which of the things that are varied matter: SALib's designs of Morris and of Sobol, and what they say of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.scenario import ScenarioError
from simulator.sweep_plan import Varied

Floats = NDArray[np.float64]
LEVELS = 4


@dataclass(frozen=True, slots=True)
class Influence:
    """How much one thing matters for a metric.

    Morris: `main` is the mean absolute effect of a step through the whole range, in the metric's own unit; `other` the
    deviation of these effects (large: it interacts, or is not linear). Sobol: the shares of the variance that it
    explains alone, and with all its interactions. `spread` is the half width of a 95 % interval around `main`.
    """

    name: str
    main: float
    other: float
    spread: float


def problem(varied: Sequence[Varied]) -> dict[str, Any]:
    """As SALib has it; everything lies between 0 and 1 there."""
    return {"num_vars": len(varied), "names": [v.name for v in varied], "bounds": [[0.0, 1.0]] * len(varied)}


def size(design: str, varied: int, samples: int) -> tuple[int, int]:
    """How many trajectories or base points fit into so many runs, and the runs that these take.

    Raises `ScenarioError` when they are too few to say anything.
    """
    if design == "morris":
        count = samples // (varied + 1)
        runs = count * (varied + 1)
        least = 2 * (varied + 1)
    else:
        count = 1 << max(0, (samples // (varied + 2)).bit_length() - 1)
        runs = count * (varied + 2)
        least = 4 * (varied + 2)
    if runs < least or runs > samples:
        raise ScenarioError([("samples", f"{design} needs at least {least} runs to vary {varied} things")])
    return count, runs


def shares(design: str, varied: Sequence[Varied], samples: int, seed: int) -> Floats:
    """The points of a design, in the unit cube."""
    count, _ = size(design, len(varied), samples)
    if design == "morris":
        from SALib.sample import morris

        found = morris.sample(problem(varied), count, num_levels=LEVELS, seed=seed)
    else:
        from SALib.sample import sobol

        found = sobol.sample(problem(varied), count, calc_second_order=False, seed=seed)
    return np.asarray(found, dtype=np.float64)


def analyse(design: str, varied: Sequence[Varied], unit: Floats, values: Sequence[float], seed: int) -> list[Influence]:
    """How much each thing matters; empty when a run lacks the figure, or all have the same: nothing can be said."""
    figures = np.asarray(values, dtype=np.float64)
    if not np.isfinite(figures).all() or not np.ptp(figures):
        return []
    if design == "morris":
        from SALib.analyze import morris

        found = morris.analyze(problem(varied), unit, figures, num_levels=LEVELS, seed=seed)
        main, other, spread = found["mu_star"], found["sigma"], found["mu_star_conf"]
    else:
        from SALib.analyze import sobol

        found = sobol.analyze(problem(varied), figures, calc_second_order=False, seed=seed)
        main, other, spread = found["S1"], found["ST"], found["S1_conf"]
    return [
        Influence(v.name, float(m), float(o), float(s)) for v, m, o, s in zip(varied, main, other, spread, strict=True)
    ]
