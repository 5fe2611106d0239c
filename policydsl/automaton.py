"""The tables the parser runs: actions, gotos, how each reduction takes its children, and the terminals.

They are made from grammar.lark and kept in grammar.json, because making them takes longer than reading most policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

END = "$END"
ABSENT = -1  # stands in `Reduction.children` for an optional part that is not written


@dataclass(frozen=True, slots=True)
class Reduction:
    """What to do with the top `size` values of the stack: hand `children` to `method`, and go on as `origin`.

    `children` holds positions among those values; `spliced` those whose list is to be poured out. Without a method the
    children form a list or a tuple (`gather`), or the only child stands for itself.
    """

    origin: str
    size: int
    method: str | None
    children: tuple[int, ...]
    spliced: frozenset[int]
    gather: type[Any] | None


Action: TypeAlias = int | Reduction  # an int is a shift to that state


@dataclass(frozen=True, slots=True)
class Automaton:
    """State 0 is the first one; `end` is the one in which a whole module has been read."""

    actions: tuple[dict[str, Action], ...]
    gotos: tuple[dict[str, int], ...]
    end: int
    regexes: tuple[tuple[str, str], ...]  # terminal, regular expression; the first match wins
    symbols: dict[str, str]  # text of a fixed terminal -> its name


def grammar_text() -> str:
    return files("policydsl").joinpath("grammar.lark").read_text(encoding="utf-8")


@cache
def automaton() -> Automaton:
    """The stored tables, or tables made anew when the grammar has changed since."""
    from policydsl.automaton_json import from_json

    stored = files("policydsl").joinpath("grammar.json")
    found = from_json(stored.read_text(encoding="utf-8"), grammar_text()) if stored.is_file() else None
    if found is not None:
        return found
    from policydsl.from_grammar import from_grammar

    return from_grammar(grammar_text())
