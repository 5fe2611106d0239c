"""JSON to the posts of a bulletin board, each checked for its shape, and back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from voting.elgamal import Cipher
from voting.faults import Code, Fault, RefusedError
from voting.group import Point, point_from_bytes, scalar_from_bytes, scalar_to_bytes
from voting.keys import SIGNATURE_SIZE, is_signed
from voting.proofs import Proof
from voting.transcript import canonical, digest_of

MOST_TRUSTEES = 100
MOST_WEIGHT = 2**36
"""Of all voters together. The result has to be found among so many numbers."""

_HEX = re.compile(r"[0-9a-f]*")


def _from_hex(value: object, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise PydanticCustomError(Code.SHAPE, "it takes {digits} hexadecimal digits", {"digits": 2 * size})
    return bytes.fromhex(value)


def _digest(value: object) -> bytes:
    return _from_hex(value, 32)


def _signature(value: object) -> bytes:
    return _from_hex(value, SIGNATURE_SIZE)


def _point(value: object) -> Point:
    found = point_from_bytes(_from_hex(value, 32))
    if found is None:
        raise PydanticCustomError(Code.POINT, "no element of the group other than the identity is written like this")
    return found


def _scalar(value: object) -> int:
    found = scalar_from_bytes(_from_hex(value, 32))
    if found is None:
        raise PydanticCustomError(Code.SCALAR, "the number is not below the order of the group")
    return found


def _text(value: object) -> str:
    # What is printed to a terminal must not move its cursor.
    if not isinstance(value, str) or not 1 <= len(value) <= 500 or not value.isprintable():
        raise PydanticCustomError(Code.SHAPE, "it takes 1 to 500 printable characters")
    return value


def _weight(value: object) -> int:
    if type(value) is not int or not 1 <= value <= MOST_WEIGHT:
        raise PydanticCustomError(Code.WEIGHT, "a weight is a whole number from 1 to {most}", {"most": MOST_WEIGHT})
    return value


_to_hex = PlainSerializer(bytes.hex)
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}$")]
Text = Annotated[str, PlainValidator(_text)]
Digest = Annotated[bytes, PlainValidator(_digest), _to_hex]
Signature = Annotated[bytes, PlainValidator(_signature), _to_hex]
Element = Annotated[Point, PlainValidator(_point), _to_hex]
Weight = Annotated[int, PlainValidator(_weight)]
Scalar = Annotated[int, PlainValidator(_scalar), PlainSerializer(lambda value: scalar_to_bytes(value).hex())]


class Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ProofJson(Model):
    challenge: Scalar
    response: Scalar

    @property
    def value(self) -> Proof:
        return Proof(self.challenge, self.response)

    @staticmethod
    def of(proof: Proof) -> ProofJson:
        return ProofJson.model_construct(challenge=proof.challenge, response=proof.response)


class CipherJson(Model):
    nonce: Element
    masked: Element

    @property
    def value(self) -> Cipher:
        return Cipher(self.nonce, self.masked)

    @staticmethod
    def of(cipher: Cipher) -> CipherJson:
        return CipherJson.model_construct(nonce=cipher.nonce, masked=cipher.masked)


class Person(Model):
    """What everybody may know of somebody."""

    name: Name
    sign: Element


class Trustee(Person):
    box: Element


class Voter(Person):
    weight: Weight


class RollSummary(Model):
    root: Digest
    voters: Annotated[int, Field(ge=1)]
    weight: Weight


class Body(Model):
    """What a post says."""

    kind: ClassVar[str]


class Manifest(Body):
    kind = "manifest"
    protocol: Literal["policyctl-election/1"]
    question: Text
    authority: Person
    trustees: Annotated[list[Trustee], Field(min_length=1, max_length=MOST_TRUSTEES)]
    threshold: int
    roll: RollSummary
    nonce: Digest


class Roll(Body):
    kind = "roll"
    voters: list[Voter]


class Sealed(Model):
    """A share for one trustee: a number modulo the order, masked."""

    nonce: Element
    proof: ProofJson
    masked: Scalar


class Deal(Body):
    kind = "deal"
    commitments: list[Element]
    proof: ProofJson
    shares: list[Sealed]


class Complaint(Body):
    kind = "complaint"
    against: Name
    shared: Element
    proof: ProofJson


class Confirmation(Body):
    kind = "confirm"
    head: Digest


class Opening(Body):
    kind = "open"
    head: Digest
    key: Element


class Ballot(Body):
    kind = "ballot"
    yes: CipherJson
    no: CipherJson
    yes_proof: list[ProofJson]
    no_proof: list[ProofJson]
    sum_proof: list[ProofJson]


class Closing(Body):
    kind = "close"
    ballots: Annotated[int, Field(ge=1)]
    head: Digest


class PartJson(Model):
    point: Element
    proof: ProofJson


class Share(Body):
    kind = "share"
    closing: Digest
    yes: PartJson
    no: PartJson


class Result(Body):
    kind = "result"
    head: Digest
    yes: Annotated[int, Field(ge=0)]
    no: Annotated[int, Field(ge=0)]
    abstain: Annotated[int, Field(ge=0)]


BODIES: dict[str, type[Body]] = {
    body.kind: body for body in (Manifest, Roll, Deal, Complaint, Confirmation, Opening, Ballot, Closing, Share, Result)
}
Kind = Literal["manifest", "roll", "deal", "complaint", "confirm", "open", "ballot", "close", "share", "result"]


class Envelope(Model):
    """A post as it stands on the board. The body is read by `body_of`, when it is its turn."""

    author: Name
    body: dict[str, Any]
    election: Digest
    kind: Kind
    signature: Signature


@dataclass(frozen=True, slots=True)
class Entry:
    """A post, and where it stands: `hash` is that of the board up to it."""

    number: int
    post: Envelope
    hash: bytes

    @property
    def place(self) -> str:
        return f"entry {self.number} ({self.post.kind} of {self.post.author})"


M = TypeVar("M", bound=Model)


def parsed(model: type[M], value: object, place: str) -> M:
    """`value` as a `model`. Raises `RefusedError` that names every fault and its place."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise RefusedError(*(_fault(e, place) for e in error.errors(include_url=False))) from None


def _fault(error: Any, place: str) -> Fault:
    where = ".".join(str(part) for part in error["loc"])
    code = Code(error["type"]) if error["type"] in set(Code) else Code.SHAPE
    text = error["msg"][:1].lower() + error["msg"][1:]
    return Fault(code, f"{place}, {where}" if where else place, text)


def body_of(entry: Entry) -> Body:
    """What `entry` says. Raises `RefusedError`."""
    return parsed(BODIES[entry.post.kind], entry.post.body, entry.place)


def election_of(manifest: dict[str, Any]) -> bytes:
    """The name of the election with this manifest: everything in it is bound to that."""
    return digest_of("manifest", canonical(manifest))


def signed_text(kind: str, author: str, election: bytes, body: dict[str, Any]) -> bytes:
    return digest_of("post", kind, author, election, canonical(body))


def receipt_of(post: Envelope) -> bytes:
    """What a voter keeps, to find the ballot on the board later."""
    return digest_of("receipt", canonical(post.model_dump()))


def is_authentic(post: Envelope, key: Point) -> bool:
    return is_signed(key, signed_text(post.kind, post.author, post.election, post.body), post.signature)
