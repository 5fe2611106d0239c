"""Traces to JSON and back: counterexamples, recorded traffic and decision logs all travel as `policyctl-trace/1`."""

from __future__ import annotations

import json
from typing import Any

from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.system import Effect
from policydsl.core.types import Value
from policydsl.trace import Cell, Change, Decision, Step, Trace

__all__ = ["FORMAT", "MalformedError", "from_data", "from_json", "step_from_data", "step_to_data", "to_data", "to_json"]

FORMAT = "policyctl-trace/1"

_EFFECTS = [e.value for e in Effect]


def decision_to_data(d: Decision) -> dict[str, Any]:
    return {
        "effect": d.effect,
        "rules": list(d.rules),
        "reason": d.reason,
        "obligations": [{"name": name, "args": list(args)} for name, args in d.obligations],
    }


def step_to_data(s: Step) -> dict[str, Any]:
    """One step as JSON values: a line of a decision log."""
    return {
        "action": s.action,
        "inputs": dict(s.inputs),
        "decision": decision_to_data(s.decision),
        "changes": [{"var": c.var, "keys": list(c.keys), "before": c.before, "after": c.after} for c in s.changes],
    }


def to_data(t: Trace) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "system": t.system,
        "digest": t.digest,
        "property": t.property,
        "params": dict(t.params),
        "start": [{"var": c.var, "keys": list(c.keys), "value": c.value} for c in t.start],
        "steps": [step_to_data(s) for s in t.steps],
    }


def to_json(t: Trace, indent: int | None = None) -> str:
    """`t` as text; `from_json` reads it back. Inputs and parameters keep their order."""
    return json.dumps(to_data(t), indent=indent, ensure_ascii=True, allow_nan=False)


def _texts(r: Reader) -> tuple[str, ...]:
    return tuple(x.text() for x in r.items())


def _values(r: Reader) -> tuple[tuple[str, Value], ...]:
    return tuple((name, r[name].any_scalar()) for name in r.names())


def _decision(r: Reader) -> Decision:
    r.fields("effect", "rules", "reason", "obligations")
    obligations = []
    for o in r["obligations"].items():
        o.fields("name", "args")
        obligations.append((o["name"].text(), tuple(a.any_scalar() for a in o["args"].items())))
    return Decision(r["effect"].one_of(_EFFECTS), _texts(r["rules"]), r["reason"].text(), tuple(obligations))


def _cell(r: Reader) -> Cell:
    r.fields("var", "keys", "value")
    return Cell(r["var"].text(), _texts(r["keys"]), r["value"].any_scalar())


def _change(r: Reader) -> Change:
    r.fields("var", "keys", "before", "after")
    return Change(r["var"].text(), _texts(r["keys"]), r["before"].any_scalar(), r["after"].any_scalar())


def _step(r: Reader) -> Step:
    r.fields("action", "inputs", "decision", "changes")
    changes = tuple(_change(c) for c in r["changes"].items())
    return Step(r["action"].text(), _values(r["inputs"]), _decision(r["decision"]), changes)


def step_from_data(data: object) -> Step:
    """The step that `step_to_data` made `data` of."""
    return _step(Reader(data))


def from_data(data: object) -> Trace:
    """The trace that `to_data` made `data` of."""
    r = Reader(data)
    r.fields("format", "system", "digest", "property", "params", "start", "steps")
    if r["format"].text() != FORMAT:
        raise r["format"].malformed(f"expected {FORMAT!r}")
    return Trace(
        r["system"].text(),
        r["digest"].text(),
        _values(r["params"]),
        tuple(_cell(c) for c in r["start"].items()),
        tuple(_step(s) for s in r["steps"].items()),
        r["property"].text(),
    )


def from_json(text: str) -> Trace:
    """The trace that `to_json` made `text` of; raises `MalformedError` for anything else."""
    return from_data(parse(text))
