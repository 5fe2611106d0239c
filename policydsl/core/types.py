"""Types of the core: scalars, and maps from individuals to scalars.

Durations, times, ranges, options, records and sets are gone by now: lowering turned them into these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class BoolType:
    def __str__(self) -> str:
        return "Bool"


@dataclass(frozen=True, slots=True)
class IntType:
    """Mathematical integers. A time is milliseconds since an origin that the deployment chooses."""

    def __str__(self) -> str:
        return "Int"


@dataclass(frozen=True, slots=True)
class StringType:
    """Strings of any length over Unicode."""

    def __str__(self) -> str:
        return "String"


@dataclass(frozen=True, slots=True)
class EnumType:
    name: str
    cases: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class EntityType:
    """Unboundedly many individuals that can only be told apart."""

    name: str

    def __str__(self) -> str:
        return self.name


Scalar: TypeAlias = BoolType | IntType | StringType | EnumType | EntityType


@dataclass(frozen=True, slots=True)
class MapType:
    """Total maps from tuples of individuals (at least one) to a scalar."""

    keys: tuple[EntityType, ...]
    value: Scalar

    def __str__(self) -> str:
        keys = ", ".join(map(str, self.keys))
        return f"({keys}) -> {self.value}"


Type: TypeAlias = Scalar | MapType

BOOL = BoolType()
INT = IntType()
STRING = StringType()

Value: TypeAlias = bool | int | str
"""A value at run time: `bool`, `int`, or `str` (a string, an enum case, or the name of an individual)."""
