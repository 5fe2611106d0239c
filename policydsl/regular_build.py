"""Regular expressions as numbered nodes, normalised as they are built, and their Brzozowski derivatives.

Alternatives are a set and sequences are flat, so an expression has finitely many derivatives: they are the states of a
deterministic automaton.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Chars: TypeAlias = tuple[tuple[int, int], ...]
"""A set of characters: disjoint, ascending, closed ranges of code points."""

LAST = 0x10FFFF
ANY: Chars = ((0, LAST),)


def union(a: Chars, b: Chars) -> Chars:
    found: list[tuple[int, int]] = []
    for low, high in sorted((*a, *b)):
        if found and low <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return tuple(found)


def complement(a: Chars) -> Chars:
    found = []
    start = 0
    for low, high in a:
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    return (*found, (start, LAST)) if start <= LAST else tuple(found)


@dataclass(frozen=True, slots=True)
class _Set:
    chars: Chars


@dataclass(frozen=True, slots=True)
class _Cat:
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Alt:
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    body: int
    low: int
    high: int | None


_Node: TypeAlias = _Set | _Cat | _Alt | _Repeat


@dataclass(frozen=True, slots=True)
class Moves:
    """Where each character leads: those from `starts[i]` to before `starts[i + 1]` lead to `targets[i]`."""

    starts: tuple[int, ...]
    targets: tuple[int, ...]

    def after(self, char: int) -> int:
        return self.targets[bisect_right(self.starts, char) - 1]


class Builder:
    """Nodes by number; equal ones have one number.

    `nothing` is the empty language, `empty` that of the empty string, `everything` that of all strings.
    """

    def __init__(self) -> None:
        self._nodes: list[_Node] = []
        self._numbers: dict[_Node, int] = {}
        self._nullable: list[bool] = []
        self._moves: dict[int, Moves] = {}
        self.nothing = self._number(_Alt(()), nullable=False)
        self.empty = self._number(_Cat(()), nullable=True)
        self.everything = self._number(_Repeat(self.chars(ANY), 0, None), nullable=True)

    def __len__(self) -> int:
        return len(self._nodes)

    def _number(self, node: _Node, *, nullable: bool) -> int:
        found = self._numbers.get(node)
        if found is None:
            found = self._numbers[node] = len(self._nodes)
            self._nodes.append(node)
            self._nullable.append(nullable)
        return found

    def nullable(self, n: int) -> bool:
        """Whether the empty string is in the language."""
        return self._nullable[n]

    def chars(self, chars: Chars) -> int:
        return self._number(_Set(chars), nullable=False) if chars else self.nothing

    def _parts(self, n: int) -> tuple[int, ...]:
        node = self._nodes[n]
        return node.parts if isinstance(node, _Cat) else (n,)

    def cat(self, parts: Iterable[int]) -> int:
        flat: list[int] = []
        for part in parts:
            if part == self.nothing:
                return self.nothing
            for p in self._parts(part):
                if not (p == self.everything and flat[-1:] == [p]):
                    flat.append(p)
        if len(flat) == 1:
            return flat[0]
        return self._number(_Cat(tuple(flat)), nullable=all(map(self.nullable, flat)))

    def alt(self, parts: Iterable[int]) -> int:
        found: set[int] = set()
        chars: Chars = ()
        for part in parts:
            node = self._nodes[part]
            for p in node.parts if isinstance(node, _Alt) else (part,):
                inner = self._nodes[p]
                if isinstance(inner, _Set):
                    chars = union(chars, inner.chars)
                else:
                    found.add(p)
        if self.everything in found:
            return self.everything
        if chars:
            found.add(self.chars(chars))
        if self.empty in found and any(self.nullable(p) for p in found if p != self.empty):
            found.remove(self.empty)
        kept = sorted(p for p in found if not self._included(p, found))
        if len(kept) == 1:
            return kept[0]
        return self._number(_Alt(tuple(kept)), nullable=any(map(self.nullable, kept)))

    def _included(self, n: int, others: set[int]) -> bool:
        """Whether `n` is something followed by `.*rest` while `.*rest` is among `others`: what keeps globs small."""
        parts = self._parts(n)
        return any(parts[i] == self.everything and self.cat(parts[i:]) in others for i in range(1, len(parts)))

    def repeat(self, body: int, low: int, high: int | None) -> int:
        node = self._nodes[body]
        if body == self.empty or high == 0 or (body == self.nothing and low == 0):
            return self.empty
        if body == self.nothing or (low, high) == (1, 1):
            return body
        if self.nullable(body):
            low = 0
        if isinstance(node, _Repeat) and (node.low, node.high) == (0, None):
            return body
        return self._number(_Repeat(body, low, high), nullable=low == 0)

    def derivative(self, n: int, char: int) -> int:
        """What must follow `char` in the strings of `n` that begin with it."""
        node = self._nodes[n]
        match node:
            case _Set(chars):
                return self.empty if any(low <= char <= high for low, high in chars) else self.nothing
            case _Alt(parts):
                return self.alt([self.moves(p).after(char) for p in parts])
            case _Cat(parts):
                found = []
                for i, part in enumerate(parts):
                    found.append(self.cat((self.moves(part).after(char), *parts[i + 1 :])))
                    if not self.nullable(part):
                        break
                return self.alt(found)
            case _Repeat(body, low, high):
                # Right for a nullable body too: taking it once less then loses nothing.
                rest = self.repeat(body, max(low - 1, 0), None if high is None else high - 1)
                return self.cat((self.moves(body).after(char), rest))

    def _cuts(self, n: int) -> set[int]:
        """Where the derivative by a character may change, as the character grows."""
        node = self._nodes[n]
        match node:
            case _Set(chars):
                return {c for low, high in chars for c in (low, high + 1)}
            case _Alt(parts):
                return set().union(*map(self._cuts, parts))
            case _Cat(parts):
                cuts: set[int] = set()
                for part in parts:
                    cuts |= self._cuts(part)
                    if not self.nullable(part):
                        break
                return cuts
            case _Repeat(body, _, _):
                return self._cuts(body)

    def moves(self, n: int) -> Moves:
        """All derivatives of `n` by one character."""
        found = self._moves.get(n)
        if found is None:
            starts: list[int] = []
            targets: list[int] = []
            for start in sorted(c for c in self._cuts(n) | {0} if c <= LAST):
                target = self.derivative(n, start)
                if not targets or target != targets[-1]:
                    starts.append(start)
                    targets.append(target)
            found = self._moves[n] = Moves(tuple(starts), tuple(targets))
        return found


def joint_moves(parts: Sequence[Moves]) -> list[tuple[int, int, tuple[int, ...]]]:
    """The moves of several automata side by side: first character, last character, targets."""
    turns: dict[int, list[tuple[int, int]]] = {0: []}
    for i, moves in enumerate(parts):
        for start, target in zip(moves.starts, moves.targets, strict=True):
            turns.setdefault(start, []).append((i, target))
    starts = sorted(turns)
    now = [0] * len(parts)
    found = []
    for first, last in zip(starts, [*(c - 1 for c in starts[1:]), LAST], strict=True):
        for i, target in turns[first]:
            now[i] = target
        found.append((first, last, tuple(now)))
    return found
