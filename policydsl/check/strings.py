"""Predicates on strings to regular languages: glob, regular expression, containment, prefix and suffix."""

from __future__ import annotations

from policydsl import regular
from policydsl import syntax as s
from policydsl.check import binders, expr
from policydsl.check.scope import Context
from policydsl.check.surface import BOOL_T, STRING_T, SetT
from policydsl.check.types import constant_of
from policydsl.check.values import WRONG, One, Typed
from policydsl.core.expr import matches
from policydsl.source import Span


def predicate(e: s.Binary, ctx: Context) -> Typed:
    """`text like "a*"`, `text matches p`, `text contains p`, `text starts with "a"`, `text ends with "a"`."""
    left = expr.unwrap(expr.elaborate(e.left, ctx), ctx, e.left.span)
    if e.op == "contains" and isinstance(left.type, SetT):
        return binders.membership(e.right, e.left, ctx)
    if left.wrong or left.type != STRING_T or not isinstance(left.value, One):
        expr.coerce(left, STRING_T, ctx, e.left.span)
        return WRONG
    found = language(e.op, e.right, ctx)
    return WRONG if found is None else Typed(BOOL_T, One(matches(left.value.expr, found)))


def language(op: str, right: s.Expr, ctx: Context) -> str | None:
    """The regular expression that the whole string must match."""
    found = wanted(op, right, ctx)
    if found is None:
        return None
    match op:
        case "contains":
            return regular.contains_regex(found)
        case "starts with":
            return f"{found}.*"
        case "ends with":
            return f".*{found}"
        case _:
            return found


def wanted(op: str, right: s.Expr, ctx: Context) -> str | None:
    """The regular expression of what is looked for."""
    if isinstance(right, s.Name) and right.name not in ctx.locals:
        decl = ctx.world.declared.get(right.name)
        if isinstance(decl, s.PatternDecl):
            ctx.world.used.add(decl.name)
            if op not in ("contains", "matches"):
                help_ = f"write `matches {decl.name}` or `contains {decl.name}`"
                ctx.report.error("E204", f"`{op}` takes a string, not a pattern", right.span, help=help_)
                return None
            return decl.regex if valid(decl.regex, decl.span, ctx) else None
    found = expr.check(right, ctx, STRING_T)
    if found.wrong:
        return None
    value = constant_of(found.value)
    if value is None:
        text = f"what `{op}` looks for must be constant"
        ctx.report.error("E306", text, right.span, help="write a string literal, a constant or the name of a `pattern`")
        return None
    text = str(value.value)
    match op:
        case "like":
            return regular.glob_to_regex(text)
        case "matches":
            return text if valid(text, right.span, ctx) else None
        case _:
            return regular.quote(text)


def valid(regex: str, span: Span, ctx: Context) -> bool:
    """Whether `regex` is one that policies may use; otherwise it is reported."""
    try:
        regular.check(regex)
    except regular.PatternError as error:
        text = f"this regular expression cannot be decided: {error}"
        help_ = "use literals, `.`, classes like `[a-z]`, groups, `|`, `*`, `+`, `?` and `{m,n}`"
        ctx.report.error("E307", text, span, help=help_)
        return False
    return True
