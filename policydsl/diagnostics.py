"""Diagnostics are values: a stable code, one clause of text, a place, labels elsewhere and a help line.

Text is lower case with no final period, and what the user wrote stands in backticks. Nothing here prints;
`policyctl` renders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from policydsl.source import Span


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Label:
    """Something worth saying about another place."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    code: str
    severity: Severity
    text: str
    span: Span
    labels: tuple[Label, ...] = ()
    help: str = ""


@dataclass(slots=True)
class Report:
    """Collects what the passes find. A pass goes on after an error wherever it can."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, text: str, span: Span, *, help: str = "", labels: tuple[Label, ...] = ()) -> None:
        self._add(Diagnostic(code, Severity.ERROR, text, span, labels, help))

    def warn(self, code: str, text: str, span: Span, *, help: str = "", labels: tuple[Label, ...] = ()) -> None:
        self._add(Diagnostic(code, Severity.WARNING, text, span, labels, help))

    def _add(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self.found:
            self.found.append(diagnostic)

    @property
    def failed(self) -> bool:
        return any(d.severity is Severity.ERROR for d in self.found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """By place, then by code."""
        return tuple(sorted(self.found, key=lambda d: (d.span.path, d.span.start, d.code, d.text)))
