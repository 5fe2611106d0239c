"""The bytes of a bulletin board to its entries and back: canonical JSON in which each hash covers all before it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from voting.faults import Code, refuse
from voting.posts import Entry, Envelope, parsed
from voting.transcript import canonical, digest_of

EMPTY = digest_of("board")
"""The hash of a board with nothing on it."""


def next_hash(before: bytes, post: dict[str, Any]) -> bytes:
    return digest_of("entry", before, canonical(post))


def read_board(data: bytes) -> list[Entry]:
    """The entries of a board. Raises `RefusedError` where the text is not what `write_board` would write for them."""
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise refuse(Code.CANONICAL, f"byte {error.start}", "a board is ASCII") from None
    if lines[0] != "[" or lines[-2:] != ["]", ""]:
        raise refuse(Code.CANONICAL, "", "a board begins with a line `[` and ends with a line `]`")
    entries: list[Entry] = []
    before = EMPTY
    last = len(lines) - 3
    for number, line in enumerate(lines[1:-2], 1):
        comma = "," if number < last else ""
        entry = _entry(line, comma, number, before)
        entries.append(entry)
        before = entry.hash
    return entries


def _entry(line: str, comma: str, number: int, before: bytes) -> Entry:
    place = f"line {number + 1}"
    value = json_of(line.removesuffix(","), place)
    # SOUND: there is one text for each board, so a changed byte that changes no value shows, too.
    if canonical(value) + comma != line:
        raise refuse(Code.CANONICAL, place, "this is not the canonical text of what it says")
    if not isinstance(value, dict) or value.keys() != {"hash", "post"} or not isinstance(value["post"], dict):
        raise refuse(Code.SHAPE, place, "an entry has a `hash` and a `post`")
    found = next_hash(before, value["post"])
    if value["hash"] != found.hex():
        raise refuse(Code.CHAIN, place, "the hash is not that of this post after those before it")
    return Entry(number, parsed(Envelope, value["post"], f"entry {number}"), found)


def json_of(text: str, place: str) -> Any:
    """The value of a JSON text. Raises `RefusedError`, whatever the text."""
    try:
        value = json.loads(text)
        canonical(value)
    # Numbers of thousands of digits and deep nesting are limits of Python, not of JSON.
    except (ValueError, RecursionError) as error:
        raise refuse(Code.JSON, place, f"this is not JSON: {str(error).partition(';')[0]}") from None
    return value


def write_board(posts: Iterable[Envelope]) -> bytes:
    """The text of a board with these posts."""
    lines, before = [], EMPTY
    for post in posts:
        value = post.model_dump()
        before = next_hash(before, value)
        lines.append(canonical({"hash": before.hex(), "post": value}))
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode("ascii")
