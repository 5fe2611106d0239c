"""Voters and their weights to the root of a Merkle tree over them, and to what is wrong with them.

The tree is that of RFC 9162: a root that was published elsewhere says that these were the weights then.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

from voting.faults import Code, RefusedError, refuse
from voting.posts import MOST_WEIGHT, Roll, RollSummary, Voter
from voting.transcript import canonical


def leaf_of(voter: Voter) -> bytes:
    return sha256(b"\x00" + canonical(voter.model_dump()).encode()).digest()


def root_of(voters: Sequence[Voter]) -> bytes:
    """The root of the tree of RFC 9162 over the voters in this order."""
    level = [leaf_of(v) for v in voters] or [sha256().digest()]
    while len(level) > 1:
        left_over = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2])] + left_over
    return level[0]


def summary(voters: Sequence[Voter]) -> RollSummary:
    """What a manifest says about the roll. Raises `RefusedError` for a roll that nothing can be held with."""
    fault = fault_of(voters, "the roll")
    if fault is not None:
        raise fault
    return RollSummary.model_construct(root=root_of(voters), voters=len(voters), weight=sum(v.weight for v in voters))


def fault_of(voters: Sequence[Voter], place: str) -> RefusedError | None:
    if not voters:
        return refuse(Code.ROLL, place, "nobody may vote")
    names = [v.name for v in voters]
    for before, after in pairwise(names):
        if before >= after:
            return refuse(Code.ROLL, place, f"`{after}` comes after `{before}`: each name once, in order")
    seen: dict[bytes, str] = {}
    for voter in voters:
        other = seen.setdefault(voter.sign, voter.name)
        if other != voter.name:
            return refuse(Code.ROLL, place, f"`{other}` and `{voter.name}` have the same key")
    whole = sum(v.weight for v in voters)
    if whole > MOST_WEIGHT:
        return refuse(Code.WEIGHT, place, f"all weights together are {whole}, and the limit is {MOST_WEIGHT}")
    return None


def check_roll(roll: Roll, promised: RollSummary, place: str) -> None:
    """Raises `RefusedError` unless this is the roll that the manifest promised."""
    fault = fault_of(roll.voters, place)
    if fault is not None:
        raise fault
    if summary(roll.voters) != promised:
        raise refuse(Code.ROLL, place, "this is not the roll of which the manifest has the root")
