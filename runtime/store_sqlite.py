"""A store in one SQLite file, which several processes of one machine may share.

The file is in WAL mode. A hold is `BEGIN IMMEDIATE` to `COMMIT`, so there is one at a time. With `synchronous=FULL` the
end of a hold waits until the disk has it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from multiprocessing import current_process
from pathlib import Path
from typing import TypeVar

from policydsl.core.types import Value
from runtime.store import StoreError
from runtime.store_hold import WAIT, Draft, HeldStore, Name, Place
from runtime.store_text import keys_from_text, keys_to_text, value_from_text, value_to_text

T = TypeVar("T")
VERSION = 1
"""Of the tables below. Another version in a file is refused."""
APPLICATION = 0x504F4C43
"""`PRAGMA application_id` of our files ("POLC")."""
SYNCHRONOUS = {"each": "FULL", "group": "FULL", "relaxed": "NORMAL"}
"""By durability. `group` is for who decides: it puts many decisions into one hold."""
POLL = 0.003
"""Seconds that SQLite waits for a lock before we ask again: its own pauses grow to 0.1 s, and under load starve."""
NEWEST = 1000
"""Records that are counted on opening. Older ones are counted when they are read."""

TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE records(n INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE rows(system TEXT NOT NULL, var TEXT NOT NULL, keys TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(system, var, keys)) WITHOUT ROWID;
CREATE TABLE notes(kind TEXT NOT NULL, name TEXT NOT NULL, note BLOB NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID
"""
HEAD = "SELECT (SELECT value FROM meta WHERE name = 'version'), (SELECT coalesce(max(n) + 1, 0) FROM records)"
FAULTS = (sqlite3.Error, sqlite3.Warning, OSError, OverflowError, ValueError, MemoryError)
"""What `sqlite3` and the file system raise."""


class SqliteStore(HeldStore):
    """Records, rows and notes in a file, which is made if it is not there; its directory must be.

    `durability`: after `each` (or `group`) hold the disk has it; `relaxed` survives a crash of the process, and after
    one of the machine is a whole number of holds behind. Lockers of the file are waited for `wait` seconds.
    """

    def __init__(self, path: str | Path, durability: str = "each", wait: float = WAIT) -> None:
        if durability not in SYNCHRONOUS:
            raise StoreError(f"durability is one of {', '.join(SYNCHRONOUS)}, not {durability!r}")
        if not str(path):
            raise StoreError("the path of the store is empty")
        medium = _File(Path(path).absolute(), SYNCHRONOUS[durability], wait)
        super().__init__(medium, wait, lambda: current_process().pid)


