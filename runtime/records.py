"""Decisions and events to the records of the log and back: `policyctl-record/1`, one canonical JSON text for each.

A record is bytes, and they are what the tree is over: ASCII, keys sorted, no spaces, so that there is one way only to
write what it says. Writing is done by hand because each decision pays for it; a test compares it with the general way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from policydsl.core.read_json import MalformedError, Reader
from policydsl.core.types import Value
from policydsl.trace import Cell, Change
from runtime.decision import Code

__all__ = [
    "EFFECTS",
    "FORMAT",
    "MODES",
    "Entry",
    "Event",
    "MalformedError",
    "Record",
    "Start",
    "canonical",
    "entry_bytes",
    "event_bytes",
    "from_bytes",
    "start_bytes",
    "start_of",
    "to_bytes",
]

FORMAT = "policyctl-record/1"
EFFECTS = ("allow", "deny", "approve")
MODES = ("enforce", "shadow")
START = "start"
_CODES = frozenset(c.value for c in Code)
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_COMMON = ("at", "event", "format", "n")


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision, the record number `n`, made at `at` (milliseconds) under the policy with this digest.

    `inputs` are all that the core knows of the request, the time and the answers of people among them, by name; those
    that the policy redacts, in their redacted form. For each of these `redacted` has a text that the policy cannot tell
    from the original (see `stand_in`), or None when there is none and so the decision cannot be replayed. `key` is the
    idempotency key, if any. `mode` is "shadow" when the decision was not enforced.
    """

    n: int
    at: int
    system: str
    policy: str
    action: str
    inputs: tuple[tuple[str, Value], ...]
    effect: str
    code: str
    reason: str = ""
    rules: tuple[str, ...] = ()
    obligations: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    changes: tuple[Change, ...] = ()
    key: str = ""
    mode: str = "enforce"
    redacted: tuple[tuple[str, str | None], ...] = ()

    @property
    def replayable(self) -> bool:
        return all(text is not None for _, text in self.redacted)


@dataclass(frozen=True, slots=True)
class Event:
    """Something else that happened to the enforcer: a policy loaded, lockdown, a question answered. `data` is JSON."""

    n: int
    at: int
    event: str
    data: Mapping[str, Any]


Record = Entry | Event


@dataclass(frozen=True, slots=True)
class Start:
    """From which state the decisions about `system` that follow go on: the initial one, but for `cells`."""

    system: str
    policy: str
    params: tuple[tuple[str, Value], ...]
    cells: tuple[Cell, ...]


def _scalar(v: Value) -> str:
    if v.__class__ is str:
        return quoted(v)
    if v is True:
        return "true"
    # Raises `TypeError` for what is no integer.
    return "false" if v is False else int.__repr__(v)


def _scalars(values: Iterable[Value]) -> str:
    return ",".join([_scalar(v) for v in values])


def _change(c: Change) -> str:
    keys = ",".join([quoted(k) for k in c.keys])
    return f"[{quoted(c.var)},[{keys}],{_scalar(c.before)},{_scalar(c.after)}]"


def entry_bytes(
    n: int,
    at: int,
    system: str,
    policy: str,
    action: str,
    inputs: Mapping[str, Value],
    effect: str,
    code: str,
    reason: str = "",
    rules: Iterable[str] = (),
    obligations: Iterable[tuple[str, Iterable[Value]]] = (),
    changes: Iterable[Change] = (),
    key: str = "",
    mode: str = "enforce",
    redacted: Mapping[str, str | None] | None = None,
) -> bytes:
    """The record of a decision; see `Entry`. Raises `TypeError` for values that are no `Value`."""
    moved = ",".join([_change(c) for c in changes])
    duties = ",".join([f"[{quoted(name)},[{_scalars(args)}]]" for name, args in obligations])
    given = ",".join([f"{quoted(k)}:{_scalar(inputs[k])}" for k in sorted(inputs)])
    hidden = ""
    if redacted:
        texts = ((k, redacted[k]) for k in sorted(redacted))
        hidden = ",".join([f"{quoted(k)}:{'null' if v is None else quoted(v)}" for k, v in texts])
    text = (
        f'{{"action":{quoted(action)},"at":{at:d},"changes":[{moved}],'
        f'"decision":{{"code":{quoted(code)},"effect":{quoted(effect)},"obligations":[{duties}],'
        f'"reason":{quoted(reason)},"rules":[{",".join([quoted(r) for r in rules])}]}},'
        f'"format":"{FORMAT}","inputs":{{{given}}},"key":{quoted(key)},"mode":{quoted(mode)},"n":{n:d},'
        f'"policy":{quoted(policy)},"redacted":{{{hidden}}},"system":{quoted(system)}}}'
    )
    return text.encode("ascii")


