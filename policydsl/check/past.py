"""Temporal operators: events and formulas in the observer's terms, handed to the monitors, which remember the past."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from policydsl import syntax as s
from policydsl.check import expr, types
from policydsl.check.monitors import EventPattern, MonitorError, Monitors
from policydsl.check.rigid import rigid
from policydsl.check.scope import ActionInfo, Context, read_next, read_state, suggest
from policydsl.check.surface import BOOL_T, DURATION_T, INT_T, NumberT, Unit
from policydsl.check.values import WRONG, Members, One, Typed, parts
from policydsl.core.expr import Const, Expr, Ref, Space, conj, disj, eq, negate, number, substitute
from policydsl.core.system import PRINCIPAL
from policydsl.source import Span

_MOST_VALUES = 100
_NOTHING: Mapping[Expr, Expr] = MappingProxyType({})


def past(e: s.Past, ctx: Context) -> Typed:
    """`once`, `historically`, `previously`"""
    event = as_event(e.what, ctx)
    within, ready = _within(e.within, ctx)
    if not ready or not _possible(e.span, ctx):
        return WRONG
    if event is not None:
        if e.op == "historically":
            text = "`historically` is about a condition, not about an action"
            help_ = f"write `once` for an action, or `not once ({event.action} ...)` for its absence"
            return expr.wrong(ctx, "E505", text, e.span, help_)
        return _ask(event, ctx, e.span, lambda m, p, at: _past_event(m, p, e.op, within, at))
    assert not isinstance(e.what, s.Event)
    phi, found, meant = _formula(e.what, ctx)
    if found.wrong:
        return WRONG
    if e.op == "previously" and within is not None:
        help_ = "leave out `within`: the last allowed request is one"
        return expr.wrong(ctx, "E505", "`previously` of a condition takes no `within`", e.span, help_)

    def ask(monitors: Monitors, at: Expr) -> Expr:
        match e.op:
            case "once":
                return monitors.once_state(phi, within, at)
            case "historically":
                return monitors.historically_state(phi, within, at)
            case _:
                return monitors.previously_state(phi)

    return _asked(ask, ctx, e.span, meant)


def _past_event(monitors: Monitors, pattern: EventPattern, op: str, within: int | None, at: Expr) -> Expr:
    if op == "once":
        return monitors.once(pattern, within, at)
    last = monitors.previously(pattern)
    return last if within is None else conj(last, monitors.once(pattern, within, at))


def since(e: s.Since, ctx: Context) -> Typed:
    """`a since b`, `no a since b`"""
    event, what = as_event(e.event, ctx), as_event(e.what, ctx)
    within, ready = _within(e.within, ctx)
    if not ready or not _possible(e.span, ctx):
        return WRONG
    if event is None:
        if isinstance(e.event, s.Name | s.Call) and e.event.name not in ctx.locals:
            known = list(ctx.world.actions)
            help_ = suggest(e.event.name, known) or "name an action, as in `... since (login by principal)`"
        else:
            help_ = "name an action, as in `... since (login by principal)`"
        return expr.wrong(ctx, "E505", "what stands after `since` must be an action", e.event.span, help_)
    if what is not None:
        first = pattern(what, ctx)
        if first is None:
            return WRONG
        return _ask(event, ctx, e.span, lambda m, p, at: m.since(first, p, e.negated, within, at))
    assert not isinstance(e.what, s.Event)
    phi, found, meant = _formula(e.what, ctx)
    if found.wrong:
        return WRONG
    held = negate(phi) if e.negated else phi
    return _ask(event, ctx, e.span, lambda m, p, at: m.since_state(held, p, within, at), meant)


def is_window(e: s.Binary) -> bool:
    """Whether `e` compares the count of a window."""
    return any(isinstance(side, s.Window) and side.kind == "count" for side in (e.left, e.right))


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def window_compare(e: s.Binary, ctx: Context) -> Typed:
    """`count(E within w) >= n`"""
    window, bound, op = e.left, e.right, e.op
    if not isinstance(window, s.Window) or window.kind != "count":
        window, bound, op = e.right, e.left, _MIRRORED[e.op]
    assert isinstance(window, s.Window)
    wanted = expr.check(bound, ctx, INT_T) if not isinstance(bound, s.Window) else WRONG
    within, ready = _length(window, ctx)
    if not ready or not _possible(e.span, ctx) or within is None:
        return WRONG
    if wanted.wrong and not isinstance(bound, s.Window):
        return WRONG
    limits = few_values(wanted)
    if limits is None:
        help_ = "compare it with a literal, a constant, or a parameter with a short range"
        return expr.wrong(ctx, "E504", "a count over a window is compared with a constant", bound.span, help_)
    value, low, high = limits

    def ask(m: Monitors, p: EventPattern, at: Expr) -> Expr:
        def holds(n: int) -> Expr:
            def least(k: int) -> Expr:
                return m.count_at_least(p, k, within, at)

            match op:
                case ">=":
                    return least(n)
                case ">":
                    return least(n + 1)
                case "<":
                    return negate(least(n))
                case "<=":
                    return negate(least(n + 1))
                case "==":
                    return conj(least(n), negate(least(n + 1)))
                case _:
                    return negate(conj(least(n), negate(least(n + 1))))

        return for_each_value(value, low, high, holds)

    return _ask(window.event, ctx, e.span, ask)


def few_values(found: Typed) -> tuple[Expr, int, int] | None:
    """A number that is constant, or a parameter with few possible values, and its range."""
    if not isinstance(found.value, One) or not isinstance(found.type, NumberT):
        return None
    value, low, high = found.value.expr, found.type.low, found.type.high
    if isinstance(value, Const) and type(value.value) is int:
        return value, value.value, value.value
    if isinstance(value, Ref) and value.space is Space.PARAM and low is not None and high is not None:
        return (value, low, high) if high - low < _MOST_VALUES else None
    return None


def for_each_value(value: Expr, low: int, high: int, holds: Callable[[int], Expr]) -> Expr:
    """`holds` of the number that `value` turns out to be."""
    if low == high:
        return holds(low)
    return disj(*(conj(eq(value, number(n)), holds(n)) for n in range(low, high + 1)))


def window_total(e: s.Window, ctx: Context) -> Typed:
    """`sum(E.field within w)` as a number; a count is compared at once, see `window_compare`."""
    if e.kind == "count":
        help_ = "write `count(... within 1h) >= 3`"
        return expr.wrong(ctx, "E504", "a count over a window is compared with a constant", e.span, help_)
    within, ready = _length(e, ctx)
    info = _action(e.event, ctx)
    if not ready or within is None or info is None or not _possible(e.span, ctx):
        return WRONG
    unit = amount_unit(info, e.field or "", e.span, ctx)
    if unit is None:
        return WRONG
    low = _ask(e.event, ctx, e.span, lambda m, p, at: m.windowed_sum(p, e.field or "", within, at, least=True))
    high = _ask(e.event, ctx, e.span, lambda m, p, at: m.windowed_sum(p, e.field or "", within, at))
    if not isinstance(low.value, One) or not isinstance(high.value, One):
        return WRONG
    return Typed(NumberT(unit, 0, None), One(ctx.world.estimates.number(low.value.expr, high.value.expr)))


def amount_unit(info: ActionInfo, field: str, span: Span, ctx: Context) -> Unit | None:
    """The unit of a summable input of an action; anything else is reported."""
    types_ = dict(info.params)
    if field not in types_:
        help_ = suggest(field, types_) or f"name a number among the inputs of `{info.name}`, as in `{info.name}.amount`"
        text = f"`{info.name}` has no input `{field}`" if field else "a sum needs to know what is added up"
        ctx.report.error("E508", text, span, help=help_)
        return None
    type_ = types_[field]
    if not isinstance(type_, NumberT) or type_.unit is Unit.TIME:
        text = f"`{field}` is `{type_}`, which cannot be added up"
        ctx.report.error("E508", text, span, help="only numbers and durations are")
        return None
    if type_.low is None or type_.low < 0:
        text = f"`{field}` may be negative, so its sum over a window can go down"
        ctx.report.error("E508", text, span, help=f"declare it with a range, as in `{field}: Int[0..1_000_000]`")
        return None
    return type_.unit


def as_event(e: s.Expr, ctx: Context) -> s.Event | None:
    """The event that `e` means, if it names an action."""
    match e:
        case s.Event():
            return e
        case s.Name(name=name) if name not in ctx.locals and name in ctx.world.actions:
            return s.Event(name, None, None, span=e.span)
        case s.Call(name=name, args=args) if name in ctx.world.actions:
            return s.Event(name, None, args, span=e.span)
        case _:
            return None


def _action(event: s.Event, ctx: Context) -> ActionInfo | None:
    info = ctx.world.actions.get(event.action)
    if info is None:
        help_ = suggest(event.action, ctx.world.actions) or "declare it with `action`"
        at = ctx.world.word(event.span, event.action)
        ctx.report.error("E106", f"there is no action `{event.action}`", at, help=help_)
    else:
        ctx.world.used.add(event.action)
    return info


def pattern(event: s.Event, ctx: Context) -> EventPattern | None:
    """An event with its arguments elaborated in the observer's terms."""
    info = _action(event, ctx)
    if info is None:
        return None
    params = list(info.params)
    given: list[tuple[str, s.Expr]] = []
    if event.by is not None:
        if PRINCIPAL not in dict(params):
            text = f"`{event.action}` has no input `principal`"
            help_ = f"name its arguments: `{event.action}(...)`"
            ctx.report.error("E202", text, event.by.span, help=help_)
            return None
        given.append((PRINCIPAL, event.by))
        if event.args is not None and len(event.args) != len(params):
            params = [p for p in params if p[0] != PRINCIPAL]
    if event.args is not None:
        if len(event.args) != len(params):
            names = ", ".join(n for n, _ in params)
            text = f"`{event.action}` has {len(params)} inputs, and {len(event.args)} are given"
            help_ = f"write `{event.action}({names})` with `_` for what does not matter"
            ctx.report.error("E202", text, event.span, help=help_)
            return None
        given += [(n, a) for (n, _), a in zip(params, event.args, strict=True) if a is not None]
    wanted: dict[str, Expr] = {}
    wrong = False
    for name, arg in given:
        found = expr.check(arg, _before(ctx), dict(info.params)[name])
        wrong = wrong or found.wrong or isinstance(found.value, Members)
        wanted |= {name + suffix: value for suffix, value in parts(found.value)}
    return None if wrong else EventPattern(event.action, tuple(wanted.items()))


