"""Regular languages over Unicode strings: membership, and the classes into which languages divide all strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from threading import Lock
from typing import TypeAlias

from policydsl.regular_build import LAST, Builder, joint_moves
from policydsl.regular_parse import SPECIAL, PatternError, parse

__all__ = [
    "PatternError",
    "StringClass",
    "check",
    "classes",
    "contains_regex",
    "glob_to_regex",
    "member",
    "members",
    "quote",
]

LARGE = 1_000
"""A class with more members than this counts as infinite."""


def quote(literal: str) -> str:
    """The pattern of `literal` alone."""
    return "".join("\\" + c if c in SPECIAL else c for c in literal)


def glob_to_regex(glob: str) -> str:
    """In a glob, `*` is any run of characters and `?` any one character."""
    return "".join({"*": ".*", "?": "."}.get(c, quote(c)) for c in glob)


def contains_regex(pattern: str) -> str:
    """The strings with a part in the language `pattern`."""
    return f".*(?:{pattern}).*"


def check(pattern: str) -> None:
    """Raises `PatternError` unless `pattern` is in the subset."""
    parse(pattern, Builder())


class _Automaton:
    """One language as an automaton that is built as far as texts have needed it."""

    def __init__(self, pattern: str) -> None:
        self._lock = Lock()
        self._build = Builder()
        self._start = parse(pattern, self._build)

    def accepts(self, text: str) -> bool:
        # The builder is shared between callers, and numbering nodes is not atomic.
        with self._lock:
            build = self._build
            state = self._start
            for c in text:
                if state in (build.nothing, build.everything):
                    break
                state = build.moves(state).after(ord(c))
            return build.nullable(state)

    def __len__(self) -> int:
        return len(self._build)


@lru_cache(maxsize=512)
def _automaton(pattern: str) -> _Automaton:
    return _Automaton(pattern)


_KEPT = 20_000


def member(pattern: str, text: str) -> bool:
    """Whether the whole of `text` is in the language `pattern`."""
    automaton = _automaton(pattern)
    # What long texts made it grow to is not kept: derivatives can be exponentially many.
    return (_Automaton(pattern) if len(automaton) > _KEPT else automaton).accepts(text)


@dataclass(frozen=True, slots=True)
class StringClass:
    """The strings that are in exactly those languages for which `membership` says so; there is one.

    `finite_size` is their number, or None when there are infinitely many or more than `LARGE`.
    """

    membership: tuple[bool, ...]
    witness: str
    finite_size: int | None


_State: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Edge:
    first: int
    last: int
    target: _State


class _Product:
    """The automata of several patterns side by side, explored from the start breadth first.

    `words` has a shortest string to each state; it is None beyond `limit` states.
    """

    def __init__(self, patterns: Sequence[str], limit: int) -> None:
        self.build = Builder()
        self.start: _State = tuple(parse(p, self.build) for p in patterns)
        self.edges: dict[_State, list[_Edge]] = {}
        self.words: dict[_State, str] = {self.start: ""}
        self.complete = self._explore(limit)

    def _explore(self, limit: int) -> bool:
        queue = [self.start]
        for state in queue:
            if len(self.words) > limit:
                return False
            moves = joint_moves([self.build.moves(n) for n in state])
            self.edges[state] = [_Edge(*m) for m in moves]
            new = [e for e in self.edges[state] if e.target not in self.words]
            for edge in sorted(new, key=lambda e: _plainness(_plainest(e.first, e.last))):
                if edge.target not in self.words:
                    self.words[edge.target] = self.words[state] + chr(_plainest(edge.first, edge.last))
                    queue.append(edge.target)
        return True

    def membership(self, state: _State) -> tuple[bool, ...]:
        return tuple(map(self.build.nullable, state))

    def leading_to(self, goals: set[_State]) -> set[_State]:
        """The states from which a goal can be reached."""
        before: dict[_State, list[_State]] = {}
        for state, edges in self.edges.items():
            for edge in edges:
                before.setdefault(edge.target, []).append(state)
        found, queue = set(goals), list(goals)
        for state in queue:
            new = [s for s in before.get(state, ()) if s not in found]
            found.update(new)
            queue.extend(dict.fromkeys(new))
        return found

    def counts(self) -> dict[_State, int]:
        """How many strings lead to each state that finitely many lead to."""
        into = dict.fromkeys(self.words, 0)
        for edges in self.edges.values():
            for edge in edges:
                into[edge.target] += 1
        found = {self.start: 1}
        queue = [self.start] if into[self.start] == 0 else []
        for state in queue:
            for edge in self.edges[state]:
                found[edge.target] = found.get(edge.target, 0) + found[state] * (edge.last - edge.first + 1)
                into[edge.target] -= 1
                if into[edge.target] == 0:
                    queue.append(edge.target)
        # What is left over lies on or behind a cycle.
        return {state: found[state] for state in queue}


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@ "
_RANK = {ord(c): i for i, c in enumerate([*_LETTERS, *(chr(i) for i in range(33, 127) if chr(i) not in _LETTERS)])}


def _characters(first: int, last: int) -> Iterator[int]:
    """The characters of a range, those that read best first."""
    if first < 127:
        yield from (c for c in _RANK if first <= c <= last)
    odd = [c for c in range(max(first, 0xA1), min(last, first + 256) + 1) if chr(c).isprintable()]
    yield from odd
    known = {*odd, *_RANK}
    yield from (c for c in range(first, last + 1) if c not in known)


@lru_cache(maxsize=4096)
def _plainest(first: int, last: int) -> int:
    return next(_characters(first, last))


def _plainness(char: int) -> int:
    return _RANK.get(char, len(_RANK) + char + (0 if chr(char).isprintable() else LAST))


def classes(patterns: Sequence[str], limit: int) -> list[StringClass] | None:
    """All classes into which `patterns` divide the strings, by membership; None beyond `limit` product states."""
    product = _Product(patterns, limit)
    if not product.complete:
        return None
    goals: dict[tuple[bool, ...], list[_State]] = {}
    for state in product.words:
        goals.setdefault(product.membership(state), []).append(state)
    counts = product.counts()
    found = []
    for membership, states in sorted(goals.items()):
        sizes = [counts.get(s, LARGE + 1) for s in states]
        # Explored breadth first, so the first state of a class has its shortest word.
        found.append(StringClass(membership, product.words[states[0]], sum(sizes) if sum(sizes) <= LARGE else None))
    return found


def members(patterns: Sequence[str], membership: tuple[bool, ...], count: int, limit: int) -> list[str]:
    """Up to `count` members of a class, shortest first; all of them if it has no more. Empty beyond `limit` states."""
    product = _Product(patterns, limit)
    if not product.complete:
        return []
    goals = {s for s in product.words if product.membership(s) == membership}
    found: list[str] = []
    live = product.leading_to(goals)
    level: list[tuple[str, _State]] = [("", product.start)] if product.start in live else []
    while level and len(found) < count:
        found.extend(word for word, state in level if state in goals)
        level = list(_longer(product, live, level, count))
    return found[:count]


def _longer(
    product: _Product, live: set[_State], level: list[tuple[str, _State]], count: int
) -> Iterator[tuple[str, _State]]:
    """Words longer by one, to each state not more than `count`, since more could not matter."""
    reached: dict[_State, int] = {}
    for word, state in level:
        for edge in sorted(product.edges[state], key=lambda e: _plainness(_plainest(e.first, e.last))):
            if edge.target in live:
                for c in islice(_characters(edge.first, edge.last), count):
                    if reached.get(edge.target, 0) < count:
                        reached[edge.target] = reached.get(edge.target, 0) + 1
                        yield word + chr(c), edge.target
