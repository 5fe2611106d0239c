"""From one reduction of the grammar to one node: types, statements and expressions (declarations are in `build.py`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from policydsl import syntax as s
from policydsl.diagnostics import Report
from policydsl.lexer import MAX_DIGITS, Token
from policydsl.source import Span

_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_ESCAPES_HELP = r"a backslash itself is written `\\`; there are also `\"`, `\n` and `\t`"
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile("([0-9]+)(ms|[wdhms])")
_WORD_PAIRS = {"STARTS": "starts with", "ENDS": "ends with"}


@dataclass(frozen=True, slots=True)
class Expressions:
    path: str
    docs: dict[int, str]
    report: Report

    # ---- types

    def named_type(self, span: Span, name: Token) -> s.NamedType:
        return s.NamedType(name.text, span=span)

    def range_type(self, span: Span, name: Token, low: s.Expr, high: s.Expr) -> s.RangeType:
        if name.text in ("Int", "Duration"):
            return s.RangeType(low, high, name.text, span=span)
        text = f"only `Int` and `Duration` have ranges, not `{name.text}`"
        self.report.error("E020", text, name.span, help="write `Int[low..high]`, or `Duration[1h..48h]`")
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

    # ---- statements

    def otherwise(self, _: Span, other: s.If | tuple[s.Stmt, ...]) -> tuple[s.Stmt, ...]:
        return other if isinstance(other, tuple) else (other,)

    def require(self, span: Span, condition: s.Expr, reason: Token | None) -> s.Require:
        return s.Require(condition, self.text_of(reason) if reason else None, span=span)

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
        """`24h`, or several parts, `1h30m`: the larger ones first, each unit once."""
        parts = _PART.findall(token.text.replace("_", ""))
        total, last = 0, None
        for digits, unit in parts:
            if len(digits) > MAX_DIGITS:
                text = f"a number has at most {MAX_DIGITS} digits, this one has {len(digits)}"
                self.report.error("E018", text, span)
                return s.DurationLit(0, span=span)
            if last is not None and _UNITS[unit] >= _UNITS[last]:
                text = f"in a duration, `{unit}` does not follow `{last}`"
                self.report.error("E018", text, span, help="larger units first, each once: `1d2h30m`")
                break
            total, last = total + int(digits) * _UNITS[unit], unit
        return s.DurationLit(total, span=span)

    def string(self, span: Span, token: Token) -> s.StrLit:
        return s.StrLit(self.text_of(token), span=span)

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

    def hole(self, _: Span, __: Token) -> None:
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

    def not_in(self, span: Span, left: s.Expr, _: Token, right: s.Expr) -> s.Unary:
        return s.Unary("not", s.Binary("in", left, right, span=span), span=span)

    def if_expr(self, span: Span, condition: s.Expr, then: s.Expr, other: s.Expr) -> s.IfExpr:
        return s.IfExpr(condition, then, other, span=span)

    def has(self, span: Span, subject: s.Expr, name: Token) -> s.Has:
        return s.Has(subject, None if name.text == "value" else name.text, span=span)

    def binder(self, span: Span, names: tuple[Token, ...], type: s.TypeExpr) -> tuple[s.Binder, ...]:
        return tuple(s.Binder(n.text, type, span=span if len(names) == 1 else n.span) for n in names)

    def binders(self, _: Span, *groups: tuple[s.Binder, ...]) -> tuple[s.Binder, ...]:
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
            over_all = ", or over everybody `sum(b: Bot . amount[b])`" if kind.text == "sum" else ""
            help = f"write `{form}`{over_all}"
            self.report.error("E021", f"`{kind.text}` over a window takes {told}", span, help=help)
        return s.Window(kind.text, event, field.text if field else None, within, span=span)

    def happening(
        self, span: Span, action: Token, args: tuple[s.Expr | None, ...] | None, field: Token | None, by: s.Expr | None
    ) -> tuple[s.Event, Token | None]:
        return s.Event(action.text, by, args, span=span), field

    def arguments(self, _: Span, args: tuple[s.Expr | None, ...] | None) -> tuple[s.Expr | None, ...]:
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

    # ---- tokens

    def text_of(self, token: Token) -> str:
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
                    self.report.error("E005", text, span, help=_ESCAPES_HELP)
                    char = inner[at : at + 1]
            out.append(char)
            at += 1
        return "".join(out)
