"""From one reduction of the grammar to one node of syntax.py: a method per rule of grammar.lark, named as it is there.

Each method gets the place of the whole construct and the parts that carry meaning, None where an optional one is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from policydsl import syntax as s
from policydsl.build_expr import Expressions
from policydsl.build_phases import Phase, phase_parts
from policydsl.build_rules import Clause, Target, rule_parts
from policydsl.lexer import Token
from policydsl.source import Span

_VERDICTS = ("proved", "refuted", "unknown")


@dataclass(frozen=True, slots=True)
class Builder(Expressions):
    # ---- the file

    def module(self, span: Span, name: s.Name | None, *parts: Any) -> s.Module:
        declarations: list[s.Decl] = []
        for part in parts:
            declarations.extend(part if isinstance(part, tuple) else (part,))
        doc = self._doc(name.span) if name else ""
        return s.Module(self.path, name.name if name else None, doc, tuple(declarations), span=span)

    def dotted(self, span: Span, *names: Token) -> s.Name:
        return s.Name(".".join(n.text for n in names), span=span)

    def _at(self, span: Span, name: Token | s.Name) -> dict[str, Any]:
        return {"span": span, "doc": self._doc(span), "name_span": name.span}

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
        return s.Import(module.name, **self._at(span, module))

    def const(self, span: Span, name: Token, type: s.TypeExpr | None, value: s.Expr) -> s.ConstDecl:
        return s.ConstDecl(name.text, type, value, **self._at(span, name))

    def param(self, span: Span, name: Token, type: s.TypeExpr, value: s.Expr) -> s.ParamDecl:
        return s.ParamDecl(name.text, type, value, **self._at(span, name))

    def entity(self, span: Span, name: Token, individuals: tuple[Token, ...] | None) -> s.EntityDecl:
        return s.EntityDecl(name.text, _names(individuals), **self._at(span, name))

    def enum(self, span: Span, name: Token, cases: tuple[Token, ...]) -> s.EnumDecl:
        return s.EnumDecl(name.text, _names(cases), **self._at(span, name))

    def record(self, span: Span, name: Token, *fields: s.Binder) -> s.RecordDecl:
        return s.RecordDecl(name.text, fields, **self._at(span, name))

    def group(self, span: Span, name: Token, entity: Token, parents: tuple[Token, ...] | None) -> s.GroupDecl:
        return s.GroupDecl(name.text, entity.text, _names(parents), **self._at(span, name))

    def pattern(self, span: Span, name: Token, regex: Token) -> s.PatternDecl:
        return s.PatternDecl(name.text, self.text_of(regex), **self._at(span, name))

    def function(
        self, span: Span, name: Token, params: tuple[s.Binder, ...] | None, result: s.TypeExpr, body: s.Expr
    ) -> s.FunctionDecl:
        return s.FunctionDecl(name.text, params or (), result, body, **self._at(span, name))

    def state(self, span: Span, names: tuple[Token, ...], type: s.TypeExpr, init: s.Expr) -> tuple[s.StateDecl, ...]:
        first = None if isinstance(init, s.Name) and init.name == "any" else init
        return tuple(s.StateDecl(n.text, type, first, **self._at(span, n)) for n in names)

    def action(
        self,
        span: Span,
        fair: Token | None,
        name: Token,
        params: tuple[s.Binder, ...] | None,
        body: tuple[s.Stmt, ...] | None,
    ) -> s.ActionDecl:
        return s.ActionDecl(name.text, params or (), body, fair is not None, **self._at(span, name))

    def actions(self, span: Span, name: Token, members: tuple[Token, ...]) -> s.ActionGroupDecl:
        return s.ActionGroupDecl(name.text, _names(members), **self._at(span, name))

    def obligation(self, span: Span, name: Token, params: tuple[s.Binder, ...] | None) -> s.ObligationDecl:
        return s.ObligationDecl(name.text, params or (), **self._at(span, name))

    def field(self, span: Span, name: Token, type: s.TypeExpr) -> s.Binder:
        return s.Binder(name.text, type, span=span)

    # ---- what the enforcer is told

    def allow(self, span: Span, on: tuple[Token, ...], while_: str) -> s.AllowDecl:
        return s.AllowDecl(_names(on), while_, **self._at(span, on[0]))

    def situation(self, _: Span, *words: Token) -> str:
        return " ".join(w.text for w in words)

    def phase(self, span: Span, part: Token, action: Token) -> Phase:
        return Phase(part, s.Name(action.text, span=action.span), span)

    def phases(self, span: Span, name: Token, written: tuple[Phase, ...]) -> s.PhasesDecl:
        return s.PhasesDecl(name.text, **self._at(span, name), **phase_parts(name, written, self.report))

    # ---- rules and properties

    def target(self, _: Span, name: Token, field: Token | None) -> Target:
        return Target(s.Name(name.text, span=name.span), field)

    def clause(self, span: Span, word: Token, value: Any) -> Clause:
        return Clause(word.type, span, self.text_of(value) if isinstance(value, Token) else value)

    def obligation_call(self, span: Span, name: Token, args: tuple[s.Expr, ...] | None) -> s.ObligationCall:
        return s.ObligationCall(name.text, args or (), span=span)

    def rule(self, span: Span, effect: Token, name: Token, targets: tuple[Target, ...], *clauses: Clause) -> s.RuleDecl:
        parts = rule_parts(effect, name, targets, clauses, self.report)
        return s.RuleDecl(effect.text, name.text, **self._at(span, name), **parts)

    def expected(self, _: Span, verdict: Token) -> str:
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
        on: tuple[Token, ...] | None,
        because: Token | None,
        expr: s.Expr,
    ) -> s.PropertyDecl:
        return s.PropertyDecl(
            kind.text, name.text, expr, on=_names(on), expected=expected or "proved",
            because=self.text_of(because) if because else "", **self._at(span, name),
        )  # fmt: skip

    def overrides(
        self,
        span: Span,
        expected: str | None,
        kind: Token,
        name: Token,
        on: tuple[Token, ...] | None,
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
            because=self.text_of(because) if because else "", **self._at(span, name),
        )  # fmt: skip

    def leads_to(self, _: Span, expr: s.Expr, goal: s.Expr) -> tuple[Any, ...]:
        return (), expr, goal

    def leads_forall(self, _: Span, binders: tuple[s.Binder, ...], rest: tuple[Any, ...]) -> tuple[Any, ...]:
        return binders + rest[0], rest[1], rest[2]

    # ---- tests

    def test(self, span: Span, name: Token, *steps: s.TestStmt | s.Outcome) -> s.TestDecl:
        body: list[s.TestStmt] = []
        for step in steps:
            if not isinstance(step, s.Outcome):
                body.append(step)
                continue
            before = body[-1] if body else None
            if isinstance(before, s.TestAction | s.TestAnswer) and before.expected is None:
                body[-1] = replace(before, expected=step, span=before.span.to(step.span))
            else:
                text = f"`expect {step.effect}` has no request before it"
                self.report.error("E022", text, step.span, help="write the request and then what is expected of it")
        return s.TestDecl(self.text_of(name), tuple(body), **self._at(span, name))

    def given(self, span: Span, target: s.Expr, value: s.Expr | None) -> s.GivenStmt:
        return s.GivenStmt(target, value, span=span)

    def request(self, span: Span, at: s.Expr | None, action: Token, args: tuple[s.Expr, ...] | None) -> s.TestAction:
        return s.TestAction(at, action.text, args or (), span=span)

    def answer(self, span: Span, at: s.Expr | None, word: Token, rule: Token) -> s.TestAnswer:
        return s.TestAnswer(at, s.Name(rule.text, span=rule.span), word.text == "approve", span=span)

    def expect(self, span: Span, expr: s.Expr) -> s.TestExpect:
        return s.TestExpect(expr, span=span)

    def expect_allow(
        self,
        span: Span,
        word: Token,
        by: Token | None,
        given: tuple[s.ObligationCall, ...] | None,
        spared: tuple[Token, ...] | None,
    ) -> s.Outcome:
        return self.expect_refusal(span, word, by, None, given, spared)

    def expect_refusal(
        self,
        span: Span,
        word: Token,
        by: Token | None,
        reason: Token | None,
        given: tuple[s.ObligationCall, ...] | None,
        spared: tuple[Token, ...] | None,
    ) -> s.Outcome:
        rule = s.Name(by.text, span=by.span) if by else None
        text = self.text_of(reason) if reason else None
        return s.Outcome(word.text, rule, text, given or (), _names(spared), span=span)


def _names(tokens: tuple[Token, ...] | None) -> tuple[s.Name, ...]:
    return tuple(s.Name(t.text, span=t.span) for t in tokens or ())
