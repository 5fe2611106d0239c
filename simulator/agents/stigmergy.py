"""Stigmergic signals: deposits on channels go in, and how strongly each bot responds comes out.

Bots do not tell each other what to do; they leave signals that others read, and that evaporate. The response of a bot
is the strength of the signal times its own sensitivity, between 0 and 1. All functions are pure and work on arrays; a
strength is between 0 and `MOST`, and nothing grows beyond that. With several gateways, each has its own channels, and
what is strong at one of them diffuses to the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST = 100.0
"""The greatest strength of a channel, and of one signal."""
FAINT = 1e-3
"""What is weaker than this has evaporated."""
EVAPORATION = 0.1
"""The share that is gone after one tick."""
DIFFUSION = 0.05
"""The share that a gateway gives to all of them evenly, in one tick."""


@dataclass(slots=True)
class Channels:
    strength: Floats
    """A row for each gateway and a column for each channel."""


def channels(gateways: int, count: int) -> Channels:
    """Silence. Raises `ValueError` where there is no gateway, or no channel."""
    if gateways < 1 or count < 1:
        raise ValueError("there is at least one gateway and one channel")
    return Channels(np.zeros((gateways, count)))


def adapted(strength: Any, urgency: Any) -> Floats:
    """What is left where something is urgent (0 to 1): up to twice the strength."""
    found: Floats = np.clip(np.asarray(strength, dtype=np.float64) * (1.0 + np.clip(urgency, 0.0, 1.0)), 0.0, MOST)
    return found


def deposited(strength: Floats, places: Any, amounts: Any) -> Floats:
    """The strengths of channels after signals; `places` are channels, several times perhaps."""
    flat = np.asarray(places, dtype=np.int64)
    amounts = np.broadcast_to(np.clip(np.asarray(amounts, dtype=np.float64), 0.0, MOST), flat.shape)
    found: Floats = np.minimum(strength + np.bincount(flat, weights=amounts, minlength=strength.size), MOST)
    return found


def evaporated(strength: Floats, rate: float = EVAPORATION) -> Floats:
    """The strengths a tick later."""
    left = strength * (1.0 - rate)
    found: Floats = np.where(left < FAINT, 0.0, left)
    return found


def diffused(strength: Floats, rate: float = DIFFUSION) -> Floats:
    """The strengths at each gateway (a row each) after they have told each other; the sums stay as they are."""
    # Gateways are added one after the other: `mean` adds in an order of its own.
    mean = np.cumsum(strength, axis=0)[-1] / len(strength)
    found: Floats = strength * (1.0 - rate) + mean * rate
    return found


def responses(strength: Any, sensitivity: Any) -> Floats:
    """How likely bots follow: strength times sensitivity, where the greatest strength counts as 1."""
    found: Floats = np.clip(np.asarray(strength, dtype=np.float64) / MOST * sensitivity, 0.0, 1.0)
    return found


def tick(state: Channels, gateways: Any, places: Any, amounts: Any, urgency: float = 0.0) -> None:
    """One tick: the signals given at gateways, then diffusion and evaporation."""
    rows, columns = state.strength.shape
    at = np.asarray(gateways, dtype=np.int64) * columns + np.asarray(places, dtype=np.int64)
    told = deposited(state.strength.ravel(), at, adapted(amounts, urgency)).reshape(rows, columns)
    state.strength = evaporated(diffused(told) if rows > 1 else told)
