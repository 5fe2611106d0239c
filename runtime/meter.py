"""What an enforcer has been doing, in numbers: noted beside each decision, and counted when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from runtime.decision import Decision

Noted: TypeAlias = tuple[str, Decision, int]
"""Action, decision, and how long it took (nanoseconds)."""

BOUNDS = (1_000, 2_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000, 100_000_000)
"""Upper bounds of the classes of latency, in nanoseconds; the last class has none."""


class Meter:
    """Takes notes. `timer` gives nanoseconds that never go back. What is not drained in time is dropped, oldest first,
    so that an enforcer whose numbers nobody reads does not grow."""

    def __init__(self, timer: Callable[[], int], most: int = 1 << 16) -> None:
        self.timer = timer
        self.notes: deque[Noted] = deque(maxlen=most)

    def note(self, action: str, decision: Decision, took: int) -> None:
        """To be called after each decision; threads may."""
        self.notes.append((action, decision, took))

    def drain(self) -> list[Noted]:
        """What was noted since the last time."""
        found = []
        while True:
            try:
                found.append(self.notes.popleft())
            except IndexError:
                return found


@dataclass(slots=True)
class Totals:
    """Counts from the beginning: decisions by action, effect, code; denials by policy and rule; latencies by class."""

    decisions: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    denials: Counter[tuple[str, str]] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    nanoseconds: int = 0

    def add(self, notes: list[Noted]) -> None:
        """Count what `Meter.drain` gave."""
        for action, decision, took in notes:
            self.decisions[action, decision.effect, decision.code.value] += 1
            if decision.effect == "deny" and decision.basis is not None:
                self.denials.update((decision.basis.system, rule.name) for rule in decision.rules)
            self.latencies[bisect_left(BOUNDS, took)] += 1
            self.nanoseconds += took
