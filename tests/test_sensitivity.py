"""Sensitivity: SALib's designs find what a known function depends on, and say nothing where nothing can be said."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from simulator.scenario import ScenarioError
from simulator.sensitivity import analyse, shares, size
from simulator.sweep_plan import Varied

pytest.importorskip(
    "SALib", reason="SALib is missing: sensitivity analysis is NOT tested; pip install 'policyctl[optimise]'"
)

THREE = tuple(Varied(n, "real", 0.0, 1.0) for n in ("much", "little", "nothing"))


def model(unit: np.ndarray) -> list[float]:
    return (5.0 * unit[:, 0] + unit[:, 1]).tolist()


@pytest.mark.parametrize(("design", "samples", "runs"), [("morris", 42, 40), ("saltelli", 100, 80)])
def test_designs_fit_into_the_samples(design: str, samples: int, runs: int) -> None:
    assert size(design, 3, samples)[1] == runs
    assert shares(design, THREE, samples, 1).shape == (runs, 3)


@pytest.mark.parametrize("design", ["morris", "saltelli"])
def test_too_few_samples_are_refused(design: str) -> None:
    with pytest.raises(ScenarioError, match="needs at least"):
        shares(design, THREE, 7, 1)


@pytest.mark.parametrize("design", ["morris", "saltelli"])
def test_designs_depend_on_the_seed_alone(design: str) -> None:
    assert np.array_equal(shares(design, THREE, 80, 3), shares(design, THREE, 80, 3))
    assert not np.array_equal(shares(design, THREE, 80, 3), shares(design, THREE, 80, 4))


def test_morris_knows_the_effects_of_a_linear_function() -> None:
    unit = shares("morris", THREE, 80, 1)
    found = {i.name: i for i in analyse("morris", THREE, unit, model(unit), 1)}
    assert found["much"].main == pytest.approx(5.0)
    assert found["little"].main == pytest.approx(1.0)
    assert found["nothing"].main == pytest.approx(0.0)
    assert found["much"].other == pytest.approx(0.0, abs=1e-9)


def test_sobol_knows_the_shares_of_the_variance() -> None:
    unit = shares("saltelli", THREE, 5 * 1024, 1)
    found = {i.name: i for i in analyse("saltelli", THREE, unit, model(unit), 1)}
    assert found["much"].main == pytest.approx(25 / 26, abs=0.03)
    assert found["little"].main == pytest.approx(1 / 26, abs=0.03)
    assert found["nothing"].main == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("design", ["morris", "saltelli"])
def test_nothing_is_said_of_runs_that_lack_the_figure(design: str) -> None:
    unit = shares(design, THREE, 80, 1)
    values = model(unit)
    values[3] = nan
    assert analyse(design, THREE, unit, values, 1) == []
    assert analyse(design, THREE, unit, [1.0] * len(values), 1) == []
