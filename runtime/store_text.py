"""Keys and values of rows to text, and back to what they were, type and all."""

from __future__ import annotations

import json

from policydsl.core.types import Value
from runtime.store import StoreError

_ENCODER = json.JSONEncoder()
"""Writes ASCII, so NUL and everything else that some databases do not take is escaped."""


def keys_to_text(keys: tuple[str, ...]) -> str:
    """A JSON array of strings; the same keys give the same text."""
    return f"[{','.join(map(_ENCODER.encode, keys))}]"


def keys_from_text(text: str) -> tuple[str, ...]:
    """What `keys_to_text` was given."""
    keys = _loaded(text)
    if not isinstance(keys, list) or not all(type(key) is str for key in keys):
        raise StoreError("the store is damaged: the keys of a row are not a list of strings")
    return tuple(keys)


def value_to_text(value: Value) -> str:
    """`true`, `false`, a number, or a JSON string."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return _ENCODER.encode(value) if isinstance(value, str) else str(value)


def value_from_text(text: str) -> Value:
    """What `value_to_text` was given."""
    value = _loaded(text)
    if isinstance(value, bool | int | str):
        return value
    raise StoreError("the store is damaged: a row holds no bool, int or string")


def _loaded(text: object) -> object:
    if not isinstance(text, str):
        raise StoreError("the store is damaged: a row holds no text")
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as fault:
        raise StoreError("the store is damaged: a row holds no JSON") from fault
    return found
