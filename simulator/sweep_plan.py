"""What a sweep varies: `quorum=200..600` goes in, points in the space of scenarios come out.

Points come from SciPy's quasi-random sequences, with a seed: the same sweep has the same points everywhere.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.scenario import UNITS, Scenario, ScenarioError, fields_of, from_data, place, to_data, value_of

Floats = NDArray[np.float64]
Ranges = Mapping[str, tuple[int | None, int | None]]
_RANGE = re.compile(r"\s*(\S+?)\s*\.\.\s*(\S+)\s*")
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")


@dataclass(frozen=True, slots=True)
class Varied:
    """One field of the scenario, or parameter of the policy, and where it is to lie."""

    name: str
    kind: Literal["whole", "real", "choice"]
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()

    def at(self, share: float) -> Any:
        """The value at a share in [0, 1) of the range."""
        match self.kind:
            case "whole":
                return int(self.low + min(int(share * (self.high - self.low + 1)), self.high - self.low))
            case "real":
                return self.low + share * (self.high - self.low)
            case _:
                return self.choices[min(int(share * len(self.choices)), len(self.choices) - 1)]

    def place_of(self, value: Any) -> float:
        """A number for a value, to correlate with."""
        return float(self.choices.index(value)) if self.kind == "choice" else float(value)

    def __str__(self) -> str:
        if self.kind == "choice":
            return f"{self.name} in {', '.join(map(str, self.choices))}"
        return f"{self.name} from {self.low:g} to {self.high:g}"


def vary(text: str, scenario: Scenario, ranges: Ranges) -> Varied:
    """`quorum=200..600`, `network.latency=low,high`, `VOTING_PERIOD=30s..2m`. Raises `ScenarioError`."""
    name, given, values = text.partition("=")
    known = fields_of(scenario)
    name = name.strip()
    if name not in known:
        if name.upper() in ranges or name.isupper():
            name = name.upper()
        else:
            close = difflib.get_close_matches(name, [*known, *(r.lower() for r in ranges)], n=1)
            hint = f"; did you mean `{close[0]}`?" if close else ""
            raise ScenarioError([(name, f"there is no such field that has one value, and no such parameter{hint}")])
    if name.isupper() and ranges and name not in ranges:
        raise ScenarioError([(name, f"the policy has no such parameter; there are {', '.join(sorted(ranges))}")])
    if not given:
        raise ScenarioError([(name, "what is varied is `field=low..high` or `field=one,other`")])
    found = _RANGE.fullmatch(values)
    if not found:
        choices = tuple(value_of(v.strip()) for v in values.split(",") if v.strip())
        if len(choices) < 2:
            raise ScenarioError([(name, f"`{values}` is neither a range such as `200..600` nor a list of values")])
        return Varied(name, "choice", choices=choices)
    low, high = (_bound(name, bound) for bound in found.groups())
    if not low < high:
        raise ScenarioError([(name, f"`{values}` is empty: it begins at {low:g} and ends at {high:g}")])
    whole = isinstance(known.get(name, low), int) or name.isupper()
    if whole and not (isinstance(low, int) and isinstance(high, int)):
        if not name.isupper():
            raise ScenarioError([(name, "this is a whole number")])
        # Fractions of parameters count in thousandths, as in scenarios.
        if not 0 <= low <= high <= 1:
            raise ScenarioError([(name, "policies know whole numbers; fractions count in thousandths, from 0 to 1")])
        low, high = round(1000 * low), round(1000 * high)
    varied = Varied(name, "whole" if whole else "real", float(low), float(high))
    if name in ranges:
        least, most = ranges[name]
        if (least is not None and low < least) or (most is not None and high > most):
            text = f"{low:g}..{high:g} is not inside {least}..{most}, for which the policy was proved"
            raise ScenarioError([(name, text)])
    return varied


def _bound(name: str, text: str) -> int | float:
    if found := _DURATION.fullmatch(text):
        return int(found[1]) * UNITS[found[2]]
    value = value_of(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScenarioError([(name, f"`{text}` is no number")])
    return value


def shares(method: str, dimensions: int, samples: int, seed: int) -> Floats:
    """So many points in the unit cube."""
    from scipy.stats import qmc

    # The generator has the seed of the sweep: nothing here depends on when or where.
    generator: Any = np.random.default_rng(seed)
    match method:
        case "lhs":
            found = qmc.LatinHypercube(dimensions, rng=generator).random(samples)
        case "sobol":
            # A whole power of two is balanced; of the others the first ones are used.
            power = max(0, (samples - 1).bit_length())
            found = qmc.Sobol(dimensions, rng=generator).random_base2(power)[:samples]
        case _:
            found = generator.random((samples, dimensions))
    return np.asarray(found, dtype=np.float64)


def points(varied: Sequence[Varied], unit: Floats) -> list[dict[str, Any]]:
    """Values by name, for each row of shares."""
    return [{v.name: v.at(float(u)) for v, u in zip(varied, row, strict=True)} for row in unit]


def scenario_at(scenario: Scenario, point: Mapping[str, Any]) -> Scenario:
    """The scenario at a point. Raises `ScenarioError` where it makes no sense."""
    data = to_data(scenario)
    for name, value in point.items():
        place(data, name, value)
    return from_data(data)
