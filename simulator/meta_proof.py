"""Proof of an amendment: what whoever has a verifier makes of a bundle and new numbers. This package has none.

`policyctl.reprove` is the one that ships.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from runtime.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Broken:
    """A property that does not hold with the new numbers, with a run that the interpreter has replayed."""

    policy: str
    property: str
    run: tuple[str, ...]
    """In words."""
    trace: str
    """As `policyctl replay` reads it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """`data` is the bundle with the new numbers; "" for `version` and nothing in it unless all is proved."""

    version: str
    data: bytes
    policies: Mapping[str, str]
    certificates: Mapping[str, str]
    """By name of the policy, the digests of its core and of the certificate of its proofs."""
    properties: int
    """So many were proved."""
    broken: tuple[Broken, ...] = ()
    open: tuple[str, ...] = ()
    """What was neither proved nor refuted."""

    @property
    def proved(self) -> bool:
        return bool(self.version) and not self.broken and not self.open


class Prove(Protocol):
    """Verifies every policy of a bundle again with new numbers, and the relations between numbers."""

    def __call__(self, bundle: Bundle, now: Mapping[str, int], amendment: Mapping[str, int]) -> Proof:
        """`now` are the numbers in force: a relation that does not hold of them already is not broken by the change."""
        ...

    def relations(self, now: Mapping[str, int], amendment: Mapping[str, int]) -> tuple[Broken, ...]:
        """The relations that the amendment would break: quickly, before anything else is done for it."""
        ...
