"""What came of a run of the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from simulator.consensus.messages import Request


class Submission(NamedTuple):
    """A client (a bot, perhaps of the committee) asks at a time for something to be decided."""

    time: int
    client: int
    value: str


@dataclass(frozen=True, slots=True)
class Decision:
    request: Request
    submitted: int
    first: int | None
    """When the first correct member had executed it."""
    certain: int | None
    """When f+1 correct members had: from then on their answers convince anybody."""
    everywhere: int | None
    """When all correct members had."""


@dataclass(frozen=True, slots=True)
class Outcome:
    decisions: tuple[Decision, ...]
    """In the order of the submissions."""
    logs: tuple[tuple[Request, ...], ...]
    """What each member has decided, place by place; nothing for those that are faulty."""
    violations: tuple[str, ...]
    """Breaches of safety: empty unless more than f members are faulty, or the implementation is wrong."""
    views: tuple[int, ...]
    """The view of each member at the end."""
    messages: dict[str, int]
    """How many of each kind were sent, copies for several receivers counted each, lost ones too."""
    delivered: int
    time: int
    """When it was over."""

    @property
    def is_safe(self) -> bool:
        return not self.violations

    @property
    def is_live(self) -> bool:
        """Whether all correct members have executed all requests in time."""
        return all(d.everywhere is not None for d in self.decisions)
