"""A function over many arguments in worker processes: results as they come, and nothing left behind on Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")


def in_processes(
    work: Callable[[A], R], arguments: Sequence[A], jobs: int, died: Callable[[A], R]
) -> Iterator[tuple[A, R]]:
    """Pairs of argument and result, as they come. `died` stands in when a process is lost to the system."""
    lost = []
    for argument, result in _round(work, arguments, jobs):
        if result is None:
            lost.append(argument)
        else:
            yield argument, result
    # One lost process breaks the whole pool, so each of its arguments gets one more chance, alone.
    for argument in lost:
        [(_, result)] = _round(work, [argument], 1)
        yield argument, died(argument) if result is None else result


def _round(work: Callable[[A], R], arguments: Sequence[A], jobs: int) -> Iterator[tuple[A, R | None]]:
    workers = min(jobs, len(arguments))
    if not workers:
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, initializer=_leave_signals_to_the_parent, initargs=(os.getpid(),))
    try:
        futures: dict[Future[R], A] = {pool.submit(work, argument): argument for argument in arguments}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                yield futures[future], None
        pool.shutdown()
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _leave_signals_to_the_parent(parent: int) -> None:
    """A session of its own keeps Ctrl-C from the solvers, which would take it for "give up" and answer unknown."""
    if hasattr(os, "setsid"):
        os.setsid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
