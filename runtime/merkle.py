"""Records to the Merkle tree of RFC 9162, section 2: its root as it grows, proofs of inclusion and of consistency.

A tree says which records there are and in which order: whoever keeps nothing but a size and a root can be shown that a
record is among them, and that a later tree has only added to theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY = sha256().digest()
"""The root of the tree without records."""
_COUNT_SIZE = 8


def leaf_hash(record: bytes) -> bytes:
    # SOUND: the prefixes keep a node from passing for a record, and a record for a node.
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows: its size, and the roots of the full subtrees that it consists of, from left to right.

    There are as many of them as `size` has ones in binary, so a frontier is small whatever the size of the tree.
    """

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        if size < 0 or len(roots) != size.bit_count() or any(len(r) != HASH_SIZE for r in roots):
            raise ValueError(f"a tree of {size} records does not consist of these {len(roots)} subtrees")
        self.size = size
        self._roots = list(roots)

    def append(self, record: bytes) -> None:
        """Add a record at the end."""
        self.append_hash(sha256(b"\x00" + record).digest())

    def append_hash(self, leaf: bytes) -> None:
        """Add the record with this `leaf_hash`."""
        node, size, roots = leaf, self.size, self._roots
        while size & 1:
            node = sha256(b"\x01" + roots.pop() + node).digest()
            size >>= 1
        roots.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree (the Merkle tree hash of the RFC)."""
        if not self._roots:
            return EMPTY
        node = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            node = node_hash(left, node)
        return node

    def copy(self) -> Frontier:
        found = Frontier()
        found.size, found._roots = self.size, self._roots.copy()
        return found

    def to_bytes(self) -> bytes:
        """The frontier as bytes; `from_bytes` reads them back."""
        return self.size.to_bytes(_COUNT_SIZE, "big") + b"".join(self._roots)

    @staticmethod
    def from_bytes(data: bytes) -> Frontier:
        """The frontier that `to_bytes` made `data` of; raises `ValueError` for anything else."""
        rest = data[_COUNT_SIZE:]
        if len(data) < _COUNT_SIZE or len(rest) % HASH_SIZE:
            raise ValueError(f"{len(data)} bytes are no frontier")
        roots = [rest[i : i + HASH_SIZE] for i in range(0, len(rest), HASH_SIZE)]
        return Frontier(int.from_bytes(data[:_COUNT_SIZE], "big"), roots)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frontier) and self.size == other.size and self._roots == other._roots

    def __hash__(self) -> int:
        return hash((self.size, tuple(self._roots)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root of the tree over records with these leaf hashes."""
    level = list(leaves)
    if not level:
        return EMPTY
    while len(level) > 1:
        # A node without a partner goes up as it is: that is where the RFC splits a tree that is not full.
        left_over = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2])] + left_over
    return level[0]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, D_n): the hashes that lead from record number `index` to the root of the tree over these leaf hashes.

    Raises `ValueError` when there is no such record.
    """
    if not 0 <= index < len(leaves):
        raise ValueError(f"there is no record {index} among {len(leaves)}")
    path: list[bytes] = []
    level = leaves
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        # The last one of an odd number has no partner on this level and goes up as it is.
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = [*paired, level[-1]] if len(level) % 2 else paired
        index //= 2
    return path


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """PROOF(first, D_n): what `verify_consistency` needs to see that the tree over `leaves` only adds to its own
    first `first` records. Empty when `first` is 0 or all."""
    if not 0 <= first <= len(leaves):
        raise ValueError(f"{first} is not among 0 to {len(leaves)} records")
    if first in (0, len(leaves)):
        return []
    proof: list[bytes] = []
    low, high, complete = 0, len(leaves), True
    # SUBPROOF(first - low, D[low:high], complete), from the root down; the RFC lists it from below.
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            proof.append(root_of(leaves[middle:high]))
            high = middle
        else:
            proof.append(root_of(leaves[low:middle]))
            low, complete = middle, False
    if not complete:
        proof.append(root_of(leaves[low:high]))
    return proof[::-1]


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that the record with this leaf hash is number `index` in the tree of `size` records with
    this `root` (section 2.1.3.2)."""
    if not 0 <= index < size or not _hashes((leaf, root, *proof)):
        return False
    number, last, node = index, size - 1, leaf
    for p in proof:
        if last == 0:
            return False
        if number & 1 or number == last:
            node = node_hash(p, node)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            node = node_hash(node, p)
        number, last = number >> 1, last >> 1
    # SOUND: a path that ends below the root shows nothing.
    return last == 0 and node == root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `second` records with `second_root` begins with the one of `first`
    records with `first_root` (section 2.1.4.2)."""
    if not 0 <= first <= second or not _hashes((first_root, second_root, *proof)):
        return False
    if first == 0:
        # The RFC leaves this out: every tree begins with the empty one.
        return not proof and first_root == EMPTY and (second > 0 or second_root == EMPTY)
    if first == second:
        return not proof and first_root == second_root
    # A full subtree is known to whoever asks.
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    number, last = first - 1, second - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = path[0]
    for p in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            old, new = node_hash(p, old), node_hash(p, new)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            new = node_hash(new, p)
        number, last = number >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _hashes(found: Sequence[bytes]) -> bool:
    return all(len(h) == HASH_SIZE for h in found)
