"""Patterns to the fastest exact test of a whole text: methods of `str` where they suffice, else an automaton.

Never a backtracking matcher: texts come from whoever attacks, and time must be linear in them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from policydsl.regular import member
from policydsl.regular_parse import SPECIAL


def literals(pattern: str) -> list[str] | None:
    """The pieces of a pattern that is literal text with `.*` between them (a glob with `*`); None for any other.

    `["a"]` is the text `a` alone, `["a", ""]` all that starts with it, `["", "a", ""]` all that contains it.
    """
    pieces = [""]
    at = 0
    while at < len(pattern):
        c = pattern[at]
        if pattern.startswith(".*", at):
            pieces.append("")
            at += 2
        elif c == "\\":
            if pattern[at + 1 : at + 2] not in SPECIAL or at + 1 >= len(pattern):
                return None
            pieces[-1] += pattern[at + 1]
            at += 2
        elif pattern.startswith("(?:", at):
            end = pattern.find(")", at)
            inner = literals(pattern[at + 3 : end]) if end >= 0 else None
            if inner is None or len(inner) > 1 or _ends_in_escape(pattern, end):
                return None
            pieces[-1] += inner[0]
            at = end + 1
        elif c in SPECIAL and c != "-":
            return None
        else:
            pieces[-1] += c
            at += 1
        if pattern[at : at + 1] in ("*", "+", "?", "{"):
            return None  # what came last is repeated
    # `.*.*` is `.*`.
    return [p for i, p in enumerate(pieces) if p or i in (0, len(pieces) - 1)]


def _ends_in_escape(pattern: str, end: int) -> bool:
    """Whether the parenthesis at `end` is itself escaped."""
    slashes = 0
    while pattern[end - 1 - slashes : end - slashes] == "\\":
        slashes += 1
    return slashes % 2 == 1


def recogniser(pattern: str) -> Callable[[str], bool]:
    """Whether the whole of a text is in the language `pattern`: the meaning of `Op.MATCHES`."""
    pieces = literals(pattern)
    if pieces is None:
        return partial(member, pattern)
    return partial(in_order, tuple(pieces))


def in_order(pieces: tuple[str, ...], text: str) -> bool:
    """Whether `text` is the pieces in order, with anything between them (see `literals`)."""
    first, *between = pieces
    if not between:
        return text == first
    last = between.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in between:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def as_python(pattern: str, text: str, constant: Callable[[object], str]) -> str:
    """A Python expression that tests `text`, itself an expression. `constant` gives a name to a value."""
    match literals(pattern):
        case [whole]:
            return f"{text} == {whole!r}"
        case ["", ""]:
            return "True"
        case [start, ""]:
            return f"{text}.startswith({start!r})"
        case ["", end]:
            return f"{text}.endswith({end!r})"
        case ["", part, ""]:
            return f"{part!r} in {text}"
        case _:
            return f"{constant(recogniser(pattern))}({text})"
