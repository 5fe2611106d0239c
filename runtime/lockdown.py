"""Lockdown: the enforcer's own small policy, run like any other, from the core that ships beside this module."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from policydsl.core.from_json import from_json
from policydsl.core.system import System
from policydsl.core.to_json import dumps
from runtime.decision import Decision
from runtime.machine import Machine

OFFICERS = "Officers"
ENTERED, LIFTED = "lockdown.entered", "lockdown.lifted"


@cache
def lockdown_system() -> System:
    """The policy `enforcer.lockdown`, as it is proved in `specs/`."""
    return from_json(Path(__file__).with_name("lockdown.json").read_text(encoding="utf-8"))


class Lockdown:
    """Whether there is a lockdown, and who may end it."""

    def __init__(self, officers: Sequence[str]) -> None:
        self._machine = Machine(lockdown_system())
        self._machine.content.set((OFFICERS, (o,), True) for o in officers)
        self._noted = self._note()

    @property
    def locked(self) -> bool:
        return self._machine.content.read("locked") is True

    def fault(self, now: int) -> Decision:
        """The enforcer has found that it must not go on."""
        return self._do("fault", {"time": now}, now)

    def enter(self, officer: str, now: int) -> Decision:
        return self._do("enter", {"principal": officer, "time": now}, now)

    def lift(self, officer: str, now: int) -> Decision:
        return self._do("lift", {"principal": officer}, now)

    def lets(self, recovery: bool, now: int) -> Decision:
        """Whether a request may be decided at all; `recovery` says that its policy lists it for lockdowns."""
        return self._machine.decide("request", {"recovery": recovery}, now)[0]

    def to_bytes(self) -> bytes:
        """The state, without who the officers are; `from_bytes` takes it over."""
        return self._noted

    def _note(self) -> bytes:
        rows = [[var, list(keys), value] for var, keys, value in self._machine.content.rows() if var != OFFICERS]
        return dumps(rows).encode()

    def from_bytes(self, data: bytes) -> None:
        if data == self._noted:
            return
        officers = [row for row in self._machine.content.rows() if row[0] == OFFICERS]
        rows = [(var, tuple(keys), value) for var, keys, value in json.loads(data)]
        self._machine.content.load([*officers, *rows])
        self._noted = self._note()

    def _do(self, action: str, inputs: Mapping[str, str | int], now: int) -> Decision:
        decision, assignments, _ = self._machine.decide(action, inputs, now)
        if assignments:
            self._machine.content.apply(assignments)
            self._noted = self._note()
        return decision
