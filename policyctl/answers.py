"""What the solvers answered before, in one SQLite file beside the cache of files.

Keys are digests of the whole text, the limits and the solvers' versions, so an answer is never stale: branches,
machines and processes may share the file. SQLite's own journal keeps it whole when a run is interrupted.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

FILE = "answers.sqlite"


class StoredAnswers:
    """Answers in `directory`. A file that cannot be read or written is the same as an empty one."""

    def __init__(self, directory: Path) -> None:
        self._connection: sqlite3.Connection | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(directory / FILE, timeout=10, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)")
            self._connection = connection
        except (sqlite3.Error, OSError):
            return

    def get(self, key: str) -> str | None:
        """The answer to `key`, or None."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error:
            return None
        return str(row[0]) if row else None

    def put(self, key: str, answer: str) -> None:
        """Remember an answer; one that is there already is the same."""
        if self._connection is None:
            return
        try:
            self._connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, answer))
        except sqlite3.Error:
            self._connection = None

    def close(self) -> None:
        """Leave one file behind, without a journal beside it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
