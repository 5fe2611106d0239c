"""A cache of what is known about whole files: a warm run needs neither the parser nor a solver.

NOTE(cache-key): an entry is found by everything that its content depends on: the version and the very source of the
tool, the versions of parser and solvers, the options, the path and text of the file, and the texts of all files that
were read for it (or were looked for and missing). Entries are never changed, only added; so branches can share a
directory, and an interrupted run leaves nothing half-written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import policyctl
from policyctl.files import write_atomically

DIRECTORY = ".policyctl-cache"
_DEPENDS_ON = ("lark", "z3-solver", "cvc5")
_MOST_VARIANTS = 8
_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55"

Reads = Mapping[str, str]
"""Path to the digest of its text, or "" for a file that was looked for and is not there."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Entries in `directory`; None keeps nothing and finds nothing."""

    directory: Path | None

    def find(self, path: str, options: str) -> dict[str, Any] | None:
        """The entry for the file as it stands, or None."""
        if self.directory is None:
            return None
        first = _first_key(path, options)
        for names in self._variants(first):
            entry = _checked(self.directory / f"{_second_key(first, current_reads(names))}.json")
            if entry is not None:
                return entry
        return None

    def keep(self, path: str, options: str, reads: Reads, entry: dict[str, Any]) -> None:
        """Remember `entry`, unless a file has changed since it was read. A cache that cannot be written is no error."""
        if self.directory is None or current_reads(reads) != dict(reads):
            return
        first = _first_key(path, options)
        variants = [sorted(reads), *(v for v in self._variants(first) if v != sorted(reads))]
        try:
            self._prepare()
            write_atomically(self.directory / f"{_second_key(first, reads)}.json", _with_sum(entry))
            write_atomically(self.directory / f"{first}.reads", json.dumps(variants[:_MOST_VARIANTS]))
        except OSError:
            return

    def _variants(self, first: str) -> list[list[str]]:
        """The lists of files that were read for this file before, in whatever branch."""
        assert self.directory is not None
        try:
            found = json.loads((self.directory / f"{first}.reads").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        is_lists = isinstance(found, list) and all(isinstance(v, list) for v in found)
        return found if is_lists and all(isinstance(n, str) for v in found for n in v) else []

    def _prepare(self) -> None:
        assert self.directory is not None
        marker = self.directory / "CACHEDIR.TAG"
        if not marker.exists():
            write_atomically(marker, f"{_SIGNATURE}\n# Made by policyctl; may be deleted.\n")
            write_atomically(self.directory / ".gitignore", "*\n")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def current_reads(paths: Mapping[str, str] | list[str]) -> dict[str, str]:
    return {path: _digest_now(path) for path in sorted(paths)}


def _digest_now(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def _first_key(path: str, options: str) -> str:
    return digest(json.dumps(["1", tool_digest(), options, path, _digest_now(path)]))


def _second_key(first: str, reads: Reads) -> str:
    return digest(json.dumps([first, sorted(reads.items())]))


@cache
def tool_digest() -> str:
    """Stands for the tool itself: a change anywhere in its source makes every entry unfindable."""
    h = hashlib.sha256(policyctl.__version__.encode())
    root = Path(policyctl.__file__).parent.parent
    for package in ("policydsl", "verifier", "policyctl"):
        for path in sorted((root / package).rglob("*")):
            if path.suffix in {".py", ".lark", ".json"}:
                h.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
                h.update(path.read_bytes())
    for name in _DEPENDS_ON:
        h.update(f"\0{name} {metadata.version(name)}".encode())
    return h.hexdigest()


def _with_sum(entry: dict[str, Any]) -> str:
    body = json.dumps(entry, ensure_ascii=False, sort_keys=True)
    return f"{digest(body)}\n{body}\n"


def _checked(path: Path) -> dict[str, Any] | None:
    """The entry, or None when it is missing, cut off or tampered with by accident."""
    try:
        total, body, rest = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError):
        return None
    if rest or digest(body) != total:
        return None
    found: dict[str, Any] = json.loads(body)
    return found
