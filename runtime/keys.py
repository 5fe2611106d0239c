"""Idempotency keys: what was answered under each, so that a request that comes again gets the same answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from hashlib import sha256

from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.to_json import dumps
from runtime import decision_json
from runtime.decision import Decision
from runtime.store import StoreError, Transaction
from runtime.store_hold import names_not_kept

KEY = "key"
MOST = 1_000
"""Characters of a key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What was answered to the request with the digest `request`, at the time `at` (milliseconds). `open` says that
    handlers are still to do what the answer obliges to, as far as anybody knows."""

    request: str
    decision: Decision
    open: bool
    at: int


def none(key: object) -> bool:
    """Whether something says that there is no key."""
    return key is None or (isinstance(key, str) and not key)


def fault(key: object) -> str:
    """Why something is no key, or ""."""
    if not isinstance(key, str) or names_not_kept((key,)):
        return "a key is a text"
    return "" if len(key) <= MOST else f"a key has at most {MOST:,} characters"


def find(tx: Transaction, key: str) -> Kept | None:
    """What was answered under this key, if anything was. Raises `StoreError`."""
    note = tx.get(KEY, key)
    return None if note is None else _read(key, note)


def _read(key: str, note: bytes) -> Kept:
    try:
        r = Reader(parse(note.decode()), f"key {key}")
        r.fields("request", "decision", "open", "at")
        decision = decision_json.from_data(r["decision"].value)
        return Kept(r["request"].text(), decision, r["open"].any_scalar() is True, r["at"].whole())
    except (MalformedError, UnicodeDecodeError) as error:
        raise StoreError(f"what was answered under the key `{key}` cannot be read: {error}") from error


def forget(tx: Transaction, before: int, but: frozenset[str]) -> int:
    """Remove what was answered before a time, and is over: no person and no handler is waited for, and it is none of
    these keys. How many there were."""
    over = [
        key
        for key, note in tx.notes(KEY)
        if key not in but and (k := _read(key, note)).at < before and not k.open and k.decision.effect != "approve"
    ]
    for key in over:
        tx.put(KEY, key, None)
    return len(over)


def keep(tx: Transaction, key: str, kept: Kept) -> None:
    """Remember what was answered."""
    decision = decision_json.to_data(kept.decision)
    note = {"request": kept.request, "decision": decision, "open": kept.open, "at": kept.at}
    tx.put(KEY, key, dumps(note).encode())


def replace(tx: Transaction, key: str, decision: Decision, *, open_: bool = False) -> None:
    """Another answer under a key that has one: a person has spoken, or nobody has."""
    known = find(tx, key) if key else None
    if known is not None:
        keep(tx, key, dataclasses.replace(known, decision=decision, open=open_))


def discharged(tx: Transaction, key: str, decision: Decision, answer: Decision) -> None:
    """What `decision` obliges to was done, or tried; that makes it this `answer`, unless there is another by now."""
    known = find(tx, key)
    if known is not None and known.decision == decision:
        keep(tx, key, dataclasses.replace(known, decision=answer, open=False))


def digest(action: object, inputs: object) -> str:
    """What two requests share if and only if they are the same."""
    try:
        given = dict(inputs) if isinstance(inputs, Mapping) else inputs
        text = json.dumps([action, given], sort_keys=True, default=_other)
    except (TypeError, ValueError, RecursionError):
        text = "a request that cannot be written down, and was denied for that"
    return sha256(text.encode()).hexdigest()


def _other(value: object) -> object:
    """Collections in any order; else what it is."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else type(value).__name__
