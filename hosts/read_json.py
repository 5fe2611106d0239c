"""The body of a request to a JSON value; what two programs could read differently is refused."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MOST = 1 << 20
"""Bytes that a body may have."""


class BadRequestError(ValueError):
    """The request is none that can be answered; the text says why."""


def parse(body: bytes, most: int = MOST) -> Any:
    """The value in `body`. Raises `BadRequestError`."""
    if len(body) > most:
        raise BadRequestError(f"it has more than {most} bytes")
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_none_such)
    except BadRequestError:
        raise
    except (ValueError, RecursionError) as error:
        raise BadRequestError("it is no JSON") from error


def an_object(value: Any, what: str) -> dict[str, Any]:
    """`value`, which has to be an object. Raises `BadRequestError`."""
    if not isinstance(value, dict):
        raise BadRequestError(f"{what} is no object")
    return value


def a_text(value: Any, what: str) -> str:
    """`value`, which has to be a text. Raises `BadRequestError`."""
    if not isinstance(value, str):
        raise BadRequestError(f"{what} is missing" if value is None else f"{what} is no text")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequestError("an object has two fields of the same name")
    return found


def _none_such(name: str) -> NoReturn:
    raise BadRequestError(f"`{name}` is no JSON")
