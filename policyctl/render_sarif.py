"""A run of the tool to SARIF 2.1.0, for code scanning: a rule per code, a result per diagnostic, a flow per trace."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from policyctl import __version__
from policyctl.results import FileResult, Run, TraceView
from policyctl.to_diagnostics import diagnostics_of, property_diagnostic
from policydsl.codes import CODES
from policydsl.diagnostics import Diagnostic, Severity
from policydsl.source import Span

Json = dict[str, Any]
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def render_sarif(run: Run) -> str:
    found = list(dict.fromkeys(d for file in run.files for d in diagnostics_of(file)))
    traces = {d: trace for file in run.files for d, trace in _traces(file)}
    codes = sorted({d.code for d in found})
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "policyctl",
                        "semanticVersion": __version__,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": not any(f.crash for f in run.files)}],
                "results": [_result(d, codes.index(d.code), traces.get(d)) for d in found],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _traces(file: FileResult) -> list[tuple[Diagnostic, TraceView]]:
    pairs = [(property_diagnostic(p), p.trace) for p in file.properties]
    pairs += [(d, t.trace) for t in file.tests for d in t.failures]
    return [(d, trace) for d, trace in pairs if d is not None and trace is not None and trace.steps]


def _rule(code: str) -> Json:
    page = CODES.get(code)
    if page is None:
        return {"id": code}
    help_text = f"{page.text}\n\n{page.fix}"
    return {
        "id": code,
        "name": code,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.text},
        "help": {"text": help_text},
    }


def _result(d: Diagnostic, index: int, trace: TraceView | None) -> Json:
    text = f"{d.text}\n{d.help}" if d.help else d.text
    result: Json = {
        "ruleId": d.code,
        "ruleIndex": index,
        "level": _LEVELS[d.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": _physical(d.span)}] if d.span.path else [],
    }
    if d.labels:
        result["relatedLocations"] = [
            {"id": number, "physicalLocation": _physical(label.span), "message": {"text": label.text or "here"}}
            for number, label in enumerate(d.labels, 1)
        ]
    if trace is not None:
        result["codeFlows"] = [{"threadFlows": [{"locations": [_flow_step(d.span, s) for s in _sentences(trace)]}]}]
    return result


def _sentences(trace: TraceView) -> list[str]:
    return [
        f"{step.call}: {step.effect}{f' ({step.why})' if step.why else ''}"
        + (f"; {', '.join(step.changes)}" if step.changes else "")
        for step in trace.steps
    ]


def _flow_step(span: Span, text: str) -> Json:
    return {"location": {"physicalLocation": _physical(span), "message": {"text": text}}}


def _physical(span: Span) -> Json:
    path = PurePath(span.path)
    location: Json = {"artifactLocation": {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}}
    if span.line:
        location["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "charOffset": span.start,
            "charLength": max(span.end - span.start, 0),
        }
    return location
