"""The trustees' secrets to a key that nobody holds alone, and out of every step a proof.

Pedersen, *A threshold cryptosystem without a trusted party*, EUROCRYPT 1991: each trustee shares a secret of its own
among all (Feldman's verifiable sharing), and the key is the sum of those whose shares were right. Shares are posted
under the receiver's key, so a receiver that got a wrong one can show it to everybody: it opens that one share, with a
proof. The dealer has proved to know the nonce, so nothing is opened that it did not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from voting.faults import Code, refuse
from voting.group import ORDER, Chance, Point, base_times, polynomial, random_scalar, times, total
from voting.keys import Secret
from voting.posts import Complaint, Deal, Manifest, ProofJson, Sealed
from voting.proofs import prove_equality, prove_knowledge, shows_equality, shows_knowledge
from voting.transcript import digest_of, scalar_of


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What the trustees of one election have in common."""

    election: bytes
    manifest: Manifest

    def index(self, name: str) -> int:
        """Trustees are numbered from 1: the polynomials are secret at 0."""
        return [t.name for t in self.manifest.trustees].index(name) + 1

    def box(self, name: str) -> Point:
        return self.manifest.trustees[self.index(name) - 1].box


def make_deal(chance: Chance, ceremony: Ceremony, dealer: str, secret: Secret) -> Deal:
    """Share this trustee's part of the key among all trustees."""
    coefficients = secret.coefficients(ceremony.election, ceremony.manifest.threshold)
    commitments = [base_times(c) for c in coefficients]
    proof = prove_knowledge(chance, "deal", _dealing(ceremony, dealer, commitments), coefficients[0])
    shares = []
    for number, trustee in enumerate(ceremony.manifest.trustees, 1):
        value = sum(c * pow(number, k, ORDER) for k, c in enumerate(coefficients)) % ORDER
        nonce = random_scalar(chance)
        shown = prove_knowledge(chance, "sealed", _sealing(ceremony, dealer, trustee.name), nonce)
        mask = _mask(ceremony, dealer, trustee.name, base_times(nonce), times(nonce, trustee.box))
        shares.append(
            Sealed.model_construct(nonce=base_times(nonce), proof=ProofJson.of(shown), masked=(value + mask) % ORDER)
        )
    return Deal.model_construct(commitments=commitments, proof=ProofJson.of(proof), shares=shares)


def check_deal(ceremony: Ceremony, dealer: str, deal: Deal, place: str) -> None:
    """Raises `RefusedError` for what everybody can see to be wrong; whether the shares are right only receivers see."""
    manifest = ceremony.manifest
    # SOUND: a longer polynomial could not be opened by the threshold, and a shorter one by fewer.
    if len(deal.commitments) != manifest.threshold:
        raise refuse(
            Code.THRESHOLD, place, f"{len(deal.commitments)} commitments for a threshold of {manifest.threshold}"
        )
    if len(deal.shares) != len(manifest.trustees):
        raise refuse(Code.SHAPE, place, f"{len(deal.shares)} shares for {len(manifest.trustees)} trustees")
    context = _dealing(ceremony, dealer, deal.commitments)
    # SOUND: without it, who deals last could cancel the parts of all others out of the key.
    if not shows_knowledge(deal.proof.value, "deal", context, deal.commitments[0]):
        raise refuse(Code.PROOF, place, "the proof does not show that the dealer knows what is dealt")
    for trustee, sealed in zip(manifest.trustees, deal.shares):
        context = _sealing(ceremony, dealer, trustee.name)
        # SOUND: a nonce that was copied from another deal would make a complaint open that one's share.
        if not shows_knowledge(sealed.proof.value, "sealed", context, sealed.nonce):
            raise refuse(Code.PROOF, f"{place}, share for {trustee.name}", "it does not show who made this share")


