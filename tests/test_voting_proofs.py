"""Proofs: those that are right are accepted, and no part of a statement or of a proof can be another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from elections import chance_from
from hypothesis import given, settings
from hypothesis import strategies as st

from voting.elgamal import Cipher, encrypt
from voting.group import ORDER, Point, base_times, minus, plus, random_scalar, times
from voting.proofs import (
    Proof,
    prove_bit,
    prove_equality,
    prove_knowledge,
    shows_bit,
    shows_equality,
    shows_knowledge,
)
from voting.transcript import digest_of, scalar_of

secrets = st.integers(0, ORDER - 1)
seeds = st.integers(0, 2**64).map(lambda n: f"proofs {n}")
CONTEXT = b"context"
KEY = base_times(987654321)
OTHER = base_times(5)


@settings(deadline=None)
@given(secrets, seeds)
def test_knowledge_is_shown(secret: int, seed: str) -> None:
    proof = prove_knowledge(chance_from(seed), "x", CONTEXT, secret)
    assert shows_knowledge(proof, "x", CONTEXT, base_times(secret))


@settings(deadline=None)
@given(secrets, st.integers(1, ORDER - 1), seeds)
def test_equality_is_shown(secret: int, base: int, seed: str) -> None:
    proof = prove_equality(chance_from(seed), "x", CONTEXT, secret, base_times(base))
    public, image = base_times(secret), base_times(secret * base)
    assert shows_equality(proof, "x", CONTEXT, public, base_times(base), image)


@settings(deadline=None)
@given(st.integers(0, 1), st.integers(1, ORDER - 1), seeds)
def test_a_bit_is_shown(bit: int, nonce: int, seed: str) -> None:
    cipher = encrypt(KEY, bit, nonce)
    proofs = prove_bit(chance_from(seed), "x", CONTEXT, KEY, cipher, nonce, bit)
    assert shows_bit(proofs, "x", CONTEXT, KEY, cipher)


def one_off(proof: Proof) -> list[Proof]:
    return [
        replace(proof, challenge=(proof.challenge + 1) % ORDER),
        replace(proof, response=(proof.response + 1) % ORDER),
        Proof(proof.response, proof.challenge),
        Proof(0, 0),
        Proof(proof.challenge, 0),
    ]


def test_a_proof_of_knowledge_holds_for_itself_alone() -> None:
    proof = prove_knowledge(chance_from("k"), "x", CONTEXT, 1234)
    public = base_times(1234)
    assert not any(shows_knowledge(p, "x", CONTEXT, public) for p in one_off(proof))
    assert not shows_knowledge(proof, "y", CONTEXT, public)
    assert not shows_knowledge(proof, "x", b"another", public)
    assert not shows_knowledge(proof, "x", CONTEXT, OTHER)


def test_a_proof_of_equality_holds_for_itself_alone() -> None:
    base, secret = base_times(77), 1234
    public, image = base_times(secret), times(secret, base)
    proof = prove_equality(chance_from("e"), "x", CONTEXT, secret, base)
    assert not any(shows_equality(p, "x", CONTEXT, public, base, image) for p in one_off(proof))
    assert not shows_equality(proof, "y", CONTEXT, public, base, image)
    assert not shows_equality(proof, "x", b"another", public, base, image)
    assert not shows_equality(proof, "x", CONTEXT, OTHER, base, image)
    assert not shows_equality(proof, "x", CONTEXT, public, OTHER, image)
    assert not shows_equality(proof, "x", CONTEXT, public, base, OTHER)


@pytest.mark.parametrize("bit", [0, 1])
def test_a_proof_of_a_bit_holds_for_itself_alone(bit: int) -> None:
    cipher = encrypt(KEY, bit, 99)
    zero, one = proofs = prove_bit(chance_from("b"), "x", CONTEXT, KEY, cipher, 99, bit)
    assert shows_bit(proofs, "x", CONTEXT, KEY, cipher)
    for wrong in one_off(zero):
        assert not shows_bit([wrong, one], "x", CONTEXT, KEY, cipher)
    for wrong in one_off(one):
        assert not shows_bit([zero, wrong], "x", CONTEXT, KEY, cipher)
    shifted = [
        replace(zero, challenge=(zero.challenge + 1) % ORDER),
        replace(one, challenge=(one.challenge - 1) % ORDER),
    ]
    for other in ([one, zero], [zero], [one], [], [zero, one, zero], shifted):
        assert not shows_bit(other, "x", CONTEXT, KEY, cipher)
    assert not shows_bit(proofs, "y", CONTEXT, KEY, cipher)
    assert not shows_bit(proofs, "x", b"another", KEY, cipher)
    assert not shows_bit(proofs, "x", CONTEXT, OTHER, cipher)
    assert not shows_bit(proofs, "x", CONTEXT, KEY, replace(cipher, nonce=OTHER))
    assert not shows_bit(proofs, "x", CONTEXT, KEY, replace(cipher, masked=OTHER))
    doubled = Cipher(plus(cipher.nonce, cipher.nonce), plus(cipher.masked, cipher.masked))
    assert not shows_bit(proofs, "x", CONTEXT, KEY, doubled)


@pytest.mark.parametrize("value", [2, 3, 1000, -1, ORDER // 2])
@pytest.mark.parametrize("bit", [0, 1])
def test_the_honest_prover_cannot_show_another_number_to_be_a_bit(value: int, bit: int) -> None:
    cipher = encrypt(KEY, value, 99)
    proofs = prove_bit(chance_from("c"), "x", CONTEXT, KEY, cipher, 99, bit)
    assert not shows_bit(proofs, "x", CONTEXT, KEY, cipher)


def simulated(cipher: Cipher, value: int, proof: Proof) -> tuple[Point, Point]:
    """Commitments that fit a challenge and a response that were chosen before them."""
    rest = minus(cipher.masked, base_times(value))
    return (
        minus(base_times(proof.response), times(proof.challenge, cipher.nonce)),
        minus(times(proof.response, KEY), times(proof.challenge, rest)),
    )


@pytest.mark.parametrize("value", [2, 3])
def test_more_proofs_do_not_make_more_values(value: int) -> None:
    """Who proves "0 or 1 or 2" says the truth about 2, and is refused all the same."""
    chance, nonce = chance_from("more"), 99
    cipher = encrypt(KEY, value, nonce)
    pretended = [Proof(random_scalar(chance), random_scalar(chance)) for _ in range(value)]
    commitments = [simulated(cipher, v, p) for v, p in enumerate(pretended)]
    commitments.append((base_times(7), times(7, KEY)))
    whole = scalar_of("x", CONTEXT, KEY, cipher.nonce, cipher.masked, *(c for pair in commitments for c in pair))
    challenge = (whole - sum(p.challenge for p in pretended)) % ORDER
    genuine = Proof(challenge, (7 + challenge * nonce) % ORDER)
    assert simulated(cipher, value, genuine) == commitments[-1]
    assert not shows_bit([*pretended, genuine], "x", CONTEXT, KEY, cipher)


def test_weak_fiat_shamir_would_be_forged() -> None:
    """Where the challenge leaves out the ciphertext, a prover makes up the rest first and then chooses the ciphertext
    to fit (Bernhard, Pereira, Warinschi 2012, section 3). Here that gives a number that is no bit, with a proof of
    equality which only a challenge without the statement would take."""
    chance = chance_from("weak")
    first, second = random_scalar(chance), random_scalar(chance)
    challenge = scalar_of("x", CONTEXT, base_times(first), base_times(second))
    response = random_scalar(chance)
    inverse = pow(challenge, -1, ORDER)
    public = base_times((response - first) * inverse)
    base = base_times(2)
    image = base_times((2 * response - second) * inverse)
    assert minus(base_times(response), times(challenge, public)) == base_times(first)
    assert minus(times(response, base), times(challenge, image)) == base_times(second)
    assert image != times((response - first) * inverse, base), "the statement is false"
    assert not shows_equality(Proof(challenge, response), "x", CONTEXT, public, base, image)


@pytest.mark.parametrize("secret", [1, 2, 3])
def test_a_transcript_can_be_made_without_the_secret(secret: int) -> None:
    """Zero knowledge: whoever chooses the challenge makes the same transcripts for any statement, true or false."""
    chance = chance_from(f"zk {secret}")
    cipher = encrypt(KEY, secret, 4)
    for value in (0, 1, 2):
        proof = Proof(random_scalar(chance), random_scalar(chance))
        a, b = simulated(cipher, value, proof)
        assert plus(a, times(proof.challenge, cipher.nonce)) == base_times(proof.response)
        rest = minus(cipher.masked, base_times(value))
        assert plus(b, times(proof.challenge, rest)) == times(proof.response, KEY)


LISTS: list[tuple[bytes | str | int, ...]] = [
    (),
    ("",),
    ("", ""),
    ("ab", "c"),
    ("a", "bc"),
    ("abc",),
    (b"abc",),
    (1, 23),
    (12, 3),
    (123,),
    ("123",),
    (b"123",),
    (0,),
    (b"",),
]


@pytest.mark.parametrize("hashed", [scalar_of, digest_of])
def test_different_lists_are_hashed_as_different_texts(hashed: Callable[..., object]) -> None:
    found = [hashed(label, *parts) for label in ("x", "y") for parts in LISTS]
    assert len(set(found)) == len(found)