def _before(ctx: Context) -> Context:
    """Monitors are read in the state before the request, whatever has been assigned since."""
    return replace(ctx, read=read_state, facts=ctx.facts if ctx.read is not read_next else frozenset())


def _formula(e: s.Expr, ctx: Context) -> tuple[Expr, Typed, Mapping[Expr, Expr]]:
    """A condition on earlier states, and what the names in it stand for that were bound in this one."""
    # SOUND: see NOTE(rigid); what is known of this state need not be so in those.
    names, meant = rigid(ctx.locals, ctx.world)
    phi, found = expr.boolean(e, replace(ctx, read=read_state, locals=names, facts=frozenset()))
    if ctx.world.estimates.among(phi):
        text = "the past of a sum over a window is not kept"
        help_ = "ask for the past of an action that looks at the sum, or count, since a count is exact"
        return phi, expr.wrong(ctx, "E556", text, e.span, help_), meant
    return phi, found, meant


def _possible(span: Span, ctx: Context) -> bool:
    if ctx.past is None or ctx.world.monitors is None:
        text = f"the past is not known in {ctx.place}"
        help_ = "temporal operators stand in rules, in `require`, and in properties"
        ctx.report.error("E503", text, span, help=help_)
        return False
    return True


def _ask(
    event: s.Event,
    ctx: Context,
    span: Span,
    ask: Callable[[Monitors, EventPattern, Expr], Expr],
    meant: Mapping[Expr, Expr] = _NOTHING,
) -> Typed:
    found = pattern(event, ctx)
    return WRONG if found is None else _asked(lambda m, at: ask(m, found, at), ctx, span, meant)


