"""Calls: functions of the policy, which are inlined, and records."""

from __future__ import annotations

from policydsl import syntax as s
from policydsl.check import expr, types
from policydsl.check.scope import Context, World, article, kind_of, read_state, suggest
from policydsl.check.surface import NumberT, RecordT, SType
from policydsl.check.values import BAD, WRONG, Fields, Local, Typed, Val, build
from policydsl.core.expr import Expr, Ref, Space, select
from policydsl.core.types import EntityType, MapType, Scalar

_MOST_CALLS = 20_000
_BUILT_IN = ("min", "max", "abs")


def call(e: s.Call, ctx: Context) -> Typed:
    world = ctx.world
    decl = world.declared.get(e.name)
    match decl:
        case s.FunctionDecl():
            world.used.add(e.name)
            return _inline(e, decl, ctx)
        case s.RecordDecl():
            return _record(e, ctx)
        case s.ActionDecl():
            help_ = "ask when it happened: `once`, `previously`, `since`, `count(... within ...)`"
            return expr.wrong(ctx, "E503", f"`{e.name}` is an action, not a function", e.span, help_)
        case None:
            callable_ = [n for n, d in world.declared.items() if isinstance(d, s.FunctionDecl | s.RecordDecl)]
            help_ = suggest(e.name, [*callable_, *_BUILT_IN]) or "declare it: `function f(x: Int): Int = ...`"
            return expr.wrong(ctx, "E108", f"there is no function `{e.name}`", world.word(e.span, e.name), help_)
        case _:
            text = f"`{e.name}` is {article(kind_of(decl))}, not a function"
            help_ = f"write `{e.name}[...]`" if isinstance(decl, s.StateDecl) else ""
            return expr.wrong(ctx, "E108", text, world.word(e.span, e.name), help_)


def _inline(e: s.Call, decl: s.FunctionDecl, ctx: Context) -> Typed:
    world = ctx.world
    if e.name in ctx.calls:
        text = f"the function `{e.name}` calls itself"
        return expr.wrong(ctx, "E304", text, e.span, "functions are not recursive, so that every policy terminates")
    world.inlined += 1
    if world.inlined > _MOST_CALLS:
        text = f"functions are inlined more than {_MOST_CALLS} times"
        return expr.wrong(ctx, "I911", text, decl.name_span, "make functions call each other less")
    if len(e.args) != len(decl.params):
        names = ", ".join(p.name for p in decl.params)
        text = f"`{e.name}` takes {len(decl.params)} values, and {len(e.args)} are given"
        return expr.wrong(ctx, "E202", text, e.span, f"write `{e.name}({names})`")
    bound: dict[str, Local] = {}
    for param, arg in zip(decl.params, e.args, strict=True):
        type_ = types.resolve(param.type, world)
        value = expr.check(arg, ctx, type_)
        if value.wrong:
            bound[param.name] = Local(WRONG.type, BAD)
            continue
        if isinstance(type_, NumberT) and isinstance(value.type, NumberT) and not _inside(value.type, type_):
            text = f"`{param.name}` of `{e.name}` must be in the range {type_.range_words}, which is not certain here"
            help_ = "pass a constant, a parameter or an input with such a range, or use `min` and `max`"
            return expr.wrong(ctx, "E209", text, arg.span, help_)
        bound[param.name] = Local(value.type, value.value, param.span)
    return _body(decl, bound, ctx)


def _inside(found: NumberT, wanted: NumberT) -> bool:
    low = wanted.low is None or (found.low is not None and found.low >= wanted.low)
    return low and (wanted.high is None or (found.high is not None and found.high <= wanted.high))


def _body(decl: s.FunctionDecl, bound: dict[str, Local], ctx: Context) -> Typed:
    inner = Context(ctx.world, "a function", ctx.read, bound, ctx.facts, test=ctx.test, calls=(*ctx.calls, decl.name))
    return expr.check(decl.body, inner, types.resolve(decl.result, ctx.world))


def _record(e: s.Call, ctx: Context) -> Typed:
    type_ = types.resolve(s.NamedType(e.name, span=e.span), ctx.world)
    fields = type_.fields if isinstance(type_, RecordT) else ()
    if len(e.args) != len(fields):
        if fields:
            names = ", ".join(n for n, _ in fields)
            text = f"`{e.name}` has {len(fields)} fields, and {len(e.args)} are given"
            ctx.report.error("E202", text, e.span, help=f"write `{e.name}({names})`")
        return WRONG
    found = [(n, expr.check(arg, ctx, t)) for (n, t), arg in zip(fields, e.args, strict=True)]
    if any(v.wrong for _, v in found):
        return WRONG
    return Typed(type_, Fields(tuple((n, v.value) for n, v in found)))


def check_function(decl: s.FunctionDecl, world: World) -> None:
    """Check a function by itself, so that mistakes are found where nobody calls it."""
    bound: dict[str, Local] = {}
    for param in decl.params:
        if param.name in bound:
            world.report.error("E104", f"the parameter `{param.name}` is declared twice", param.span)
        type_ = types.resolve(param.type, world)
        bound[param.name] = Local(type_, stand_in(param.name, type_), param.span)
        if param.name in world.declared:
            expr.shadow(param.name, param.span, Context(world, "a function", None))
    _body(decl, bound, Context(world, "a function", read_state))


def stand_in(name: str, type_: SType) -> Val:
    """A value of which nothing is known but its type."""

    def make(leaf: str, keys: tuple[Expr, ...], scalar: Scalar) -> Expr:
        sorts = tuple(k.type for k in keys if isinstance(k.type, EntityType))
        return select(Ref(leaf, MapType(sorts, scalar) if keys else scalar, Space.INPUT), *keys)

    return build(name, type_, make)
