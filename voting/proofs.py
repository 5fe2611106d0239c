"""Secrets to proofs that say nothing else: knowledge of a logarithm, equality of two, and one encrypted value of two.

Each is a sigma protocol made non-interactive (NOTE(fiat-shamir)): Schnorr 1991; Chaum and Pedersen 1992; Cramer,
Damgård and Schoenmakers 1994 for "one of them is true". A proof is its challenges and responses; the commitments are
computed from them, and have to hash to the challenge. `context` is whatever else the proof is bound to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voting.elgamal import Cipher
from voting.group import ORDER, Chance, Point, base_times, minus, random_scalar, times
from voting.transcript import scalar_of


@dataclass(frozen=True, slots=True)
class Proof:
    challenge: int
    response: int


def prove_knowledge(chance: Chance, label: str, context: bytes, secret: int) -> Proof:
    """That whoever made this knows the logarithm of `base_times(secret)`."""
    nonce = random_scalar(chance)
    challenge = scalar_of(label, context, base_times(secret), base_times(nonce))
    return Proof(challenge, (nonce + challenge * secret) % ORDER)


def shows_knowledge(proof: Proof, label: str, context: bytes, public: Point) -> bool:
    commitment = minus(base_times(proof.response), times(proof.challenge, public))
    return scalar_of(label, context, public, commitment) == proof.challenge


def prove_equality(chance: Chance, label: str, context: bytes, secret: int, base: Point) -> Proof:
    """That `times(secret, base)` has the same logarithm to `base` as `base_times(secret)` to the generator."""
    nonce = random_scalar(chance)
    statement = (base_times(secret), base, times(secret, base))
    challenge = scalar_of(label, context, *statement, base_times(nonce), times(nonce, base))
    return Proof(challenge, (nonce + challenge * secret) % ORDER)


def shows_equality(proof: Proof, label: str, context: bytes, public: Point, base: Point, image: Point) -> bool:
    first = minus(base_times(proof.response), times(proof.challenge, public))
    second = minus(times(proof.response, base), times(proof.challenge, image))
    return scalar_of(label, context, public, base, image, first, second) == proof.challenge


def prove_bit(
    chance: Chance, label: str, context: bytes, key: Point, cipher: Cipher, nonce: int, bit: int
) -> list[Proof]:
    """That `cipher`, made with `nonce`, holds 0 or 1: one proof for each, of which one is simulated."""
    simulated = 1 - bit
    pretended = Proof(random_scalar(chance), random_scalar(chance))
    fresh = random_scalar(chance)
    commitments = {
        simulated: _bit_commitments(pretended, key, cipher, simulated),
        bit: (base_times(fresh), times(fresh, key)),
    }
    whole = _bit_challenge(label, context, key, cipher, [commitments[0], commitments[1]])
    challenge = (whole - pretended.challenge) % ORDER
    genuine = Proof(challenge, (fresh + challenge * nonce) % ORDER)
    return [genuine, pretended] if bit == 0 else [pretended, genuine]


def shows_bit(proofs: Sequence[Proof], label: str, context: bytes, key: Point, cipher: Cipher) -> bool:
    # SOUND: a third proof would be one that this may also be 2.
    if len(proofs) != 2:
        return False
    commitments = [_bit_commitments(p, key, cipher, value) for value, p in enumerate(proofs)]
    # SOUND: the sum of the challenges is fixed by the commitments, so only one of them can have been chosen freely.
    whole = sum(p.challenge for p in proofs) % ORDER
    return _bit_challenge(label, context, key, cipher, commitments) == whole


def _bit_commitments(proof: Proof, key: Point, cipher: Cipher, value: int) -> tuple[Point, Point]:
    """The commitments of a proof that `cipher` holds `value`: that its two parts are the same multiple of generator
    and key, once `value` is taken off."""
    rest = minus(cipher.masked, base_times(value)) if value else cipher.masked
    first = minus(base_times(proof.response), times(proof.challenge, cipher.nonce))
    second = minus(times(proof.response, key), times(proof.challenge, rest))
    return first, second


def _bit_challenge(
    label: str, context: bytes, key: Point, cipher: Cipher, commitments: Sequence[tuple[Point, Point]]
) -> int:
    return scalar_of(label, context, key, cipher.nonce, cipher.masked, *(c for pair in commitments for c in pair))
