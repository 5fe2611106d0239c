"""What a sidecar has: an enforcer, a guard for each host, and who may do what. Routes are in `app`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Mapping as Map
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from hosts.guard import Guard
from hosts.mapping import Mapping
from hosts.tokens import Bearer
from runtime.enforcer import Enforcer
from runtime.meter import Totals

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Service:
    """- `guards` by the name of the host. A host without one is denied everything.
    - `bearers` are who may do what. Without any, whoever reaches the sidecar may ask, and nobody may do more.
    - `threads` decide where deciding may have to wait for a disk; None: it does not, and is done at once.
    - `reload` takes what is configured anew; it raises `ValueError` when that is not fit to be enforced.
    - `totals` gives the counts up to now. `base` is the URL under which the sidecar is reached.
    """

    enforcer: Enforcer
    guards: Map[str, Guard]
    bearers: tuple[Bearer, ...] = ()
    threads: ThreadPoolExecutor | None = None
    reload: Callable[[], None] | None = None
    totals: Callable[[], Totals] | None = None
    base: str = ""

    def guard(self, host: str) -> Guard:
        """What stands before the calls of a host."""
        found = self.guards.get(host)
        # SOUND: a mapping that says nothing denies everything.
        return Guard(self.enforcer, Mapping(host=host)) if found is None else found

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns, without keeping other requests waiting for a disk."""
        if self.threads is None:
            return function(*args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.threads, lambda: function(*args, **kwargs))
