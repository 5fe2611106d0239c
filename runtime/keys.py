"""Idempotency keys: what was answered under each, so that a request that comes again gets the same answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.to_json import dumps
from runtime import decision_json
from runtime.decision import Decision
from runtime.store import StoreError, Transaction

KEY = "key"


class Reused:
    """The key was used for another request."""


_REQUEST: Final = "request"


def find(tx: Transaction, key: str, action: str, inputs: Mapping[str, Any]) -> Decision | type[Reused] | None:
    """What was answered to this request under this key, if anything was. Raises `StoreError`."""
    note = tx.get(KEY, key)
    if note is None:
        return None
    try:
        r = Reader(parse(note.decode()), f"key {key}")
        r.fields(_REQUEST, "decision")
        return decision_json.from_data(r["decision"].value) if r[_REQUEST].text() == _digest(action, inputs) else Reused
    except (MalformedError, UnicodeDecodeError) as error:
        raise StoreError(f"what was answered under the key `{key}` cannot be read: {error}") from error


def keep(tx: Transaction, key: str, action: str, inputs: Mapping[str, Any], decision: Decision) -> None:
    """Remember what was answered; nothing without a key."""
    if key:
        note = {_REQUEST: _digest(action, inputs), "decision": decision_json.to_data(decision)}
        tx.put(KEY, key, dumps(note).encode())


def replace(tx: Transaction, key: str, decision: Decision) -> None:
    """Another answer under a key that has one: a person has spoken, or what had to be done was not done."""
    note = tx.get(KEY, key)
    if note is not None:
        known = Reader(parse(note.decode()))
        data = {_REQUEST: known[_REQUEST].text(), "decision": decision_json.to_data(decision)}
        tx.put(KEY, key, dumps(data).encode())


def _digest(action: str, inputs: Mapping[str, Any]) -> str:
    text = json.dumps([action, dict(inputs)], sort_keys=True, default=_other)
    return sha256(text.encode()).hexdigest()


def _other(value: object) -> object:
    """Collections in any order; else what it looks like."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)
