"""Expressions as authors write them to core expressions: names and types are checked on the way, in one pass.

`elaborate` finds the type of an expression (a type that is expected is only a hint); `check` demands one.
What is wrong is reported once and becomes `WRONG`, which fits everything.
"""

from __future__ import annotations

from dataclasses import replace

from policydsl import syntax as s
from policydsl.check import advice, binders, operators, past, places, types
from policydsl.check.scope import RESERVED, Context, article, kind_of, suggest
from policydsl.check.surface import (
    BOOL_T,
    ERROR_T,
    STRING_T,
    TIME_T,
    EntityT,
    EnumT,
    ErrorT,
    MapT,
    NumberT,
    OptionT,
    RecordT,
    SType,
    Unit,
    fits,
)
from policydsl.check.values import BAD, WRONG, Fields, Local, Maybe, One, Typed, choose, default_value
from policydsl.core.expr import FALSE, TRUE, Const, Expr, Ref, Space, individual, negate, number, string, transform
from policydsl.core.system import CLOCK
from policydsl.core.types import INT
from policydsl.source import Span


def elaborate(e: s.Expr, ctx: Context, expected: SType | None = None) -> Typed:
    """The meaning of `e`, whose type may be hinted at by `expected`."""
    if isinstance(expected, OptionT) and not isinstance(e, s.NoneLit | s.IfExpr):
        expected = expected.value
    match e:
        case s.IntLit(value=value):
            unit = Unit.TIME if value == 0 and expected is not None and fits(expected, TIME_T) else Unit.INT
            return Typed(NumberT(unit, value, value), One(number(value)))
        case s.BoolLit(value=truth):
            return Typed(BOOL_T, One(TRUE if truth else FALSE))
        case s.StrLit(value=text):
            return Typed(STRING_T, One(string(text)))
        case s.DurationLit(milliseconds=value):
            # The beginning of time may have a unit, as it has in tests and traces.
            unit = Unit.TIME if expected == TIME_T and (ctx.test or value == 0) else Unit.DURATION
            return Typed(NumberT(unit, value, value), One(number(value)))
        case s.NoneLit():
            return _none(e, ctx, expected)
        case s.Name():
            return name(e, ctx, expected)
        case s.SetLit():
            return binders.set_literal(e, ctx, expected)
        case s.Field():
            return field(e, ctx)
        case s.Index():
            return places.index(e, ctx)
        case s.Call():
            return operators.call(e, ctx, expected)
        case s.Unary():
            return operators.unary(e, ctx)
        case s.Binary():
            return operators.binary(e, ctx, expected)
        case s.IfExpr():
            return if_(e, ctx, expected)
        case s.Quantified():
            return binders.quantified(e, ctx)
        case s.Aggregate():
            return binders.aggregate(e, ctx)
        case s.Has():
            return has(e, ctx)
        case s.Old():
            return old(e, ctx)
        case s.RuleMatches():
            return rule_matches(e, ctx)
        case s.Event():
            text = "an event is not a condition"
            help_ = "ask when it happened: `once`, `previously`, `since`, `count(... within ...)`"
            return wrong(ctx, "E503", text, e.span, help_)
        case s.Past():
            return past.past(e, ctx)
        case s.Since():
            return past.since(e, ctx)
        case s.Window():
            return past.window_total(e, ctx)


def check(e: s.Expr, ctx: Context, expected: SType) -> Typed:
    """The meaning of `e` as a value of type `expected`."""
    return coerce(elaborate(e, ctx, expected), expected, ctx, e.span)


def scalar(e: s.Expr, ctx: Context, expected: SType) -> Expr | None:
    """The core expression of `e`, which must be a scalar of type `expected`; None when it is wrong."""
    found = check(e, ctx, expected)
    return found.value.expr if isinstance(found.value, One) else None


def boolean(e: s.Expr, ctx: Context) -> tuple[Expr, Typed]:
    """The condition `e`, with what it binds; `true` when it is wrong."""
    found = check(e, ctx, BOOL_T)
    return (found.value.expr if isinstance(found.value, One) else TRUE), found


def wrong(ctx: Context, code: str, text: str, span: Span, help_: str = "") -> Typed:
    ctx.report.error(code, text, span, help=help_)
    return WRONG


def coerce(found: Typed, expected: SType, ctx: Context, span: Span) -> Typed:
    """`found` where `expected` is asked for: a value may become an option, a guarded option its value."""
    if isinstance(expected, ErrorT) or isinstance(found.type, ErrorT):
        return WRONG
    if isinstance(found.type, MapT):
        return wrong(ctx, "E203", "a map is not a value", span, "name one of its cells, as in `m[k]`")
    if fits(found.type, expected):
        return found
    if isinstance(expected, OptionT) and fits(found.type, expected.value):
        return Typed(expected, BAD if found.value == BAD else Maybe(TRUE, found.value))
    if isinstance(found.type, OptionT) and fits(found.type.value, expected):
        return unwrap(found, ctx, span)
    return wrong(
        ctx, "E201", f"expected `{expected}`, found `{found.type}`", span, advice.about_type(found.type, expected)
    )


