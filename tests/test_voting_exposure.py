"""What a result gives away: the same as going through all ballots that there can be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voting.ballots import Choice
from voting.exposure import MOST_BITS, given_away

BALLOTS = st.lists(st.tuples(st.integers(1, 30), st.sampled_from(Choice)), min_size=1, max_size=6)


def totals(weights: dict[str, int], choices: tuple[Choice, ...]) -> tuple[int, int]:
    pairs = list(zip(weights.values(), choices))
    return sum(w for w, c in pairs if c is Choice.YES), sum(w for w, c in pairs if c is Choice.NO)


@settings(deadline=None)
@given(BALLOTS)
def test_it_is_what_all_possible_ballots_have_in_common(ballots: list[tuple[int, Choice]]) -> None:
    weights = {f"v{n}": weight for n, (weight, _) in enumerate(ballots)}
    cast = tuple(choice for _, choice in ballots)
    goal = totals(weights, cast)
    ways = [c for c in itertools.product(Choice, repeat=len(cast)) if totals(weights, c) == goal]
    same = {n: cast[i] for i, n in enumerate(weights) if len({way[i] for way in ways}) == 1}
    assert given_away(weights, *goal) == same


@pytest.mark.parametrize(
    ("weights", "yes", "no", "found"),
    [
        ({"alice": 120, "bob": 100, "carol": 100}, 120, 100, ["alice"]),
        ({"alice": 100, "bob": 100, "carol": 100}, 100, 100, []),
        ({"alice": 100, "bob": 100, "carol": 100}, 300, 0, ["alice", "bob", "carol"]),
        ({"alice": 1, "bob": 2, "carol": 4, "dave": 8}, 5, 2, ["alice", "bob", "carol", "dave"]),
        ({"alice": 1}, 0, 0, ["alice"]),
        ({}, 0, 0, []),
    ],
)
def test_examples(weights: dict[str, int], yes: int, no: int, found: list[str]) -> None:
    assert list(given_away(weights, yes, no) or {}) == found


@settings(deadline=None)
@given(BALLOTS, st.integers(2, 1000))
def test_it_is_the_same_in_other_units(ballots: list[tuple[int, Choice]], unit: int) -> None:
    weights = {f"v{n}": weight for n, (weight, _) in enumerate(ballots)}
    yes, no = totals(weights, tuple(choice for _, choice in ballots))
    assert given_away({n: w * unit for n, w in weights.items()}, yes * unit, no * unit) == given_away(weights, yes, no)


def test_too_many_totals_are_not_gone_through() -> None:
    assert given_away({f"v{n}": 1000 - n % 2 for n in range(1000)}, 300_000, 300_000) is None
    assert MOST_BITS < 1000 * 300_000 * 300_000
