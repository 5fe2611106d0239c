"""Leaf hashes of a log to the anchors of it on a chain, and back: since when has which part of it not been changed?

A log is named by the leaf hash of its first record. An anchor says how many records there were, and their root: whoever
has the log computes the root of as many and compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policyctl.chain.talk import ChainError, Contract, Sent
from runtime.merkle import Frontier, root_of


@dataclass(frozen=True, slots=True)
class Anchor:
    """In this block, the first `size` records had this root. `at` is its time in seconds."""

    size: int
    root: bytes
    block: int
    at: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A log beside its anchors, oldest first; `changed` is the first one that it does not fit."""

    size: int
    anchors: tuple[Anchor, ...]
    changed: Anchor | None

    @property
    def is_whole(self) -> bool:
        return bool(self.anchors) and self.changed is None

    def since(self) -> list[tuple[int, int, Anchor]]:
        """The first record, the one after the last, and the anchor of the block from which on these cannot have been
        changed."""
        firsts = [0, *(a.size for a in self.anchors)]
        return [(first, a.size, a) for first, a in zip(firsts, self.anchors)]


def anchors_of(contract: Contract, log: bytes) -> tuple[Anchor, ...]:
    """All anchors of the log with this name, oldest first."""
    chain, number = contract.chain, int(contract.read("blockOf", log))
    found: list[Anchor] = []
    while number:
        at = int(chain.w3.eth.get_block(number)["timestamp"])
        events = [x for x in contract.logs("Anchored", number, number) if bytes(x["log"]) == log]
        found += sorted((Anchor(int(x["size"]), bytes(x["root"]), number, at) for x in events), key=_size, reverse=True)
        # A block may have several; the first of them knows which block was before it.
        number = min((int(x["previous"]) for x in events), default=0)
    return tuple(reversed(found))


def _size(anchor: Anchor) -> int:
    return anchor.size


def check(contract: Contract, leaves: Sequence[bytes]) -> Checked:
    """The log with these leaf hashes beside its anchors."""
    return compare(anchors_of(contract, leaves[0]) if leaves else (), leaves)


def compare(anchors: Sequence[Anchor], leaves: Sequence[bytes]) -> Checked:
    """The same, of anchors that were read already."""
    tree, at = Frontier(), 0
    for anchor in anchors:
        # SOUND: sizes only grow on the chain, so the tree is only ever added to.
        for leaf in leaves[at : anchor.size]:
            tree.append_hash(leaf)
        at = anchor.size
        if tree.size != anchor.size or tree.root() != anchor.root:
            return Checked(len(leaves), tuple(anchors), anchor)
    return Checked(len(leaves), tuple(anchors), None)


def anchor(contract: Contract, operator: str, leaves: Sequence[bytes]) -> tuple[Anchor, bool]:
    """Anchors the log as it is now; whether that was new. Raises `ChainError` for one that was changed since."""
    if not leaves:
        raise ChainError("an empty log has nothing that could be anchored")
    found = check(contract, leaves)
    if found.changed is not None:
        raise ChainError(f"{differs(found.changed)}; a log that was changed is not anchored anew")
    if found.anchors and found.anchors[-1].size == len(leaves):
        return found.anchors[-1], False
    sent = write(contract, operator, leaves)
    return Anchor(len(leaves), root_of(leaves), sent.block, sent.at), True


def write(contract: Contract, operator: str, leaves: Sequence[bytes]) -> Sent:
    """Anchors the log, whatever is there of it already: the contract takes what covers more than before."""
    return contract.send(operator, "anchor", leaves[0], len(leaves), root_of(leaves))


def differs(anchor: Anchor) -> str:
    return f"the first {anchor.size:,} records are not those that were anchored in block {anchor.block}"