def unwrap(found: Typed, ctx: Context, span: Span) -> Typed:
    """The value of an option, where it is known to hold one."""
    if not isinstance(found.type, OptionT):
        return found
    if isinstance(found.value, Maybe):
        if found.value.has in ctx.facts or found.value.has is TRUE:
            return Typed(found.type.value, found.value.value)
        text = f"this may be `none`: it is {article(str(found.type))}"
        return wrong(
            ctx, "E301", text, span, "read it under a guard: `if e has x { ... x ... }` or `e has x and ... x ...`"
        )
    return WRONG


def _none(e: s.NoneLit, ctx: Context, expected: SType | None) -> Typed:
    if isinstance(expected, OptionT):
        return Typed(expected, Maybe(FALSE, default_value(expected.value)))
    if expected == ERROR_T:
        return WRONG
    if expected is None:
        return wrong(
            ctx, "E205", "what kind of value is absent here cannot be told", e.span, "compare an option with `none`"
        )
    return wrong(
        ctx, "E201", f"expected `{expected}`, found `none`", e.span, f"only an option `{expected}?` can be `none`"
    )


def name(e: s.Name, ctx: Context, expected: SType | None) -> Typed:
    """What a bare name means: nearest first, then what the expected type says, then all declarations."""
    world, called = ctx.world, e.name
    local = ctx.locals.get(called)
    if local is not None:
        return Typed(local.type, local.value)
    if isinstance(expected, EnumT) and called in expected.core.cases:
        return enum_case(expected, called, ctx)
    if called == CLOCK and ctx.read is not None and not isinstance(expected, EntityT):
        return Typed(TIME_T, One(ctx.read(CLOCK, (), INT, ())))
    if called == "now":
        return _now(e, ctx)
    if isinstance(expected, EntityT) and expected in world.individuals.get(called, ()):
        world.used.add(expected.core.name)
        return Typed(expected, One(individual(expected.core, called)))
    match world.declared.get(called):
        case s.ConstDecl():
            world.used.add(called)
            return types.const_value(called, e, world)
        case s.ParamDecl():
            world.used.add(called)
            if called not in world.params:
                return WRONG
            if ctx.read is None:
                help_ = "a parameter is chosen by each deployment; here only constants are possible"
                return wrong(ctx, "E111", f"the parameter `{called}` is not available in {ctx.place}", e.span, help_)
            param, type_ = world.params[called]
            return Typed(type_, One(param.ref))
        case s.StateDecl():
            return places.variable(world.states[called], ctx, e) if called in world.states else WRONG
        case s.GroupDecl():
            world.used.add(called)
            return wrong(ctx, "E203", f"`{called}` is a group, not a value", e.span, f"write `x in {called}`")
        case None:
            return _undeclared(e, ctx, expected)
        case decl:
            world.used.add(called)
            kind = kind_of(decl)
            help_ = f"call it: `{called}(...)`" if isinstance(decl, s.FunctionDecl) else ""
            return wrong(ctx, "E101", f"`{called}` is {article(kind)}, not a value", e.span, help_)


def _now(e: s.Name, ctx: Context) -> Typed:
    if ctx.now is None:
        help_ = "`clock` is the time of the last allowed request" if ctx.read is not None else ""
        return wrong(ctx, "E111", f"`now` is not available in {ctx.place}", e.span, help_)
    return Typed(TIME_T, One(ctx.now))


def _undeclared(e: s.Name, ctx: Context, expected: SType | None) -> Typed:
    world, called = ctx.world, e.name
    owners = world.cases.get(called, [])
    if len(owners) == 1:
        return enum_case(owners[0], called, ctx)
    if owners:
        names = " and ".join(f"`{o}`" for o in owners)
        return wrong(ctx, "E109", f"`{called}` is a case of {names}", e.span, f"write `{owners[0]}.{called}`")
    sorts = world.individuals.get(called, [])
    if len(sorts) == 1:
        world.used.add(sorts[0].core.name)
        return Typed(sorts[0], One(individual(sorts[0].core, called)))
    if sorts:
        names = " and ".join(f"`{o}`" for o in sorts)
        return wrong(
            ctx, "E109", f"`{called}` names an individual of {names}", e.span, "compare it with a value of known type"
        )
    if ctx.names_individuals and isinstance(expected, EntityT):
        return Typed(expected, One(individual(expected.core, called)))
    if isinstance(expected, ErrorT):
        return WRONG
    known: list[str] = [*ctx.locals, *world.declared, *world.cases, *world.individuals]
    if isinstance(expected, EnumT):
        known += expected.core.cases
    help_ = advice.about_name(called, known, ctx, expected)
    return wrong(ctx, "E101", f"there is nothing called `{called}`", e.span, help_)


def enum_case(type_: EnumT, called: str, ctx: Context) -> Typed:
    ctx.world.used.add(type_.core.name)
    ctx.world.used_cases.add((type_.core.name, called))
    return Typed(type_, One(Const(called, type_.core)))


