"""Who may do what at the sidecar: a file of tokens goes in, the bearer of a token comes out.

A line of the file is `NAME ROLES SHA256`: who bears it, what they may (`ask` about calls, `answer` questions, `admin`),
and the SHA-256 of the token in hexadecimal. So the file itself gives nobody a token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

ROLES = ("ask", "answer", "admin")
_LINE = re.compile(r"(\S+)\s+([a-z,]+)\s+([0-9a-f]{64})")


class TokenError(ValueError):
    """The file is none of tokens."""


@dataclass(frozen=True, slots=True)
class Bearer:
    name: str
    roles: frozenset[str]
    digest: str


def read(text: str) -> tuple[Bearer, ...]:
    """The bearers in a file. Raises `TokenError`."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        roles = frozenset(match[2].split(",")) if match else frozenset()
        if match is None or not roles <= frozenset(ROLES):
            raise TokenError(f"line {number} is not `NAME ROLES SHA256`, with roles among {', '.join(ROLES)}")
        found.append(Bearer(match[1], roles, match[3]))
    if not found:
        raise TokenError("there is no token in it")
    return tuple(found)


def line(name: str, roles: Iterable[str], token: str) -> str:
    """The line of the file that makes `name` the bearer of `token`."""
    return f"{name} {','.join(roles)} {digest(token)}"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def bearer(bearers: Iterable[Bearer], header: str) -> Bearer | None:
    """Whose token a header `Authorization: Bearer …` has."""
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer":
        return None
    wanted, found = digest(token.strip()), None
    for one in bearers:  # all of them, so that how long it takes tells nothing
        if hmac.compare_digest(one.digest, wanted):
            found = one
    return found
