"""Signatures: a sender and a message go in, a signed message comes out that others can check.

NOTE(signatures): By default nothing is computed: the notary writes down who signed what, and asks its book. A member is
handed a `Signer` for its own name, so that it can claim anything, and forge nothing. The network is trusted to say who
sent a message. With `Ed25519Notary` signatures are real, and every receiver checks every message: that is for measuring
what cryptography costs. Its keys come from the seed of the simulation and protect nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from simulator.consensus.messages import Body, Signed


class Notary(Protocol):
    def sign(self, sender: int, body: Body) -> Signed:
        """Called through a `Signer` alone."""

    def genuine(self, message: Signed) -> bool:
        """Whether its sender signed this very message."""

    @property
    def trusts_network(self) -> bool:
        """Whether the network delivers nothing that its sender did not sign, so that receivers need not look."""

    def remembered(self, message: Signed) -> bool | None:
        """What was found out about the contents of a message earlier, by anybody."""

    def remember(self, message: Signed, valid: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Signer:
    notary: Notary
    name: int

    def __call__(self, body: Body) -> Signed:
        return self.notary.sign(self.name, body)


@dataclass(slots=True)
class Book:
    """The notary that writes down."""

    entries: list[tuple[int, Body]] = field(default_factory=list)
    found: dict[int, bool] = field(default_factory=dict)

    def sign(self, sender: int, body: Body) -> Signed:
        self.entries.append((sender, body))
        return Signed(sender, body, len(self.entries) - 1)

    def genuine(self, message: Signed) -> bool:
        at = message.signature
        if not isinstance(at, int) or not 0 <= at < len(self.entries):
            return False
        sender, body = self.entries[at]
        # Bodies of different kinds can be equal as tuples.
        return sender == message.sender and type(body) is type(message.body) and body == message.body

    @property
    def trusts_network(self) -> bool:
        return True

    def remembered(self, message: Signed) -> bool | None:
        """Validity is a function of the message, so it is computed once for all members: a saving of the simulation."""
        # SOUND: a forged message may bear the number of a valid one.
        at = message.signature
        return self.found.get(at) if isinstance(at, int) and self.genuine(message) else None

    def remember(self, message: Signed, valid: bool) -> None:
        if isinstance(message.signature, int) and self.genuine(message):
            self.found[message.signature] = valid


@dataclass(slots=True)
class Ed25519Notary:
    """Needs the package `cryptography`."""

    seed: int
    keys: dict[int, Any] = field(default_factory=dict)

    def _key(self, name: int) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if name not in self.keys:
            secret = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{self.seed}/{name}".encode()).digest())
            self.keys[name] = (secret, secret.public_key())
        return self.keys[name]

    def sign(self, sender: int, body: Body) -> Signed:
        return Signed(sender, body, self._key(sender)[0].sign(_text(body)))

    def genuine(self, message: Signed) -> bool:
        from cryptography.exceptions import InvalidSignature

        if not isinstance(message.signature, bytes):
            return False
        try:
            self._key(message.sender)[1].verify(message.signature, _text(message.body))
        except InvalidSignature:
            return False
        return True

    @property
    def trusts_network(self) -> bool:
        return False

    def remembered(self, message: Signed) -> bool | None:
        return None

    def remember(self, message: Signed, valid: bool) -> None:
        """Everybody computes for himself."""


def _text(body: Body) -> bytes:
    """Tuples of numbers, bytes and texts have one representation, with the name of their kind."""
    return repr(body).encode()
