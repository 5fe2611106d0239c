"""What stands in a call to a value that a policy knows: whole numbers, names in one spelling, paths without `..`.

Each conversion raises `UnfitError` for what it does not understand: then the call is denied. What two spellings mean is
the same value afterwards, so that rules cannot be got round by writing differently.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from pydantic import AwareDatetime, TypeAdapter, ValidationError

_TIME = TypeAdapter(AwareDatetime)


class UnfitError(ValueError):
    """A value that cannot be what the policy needs. The text completes "`x` …"."""


def as_json(value: Any) -> str:
    """Any value as text, the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def as_text(value: Any) -> str:
    """Texts as they are, and other values as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_path(value: Any, within: Any = None) -> str:
    """An absolute path in its shortest spelling, of one that may be relative to `within`.

    Links are not followed: that is up to the file system, and only who opens the file can do it without a race.
    """
    path = _text(value)
    if "\0" in path:
        raise UnfitError("has a zero byte in it")
    if path.startswith("~"):
        raise UnfitError("begins with `~`, and whose home that is only the host knows")
    if not path.startswith("/"):
        base = within if isinstance(within, str) else ""
        if not base.startswith("/"):
            raise UnfitError("is relative, and to what is not said")
        path = posixpath.join(base, path)
    # Two slashes at the beginning are one here: POSIX leaves them open, and systems that run bots take them for one.
    return "/" + posixpath.normpath(path).lstrip("/")


def as_host(value: Any) -> str:
    """The name of the machine that a URL leads to, in lower case; of `www.example.com/x`, too."""
    text = _text(value).strip()
    # Browsers take `\` for `/` and drop line ends: what one of them may read differently leads nowhere here.
    if any(c in text for c in "\\\t\r\n\0 "):
        raise UnfitError("is no URL that all programs read alike")
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        name = (parts.hostname or "").rstrip(".")
        name = name.encode("idna").decode("ascii") if not name.isascii() else name
    except ValueError as error:
        raise UnfitError("is no URL") from error
    if not name or "%" in name or parts.username is not None:
        raise UnfitError("is no URL that says plainly where it leads")
    return name.lower()


def as_lower(value: Any) -> str:
    """A name that is the same in capitals, like an e-mail address, without space around it."""
    return _text(value).strip().casefold()


def as_digest(value: Any) -> str:
    """SHA-256 of the value as JSON, in hexadecimal: binds a decision to what it was about."""
    return hashlib.sha256(as_json(value).encode()).hexdigest()


def as_length(value: Any) -> int:
    """How many characters a text has, or members a list."""
    if not isinstance(value, str | list):
        raise UnfitError("is neither a text nor a list")
    return len(value)


def as_time(value: Any) -> int:
    """ISO 8601 with a time zone, in milliseconds since 1970."""
    text = _text(value)
    try:
        # A number alone would be read as seconds since 1970, or milliseconds if there are many.
        at = _TIME.validate_python(text if "-" in text[1:] else "")
    except ValidationError as error:
        raise UnfitError("is no date and time with a time zone, as ISO 8601 has them") from error
    return int(Decimal(repr(at.timestamp())) * 1000)


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "json": as_json,
    "text": as_text,
    "path": as_path,
    "host": as_host,
    "lower": as_lower,
    "digest": as_digest,
    "length": as_length,
    "time": as_time,
}


def times(value: Any, factor: int) -> int:
    """`value` x `factor`, which has to be whole: 12.50 is 1250 with a factor of 100. Numbers may be texts."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnfitError("is no number")
    try:
        found = Decimal(str(value)) * factor
    except InvalidOperation as error:
        raise UnfitError("is no number") from error
    if not found.is_finite() or found != found.to_integral_value() or abs(found) > 10**30:
        raise UnfitError(f"is no whole number of 1/{factor}")
    return int(found)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnfitError("is no text")
    return value
