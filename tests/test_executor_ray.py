"""Ray: the same executor on a cluster of several machines, of which one may die without a run being lost."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_engine import BEGIN

from simulator import sweep
from simulator.executor import each
from simulator.scenario import Scenario, ScenarioError
from simulator.sweep import Plan
from simulator.sweep_plan import Varied, points, shares

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="ray is missing: sweeps on a cluster are NOT tested; pip install 'policyctl[ray]'",
    ),
    pytest.mark.filterwarnings("ignore"),  # those of Ray itself
]

HERE = Path(__file__).parent
BASE = Scenario(name="small", bots=20, ticks=30, attack_begins=10, malicious=0.3)


def where(n: int) -> tuple[int, str]:
    import ray

    return n, ray.get_runtime_context().get_node_id()


def wait(n: int) -> tuple[int, str]:
    """Long enough for a machine to be lost while it is at work."""
    time.sleep(2.0)
    return where(n)


def refuse(n: int) -> int:
    if n == 3:
        raise ScenarioError([("bots", "three is too many")])
    return n


def die_once(place: str) -> int:
    """The worker dies when it is here for the first time."""
    if not Path(place).exists():
        Path(place).touch()
        os._exit(1)
    return 7


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.add_node(num_cpus=1)
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    ray.init(address=made.address, runtime_env={"env_vars": {"PYTHONPATH": path}}, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def test_runs_are_made_on_several_machines(cluster: Any) -> None:
    from simulator.executor_ray import OnRay

    with OnRay() as executor:
        found = [result for _, result in each(executor, wait, range(6))]
    assert sorted(n for n, _ in found) == list(range(6))  # type: ignore[misc]
    assert len({node for _, node in found}) > 1  # type: ignore[misc]


def test_what_raises_is_told_as_it_is(cluster: Any) -> None:
    from simulator.executor_ray import OnRay

    with OnRay() as executor:
        found = dict(each(executor, refuse, range(5)))
    error = found.pop(3)
    assert isinstance(error, ScenarioError)
    assert error.faults == (("bots", "three is too many"),)
    assert found == {n: n for n in range(5) if n != 3}


def test_a_worker_that_dies_is_replaced(cluster: Any, tmp_path: Path) -> None:
    from simulator.executor_ray import OnRay

    with OnRay() as executor:
        [(_, found)] = each(executor, die_once, [str(tmp_path / "here")])
    assert found == 7


def test_a_sweep_has_the_same_results_as_here(cluster: Any, tmp_path: Path) -> None:
    from simulator.executor import Here
    from simulator.executor_ray import OnRay

    space = (Varied("QUORUM", "whole", 200.0, 600.0),)
    plan = Plan(BASE, space, tuple(points(space, shares("lhs", 1, 6, 1))), "lhs")
    with OnRay() as executor:
        there = sweep.carry_on(tmp_path / "there", plan, executor, BEGIN)
    here = sweep.carry_on(tmp_path / "here", plan, Here(), BEGIN)
    assert {n: r.final for n, r in there.results.items()} == {n: r.final for n, r in here.results.items()}
    assert len(list((tmp_path / "there" / "results").glob("*.json"))) == 6


def test_a_machine_that_is_lost_loses_no_run(cluster: Any) -> None:
    from simulator.executor_ray import OnRay

    lost = cluster.add_node(num_cpus=2)
    with OnRay() as executor:
        results = each(executor, wait, range(14))
        found = [next(results)[1] for _ in range(3)]
        cluster.remove_node(lost, allow_graceful=False)
        found += [result for _, result in results]
    assert [r for r in found if isinstance(r, BaseException)] == []
    assert sorted(n for n, _ in found) == list(range(14))  # type: ignore[misc]
