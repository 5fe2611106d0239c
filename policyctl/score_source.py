"""The words by which a user names scores (a run, a store, a table) to the scores of an epoch."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click

from policydsl.state import EVERYONE_ELSE
from runtime.scores import LARGEST, Scores

RECORD = "reputation.json"
"""Where a recorded run has them."""
_SQLITE = b"SQLite format 3\x00"


def read_scores(where: str, epoch: int | None, variable: str) -> Scores:
    """The scores at a path or URL; what is not there or cannot be read is a message to the user."""
    if "://" in where:
        return Scores(_from_store(where, variable), epoch or 0)
    path = Path(where)
    if path.is_dir():
        path /= RECORD
        if not path.is_file():
            raise click.UsageError(f"`{where}` has no `{RECORD}`: no Reputation Tracker took part in that run")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"`{path}` cannot be read: {error.strerror}") from error
    if data.startswith(_SQLITE):
        return Scores(_from_store(where, variable), epoch or 0)
    try:
        text = data.decode()
        table, own = _from_json(text) if text.lstrip().startswith("{") else (_from_csv(text), 0)
    except ValueError as error:
        raise click.ClickException(f"`{path}` is no table of scores: {error}") from error
    return Scores(table, own if epoch is None else epoch)


def _from_json(text: str) -> tuple[dict[str, int], int]:
    """`{"alice": 112}`, or `{"epoch": 3, "scores": {"alice": 112}}`."""
    data = json.loads(text, object_pairs_hook=_once)
    table, epoch = (data["scores"], data.get("epoch", 0)) if isinstance(data.get("scores"), dict) else (data, 0)
    if type(epoch) is not int or not 0 <= epoch < LARGEST:
        raise ValueError(f"`{epoch}` is no epoch")
    return {bot: _score(bot, score) for bot, score in table.items()}, epoch


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a bot stands there twice")
    return found


def _from_csv(text: str) -> dict[str, int]:
    """Lines of a bot and its score, under the headings `bot` and `score`."""
    rows = csv.DictReader(text.splitlines())
    if not {"bot", "score"} <= set(rows.fieldnames or ()):
        raise ValueError("it has no columns `bot` and `score`")
    pairs: list[tuple[str, object]] = []
    for row in rows:
        try:
            pairs.append((row["bot"], int(row["score"])))
        except (TypeError, ValueError):
            raise ValueError(f"line {rows.line_num}: `{row['score']}` is no score") from None
    return {bot: _score(bot, score) for bot, score in _once(pairs).items()}


def _score(bot: str, score: object) -> int:
    if type(score) is not int or abs(score) >= LARGEST:
        raise ValueError(f"`{score}` is no score of `{bot}`: scores are whole numbers")
    return score


def _from_store(where: str, variable: str) -> dict[str, int]:
    """What an enforcer's store has of the variable. Who has what all others have is not named there."""
    from runtime.open_store import open_store
    from runtime.store import StoreError

    try:
        store = open_store(where)
        try:
            with store.hold() as held:
                rows = [row for row in held.rows() if row.var == variable]
        finally:
            store.close()
    except StoreError as error:
        raise click.ClickException(f"`{where}`: {error}") from error
    if not rows:
        raise click.ClickException(f"`{where}` has nothing of a variable `{variable}`: name another with --variable")
    if len({row.system for row in rows}) > 1:
        raise click.ClickException(f"`{where}` has a variable `{variable}` of more than one policy")
    found: dict[str, int] = {}
    for row in rows:
        if len(row.keys) != 1 or type(row.value) is not int:
            raise click.ClickException(f"`{variable}` is no number for each bot")
        if row.keys != (EVERYONE_ELSE,):
            found[row.keys[0]] = row.value
    return found
