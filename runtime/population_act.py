"""The functions of one action, and what callers hand in to columns that they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.expr import subterms
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
_PLAIN = (int, bool, str)


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
        parts = [x for p in how.order.puts for x in p.parts] if how.order else []
        used = set(subterms(*(e for x in parts for e in (*x.keys, x.value, x.where))))
        self.needed = [i.ref in used for i in how.inputs]
        """The inputs on which it depends what is written."""
        self._own = by_enforcer(how.action)
        self._options = [i.name.removesuffix(".value") for i in how.inputs if i.name.endswith(".value")]
        self._ints = [i for i in how.inputs if isinstance(i.type, IntType)]
        self._is_int = [isinstance(i.type, IntType) for i in how.inputs]
        self._known: dict[tuple[int, tuple[Bounds, ...]], tuple[bool, tuple[bool, ...]]] = {}

    def read(self, people: Individuals, inputs: Mapping[str, Any], now: int) -> Given:
        """What the caller handed in; see `Population.step`."""
        if now.__class__ is not int and not isinstance(now, np.integer):
            raise ValueError(f"the time of a step is a number: {now!r}")
        if not -LARGEST <= now <= LARGEST:
            raise OverflowError("a time beyond 2**53")
        given = inputs
        for name in self._options:
            if name in inputs:
                given = _taken_apart(given, name)
        used, rows = 0, -1
        values: list[Any] = []
        classes: list[Bounds] = []
        for i in self.plan.inputs:
            value = given.get(i.name)
            if value is not None:
                used += 1
            elif i.name in self._own:
                value = default_value(i.type)
            else:
                raise KeyError(f"`{i.name}` of `{self.plan.action.name}` is missing")
            if value.__class__ in _PLAIN or not (isinstance(value, Words) or np.ndim(value)):
                values.append(_plain(people, i, value, classes))
                continue
            read = _column(people, i, value, classes)
            if rows not in (-1, len(read)):
                raise ValueError(f"`{i.name}` has {len(read)} rows, and others have {rows}")
            rows = len(read)
            values.append(read)
        if used < len(given):
            unknown = sorted(set(given) - {i.name for i in self.plan.inputs})
            raise KeyError(f"`{self.plan.action.name}` has no input {', '.join(map(repr, unknown))}")
        return Given(values, 1 if rows < 0 else rows, rows >= 0, tuple(classes))

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
    rest[f"{name}.has"] = np.asarray(value) >= 0 if value.__class__ is not int else value >= 0
    rest[f"{name}.value"] = value
    return rest


def _plain(people: Individuals, i: Input, value: Any, classes: list[Bounds]) -> Any:
    """One value for all rows, checked, as it is within."""
    if value.__class__ not in _PLAIN:
        value = np.asarray(value).item()
    kind, type = value.__class__, i.type
    if kind is int:
        if type.__class__ is EntityType:
            return _within(i, value + OFFSET, value, value, -1, people.ends[type.name])
        if type.__class__ is IntType:
            _bounded(i, value, value, classes)
            return value
        if isinstance(type, EnumType):
            return _within(i, value, value, value, 0, len(type.cases))
    elif (kind is bool and type.__class__ is BoolType) or (kind is str and type.__class__ is StringType):
        return value
    raise ValueError(f"`{i.name}` is of type {i.type}")


def _column(people: Individuals, i: Input, value: Any, classes: list[Bounds]) -> Any:
    """A column, checked, as it is within."""
    if isinstance(value, Words):
        if i.type.__class__ is StringType:
            return value
        raise ValueError(f"`{i.name}` is of type {i.type}")
    value = np.asarray(value)
    if value.ndim != 1:
        raise ValueError(f"`{i.name}` is not one value for each row")
    # SOUND: a copy in any case, for a column may be a view of the state, which changes from row to row.
    if value.dtype == np.bool_ and i.type.__class__ is BoolType:
        return value.copy()
    if value.dtype.kind in "iu":
        low, high = (int(value.min()), int(value.max())) if value.size else (0, -1)
        match i.type:
            case EntityType():
                moved = np.add(value, OFFSET, dtype=np.int64, casting="unsafe")
                return _within(i, moved, low, high, -1, people.ends[i.type.name])
            case EnumType(cases=cases):
                return _within(i, value.copy(), low, high, 0, len(cases))
            case IntType():
                _bounded(i, low, high, classes)
                return value.astype(np.int64)
    raise ValueError(f"`{i.name}` is of type {i.type}")


def _within(i: Input, value: Any, low: int, high: int, least: int, end: int) -> Any:
    if low < least or high >= end:
        raise ValueError(f"`{i.name}` names no {i.type} that there is: {low if low < least else high}")
    return value


def _bounded(i: Input, low: int, high: int, classes: list[Bounds]) -> None:
    if low < -LARGEST or high > LARGEST:
        raise OverflowError(f"`{i.name}` is beyond 2**53")
    classes.append(_NARROW if _NARROW[0] <= low and high <= _NARROW[1] else _ANY)
