"""Where a search may look: a policy that rules over parameters goes in, ranges and a test of candidates come out.

A policy declares what may be chosen in two ways: parameters with ranges, for each of which everything was proved, and
numbers in its state whose ranges, and whose relations to each other, are invariants (`specs/mvg/parameters.policy`). A
candidate is admissible if all invariants hold in the state that has its numbers: the reference interpreter says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policydsl.core.expr import Apply, Const, Expr, Op, Ref
from policydsl.core.system import PropertyKind, System
from policydsl.interp import evaluate, initial
from policydsl.trace import Cell

MEANS: Mapping[str, tuple[str, ...]] = {
    "threshold": ("PROPOSE_THRESHOLD",),
    "reward": ("PROPOSAL_REWARD",),
    "penalty": ("PROPOSAL_PENALTY",),
}
"""Which parameters of the twin the numbers of `mvg.parameters` are, where they are not called the same."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number that may be chosen: its name in the policy, and as a parameter of the twin."""

    name: str
    parameter: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Within:
    system: System
    ranges: tuple[Range, ...]
    others: tuple[str, ...]
    """Numbers of the policy that the twin does not have: they stay as they are."""
    defaults: Mapping[str, int]
    """The parameters of the twin as they are if nobody chooses them."""

    def fault(self, chosen: Mapping[str, int]) -> str | None:
        """The invariant that a candidate (parameters of the twin) breaks, if it breaks one."""
        chosen = {**self.defaults, **chosen}
        by_name = {r.name: chosen[r.parameter] for r in self.ranges if r.parameter in chosen}
        numbers = {p.name for p in self.system.params}
        params = {n: v for n, v in by_name.items() if n in numbers}
        cells = tuple(Cell(n, (), v) for n, v in by_name.items() if n not in numbers)
        for r in self.ranges:
            if r.parameter in chosen and not r.low <= chosen[r.parameter] <= r.high:
                return f"{r.parameter} is outside {r.low}..{r.high}"
        state = initial(self.system, params, cells)
        for prop in self.system.properties:
            if prop.kind is PropertyKind.INVARIANT and evaluate(prop.expr, state) is not True:
                return f"`{prop.name}` of `{self.system.name}` would not hold"
        return None


def within(system: System, twin: Mapping[str, tuple[int | None, int | None]], defaults: Mapping[str, int]) -> Within:
    """What a policy lets one choose of the parameters of the twin, inside the ranges of both."""
    found, others = [], []
    for name, (low, high) in {**_of_params(system), **_of_state(system)}.items():
        targets = [t for t in (name.upper(), *MEANS.get(name, ())) if t in twin]
        if not targets:
            others.append(name)
            continue
        least, most = twin[targets[0]]
        low = low if least is None else max(low, least)
        high = high if most is None else min(high, most)
        if low < high:
            found.append(Range(name, targets[0], low, high))
    return Within(system, tuple(found), tuple(others), defaults)


def _of_params(system: System) -> dict[str, tuple[int, int]]:
    return {p.name: (p.low, p.high) for p in system.params if p.low is not None and p.high is not None}


def _of_state(system: System) -> dict[str, tuple[int, int]]:
    """Ranges of single numbers in the state: the invariants that the checker made of their declarations."""
    numbers = {v.name for v in system.state if not v.keys}
    found = {}
    for prop in system.properties:
        if prop.kind is PropertyKind.INVARIANT and prop.name.startswith("range_of_"):
            bounds = _bounds(prop.expr)
            if bounds is not None and bounds[0] in numbers:
                found[bounds[0]] = bounds[1:]
    return found


def _bounds(expr: Expr) -> tuple[str, int, int] | None:
    """`low <= x and x <= high`."""
    match expr:
        case Apply(
            op=Op.AND, args=(Apply(op=Op.LE, args=(Const() as low, x)), Apply(op=Op.LE, args=(y, Const() as high)))
        ):
            if isinstance(x, Ref) and x is y and type(low.value) is int and type(high.value) is int:
                return x.name, low.value, high.value
    return None
