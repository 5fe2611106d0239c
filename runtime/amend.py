"""Other numbers for a policy: a system and new values go in, the same system with these as its own comes out.

What may be amended are parameters with a range. Proofs hold for all values in it, so a value inside breaks none of
them; one outside makes another policy (`pinned`), of which a verifier can say what it would break.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from policydsl.core.expr import Const
from policydsl.core.system import System
from policydsl.core.types import INT, IntType
from runtime.bundle import Policy


@dataclass(frozen=True, slots=True)
class Number:
    """A parameter as it is, and the bounds between which everything was proved."""

    name: str
    value: int
    low: int
    high: int


def numbers(policies: Iterable[Policy]) -> dict[str, Number]:
    """The parameters that may be amended, by name. One that several policies have is one, within the bounds of all."""
    found: dict[str, Number] = {}
    for param in (p for policy in policies for p in policy.system.params):
        if not isinstance(param.type, IntType) or param.low is None or param.high is None:
            continue
        value = param.default.value
        assert type(value) is int
        known = found.get(param.name, Number(param.name, value, param.low, param.high))
        found[param.name] = Number(param.name, known.value, max(known.low, param.low), min(known.high, param.high))
    return found


def outside(numbers: Mapping[str, Number], values: Mapping[str, int]) -> dict[str, int]:
    """Those of the values that are none of these numbers', or not between its bounds."""
    return {n: v for n, v in values.items() if n not in numbers or not numbers[n].low <= v <= numbers[n].high}


def amended(system: System, values: Mapping[str, int]) -> System:
    """The system with these as the values of its parameters; names of others are ignored.

    Raises `ValueError` for what is outside a range.
    """
    params = []
    for p in system.params:
        if p.name in values:
            value = values[p.name]
            if (p.low is not None and value < p.low) or (p.high is not None and value > p.high):
                raise ValueError(f"{p.name} = {value} is outside {p.low}..{p.high}")
            p = replace(p, default=Const(value, p.type))
        params.append(p)
    return replace(system, params=tuple(params))


def pinned(system: System, values: Mapping[str, int]) -> System:
    """The system in which these parameters cannot be anything else, whatever their ranges."""
    params = tuple(
        replace(p, default=Const(v, p.type), low=v, high=v) if (v := values.get(p.name)) is not None else p
        for p in system.params
    )
    return replace(system, params=params)


def begun(system: System, values: Mapping[str, int]) -> System:
    """The system whose state begins with these numbers; others are ignored."""
    state = tuple(
        replace(v, init=Const(values[v.name], INT)) if v.name in values and not v.keys and v.type == INT else v
        for v in system.state
    )
    return replace(system, state=state)
