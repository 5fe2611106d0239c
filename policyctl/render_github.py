"""A run of the tool to workflow commands that a GitHub runner turns into annotations, and one line of sums."""

from __future__ import annotations

from policyctl.render_text import summary
from policyctl.results import Run
from policyctl.to_diagnostics import diagnostics_of
from policydsl.diagnostics import Diagnostic, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(run: Run) -> str:
    found = dict.fromkeys(d for file in run.files for d in diagnostics_of(file))
    return "".join(_annotation(d) for d in found) + summary(run) + "\n"


def _annotation(d: Diagnostic) -> str:
    fields = {"title": d.code}
    if d.span.path:
        fields = {"file": d.span.path, "line": str(max(d.span.line, 1)), "col": str(max(d.span.column, 1)), **fields}
    text = f"{d.text}\n{d.help}" if d.help else d.text
    places = ",".join(f"{key}={_in_field(value)}" for key, value in fields.items())
    return f"::{_COMMANDS[d.severity]} {places}::{_in_message(text)}\n"


def _in_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _in_field(text: str) -> str:
    return _in_message(text).replace(":", "%3A").replace(",", "%2C")
