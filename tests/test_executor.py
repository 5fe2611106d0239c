"""Executors: results as they come, what goes wrong stays with its call, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from multiprocessing import active_children

import pytest

from simulator.executor import Here, LostError, Processes, each
from simulator.scenario import ScenarioError


def double(n: int) -> int:
    return 2 * n


def refuse(n: int) -> int:
    if n == 3:
        raise ScenarioError([("bots", "three is too many")])
    return n


def die(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def unspeakable(n: int) -> object:
    return lambda: n


def pid(_: int) -> int:
    return os.getpid()


def sleep(n: int) -> int:
    time.sleep(600)
    return n


@pytest.fixture(params=["here", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return {"here": Here, "threads": lambda: ThreadPoolExecutor(2), "processes": lambda: Processes(2)}[request.param]()


def test_every_result_comes(executor: Executor) -> None:
    with executor:
        assert sorted(each(executor, double, range(6))) == [(n, 2 * n) for n in range(6)]


def test_what_raises_loses_itself_alone(executor: Executor) -> None:
    with executor:
        found = dict(each(executor, refuse, range(6)))
    error = found.pop(3)
    assert isinstance(error, ScenarioError)
    assert error.faults == (("bots", "three is too many"),)
    assert found == {n: n for n in range(6) if n != 3}


def test_a_process_that_dies_loses_itself_alone() -> None:
    with Processes(2) as executor:
        found = dict(each(executor, die, range(6)))
    assert isinstance(found.pop(3), LostError)
    assert found == {n: n for n in range(6) if n != 3}
    assert not active_children()


def test_every_call_has_a_process_of_its_own() -> None:
    with Processes(2) as executor:
        pids = {p for _, p in each(executor, pid, range(4))}
    assert len(pids) == 4
    assert os.getpid() not in pids


def test_what_cannot_travel_is_told() -> None:
    with Processes(1) as executor:
        [(_, error)] = each(executor, unspeakable, [1])
    assert isinstance(error, RuntimeError)
    assert "pickle" in str(error)


def test_where_it_went_wrong_is_told() -> None:
    with Processes(1) as executor:
        [(_, error)] = each(executor, refuse, [3])
    assert isinstance(error, ScenarioError)
    assert "in refuse" in error.__notes__[0]


def test_who_leaves_by_an_exception_does_not_wait() -> None:
    futures: list[Future[int]] = []

    def leave() -> None:
        with Processes(2) as executor:
            futures.extend(executor.submit(sleep, n) for n in range(5))
            while not executor._running:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert all(f.done() for f in futures)
    assert not active_children()


def test_a_call_that_was_taken_but_not_begun_is_not_made() -> None:
    executor = Processes(1)
    pipe, taken, go = executor._context.Pipe, threading.Event(), threading.Event()

    class Slow:
        """The context, which takes its time between taking a call and making it."""

        Process = executor._context.Process

        def Pipe(self, duplex: bool) -> object:  # noqa: N802 it is called so there
            taken.set()
            go.wait(60)
            return pipe(duplex=duplex)

    executor._context = Slow()
    future = executor.submit(double, 1)
    assert taken.wait(60)
    executor.shutdown(wait=False, cancel_futures=True)
    go.set()
    assert isinstance(future.exception(60), LostError)


def test_a_closed_executor_takes_nothing() -> None:
    executor = Processes(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(double, 1)


def test_there_must_be_a_job() -> None:
    with pytest.raises(ValueError, match="at least one job"):
        Processes(0)
