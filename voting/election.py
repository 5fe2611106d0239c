"""The entries of a bulletin board, one after the other, to the state of the election that they make up.

The same rules accept a new post and check an old one, so a board is right exactly if each of its posts was acceptable
where it stands. The proofs of ballots, which take the most time, are checked all at once when voting closes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from voting.ballots import Booth, Cast, check_ballot, ciphers_of, faults_of
from voting.board import EMPTY
from voting.decryption import Totals, check_share, is_total
from voting.elgamal import weighted_sum
from voting.faults import Code, Fault, RefusedError, refuse
from voting.group import Point
from voting.posts import (
    MOST_TRUSTEES,
    Body,
    Closing,
    Complaint,
    Confirmation,
    Deal,
    Entry,
    Manifest,
    Opening,
    Person,
    Result,
    Roll,
    Share,
    Voter,
    body_of,
    election_of,
    is_authentic,
)
from voting.roll import check_roll
from voting.trustees import Ceremony, check_complaint, check_deal, joint_key, share_key

CheckBallots = Callable[[Booth, Sequence[Cast]], list[Fault]]


class Stage(StrEnum):
    """Where an election is."""

    EMPTY = "not begun"
    ANNOUNCED = "announced"
    DEALING = "trustees are dealing"
    CONFIRMING = "trustees are confirming"
    OPEN = "open"
    CLOSED = "closed"
    DECIDED = "decided"


_WHEN: dict[str, tuple[Stage, ...]] = {
    "manifest": (Stage.EMPTY,),
    "roll": (Stage.ANNOUNCED,),
    "deal": (Stage.DEALING,),
    "complaint": (Stage.DEALING, Stage.CONFIRMING),
    "confirm": (Stage.DEALING, Stage.CONFIRMING),
    "open": (Stage.CONFIRMING,),
    "ballot": (Stage.OPEN,),
    "close": (Stage.OPEN,),
    "share": (Stage.CLOSED,),
    "result": (Stage.CLOSED,),
}


@dataclass(slots=True)
class Election:
    """What a board says so far. `accept` is the only thing that changes it."""

    check_ballots: CheckBallots = faults_of
    stage: Stage = Stage.EMPTY
    hashes: list[bytes] = field(default_factory=list)
    """Those of the board after each entry."""
    id: bytes = b""
    manifest: Manifest | None = None
    roll: dict[str, Voter] = field(default_factory=dict)
    deals: dict[str, Deal] = field(default_factory=dict)
    dealt: bytes = b""
    """The hash of the board up to the last deal or complaint, which is what confirmations are about."""
    disqualified: dict[str, str] = field(default_factory=dict)
    """Dealers of a wrong share, and who got it."""
    confirmed: set[str] = field(default_factory=set)
    ballots: dict[str, Cast] = field(default_factory=dict)
    totals: Totals | None = None
    shares: dict[str, Share] = field(default_factory=dict)
    result: Result | None = None

    @property
    def head(self) -> bytes:
        """The hash of the board."""
        return self.hashes[-1] if self.hashes else EMPTY

    @property
    def announced(self) -> Manifest:
        assert self.manifest is not None
        return self.manifest

    @property
    def ceremony(self) -> Ceremony:
        return Ceremony(self.id, self.announced)

    @property
    def qualified(self) -> dict[str, Deal]:
        """The deals that make up the key."""
        return {name: deal for name, deal in self.deals.items() if name not in self.disqualified}

    @property
    def key(self) -> Point:
        return joint_key(self.qualified.values())

    @property
    def booth(self) -> Booth:
        return Booth(self.id, self.key)

    @property
    def counted(self) -> Totals:
        assert self.totals is not None
        return self.totals

    @property
    def deciding(self) -> dict[int, Share]:
        """The shares that give the result: as many as it takes, the first on the board, by number of the trustee."""
        chosen = list(self.shares.items())[: self.announced.threshold]
        return {self.ceremony.index(name): share for name, share in chosen}

    def share_key(self, trustee: str) -> Point:
        return share_key(self.qualified.values(), self.ceremony.index(trustee))

    def accept(self, entry: Entry) -> None:
        """Take in the next entry. Raises `RefusedError` if it must not stand here."""
        place, post = entry.place, entry.post
        if self.stage not in _WHEN[post.kind]:
            raise refuse(Code.STAGE, place, f"the election is {self.stage}")
        if self.stage is not Stage.EMPTY and post.election != self.id:
            raise refuse(Code.ELECTION, place, "this was made for another election")
        if post.kind == "ballot":
            self._accept_ballot(entry)
        else:
            body = body_of(entry)
            self._check_author(entry, body)
            self._take(entry, body)
        self.hashes.append(entry.hash)

    def _check_author(self, entry: Entry, body: Body) -> None:
        author = entry.post.author
        match body:
            case Manifest():
                person: Person | None = body.authority if author == body.authority.name else None
            case Roll() | Opening() | Closing():
                authority = self.announced.authority
                person = authority if author == authority.name else None
            case _:
                person = next((t for t in self.announced.trustees if t.name == author), None)
        if person is None:
            raise refuse(Code.AUTHOR, entry.place, f"{author} has no say in this")
        # SOUND: whoever keeps the board could otherwise speak for others.
        if not is_authentic(entry.post, person.sign):
            raise refuse(Code.SIGNATURE, entry.place, f"{author} has not signed this")

    def _take(self, entry: Entry, body: Body) -> None:
        place, author = entry.place, entry.post.author
        match body:
            case Manifest():
                _check_manifest(entry, body)
                self.manifest, self.id, self.stage = body, entry.post.election, Stage.ANNOUNCED
            case Roll():
                check_roll(body, self.announced.roll, place)
                self.roll, self.stage = {v.name: v for v in body.voters}, Stage.DEALING
            case Deal():
                if author in self.deals:
                    raise refuse(Code.DUPLICATE, place, f"{author} has dealt already")
                check_deal(self.ceremony, author, body, place)
                self.deals[author], self.dealt = body, entry.hash
            case Complaint():
                self._complain(entry, body)
            case Confirmation():
                self._confirm(entry, body)
            case Opening():
                self._open(entry, body)
            case Closing():
                self._close(entry, body)
            case Share():
                if author in self.shares:
                    raise refuse(Code.DUPLICATE, place, f"{author} has contributed already")
                check_share(self.counted, author, self.share_key(author), body, place)
                self.shares[author] = body
            case Result():
                self._decide(entry, body)

    def _complain(self, entry: Entry, body: Complaint) -> None:
        deal = self.deals.get(body.against)
        if deal is None:
            raise refuse(Code.COMPLAINT, entry.place, f"{body.against} has not dealt")
        if body.against in self.disqualified:
            raise refuse(Code.DUPLICATE, entry.place, f"{body.against} is out already")
        check_complaint(self.ceremony, deal, entry.post.author, body, entry.place)
        self.disqualified[body.against], self.dealt = entry.post.author, entry.hash
        # The key is another one now.
        self.confirmed.clear()
        self.stage = Stage.CONFIRMING

    def _confirm(self, entry: Entry, body: Confirmation) -> None:
        threshold = self.announced.threshold
        # SOUND: fewer dealers than the threshold might all be of one mind, and know the key.
        if len(self.qualified) < threshold:
            raise refuse(Code.THRESHOLD, entry.place, f"{len(self.qualified)} dealt rightly, and it takes {threshold}")
        # SOUND: what a dealer sent to others cannot be exchanged once they have looked at it.
        if body.head != self.dealt:
            raise refuse(Code.HEAD, entry.place, "this confirms another board")
        if entry.post.author in self.confirmed:
            raise refuse(Code.DUPLICATE, entry.place, f"{entry.post.author} has confirmed this key already")
        self.confirmed.add(entry.post.author)
        self.stage = Stage.CONFIRMING

    def _open(self, entry: Entry, body: Opening) -> None:
        threshold = self.announced.threshold
        if len(self.confirmed) < threshold:
            raise refuse(
                Code.THRESHOLD, entry.place, f"{len(self.confirmed)} have confirmed the key, and it takes {threshold}"
            )
        if body.head != self.head:
            raise refuse(Code.HEAD, entry.place, "this opens another board")
        if body.key != self.key:
            raise refuse(Code.KEY, entry.place, "this is not the key that the trustees have confirmed")
        self.stage = Stage.OPEN

    def _accept_ballot(self, entry: Entry) -> None:
        voter = self.roll.get(entry.post.author)
        if voter is None:
            raise refuse(Code.AUTHOR, entry.place, f"{entry.post.author} is not on the roll")
        if voter.name in self.ballots:
            before = self.ballots[voter.name].entry.number
            raise refuse(Code.DUPLICATE, entry.place, f"{voter.name} has voted already, in entry {before}")
        self.ballots[voter.name] = Cast(entry, voter.sign)

    def check_pending(self) -> None:
        """Raises `RefusedError` that names every ballot that is not right."""
        faults = self.check_ballots(self.booth, list(self.ballots.values()))
        if faults:
            raise RefusedError(*faults)

    def _close(self, entry: Entry, body: Closing) -> None:
        # SOUND: trustees contribute to what was closed, so no ballot can be added, dropped or exchanged later.
        if body.head != self.head or body.ballots != len(self.ballots):
            raise refuse(Code.HEAD, entry.place, "this closes another board")
        self.check_pending()
        weighted = [(self.roll[name].weight, *ciphers_of(cast)) for name, cast in self.ballots.items()]
        self.totals = Totals(
            self.id,
            entry.hash,
            weighted_sum((weight, yes) for weight, yes, _ in weighted),
            weighted_sum((weight, no) for weight, _, no in weighted),
            sum(weight for weight, _, _ in weighted),
        )
        self.stage = Stage.CLOSED

    def _decide(self, entry: Entry, body: Result) -> None:
        threshold = self.announced.threshold
        if len(self.shares) < threshold:
            raise refuse(Code.THRESHOLD, entry.place, f"{len(self.shares)} have contributed, and it takes {threshold}")
        if body.head != self.head:
            raise refuse(Code.HEAD, entry.place, "this is the result of another board")
        if body.yes + body.no + body.abstain != self.counted.weight:
            raise refuse(Code.RESULT, entry.place, f"the weight of all ballots is {self.counted.weight}")
        for part, value in (("yes", body.yes), ("no", body.no)):
            if not is_total(self.counted, part, self.deciding, value):
                raise refuse(Code.RESULT, f"{entry.place}, {part}", "this is not what was decrypted")
        self.result, self.stage = body, Stage.DECIDED


def accept(election: Election, entry: Entry) -> None:
    """Take in a new post, and check a ballot at once. Raises `RefusedError`."""
    election.accept(entry)
    if entry.post.kind == "ballot":
        check_ballot(election.booth, election.ballots[entry.post.author])


def replay(entries: Iterable[Entry], check_ballots: CheckBallots = faults_of) -> Election:
    """The election of a board, checked up to its last entry; only ballots of one that is open are not checked yet.

    Raises `RefusedError` at the first entry that must not stand where it stands.
    """
    election = Election(check_ballots)
    for entry in entries:
        election.accept(entry)
    return election


def _check_manifest(entry: Entry, body: Manifest) -> None:
    place, trustees = entry.place, body.trustees
    if entry.post.election != election_of(entry.post.body):
        raise refuse(Code.ELECTION, place, "this is not the name of the election with this manifest")
    if not 1 <= body.threshold <= len(trustees) <= MOST_TRUSTEES:
        raise refuse(Code.THRESHOLD, place, f"{body.threshold} of {len(trustees)} trustees is no threshold")
    for what, values in (
        ("name", [t.name for t in trustees]),
        ("key to sign with", [t.sign for t in trustees]),
        ("key to receive with", [t.box for t in trustees]),
    ):
        # SOUND: one who is several trustees reaches the threshold with fewer people.
        if len(set(values)) != len(values):
            raise refuse(Code.DUPLICATE, f"{place}, trustees", f"two have the same {what}")
