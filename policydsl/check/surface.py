"""Types as authors write them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from policydsl.core.expr import FALSE, TRUE, Const
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType, Scalar
from policydsl.times import duration_words


class Unit(Enum):
    INT = "Int"
    TIME = "Time"
    DURATION = "Duration"

    @property
    def noun(self) -> str:
        return "number" if self is Unit.INT else self.value.lower()

    def written(self, value: int) -> str:
        """A value of this unit, as in a policy."""
        return str(value) if self is Unit.INT else duration_words(value)


@dataclass(frozen=True, slots=True)
class BoolT:
    def __str__(self) -> str:
        return "Bool"


@dataclass(frozen=True, slots=True)
class StringT:
    def __str__(self) -> str:
        return "String"


@dataclass(frozen=True, slots=True)
class NumberT:
    """`Int`, `Time` or `Duration`, with what is known of the range; the range takes no part in whether types fit."""

    unit: Unit = Unit.INT
    low: int | None = None
    high: int | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None or self.low == self.high:
            return self.unit.value
        return f"{self.unit.value}[{self.unit.written(self.low)}..{self.unit.written(self.high)}]"

    @property
    def range_words(self) -> str:
        """`1h to 48h`, `0 to 100`"""
        return " to ".join("anything" if n is None else self.unit.written(n) for n in (self.low, self.high))


@dataclass(frozen=True, slots=True)
class EnumT:
    core: EnumType

    def __str__(self) -> str:
        return self.core.name


@dataclass(frozen=True, slots=True)
class EntityT:
    core: EntityType

    def __str__(self) -> str:
        return self.core.name


@dataclass(frozen=True, slots=True)
class SetT:
    element: SType

    def __str__(self) -> str:
        return f"Set<{self.element}>"


@dataclass(frozen=True, slots=True)
class OptionT:
    value: SType

    def __str__(self) -> str:
        return f"{self.value}?"


@dataclass(frozen=True, slots=True)
class RecordT:
    name: str
    fields: tuple[tuple[str, SType], ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class MapT:
    keys: tuple[SType, ...]
    value: SType

    def __str__(self) -> str:
        keys = ", ".join(map(str, self.keys))
        return f"({keys}) -> {self.value}" if len(self.keys) > 1 else f"{keys} -> {self.value}"


@dataclass(frozen=True, slots=True)
class ErrorT:
    """The type of what is wrong already; it fits everything, so that one mistake makes one diagnostic."""

    def __str__(self) -> str:
        return "?"


SType: TypeAlias = BoolT | StringT | NumberT | EnumT | EntityT | SetT | OptionT | RecordT | MapT | ErrorT

BOOL_T = BoolT()
STRING_T = StringT()
INT_T = NumberT()
TIME_T = NumberT(Unit.TIME)
DURATION_T = NumberT(Unit.DURATION)
ERROR_T = ErrorT()


def fits(found: SType, expected: SType) -> bool:
    """Whether a value of type `found` may stand where `expected` is asked for, without any conversion."""
    match found, expected:
        case (ErrorT(), _) | (_, ErrorT()):
            return True
        case NumberT(), NumberT():
            return found.unit is expected.unit
        case (SetT(a), SetT(b)) | (OptionT(a), OptionT(b)):
            return fits(a, b)
        case RecordT(), RecordT():
            return found.name == expected.name
        case MapT(), MapT():
            return (
                len(found.keys) == len(expected.keys)
                and all(map(fits, found.keys, expected.keys))
                and fits(found.value, expected.value)
            )
        case _:
            return found == expected


def unranged(type_: SType) -> SType:
    """`type_` without ranges: what is known of the value of a cell before its range is proved."""
    match type_:
        case NumberT(unit=unit):
            return NumberT(unit)
        case OptionT(value=value):
            return OptionT(unranged(value))
        case RecordT(name=name, fields=fields):
            return RecordT(name, tuple((n, unranged(t)) for n, t in fields))
        case _:
            return type_


def scalar_type(type_: SType) -> Scalar | None:
    """The core type of a scalar surface type."""
    match type_:
        case BoolT():
            return BOOL
        case StringT():
            return STRING
        case NumberT():
            return INT
        case EnumT(core=found):
            return found
        case EntityT(core=sort):
            return sort
        case _:
            return None


def domain(type_: SType) -> tuple[tuple[str, Const], ...] | None:
    """All values of a finite type, each with its label in names of leaves."""
    match type_:
        case BoolT():
            return (("false", FALSE), ("true", TRUE))
        case EnumT(core=found):
            return tuple((case, Const(case, found)) for case in found.cases)
        case _:
            return None
