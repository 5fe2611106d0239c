"""The one trace format: counterexamples, recorded traffic and decision logs are all a start and a list of steps."""

from __future__ import annotations

from dataclasses import dataclass

from policydsl.core.types import Value


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the state: a variable at some keys."""

    var: str
    keys: tuple[str, ...]
    value: Value


@dataclass(frozen=True, slots=True)
class Change:
    """What a step did to one cell."""

    var: str
    keys: tuple[str, ...]
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request: the effect, the rules that determined it, why, and what must be done beside."""

    effect: str  # allow, deny, pending
    rules: tuple[str, ...] = ()
    reason: str = ""
    obligations: tuple[tuple[str, tuple[Value, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One request, the answer, and the cells that changed (sorted by variable, then keys)."""

    action: str
    inputs: tuple[tuple[str, Value], ...]
    decision: Decision
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """A run of `system` with these parameters from an initial state in which `start` differs from the declared one.

    `property` is what the run is about ("" for plain recordings).
    """

    system: str
    digest: str
    params: tuple[tuple[str, Value], ...]
    start: tuple[Cell, ...]
    steps: tuple[Step, ...]
    property: str = ""
