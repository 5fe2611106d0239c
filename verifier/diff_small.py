"""A run that shows a difference to a simpler one that shows it too: smaller numbers, and names in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from policydsl.core.system import System
from policydsl.core.types import EntityType, IntType, Scalar, Value
from policydsl.interp import Request
from policydsl.trace import Cell

ATTEMPTS = 500
"""So many simpler runs are played; what is shown is right in any case, only less pretty if they do not suffice."""


@dataclass(frozen=True)
class Play:
    """Parameters, cells of the start, and requests, in the common vocabulary."""

    params: dict[str, Value]
    cells: tuple[Cell, ...]
    requests: tuple[Request, ...]


_Place: TypeAlias = tuple[int, str]


class Shrinker:
    """Makes plays of `system` simpler as long as they are `good`. `constants` are numbers that conditions mention."""

    def __init__(self, system: System, constants: Iterable[int], good: Callable[[Play], bool]) -> None:
        self._inputs = {a.name: {i.name: i.type for i in a.inputs} for a in system.actions}
        self._state = {v.name: (v.keys, v.type) for v in system.state}
        self._params: dict[str, Scalar] = {p.name: p.type for p in system.params}
        self._defaults: dict[str, Value] = {p.name: p.default.value for p in system.params}
        self._constants = sorted(set(constants))
        self._good = good
        self._left = ATTEMPTS

    def shrink(self, play: Play) -> Play:
        """A good play, given a good one."""
        play = self._together(self._names(self._as_declared(play)))
        for place in self._numbers(play):
            play = self._lower(play, place)
        return play

    def _try(self, play: Play) -> bool:
        self._left -= 1
        return self._left >= 0 and self._good(play)

    def _as_declared(self, play: Play) -> Play:
        """Parameters and the start as they are declared, as far as that will do."""
        for name in self._params:
            plain = replace(play, params={**play.params, name: self._defaults[name]})
            if plain != play and self._try(plain):
                play = plain
        for cell in play.cells:
            fewer = replace(play, cells=tuple(c for c in play.cells if c != cell))
            if self._try(fewer):
                play = fewer
        return play

    # Numbers

    def _numbers(self, play: Play) -> list[_Place]:
        """Places that hold numbers: an input of a request, a parameter that has to differ (-1) or a cell (-2)."""
        found = [
            (-1, n)
            for n, v in play.params.items()
            if isinstance(self._params.get(n), IntType) and v != self._defaults[n]
        ]
        found += [(-2, str(i)) for i, c in enumerate(play.cells) if isinstance(self._state[c.var][1], IntType)]
        for i, r in enumerate(play.requests):
            found += [(i, n) for n in r.inputs if isinstance(self._inputs[r.action][n], IntType)]
        return found

    def _together(self, play: Play) -> Play:
        """Numbers that hang together often cannot be made smaller one by one: those that are next to each other, and
        times a fixed while later."""
        places = sorted(self._numbers(play), key=lambda p: (_number(play, p), p))
        clusters: list[list[_Place]] = []
        for p in places:
            if clusters and _number(play, p) - _number(play, clusters[-1][-1]) <= 1:
                clusters[-1].append(p)
            else:
                clusters.append([p])
        for i, cluster in enumerate(clusters):
            later = [p for c in clusters[i:] for p in c]
            play = self._moved(self._moved(play, later), cluster)
        return play

    def _moved(self, play: Play, places: Sequence[_Place]) -> Play:
        """All of `places` smaller by the same, if that will do; the first holds the least number."""
        least = _number(play, places[0])
        for goal in sorted({0, 1, *self._constants, *(c + 1 for c in self._constants)}):
            if 0 <= goal < least:
                moved = play
                for p in places:
                    moved = _set(moved, p, _number(play, p) - least + goal)
                if self._try(moved):
                    return moved
        return play

    def _lower(self, play: Play, place: _Place) -> Play:
        value = _number(play, place)
        known = {0, *(_number(play, p) for p in self._numbers(play) if p < place)}
        near = {k + c + d for k in known for c in (0, *self._constants) for d in (-1, 0, 1)}
        for simpler in sorted((n for n in near if abs(n) < abs(value)), key=lambda n: (abs(n), n < 0)):
            candidate = _set(play, place, simpler)
            if self._try(candidate):
                return candidate
        return play

    # Names

    def _names(self, play: Play) -> Play:
        for sort in dict.fromkeys(t for types in self._inputs.values() for t in types.values()):
            if isinstance(sort, EntityType):
                used = sorted(self._used(play, sort))
                free = [n for n in (f"{sort.name[0].lower()}{i}" for i in range(1, len(used) + 1)) if n not in used]
                for name in used:
                    if free and name[1:].isdigit() and name > free[0]:
                        renamed = self._renamed(play, sort, name, free[0])
                        if self._try(renamed):
                            play, free = renamed, free[1:]
        return play

    def _used(self, play: Play, sort: EntityType) -> set[str]:
        found = {str(r.inputs[n]) for r in play.requests for n, t in self._inputs[r.action].items() if t == sort}
        for c in play.cells:
            keys, type = self._state[c.var]
            found |= {k for k, s in zip(c.keys, keys, strict=True) if s == sort}
            found |= {str(c.value)} if type == sort else set()
        return found

    def _renamed(self, play: Play, sort: EntityType, old: str, new: str) -> Play:
        def name(value: Value, type: Scalar) -> Value:
            return new if type == sort and value == old else value

        cells = tuple(
            Cell(
                c.var,
                tuple(str(name(k, s)) for k, s in zip(c.keys, self._state[c.var][0], strict=True)),
                name(c.value, self._state[c.var][1]),
            )
            for c in play.cells
        )
        requests = tuple(
            Request(r.action, {n: name(v, self._inputs[r.action][n]) for n, v in r.inputs.items()})
            for r in play.requests
        )
        return Play(play.params, cells, requests)


def _number(play: Play, place: _Place) -> int:
    i, name = place
    if i == -1:
        return int(play.params[name])
    return int(play.cells[int(name)].value if i == -2 else play.requests[i].inputs[name])


def _set(play: Play, place: _Place, value: int) -> Play:
    i, name = place
    if i == -1:
        return replace(play, params={**play.params, name: value})
    if i == -2:
        return replace(play, cells=_with(play.cells, int(name), replace(play.cells[int(name)], value=value)))
    changed = Request(play.requests[i].action, {**play.requests[i].inputs, name: value})
    return Play(play.params, play.cells, (*play.requests[:i], changed, *play.requests[i + 1 :]))


def _with(cells: Sequence[Cell], i: int, cell: Cell) -> tuple[Cell, ...]:
    return (*cells[:i], cell, *cells[i + 1 :])
