"""Where an enforcer keeps what must survive: records of decisions, the state that they lead to, and notes beside.

NOTE(one-order): all decisions about one store are in one order, that of its records. Whoever decides holds the store
exclusively, reads the records that others have appended since, decides, appends, and lets go. So the state in memory is
never more than a copy, and a crash loses only what was never answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from policydsl.core.types import Value


class StoreError(Exception):
    """The store cannot be read or written, or is not what it should be. The text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one row of a state variable of `system` holds; `keys` may have `*` (everyone else) in places.

    To put a row with the value None is to remove it; no row that is read has it.
    """

    system: str
    var: str
    keys: tuple[str, ...]
    value: Value | None


class Transaction(Protocol):
    """Exclusive hold of a store. What is put and appended is there, all of it and for good, once the hold has ended
    without an exception; after an exception, none of it."""

    def size(self) -> int:
        """The number of records, those of this transaction included."""

    def since(self, n: int) -> Sequence[bytes]:
        """The records from number `n` on, in order. Numbers start at 0."""

    def rows(self) -> Iterator[Row]:
        """Every row that was put and not removed since."""

    def append(self, record: bytes) -> None:
        """Add a record at the end."""

    def put_rows(self, rows: Sequence[Row]) -> None:
        """Set and remove rows."""

    def clear_rows(self, system: str) -> None:
        """Remove all rows of `system`."""

    def get(self, kind: str, name: str) -> bytes | None:
        """The note of this kind and name, if any."""

    def put(self, kind: str, name: str, note: bytes | None) -> None:
        """Set a note; None removes it."""

    def notes(self, kind: str) -> Sequence[tuple[str, bytes]]:
        """All notes of a kind, by name."""


class Store(Protocol):
    """One store. Every fault, whatever it is, is a `StoreError`. Used by one thread at a time."""

    def hold(self) -> AbstractContextManager[Transaction]:
        """Hold the store exclusively, among threads, processes and machines that share it. Waiting is bounded."""

    def close(self) -> None:
        """Let go of everything. A closed store raises `StoreError` when held."""
