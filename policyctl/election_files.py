"""The files of an election, to what is in them and back: keys, the roll, single posts, and the board itself."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

from voting.board import json_of, write_board
from voting.faults import Code, Fault, RefusedError, refuse
from voting.keys import Secret
from voting.posts import Envelope, Model, Name, Person, Trustee, Voter, parsed
from voting.transcript import canonical

PUBLIC = ".pub"
_SEED_DIGITS = 64


class KeyFile(Model):
    """A key file: whoever has it can act as this person."""

    name: Name
    secret: str


def make_key(path: Path, name: str, seed: bytes) -> Trustee:
    """Write a new secret to `path`, for its owner alone to read, and what others may know of it beside it."""
    secret = Secret(seed)
    text = canonical({"name": name, "secret": seed.hex()}) + "\n"
    public = parsed(Trustee, {"name": name, "sign": secret.sign_key.hex(), "box": secret.box_key.hex()}, "the name")
    # Never over a key that is there: it may be the only one.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
    path.with_suffix(PUBLIC).write_text(canonical(public.model_dump()) + "\n", encoding="ascii")
    return public


def read_key(path: Path) -> tuple[str, Secret]:
    """Whose key this is, and the secret. Raises `RefusedError`."""
    found = parsed(KeyFile, _json(path), str(path))
    try:
        seed = bytes.fromhex(found.secret)
    except ValueError:
        seed = b""
    if 2 * len(seed) != _SEED_DIGITS:
        raise refuse(Code.SHAPE, f"{path}, secret", f"it takes {_SEED_DIGITS} hexadecimal digits")
    return found.name, Secret(seed)


def read_public(path: Path) -> Trustee:
    return parsed(Trustee, _json(path), str(path))


def person_of(name: str, secret: Secret) -> Person:
    return Person.model_construct(name=name, sign=secret.sign_key)


def read_voters(path: Path, scores: Mapping[str, int] | None = None) -> list[Voter]:
    """The roll as a table with the columns name, weight and key; a key is 64 digits, or a file beside the table.

    With `scores`, these are the weights, and the table has no column for them.
    """
    rows = csv.DictReader(io.StringIO(_text(path)), strict=True)
    voters: list[Voter] = []
    faults: list[Fault] = []
    try:
        for row in rows:
            try:
                voters.append(_voter(row, path, rows.line_num, scores))
            except RefusedError as error:
                faults += error.faults
    except csv.Error as error:
        raise refuse(Code.SHAPE, f"{path}, line {rows.line_num}", str(error)) from None
    if faults:
        raise RefusedError(*faults)
    return voters


def _voter(row: dict[str, str], path: Path, line: int, scores: Mapping[str, int] | None) -> Voter:
    place = f"{path}, line {line}"
    columns = ("name", "key") if scores is not None else ("name", "weight", "key")
    if row.keys() != set(columns) or None in row.values():
        raise refuse(Code.SHAPE, place, f"a table of voters has the columns {', '.join(columns)} and no others")
    key = row["key"]
    if key.endswith(PUBLIC):
        key = read_public(path.parent / key).sign.hex()
    weight = row.get("weight", "")
    if scores is not None:
        number = scores.get(row["name"], 0)
    else:
        number = int(weight) if weight.isascii() and weight.isdigit() and len(weight) <= 20 else -1
    return parsed(Voter, {"name": row["name"], "weight": number, "sign": key}, place)


def read_post(path: Path) -> Envelope:
    return parsed(Envelope, _json(path), str(path))


def post_text(post: Envelope) -> str:
    return canonical(post.model_dump()) + "\n"


def board_text(posts: list[Envelope]) -> str:
    return write_board(posts).decode("ascii")


def _json(path: Path) -> object:
    return json_of(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(Code.JSON, str(path), f"this is not UTF-8: {error.reason}") from None
    except FileNotFoundError:
        raise refuse(Code.SHAPE, str(path), "there is no such file") from None
