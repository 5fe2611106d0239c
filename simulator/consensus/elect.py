"""The election of a committee: bots and their reputation go in, the members come out."""

from __future__ import annotations

from typing import Any

from simulator.random_streams import Draw, Ids


def elect(draw: Draw, bots: Any, reputation: Any, f: int) -> Ids:
    """3f+1 different bots, drawn in proportion to reputation; who has none is not drawn.

    The first leads. It depends on the draw alone, so everybody who knows the reputations can check it.
    """
    if f < 1:
        raise ValueError("a committee that bears no fault is none")
    return draw.sample(bots, reputation, 3 * f + 1)
