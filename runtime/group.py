"""Work of many threads in few holds of a store: what arrives while one hold is being written is done in the next.

NOTE(group): nobody gets an answer before the hold in which it was found is kept. So many answers share one wait for the
disk, and none is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from runtime.store import Store, StoreError, Transaction

T = TypeVar("T")


class Around(Protocol):
    """What has to happen at the two ends of each hold."""

    def begin(self, tx: Transaction) -> None: ...

    def end(self, tx: Transaction) -> None: ...

    def back(self) -> None:
        """The hold has failed: nothing of it was kept."""


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    work: Callable[[Transaction], T]
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    done: bool = False
    result: T | None = None
    fault: Exception | None = None


class Group:
    """Does work in holds of `store`. `lock` is held by the thread that does it."""

    def __init__(self, store: Store, most: int = 512) -> None:
        self.store = store
        self.lock = threading.RLock()
        self._most = most
        self._guard = threading.Lock()
        self._waiting: list[_Job[Any]] = []
        self._busy = False
        self._leader = 0

    def run(self, work: Callable[[Transaction], T], around: Around) -> T:
        """What `work` returns, once the hold in which it ran is kept. Raises what it raises, or `StoreError`; then
        nothing of it was kept. It may be called more than once, if what others do in the same hold fails."""
        if self._leader == threading.get_ident():
            raise StoreError("a request was made from within the decision of another")
        job = _Job(work)
        with self._guard:
            self._waiting.append(job)
            if not self._busy:
                self._busy = job.leads = True
        if not job.leads:
            job.woken.wait()
        if not job.done:
            self._lead(around)
        if job.fault is not None:
            raise job.fault
        return job.result  # type: ignore[return-value]  # done, and without a fault

    def _lead(self, around: Around) -> None:
        """Do what is waiting, one's own job among it; then somebody else leads."""
        with self._guard:
            jobs, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            with self.lock:
                self._leader = threading.get_ident()
                self._hold(jobs, around)
        finally:
            self._leader = 0
            with self._guard:
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].woken.set()
                else:
                    self._busy = False
            for job in jobs:
                if not job.done:
                    job.fault, job.done = StoreError("the decision was interrupted"), True
                job.woken.set()

    def _hold(self, jobs: list[_Job[Any]], around: Around) -> None:
        left = list(jobs)
        while left:
            job: _Job[Any] | None = None
            try:
                with self.store.hold() as tx:
                    around.begin(tx)
                    for job in left:
                        job.result = job.work(tx)
                    job = None
                    around.end(tx)
            except StoreError as error:
                around.back()
                for each in left:
                    each.fault, each.done = error, True
                return
            except Exception as error:
                around.back()
                if job is None:
                    raise
                # Not the fault of the others, who try again without it.
                job.fault, job.done = error, True
                left.remove(job)
            except BaseException:
                around.back()
                raise
            else:
                for each in left:
                    each.done = True
                return
