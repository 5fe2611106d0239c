"""Elements and numbers: only the one encoding of what is in the group comes in, and sums are sums."""

from __future__ import annotations

import pytest
from elections import chance_from
from hypothesis import given, settings
from hypothesis import strategies as st

from voting.discrete_log import SmallLogarithms
from voting.elgamal import Cipher, encrypt, weighted_sum
from voting.group import (
    IDENTITY,
    ORDER,
    base_times,
    minus,
    plus,
    point_from_bytes,
    polynomial,
    random_scalar,
    scalar_from_bytes,
    scalar_to_bytes,
    times,
    total,
)
from voting.trustees import combine

P = 2**255 - 19
SMALL_ORDER = {
    "the identity": "01" + 31 * "00",
    "order 2": "ec" + 30 * "ff" + "7f",
    "order 4": 32 * "00",
    "order 4, other sign": 31 * "00" + "80",
    "order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, other sign": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order 8, another": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 8, another, other sign": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
}
NOT_CANONICAL = {
    "the identity as p + 1": (P + 1).to_bytes(32, "little").hex(),
    "order 4 as p": P.to_bytes(32, "little").hex(),
    "the identity with a sign": "01" + 30 * "00" + "80",
    "order 2 with a sign": "ec" + 31 * "ff",
    "all ones": 32 * "ff",
}
numbers = st.integers(0, ORDER - 1) | st.integers(0, 50)


@pytest.mark.parametrize("text", [*SMALL_ORDER.values(), *NOT_CANONICAL.values()], ids=[*SMALL_ORDER, *NOT_CANONICAL])
def test_points_that_are_none_of_the_group_do_not_come_in(text: str) -> None:
    assert point_from_bytes(bytes.fromhex(text)) is None


@pytest.mark.parametrize("name", [n for n in SMALL_ORDER if n != "the identity"])
def test_a_point_with_a_component_of_small_order_does_not_come_in(name: str) -> None:
    honest = base_times(12345)
    mixed = plus(honest, bytes.fromhex(SMALL_ORDER[name]))  # type: ignore[arg-type]
    assert mixed != honest
    assert point_from_bytes(honest) == honest
    assert point_from_bytes(mixed) is None


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_what_comes_in_is_in_the_group(data: bytes) -> None:
    point = point_from_bytes(data)
    if point is not None:
        assert plus(times(ORDER - 1, point), point) == IDENTITY
        assert point == data


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_lengths(size: int) -> None:
    assert point_from_bytes(base_times(5).ljust(size, b"\0")[:size]) is None
    assert scalar_from_bytes(bytes(size)) is None


@pytest.mark.parametrize("value", [0, 1, ORDER - 1])
def test_numbers_below_the_order_come_in(value: int) -> None:
    assert scalar_from_bytes(value.to_bytes(32, "little")) == value
    assert scalar_to_bytes(value) == value.to_bytes(32, "little")


@pytest.mark.parametrize("value", [ORDER, ORDER + 1, 2**253, 2**256 - 1])
def test_numbers_from_the_order_on_do_not(value: int) -> None:
    assert scalar_from_bytes(value.to_bytes(32, "little")) is None


@settings(deadline=None)
@given(numbers, numbers)
def test_multiples_of_the_generator_are_numbers_modulo_the_order(a: int, b: int) -> None:
    assert plus(base_times(a), base_times(b)) == base_times(a + b)
    assert minus(base_times(a), base_times(b)) == base_times(a - b)
    assert times(a, base_times(b)) == base_times(a * b)


def test_the_generator_is_that_of_ed25519() -> None:
    assert base_times(1).hex() == "58" + 31 * "66"
    assert base_times(0) == base_times(ORDER) == times(0, base_times(1)) == times(3, IDENTITY) == IDENTITY
    assert total([]) == IDENTITY


@settings(deadline=None)
@given(st.lists(numbers, max_size=5), st.integers(0, 20))
def test_polynomials(coefficients: list[int], at: int) -> None:
    value = sum(c * at**k for k, c in enumerate(coefficients))
    assert polynomial([base_times(c) for c in coefficients], at) == base_times(value)


@settings(deadline=None)
@given(st.lists(numbers, min_size=1, max_size=4), st.sets(st.integers(1, 30), min_size=4, max_size=6))
def test_as_many_points_as_there_are_coefficients_give_the_secret(coefficients: list[int], places: set[int]) -> None:
    parts = {n: polynomial([base_times(c) for c in coefficients], n) for n in places}
    assert combine(parts) == base_times(coefficients[0])


def test_chance_is_used_whole() -> None:
    sizes = []

    def chance(size: int) -> bytes:
        sizes.append(size)
        return b"\xff" * size

    assert 1 <= random_scalar(chance) < ORDER
    assert random_scalar(bytes) == 1
    assert sizes == [64]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 1)), max_size=8))
def test_a_weighted_sum_of_ciphertexts_is_one_of_the_weighted_sum(votes: list[tuple[int, int]]) -> None:
    secret, chance = 424242, chance_from("sum")
    key = base_times(secret)
    found = weighted_sum((w, encrypt(key, v, random_scalar(chance))) for w, v in votes)
    assert minus(found.masked, times(secret, found.nonce)) == base_times(sum(w * v for w, v in votes))


def test_two_encryptions_of_the_same_are_different() -> None:
    chance, key = chance_from("two"), base_times(7)
    one, other = (encrypt(key, 1, random_scalar(chance)) for _ in range(2))
    assert one != other
    assert isinstance(one, Cipher)


@pytest.mark.parametrize("most", [0, 1, 2, 3, 8, 9, 10, 1000])
def test_small_logarithms_are_found_and_others_are_not(most: int) -> None:
    logarithms = SmallLogarithms(most)
    for value in {0, 1, most // 2, most - 1, most} & set(range(most + 1)):
        assert logarithms.of(base_times(value)) == value
    for value in (most + 1, most + 2, 2 * most + 5, ORDER - 1, ORDER // 2):
        assert logarithms.of(base_times(value)) is None
