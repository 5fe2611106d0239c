"""Requests to both versions of a system: what each answers and does, and whether that differs in a given way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policydsl.core.system import Effect
from policydsl.core.to_json import digest
from policydsl.core.types import Value
from policydsl.evaluate import FaultError
from policydsl.interp import Request, State, StepResult, UnfitError, initial, step
from policydsl.trace import Cell, Step, Trace
from verifier.diff_align import NEW, OLD, Alignment
from verifier.diff_cases import Kind


@dataclass(frozen=True)
class Runs:
    """The same requests, put to both versions."""

    old: Trace
    new: Trace


@dataclass(frozen=True)
class _Run:
    states: list[State]
    results: list[StepResult]


class Player:
    """Plays requests of the common vocabulary in the reference interpreter, in each version by itself."""

    def __init__(self, alignment: Alignment) -> None:
        self._alignment = alignment
        self._systems = {OLD: alignment.old, NEW: alignment.new}
        self._inputs = {s: {a.name: [i.name for i in a.inputs] for a in v.actions} for s, v in self._systems.items()}
        self._digests: dict[str, str] = {}

    def differs(self, kind: Kind, params: dict[str, Value], cells: Sequence[Cell], requests: Sequence[Request]) -> bool:
        """Whether both allow all requests but the last, and answer that one differently in the way of `kind`."""
        runs = [self._run(s, params, cells, requests) for s in (OLD, NEW)]
        if runs[0] is None or runs[1] is None:
            return False
        before = [r for run in (runs[0], runs[1]) for r in run.results[:-1]]
        if any(r.decision.effect != Effect.ALLOW.value for r in before):
            return False
        return self._last_differs(kind, runs[0], runs[1])

    def _last_differs(self, kind: Kind, old: _Run, new: _Run) -> bool:
        effects = [run.results[-1].decision.effect for run in (old, new)]
        match kind:
            case Kind.ALLOWED:
                return effects[1] == Effect.ALLOW.value != effects[0]
            case Kind.DENIED:
                return effects[1] == Effect.DENY.value != effects[0]
            case Kind.PENDING:
                return effects[1] == Effect.PENDING.value != effects[0]
            case Kind.OBLIGATIONS:
                asked = [{(n, *map(repr, a)) for n, a in run.results[-1].decision.obligations} for run in (old, new)]
                return effects[0] == effects[1] and asked[0] != asked[1]
            case Kind.EFFECTS:
                both_allow = effects == [Effect.ALLOW.value] * 2
                cells = {(c.var, c.keys) for run in (old, new) for c in run.results[-1].changes}
                return both_allow and any(self._parts(old, new, var, keys) for var, keys in cells)

    def _parts(self, old: _Run, new: _Run, var: str, keys: tuple[str, ...]) -> bool:
        if var not in self._alignment.common:
            return False
        before = [run.states[-2].read(var, keys) for run in (old, new)]
        after = [run.states[-1].read(var, keys) for run in (old, new)]
        return repr(before[0]) == repr(before[1]) and repr(after[0]) != repr(after[1])

    def _run(
        self, side: str, params: dict[str, Value], cells: Sequence[Cell], requests: Sequence[Request]
    ) -> _Run | None:
        system = self._systems[side]
        try:
            states = [initial(system, self._params(side, params), self._cells(side, cells))]
            results = []
            for r in requests:
                results.append(step(system, states[-1], self._request(side, r)))
                states.append(results[-1].state)
        except (UnfitError, FaultError):
            return None
        return _Run(states, results)

    def runs(self, params: dict[str, Value], cells: Sequence[Cell], requests: Sequence[Request]) -> Runs:
        """The same as traces. The requests and cells have been played before."""
        old, new = (self._trace(s, params, cells, requests) for s in (OLD, NEW))
        return Runs(old, new)

    def _trace(self, side: str, params: dict[str, Value], cells: Sequence[Cell], requests: Sequence[Request]) -> Trace:
        system = self._systems[side]
        run = self._run(side, params, cells, requests)
        assert run is not None
        if side not in self._digests:
            self._digests[side] = digest(system)
        steps = tuple(
            Step(r.action, tuple(self._request(side, r).inputs.items()), result.decision, result.changes)
            for r, result in zip(requests, run.results, strict=True)
        )
        chosen = tuple(run.states[0].params.items())
        return Trace(system.name, self._digests[side], chosen, tuple(self._cells(side, cells)), steps)

    def _params(self, side: str, params: dict[str, Value]) -> dict[str, Value]:
        known: Iterable[str] = (p.name for p in self._systems[side].params)
        return {n: params[n] for n in known if n in params}

    def _cells(self, side: str, cells: Sequence[Cell]) -> list[Cell]:
        found = []
        for c in cells:
            if c.var in self._alignment.shared:
                found.append(c)
            elif c.var.startswith(side):
                found.append(Cell(c.var.removeprefix(side), c.keys, c.value))
        return found

    def _request(self, side: str, r: Request) -> Request:
        return Request(r.action, {n: r.inputs[n] for n in self._inputs[side][r.action]})
