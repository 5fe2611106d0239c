"""Numbers to ciphertexts that can be added up: ElGamal with the number in the exponent.

`Cipher(r·G, v·G + r·H)` is an encryption of `v` under the key `H`. Sums of ciphertexts are ciphertexts of the sum,
which is how votes are counted that nobody reads: Cramer, Gennaro and Schoenmakers, EUROCRYPT 1997.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from voting.group import IDENTITY, Point, base_times, plus, times


@dataclass(frozen=True, slots=True)
class Cipher:
    nonce: Point
    masked: Point

    def __add__(self, other: Cipher) -> Cipher:
        return Cipher(plus(self.nonce, other.nonce), plus(self.masked, other.masked))


NOTHING = Cipher(IDENTITY, IDENTITY)


def encrypt(key: Point, value: int, nonce: int) -> Cipher:
    return Cipher(base_times(nonce), plus(base_times(value), times(nonce, key)))


def weighted_sum(ciphers: Iterable[tuple[int, Cipher]]) -> Cipher:
    """An encryption of the sum of weight times value."""
    # Adding is several times cheaper than multiplying, and many voters have the same weight.
    of_weight: dict[int, Cipher] = {}
    for weight, cipher in ciphers:
        of_weight[weight] = of_weight.get(weight, NOTHING) + cipher
    found = NOTHING
    for weight, cipher in of_weight.items():
        found += Cipher(times(weight, cipher.nonce), times(weight, cipher.masked))
    return found
