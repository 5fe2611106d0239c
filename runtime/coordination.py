"""Coordination by signals, for a gateway: what bots publish goes in, through the enforcer; how strongly each responds
comes out.

NOTE(signals): a signal tells, it does not order. Nothing here hands a signal to a decision about something else, so
what a bot may do does not depend on who shouted. A policy that reads signals of its own accord has to prove that they
only make it stricter, as `specs/mvg/coordination.policy` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any, Protocol

from runtime.decision import Decision

MOST = 100.0
"""The greatest strength of a channel, and of one signal."""
FAINT = 1e-3
"""What is weaker than this has evaporated."""

Listener = Callable[[str, float], object]
"""Hears the channel of a signal, and how strong it is now."""


class Decides(Protocol):
    """An enforcer."""

    def decide_request(self, action: str, inputs: Mapping[str, Any], key: str = "") -> Decision: ...


@dataclass(slots=True)
class Signals:
    """The channels of a gateway. Threads may share them.

    `clock` gives milliseconds; `evaporation` is the share that is gone after a second; `action` is what the policy
    calls a signal, with the inputs `principal`, `channel` and `strength`.
    """

    enforcer: Decides
    clock: Callable[[], int]
    evaporation: float = 0.1
    action: str = "signal"
    _strength: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Of each channel, and when that was."""
    _listeners: list[Listener] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not 0 < self.evaporation < 1:
            raise ValueError("evaporation is a share between 0 and 1")

    def publish(self, principal: str, channel: str, strength: int, urgency: float = 0.0, key: str = "") -> Decision:
        """A bot gives a signal. If the policy allows it, it adds to its channel: urgent ones (`urgency` from 0 to 1) up
        to twice as much. All who listen are told. A repeated `key` adds nothing."""
        decision = self.enforcer.decide_request(
            self.action, {"principal": principal, "channel": channel, "strength": strength}, key
        )
        # SOUND: what is denied, waits for somebody, or was heard before leaves no trace.
        if decision.effect != "allow" or decision.repeated:
            return decision
        with self._lock:
            now = self.clock()
            found = min(MOST, self._left(channel, now) + adapted(strength, urgency))
            self._strength[channel] = found, now
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener(channel, found)
            except Exception:  # noqa: BLE001, S112 one who cannot listen does not keep others from hearing
                continue
        return decision

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def strength(self, channel: str) -> float:
        """How strong a channel is now: what was deposited, less what has evaporated since."""
        with self._lock:
            return self._left(channel, self.clock())

    def response(self, channel: str, sensitivity: float) -> float:
        """How strongly a bot responds, from 0 to 1: strength times sensitivity, where the greatest strength counts as
        1. What it then does, it has to ask for like everything else."""
        return min(1.0, max(0.0, self.strength(channel) / MOST * _number(sensitivity)))

    def heard(self) -> dict[str, float]:
        """All channels that are not silent, the strongest first."""
        with self._lock:
            now = self.clock()
            self._strength = {c: (left, now) for c in self._strength if (left := self._left(c, now))}
            found = {c: left for c, (left, _) in self._strength.items()}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def _left(self, channel: str, now: int) -> float:
        strength, at = self._strength.get(channel, (0.0, now))
        # A clock that goes back does not bring back what has evaporated.
        left: float = strength * (1.0 - self.evaporation) ** (max(0, now - at) / 1000.0)
        return left if left >= FAINT else 0.0


def adapted(strength: float, urgency: float) -> float:
    """What a signal comes to where something is urgent: up to twice its strength."""
    return min(MOST, max(0.0, _number(strength)) * (1.0 + min(1.0, max(0.0, _number(urgency)))))


def _number(value: float) -> float:
    """What is no number is nothing."""
    return 0.0 if isnan(value) else float(value)
