"""The functions of one action, and what callers hand in to columns that they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.system import Input
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, StringType
from policydsl.state import default_value
from runtime.columns import Vocabulary, Words
from runtime.inputs import by_enforcer
from runtime.population_action import Plan, analyse
from runtime.population_bounds import Bounds
from runtime.population_cells import LARGEST, OFFSET, Cells, Individuals

_NARROW = (-(2**31), 2**31 - 1)
_ANY = (-LARGEST, LARGEST)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Inputs in the order of the plan, as numbers (see NOTE(numbering)) or texts. `columns` says whether any of them is
    an array. `classes` has rough bounds of those that are numbers."""

    values: list[Any]
    rows: int
    columns: bool
    classes: tuple[Bounds, ...]

    def full(self) -> list[Any]:
        """All as columns."""
        return [v if isinstance(v, np.ndarray | Words) else _full(v, self.rows) for v in self.values]

    def lists(self, rows: NDArray[Any]) -> list[list[Any]]:
        """The plain values of some rows."""
        found: list[list[Any]] = []
        for v in self.values:
            if isinstance(v, Words):
                found.append([v.vocabulary.words[c] for c in v.codes[rows].tolist()])
            else:
                found.append(v[rows].tolist() if isinstance(v, np.ndarray) else [v] * len(rows))
        return found


def _full(value: Any, rows: int) -> Any:
    if value.__class__ is str:
        return Words(np.zeros(rows, np.uint8), Vocabulary((value,)))
    return np.full(rows, value)


class Act:
    """One action: its plan, and the functions that its text defines."""

    def __init__(self, how: Plan, cells: Cells) -> None:
        self.plan = how
        self._cells = cells
        self.single: Callable[..., int] = cells.scope[f"s{how.number}"]
        self.judge: Callable[..., Any] = cells.scope.get(f"j{how.number}", _missing)
        self.cells: Callable[..., Any] = cells.scope.get(f"c{how.number}", _missing)
        self.values: Callable[..., Any] = cells.scope.get(f"w{how.number}", _missing)
        self._own = by_enforcer(how.action)
        self._options = [i.name.removesuffix(".value") for i in how.inputs if i.name.endswith(".value")]
        self._ints = [i for i in how.inputs if isinstance(i.type, IntType)]
        self._is_int = [isinstance(i.type, IntType) for i in how.inputs]
        self._known: dict[tuple[int, tuple[Bounds, ...]], tuple[bool, tuple[bool, ...]]] = {}

    def read(self, people: Individuals, inputs: Mapping[str, Any], now: int) -> Given:
        """What the caller handed in; see `Population.step`."""
        if now.__class__ is not int and not isinstance(now, np.integer):
            raise ValueError(f"the time of a step is a number: {now!r}")
        if abs(now) > LARGEST:
            raise OverflowError("a time beyond 2**53")
        given: Mapping[str, Any] = inputs
        for name in self._options:
            if name in inputs:
                given = _taken_apart(given, name)
        used = 0
        values: list[Any] = []
        classes: list[Bounds] = []
        rows = -1
        for i in self.plan.inputs:
            value = given.get(i.name)
            if value is not None:
                used += 1
            elif i.name in self._own:
                value = default_value(i.type)
            else:
                raise KeyError(f"`{i.name}` of `{self.plan.action.name}` is missing")
            read = _read(people, i, value, classes)
            if isinstance(read, np.ndarray | Words):
                if rows not in (-1, len(read)):
                    raise ValueError(f"`{i.name}` has {len(read)} rows, and others have {rows}")
                rows = len(read)
            values.append(read)
        if used < len(given):
            unknown = sorted(set(given) - {i.name for i in self.plan.inputs})
            raise KeyError(f"`{self.plan.action.name}` has no input {', '.join(map(repr, unknown))}")
        return Given(values, max(rows, 0) if rows >= 0 else 1, rows >= 0, tuple(classes))

    def sizes(self) -> list[int]:
        """How many cells there are in each group."""
        rooms = self._cells.people.rooms
        return [prod(rooms[s] for s in g.sorts) for g in self.plan.order.groups] if self.plan.order else []

    def kind(self, given: Given) -> Any:
        """The type in which to compute."""
        return np.int64 if self._analysis(given)[0] else object

    def safe(self, given: Given) -> tuple[bool, ...]:
        """Of each write whether its values must fit."""
        return self._analysis(given)[1]

    def unbounded(self, columns: list[Any]) -> list[Any]:
        """The same columns, with numbers as Python's own."""
        return [c.astype(object) if number else c for c, number in zip(columns, self._is_int)]

    def _analysis(self, given: Given) -> tuple[bool, tuple[bool, ...]]:
        key = self._cells.version, given.classes
        found = self._known.get(key)
        if found is None:
            if len(self._known) > 64:
                self._known.clear()
            bounds = {i.ref: b for i, b in zip(self._ints, given.classes)}
            found = self._known[key] = analyse(self.plan, self._cells, bounds)
        return found


def _missing(*_: object) -> Any:
    raise AssertionError("a function that this action does not have")


def _taken_apart(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An optional individual, -1 for none, as the two inputs that it is."""
    rest = dict(given)
    value = rest.pop(name)
    rest[f"{name}.has"] = value >= 0
    rest[f"{name}.value"] = value
    return rest


def _read(people: Individuals, i: Input, value: Any, classes: list[Bounds]) -> Any:
    """An array or a plain value, checked, as it is within."""
    plain = value.__class__ in (int, bool, str)
    if not plain and not isinstance(value, np.ndarray | Words):
        value = np.asarray(value)
    if not plain and not isinstance(value, Words) and not value.ndim:
        plain, value = True, value.item()
    match i.type:
        case BoolType():
            if (value.__class__ is bool) if plain else (not isinstance(value, Words) and value.dtype == np.bool_):
                return value
        case StringType():
            if isinstance(value, Words) or value.__class__ is str:
                return value
        case IntType():
            if _is_number(value, plain):
                return _number(i, value, plain, classes)
        case EnumType(cases=cases):
            if _is_number(value, plain):
                return _within(i, value, plain, 0, len(cases))
        case EntityType():
            if _is_number(value, plain):
                if plain:
                    return _within(i, value + OFFSET, plain, OFFSET - 1, OFFSET + people.sizes[i.type])
                moved = np.add(value, OFFSET, dtype=np.int64, casting="unsafe")
                return _within(i, moved, plain, OFFSET - 1, OFFSET + people.sizes[i.type])
    raise ValueError(f"`{i.name}` is of type {i.type}")


def _is_number(value: Any, plain: bool) -> bool:
    if plain:
        return value.__class__ is int
    return not isinstance(value, Words) and value.dtype.kind in "iu" and value.ndim == 1


def _within(i: Input, value: Any, plain: bool, low: int, end: int) -> Any:
    if plain:
        fits = low <= value < end
    else:
        fits = not value.size or (int(value.min()) >= low and int(value.max()) < end)
    if not fits:
        raise ValueError(f"`{i.name}` names no {i.type} that there is")
    return value


def _number(i: Input, value: Any, plain: bool, classes: list[Bounds]) -> Any:
    if plain:
        low = high = value
    elif not value.size:
        low = high = 0
    else:
        low, high = int(value.min()), int(value.max())
    if low < -LARGEST or high > LARGEST:
        raise OverflowError(f"`{i.name}` is beyond 2**53")
    classes.append(_NARROW if _NARROW[0] <= low and high <= _NARROW[1] else _ANY)
    return value if plain else value.astype(np.int64, copy=False)
