"""Executors: calls go in, futures come out; where the calls are made is the executor's business.

They are `concurrent.futures.Executor`s, so every other one of these does as well. A pool of the standard library loses
all its work with one worker that dies; here each call has a process of its own, and only that call is lost.
"""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class LostError(RuntimeError):
    """The process that made the call died."""


class Here(Executor):
    """Makes each call at once, in this thread."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 whatever it is, it belongs to the call
            future.set_exception(error)
        return future


class Processes(Executor):
    """Makes at most `jobs` calls at a time, each in a process of its own.

    Functions and arguments travel as pickles, so functions are those of modules. Processes come from a server that has
    loaded what a call needs beforehand, where the system has such a thing.
    """

    def __init__(self, jobs: int, preload: Sequence[str] = ()) -> None:
        if jobs < 1:
            raise ValueError("an executor needs at least one job at a time")
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context: Any = multiprocessing.get_context(method)
        if method == "forkserver" and preload:
            self._context.set_forkserver_preload(list(preload))
        self._calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._running: set[Any] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._ending = False
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(jobs)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        future: Future[R] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the executor is shut down")
            self._calls.put((future, fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """With `cancel_futures`, calls that are being made are ended as well."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if cancel_futures:
                    self._cancel()
                for _ in self._threads:
                    self._calls.put(None)
            elif cancel_futures:
                self._cancel()
        if wait:
            for thread in self._threads:
                thread.join()

    def __exit__(self, kind: Any, *rest: object) -> None:
        # Who leaves by an exception, such as Ctrl-C, does not wait for what may take hours.
        self.shutdown(wait=True, cancel_futures=kind is not None)

    def _cancel(self) -> None:
        self._ending = True
        kept: list[Any] = []
        try:
            while True:
                call = self._calls.get_nowait()
                if call is None:
                    kept.append(call)
                else:
                    call[0].cancel()
        except queue.Empty:
            for call in kept:
                self._calls.put(call)
        for process in self._running:
            process.terminate()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            future, fn, args, kwargs = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._make(fn, args, kwargs))
            except BaseException as error:  # noqa: BLE001 whatever it is, it belongs to the call
                future.set_exception(error)

    def _make(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(theirs, fn, args, kwargs), daemon=True)
        with self._lock:
            # A call that was taken before all were cancelled, and is not being made yet, is not made any more.
            if self._ending:
                raise LostError("the executor was shut down")
            process.start()
            self._running.add(process)
        theirs.close()
        try:
            good, found, where = ours.recv()
        except EOFError:
            process.join()
            raise LostError(f"the process was lost (exit code {process.exitcode})") from None
        finally:
            ours.close()
            process.join()
            with self._lock:
                self._running.discard(process)
        if good:
            return found
        found.add_note(where)
        raise found


def _work(answers: Connection, fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
    """What happens in the process of a call."""
    # Ctrl-C reaches all processes of a terminal; what it ends is for the one to say that gave the call.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        answer: tuple[bool, Any, str] = (True, fn(*args, **kwargs), "")
    except Exception as error:  # noqa: BLE001 it is told to who called
        answer = (False, error, traceback.format_exc())
    try:
        answers.send(answer)
    except Exception as error:  # noqa: BLE001 what cannot travel is told as a text
        answers.send((False, RuntimeError(f"{type(answer[1]).__name__}: {answer[1]} ({error})"), answer[2]))
    answers.close()


def each(executor: Executor, work: Callable[[A], R], arguments: Sequence[A]) -> Iterator[tuple[A, R | BaseException]]:
    """Pairs of argument and result, or what went wrong, as they come; a pool that breaks has broken those calls."""
    futures: dict[Future[R], A] = {}
    broken: list[tuple[A, BaseException]] = []
    for argument in arguments:
        try:
            futures[executor.submit(work, argument)] = argument
        except BrokenProcessPool as error:
            broken.append((argument, error))
    for future in as_completed(futures):
        failed = future.exception()
        yield futures[future], future.result() if failed is None else failed
    yield from broken
