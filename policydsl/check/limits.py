"""Limits and budgets: what must hold of the past for one more request to be within them."""

from __future__ import annotations

from functools import cache

from policydsl import syntax as s
from policydsl.check import expr, past
from policydsl.check.monitor_window import LONGEST_RING
from policydsl.check.monitors import EventPattern, MonitorError, Monitors
from policydsl.check.scope import ActionInfo, Context, conjuncts, suggest
from policydsl.check.surface import DURATION_T, INT_T, Unit
from policydsl.check.values import One, parts
from policydsl.core.expr import FALSE, TRUE, Apply, Const, Expr, Op, Ref, Space, add, conj, disj, le, negate, number

_MOST_COMBINATIONS = 500


def condition(rule: s.RuleDecl, info: ActionInfo, infos: tuple[ActionInfo, ...], matches: Expr, ctx: Context) -> Expr:
    """When one more request of `info` is within `rule`, which is on all of `infos` together."""
    monitors = ctx.world.monitors
    if rule.to is None or rule.per is None:
        text = f"the {rule.effect} `{rule.name}` has no {'amount' if rule.to is None else 'window'}"
        ctx.report.error("E501", text, rule.name_span, help="write `to 20 per 1m for each principal`")
        return TRUE
    per = past.window(rule.per, ctx)
    patterns = [_pattern(rule, info, other, matches, ctx) for other in infos]
    known = [p for p in patterns if p is not None]
    if per is None or monitors is None or len(known) < len(patterns):
        return TRUE
    try:
        if rule.effect == "limit":
            return _limit(rule, tuple(known), per, monitors, ctx)
        return _budget(rule, info, infos, known, per, monitors, ctx)
    except MonitorError as error:
        ctx.report.error(error.code, error.text, rule.name_span, help=error.help)
        return TRUE


def _limit(rule: s.RuleDecl, patterns: tuple[EventPattern, ...], per: int, monitors: Monitors, ctx: Context) -> Expr:
    assert rule.to is not None
    assert ctx.now is not None
    found = expr.check(rule.to, ctx, INT_T)
    if found.wrong:
        return TRUE
    values = past.few_values(found)
    if values is None or values[1] < 0:
        help_ = "write a literal, a constant, or a parameter with a short range from 0 up"
        ctx.report.error("E504", "how many requests a limit allows must be constant", rule.to.span, help=help_)
        return TRUE
    value, low, high = values
    now = ctx.now
    if high > LONGEST_RING or high ** (len(patterns) - 1) > _MOST_COMBINATIONS:
        # Exact counts would remember too much; the estimate is never too low, so no window has more than allowed.
        estimate = add(*(monitors.windowed_sum(p, None, per, now) for p in patterns), number(1))
        return past.for_each_value(value, low, high, lambda n: le(estimate, number(n)))

    @cache
    def at_least(n: int, nth: int) -> Expr:
        """At least `n` requests in the window, of the actions from number `nth` on."""
        if nth == len(patterns) - 1:
            return monitors.count_at_least(patterns[nth], n, per, now)
        ways = (
            conj(monitors.count_at_least(patterns[nth], k, per, now), at_least(n - k, nth + 1)) for k in range(n + 1)
        )
        return disj(*ways)

    return past.for_each_value(value, low, high, lambda n: negate(at_least(n, 0)))


def _budget(
    rule: s.RuleDecl,
    info: ActionInfo,
    infos: tuple[ActionInfo, ...],
    patterns: list[EventPattern],
    per: int,
    monitors: Monitors,
    ctx: Context,
) -> Expr:
    assert rule.to is not None
    assert ctx.now is not None
    unit = Unit.INT
    for other in infos:
        found = past.amount_unit(other, rule.field, rule.name_span, ctx)
        if found is None:
            return TRUE
        unit = found
    cap = expr.scalar(rule.to, ctx, DURATION_T if unit is Unit.DURATION else INT_T)
    if cap is None:
        return TRUE
    if not isinstance(cap, Const) and not (isinstance(cap, Ref) and cap.space is Space.PARAM):
        help_ = "write a literal, a constant or a parameter"
        ctx.report.error("E504", "how much a budget allows must be constant", rule.to.span, help=help_)
        return TRUE
    amount = info.locals[rule.field].value
    assert isinstance(amount, One)
    spent = [monitors.windowed_sum(p, rule.field, per, ctx.now) for p in patterns]
    return le(add(*spent, amount.expr), cap)


def _pattern(
    rule: s.RuleDecl, observer: ActionInfo, counted: ActionInfo, matches: Expr, ctx: Context
) -> EventPattern | None:
    """The requests of `counted` that count against a request of `observer`."""
    wanted: dict[str, Expr] = {}
    for key in rule.keys:
        if not isinstance(key, s.Name) or key.name not in dict(observer.params):
            names = dict(observer.params)
            help_ = suggest(key.name, names) if isinstance(key, s.Name) else ""
            text = f"what a {rule.effect} is kept for must be an input of `{observer.name}`"
            ctx.report.error("E509", text, key.span, help=help_ or "write `for each principal`")
            return None
        if dict(counted.params).get(key.name) != dict(observer.params)[key.name]:
            text = f"`{counted.name}` has no input `{key.name}` of the same type as `{observer.name}`"
            help_ = "a rule on several actions is kept for inputs that all of them have"
            ctx.report.error("E509", text, key.span, help=help_)
            return None
        value = observer.locals[key.name].value
        wanted |= {key.name + suffix: e for suffix, e in parts(value)}
    filters = _filters(matches)
    has = {i.name for i in counted.inputs}
    if filters is None or not filters.keys() <= has:
        text = (
            f"the {rule.effect} `{rule.name}` counts every allowed request, not only those that its condition holds of"
        )
        help_ = "conditions like `channel == email` select what is counted; others only say when the limit applies"
        ctx.report.warn("W712", text, rule.name_span, help=help_)
        return EventPattern(counted.name, tuple(wanted.items()))
    return EventPattern(counted.name, tuple((filters | wanted).items()))


def _filters(matches: Expr) -> dict[str, Expr] | None:
    """A condition as inputs that equal constants; None when it is anything else."""
    found: dict[str, Expr] = {}
    for part in conjuncts(matches):
        value: Expr
        match part:
            case Const(value=True):
                continue
            case Ref(space=Space.INPUT, name=name):
                value = TRUE
            case Apply(op=Op.NOT, args=(Ref(space=Space.INPUT, name=name),)):
                value = FALSE
            case Apply(op=Op.EQ, args=(Ref(space=Space.INPUT, name=name), Const() as value)):
                pass
            case Apply(op=Op.EQ, args=(Const() as value, Ref(space=Space.INPUT, name=name))):
                pass
            case _:
                return None
        if found.setdefault(name, value) is not value:
            return None
    return found
