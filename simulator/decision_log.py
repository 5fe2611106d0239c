"""The decision log of a run: what was asked in a tick, and the answers, become one leaf of a Merkle tree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from runtime.merkle import Frontier, leaf_hash
from simulator.gateway import Asked


@dataclass(slots=True)
class Log:
    leaves: list[str] = field(default_factory=list)
    """The leaf hash of each tick, as hexadecimal digits."""
    frontier: str = ""
    """What the tree needs to grow (see `runtime/merkle.py`)."""

    def add(self, tick: int, asked: Iterable[Asked]) -> None:
        """A tick is over."""
        tree = Frontier.from_bytes(bytes.fromhex(self.frontier)) if self.frontier else Frontier()
        leaf = leaf_hash(record(tick, asked))
        tree.append_hash(leaf)
        self.leaves.append(leaf.hex())
        self.frontier = tree.to_bytes().hex()

    @property
    def root(self) -> str:
        """What the gateway says the root is."""
        return Frontier.from_bytes(bytes.fromhex(self.frontier)).root().hex() if self.frontier else ""


def record(tick: int, asked: Iterable[Asked]) -> bytes:
    """All requests of a tick with their answers, as one digest: equal exactly for equal ones."""
    hashed = hashlib.blake2b(str(tick).encode(), digest_size=32)
    for one in asked:
        hashed.update(f"{one.action}:{one.size}:{sorted(one.columns)}".encode())
        for name in sorted(one.columns):
            values = np.ascontiguousarray(one.columns[name])
            hashed.update(values.dtype.str.encode())
            hashed.update(values.data)
        hashed.update(np.ascontiguousarray(one.answers.guard).data)
    return hashed.digest()
