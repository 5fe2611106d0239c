"""What is asked of columns of words is asked of each word of their vocabularies once, and kept.

A test of a column looks its codes up in what was found of the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.state import State
from runtime import strings
from runtime.columns import Bools, Vocabulary, Words, code_type, words

DEARER = 2
"""By so much it is dearer to ask the words of some rows than as many words of a vocabulary."""


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What was computed of whole vocabularies in one state."""

    state: State
    found: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self.found:
            self.found[key] = make()
        return self.found[key]

    def index(self, v: Vocabulary) -> Mapping[str, int]:
        """The code of each word."""
        found: Mapping[str, int] = self.once(("index", v), lambda: {w: i for i, w in enumerate(v.words)})
        return found

    def translation(self, a: Vocabulary, b: Vocabulary) -> NDArray[np.int64]:
        """For each word of `b` its code in `a`; for words that are not in `a`, numbers beyond its codes."""

        def make() -> NDArray[np.int64]:
            index = dict(self.index(a))
            return np.array([index.setdefault(w, len(index)) for w in b.words], dtype=np.int64)

        found: NDArray[np.int64] = self.once(("translation", a, b), make)
        return found

    def union(self, a: Vocabulary, b: Vocabulary) -> Vocabulary:
        """The words of `a`, then those that `b` has beside, in the order of `translation`."""
        found: Vocabulary = self.once(
            ("union", a, b), lambda: Vocabulary((*a.words, *(w for w in b.words if w not in self.index(a))))
        )
        return found


def same_word(shared: Shared, a: Words, b: Words | str) -> Bools | bool:
    """Where two columns have the same word."""
    if not isinstance(b, Words):
        code = shared.index(a.vocabulary).get(b)
        return False if code is None else _bools(a.codes == a.codes.dtype.type(code))
    if a.vocabulary is b.vocabulary:
        return _bools(a.codes == b.codes)
    return _bools(a.codes == shared.translation(a.vocabulary, b.vocabulary)[b.codes])


def _bools(a: Any) -> Bools:
    found: Bools = a
    return found


def either_word(shared: Shared, c: Bools, a: Words | str, b: Words | str) -> Words:
    """The word of `a` where `c` holds, else that of `b`."""
    a, b = _as_words(shared, a), _as_words(shared, b)
    if a.vocabulary is b.vocabulary:
        return Words(np.where(c, a.codes, b.codes), a.vocabulary)
    both = shared.union(a.vocabulary, b.vocabulary)
    translated = shared.translation(a.vocabulary, b.vocabulary)[b.codes]
    return Words(np.where(c, a.codes, translated).astype(code_type(len(both.words))), both)


def _as_words(shared: Shared, a: Words | str) -> Words:
    if isinstance(a, Words):
        return a
    vocabulary: Vocabulary = shared.once(("alone", a), lambda: Vocabulary((a,)))
    return Words(np.zeros(1, np.uint8), vocabulary)


def in_language(shared: Shared, text: Words, pattern: str) -> Bools:
    """Where the whole of a text is in the language `pattern`."""
    v, key = text.vocabulary, ("language", pattern, text.vocabulary)
    if key not in shared.found:
        affix = _affix(pattern)
        # To ask all words pays when they are few, or asked again and again; until then only those here are asked. Of
        # patterns that ask for a start or an end there are many, and few lengths, so words are cut to length.
        account = ("account", affix[1] if affix else pattern, v)
        shared.found[account] = shared.found.get(account, 0) + DEARER * len(text)
        if shared.found[account] < len(v.words):
            return texts_in_language(pattern, [v.words[c] for c in text.codes.tolist()])
        if affix is None:
            shared.found[key] = texts_in_language(pattern, v.words)
        else:
            known, (start, stop) = affix
            cut = slice(start, stop)
            parts = shared.once(("cut", affix[1], v), lambda: words((w[cut] for w in v.words), len(v.words)))
            shared.found[key] = np.broadcast_to(same_word(shared, parts, known), len(v.words))
    return _bools(shared.found[key][text.codes])


def _affix(pattern: str) -> tuple[str, tuple[int | None, int | None]] | None:
    """The text with which a pattern says that texts start or end, and where that is."""
    match strings.literals(pattern):
        case [start, ""]:
            return start, (None, len(start))
        case ["", end]:
            return end, (-len(end), None)
        case _:
            return None


def texts_in_language(pattern: str, texts: Sequence[str]) -> Bools:
    """Of each text whether it is in the language `pattern`."""
    match strings.literals(pattern):
        case [start, ""]:
            found = [t.startswith(start) for t in texts]
        case ["", end]:
            found = [t.endswith(end) for t in texts]
        case ["", part, ""]:
            found = [part in t for t in texts]
        case _:
            found = list(map(strings.recogniser(pattern), texts))
    return np.array(found, dtype=np.bool_)
