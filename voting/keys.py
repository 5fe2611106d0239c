"""A secret of 32 bytes to what a person signs with, is recognised by, and receives secrets under."""

from __future__ import annotations

from dataclasses import dataclass

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from voting.group import Point, base_times
from voting.transcript import scalar_of

SIGNATURE_SIZE = 64


@dataclass(frozen=True, slots=True)
class Secret:
    """Who knows `seed` is this person; everything else follows from it."""

    seed: bytes

    @property
    def sign_key(self) -> Point:
        """What this person's signatures are checked with."""
        return Point(crypto_sign_seed_keypair(self.seed)[0])

    @property
    def box_secret(self) -> int:
        return scalar_of("box", self.seed)

    @property
    def box_key(self) -> Point:
        """What others encrypt to, for this person alone."""
        return base_times(self.box_secret)

    def coefficients(self, election: bytes, count: int) -> list[int]:
        """This trustee's secret polynomial in one election. Nothing has to be kept between the steps of a ceremony."""
        return [scalar_of("coefficient", self.seed, election, number) for number in range(count)]

    def sign(self, message: bytes) -> bytes:
        return bytes(crypto_sign(message, crypto_sign_seed_keypair(self.seed)[1])[:SIGNATURE_SIZE])


def is_signed(key: Point, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of the holder of `key` under `message`."""
    if len(signature) != SIGNATURE_SIZE:
        return False
    try:
        VerifyKey(key).verify(message, signature)
    except BadSignatureError:
        return False
    return True
