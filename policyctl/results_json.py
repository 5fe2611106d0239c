"""Results to JSON data and back; the way back is for what this same version of the tool wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from policyctl.results import FileResult, PropertyView, Remark, StepView, TestView, TraceView
from policydsl.diagnostics import Diagnostic, Label, Severity
from policydsl.source import NOWHERE, Span

Json = dict[str, Any]


def file_to_json(result: FileResult) -> Json:
    return {
        "path": result.path,
        "name": result.name,
        "digest": result.digest,
        "diagnostics": [_diagnostic_to_json(d) for d in result.diagnostics],
        "properties": [_property_to_json(p) for p in result.properties],
        "remarks": [_remark_to_json(r) for r in result.remarks],
        "tests": [_test_to_json(t) for t in result.tests],
        **({"crash": result.crash} if result.crash else {}),
    }


def file_from_json(data: Mapping[str, Any]) -> FileResult:
    return FileResult(
        path=data["path"],
        name=data["name"],
        digest=data["digest"],
        diagnostics=tuple(map(_diagnostic_from_json, data["diagnostics"])),
        properties=tuple(map(_property_from_json, data["properties"])),
        remarks=tuple(map(_remark_from_json, data["remarks"])),
        tests=tuple(
            TestView(
                t["name"],
                tuple(map(_diagnostic_from_json, t["failures"])),
                trace_from_json(t["trace"]),
                _span_from_json(t["span"]),
            )
            for t in data["tests"]
        ),
        crash=data.get("crash", ""),
    )


def _span_to_json(span: Span) -> Json | None:
    if span == NOWHERE:
        return None
    return {"path": span.path, "start": span.start, "end": span.end, "line": span.line, "column": span.column}


def _span_from_json(data: Json | None) -> Span:
    return NOWHERE if data is None else Span(**data)


def _diagnostic_to_json(d: Diagnostic) -> Json:
    return {
        "code": d.code,
        "severity": d.severity.value,
        "text": d.text,
        "span": _span_to_json(d.span),
        "labels": [{"span": _span_to_json(label.span), "text": label.text} for label in d.labels],
        "help": d.help,
    }


def _diagnostic_from_json(data: Json) -> Diagnostic:
    return Diagnostic(
        data["code"],
        Severity(data["severity"]),
        data["text"],
        _span_from_json(data["span"]),
        tuple(Label(_span_from_json(label["span"]), label["text"]) for label in data["labels"]),
        data["help"],
    )


def trace_to_json(trace: TraceView | None) -> Json | None:
    if trace is None:
        return None
    steps = [
        {
            "call": s.call,
            "effect": s.effect,
            "why": s.why,
            "changes": list(s.changes),
            "obligations": list(s.obligations),
            **({"note": s.note} if s.note else {}),
        }
        for s in trace.steps
    ]
    return {"start": list(trace.start), "steps": steps, "record": json.loads(trace.record or "null")}


def trace_from_json(data: Json | None) -> TraceView | None:
    if data is None:
        return None
    steps = tuple(
        StepView(s["call"], s["effect"], s["why"], tuple(s["changes"]), tuple(s["obligations"]), s.get("note", ""))
        for s in data["steps"]
    )
    record = "" if data["record"] is None else json.dumps(data["record"])
    return TraceView(tuple(data["start"]), steps, record)


_TEXTS = ("name", "kind", "status", "expected", "scope", "how", "advice", "because", "doc")
_LISTS = ("uses", "lemmas", "guards", "assumptions")


def _property_to_json(p: PropertyView) -> Json:
    return (
        {key: getattr(p, key) for key in _TEXTS}
        | {key: list(getattr(p, key)) for key in _LISTS}
        | {
            "as_expected": p.as_expected,
            "trace": trace_to_json(p.trace),
            "cti": trace_to_json(p.cti),
            "cached": p.cached,
            "span": _span_to_json(p.span),
        }
    )


def _property_from_json(data: Json) -> PropertyView:
    words: Json = {key: data[key] for key in _TEXTS} | {key: tuple(data[key]) for key in _LISTS}
    return PropertyView(
        **words,
        trace=trace_from_json(data["trace"]),
        cti=trace_from_json(data["cti"]),
        cached=data["cached"],
        span=_span_from_json(data["span"]),
    )


def _remark_to_json(r: Remark) -> Json:
    return {
        "code": r.code,
        "text": r.text,
        "certain": r.certain,
        "witness": trace_to_json(r.witness),
        "span": _span_to_json(r.span),
    }


def _remark_from_json(data: Json) -> Remark:
    witness = trace_from_json(data["witness"])
    return Remark(data["code"], data["text"], data["certain"], witness, _span_from_json(data["span"]))


def _test_to_json(t: TestView) -> Json:
    return {
        "name": t.name,
        "passed": t.passed,
        "failures": list(map(_diagnostic_to_json, t.failures)),
        "trace": trace_to_json(t.trace),
        "span": _span_to_json(t.span),
    }
