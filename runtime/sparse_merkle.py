"""A map from names to values to the root of a sparse Merkle tree, with proofs of what a name has, or that it has none.

The tree is that of Laurie and Kasper (Revocation Transparency, 2012), cut off as in the Jellyfish Merkle tree (Gao, Hu
and Wu, 2021): the hash of a name is its place, bit by bit from the root; below a node, one leaf alone is hung up there,
and where there is none at all stands `EMPTY`. Nodes and leaves are hashed as in RFC 9162 (`merkle.py`).

NOTE(one-answer): for one root and one name there is one answer, even when whoever made the tree wanted two. Two proofs
walk down the same bits through the same hashes. Where they differ first, a hash would be that of a node and of a leaf,
or `EMPTY`, or that of two leaves: a collision of SHA-256, since `merkle.py` keeps nodes and leaves apart, and a leaf
says its place and its value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from runtime.merkle import EMPTY, HASH_SIZE, leaf_hash, node_hash

DEPTH = 8 * HASH_SIZE
_LEAF = b"policyctl.map.leaf/1\x00"
_NAME = b"policyctl.map.name/1\x00"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A name's place, and the digest of its value: a proof about another name need not tell more."""

    place: bytes
    digest: bytes

    @property
    def hash(self) -> bytes:
        return _leaf_hash(self.place, self.digest)


@dataclass(frozen=True, slots=True)
class Proof:
    """`siblings` lie beside the way to the name's place, from the root down. At its end is the name's own leaf, that of
    somebody `other`, or nothing."""

    siblings: tuple[bytes, ...]
    other: Leaf | None = None


def _leaf_hash(at: bytes, digest: bytes) -> bytes:
    # SOUND: tagged, so that no record of a decision log is a leaf; all but the tag has a fixed size.
    return leaf_hash(_LEAF + at + digest)


@lru_cache(maxsize=1 << 17)
def place(name: str) -> bytes:
    """Where the name belongs: no matter who chooses it, places are spread evenly."""
    return sha256(_NAME + name.encode()).digest()


def leaf(name: str, value: bytes) -> Leaf:
    return Leaf(place(name), sha256(value).digest())


class _Shape(NamedTuple):
    """What a tree has of its places alone, whatever the values are."""

    order: list[int]
    """Who comes first, second, ... in the tree."""
    places: list[bytes]
    joins: list[tuple[int, int]]
    """The halves of each node, by number: the leaves come first, then `EMPTY`, then the nodes, the root last."""


@lru_cache(maxsize=4)
def _shape(unsorted: tuple[bytes, ...]) -> _Shape:
    order = sorted(range(len(unsorted)), key=unsorted.__getitem__)
    places = [unsorted[i] for i in order]
    joins: list[tuple[int, int]] = []

    def join(low: int, high: int, depth: int) -> int:
        """The number of the node above the leaves from `low` up to `high`, which have their first `depth` bits in
        common."""
        if high - low < 2:
            return low if low < high else len(places)
        middle = _split(places, low, high, depth)
        joins.append((join(low, middle, depth + 1), join(middle, high, depth + 1)))
        return len(places) + len(joins)

    join(0, len(places), 0)
    return _Shape(order, places, joins)


def _split(places: Sequence[bytes], low: int, high: int, depth: int) -> int:
    """The first of the leaves from `low` up to `high` that has a one after its first `depth` bits."""
    start = bytearray(places[low])
    byte, mask = depth >> 3, 0x80 >> (depth & 7)
    # The common bits, a one, and zeros.
    start[byte] = (start[byte] & -(2 * mask)) & 0xFF | mask
    return bisect_left(places, bytes(start[: byte + 1]), low, high)


class SparseTree:
    """The tree of `values`. It costs about two hashes for each name."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._shape = _shape(tuple(place(name) for name in values))
        known = {value: sha256(value).digest() for value in set(values.values())}
        digests = [known[value] for value in values.values()]
        self._digests = [digests[i] for i in self._shape.order]
        self._hashes = [*map(_leaf_hash, self._shape.places, self._digests), EMPTY]
        for left, right in self._shape.joins:
            self._hashes.append(node_hash(self._hashes[left], self._hashes[right]))

    @property
    def root(self) -> bytes:
        return self._hashes[self._root]

    @property
    def _root(self) -> int:
        # One leaf alone is the root; `EMPTY` comes after it.
        return 0 if len(self._digests) == 1 else len(self._hashes) - 1

    def prove(self, name: str) -> Proof:
        """What stands at the place of `name`."""
        at, number, leaves = place(name), self._root, len(self._digests)
        siblings: list[bytes] = []
        while number > leaves:
            left, right = self._shape.joins[number - leaves - 1]
            number, beside = (right, left) if bit(at, len(siblings)) else (left, right)
            siblings.append(self._hashes[beside])
        stands = number < leaves and self._shape.places[number] != at
        other = Leaf(self._shape.places[number], self._digests[number]) if stands else None
        return Proof(tuple(siblings), other)


def root_of_proof(name: str, value: bytes | None, proof: Proof) -> bytes | None:
    """The root of which `proof` shows that `name` has this value there (None: has none). None if it shows nothing."""
    at = place(name)
    hashes = (*proof.siblings, *(() if proof.other is None else (proof.other.place, proof.other.digest)))
    if len(proof.siblings) > DEPTH or any(len(h) != HASH_SIZE for h in hashes):
        return None
    if value is not None:
        if proof.other is not None:
            return None
        node = leaf(name, value).hash
    elif proof.other is None:
        node = EMPTY
    else:
        # SOUND: the leaf of the name itself shows that it is there, and a leaf from elsewhere shows nothing.
        depth = len(proof.siblings)
        if proof.other.place == at or any(bit(proof.other.place, i) != bit(at, i) for i in range(depth)):
            return None
        node = proof.other.hash
    return _fold(at, node, proof.siblings)


def _fold(at: bytes, node: bytes, siblings: Sequence[bytes]) -> bytes:
    for depth in reversed(range(len(siblings))):
        beside = siblings[depth]
        node = node_hash(beside, node) if bit(at, depth) else node_hash(node, beside)
    return node


def bit(at: bytes, depth: int) -> int:
    return at[depth >> 3] >> (7 - (depth & 7)) & 1
