"""The body of a request to a JSON value; what two programs could read differently is refused."""

from __future__ import annotations

from typing import Any

from policydsl.core import read_json

MOST = 1 << 20
"""Bytes that a body may have."""


class BadRequestError(ValueError):
    """The request is none that can be answered; the text says why."""


def parse(body: bytes, most: int = MOST) -> Any:
    """The value in `body`. Raises `BadRequestError`."""
    if len(body) > most:
        raise BadRequestError(f"it has more than {most} bytes")
    try:
        return read_json.parse(body.decode("utf-8"))
    except read_json.MalformedError as error:
        raise BadRequestError(f"it is no JSON: {error.text.removeprefix('not JSON: ')}") from error
    except UnicodeDecodeError as error:
        raise BadRequestError("it is no JSON: it is not in UTF-8") from error


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
