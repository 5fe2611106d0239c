"""Bytes to elements of the prime-order group of ed25519 and to numbers modulo its order, all checked, and their sums.

NOTE(group): edwards25519 has 8 times as many points as the group that is meant, and several byte strings for some of
them. A proof about a point with a component of small order says nothing about that component, and two encodings of one
point would be two texts of one ballot. So whatever comes from outside goes through `point_from_bytes` or
`scalar_from_bytes`, which take the one canonical encoding of an element of the subgroup of prime order and nothing
else; sums and multiples of such elements stay in it. PyNaCl (libsodium) does the arithmetic of points; numbers
modulo the order are Python's, which take no constant time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NewType

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_is_valid_point,
    crypto_core_ed25519_sub,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)

SIZE = 32
ORDER = 2**252 + 27742317777372353535851937790883648493
"""How many elements the group has: a prime."""

Point = NewType("Point", bytes)
"""An element of the group, in its canonical encoding."""

Chance = Callable[[int], bytes]
"""So many random bytes: `secrets.token_bytes` wherever it matters."""

IDENTITY = Point(bytes([1]) + bytes(SIZE - 1))


def point_from_bytes(data: bytes) -> Point | None:
    """The element that `data` encodes; none if it is no canonical encoding of one, or that of the identity."""
    # SOUND: libsodium refuses what is not canonical, not on the curve, of small order, or outside the subgroup.
    return Point(data) if len(data) == SIZE and crypto_core_ed25519_is_valid_point(data) else None


def scalar_from_bytes(data: bytes) -> int | None:
    """The number that `data` encodes, little end first; none if it is not below the order."""
    value = int.from_bytes(data, "little")
    # SOUND: a second encoding of the same number would make two texts of one proof.
    return value if len(data) == SIZE and value < ORDER else None


def scalar_to_bytes(value: int) -> bytes:
    return (value % ORDER).to_bytes(SIZE, "little")


def random_scalar(chance: Chance) -> int:
    """A number from 1 to the order less one; 64 bytes keep it even to within 2^-256."""
    return int.from_bytes(chance(2 * SIZE), "little") % (ORDER - 1) + 1


def base_times(value: int) -> Point:
    """`value` times the generator."""
    value %= ORDER
    # libsodium takes a result that is the identity for an error; so here and below it never sees one.
    return Point(crypto_scalarmult_ed25519_base_noclamp(scalar_to_bytes(value))) if value else IDENTITY


def times(value: int, point: Point) -> Point:
    value %= ORDER
    if not value or point == IDENTITY:
        return IDENTITY
    return Point(crypto_scalarmult_ed25519_noclamp(scalar_to_bytes(value), point))


def plus(left: Point, right: Point) -> Point:
    return Point(crypto_core_ed25519_add(left, right))


def minus(left: Point, right: Point) -> Point:
    return Point(crypto_core_ed25519_sub(left, right))


def total(points: Iterable[Point]) -> Point:
    found = IDENTITY
    for point in points:
        found = plus(found, point)
    return found


def polynomial(coefficients: Iterable[Point], at: int) -> Point:
    """The value at `at` of the polynomial whose coefficients are in the exponent of these, the constant one first."""
    found = IDENTITY
    for coefficient in reversed(list(coefficients)):
        found = plus(times(at, found), coefficient)
    return found
