"""Systems to JSON: canonical text, in which each distinct type and expression stands once.

The part `system` is what the specification means, and all that `digest` covers; `docs` and `spans` stand beside it, in
the same shape. Expressions are a table in which arguments come before the terms that use them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from typing import Any

from policydsl.core.expr import Apply, Const, Expr, Ref, subterms
from policydsl.core.system import Action, Property, Sum, System
from policydsl.core.types import EntityType, EnumType, MapType, Type
from policydsl.source import NOWHERE, Span

FORMAT = "policyctl-core/1"


def dumps(data: object) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class _Tables:
    """Numbers types and expressions in the order in which they are first met."""

    def __init__(self) -> None:
        self.types: list[Any] = []
        self.exprs: list[Any] = []
        self._types: dict[Type, int] = {}
        self._exprs: dict[Expr, int] = {}

    def type(self, t: Type) -> int:
        if t not in self._types:
            row = self._type_row(t)
            self._types[t] = len(self.types)
            self.types.append(row)
        return self._types[t]

    def _type_row(self, t: Type) -> Any:
        match t:
            case EnumType():
                return {"enum": t.name, "cases": list(t.cases)}
            case EntityType():
                return {"entity": t.name}
            case MapType():
                return {"keys": [self.type(k) for k in t.keys], "value": self.type(t.value)}
            case _:
                return str(t)

    def expr(self, root: Expr) -> int:
        if root not in self._exprs:
            for e in subterms(root):
                if e not in self._exprs:
                    row = self._expr_row(e)
                    self._exprs[e] = len(self.exprs)
                    self.exprs.append(row)
        return self._exprs[root]

    def _expr_row(self, e: Expr) -> Any:
        match e:
            case Const():
                return {"const": e.value, "type": self.type(e.type)}
            case Ref():
                return {"ref": e.name, "space": e.space.value, "type": self.type(e.type)}
            case Apply():
                return {"op": e.op.value, "args": [self._exprs[a] for a in e.args], "type": self.type(e.type)}

    def each(self, roots: Iterable[Expr]) -> list[int]:
        return [self.expr(e) for e in roots]

    def maybe(self, root: Expr | None) -> int | None:
        return None if root is None else self.expr(root)


def _action(t: _Tables, a: Action) -> Any:
    return {
        "name": a.name,
        "fair": a.fair,
        "inputs": [{"name": i.name, "type": t.type(i.type)} for i in a.inputs],
        "guards": [
            {"kind": g.kind.value, "expr": t.expr(g.expr), "reason": g.reason, "rule": g.rule} for g in a.guards
        ],
        "writes": [
            {"var": w.var, "binders": t.each(w.binders), "keys": t.each(w.keys), "value": t.expr(w.value)}
            for w in a.writes
        ],
        "rules": [
            {"rule": r.rule, "effect": r.effect, "condition": t.expr(r.condition), "reason": r.reason} for r in a.rules
        ],
        "obligations": [
            {"name": o.name, "args": t.each(o.args), "condition": t.expr(o.condition), "on": o.on.value, "rule": o.rule}
            for o in a.obligations
        ],
    }


def _property(t: _Tables, p: Property) -> Any:
    return {
        "name": p.name,
        "kind": p.kind.value,
        "expr": t.expr(p.expr),
        "goal": t.maybe(p.goal),
        "action": p.action,
        "expected": p.expected.value,
        "because": p.because,
    }


def _sum(t: _Tables, s: Sum) -> Any:
    return {"var": s.var, "keys": t.each(s.keys), "bound": t.expr(s.bound), "body": t.expr(s.body)}


def _meaning(s: System) -> Any:
    t = _Tables()
    return {
        "name": s.name,
        "params": [
            {"name": p.name, "type": t.type(p.type), "default": t.expr(p.default), "low": p.low, "high": p.high}
            for p in s.params
        ],
        "state": [
            {
                "name": v.name,
                "keys": [t.type(k) for k in v.keys],
                "type": t.type(v.type),
                "init": t.maybe(v.init),
                "origin": v.origin.value,
            }
            for v in s.state
        ],
        "actions": [_action(t, a) for a in s.actions],
        "properties": [_property(t, p) for p in s.properties],
        "sums": [_sum(t, x) for x in s.sums],
        "individuals": t.each(s.individuals),
        "fail_open": list(s.fail_open),
        "recovery": list(s.recovery),
        "phases": [
            {"name": p.name, "reserve": p.reserve, "commit": p.commit, "abort": p.abort, "expire": p.expire}
            for p in s.phases
        ],
        "types": t.types,
        "exprs": t.exprs,
    }


def _docs(s: System) -> Any:
    return {
        "system": s.doc,
        "params": [p.doc for p in s.params],
        "state": [v.doc for v in s.state],
        "actions": [{"doc": a.doc, "inputs": [i.doc for i in a.inputs]} for a in s.actions],
        "properties": [p.doc for p in s.properties],
    }


def _span(span: Span) -> Any:
    return None if span == NOWHERE else [span.path, span.start, span.end, span.line, span.column]


def _spans(s: System) -> Any:
    return {
        "params": [_span(p.span) for p in s.params],
        "state": [_span(v.span) for v in s.state],
        "actions": [
            {
                "span": _span(a.span),
                "guards": [_span(g.span) for g in a.guards],
                "writes": [_span(w.span) for w in a.writes],
                "rules": [_span(r.span) for r in a.rules],
            }
            for a in s.actions
        ],
        "properties": [_span(p.span) for p in s.properties],
        "phases": [_span(p.span) for p in s.phases],
    }


def to_data(system: System) -> dict[str, Any]:
    """`system` as JSON values, to be put into a larger document."""
    return {"format": FORMAT, "system": _meaning(system), "docs": _docs(system), "spans": _spans(system)}


def to_json(system: System) -> str:
    """`system` as canonical text; `from_json` reads it back."""
    return dumps(to_data(system))


@lru_cache(maxsize=256)
def digest(system: System) -> str:
    """Names the meaning of `system`: the same for two that differ in places and documentation only."""
    return sha256(dumps(_meaning(system)).encode("ascii")).hexdigest()
