"""From one reduction of the grammar to one node of syntax.py: a method per rule of grammar.lark, named as it is there.

Each method gets the place of the whole construct and the parts that carry meaning, `None` for an optional part not written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from policydsl import syntax as s
from policydsl.build_rules import Clause, Target, rule_parts
from policydsl.diagnostics import Report
from policydsl.lexer import MAX_DIGITS, Token
from policydsl.source import Span

_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_WORD_PAIRS = {"STARTS": "starts with", "ENDS": "ends with"}
_VERDICTS = ("proved", "refuted", "unknown")


@dataclass(frozen=True, slots=True)
class _Outcome(s.Node):
    """`expect deny by r "reason"`, until the request before it takes it up."""

    effect: str
    by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Builder:
    path: str
    docs: dict[int, str]
    report: Report

    # ---- the file

    def module(self, span: Span, name: s.Name | None, *parts: Any) -> s.Module:
        declarations: list[s.Decl] = []
        for part in parts:
            declarations.extend(part if isinstance(part, tuple) else (part,))
        doc = self._doc(name.span) if name else ""
        return s.Module(self.path, name.name if name else None, doc, tuple(declarations), span=span)

    def dotted(self, span: Span, *names: Token) -> s.Name:
        return s.Name(".".join(n.text for n in names), span=span)

    def _doc(self, span: Span) -> str:
        """The `///` lines directly above."""
        lines: list[str] = []
        line = span.line - 1
        while line in self.docs:
            lines.append(self.docs[line])
            line -= 1
        return "\n".join(reversed(lines))

    # ---- declarations

    def import_(self, span: Span, module: s.Name) -> s.Import:
        return s.Import(module.name, span=span, doc=self._doc(span), name_span=module.span)

    def const(self, span: Span, name: Token, type: s.TypeExpr | None, value: s.Expr) -> s.ConstDecl:
        return s.ConstDecl(name.text, type, value, span=span, doc=self._doc(span), name_span=name.span)

    def param(self, span: Span, name: Token, type: s.TypeExpr, value: s.Expr) -> s.ParamDecl:
        return s.ParamDecl(name.text, type, value, span=span, doc=self._doc(span), name_span=name.span)

    def entity(self, span: Span, name: Token, individuals: tuple[s.Name, ...] | None) -> s.EntityDecl:
        return s.EntityDecl(name.text, individuals or (), span=span, doc=self._doc(span), name_span=name.span)

    def enum(self, span: Span, name: Token, cases: tuple[s.Name, ...]) -> s.EnumDecl:
        return s.EnumDecl(name.text, cases, span=span, doc=self._doc(span), name_span=name.span)

    def record(self, span: Span, name: Token, *fields: s.Binder) -> s.RecordDecl:
        return s.RecordDecl(name.text, fields, span=span, doc=self._doc(span), name_span=name.span)

    def group(self, span: Span, name: Token, entity: Token, parents: tuple[s.Name, ...] | None) -> s.GroupDecl:
        return s.GroupDecl(name.text, entity.text, parents or (), span=span, doc=self._doc(span), name_span=name.span)

    def pattern(self, span: Span, name: Token, regex: Token) -> s.PatternDecl:
        return s.PatternDecl(name.text, self._text(regex), span=span, doc=self._doc(span), name_span=name.span)

    def function(
        self, span: Span, name: Token, params: tuple[s.Binder, ...] | None, result: s.TypeExpr, body: s.Expr
    ) -> s.FunctionDecl:
        doc = self._doc(span)
        return s.FunctionDecl(name.text, params or (), result, body, span=span, doc=doc, name_span=name.span)

    def state(self, span: Span, names: tuple[s.Name, ...], type: s.TypeExpr, init: s.Expr) -> tuple[s.StateDecl, ...]:
        doc = self._doc(span)
        first = None if isinstance(init, s.Name) and init.name == "any" else init
        return tuple(s.StateDecl(n.name, type, first, span=span, doc=doc, name_span=n.span) for n in names)

    def action(
        self,
        span: Span,
        fair: Token | None,
        name: Token,
        params: tuple[s.Binder, ...] | None,
        body: tuple[s.Stmt, ...] | None,
    ) -> s.ActionDecl:
        doc = self._doc(span)
        return s.ActionDecl(name.text, params or (), body, fair is not None, span=span, doc=doc, name_span=name.span)

    def actions(self, span: Span, name: Token, members: tuple[s.Name, ...]) -> s.ActionGroupDecl:
        return s.ActionGroupDecl(name.text, members, span=span, doc=self._doc(span), name_span=name.span)

    def obligation(self, span: Span, name: Token, params: tuple[s.Binder, ...] | None) -> s.ObligationDecl:
        return s.ObligationDecl(name.text, params or (), span=span, doc=self._doc(span), name_span=name.span)

    def names(self, span: Span, *names: Token) -> tuple[s.Name, ...]:
        return tuple(s.Name(n.text, span=n.span) for n in names)

    def cases(self, span: Span, *names: Token) -> tuple[s.Name, ...]:
        return self.names(span, *names)

    def params(self, span: Span, *fields: s.Binder) -> tuple[s.Binder, ...]:
        return fields

    def field(self, span: Span, name: Token, type: s.TypeExpr) -> s.Binder:
        return s.Binder(name.text, type, span=span)

    # ---- types

    def named_type(self, span: Span, name: Token) -> s.NamedType:
        return s.NamedType(name.text, span=span)

    def range_type(self, span: Span, name: Token, low: s.Expr, high: s.Expr) -> s.RangeType:
        if name.text != "Int":
            self.report.error("E020", f"only `Int` has a range, not `{name.text}`", name.span, help="write `Int[low..high]`")
        return s.RangeType(low, high, span=span)

    def set_type(self, span: Span, name: Token, element: s.TypeExpr) -> s.SetType:
        if name.text != "Set":
            hint = "write `Set<T>` for a set, `T?` for an option, `K -> V` for a map"
            self.report.error("E020", f"there is no type `{name.text}<...>`", name.span, help=hint)
        return s.SetType(element, span=span)

    def option_type(self, span: Span, value: s.TypeExpr) -> s.OptionType:
        return s.OptionType(value, span=span)

    def map_type(self, span: Span, *parts: s.TypeExpr) -> s.MapTypeExpr:
        return s.MapTypeExpr(parts[:-1], parts[-1], span=span)

    # ---- rules and properties

    def target(self, span: Span, name: Token, field: Token | None) -> Target:
        return Target(s.Name(name.text, span=name.span), field)

    def targets(self, span: Span, *targets: Target) -> tuple[Target, ...]:
        return targets

    def clause(self, span: Span, word: Token, value: Any) -> Clause:
        return Clause(word.type, span, self._text(value) if isinstance(value, Token) else value)

    def obligations(self, span: Span, *calls: s.ObligationCall) -> tuple[s.ObligationCall, ...]:
        return calls

    def obligation_call(self, span: Span, name: Token, args: tuple[s.Expr, ...] | None) -> s.ObligationCall:
        return s.ObligationCall(name.text, args or (), span=span)

    def rule(self, span: Span, effect: Token, name: Token, targets: tuple[Target, ...], *clauses: Clause) -> s.RuleDecl:
        parts = rule_parts(effect, name, targets, clauses, self.report)
        return s.RuleDecl(effect.text, name.text, span=span, doc=self._doc(span), name_span=name.span, **parts)

    def expected(self, span: Span, verdict: Token) -> str:
        if verdict.text not in _VERDICTS:
            hint = "write `expect refuted` or `expect unknown`; without `expect` a property is expected to be proved"
            self.report.error("E024", f"`{verdict.text}` is not a verdict", verdict.span, help=hint)
            return "proved"
        return verdict.text

    def property(
        self,
        span: Span,
        expected: str | None,
        kind: Token,
        name: Token,
        on: tuple[s.Name, ...] | None,
        because: Token | None,
        expr: s.Expr,
    ) -> s.PropertyDecl:
        return s.PropertyDecl(
            kind.text, name.text, expr, on=on or (), expected=expected or "proved",
            because=self._text(because) if because else "", span=span, doc=self._doc(span), name_span=name.span,
        )  # fmt: skip

    def overrides(
        self,
        span: Span,
        expected: str | None,
        kind: Token,
        name: Token,
        on: tuple[s.Name, ...] | None,
        because: Token | None,
        winner: s.RuleMatches,
        loser: s.RuleMatches,
    ) -> s.PropertyDecl:
        if kind.text != "assert":
            self.report.error("E014", f"`overrides` belongs to an `assert`, not to `{kind.text}`", kind.span)
        both = s.Binary("overrides", winner, loser, span=winner.span.to(loser.span))
        plain = self.property(span, expected, kind, name, on, because, s.BoolLit(True, span=both.span))
        return replace(plain, overrides=both)

    def eventually(
        self, span: Span, expected: str | None, name: Token, because: Token | None, leads: tuple[Any, ...]
    ) -> s.PropertyDecl:
        binders, expr, goal = leads
        return s.PropertyDecl(
            "eventually", name.text, expr, goal=goal, binders=binders, expected=expected or "proved",
            because=self._text(because) if because else "", span=span, doc=self._doc(span), name_span=name.span,
        )  # fmt: skip

    def leads_to(self, span: Span, expr: s.Expr, goal: s.Expr) -> tuple[Any, ...]:
        return (), expr, goal

    def leads_forall(self, span: Span, binders: tuple[s.Binder, ...], rest: tuple[Any, ...]) -> tuple[Any, ...]:
        return binders + rest[0], rest[1], rest[2]

    # ---- tests

    def test(self, span: Span, name: Token, *steps: s.GivenStmt | s.TestAction | s.TestExpect | _Outcome) -> s.TestDecl:
        body: list[s.GivenStmt | s.TestAction | s.TestExpect] = []
        for step in steps:
            outcome = _as_outcome(step)
            if outcome is None:
                assert not isinstance(step, _Outcome)
                body.append(step)
                continue
            before = body[-1] if body else None
            if isinstance(before, s.TestAction) and before.effect is None:
                whole = before.span.to(outcome.span)
                body[-1] = replace(before, effect=outcome.effect, by=outcome.by, reason=outcome.reason, span=whole)
            else:
                text = f"`expect {outcome.effect}` has no request before it"
                self.report.error("E022", text, outcome.span, help="write the request and then what is expected of it")
        return s.TestDecl(self._text(name), tuple(body), span=span, doc=self._doc(span), name_span=name.span)

    def given(self, span: Span, target: s.Expr, value: s.Expr | None) -> s.GivenStmt:
        return s.GivenStmt(target, value, span=span)

    def request(self, span: Span, at: s.Expr | None, action: Token, args: tuple[s.Expr, ...] | None) -> s.TestAction:
        return s.TestAction(at, action.text, args or (), None, None, None, span=span)

    def expect(self, span: Span, expr: s.Expr) -> s.TestExpect:
        return s.TestExpect(expr, span=span)

    def expect_deny(self, span: Span, by: Token | None, reason: Token | None) -> _Outcome:
        return _Outcome("deny", by.text if by else None, self._text(reason) if reason else None, span=span)

    # ---- statements

    def block(self, span: Span, *statements: s.Stmt) -> tuple[s.Stmt, ...]:
        return statements

    def otherwise(self, span: Span, other: s.If | tuple[s.Stmt, ...]) -> tuple[s.Stmt, ...]:
        return other if isinstance(other, tuple) else (other,)

    def require(self, span: Span, condition: s.Expr, reason: Token | None) -> s.Require:
        return s.Require(condition, self._text(reason) if reason else None, span=span)

    def assign(self, span: Span, target: s.Expr, op: Token, value: s.Expr) -> s.Assign:
        return s.Assign(target, op.text, value, span=span)

    def if_statement(
        self, span: Span, condition: s.Expr, then: tuple[s.Stmt, ...], other: tuple[s.Stmt, ...] | None
    ) -> s.If:
        return s.If(condition, then, other or (), span=span)

    def for_each(self, span: Span, binder: s.Binder, where: s.Expr | None, body: tuple[s.Stmt, ...]) -> s.ForEach:
        return s.ForEach(binder, where, body, span=span)

    def add_to(self, span: Span, op: Token, element: s.Expr, target: s.Expr) -> s.AddTo:
        return s.AddTo(op.text, element, target, span=span)

    def let(self, span: Span, name: Token, value: s.Expr) -> s.Let:
        return s.Let(name.text, value, span=span)

    # ---- expressions

    def number(self, span: Span, token: Token) -> s.IntLit:
        digits = token.text.replace("_", "")
        if len(digits) > MAX_DIGITS:
            self.report.error("E018", f"a number has at most {MAX_DIGITS} digits, this one has {len(digits)}", span)
            return s.IntLit(0, span=span)
        return s.IntLit(int(digits), span=span)

    def duration(self, span: Span, token: Token) -> s.DurationLit:
        unit = token.text.lstrip("0123456789_")
        digits = token.text[: -len(unit)].replace("_", "")
        if len(digits) > MAX_DIGITS:
            self.report.error("E018", f"a number has at most {MAX_DIGITS} digits, this one has {len(digits)}", span)
            return s.DurationLit(0, span=span)
        return s.DurationLit(int(digits) * _UNITS[unit], span=span)

    def string(self, span: Span, token: Token) -> s.StrLit:
        return s.StrLit(self._text(token), span=span)

    def boolean(self, span: Span, token: Token) -> s.BoolLit:
        return s.BoolLit(token.type == "TRUE", span=span)

    def none(self, span: Span) -> s.NoneLit:
        return s.NoneLit(span=span)

    def name_expr(self, span: Span, name: Token) -> s.Name:
        return s.Name(name.text, span=span)

    def set_lit(self, span: Span, elements: tuple[s.Expr, ...] | None) -> s.SetLit:
        return s.SetLit(elements or (), span=span)

    def field_of(self, span: Span, subject: s.Expr, name: Token) -> s.Field:
        return s.Field(subject, name.text, span=span)

    def index(self, span: Span, subject: s.Expr, keys: tuple[s.Expr, ...]) -> s.Index:
        return s.Index(subject, keys, span=span)

    def exprs(self, span: Span, *items: s.Expr) -> tuple[s.Expr, ...]:
        return items

    def keys(self, span: Span, *items: s.Expr) -> tuple[s.Expr, ...]:
        return items

    def args(self, span: Span, *items: s.Expr | None) -> tuple[s.Expr | None, ...]:
        return items

    def hole(self, span: Span, token: Token) -> None:
        return None

    def call(self, span: Span, name: Token, args: tuple[s.Expr | None, ...] | None) -> s.Call | s.Event:
        given = tuple(a for a in args or () if a is not None)
        if args and len(given) < len(args):
            return s.Event(name.text, None, args, span=span)
        return s.Call(name.text, given, span=span)

    def unary(self, span: Span, op: Token, arg: s.Expr) -> s.Unary:
        return s.Unary(op.text, arg, span=span)

    def binary(self, span: Span, left: s.Expr, op: Token, right: s.Expr) -> s.Binary:
        return s.Binary(_WORD_PAIRS.get(op.type, op.text), left, right, span=span)

    def not_in(self, span: Span, left: s.Expr, op: Token, right: s.Expr) -> s.Unary:
        return s.Unary("not", s.Binary("in", left, right, span=span), span=span)

    def if_expr(self, span: Span, condition: s.Expr, then: s.Expr, other: s.Expr) -> s.IfExpr:
        return s.IfExpr(condition, then, other, span=span)

    def has(self, span: Span, subject: s.Expr, name: Token) -> s.Has:
        return s.Has(subject, None if name.text == "value" else name.text, span=span)

    def binder_names(self, span: Span, *names: Token) -> tuple[Token, ...]:
        return names

    def binder(self, span: Span, names: tuple[Token, ...], type: s.TypeExpr) -> tuple[s.Binder, ...]:
        return tuple(s.Binder(n.text, type, span=span if len(names) == 1 else n.span) for n in names)

    def binders(self, span: Span, *groups: tuple[s.Binder, ...]) -> tuple[s.Binder, ...]:
        return tuple(binder for group in groups for binder in group)

    def quantified(self, span: Span, word: Token, binders: tuple[s.Binder, ...], body: s.Expr) -> s.Quantified:
        return s.Quantified(word.text, binders, body, span=span)

    def aggregate_over(
        self, span: Span, kind: Token, binders: tuple[s.Binder, ...], where: s.Expr | None, body: s.Expr | None
    ) -> s.Aggregate:
        if (kind.text == "sum") != (body is not None):
            form = "sum(b: Bot where c . amount)" if kind.text == "sum" else "count(b: Bot where c)"
            told = "what to add up" if kind.text == "sum" else "no body"
            self.report.error("E021", f"`{kind.text}` over all individuals takes {told}", span, help=f"write `{form}`")
            body = s.IntLit(0, span=span) if kind.text == "sum" else None
        return s.Aggregate(kind.text, binders, where, body, span=span)

    def window_over(
        self, span: Span, kind: Token, happening: tuple[s.Event, Token | None], within: s.Expr | None
    ) -> s.Window:
        event, field = happening
        if (kind.text == "sum") != (field is not None):
            form = "sum(spend.amount within 24h)" if kind.text == "sum" else "count(spend within 24h)"
            told = "the input to add up" if kind.text == "sum" else "no input, only an action"
            self.report.error("E021", f"`{kind.text}` over a window takes {told}", span, help=f"write `{form}`")
        return s.Window(kind.text, event, field.text if field else None, within, span=span)

    def happening(
        self, span: Span, action: Token, args: tuple[s.Expr | None, ...] | None, field: Token | None, by: s.Expr | None
    ) -> tuple[s.Event, Token | None]:
        return s.Event(action.text, by, args, span=span), field

    def arguments(self, span: Span, args: tuple[s.Expr | None, ...] | None) -> tuple[s.Expr | None, ...]:
        return args or ()

    def event(
        self, span: Span, action: Token, opener: Token | None, args: tuple[s.Expr | None, ...] | None, by: s.Expr
    ) -> s.Event:
        return s.Event(action.text, by, (args or ()) if opener else None, span=span)

    def old(self, span: Span, value: s.Expr) -> s.Old:
        return s.Old(value, span=span)

    def rule_ref(self, span: Span, effect: Token, rule: Token) -> s.RuleMatches:
        return s.RuleMatches(effect.text, rule.text, span=span)

    def past(self, span: Span, op: Token, within: s.Expr | None, what: s.Event | s.Expr) -> s.Past:
        return s.Past(op.text, within, what, span=span)

    def since(self, span: Span, what: s.Expr, within: s.Expr | None, event: s.Expr) -> s.Since:
        return s.Since(what, False, within, event, span=span)

    def no_since(self, span: Span, what: s.Expr, within: s.Expr | None, event: s.Expr) -> s.Since:
        return s.Since(what, True, within, event, span=span)

    def _text(self, token: Token) -> str:
        """What a string says, its escapes read; the text of any other token."""
        inner = token.text[1:-1]
        if token.type != "STRING":
            return token.text
        if "\\" not in inner:
            return inner
        out: list[str] = []
        at = 0
        while at < len(inner):
            char = inner[at]
            if char == "\\":
                at += 1
                char = _ESCAPES.get(inner[at : at + 1], "")
                if not char:
                    place = token.span.start + at
                    span = Span(self.path, place, place + 2, token.span.line, token.span.column + at)
                    text = f"`\\{inner[at : at + 1]}` is not an escape"
                    self.report.error("E005", text, span, help='a backslash itself is written `\\\\`; there are also `\\"`, `\\n`, `\\t`')
                    char = inner[at : at + 1]
            out.append(char)
            at += 1
        return "".join(out)


def _as_outcome(step: s.Node) -> _Outcome | None:
    match step:
        case _Outcome():
            return step
        case s.TestExpect(s.Name("allow" | "pending" as effect)):
            return _Outcome(effect, None, None, span=step.span)
        case _:
            return None
