"""The state of a finite population as arrays: individuals and values become numbers, and cells are read and stored.

NOTE(numbering): individuals of a sort are 0, 1, 2, ... to callers; -1 is nobody, the value of an absent option. Within,
everybody is two more, so that row 1 of an array is nobody's and row 0 that of everyone who has no row yet. A write for
everyone writes all rows, those too. So an individual that is added later is what it would be had it always been there,
and quantifiers range over what the reference interpreter has them range over. An individual that stands in its own row
of everyone else, as what a write for everyone has set, is 0 there, and itself once it is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.expr import NOBODY, Expr, Space, refs
from policydsl.core.system import StateVar, System
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar, StringType, Type, Value
from policydsl.interp import initial
from policydsl.state import EVERYONE_ELSE, State

OFFSET = 2
"""The row of the first individual."""
LARGEST = 2**53
"""No number that is stored or handed in is further from zero: what every other program can read, too."""
_WIDTHS = (np.int8, np.int16, np.int32)


class UnsupportedError(ValueError):
    """A policy that cannot be decided for a population as it stands."""


class Layout:
    """What arrays and text have in common for all populations of a system: numbers of variables, of sorts, of those who
    have names."""

    def __init__(self, system: System) -> None:
        self.numbers = {v.name: i for i, v in enumerate(system.state)}
        self.sorts = {s.name: s for s in _sorts(system)}
        self.places = {s: i for i, s in enumerate(self.sorts.values())}
        named: dict[EntityType, list[str]] = {s: [] for s in self.places}
        for c in system.individuals:
            if isinstance(c.type, EntityType) and c.value != NOBODY and c.type in named:
                named[c.type].append(str(c.value))
        self.named = {s: {n: i + OFFSET for i, n in enumerate(dict.fromkeys(names))} for s, names in named.items()}
        self.names = {s: {i: n for n, i in of.items()} for s, of in self.named.items()}

    def name(self, sort: EntityType, row: int) -> str:
        """The name of whom a row is about; `*` is everyone else."""
        if row < OFFSET:
            return NOBODY if row else EVERYONE_ELSE
        return self.names[sort].get(row) or f"#{row - OFFSET}"

    def encode(self, type: Scalar, value: Value) -> Any:
        """What stands for a value in an array, and in text. Texts stand for themselves."""
        match type:
            case EnumType(cases=cases):
                return cases.index(str(value))
            case EntityType():
                if value == NOBODY:
                    return 1
                known = self.named.get(type, {}).get(str(value))
                if known is None and str(value).startswith("#"):
                    known = int(str(value)[1:]) + OFFSET
                if known is None:
                    raise UnsupportedError(f"nobody is called `{value}`")
                return known
            case _:
                return value

    def decode(self, type: Scalar, stored: Any) -> Value:
        """The value that something in an array stands for."""
        match type:
            case BoolType():
                return bool(stored)
            case IntType():
                return int(stored)
            case EnumType(cases=cases):
                return cases[int(stored)]
            case EntityType():
                return self.name(type, int(stored))
            case StringType():
                raise AssertionError


class Individuals:
    """How many individuals there are of each sort, and (`rooms`) how many rows arrays have.

    `spare` says how many more rows of everyone else are needed: quantifiers of one sort that stand within each other
    can tell apart as many of those who occur nowhere.
    """

    def __init__(self, layout: Layout, sizes: Mapping[str, int], spare: Mapping[EntityType, int]) -> None:
        self.sorts = layout.sorts
        self.spare = spare
        self.sizes: dict[EntityType, int] = {}
        for name, size in sizes.items():
            if name not in self.sorts:
                raise ValueError(f"there is no entity `{name}`")
            self.sizes[self.sorts[name]] = size
        for s in self.sorts.values():
            least = len(layout.named[s])
            if self.sizes.setdefault(s, least) < least:
                raise ValueError(f"`{s.name}` has {least} named individuals, and its size is {self.sizes[s]}")
        self.ends = {s.name: n for s, n in self.sizes.items()}
        self.rooms = {s: self.least_room(s) for s in self.sizes}

    def resize(self, sort: EntityType, size: int) -> None:
        self.sizes[sort] = self.ends[sort.name] = size

    def least_room(self, sort: EntityType) -> int:
        """So many rows are needed."""
        return OFFSET + self.sizes[sort] + self.spare.get(sort, 0)


def _sorts(system: System) -> Iterator[EntityType]:
    types: list[Type] = [k for v in system.state for k in v.keys]
    types += [v.type for v in system.state]
    types += [i.type for a in system.actions for i in a.inputs] + [c.type for c in system.individuals]
    roots: list[Expr] = [g.expr for a in system.actions for g in a.guards]
    roots += [e for a in system.actions for w in a.writes for e in (*w.keys, w.value)]
    types += [r.type for r in refs(*roots, *(s.body for s in system.sums), space=Space.BOUND)]
    yield from dict.fromkeys(t for t in types if isinstance(t, EntityType))


class Cells:
    """The arrays. `scope` has them under the names by which generated text knows them: `v3` an array, `f3` the same
    without a shape, `l3` and `h3` the bounds of its numbers, `d0` and `a0` how many rows there are of a sort, and those
    rows, `p0` a parameter.

    `version` changes whenever an array is replaced by one of another type or shape, and with the parameters.
    """

    def __init__(self, system: System, params: Mapping[str, Value] | None, people: Individuals, layout: Layout) -> None:
        self.system = system
        self.vars = system.state
        self.people = people
        self.layout = layout
        self.numbers = layout.numbers
        self.arrays: list[NDArray[Any]] = []
        self.flat: list[NDArray[Any]] = []
        self.scope: dict[str, Any] = {}
        self._views: dict[int, NDArray[Any]] = {}
        self.version = 0
        self.params: dict[str, Any] = {}
        self.start = start = self.choose(params)
        for s, room in people.rooms.items():
            self._measure(s, room)
        for i, v in enumerate(system.state):
            first = layout.encode(v.type, start.rows(v.name)[(EVERYONE_ELSE,) * len(v.keys)])
            if isinstance(v.type, IntType) and abs(first) > LARGEST:
                raise OverflowError(f"`{v.name}` starts beyond 2**53")
            self.arrays.append(np.zeros(0))
            self.flat.append(self.arrays[i])
            self.place(i, np.full(tuple(people.rooms[k] for k in v.keys), first, self._dtype(v, first)))

    def choose(self, params: Mapping[str, Value] | None) -> State:
        """Have these parameters from now on; the state in which the system would begin with them."""
        start = initial(self.system, params)
        for i, p in enumerate(self.system.params):
            self.params[p.name] = self.scope[f"p{i}"] = self.layout.encode(p.type, start.params[p.name])
        self.version += 1
        return start

    def _dtype(self, var: StateVar, first: Any) -> Any:
        match var.type:
            case BoolType():
                return np.bool_
            case IntType():
                return width(first, first)
            case EnumType(cases=cases):
                return np.min_scalar_type(max(len(cases) - 1, 1))
            case EntityType():
                return np.min_scalar_type(self.people.rooms[var.type])
            case StringType():
                raise AssertionError

    def _measure(self, sort: EntityType, room: int) -> None:
        self.people.rooms[sort] = room
        self.scope[f"d{self.layout.places[sort]}"] = room
        self.scope[f"a{self.layout.places[sort]}"] = np.arange(room)

    def place(self, number: int, array: NDArray[Any]) -> None:
        """Have `array` hold a variable."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        self._views.clear()
        self.arrays[number] = array
        self.flat[number] = array.reshape(-1)
        self.scope[f"v{number}"] = array
        self.scope[f"f{number}"] = self.flat[number]
        if isinstance(self.vars[number].type, IntType):
            info = np.iinfo(array.dtype)
            self.scope[f"l{number}"] = max(int(info.min), -LARGEST)
            self.scope[f"h{number}"] = min(int(info.max), LARGEST)
        self.version += 1

    def widen(self, number: int, low: int, high: int) -> None:
        """Make room for numbers between `low` and `high` in an integer variable.

        Raises `OverflowError` for numbers that a population does not hold; nothing has changed then.
        """
        # SOUND: everything that is stored goes through here when it does not fit, so no number ever wraps.
        if low < -LARGEST or high > LARGEST:
            raise OverflowError(f"`{self.vars[number].name}` would be {low if low < -LARGEST else high}, beyond 2**53")
        array = self.arrays[number]
        info = np.iinfo(array.dtype)
        wanted = width(min(low, int(info.min)), max(high, int(info.max)))
        if wanted != array.dtype:
            self.place(number, array.astype(wanted))

    def fit(self, number: int, values: Any) -> None:
        """Make room for all of `values`, an array or a number."""
        if isinstance(values, np.ndarray):
            if not values.size:
                return
            low, high = int(values.min()), int(values.max())
        else:
            low = high = int(values)
        if low < self.scope[f"l{number}"] or high > self.scope[f"h{number}"]:
            self.widen(number, low, high)

    def grow(self, sort: EntityType, size: int) -> None:
        """Have `size` individuals of `sort`; arrays are doubled, so that growing one by one is no dearer."""
        if size < self.people.sizes[sort]:
            raise ValueError(f"there are {self.people.sizes[sort]} of `{sort.name}` already")
        self.people.resize(sort, size)
        self._views.clear()
        old, needed = self.people.rooms[sort], self.people.least_room(sort)
        if needed <= old:
            return
        room = max(needed, 2 * old)
        self._measure(sort, room)
        for i, v in enumerate(self.vars):
            if v.type == sort and np.iinfo(self.arrays[i].dtype).max < room:
                self.place(i, self.arrays[i].astype(np.min_scalar_type(room)))
            for axis, key in enumerate(v.keys):
                if key == sort:
                    self._extend(i, axis, old, room)

    def _extend(self, number: int, axis: int, old: int, room: int) -> None:
        """Give rows of `axis` what everyone else has."""
        var, array = self.vars[number], np.moveaxis(self.arrays[number], axis, 0)
        # Memory that is zero anyway costs nothing before it is used.
        wider = np.zeros((room, *array.shape[1:]), array.dtype)
        wider[:old] = array
        if array[0].any():
            wider[old:] = array[0]
        if var.type == var.keys[axis]:
            new = np.arange(old, room).reshape(-1, *[1] * (array.ndim - 1))
            wider[old:] = np.where(wider[old:] == 0, new, wider[old:])  # oneself: see NOTE(numbering)
        self.place(number, np.moveaxis(wider, 0, axis))

    def inside(self, number: int) -> tuple[Any, ...]:
        """The part of a variable that is about individuals."""
        return (*(slice(OFFSET, OFFSET + self.people.sizes[k]) for k in self.vars[number].keys), ...)

    def visible(self, number: int) -> NDArray[Any]:
        """A variable as callers know it: a view that cannot be written to, or for individuals a copy."""
        found = self._views.get(number)
        if found is None:
            found = self.arrays[number][self.inside(number)]
            found.flags.writeable = False
            self._views[number] = found
        if isinstance(self.vars[number].type, EntityType):
            moved: NDArray[Any] = found.astype(np.int64) - OFFSET
            return moved
        return found

    def begin(self, number: int, given: Any) -> None:
        """Have a variable start with an array, a value for everyone, or values by keys."""
        var = self.vars[number]
        if isinstance(given, Mapping):
            for keys, value in given.items():
                all_keys = keys if isinstance(keys, tuple) else (keys,)
                at = tuple(self._row(s, k) for s, k in zip(var.keys, all_keys, strict=True))
                stored = self._stored(var, np.asarray(value))
                self._keep(number, stored)
                self.arrays[number][at] = stored
            return
        stored = self._stored(var, np.asarray(given))
        self._keep(number, stored)
        inside = self.arrays[number][self.inside(number)]
        if stored.ndim and stored.shape != inside.shape:
            raise ValueError(f"`{var.name}` has the shape {inside.shape}, not {stored.shape}")
        (inside if stored.ndim else self.arrays[number])[...] = stored

    def _row(self, sort: EntityType, key: int | str) -> int:
        row: int = self.layout.encode(sort, key) if isinstance(key, str) else key + OFFSET
        if not 0 < row < OFFSET + self.people.sizes[sort]:
            raise ValueError(f"there is no {sort} {key}")
        return row

    def _keep(self, number: int, stored: NDArray[Any]) -> None:
        if isinstance(self.vars[number].type, IntType):
            self.fit(number, stored)

    def _stored(self, var: StateVar, given: NDArray[Any]) -> NDArray[Any]:
        """Values as callers give them to what is stored: names or numbers."""
        if given.dtype.kind in "UO":
            codes = [self._coded(var, v) for v in given.reshape(-1).tolist()]
            return np.array(codes, np.int64).reshape(given.shape)
        match var.type:
            case BoolType():
                right = given.dtype == np.bool_
            case EnumType(cases=cases):
                right = given.dtype.kind in "iu" and bool(np.all((given >= 0) & (given < len(cases))))
            case EntityType():
                size = self.people.sizes[var.type]
                right = given.dtype.kind in "iu" and bool(np.all((given >= -1) & (given < size)))
            case _:
                right = given.dtype.kind in "iu"
        if not right:
            raise ValueError(f"`{var.name}` does not hold such values")
        return given.astype(np.int64) + OFFSET if isinstance(var.type, EntityType) else given

    def _coded(self, var: StateVar, value: Any) -> int:
        if isinstance(var.type, EntityType) and isinstance(value, str):
            return self._row(var.type, value) if value != NOBODY else 1
        if not isinstance(var.type, EnumType) or value not in var.type.cases:
            raise ValueError(f"`{var.name}` does not hold such values")
        return var.type.cases.index(value)

    def save(self) -> dict[str, NDArray[Any]]:
        """Copies of all arrays without rows that nobody has, and sizes."""
        found = {f"entity {s.name}": np.array(n) for s, n in self.people.sizes.items()}
        for i, v in enumerate(self.vars):
            part = tuple(slice(OFFSET + self.people.sizes[k]) for k in v.keys)
            found[v.name] = np.array(self.arrays[i][part])
        return found

    def load(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Have what `save` gave. Raises `KeyError` if it is of another system."""
        if set(saved) != {v.name for v in self.vars} | {f"entity {s.name}" for s in self.people.sizes}:
            raise KeyError("what was saved has other variables")
        for s in tuple(self.people.sizes):
            self.people.resize(s, int(saved[f"entity {s.name}"]))
            self._measure(s, self.people.least_room(s))
        for i, v in enumerate(self.vars):
            self.place(i, np.array(saved[v.name]))
            for axis, key in enumerate(v.keys):
                if OFFSET + self.people.sizes[key] < self.people.rooms[key]:
                    self._extend(i, axis, OFFSET + self.people.sizes[key], self.people.rooms[key])

    def rows(self) -> Iterator[tuple[str, tuple[str, ...], Value]]:
        """All cells by the names of their keys."""
        for i, v in enumerate(self.vars):
            for at in np.ndindex(*(OFFSET + self.people.sizes[k] for k in v.keys)):
                keys = tuple(self.layout.name(k, x) for k, x in zip(v.keys, at))
                yield v.name, keys, self.layout.decode(v.type, self.arrays[i][at])


def width(low: int, high: int) -> Any:
    """The narrowest type for numbers between `low` and `high`."""
    for narrow in _WIDTHS:
        info = np.iinfo(narrow)
        if info.min <= low and high <= info.max:
            return np.dtype(narrow)
    return np.dtype(np.int64)
