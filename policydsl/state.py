"""States: parameters, scalars, and maps that are total over unboundedly many individuals. See NOTE(everyone-else)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from policydsl.core.system import StateVar, System
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar, StringType, Value
from policydsl.trace import Cell, Change

EVERYONE_ELSE = "*"
"""Stands for all individuals without a row of their own; no individual has this name. As a value: oneself."""

Keys = tuple[str, ...]


class UnfitError(ValueError):
    """Parameters or cells that do not fit the system."""


def well_typed(value: object, type: Scalar) -> bool:
    """Whether `value` is one of `type`; `True` is no integer, and `*` is no individual."""
    match type:
        case BoolType():
            return value.__class__ is bool
        case IntType():
            return value.__class__ is int
        case StringType():
            return value.__class__ is str
        case EnumType():
            return value.__class__ is str and value in type.cases
        case EntityType():
            return value.__class__ is str and value != EVERYONE_ELSE


def default_value(type: Scalar) -> Value:
    """What a cell holds when any value is possible and none is given."""
    match type:
        case BoolType():
            return False
        case IntType():
            return 0
        case EnumType():
            return type.cases[0]
        case StringType() | EntityType():
            return ""


def instance(var: StateVar, pattern: Keys, keys: Keys, value: Value) -> Value:
    """The value at `keys` when `value` stands at `pattern`, which differs from `keys` by having `*` in places."""
    if isinstance(var.type, EntityType) and value == EVERYONE_ELSE:
        return next(k for s, p, k in zip(var.keys, pattern, keys, strict=True) if s == var.type and p == EVERYONE_ELSE)
    return value


class State:
    """What a system remembers. Never changes; `naming`, `starting` and `writing` make new states.

    `first` gives each variable's declared initial value.
    """

    __slots__ = ("_cells", "_first", "_holders", "_keyed", "_named", "_vars", "params", "system")

    def __init__(self, system: System, params: Mapping[str, Value], first: Mapping[str, Value]) -> None:
        self.system = system
        self.params = params
        self._first = first
        self._vars = {v.name: v for v in system.state}
        self._holders: dict[EntityType, list[str]] = {}  # the variables whose values are of a sort
        self._keyed: dict[EntityType, list[str]] = {}  # those that it is a key of
        for v in system.state:
            for sort in set(v.keys):
                self._keyed.setdefault(sort, []).append(v.name)
            if isinstance(v.type, EntityType):
                self._holders.setdefault(v.type, []).append(v.name)
        self._cells: dict[str, dict[Keys, Value]] = {
            v.name: {(EVERYONE_ELSE,) * len(v.keys): first[v.name]} for v in system.state
        }
        self._named: dict[EntityType, frozenset[str]] = {s: frozenset() for v in system.state for s in v.keys}

    def _with(self, cells: dict[str, dict[Keys, Value]], named: dict[EntityType, frozenset[str]]) -> State:
        made = object.__new__(State)
        made.system, made.params, made._first, made._vars = self.system, self.params, self._first, self._vars
        made._holders, made._keyed = self._holders, self._keyed
        made._cells, made._named = cells, named
        return made

    def variable(self, name: str) -> StateVar:
        return self._vars[name]

    def rows(self, name: str) -> Mapping[Keys, Value]:
        """All that is stored of one variable."""
        return self._cells[name]

    def touched_since(self, before: State) -> list[str]:
        """The variables of which anything may have been written."""
        rows = zip(before._cells.items(), self._cells.values(), strict=True)  # in one order: names are never added
        return [name for (name, old), new in rows if old is not new]

    def read(self, var: str, keys: Sequence[str]) -> Value:
        declared = self._vars[var]
        row = tuple(k if k in self._named[s] else EVERYONE_ELSE for s, k in zip(declared.keys, keys, strict=True))
        return instance(declared, row, tuple(keys), self._cells[var][row])

    def individuals(self, sort: EntityType) -> frozenset[str]:
        """Those that have a row or are a value somewhere."""
        values = (v for n in self._holders.get(sort, ()) for v in self._cells[n].values())
        return self._named.get(sort, frozenset()).union(str(v) for v in values if v != EVERYONE_ELSE)

    def naming(self, cells: Iterable[tuple[str, Keys]]) -> State:
        """The same state, with rows for everyone in `cells`."""
        named = dict(self._named)
        grown: set[EntityType] = set()
        for name, keys in cells:
            for sort, key in zip(self._vars[name].keys, keys, strict=True):
                if key != EVERYONE_ELSE and key not in named[sort]:
                    named[sort] |= {key}
                    grown.add(sort)
        if not grown:
            return self
        fresh = {s: sorted(named[s] - self._named[s]) for s in grown}
        stored = dict(self._cells)
        for name in {n for s in fresh for n in self._keyed[s]}:
            stored[name] = _extended(self._vars[name], self._cells[name], fresh)
        return self._with(stored, named)

    def writing(self, written: Iterable[tuple[str, Keys, Value]]) -> State:
        """The state in which these rows, all of them stored, hold these values; later ones win."""
        stored = dict(self._cells)
        for var, keys, value in written:
            if stored[var] is self._cells[var]:
                stored[var] = dict(stored[var])
            assert keys in stored[var]
            stored[var][keys] = value
        return self._with(stored, self._named)

    def starting(self, start: Sequence[Cell]) -> State:
        """The same state, but for the cells of `start`. One with `*` among its keys is for everyone, except where a
        cell with fewer `*` says otherwise. Raises `UnfitError` for what the system does not know."""
        for cell in start:
            self._check(cell)
        named = self.naming((c.var, c.keys) for c in start)
        rows = {name: dict(named._cells[name]) for name in {c.var for c in start}}
        for cell in sorted(start, key=lambda c: _generality(c.keys)):
            _spread(self._vars[cell.var], rows[cell.var], cell.keys, cell.value)
        return named._with(named._cells | rows, named._named)

    def _check(self, cell: Cell) -> None:
        var = self._vars.get(cell.var)
        if var is None:
            raise UnfitError(f"unknown state variable `{cell.var}`")
        if len(cell.keys) != len(var.keys) or not all(k.__class__ is str for k in cell.keys):
            raise UnfitError(f"`{cell.var}` takes {len(var.keys)} keys: {cell.keys!r}")
        stars = [s for s, k in zip(var.keys, cell.keys, strict=True) if k == EVERYONE_ELSE and s == var.type]
        oneself = cell.value == EVERYONE_ELSE and len(stars) == 1
        if not (oneself or well_typed(cell.value, var.type)):
            raise UnfitError(f"`{cell.var}` does not hold {cell.value!r}")

    def cells(self) -> Iterator[Cell]:
        """What differs from the declared initial state, in an order that does not depend on who has a row."""
        touched = (n for n, rows in self._cells.items() if any(v != self._first[n] for v in rows.values()))
        for name in sorted(touched):
            var = self._vars[name]
            rebuilt = dict.fromkeys(self._cells[name], self._first[name])
            for keys in sorted(self._cells[name], key=_generality):
                value = self._cells[name][keys]
                if rebuilt[keys] != value:
                    yield Cell(name, keys, value)
                    _spread(var, rebuilt, keys, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        same = self.system == other.system and dict(self.params) == dict(other.params)
        return same and list(self.cells()) == list(other.cells())

    def __hash__(self) -> int:
        return hash(tuple(self.cells()))

    def __repr__(self) -> str:
        return f"State({', '.join(f'{c.var}{list(c.keys)}={c.value!r}' for c in self.cells())})"


def _generality(keys: Keys) -> tuple[int, Keys]:
    return -keys.count(EVERYONE_ELSE), keys


def _extended(var: StateVar, rows: Mapping[Keys, Value], fresh: Mapping[EntityType, list[str]]) -> dict[Keys, Value]:
    grown = dict(rows)
    for i, sort in enumerate(var.keys):
        alone = len(var.keys) == 1
        for pattern in [(EVERYONE_ELSE,)] if alone else [p for p in grown if p[i] == EVERYONE_ELSE]:
            value = grown[pattern]
            for x in fresh.get(sort, ()):
                keys = (*pattern[:i], x, *pattern[i + 1 :])
                # Only the key that is filled in can be what `oneself` refers to.
                grown[keys] = instance(var, pattern, keys, value) if sort == var.type else value
    return grown


def _spread(var: StateVar, rows: dict[Keys, Value], pattern: Keys, value: Value) -> None:
    """Set all rows that `pattern` covers."""
    for keys in rows:
        if all(p in (EVERYONE_ELSE, k) for p, k in zip(pattern, keys, strict=True)):
            rows[keys] = value if keys == pattern else instance(var, pattern, keys, value)


def changes(before: State, after: State) -> tuple[Change, ...]:
    """The cells that differ, by variable and keys; both states have the same rows.

    What happens to `*` happens to all cells that are not listed, so one that stays where `*` changes is listed too.
    """
    found: list[Change] = []
    for name in sorted(after.touched_since(before)):
        found.extend(moves(before.variable(name), before.rows(name), after.rows(name)))
    return tuple(found)


def moves(var: StateVar, old: Mapping[Keys, Value], new: Mapping[Keys, Value]) -> list[Change]:
    """What differs between two contents of one variable, which have the same rows. See `changes`."""
    moved = [keys for keys, value in new.items() if old[keys] is not value and old[keys] != value]
    if not any(EVERYONE_ELSE in keys for keys in moved):
        return [Change(var.name, keys, old[keys], new[keys]) for keys in sorted(moved)]
    listed: dict[Keys, tuple[Value, Value]] = {}
    for keys in sorted(new, key=_generality):
        implied = {
            (instance(var, pattern, keys, a), instance(var, pattern, keys, b))
            for pattern, (a, b) in ((p, listed[p]) for p in product(*({EVERYONE_ELSE, k} for k in keys)) if p in listed)
        }
        if (old[keys] != new[keys] or implied) and (old[keys], new[keys]) not in implied:
            listed[keys] = old[keys], new[keys]
    return [Change(var.name, keys, *listed[keys]) for keys in sorted(listed)]