def open_share(ceremony: Ceremony, dealer: str, deal: Deal, receiver: str, secret: Secret) -> int | None:
    """The share that `receiver` got; none if it is wrong, and a complaint is in order."""
    sealed = deal.shares[ceremony.index(receiver) - 1]
    return _right_share(ceremony, dealer, deal, receiver, times(secret.box_secret, sealed.nonce))


def make_complaint(
    chance: Chance, ceremony: Ceremony, dealer: str, deal: Deal, receiver: str, secret: Secret
) -> Complaint:
    nonce = deal.shares[ceremony.index(receiver) - 1].nonce
    context = _complaining(ceremony, dealer, receiver)
    proof = prove_equality(chance, "complaint", context, secret.box_secret, nonce)
    shared = times(secret.box_secret, nonce)
    return Complaint.model_construct(against=dealer, shared=shared, proof=ProofJson.of(proof))


def check_complaint(ceremony: Ceremony, deal: Deal, receiver: str, complaint: Complaint, place: str) -> None:
    """Raises `RefusedError` unless the complaint shows a wrong share."""
    dealer = complaint.against
    nonce = deal.shares[ceremony.index(receiver) - 1].nonce
    context = _complaining(ceremony, dealer, receiver)
    if not shows_equality(complaint.proof.value, "complaint", context, ceremony.box(receiver), nonce, complaint.shared):
        raise refuse(Code.PROOF, place, "the proof does not show that this opens the share")
    if _right_share(ceremony, dealer, deal, receiver, complaint.shared) is not None:
        raise refuse(Code.COMPLAINT, place, f"the share from {dealer} is right")


def _right_share(ceremony: Ceremony, dealer: str, deal: Deal, receiver: str, shared: Point) -> int | None:
    number = ceremony.index(receiver)
    sealed = deal.shares[number - 1]
    value = (sealed.masked - _mask(ceremony, dealer, receiver, sealed.nonce, shared)) % ORDER
    # SOUND: Feldman's check: the share lies on the polynomial that the dealer has committed to.
    return value if base_times(value) == polynomial(deal.commitments, number) else None


def joint_key(deals: Iterable[Deal]) -> Point:
    return total(d.commitments[0] for d in deals)


def share_key(deals: Iterable[Deal], number: int) -> Point:
    """What trustee `number` holds, times the generator: everybody can check its decryptions against that."""
    return total(polynomial(d.commitments, number) for d in deals)


def own_share(ceremony: Ceremony, deals: Mapping[str, Deal], receiver: str, secret: Secret) -> int | None:
    """What this trustee holds of the key; none if a share is wrong."""
    shares = [open_share(ceremony, dealer, deal, receiver, secret) for dealer, deal in deals.items()]
    return None if None in shares else sum(s for s in shares if s is not None) % ORDER


def combine(parts: Mapping[int, Point]) -> Point:
    """Points that lie on a polynomial at these numbers to the one at 0, by Lagrange's formula."""
    found = [times(_lagrange(number, list(parts)), point) for number, point in parts.items()]
    return total(found)


def _lagrange(number: int, numbers: Sequence[int]) -> int:
    above = below = 1
    for other in numbers:
        if other != number:
            above, below = above * other % ORDER, below * (other - number) % ORDER
    return above * pow(below, -1, ORDER) % ORDER


def _dealing(ceremony: Ceremony, dealer: str, commitments: Sequence[Point]) -> bytes:
    return digest_of("dealing", ceremony.election, ceremony.index(dealer), dealer, *commitments)


def _sealing(ceremony: Ceremony, dealer: str, receiver: str) -> bytes:
    return digest_of("sealing", ceremony.election, dealer, receiver, ceremony.box(receiver))


def _complaining(ceremony: Ceremony, dealer: str, receiver: str) -> bytes:
    return digest_of("complaining", ceremony.election, dealer, receiver)


def _mask(ceremony: Ceremony, dealer: str, receiver: str, nonce: Point, shared: Point) -> int:
    return scalar_of("mask", ceremony.election, dealer, receiver, nonce, shared)
