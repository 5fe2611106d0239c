"""Labels and values to the numbers and digests that are made of them by hashing.

NOTE(fiat-shamir): a challenge is the hash of everything that it must depend on: what the proof is for, the election,
who makes it, the key, the whole statement, and the prover's commitments. Leaving out the statement ("weak"
Fiat-Shamir) made it possible to tamper with results in Helios, and to keep a tally from ever ending: Bernhard, Pereira
and Warinschi, *How not to prove yourself*, ASIACRYPT 2012. Each kind of hash begins with a label of its own, and each
part with its length, so no two different lists of parts are hashed as the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from voting.group import ORDER

PROTOCOL = "policyctl-election/1"


def _bytes(label: str, parts: tuple[bytes | str | int, ...]) -> bytes:
    found = []
    for part in (PROTOCOL, label, *parts):
        match part:
            case bytes():
                kind, data = b"b", part
            case str():
                kind, data = b"s", part.encode()
            case _:
                kind, data = b"i", b"%d" % part
        found.append(kind + len(data).to_bytes(8, "big") + data)
    return b"".join(found)


def scalar_of(label: str, *parts: bytes | str | int) -> int:
    """A number modulo the order of the group: a challenge, a mask, or a secret that is derived from another."""
    # SOUND: see NOTE(fiat-shamir); 512 bits make the remainder even.
    return int.from_bytes(hashlib.sha512(_bytes(label, parts)).digest(), "little") % ORDER


def digest_of(label: str, *parts: bytes | str | int) -> bytes:
    return hashlib.sha256(_bytes(label, parts)).digest()


def canonical(value: Any) -> str:
    """The one text of a JSON value: keys sorted, no spaces, ASCII. Raises `ValueError` for what JSON does not have."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
