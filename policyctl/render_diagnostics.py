"""Diagnostics and the texts that they point into, to what people read: the source line, underlined, with labels."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from policyctl.paint import PLAIN, Paint
from policydsl.diagnostics import Diagnostic, Severity
from policydsl.source import Span

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}


def render_diagnostics(found: Sequence[Diagnostic], sources: Mapping[str, str], paint: Paint = PLAIN) -> str:
    """One block per diagnostic, with an empty line after each; an empty text for none."""
    return "".join(render_diagnostic(d, sources, paint) + "\n\n" for d in found)


def render_diagnostic(d: Diagnostic, sources: Mapping[str, str], paint: Paint = PLAIN) -> str:
    style = _STYLES[d.severity]
    lines = [paint(style, f"{d.severity.value}[{d.code}]") + paint("bold", f": {d.text}")]
    numbered = [span.line for span in (d.span, *(label.span for label in d.labels)) if span.line]
    width = len(str(max(numbered, default=1)))
    if d.span.path:
        lines += _snippet(d.span, "", "^", style, sources, width, paint)
    for label in d.labels:
        lines += _snippet(label.span, label.text, "-", "bold blue", sources, width, paint)
    if d.help:
        first, *rest = d.help.splitlines()
        lines.append(f"{' ' * width} {paint('bold blue', '=')} {paint('bold', 'help')}: {first}")
        lines += [f"{' ' * width}         {line}" for line in rest]
    return "\n".join(lines)


def _snippet(
    span: Span, text: str, mark: str, style: str, sources: Mapping[str, str], width: int, paint: Paint
) -> list[str]:
    pad = " " * width
    arrow = "-->" if mark == "^" else ":::"
    place = f"{span.path}:{span.line}:{span.column}" if span.line else span.path
    lines = [f"{pad}{paint('bold blue', arrow)} {place}"]
    source = _line_at(sources.get(span.path, ""), span.line)
    if source is None:
        if text:
            lines.append(f"{pad} {paint('bold blue', '=')} {text}")
        return lines
    bar = paint("bold blue", "|")
    before = source[: span.column - 1]
    marked = source[span.column - 1 : span.column - 1 + max(span.end - span.start, 0)]
    underline = mark * max(_cells(marked), 1)
    comment = f" {text}" if text else ""
    return [
        *lines,
        f"{pad} {bar}",
        f"{paint('bold blue', str(span.line).rjust(width))} {bar} {_untabbed(source)}",
        f"{pad} {bar} {' ' * _cells(before)}{paint(style, underline + comment)}",
    ]


def _line_at(text: str, number: int) -> str | None:
    """The line as the parser counts them: by line feeds alone."""
    lines = text.split("\n")
    return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) and text else None


def _untabbed(text: str) -> str:
    """The text with tabs as four spaces, and without what could steer a terminal."""
    return "".join("    " if c == "\t" else c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(_width(c) for c in text)


def _width(c: str) -> int:
    if c == "\t":
        return 4
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1
