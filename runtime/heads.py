"""Sizes and roots of trees to signed heads and back: `policyctl-head/1`, canonical JSON with an Ed25519 signature.

A head is small enough to keep elsewhere, and then it says for good what a log was up to there. Signatures need the
package `cryptography` (the extra `sign`), which is loaded when one is made or checked. Whom to trust is said by whoever
checks: a head names its key, but that is a hint and proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING

from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.to_json import dumps
from runtime.merkle import HASH_SIZE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "FORMAT",
    "SEED_SIZE",
    "Head",
    "MalformedError",
    "SigningError",
    "from_text",
    "generate_key",
    "key_id",
    "private_pem",
    "public_of",
    "public_pem",
    "read_private",
    "read_public",
    "sign",
    "signature_fault",
    "to_text",
]

FORMAT = "policyctl-head/1"
SEED_SIZE = 32
_SIGNATURE_SIZE = 64
_ID_SIZE = 16


class SigningError(Exception):
    """A key cannot be read, or nothing can be signed or checked here. The text says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a log was at one time: so many records, with this root. `at` is in milliseconds.

    `key` is the `key_id` of who signed it; both are empty when nobody did.
    """

    size: int
    root: bytes
    at: int
    key: str = ""
    signature: bytes = b""

    @property
    def signed(self) -> bool:
        return bool(self.signature)


def _data(head: Head) -> dict[str, object]:
    return {"format": FORMAT, "size": head.size, "root": head.root.hex(), "at": head.at, "key": head.key}


def signed_part(head: Head) -> bytes:
    """What the signature is of: everything else, the format and the key included."""
    return dumps(_data(head)).encode("ascii")


def to_text(head: Head) -> str:
    """`head` as one line of canonical JSON; `from_text` reads it back."""
    return dumps({**_data(head), "signature": head.signature.hex()})


def from_text(text: str) -> Head:
    """The head that `to_text` made `text` of, spaces and line breaks aside. Raises `MalformedError` for anything else,
    and does not look at the signature: see `signature_fault`."""
    r = Reader(parse(text))
    r.fields("format", "size", "root", "at", "key", "signature")
    if r["format"].text() != FORMAT:
        raise r["format"].malformed(f"expected {FORMAT!r}")
    head = Head(
        r["size"].whole(),
        _hex(r["root"], HASH_SIZE),
        r["at"].whole(),
        r["key"].text(),
        _hex(r["signature"], _SIGNATURE_SIZE) if r["signature"].text() else b"",
    )
    if head.size < 0:
        raise r["size"].malformed("expected a number of records")
    if bool(head.key) != head.signed:
        raise r["key"].malformed("a key and a signature come together or not at all")
    return head


def _hex(r: Reader, size: int) -> bytes:
    try:
        found = bytes.fromhex(r.text())
    except ValueError:
        found = b""
    if len(found) != size or found.hex() != r.text():
        raise r.malformed(f"expected {size} bytes in lower-case hexadecimal")
    return found


def generate_key(seed: bytes) -> Ed25519PrivateKey:
    """The private key that belongs to `SEED_SIZE` random bytes, which are as secret as the key."""
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)


def public_of(key: Ed25519PrivateKey) -> Ed25519PublicKey:
    return key.public_key()


def key_id(key: Ed25519PublicKey) -> str:
    """A short name of a key, the same for the same key."""
    return sha256(key.public_bytes_raw()).hexdigest()[:_ID_SIZE]


def sign(head: Head, key: Ed25519PrivateKey) -> Head:
    """`head` signed with `key`, whatever signature it had."""
    named = replace(head, key=key_id(key.public_key()), signature=b"")
    return replace(named, signature=key.sign(signed_part(named)))


def signature_fault(head: Head, trusted: Ed25519PublicKey) -> str | None:
    """Why `head` is not one that the holder of the trusted key signed; None when it is."""
    if not head.signed:
        return "the head is unsigned"
    if head.key != key_id(trusted):
        return f"the head is signed with another key, `{head.key}`, and the trusted one is `{key_id(trusted)}`"
    from cryptography.exceptions import InvalidSignature

    try:
        trusted.verify(head.signature, signed_part(head))
    except InvalidSignature:
        return "the signature of the head does not hold"
    return None


def private_pem(key: Ed25519PrivateKey) -> str:
    """`key` as an unencrypted PEM text (PKCS#8), as other tools read it too."""
    from cryptography.hazmat.primitives import serialization as s

    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode("ascii")


def public_pem(key: Ed25519PublicKey) -> str:
    from cryptography.hazmat.primitives import serialization as s

    return key.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def read_private(text: str) -> Ed25519PrivateKey:
    """The private key in a PEM text; raises `SigningError`."""
    _need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What the library says of it is about its own parsing.
        raise SigningError("this is no unencrypted private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError("the key is not for Ed25519")
    return key


def read_public(text: str) -> Ed25519PublicKey:
    """The public key in a PEM text; that of a private key is refused, since it was to stay where it is."""
    _need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise SigningError("this is no public key in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SigningError("the key is not for Ed25519")
    return key


def _need_cryptography() -> None:
    if find_spec("cryptography") is None:
        raise SigningError("signatures need the package `cryptography`: install `policyctl[sign]`")
