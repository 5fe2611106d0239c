"""Quantifiers, sums and sets: what ranges over many individuals, or over the few values of an enum."""

from __future__ import annotations

from collections.abc import Callable

from policydsl import syntax as s
from policydsl.check import expr, operators, types
from policydsl.check.scope import Context, suggest
from policydsl.check.surface import BOOL_T, ERROR_T, INT_T, EntityT, ErrorT, MapT, NumberT, SetT, SType, domain, fits
from policydsl.check.values import BAD, WRONG, Cases, Local, Maybe, Members, One, Typed, member
from policydsl.core.expr import (
    FALSE,
    ZERO,
    Expr,
    Ref,
    add,
    conj,
    disj,
    eq,
    exists,
    forall,
    ite,
    number,
    total,
)
from policydsl.core.types import BOOL


def quantified(e: s.Quantified, ctx: Context) -> Typed:
    """`forall b: Bot . e`"""
    wrong = False

    def body(inner: Context) -> Expr:
        nonlocal wrong
        found, typed = expr.boolean(e.body, inner)
        wrong = wrong or typed.wrong
        return found

    forall_ = e.quantifier == "forall"
    found = over(e.binders, ctx, body, forall if forall_ else exists, conj if forall_ else disj)
    return WRONG if found is None or wrong else Typed(BOOL_T, One(found))


def over(
    binders: tuple[s.Binder, ...],
    ctx: Context,
    body: Callable[[Context], Expr],
    bind: Callable[[Ref, Expr], Expr],
    spell: Callable[..., Expr],
) -> Expr | None:
    """`body` for all values of the binders: individuals by `bind`, the values of a finite type spelt out by `spell`."""
    if not binders:
        return body(ctx)
    first, rest = binders[0], binders[1:]
    type_ = types.resolve(first.type, ctx.world)
    expr.shadow(first.name, first.span, ctx)
    if isinstance(type_, EntityT):
        bound = ctx.world.fresh(first.name, type_.core)
        inner = over(rest, ctx.bind({first.name: Local(type_, One(bound), first.span)}), body, bind, spell)
        return None if inner is None else bind(bound, inner)
    values = types.finite_values(type_)
    if values is None:
        if not isinstance(type_, ErrorT):
            text = f"`{first.name}` would range over infinitely many values of `{type_}`"
            help_ = "quantify over an entity, an enum, or a short range like `Int[0..9]`"
            ctx.report.error("E305", text, ctx.world.word(first.span, first.name), help=help_)
            type_ = ERROR_T
        over(rest, ctx.bind({first.name: Local(type_, BAD, first.span)}), body, bind, spell)
        return None
    found: list[Expr] = []
    for value in values:
        narrow: SType = NumberT(type_.unit, int(value.value), int(value.value)) if isinstance(type_, NumberT) else type_
        one = over(rest, ctx.bind({first.name: Local(narrow, One(value), first.span)}), body, bind, spell)
        if one is None:
            return None
        found.append(one)
    return spell(*found)


def aggregate(e: s.Aggregate, ctx: Context) -> Typed:
    """`sum(b: Bot where c . e)`, `count(b: Bot where c)`"""
    wrong = False
    type_ = INT_T
    if e.kind == "sum" and e.body is None:
        return expr.wrong(ctx, "E202", "a sum needs what is summed", e.span, "write `sum(b: Bot where c . e)`")
    if (
        e.kind == "count"
        and e.where is None
        and any(isinstance(types.resolve(b.type, ctx.world), EntityT) for b in e.binders)
    ):
        help_ = "say which: `count(b: Bot where c)`"
        return expr.wrong(ctx, "E202", "there are infinitely many possible individuals", e.span, help_)

    def body(inner: Context) -> Expr:
        nonlocal wrong, type_
        condition: Expr | None = None
        if e.where is not None:
            condition, typed = expr.boolean(e.where, inner)
            wrong = wrong or typed.wrong
            inner = inner.bind(typed.yes).knowing(condition)
        value: Expr = number(1)
        if e.kind == "sum" and e.body is not None:
            found = expr.unwrap(expr.elaborate(e.body, inner), inner, e.body.span)
            if isinstance(found.type, NumberT) and isinstance(found.value, One):
                value, type_ = found.value.expr, NumberT(found.type.unit)
            else:
                expr.coerce(found, INT_T, inner, e.body.span)
                wrong = True
        return value if condition is None else ite(condition, value, ZERO)

    found = over(e.binders, ctx, body, total, add)
    return WRONG if found is None or wrong else Typed(type_, One(found))