def event_bytes(n: int, at: int, event: str, data: Mapping[str, Any] | None = None) -> bytes:
    """The record of an event; `data` is JSON without fractions, and none of its names is one that every event has."""
    further = dict(data or {})
    if not further.keys().isdisjoint(_COMMON):
        raise ValueError(f"an event has {', '.join(_COMMON)} already")
    return _encode({**further, "at": at, "event": event, "format": FORMAT, "n": n}).encode("ascii")


def start_bytes(n: int, at: int, start: Start) -> bytes:
    """The record that a policy decides from here on, and from which state."""
    cells = [[c.var, list(c.keys), c.value] for c in start.cells]
    data = {"system": start.system, "policy": start.policy, "params": dict(start.params), "cells": cells}
    return event_bytes(n, at, START, data)


def to_bytes(record: Record) -> bytes:
    """`record` as it stands in a log; `from_bytes` reads it back."""
    if isinstance(record, Event):
        return event_bytes(record.n, record.at, record.event, record.data)
    r = record
    return entry_bytes(
        r.n,
        r.at,
        r.system,
        r.policy,
        r.action,
        dict(r.inputs),
        r.effect,
        r.code,
        r.reason,
        r.rules,
        r.obligations,
        r.changes,
        r.key,
        r.mode,
        dict(r.redacted),
    )


def from_bytes(data: bytes) -> Record:
    """The record that `data` is; raises `MalformedError` for anything else, another way to write the same included."""
    try:
        # A key that stands twice is no matter here: only one of the two would be in the canonical form.
        value = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError):
        raise MalformedError("", "not JSON in ASCII") from None
    r = Reader(value)
    record = _event(r) if r.has("event") else _entry(r)
    if r["format"].text() != FORMAT:
        raise r["format"].malformed(f"expected {FORMAT!r}")
    if record.n < 0:
        raise r["n"].malformed("records are numbered from 0")
    # SOUND: what is signed are bytes; a second way to write them would be read as the same and hash differently.
    if canonical(value) != data:
        raise MalformedError("", "not in canonical form")
    return record


def canonical(value: object) -> bytes:
    """JSON that was read to the bytes of a record; raises `MalformedError` for what no record holds."""
    try:
        return _encode(value).encode("ascii")
    except (ValueError, RecursionError):
        raise MalformedError("", "a number that is infinite, or nested too deeply") from None


def _event(r: Reader) -> Event:
    data = {name: r[name].value for name in r.names() if name not in _COMMON}
    return Event(r["n"].whole(), r["at"].whole(), r["event"].text(), data)


def _entry(r: Reader) -> Entry:
    r.fields(*_ENTRY)
    d = r["decision"]
    d.fields("code", "effect", "obligations", "reason", "rules")
    return Entry(
        r["n"].whole(),
        r["at"].whole(),
        r["system"].text(),
        r["policy"].text(),
        r["action"].text(),
        _values(r["inputs"]),
        d["effect"].one_of(EFFECTS),
        d["code"].one_of(_CODES),
        d["reason"].text(),
        _texts(d["rules"]),
        tuple(_duty(o) for o in d["obligations"].items()),
        tuple(_read_change(c) for c in r["changes"].items()),
        r["key"].text(),
        r["mode"].one_of(MODES),
        tuple((k, None if r["redacted"][k].value is None else r["redacted"][k].text()) for k in r["redacted"].names()),
    )


_ENTRY = (
    "action",
    "at",
    "changes",
    "decision",
    "format",
    "inputs",
    "key",
    "mode",
    "n",
    "policy",
    "redacted",
    "system",
)


def _texts(r: Reader) -> tuple[str, ...]:
    return tuple(x.text() for x in r.items())


def _values(r: Reader) -> tuple[tuple[str, Value], ...]:
    return tuple((name, r[name].any_scalar()) for name in r.names())


def _row(r: Reader, size: int) -> Sequence[Reader]:
    found = r.items()
    if len(found) != size:
        raise r.malformed(f"expected {size} items")
    return found


def _duty(r: Reader) -> tuple[str, tuple[Value, ...]]:
    name, args = _row(r, 2)
    return name.text(), tuple(a.any_scalar() for a in args.items())


def _read_change(r: Reader) -> Change:
    var, keys, before, after = _row(r, 4)
    return Change(var.text(), _texts(keys), before.any_scalar(), after.any_scalar())


def start_of(event: Event) -> Start | None:
    """What the event "start" says; None for other events. Raises `MalformedError`."""
    if event.event != START:
        return None
    r = Reader(dict(event.data), f"record {event.n}")
    r.fields("system", "policy", "params", "cells")
    cells = []
    for c in r["cells"].items():
        var, keys, value = _row(c, 3)
        cells.append(Cell(var.text(), _texts(keys), value.any_scalar()))
    return Start(r["system"].text(), r["policy"].text(), _values(r["params"]), tuple(cells))
