"""Where the words of a regular language stand in a text, and what the text is without them."""

from __future__ import annotations

from policydsl.regular_build import Builder
from policydsl.regular_parse import parse

STEPS = 64
"""So many steps for each character of a text are enough, or it is not searched to its end."""


class TooLongError(Exception):
    """The text has too many long beginnings of words that come to nothing."""


def spans(pattern: str, text: str) -> list[tuple[int, int]]:
    """The words of the language `pattern` in `text`, from the left, each as long as possible, none empty, none
    overlapping. Raises `TooLongError` for what would take more than `STEPS` steps for each character."""
    build = Builder()
    start = parse(pattern, build)
    found = []
    at, room = 0, STEPS * (len(text) + STEPS)
    while at < len(text):
        end = i = at
        state = start
        while i < len(text) and state != build.nothing:
            state = build.moves(state).after(ord(text[i]))
            i += 1
            if build.nullable(state):
                end = i
        room -= i - at
        if room < 0:
            raise TooLongError
        if end > at:
            found.append((at, end))
        at = max(end, at + 1)
    return found


def replace(pattern: str, text: str, replacement: str) -> str:
    """`text` with `replacement` for each word of the language `pattern` that `spans` finds."""
    parts, last = [], 0
    for start, end in spans(pattern, text):
        parts += [text[last:start], replacement]
        last = end
    return "".join([*parts, text[last:]])
