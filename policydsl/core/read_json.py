"""Strict reading of JSON: a value from outside, with its place in the document, becomes what is expected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, TypeVar

from policydsl.core.types import BoolType, EnumType, IntType, Scalar, Value

T = TypeVar("T")
E = TypeVar("E", bound=Enum)


class MalformedError(ValueError):
    """A document that is not what it should be. `path` is the place, as in `system.actions[2].name`."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path or 'document'}: {text}")
        self.path = path
        self.text = text


def parse(text: str) -> object:
    """JSON values; an object with a key twice, `NaN` and the like are refused."""
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)
    except RecursionError:
        raise MalformedError("", "nested too deeply") from None
    except ValueError as e:
        raise MalformedError("", f"not JSON: {e}") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse(name: str) -> object:
    raise ValueError(f"`{name}` is no JSON")


class Reader:
    """One JSON value and where it stands."""

    __slots__ = ("path", "value")

    def __init__(self, value: Any, path: str = "") -> None:
        self.value = value
        self.path = path

    def malformed(self, text: str) -> MalformedError:
        return MalformedError(self.path, text)

    def _expect(self, kind: type[T], text: str) -> T:
        # By class, since `True` is an `int`.
        if self.value.__class__ is not kind:
            raise self.malformed(f"expected {text}")
        found: T = self.value
        return found

    def text(self) -> str:
        return self._expect(str, "a string")

    def whole(self) -> int:
        return self._expect(int, "an integer")

    def truth(self) -> bool:
        return self._expect(bool, "true or false")

    def maybe_whole(self) -> int | None:
        return None if self.value is None else self.whole()

    def has(self, name: str) -> bool:
        return name in self._expect(dict, "an object")

    def fields(self, *names: str) -> None:
        """There are exactly these fields."""
        found = self._expect(dict, "an object")
        for name in names:
            if name not in found:
                raise self.malformed(f"`{name}` is missing")
        for name in found:
            if name not in names:
                raise self.malformed(f"unknown field `{name}`")

    def __getitem__(self, name: str) -> Reader:
        found = self._expect(dict, "an object")
        if name not in found:
            raise self.malformed(f"`{name}` is missing")
        return Reader(found[name], f"{self.path}.{name}" if self.path else name)

    def names(self) -> list[str]:
        return list(self._expect(dict, "an object"))

    def items(self) -> list[Reader]:
        return [Reader(v, f"{self.path}[{i}]") for i, v in enumerate(self._expect(list, "a list"))]

    def beside(self, *others: Reader) -> Iterator[tuple[Reader, ...]]:
        """The items of lists that must be equally long."""
        lists = [r.items() for r in (self, *others)]
        for r, found in zip(others, lists[1:], strict=True):
            if len(found) != len(lists[0]):
                raise r.malformed(f"expected {len(lists[0])} items")
        return zip(*lists, strict=True)

    def row(self, table: Sequence[T]) -> T:
        """The row of `table` with this number."""
        number = self.whole()
        if not 0 <= number < len(table):
            raise self.malformed("no such row yet")
        return table[number]

    def one_of(self, names: Iterable[str]) -> str:
        found = self.text()
        if found not in names:
            raise self.malformed(f"expected one of {', '.join(sorted(names))}")
        return found

    def enum(self, kind: type[E]) -> E:
        return kind(self.one_of([m.value for m in kind]))

    def any_scalar(self) -> Value:
        if self.value.__class__ not in (bool, int, str):
            raise self.malformed("expected a string, an integer, true or false")
        found: Value = self.value
        return found

    def scalar(self, type: Scalar) -> Value:
        match type:
            case BoolType():
                return self.truth()
            case IntType():
                return self.whole()
            case EnumType():
                return self.one_of(type.cases)
            case _:
                return self.text()
