"""JSON to systems: what `to_json` wrote, read strictly. What is no system raises `MalformedError`, with the place."""

from __future__ import annotations

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space
from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.system import (
    Action,
    Effect,
    Expected,
    Guard,
    GuardKind,
    Input,
    Obligation,
    Origin,
    Param,
    Phases,
    Property,
    PropertyKind,
    RuleUse,
    StateVar,
    Sum,
    System,
    Write,
)
from policydsl.core.to_json import FORMAT
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType, MapType, Scalar, Type
from policydsl.core.well_formed import faults
from policydsl.source import NOWHERE, Span

__all__ = ["MalformedError", "from_data", "from_json"]

_PLAIN: dict[str, Scalar] = {str(t): t for t in (BOOL, INT, STRING)}


def _type(r: Reader, known: list[Type]) -> Type:
    if isinstance(r.value, str):
        return _PLAIN[r.one_of(_PLAIN)]
    if r.has("enum"):
        r.fields("enum", "cases")
        cases = tuple(c.text() for c in r["cases"].items())
        if not cases or len(set(cases)) < len(cases):
            raise r["cases"].malformed("an enum needs distinct cases")
        return EnumType(r["enum"].text(), cases)
    if r.has("entity"):
        r.fields("entity")
        return EntityType(r["entity"].text())
    r.fields("keys", "value")
    keys = tuple(_entity(k, known) for k in r["keys"].items())
    if not keys:
        raise r["keys"].malformed("a map needs keys")
    return MapType(keys, _scalar(r["value"], known))


def _entity(r: Reader, known: list[Type]) -> EntityType:
    found = r.row(known)
    if not isinstance(found, EntityType):
        raise r.malformed("not an entity type")
    return found


def _scalar(r: Reader, known: list[Type]) -> Scalar:
    found = r.row(known)
    if isinstance(found, MapType):
        raise r.malformed("not a scalar type")
    return found


def _expr(r: Reader, types: list[Type], known: list[Expr]) -> Expr:
    type = r["type"].row(types)
    if r.has("const"):
        r.fields("const", "type")
        return Const(r["const"].scalar(_scalar(r["type"], types)), type)
    if r.has("ref"):
        r.fields("ref", "space", "type")
        return Ref(r["ref"].text(), type, r["space"].enum(Space))
    r.fields("op", "args", "type")
    # SOUND: arguments are earlier rows only, so there are no cycles.
    return Apply(r["op"].enum(Op), tuple(a.row(known) for a in r["args"].items()), type)


