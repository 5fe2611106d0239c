"""Certificates as `verify` writes them to the parts of a bundle: the same for the same policies, wherever they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from policydsl.core.from_json import from_data
from policydsl.core.system import System
from policydsl.core.to_json import dumps

Part = tuple[System, str]
"""A policy, and the text of its certificate."""


def to_parts(certificates: Iterable[str]) -> list[Part]:
    """The policies that these texts are about, and the certificates, with places as seen from the folder that has all
    the files."""
    found: list[dict[str, Any]] = [json.loads(text) for text in certificates]
    placed = [data[part] for data in found for part in ("core", "formulas")]
    files = {path: Path(path).resolve() for part in placed for path in _paths(part["spans"])}
    folder = os.path.commonpath([file.parent for file in files.values()]) if files else ""
    seen = {path: file.relative_to(folder).as_posix() for path, file in files.items()}
    for part in placed:
        part["spans"] = _renamed(part["spans"], seen.__getitem__)
    return [(from_data(data["core"]), dumps(data)) for data in found]


def _is_place(data: Any) -> bool:
    return isinstance(data, list) and len(data) == 5 and isinstance(data[0], str)


def _paths(data: Any) -> Iterator[str]:
    if _is_place(data):
        yield data[0]
    elif isinstance(data, list | dict):
        for below in data.values() if isinstance(data, dict) else data:
            yield from _paths(below)


def _renamed(data: Any, name: Callable[[str], str]) -> Any:
    if _is_place(data):
        return [name(data[0]), *data[1:]]
    if isinstance(data, dict):
        return {key: _renamed(below, name) for key, below in data.items()}
    return [_renamed(below, name) for below in data] if isinstance(data, list) else data
