"""The words by which a user names a decision log (a file of lines, a store) to what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.heads import Head, MalformedError
from runtime.heads import from_text as head_from_text
from runtime.log_file import LogReport, from_line, verify, verify_records

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log as it was read: the `lines` of a file, or None and what a store has noted beside its records."""

    where: str
    records: Sequence[bytes]
    lines: Sequence[bytes] | None = None
    latest: bytes | None = None
    frontier: bytes | None = None

    def check(self, head: Head | None = None, key: Ed25519PublicKey | None = None) -> LogReport:
        if self.lines is not None:
            return verify(self.lines, head, key)
        return verify_records(self.records, self.latest, self.frontier, head, key)


def read_log(where: str) -> LogSource:
    """The log at a path or URL; what is not there or cannot be read is a message to the user."""
    if "://" not in where:
        path = Path(where)
        if not path.is_file():
            raise click.UsageError(f"there is no file `{where}`")
        try:
            with path.open("rb") as file:
                if file.read(len(_SQLITE)) != _SQLITE:
                    file.seek(0)
                    lines = list(file)
                    found = (from_line(line) for line in lines)
                    return LogSource(where, [f.text for f in found if f.kind != "head"], lines)
        except OSError as error:
            raise click.ClickException(f"`{where}` cannot be read: {error.strerror}") from error
    return _from_store(where)


def _from_store(where: str) -> LogSource:
    from runtime.open_store import open_store
    from runtime.store import StoreError

    try:
        store = open_store(where)
        try:
            with store.hold() as held:
                latest, frontier = held.get("head", "latest"), held.get("tree", "frontier")
                return LogSource(where, held.since(0), None, latest, frontier)
        finally:
            store.close()
    except StoreError as error:
        raise click.ClickException(f"`{where}`: {error}") from error


def read_head(path: Path) -> Head:
    """The head in a file."""
    try:
        return head_from_text(path.read_text(encoding="ascii"))
    except (MalformedError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} is no head: {error}") from error
