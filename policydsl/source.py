"""Places in source text: what every diagnostic, rule and trace points at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of character offsets `[start, end)` in the file `path`.

    `line` and `column` are 1-based and belong to `start`.
    """

    path: str
    start: int
    end: int
    line: int
    column: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.path, self.start, max(self.end, other.end), self.line, self.column)


NOWHERE = Span("", 0, 0, 0, 0)
