"""Records of a decision log to a table for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted

from policyctl.paint import PLAIN, Paint
from policydsl.core.system import NOW
from policydsl.core.types import Value
from runtime.records import Entry, Event, Record

_STYLES = {"allow": "green", "deny": "bold red", "approve": "bold yellow"}
_PLAIN_WORD = re.compile(r"[\w.@:/+-]{1,40}")
_LONGEST = 40
_WIDEST = max(map(len, _STYLES))


def render_record(record: Record, paint: Paint = PLAIN) -> str:
    """One line, without its line break. What stands in records comes from outside, so nothing of it is trusted to be
    fit for a terminal."""
    at = paint("dim", time_text(record.at))
    if isinstance(record, Event):
        told = ", ".join(f"{_word(k)}={_any(v)}" for k, v in record.data.items())
        return f"{record.n:>6}  {at}  {paint('cyan', 'event'.ljust(_WIDEST))}  {_word(record.event)}({told})"
    effect = paint(_STYLES[record.effect], record.effect.ljust(_WIDEST))
    given = ", ".join(f"{_word(k)}={_word(v)}" for k, v in record.inputs if k != NOW)
    return f"{record.n:>6}  {at}  {effect}  {_word(record.action)}({given}){paint('dim', _because(record))}"


def _because(e: Entry) -> str:
    parts = list(_parts(e))
    return f"  {' · '.join(parts)}" if parts else ""


def _parts(e: Entry) -> Iterator[str]:
    if e.effect != "allow":
        yield e.code
    if e.reason:
        yield _printable(e.reason)
    if e.rules:
        yield f"by {', '.join(map(_word, e.rules))}"
    if e.obligations:
        yield ", ".join(f"{_word(name)}({', '.join(map(_word, args))})" for name, args in e.obligations)
    if e.mode != "enforce":
        yield f"not enforced: {e.mode}"
    if not e.replayable:
        yield "cannot be replayed"


def time_text(at: int) -> str:
    """Milliseconds to a time in UTC, or to themselves when they are no time of a calendar."""
    try:
        moment = datetime.fromtimestamp(at // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(at)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at % 1000:03d}Z"


def _word(value: Value) -> str:
    if not isinstance(value, str):
        return str(value).lower()
    if _PLAIN_WORD.fullmatch(value):
        return value
    return quoted(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…").replace("\\u2026", "…")


def _any(value: object) -> str:
    if isinstance(value, str | int):
        return _word(value)
    return f"({len(value)})" if isinstance(value, list | dict) else "-"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)
