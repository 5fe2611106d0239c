"""Paths on the command line to policy files and their texts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePath

from policydsl.diagnostics import Diagnostic, Severity
from policydsl.source import Span

SUFFIX = ".policy"
MOST_BYTES = 4_000_000


def find(paths: Iterable[str]) -> tuple[list[str], list[Diagnostic]]:
    """Every file named and every `*.policy` below a directory named, each once, sorted; and what could not be found."""
    found: set[str] = set()
    troubles: list[Diagnostic] = []
    for name in paths:
        path = Path(name)
        if path.is_dir():
            below = [p for p in path.rglob(f"*{SUFFIX}") if p.is_file() and not _hidden(p.relative_to(path))]
            found.update(p.as_posix() for p in below)
            if not below:
                troubles.append(trouble("I953", f"no `*{SUFFIX}` file below `{name}`", name))
        elif path.is_file():
            found.add(path.as_posix())
        else:
            troubles.append(trouble("I950", f"there is no file or directory `{name}`", name))
    return sorted(found), troubles


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def read_text(path: str) -> str:
    """The text of a policy. Raises `OSError` or `UnicodeDecodeError`; `unreadable` tells beforehand."""
    return decode(Path(path).read_bytes())


def decode(data: bytes) -> str:
    """Lines end in line feeds alone, whatever system the file comes from."""
    return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def unreadable(path: str) -> Diagnostic | None:
    """Why a file cannot be taken as a policy, if it cannot."""
    try:
        size = Path(path).stat().st_size
        if size > MOST_BYTES:
            return trouble("I952", f"`{path}` has {size:_} bytes, and the limit is {MOST_BYTES:_}", path)
        read_text(path)
    except UnicodeDecodeError as error:
        return trouble("I951", f"`{path}` is not UTF-8: {error.reason} at byte {error.start}", path)
    except OSError as error:
        return trouble("I950", f"`{path}` cannot be read: {error.strerror}", path)
    return None


def texts_of(paths: Iterable[str]) -> dict[str, str]:
    """The texts of those that can be read, for underlining."""
    return {path: read_text(path) for path in dict.fromkeys(paths) if path and unreadable(path) is None}


def write_atomically(path: Path, text: str) -> None:
    """Either the whole text stands at `path` afterwards, or what stood there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        if path.exists():
            Path(name).chmod(path.stat().st_mode & 0o777)
        else:
            Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def beside(path: str, suffix: str) -> str:
    """The relative path of what is written about the policy at `path`: the same directories, another suffix."""
    parts = [p for p in PurePath(path).with_suffix("").parts if p not in {"..", PurePath(path).anchor}]
    return PurePath(*parts).as_posix() + suffix


def trouble(code: str, text: str, path: str) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, text, Span(path, 0, 0, 0, 0))