class _From:
    """The decoding of one document; `types` and `exprs` are its tables."""

    def __init__(self, document: Reader) -> None:
        document.fields("format", "system", "docs", "spans")
        if document["format"].text() != FORMAT:
            raise document["format"].malformed(f"expected {FORMAT!r}")
        self.body, self.docs, self.spans = document["system"], document["docs"], document["spans"]
        self.body.fields(
            "name", "params", "state", "actions", "properties", "sums", "individuals", "fail_open", "recovery",
            "phases", "types", "exprs"
        )  # fmt: skip
        self.docs.fields("system", "params", "state", "actions", "properties")
        self.spans.fields("params", "state", "actions", "properties", "phases")
        self.types: list[Type] = []
        for row in self.body["types"].items():
            self.types.append(_type(row, self.types))
        self.exprs: list[Expr] = []
        for row in self.body["exprs"].items():
            self.exprs.append(_expr(row, self.types, self.exprs))

    def expr(self, r: Reader) -> Expr:
        return r.row(self.exprs)

    def truth(self, r: Reader) -> Expr:
        found = r.row(self.exprs)
        if found.type != BOOL:
            raise r.malformed("not a condition")
        return found

    def each(self, r: Reader) -> tuple[Expr, ...]:
        return tuple(self.expr(x) for x in r.items())

    def maybe(self, r: Reader) -> Expr | None:
        return None if r.value is None else self.expr(r)

    def const(self, r: Reader) -> Const:
        found = self.expr(r)
        if not isinstance(found, Const):
            raise r.malformed("not a constant")
        return found

    def bound(self, r: Reader) -> Ref:
        found = self.expr(r)
        if not isinstance(found, Ref) or found.space is not Space.BOUND:
            raise r.malformed("not a bound reference")
        return found

    def param(self, r: Reader, doc: Reader, span: Reader) -> Param:
        r.fields("name", "type", "default", "low", "high")
        return Param(
            r["name"].text(),
            _scalar(r["type"], self.types),
            self.const(r["default"]),
            r["low"].maybe_whole(),
            r["high"].maybe_whole(),
            doc.text(),
            _span(span),
        )

    def variable(self, r: Reader, doc: Reader, span: Reader) -> StateVar:
        r.fields("name", "keys", "type", "init", "origin")
        return StateVar(
            r["name"].text(),
            tuple(_entity(k, self.types) for k in r["keys"].items()),
            _scalar(r["type"], self.types),
            self.maybe(r["init"]),
            r["origin"].enum(Origin),
            doc.text(),
            _span(span),
        )

    def input(self, r: Reader, doc: Reader) -> Input:
        r.fields("name", "type")
        return Input(r["name"].text(), _scalar(r["type"], self.types), doc.text())

    def guard(self, r: Reader, span: Reader) -> Guard:
        r.fields("kind", "expr", "reason", "rule")
        kind = r["kind"].enum(GuardKind)
        return Guard(kind, self.truth(r["expr"]), r["reason"].text(), r["rule"].text(), _span(span))

    def write(self, r: Reader, span: Reader) -> Write:
        r.fields("var", "binders", "keys", "value")
        binders = tuple(self.bound(b) for b in r["binders"].items())
        return Write(r["var"].text(), self.each(r["keys"]), self.expr(r["value"]), binders, _span(span))

    def rule(self, r: Reader, span: Reader) -> RuleUse:
        r.fields("rule", "effect", "condition", "reason")
        condition = self.truth(r["condition"])
        return RuleUse(r["rule"].text(), r["effect"].text(), condition, r["reason"].text(), _span(span))

    def obligation(self, r: Reader) -> Obligation:
        r.fields("name", "args", "condition", "on", "rule")
        condition, on = self.truth(r["condition"]), r["on"].enum(Effect)
        return Obligation(r["name"].text(), self.each(r["args"]), condition, on, r["rule"].text())

    def action(self, r: Reader, docs: Reader, spans: Reader) -> Action:
        r.fields("name", "fair", "inputs", "guards", "writes", "rules", "obligations")
        docs.fields("doc", "inputs")
        spans.fields("span", "guards", "writes", "rules")
        return Action(
            r["name"].text(),
            tuple(self.input(x, d) for x, d in r["inputs"].beside(docs["inputs"])),
            tuple(self.guard(x, s) for x, s in r["guards"].beside(spans["guards"])),
            tuple(self.write(x, s) for x, s in r["writes"].beside(spans["writes"])),
            tuple(self.rule(x, s) for x, s in r["rules"].beside(spans["rules"])),
            tuple(self.obligation(x) for x in r["obligations"].items()),
            r["fair"].truth(),
            docs["doc"].text(),
            _span(spans["span"]),
        )

    def property(self, r: Reader, doc: Reader, span: Reader) -> Property:
        r.fields("name", "kind", "expr", "goal", "action", "expected", "because")
        return Property(
            r["name"].text(),
            r["kind"].enum(PropertyKind),
            self.truth(r["expr"]),
            self.maybe(r["goal"]),
            r["action"].text(),
            r["expected"].enum(Expected),
            r["because"].text(),
            doc.text(),
            _span(span),
        )

    def sum(self, r: Reader) -> Sum:
        r.fields("var", "keys", "bound", "body")
        keys = tuple(self.bound(k) for k in r["keys"].items())
        return Sum(r["var"].text(), keys, self.bound(r["bound"]), self.expr(r["body"]))

    def phase(self, r: Reader, span: Reader) -> Phases:
        r.fields("name", "reserve", "commit", "abort", "expire")
        return Phases(
            r["name"].text(),
            r["reserve"].text(),
            r["commit"].text(),
            r["abort"].text(),
            r["expire"].text(),
            _span(span),
        )

    def system(self) -> System:
        b, d, s = self.body, self.docs, self.spans
        return System(
            b["name"].text(),
            tuple(self.param(*x) for x in b["params"].beside(d["params"], s["params"])),
            tuple(self.variable(*x) for x in b["state"].beside(d["state"], s["state"])),
            tuple(self.action(*x) for x in b["actions"].beside(d["actions"], s["actions"])),
            tuple(self.property(*x) for x in b["properties"].beside(d["properties"], s["properties"])),
            tuple(self.sum(x) for x in b["sums"].items()),
            tuple(self.const(x) for x in b["individuals"].items()),
            d["system"].text(),
            tuple(x.text() for x in b["fail_open"].items()),
            tuple(x.text() for x in b["recovery"].items()),
            tuple(self.phase(*x) for x in b["phases"].beside(s["phases"])),
        )


def _span(r: Reader) -> Span:
    if r.value is None:
        return NOWHERE
    path, *numbers = r.items()
    if len(numbers) != 4:
        raise r.malformed("a place is a path and four numbers")
    return Span(path.text(), *(n.whole() for n in numbers))


def from_data(data: object) -> System:
    """The system that `to_data` made `data` of."""
    system = _From(Reader(data)).system()
    # SOUND: what is proved of a system is proved of a well-formed one.
    for fault in faults(system):
        raise MalformedError("system", fault)
    return system


def from_json(text: str) -> System:
    """The system that `to_json` made `text` of."""
    return from_data(parse(text))