class _File:
    def __init__(self, path: Path, synchronous: str, wait: float) -> None:
        self.path = path
        self.wal = path.with_name(path.name + "-wal")
        self.tries = max(1, round(wait / POLL))
        self.connection = self._patiently(lambda: self._connected(synchronous))
        try:
            self._patiently(self._prepare)
            self.identity = self._identity()
        except BaseException:
            self.close()
            raise

    def begin(self) -> int:
        self._patiently(lambda: self.connection.execute("BEGIN IMMEDIATE"))
        try:
            # SOUND: what goes into a removed file, or into one that was put aside, is answered and lost.
            if self._identity() != self.identity:
                raise self._fault("it was removed or replaced while it was open")
            version, size = self.connection.execute(HEAD).fetchone()
        except FAULTS as fault:
            raise self._fault(fault) from fault
        self._check_version(version)
        return int(size)

    def records(self, n: int, size: int) -> list[bytes]:
        try:
            found = self.connection.execute("SELECT record FROM records WHERE n >= ? ORDER BY n", (n,)).fetchall()
        except FAULTS as fault:
            raise self._fault(fault) from fault
        if len(found) != size - n:
            raise self._fault(f"records are missing between {n} and {size}")
        return [_bytes(record) for (record,) in found]

    def rows(self) -> Iterable[tuple[Place, Value]]:
        try:
            found = self.connection.execute("SELECT system, var, keys, value FROM rows").fetchall()
        except FAULTS as fault:
            raise self._fault(fault) from fault
        return [((system, var, keys_from_text(keys)), value_from_text(value)) for system, var, keys, value in found]

    def note(self, name: Name) -> bytes | None:
        try:
            found = self.connection.execute("SELECT note FROM notes WHERE kind = ? AND name = ?", name).fetchone()
        except FAULTS as fault:
            raise self._fault(fault) from fault
        return None if found is None else _bytes(found[0])

    def notes(self, kind: str) -> Iterable[tuple[str, bytes]]:
        try:
            found = self.connection.execute("SELECT name, note FROM notes WHERE kind = ?", (kind,)).fetchall()
        except FAULTS as fault:
            raise self._fault(fault) from fault
        return [(name, _bytes(note)) for name, note in found]

    def commit(self, draft: Draft) -> None:
        c = self.connection
        try:
            if draft.cleared:
                c.executemany("DELETE FROM rows WHERE system = ?", [(system,) for system in draft.cleared])
            if draft.records:
                c.executemany("INSERT INTO records VALUES(?, ?)", enumerate(draft.records, draft.size))
            if gone := draft.removed_rows:
                places = [(system, var, keys_to_text(keys)) for system, var, keys in gone]
                c.executemany("DELETE FROM rows WHERE system = ? AND var = ? AND keys = ?", places)
            if draft.rows:
                c.executemany(
                    "INSERT OR REPLACE INTO rows VALUES(?, ?, ?, ?)",
                    [(s, v, keys_to_text(keys), value_to_text(x)) for (s, v, keys), x in draft.set_rows.items()],
                )
            for name, note in draft.notes.items():
                if note is None:
                    c.execute("DELETE FROM notes WHERE kind = ? AND name = ?", name)
                else:
                    c.execute("INSERT OR REPLACE INTO notes VALUES(?, ?, ?)", (*name, note))
            c.execute("COMMIT")
        except FAULTS as fault:
            raise self._fault(fault) from fault
        if None in draft.notes.values():
            self._empty_wal()

    def rollback(self) -> None:
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except FAULTS:
            self.close()  # which rolls back; then every hold fails

    def close(self) -> None:
        try:
            self.connection.close()
        except FAULTS:
            pass

    def _connected(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=POLL, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA synchronous={synchronous}")
            # What is removed (a question with a secret in it) is overwritten, not only forgotten.
            connection.execute("PRAGMA secure_delete=ON")
            # Apple's fsync does not reach the disk without; elsewhere these do nothing.
            connection.execute("PRAGMA fullfsync=ON")
            connection.execute("PRAGMA checkpoint_fullfsync=ON")
            return connection
        except BaseException:
            connection.close()
            raise

    def _prepare(self) -> None:
        c = self.connection
        try:
            if c.execute("SELECT EXISTS(SELECT * FROM sqlite_master)").fetchone() == (1,):
                self._check_kind()
            if c.execute("PRAGMA journal_mode=WAL").fetchone() != ("wal",):
                raise self._fault("its file system does not support WAL mode")
            c.execute("BEGIN IMMEDIATE")
            if c.execute("SELECT EXISTS(SELECT * FROM sqlite_master)").fetchone() == (0,):
                for table in TABLES.split(";"):
                    c.execute(table)
                c.execute("INSERT INTO meta VALUES('version', ?)", (VERSION,))
                c.execute(f"PRAGMA application_id={APPLICATION}")
            self._check_kind()
            self._check_records()
            c.execute("COMMIT")
            self._empty_wal()
        except BaseException:
            self.rollback()
            raise

    def _empty_wal(self) -> None:
        """Have nothing more in the WAL of what was removed, unless others use it just now: then later, or when the last
        one closes it."""
        try:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except FAULTS:
            pass  # the hold was kept

    def _check_kind(self) -> None:
        c = self.connection
        if c.execute("PRAGMA application_id").fetchone() != (APPLICATION,):
            raise self._fault("it is a database of something else")
        self._check_version(c.execute(HEAD).fetchone()[0])

    def _check_records(self) -> None:
        c = self.connection
        (_, size), (low,) = c.execute(HEAD).fetchone(), c.execute("SELECT min(n) FROM records").fetchone()
        first = max(0, size - NEWEST)
        (count,) = c.execute("SELECT count(*) FROM records WHERE n >= ?", (first,)).fetchone()
        if low not in {None, 0} or count != size - first:
            raise self._fault("records are missing")

    def _check_version(self, version: object) -> None:
        if version != VERSION:
            raise self._fault(f"it has version {version} of the tables; this program knows {VERSION}")

    def _identity(self) -> tuple[int, ...]:
        file, wal = self.path.stat(), self.wal.stat()
        return file.st_dev, file.st_ino, wal.st_ino

    def _patiently(self, act: Callable[[], T]) -> T:
        for left in reversed(range(self.tries)):
            try:
                return act()
            except sqlite3.OperationalError as fault:
                if not left or fault.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                    raise self._fault(fault) from fault
            except FAULTS as fault:
                raise self._fault(fault) from fault
        raise AssertionError

    def _fault(self, why: BaseException | str) -> StoreError:
        return StoreError(f"the store `{self.path}`: {why}")


def _bytes(found: object) -> bytes:
    if type(found) is bytes:
        return found
    raise StoreError("the store is damaged: bytes were expected")
