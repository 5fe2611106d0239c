"""Expressions of a test to constants: what is not one is reported."""

from __future__ import annotations

from dataclasses import replace

from policydsl import syntax as s
from policydsl.check import expr, types
from policydsl.check.scope import Context
from policydsl.check.surface import SType
from policydsl.check.values import Members, Typed
from policydsl.core.expr import Const, Expr
from policydsl.source import Span


def constant(e: s.Expr, type_: SType, ctx: Context) -> Typed | None:
    """`e` as a constant of `type_`, if it is one."""
    found = expr.check(e, replace(ctx, now=None), type_)
    if found.wrong:
        return None
    if not isinstance(found.value, Members) and not types.is_constant(found.value):
        ctx.report.error("E604", "a test is made of constants", e.span, help="write the value itself")
        return None
    return found


def constants(keys: tuple[Expr, ...], span: Span, ctx: Context) -> tuple[Const, ...] | None:
    found = tuple(k for k in keys if isinstance(k, Const))
    if len(found) < len(keys):
        ctx.report.error("E604", "a test is made of constants", span, help="name an individual")
        return None
    return found
