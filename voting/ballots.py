"""A choice to a ballot that keeps it secret and shows that it is one, and ballots to whether they do.

A ballot has two ciphertexts, of 0 or 1 for yes and of 0 or 1 for no, and a proof for each; a third proof, about their
sum, says that not both are 1. To abstain is to encrypt 0 twice. The proofs are bound to the voter and to both
ciphertexts, so nobody can cast a copy of somebody else's ballot (Cortier and Smyth, *Attacking and fixing Helios*,
2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from voting.elgamal import Cipher, encrypt
from voting.faults import Code, Fault, RefusedError, refuse
from voting.group import Chance, Point, random_scalar
from voting.posts import Ballot, CipherJson, Entry, ProofJson, body_of, is_authentic
from voting.proofs import prove_bit, shows_bit
from voting.transcript import digest_of


class Choice(StrEnum):
    YES = "yes"
    NO = "no"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True)
class Booth:
    """What ballots of one election have in common."""

    election: bytes
    key: Point


@dataclass(frozen=True, slots=True)
class Cast:
    """A ballot on the board, and the key of the voter whose it says to be."""

    entry: Entry
    sign_key: Point


def make_ballot(chance: Chance, booth: Booth, voter: str, sign_key: Point, choice: Choice) -> Ballot:
    bits = {part: int(choice == part) for part in (Choice.YES, Choice.NO)}
    nonces = {part: random_scalar(chance) for part in bits}
    yes, no = (encrypt(booth.key, bits[part], nonces[part]) for part in bits)
    context = _context(booth, voter, sign_key, yes, no)

    def proof(label: str, cipher: Cipher, nonce: int, bit: int) -> list[ProofJson]:
        return [ProofJson.of(p) for p in prove_bit(chance, label, context, booth.key, cipher, nonce, bit)]

    return Ballot.model_construct(
        yes=CipherJson.of(yes),
        no=CipherJson.of(no),
        yes_proof=proof("yes", yes, nonces[Choice.YES], bits[Choice.YES]),
        no_proof=proof("no", no, nonces[Choice.NO], bits[Choice.NO]),
        sum_proof=proof("sum", yes + no, sum(nonces.values()), sum(bits.values())),
    )


def check_ballot(booth: Booth, cast: Cast) -> None:
    """Raises `RefusedError` unless the voter has signed it and it shows that it counts once at most."""
    entry = cast.entry
    if not is_authentic(entry.post, cast.sign_key):
        raise refuse(Code.SIGNATURE, entry.place, f"{entry.post.author} has not signed this")
    ballot = body_of(entry)
    assert isinstance(ballot, Ballot)
    yes, no = ballot.yes.value, ballot.no.value
    context = _context(booth, entry.post.author, cast.sign_key, yes, no)
    for label, cipher, proofs in (
        ("yes", yes, ballot.yes_proof),
        ("no", no, ballot.no_proof),
        # SOUND: each may be 0 or 1; without this one, both could be 1.
        ("sum", yes + no, ballot.sum_proof),
    ):
        if not shows_bit([p.value for p in proofs], label, context, booth.key, cipher):
            raise refuse(Code.PROOF, f"{entry.place}, {label}_proof", "it does not show that this is 0 or 1")


def faults_of(booth: Booth, casts: Sequence[Cast]) -> list[Fault]:
    """What is wrong with these ballots, one by one."""
    found: list[Fault] = []
    for cast in casts:
        try:
            check_ballot(booth, cast)
        except RefusedError as error:
            found += error.faults
    return found


def ciphers_of(cast: Cast) -> tuple[Cipher, Cipher]:
    """The two ciphertexts, for yes and for no, of a ballot that was checked."""
    # SOUND: `check_ballot` has seen to it that these are elements of the group.
    yes, no = (
        Cipher(*(Point(bytes.fromhex(cast.entry.post.body[part][half])) for half in ("nonce", "masked")))
        for part in (Choice.YES, Choice.NO)
    )
    return yes, no


def _context(booth: Booth, voter: str, sign_key: Point, yes: Cipher, no: Cipher) -> bytes:
    return digest_of("ballot", booth.election, booth.key, voter, sign_key, yes.nonce, yes.masked, no.nonce, no.masked)
