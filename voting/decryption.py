"""Encrypted totals to what trustees contribute to their decryption, and contributions to totals.

A trustee with share `x` of the key contributes `x` times the nonce of the total, and proves (Chaum and Pedersen,
CRYPTO 1992) that it is the same `x` to which the ceremony has committed it. Any threshold of them give the total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voting.discrete_log import SmallLogarithms
from voting.elgamal import Cipher
from voting.faults import Code, refuse
from voting.group import Chance, Point, base_times, minus, times
from voting.posts import PartJson, ProofJson, Share
from voting.proofs import prove_equality, shows_equality
from voting.transcript import digest_of
from voting.trustees import combine

PARTS = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted: the encrypted sums, and the weight of all ballots."""

    election: bytes
    closing: bytes
    yes: Cipher
    no: Cipher
    weight: int

    def of(self, part: str) -> Cipher:
        return self.yes if part == "yes" else self.no


def make_share(chance: Chance, totals: Totals, trustee: str, secret: int) -> Share:
    """Contribute to the decryption, with the share of the key that this trustee holds."""

    def part(name: str) -> PartJson:
        base = totals.of(name).nonce
        proof = prove_equality(chance, f"share {name}", _context(totals, trustee), secret, base)
        return PartJson.model_construct(point=times(secret, base), proof=ProofJson.of(proof))

    return Share.model_construct(closing=totals.closing, yes=part("yes"), no=part("no"))


def check_share(totals: Totals, trustee: str, public: Point, share: Share, place: str) -> None:
    """Raises `RefusedError` unless this is what the trustee's share of the key (`public`, in the exponent) gives."""
    if share.closing != totals.closing:
        raise refuse(Code.HEAD, place, "it is for another board than the one that was closed")
    for name, part in (("yes", share.yes), ("no", share.no)):
        context = _context(totals, trustee)
        base = totals.of(name).nonce
        # SOUND: without it, one trustee could have any result come out.
        if not shows_equality(part.proof.value, f"share {name}", context, public, base, part.point):
            raise refuse(Code.PROOF, f"{place}, {name}", "it does not show that the trustee's share was used")


def opened(totals: Totals, part: str, shares: Mapping[int, Share]) -> Point:
    """The total in the exponent. `shares` are those of so many trustees as the threshold says, by number."""
    points = {number: (share.yes if part == "yes" else share.no).point for number, share in shares.items()}
    return minus(totals.of(part).masked, combine(points))


def found_totals(totals: Totals, shares: Mapping[int, Share]) -> tuple[int, int] | None:
    """How much weight said yes and how much said no; none if these shares do not give a total that can be."""
    logarithms = SmallLogarithms(totals.weight)
    yes, no = (logarithms.of(opened(totals, part, shares)) for part in PARTS)
    return None if yes is None or no is None else (yes, no)


def is_total(totals: Totals, part: str, shares: Mapping[int, Share], value: int) -> bool:
    return opened(totals, part, shares) == base_times(value)


def _context(totals: Totals, trustee: str) -> bytes:
    return digest_of(
        "share",
        totals.election,
        totals.closing,
        trustee,
        *(point for part in PARTS for point in (totals.of(part).nonce, totals.of(part).masked)),
    )
