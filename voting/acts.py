"""What people do in an election to the posts that say so, signed."""

from __future__ import annotations

from collections.abc import Sequence

from voting.ballots import Choice, make_ballot
from voting.board import next_hash
from voting.decryption import found_totals, make_share
from voting.election import Election, Stage
from voting.faults import Code, refuse
from voting.group import Chance
from voting.keys import Secret
from voting.posts import (
    Body,
    Closing,
    Confirmation,
    Entry,
    Envelope,
    Manifest,
    Opening,
    Person,
    Result,
    Roll,
    Trustee,
    Voter,
    election_of,
    signed_text,
)
from voting.roll import summary
from voting.transcript import PROTOCOL
from voting.trustees import make_complaint, make_deal, open_share, own_share


def signed(election: bytes, author: str, secret: Secret, body: Body) -> Envelope:
    said = body.model_dump()
    signature = secret.sign(signed_text(body.kind, author, election, said))
    return Envelope.model_construct(author=author, body=said, election=election, kind=body.kind, signature=signature)


def entry_after(election: Election, post: Envelope) -> Entry:
    """`post` as the next entry of the board."""
    return Entry(len(election.hashes) + 1, post, next_hash(election.head, post.model_dump()))


def announce(
    chance: Chance,
    question: str,
    authority: Person,
    secret: Secret,
    trustees: Sequence[Trustee],
    threshold: int,
    voters: Sequence[Voter],
) -> list[Envelope]:
    """The first two posts: the manifest and the roll. Raises `RefusedError`."""
    ordered = sorted(voters, key=lambda v: v.name)
    manifest = Manifest.model_construct(
        protocol=PROTOCOL,
        question=question,
        authority=authority,
        trustees=list(trustees),
        threshold=threshold,
        roll=summary(ordered),
        nonce=chance(32),
    )
    election = election_of(manifest.model_dump())
    bodies: list[Body] = [manifest, Roll.model_construct(voters=ordered)]
    return [signed(election, authority.name, secret, body) for body in bodies]


def next_of_trustee(
    chance: Chance, election: Election, trustee: str, secret: Secret, *, wait: bool = True
) -> list[Envelope]:
    """What this trustee has to post now, for there to be a key: a deal, a complaint, or a confirmation; or nothing.

    Unless told not to `wait`, it judges no shares before everybody has dealt.
    """
    if election.stage not in {Stage.DEALING, Stage.CONFIRMING}:
        return []
    ceremony = election.ceremony
    if trustee not in election.deals and election.stage is Stage.DEALING:
        return [signed(election.id, trustee, secret, make_deal(chance, ceremony, trustee, secret))]
    if wait and election.stage is Stage.DEALING and len(election.deals) < len(election.announced.trustees):
        return []
    for dealer, deal in election.qualified.items():
        if open_share(ceremony, dealer, deal, trustee, secret) is None:
            complaint = make_complaint(chance, ceremony, dealer, deal, trustee, secret)
            return [signed(election.id, trustee, secret, complaint)]
    if trustee in election.confirmed:
        return []
    return [signed(election.id, trustee, secret, Confirmation.model_construct(head=election.dealt))]


def open_voting(election: Election, secret: Secret) -> Envelope:
    opening = Opening.model_construct(head=election.head, key=election.key)
    return signed(election.id, election.announced.authority.name, secret, opening)


def cast(chance: Chance, election: Election, voter: str, secret: Secret, choice: Choice) -> Envelope:
    ballot = make_ballot(chance, election.booth, voter, secret.sign_key, choice)
    return signed(election.id, voter, secret, ballot)


def close_voting(election: Election, secret: Secret) -> Envelope:
    closing = Closing.model_construct(ballots=len(election.ballots), head=election.head)
    return signed(election.id, election.announced.authority.name, secret, closing)


def contribute(chance: Chance, election: Election, trustee: str, secret: Secret) -> Envelope:
    """This trustee's part in the decryption. Raises `RefusedError` if it holds no share of the key."""
    share = own_share(election.ceremony, election.qualified, trustee, secret)
    if share is None:
        raise refuse(Code.KEY, trustee, "this trustee was dealt a wrong share, and has no part in the key")
    return signed(election.id, trustee, secret, make_share(chance, election.counted, trustee, share))


def decide(election: Election, trustee: str, secret: Secret) -> Envelope:
    """The result, once enough have contributed. Raises `RefusedError` before."""
    threshold = election.announced.threshold
    if len(election.shares) < threshold:
        raise refuse(Code.THRESHOLD, "", f"{len(election.shares)} have contributed, and it takes {threshold}")
    found = found_totals(election.counted, election.deciding)
    # Ballots and shares are proved right by now, so there is a total.
    assert found is not None
    yes, no = found
    abstain = election.counted.weight - yes - no
    result = Result.model_construct(head=election.head, yes=yes, no=no, abstain=abstain)
    return signed(election.id, trustee, secret, result)
