"""The election of a committee: bots and their reputation go in, the members come out."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.random_streams import Draw, Ids


def elect(draw: Draw, bots: Any, reputation: Any, f: int) -> Ids:
    """3f+1 different bots, drawn in proportion to reputation; who has none is not drawn.

    The first leads. It depends on the draw alone, so everybody who knows the reputations can check it.
    """
    if f < 1:
        raise ValueError("a committee that bears no fault is none")
    return draw.sample(bots, reputation, 3 * f + 1)


def elect_most(draw: Draw, bots: Any, reputation: Any, f: int) -> Ids:
    """The same for the greatest number of faults up to `f` that the bots suffice for; nobody if not even for one."""
    most = min(f, (int(np.count_nonzero(reputation)) - 1) // 3)
    return elect(draw, bots, reputation, most) if most >= 1 else np.zeros(0, dtype=np.int64)
