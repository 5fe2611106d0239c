"""Fewer trustees than the threshold: they cannot decrypt, and every result is as likely to them as every other."""

from __future__ import annotations

import itertools

import pytest
from elections import CHOICES, TRUSTEES, Held, secret_of

from voting import acts
from voting.ballots import Choice
from voting.decryption import found_totals, opened
from voting.discrete_log import SmallLogarithms
from voting.faults import RefusedError
from voting.group import ORDER, Point, base_times, minus, plus, times
from voting.posts import Share
from voting.trustees import combine, own_share


def shares_of(held: Held, *names: str) -> dict[int, Share]:
    return {
        held.election.ceremony.index(n): Share.model_validate(
            acts.contribute(held.chance, held.election, n, secret_of(n)).body
        )
        for n in names
    }


FIVE = ("t1", "t2", "t3", "t4", "t5")


def closed(threshold: int) -> Held:
    return Held(trustees=FIVE, threshold=threshold).open().cast(CHOICES).close()


@pytest.mark.parametrize("threshold", [1, 2, 3, 5])
def test_any_threshold_of_trustees_find_the_totals_and_no_fewer_do(threshold: int) -> None:
    held = closed(threshold)
    shares = shares_of(held, *FIVE)
    for count in range(1, 6):
        for chosen in itertools.islice(itertools.combinations(shares, count), 4):
            found = found_totals(held.election.counted, {n: shares[n] for n in chosen})
            assert found == ((120, 100) if count >= threshold else None)


def test_nothing_is_decrypted_before_the_threshold() -> None:
    held = closed(3).contribute("t1", "t2")
    with pytest.raises(RefusedError, match="2 have contributed, and it takes 3"):
        held.decide("t1")


def test_every_total_fits_what_too_few_trustees_see() -> None:
    """The simulation argument, computed. For each total there is a contribution of the third trustee with which that
    total comes out; so what the first two contribute does not tell one total from another. What the third holds,
    they have only as a multiple of the generator."""
    held = closed(3)
    totals = held.election.counted
    corrupt = shares_of(held, "t1", "t2")
    logarithms = SmallLogarithms(totals.weight)
    points = {n: s.yes.point for n, s in corrupt.items()}
    for candidate in range(0, totals.weight + 1, 16):
        whole = minus(totals.yes.masked, base_times(candidate))
        fitting = _at(3, {0: whole, **points})
        assert combine({**points, 3: fitting}) == whole
        assert logarithms.of(minus(totals.yes.masked, combine({**points, 3: fitting}))) == candidate
    true = shares_of(held, "t3")[3].yes.point
    assert _at(3, {0: minus(totals.yes.masked, base_times(120)), **points}) == true


def _at(place: int, points: dict[int, Point]) -> Point:
    """The point at `place` of the polynomial through these: Lagrange's formula, as written in the books."""
    found = base_times(0)
    for number, point in points.items():
        factor = 1
        for other in points:
            if other != number:
                factor = factor * (place - other) * pow(number - other, -1, ORDER) % ORDER
        found = plus(found, times(factor, point))
    return found


def test_what_too_few_trustees_hold_fits_every_key() -> None:
    """Shamir's argument: for each secret there is one polynomial through the shares of too few and that secret."""
    held = Held().open()
    rita = own_share(held.election.ceremony, held.election.qualified, "rita", secret_of("rita"))
    assert rita is not None
    for secret in (0, 1, 4711, ORDER - 1):
        slope = (rita - secret) % ORDER
        assert (secret + slope * 1) % ORDER == rita
        others = {n: base_times(secret + slope * n) for n in (1, 2)}
        assert combine(others) == base_times(secret)


def test_two_trustees_know_the_key_and_one_does_not() -> None:
    held = Held().open()
    shares = {
        n: own_share(held.election.ceremony, held.election.qualified, name, secret_of(name))
        for n, name in enumerate(TRUSTEES, 1)
    }
    points = {n: base_times(s or 0) for n, s in shares.items()}
    for pair in itertools.combinations(points, 2):
        assert combine({n: points[n] for n in pair}) == held.election.key
    for n, point in points.items():
        assert point == held.election.share_key(TRUSTEES[n - 1])
        assert combine({n: point}) != held.election.key


def test_a_ballot_looks_the_same_whatever_it_says() -> None:
    boards = [Held().open().cast({"alice": choice}).board for choice in Choice]
    assert len({len(b) for b in boards}) == 1
    assert len(set(boards)) == 3


def test_a_share_of_the_key_is_worth_nothing_in_another_election() -> None:
    first, second = Held().open(), Held(question="Another?").open()
    shares = [own_share(h.election.ceremony, h.election.qualified, "rita", secret_of("rita")) for h in (first, second)]
    assert shares[0] != shares[1]
    assert first.election.key != second.election.key


def test_opened_totals_are_those_of_the_board() -> None:
    held = closed(2)
    shares = shares_of(held, "t2", "t4")
    assert opened(held.election.counted, "yes", shares) == base_times(120)
    assert opened(held.election.counted, "no", shares) == base_times(100)