def field(e: s.Field, ctx: Context) -> Typed:
    """`Stage.Open`, or a field of a record."""
    if isinstance(e.subject, s.Name) and e.subject.name in ctx.world.enums and e.subject.name not in ctx.locals:
        enum = ctx.world.enums[e.subject.name]
        ctx.world.used.add(e.subject.name)
        if e.name in enum.core.cases:
            return enum_case(enum, e.name, ctx)
        help_ = suggest(e.name, enum.core.cases) or "the cases are " + ", ".join(f"`{c}`" for c in enum.core.cases)
        at = ctx.world.word(e.span, e.name, last=True)
        return wrong(ctx, "E103", f"the enum `{enum}` has no case `{e.name}`", at, help_)
    subject = elaborate(e.subject, ctx)
    if isinstance(subject.type, OptionT):
        subject = unwrap(subject, ctx, e.subject.span)
    if subject.wrong and not isinstance(subject.type, MapT):
        return WRONG
    if isinstance(subject.type, RecordT) and isinstance(subject.value, Fields):
        for (called, value), (_, type_) in zip(subject.value.items, subject.type.fields, strict=True):
            if called == e.name:
                return Typed(type_, value)
    places.no_field(subject.type, e.name, e, ctx)
    return WRONG


def if_(e: s.IfExpr, ctx: Context, expected: SType | None) -> Typed:
    condition, found = boolean(e.condition, ctx)
    then_ctx, other_ctx = ctx.bind(found.yes).knowing(condition), ctx.bind(found.no).knowing(negate(condition))
    if expected is None and operators.needy(e.then, ctx) and not operators.needy(e.other, ctx):
        other = elaborate(e.other, other_ctx)
        then = check(e.then, then_ctx, other.type)
    else:
        then = elaborate(e.then, then_ctx, expected)
        wanted = then.type if expected is None or then.wrong else expected
        other = elaborate(e.other, other_ctx, wanted)
    if then.wrong or other.wrong or found.wrong:
        return WRONG
    type_ = expected if isinstance(expected, OptionT) else then.type
    if isinstance(other.type, OptionT) and not isinstance(type_, OptionT):
        type_ = other.type
    then, other = coerce(then, type_, ctx, e.then.span), coerce(other, type_, ctx, e.other.span)
    if then.wrong or other.wrong:
        return WRONG
    if isinstance(then.type, NumberT) and isinstance(other.type, NumberT):
        type_ = operators.hull(then.type, other.type)
    return Typed(type_, choose(condition, then.value, other.value))


def has(e: s.Has, ctx: Context) -> Typed:
    """`e has x`"""
    subject = elaborate(e.subject, ctx)
    if subject.wrong and not isinstance(subject.type, MapT):
        return Typed(ERROR_T, BAD, yes={e.name: Local(ERROR_T, BAD)} if e.name else {})
    if not isinstance(subject.type, OptionT) or not isinstance(subject.value, Maybe):
        text = f"a value of type `{subject.type}` is always there"
        help_ = "`has` asks whether an option holds a value"
        return replace(wrong(ctx, "E204", text, e.span, help_), yes={e.name: Local(ERROR_T, BAD)} if e.name else {})
    value = Local(subject.type.value, subject.value.value, e.span)
    if e.name is None:
        known = "value" in ctx.locals or "value" in ctx.world.declared
        return Typed(BOOL_T, One(subject.value.has), yes={} if known else {"value": value})
    shadow(e.name, ctx.world.word(e.span, e.name, last=True), ctx)
    return Typed(BOOL_T, One(subject.value.has), yes={e.name: value})


def old(e: s.Old, ctx: Context) -> Typed:
    if ctx.old is None:
        return wrong(
            ctx, "E111", f"`old` is not available in {ctx.place}", e.span, "only a `step` property compares two states"
        )
    return elaborate(e.value, replace(ctx, read=ctx.old, old=None, facts=frozenset()))


def rule_matches(e: s.RuleMatches, ctx: Context) -> Typed:
    if ctx.rule is None:
        text = f"whether a rule matches is not known in {ctx.place}"
        return wrong(ctx, "E111", text, e.span, "only an `assert` speaks of one request and its rules")
    found = ctx.rule(e)
    return WRONG if found is None else Typed(BOOL_T, One(found))


def shadow(called: str, span: Span, ctx: Context) -> None:
    """Warn that a new name hides one that is known already."""
    world = ctx.world
    span = world.word(span, called)
    decl = world.declared.get(called)
    if called in RESERVED:
        world.report.error("E105", f"`{called}` is {RESERVED[called]}", span, help="choose another name")
    elif called in ctx.locals:
        world.report.warn("W703", f"`{called}` hides another `{called}`", span, help="give one of them another name")
    elif decl is not None:
        text = f"`{called}` hides the {kind_of(decl)} `{called}`"
        world.report.warn("W703", text, span, help="give one of them another name")
    elif called in world.cases:
        text = f"`{called}` hides the case `{called}` of `{world.cases[called][0]}`"
        world.report.warn("W703", text, span, help="give one of them another name")


def to_next(e: Expr) -> Expr:
    """`e` in the state after the step."""
    return transform(
        e, lambda t: Ref(t.name, t.type, Space.NEXT) if isinstance(t, Ref) and t.space is Space.STATE else None
    )