def _asked(
    ask: Callable[[Monitors, Expr], Expr], ctx: Context, span: Span, meant: Mapping[Expr, Expr] = _NOTHING
) -> Typed:
    assert ctx.world.monitors is not None
    assert ctx.past is not None
    try:
        found = ask(ctx.world.monitors, ctx.past)
    except MonitorError as error:
        return expr.wrong(ctx, error.code, error.text, span, error.help)
    return Typed(BOOL_T, One(substitute(expr.to_next(found) if ctx.read is read_next else found, dict(meant))))


def window(e: s.Expr, ctx: Context) -> int | None:
    """The length of a window in milliseconds; what is not a constant positive duration is reported."""
    found = types.constant_int(e, ctx, DURATION_T, "the length of a window", "E507")
    if found is not None and found <= 0:
        ctx.report.error("E507", "a window must be longer than nothing", e.span, help="write a duration like `1h`")
        return None
    return found


def _within(e: s.Expr | None, ctx: Context) -> tuple[int | None, bool]:
    """An optional window, and whether all is well."""
    if e is None:
        return None, True
    found = window(e, ctx)
    return found, found is not None


def _length(e: s.Window, ctx: Context) -> tuple[int | None, bool]:
    if e.within is None:
        text = f"`{e.kind}` over the past needs a window with a bound"
        ctx.report.error("E501", text, e.span, help=f"say how far back: `{e.kind}(... within 1h)`")
        return None, False
    return _within(e.within, ctx)