def set_literal(e: s.SetLit, ctx: Context, expected: SType | None) -> Typed:
    """`{a, b}` as a set of its own; after `in` see `membership`."""
    if expected == ERROR_T:
        return WRONG
    hint = expected.element if isinstance(expected, SetT) else None
    if not e.elements:
        if hint is None:
            return expr.wrong(
                ctx, "E205", "what this empty set could hold cannot be told", e.span, "compare it with a set"
            )
    found: list[Typed] = []
    for element in sorted(e.elements, key=lambda x: operators.needy(x, ctx)) if hint is None else e.elements:
        value = expr.elaborate(element, ctx, hint) if hint is None else expr.check(element, ctx, hint)
        if value.wrong:
            return WRONG
        if hint is not None and not fits(value.type, hint):
            return expr.wrong(ctx, "E201", f"expected `{hint}`, found `{value.type}`", element.span)
        hint = value.type if hint is None else hint
        found.append(value)
    assert hint is not None
    elements = [v.value.expr for v in found if isinstance(v.value, One)]
    if isinstance(hint, EntityT):
        return Typed(SetT(hint), Members(hint.core, lambda x: disj(*(eq(x, y) for y in elements))))
    values = domain(hint)
    if values is None:
        text = f"a set of `{hint}` is not a value"
        return expr.wrong(ctx, "E206", text, e.span, "write it after `in`: `x in {1, 2}`")
    return Typed(SetT(hint), Cases(tuple((c, disj(*(eq(c, y) for y in elements))) for _, c in values)))


def membership(left: s.Expr, right: s.Expr, ctx: Context) -> Typed:
    """`x in {a, b}`, `x in Admins`, `x in s`"""
    if isinstance(right, s.Name) and right.name not in ctx.locals and right.name in ctx.world.groups:
        return _in_group(left, right, ctx)
    if isinstance(right, s.SetLit):
        return _in_literal(left, right, ctx)
    found = expr.elaborate(right, ctx)
    if found.wrong and not isinstance(found.type, MapT):
        expr.elaborate(left, ctx)
        return WRONG
    if not isinstance(found.type, SetT):
        text = f"`{found.type}` is neither a set nor a group"
        help_ = "the right side of `in` is `{a, b}`, a set or a group"
        if isinstance(right, s.Name):
            help_ = suggest(right.name, ctx.world.groups) or help_
        return expr.wrong(ctx, "E204", text, right.span, help_)
    element = expr.check(left, ctx, found.type.element)
    if not isinstance(element.value, One):
        return WRONG
    inside = member(element.value.expr, found.value)
    return WRONG if inside is None else Typed(BOOL_T, One(inside))


def _in_group(left: s.Expr, right: s.Name, ctx: Context) -> Typed:
    ctx.world.used.update(ctx.world.inside[right.name])
    sort = ctx.world.groups[right.name]
    element = expr.scalar(left, ctx, sort)
    if ctx.read is None:
        return expr.wrong(ctx, "E111", f"the group `{right.name}` is not available in {ctx.place}", right.span)
    if element is None:
        return WRONG
    groups = ctx.world.inside[right.name]
    return Typed(BOOL_T, One(disj(*(ctx.read(g, (sort.core,), BOOL, (element,)) for g in groups))))


def _in_literal(left: s.Expr, right: s.SetLit, ctx: Context) -> Typed:
    firm = [x for x in right.elements if not operators.needy(x, ctx)]
    hint = expr.elaborate(firm[0], ctx).type if firm and operators.needy(left, ctx) else None
    element = expr.elaborate(left, ctx, hint)
    if element.wrong:
        expr.coerce(element, BOOL_T, ctx, left.span)
        return WRONG
    found: list[Expr] = []
    for item in right.elements:
        if isinstance(item, s.NoneLit) and isinstance(element.value, Maybe):
            found.append(eq(element.value.has, FALSE))
            continue
        inner = element.value.value if isinstance(element.value, Maybe) else element.value
        type_ = element.type.value if isinstance(element.value, Maybe) else element.type  # type: ignore[union-attr]
        value = expr.scalar(item, ctx, type_)
        if value is None or not isinstance(inner, One):
            return WRONG
        same = eq(inner.expr, value)
        found.append(conj(element.value.has, same) if isinstance(element.value, Maybe) else same)
    return Typed(BOOL_T, One(disj(*found)))
