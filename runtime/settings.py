"""What whoever runs an enforcer chooses, and what it is given from outside: a clock, names that are not used yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any, TypeAlias

from policydsl.core.types import Value
from runtime.meter import Meter

Handler: TypeAlias = Callable[..., object]
"""Does what an obligation asks, given its arguments. An exception means that it is not done.

It is called at least once for each obligation: again when a process ended before it was noted that it is done, and the
request is repeated under its key. If it has a keyword `once` (`def notify(who, *, once)`), that is a name of this very
obligation, the same each time, by which it can see to it that what it does is done once.
"""


def wants_once(handler: Handler) -> bool:
    """Whether a handler asks for the name of the obligation."""
    try:
        found = signature(handler).parameters.get("once")
    except (TypeError, ValueError):
        return False  # whatever has no signature asks for nothing
    return found is not None and found.kind is Parameter.KEYWORD_ONLY


@dataclass(frozen=True, slots=True)
class Settings:
    """How an enforcer is run.

    - `clock` gives the time in milliseconds since 1970; `fresh` a name that was never given before.
    - `tolerance`: how far the clock may be behind that of the last decision (another machine's, say) before requests
      are denied; within it, time stands still. Milliseconds.
    - `handlers` do what obligations ask, by name; `promised` names obligations that the caller does itself, having
      read them from the decision. What is in neither is denied when it would have to be done for an allowed request.
    - `given`: what groups and other free variables hold at first, by variable: a collection of members for a group, a
      value, or a mapping from individuals (tuples of them) to values.
    - `params`: values of parameters. Both are by policy where there are several: `{"gateway.messaging": {...}}`.
    - `approvals`: whether somebody looks at questions; if not, what needs an answer is denied.
    - `may_approve(by, who, decision inputs)`: whether `by` may answer for `who`; the requester never may.
    - `officers` may enter and lift lockdown.
    - `unproved`: run a bundle whose promises are not all proved; each decision says so.
    - `shadow`: decide and record, but enforce nothing.
    - `retention`: how long `forget` leaves keys and ended reservations alone, in milliseconds; None: for ever. A
      request that comes again later under its key is a new one.
    - `meter` takes notes of all decisions.
    - `sign`: a private key (PEM) with which the head of the log is signed, at the end and every `sign_every` records.
    """

    clock: Callable[[], int]
    fresh: Callable[[], str]
    tolerance: int = 1_000
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    promised: frozenset[str] = frozenset()
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    approvals: bool = True
    may_approve: Callable[[str, str, Mapping[str, Value]], bool] | None = None
    officers: Sequence[str] = ()
    unproved: bool = False
    shadow: bool = False
    retention: int | None = None
    meter: Meter | None = None
    sign: str | None = None
    sign_every: int = 1_000
