"""Public votes with the power of each to exact sums, and a sum to whether it is the one that was published.

NOTE(published-total): powers of votes are decimal fractions of up to twenty digits. Here they are added up as rational
numbers, without a rounding anywhere. Who publishes totals mostly adds binary64 numbers, in an order that nobody knows,
and each addition rounds; so a published total is as a rule not the exact sum, and not even the binary64 number nearest
to it. What can be said is how far off rounding may bring a sum of so many terms, in whatever order (Higham, *Accuracy
and Stability of Numerical Algorithms*, section 4.2): a total further off than that is the sum of other votes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from voting.faults import Code, Fault, RefusedError, refuse

COLUMNS = ("proposal_id", "voter", "voting_power", "choice")
_POWER = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_SINGLE = re.compile(r"[0-9]{1,9}")
_PART = r"""['"]([0-9]{1,9})['"]: ?([0-9]{1,40}(?:\.[0-9]{1,40})?)"""
_SPLIT = re.compile(rf"\{{{_PART}(?:, ?{_PART})*\}}")
_PRECISION = 53


@dataclass(frozen=True, slots=True)
class Vote:
    """`shares` are of the power, by choice, and sum up to 1."""

    proposal: str
    voter: str
    power: Fraction
    shares: Mapping[str, Fraction]


@dataclass(slots=True)
class Count:
    """What was cast on one proposal."""

    votes: int = 0
    terms: int = 0
    total: Fraction = Fraction(0)
    scores: dict[str, Fraction] = field(default_factory=dict)

    def add(self, vote: Vote) -> None:
        self.votes += 1
        self.terms += len(vote.shares)
        self.total += vote.power
        for choice, share in vote.shares.items():
            self.scores[choice] = self.scores.get(choice, Fraction(0)) + vote.power * share


class Agreement(StrEnum):
    NEAREST = "the binary64 number nearest to the exact sum"
    ROUNDED = "as far from the exact sum as rounding may bring it"
    DIFFERENT = "the sum of other votes"


def vote_of(row: Mapping[str, str | None], place: str) -> Vote:
    """The vote in a row of a table. Raises `RefusedError`."""
    values = [row.get(column) for column in COLUMNS]
    missing = [column for column, value in zip(COLUMNS, values) if not value]
    if missing:
        raise refuse(Code.SHAPE, place, f"there is no {missing[0]}")
    proposal, voter, power, choice = (value or "" for value in values)
    # They are printed, and must not move a cursor.
    if not (proposal.isprintable() and voter.isprintable()):
        raise refuse(Code.SHAPE, place, "names are printable characters")
    return Vote(proposal, voter, power_of(power, place), _shares(choice, place))


def power_of(text: str, place: str) -> Fraction:
    """A power, or a sum of them, exactly as it is written. Raises `RefusedError`."""
    if not _POWER.fullmatch(text):
        raise refuse(Code.WEIGHT, place, f"`{text[:50]}` is not the power of a vote")
    return Fraction(text)


def _shares(choice: str, place: str) -> dict[str, Fraction]:
    if _SINGLE.fullmatch(choice):
        return {choice: Fraction(1)}
    if _SPLIT.fullmatch(choice):
        parts = [(name, Fraction(part)) for name, part in re.findall(_PART, choice)]
        whole = sum((part for _, part in parts), Fraction(0))
        if whole and len(dict(parts)) == len(parts):
            return {name: part / whole for name, part in parts}
    raise refuse(
        Code.SHAPE, place, f"`{choice[:50]}` is neither a choice nor parts of choices, like {{'1': 2, '3': 1}}"
    )


def count(votes: Iterable[tuple[str, Vote]]) -> dict[str, Count]:
    """The counts of all proposals, from votes and their places. Raises `RefusedError` when somebody votes twice."""
    counts: dict[str, Count] = {}
    seen: dict[tuple[str, str], str] = {}
    faults = []
    for place, vote in votes:
        before = seen.setdefault((vote.proposal, vote.voter), place)
        if before != place:
            faults.append(Fault(Code.DUPLICATE, place, f"{vote.voter} has voted on {vote.proposal} in {before}"))
        else:
            counts.setdefault(vote.proposal, Count()).add(vote)
    if faults:
        raise RefusedError(*faults)
    return counts


@dataclass(frozen=True, slots=True)
class Published:
    """What somebody says about a proposal; the number of votes may be left out."""

    total: Fraction
    votes: int | None = None


def agreement(counted: Count, published: Published) -> Agreement:
    """How a published total compares with the exact sum; see NOTE(published-total)."""
    if published.votes not in {None, counted.votes}:
        return Agreement.DIFFERENT
    said = binary64(published.total)
    if said == binary64(counted.total):
        return Agreement.NEAREST
    # A term is rounded when it is written down, when it is made a part of a power (twice), and in each addition.
    operations = Fraction(counted.terms + 2, 2**_PRECISION)
    most = counted.total * operations / (1 - operations)
    return Agreement.ROUNDED if abs(said - counted.total) <= most else Agreement.DIFFERENT


def binary64(value: Fraction) -> Fraction:
    """The binary64 number nearest to a value that is not negative: 53 bits, and a tie goes to the even one."""
    if not value:
        return value
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    # Between 2^exponent and 2^(exponent + 1), give or take one.
    if value < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (exponent - _PRECISION + 1)
    return round(value / unit) * unit


def decimal(value: Fraction, places: int) -> str:
    """A value that is not negative in decimal notation, rounded to so many places."""
    digits = str(round(value * 10**places)).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
