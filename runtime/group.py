"""Work of many threads in few holds of a store: what arrives while one hold is being written is done in the next.

NOTE(group): nobody gets an answer before the hold in which it was found is kept. So many answers share one wait for the
disk, and none is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from runtime.store import Store, StoreError, Transaction

T = TypeVar("T")


class Around(Protocol):
    """What has to happen at the two ends of each hold. `back` is called whenever a hold that has begun was not kept."""

    def begin(self, tx: Transaction) -> None: ...

    def end(self, tx: Transaction) -> None: ...

    def back(self) -> None:
        """The hold has failed: nothing of it was kept."""


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    """What one thread wants done. Only who has to wait has something to be `woken` by."""

    work: Callable[[Transaction], T]
    around: Around
    woken: threading.Event | None = None
    leads: bool = False
    done: bool = False
    result: T | None = None
    fault: Exception | None = None


class Group:
    """Does work in holds of `store`. `lock` is held by the thread that does it, which is `leader` (0: nobody is)."""

    def __init__(self, store: Store, most: int = 512) -> None:
        self.store = store
        self.lock = threading.RLock()
        self._most = most
        self._guard = threading.Lock()
        self._waiting: list[_Job[Any]] = []
        self._busy = False
        self.leader = 0

    @property
    def leading(self) -> bool:
        """Whether this very thread is within a hold."""
        return self.leader == threading.get_ident()

    def run(self, work: Callable[[Transaction], T], around: Around) -> T:
        """What `work` returns, once the hold in which it ran is kept. Raises what it raises, or `StoreError`; then
        nothing of it was kept. It may be called more than once, if what others do in the same hold fails. Work with
        the same `around` shares holds."""
        if self.leading:
            raise StoreError("a request was made from within the decision of another")
        job = _Job(work, around)
        with self._guard:
            self._waiting.append(job)
            if self._busy:
                job.woken = threading.Event()
            else:
                self._busy = job.leads = True
        try:
            if job.woken is not None:
                job.woken.wait()
            if not job.done:
                self._lead()
        except BaseException:
            self._leave(job)
            raise
        if job.fault is not None:
            raise job.fault
        return job.result  # type: ignore[return-value]  # done, and without a fault

    def _lead(self) -> None:
        """Do what is waiting, one's own job among it; then somebody else leads."""
        with self._guard:
            around = self._waiting[0].around
            jobs = self._waiting[: self._most]
            jobs = jobs[: next((i for i, j in enumerate(jobs) if j.around is not around), len(jobs))]
            del self._waiting[: len(jobs)]
        try:
            with self.lock:
                self.leader = threading.get_ident()
                try:
                    self._hold(jobs, around)
                finally:
                    self.leader = 0
        finally:
            self._pass_on()
            for job in jobs:
                if not job.done:
                    job.fault, job.done = StoreError("the decision was interrupted"), True
                _wake(job)

    def _pass_on(self) -> None:
        with self._guard:
            self._busy = bool(self._waiting)
            if self._waiting:
                self._waiting[0].leads = True
                _wake(self._waiting[0])

    def _leave(self, job: _Job[Any]) -> None:
        """The thread of `job` was interrupted while it waited, and must not be waited for."""
        with self._guard:
            waits = job in self._waiting
            if waits:
                self._waiting.remove(job)
        if waits and job.leads:
            self._pass_on()

    def _hold(self, jobs: list[_Job[Any]], around: Around) -> None:
        left = list(jobs)
        while left:
            job: _Job[Any] | None = None
            begun = False
            try:
                with self.store.hold() as tx:
                    begun = True
                    around.begin(tx)
                    for job in left:
                        job.result = job.work(tx)
                    job = None
                    around.end(tx)
            except Exception as error:  # noqa: BLE001 it is raised where the work was asked for
                if begun:
                    around.back()
                if job is None:
                    for each in left:
                        each.fault, each.done = error, True
                    return
                # Not the fault of the others, who try again without it.
                job.fault, job.done = error, True
                left.remove(job)
            except BaseException:
                if begun:
                    around.back()
                raise
            else:
                for each in left:
                    each.done = True
                return


def _wake(job: _Job[Any]) -> None:
    if job.woken is not None:
        job.woken.set()
