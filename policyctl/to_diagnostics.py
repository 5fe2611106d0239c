"""Results to diagnostics: verdicts, failed tests and vacuities, for the formats that know nothing but diagnostics."""

from __future__ import annotations

from dataclasses import replace

from policyctl.results import FileResult, PropertyView, Remark
from policydsl.diagnostics import Diagnostic, Severity
from policydsl.source import Span


def diagnostics_of(file: FileResult) -> tuple[Diagnostic, ...]:
    """What the file says and what came out otherwise than expected, in one list."""
    return (
        *file.diagnostics,
        *(d for p in file.properties if (d := property_diagnostic(p)) is not None),
        *(remark_diagnostic(file, r) for r in file.remarks),
        *(d for t in file.tests for d in t.failures),
        *([crash_diagnostic(file)] if file.crash else []),
    )


def property_diagnostic(view: PropertyView) -> Diagnostic | None:
    """None when the verdict is the expected one."""
    if view.as_expected:
        return None
    if view.expected != "proved":
        return _error("R803", f"`{view.name}` is {view.status}, not {view.expected} as the policy expects", view.span)
    if view.status == "unknown":
        text = f"`{view.name}` is neither proved nor refuted: {view.how}"
        return replace(_error("R802", text, view.span), help=view.advice)
    if view.kind == "reachable":
        return _error("R804", f"`{view.name}` is unreachable {view.scope}".rstrip(), view.span)
    steps = len(view.trace.steps) if view.trace is not None else 0
    because = f": {view.because}" if view.because else ""
    then = f"; from then on, {view.how}" if view.kind == "eventually" and view.how else ""
    text = f"`{view.name}` is refuted in {steps} step{'' if steps == 1 else 's'}{because}{then}"
    return _error("R801", text, view.span)


def remark_diagnostic(file: FileResult, remark: Remark) -> Diagnostic:
    severity = Severity.NOTE if remark.is_note else Severity.WARNING
    span = remark.span if remark.span.path else Span(file.path, 0, 0, 1, 1)
    return Diagnostic(remark.code, severity, remark_text(remark), span)


def remark_text(remark: Remark) -> str:
    return remark.text if remark.certain else f"{remark.text} (not proved)"


def crash_diagnostic(file: FileResult) -> Diagnostic:
    last = file.crash.strip().splitlines()[-1]
    return _error("I999", f"the tool itself failed: {last}", Span(file.path, 0, 0, 1, 1))


def _error(code: str, text: str, span: Span) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, text, span)
