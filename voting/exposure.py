"""The weights of ballots and their totals to whose ballot the totals give away.

No protocol can keep secret what follows from the result. This says what follows: it goes through all ways in which
ballots of these weights add up to these totals, as sets of partial totals, and names those who say the same in all of
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from math import gcd

from voting.ballots import Choice

MOST_BITS = 2**30
"""Of all sets together: 128 MB. Beyond it there is no answer."""


def given_away(weights: Mapping[str, int], yes: int, no: int) -> dict[str, Choice] | None:
    """Whose ballot can only have been one, and which; none if there are too many totals to go through."""
    unit = gcd(*weights.values()) or 1
    weights, yes, no = {name: weight // unit for name, weight in weights.items()}, yes // unit, no // unit
    # A set of totals (y, n) is a number that has bit y * row + n. The room at the end of a row takes what is too high
    # for a total of no, so that it does not pass for a higher total of yes.
    row = no + 1 + max(weights.values(), default=0)
    if row * (yes + 1) * (len(weights) + 1) > MOST_BITS:
        return None
    inside = _rows(row, no + 1, yes + 1)

    def moves(weight: int) -> dict[Choice, int]:
        return {Choice.YES: weight * row, Choice.NO: weight, Choice.ABSTAIN: 0}

    def further(totals: int, weight: int) -> int:
        return ((totals << weight * row) | (totals << weight) | totals) & inside

    # What those before somebody may add up to, and what it takes to get to the end with those after.
    before = list(accumulate(weights.values(), further, initial=1))
    rest = 1 << (yes * row + no)
    found: dict[str, Choice] = {}
    for (name, weight), reached in zip(list(weights.items())[::-1], before[-2::-1]):
        ways = [choice for choice, move in moves(weight).items() if (reached << move) & inside & rest]
        if len(ways) == 1:
            found[name] = ways[0]
        rest = ((rest >> weight * row) | (rest >> weight) | rest) & inside
    return {name: found[name] for name in weights if name in found}


def _rows(row: int, ones: int, count: int) -> int:
    """So many rows of this length, each with so many ones at its beginning."""
    found, rows = (1 << ones) - 1, 1
    while rows < count:
        found |= found << (row * rows)
        rows *= 2
    return found & ((1 << (row * count)) - 1)
