"""An executor on a cluster of machines: calls go to Ray, and a call whose machine dies is made again elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

R = TypeVar("R")

RETRIES = 5
"""How often a call is made again whose worker or machine was lost. A call that raises is not made again."""


class OnRay(Executor):
    """A `concurrent.futures.Executor`. `address` is that of a cluster, `auto` for the one that is there, or None for
    one on this machine, with so many calls at a time.

    The machines need the same version of this package; what a call depends on travels with it.
    """

    def __init__(self, address: str | None = None, jobs: int | None = None, retries: int = RETRIES) -> None:
        import ray

        self._ray: Any = ray
        self._owner = not ray.is_initialized()
        if self._owner:
            more: dict[str, Any] = {"num_cpus": jobs} if address is None else {}
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR", **more)
        self._make: Any = ray.remote(_call).options(num_cpus=1, max_retries=retries, retry_exceptions=False)
        self._pending: set[Any] = set()

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        task = self._make.remote(fn, args, kwargs)
        self._pending.add(task)
        found: Future[R] = Future()

        def done(answer: Any) -> None:
            self._pending.discard(task)
            error = answer.exception()
            if error is None:
                found.set_result(answer.result())
            else:
                # Ray wraps what a call raised; who asked wants to see the thing itself.
                found.set_exception(getattr(error, "cause", None) or error)

        found.set_running_or_notify_cancel()
        task.future().add_done_callback(done)
        return found

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            for task in list(self._pending):
                self._ray.cancel(task, force=True)
        elif wait and self._pending:
            self._ray.wait(list(self._pending), num_returns=len(self._pending))
        if self._owner and self._ray.is_initialized():
            self._ray.shutdown()

    def __exit__(self, kind: Any, *rest: object) -> None:
        self.shutdown(wait=True, cancel_futures=kind is not None)


def _call(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    return fn(*args, **kwargs)
