"""Operators and calls: their typing, and the fragment that they must stay in (guarded division, linear products)."""

from __future__ import annotations

from dataclasses import replace

from policydsl import syntax as s
from policydsl.check import binders, expr, functions, past, strings
from policydsl.check.scope import Context
from policydsl.check.surface import BOOL_T, ERROR_T, EnumT, MapT, NumberT, OptionT, SetT, SType, Unit, fits
from policydsl.check.values import BAD, WRONG, Local, Maybe, One, Typed, equal, minus, subset, union
from policydsl.core.expr import ZERO, Const, Expr, Op, add, arith, conj, disj, eq, implies, ite, le, lt, negate, sub

Bound = int | None
_STRING_OPS = ("like", "matches", "contains", "starts with", "ends with")


def unary(e: s.Unary, ctx: Context) -> Typed:
    if e.op == "not":
        found = expr.check(e.arg, ctx, BOOL_T)
        if not isinstance(found.value, One):
            return WRONG
        return Typed(BOOL_T, One(negate(found.value.expr)), yes=found.no, no=found.yes)
    found = expr.unwrap(expr.elaborate(e.arg, ctx), ctx, e.arg.span)
    if found.wrong:
        return WRONG
    if not isinstance(found.type, NumberT) or found.type.unit is Unit.TIME or not isinstance(found.value, One):
        help_ = "only numbers and durations are negated"
        return expr.wrong(ctx, "E204", f"`-` does not apply to `{found.type}`", e.span, help_)
    low, high = found.type.low, found.type.high
    type_ = NumberT(found.type.unit, None if high is None else -high, None if low is None else -low)
    return Typed(type_, One(sub(ZERO, found.value.expr)))


def binary(e: s.Binary, ctx: Context, expected: SType | None) -> Typed:
    match e.op:
        case "and" | "or" | "implies" | "iff":
            return _connective(e, ctx)
        case "==" | "!=":
            return past.window_compare(e, ctx) if past.is_window(e) else _equality(e, ctx)
        case "<" | "<=" | ">" | ">=":
            return past.window_compare(e, ctx) if past.is_window(e) else _order(e, ctx)
        case "in":
            return binders.membership(e.left, e.right, ctx)
        case "union" | "minus":
            return _set_operation(e, ctx, expected)
        case op if op in _STRING_OPS:
            return strings.predicate(e, ctx)
        case _:
            return _arithmetic(e, ctx, expected)


def _connective(e: s.Binary, ctx: Context) -> Typed:
    if e.op in ("and", "or"):
        return _chain(e, ctx)
    left, first = expr.boolean(e.left, ctx)
    if e.op == "implies":
        right, second = expr.boolean(e.right, ctx.bind(first.yes).knowing(left))
        found = Typed(BOOL_T, One(implies(left, right)), no={**first.yes, **second.no})
    else:
        right, second = expr.boolean(e.right, ctx)
        found = Typed(BOOL_T, One(eq(left, right)))
    return replace(found, type=ERROR_T, value=BAD) if first.wrong or second.wrong else found


def _chain(e: s.Binary, ctx: Context) -> Typed:
    """`a and b and c`: each part may use what those before it bind and make known. No recursion: chains are long."""
    parts: list[s.Expr] = []
    rest: s.Expr = e
    while isinstance(rest, s.Binary) and rest.op == e.op:
        parts.append(rest.right)
        rest = rest.left
    parts.append(rest)
    found: list[Expr] = []
    bound: dict[str, Local] = {}
    wrong = False
    for part in reversed(parts):
        condition, typed = expr.boolean(part, ctx)
        found.append(condition)
        wrong = wrong or typed.wrong
        names = typed.yes if e.op == "and" else typed.no
        bound |= names
        ctx = ctx.bind(names).knowing(condition if e.op == "and" else negate(condition))
    value = BAD if wrong else One(conj(*found) if e.op == "and" else disj(*found))
    yes, no = (bound, {}) if e.op == "and" else ({}, bound)
    return Typed(ERROR_T if wrong else BOOL_T, value, yes, no)


def needy(e: s.Expr, ctx: Context) -> bool:
    """Whether what `e` means may hang on the type that is expected of it."""
    match e:
        case s.NoneLit() | s.SetLit() | s.IntLit():
            return True
        case s.DurationLit(milliseconds=milliseconds):
            return ctx.test or milliseconds == 0  # the beginning of time, too
        case s.Name(name=name):
            if name in ctx.locals or (name in ctx.world.declared and name not in ctx.world.cases):
                return False
            return len(ctx.world.cases.get(name, ())) != 1
        case s.IfExpr():
            return needy(e.then, ctx) and needy(e.other, ctx)
        case _:
            return False


def pair(a: s.Expr, b: s.Expr, ctx: Context) -> tuple[Typed, Typed]:
    """Both sides of a comparison, each hinted at by the type of the other."""
    if needy(a, ctx) and not needy(b, ctx):
        right = expr.elaborate(b, ctx)
        return expr.elaborate(a, ctx, right.type), right
    left = expr.elaborate(a, ctx)
    return left, expr.elaborate(b, ctx, left.type)


def _equality(e: s.Binary, ctx: Context) -> Typed:
    found = _equal(e, ctx)
    if found is None:
        return WRONG
    return Typed(BOOL_T, One(found if e.op == "==" else negate(found)))


def _equal(e: s.Binary, ctx: Context) -> Expr | None:
    for none, other in ((e.left, e.right), (e.right, e.left)):
        if isinstance(none, s.NoneLit):
            found = expr.elaborate(other, ctx)
            if isinstance(found.value, Maybe):
                return negate(found.value.has)
            if not found.wrong:
                text = f"a value of type `{found.type}` is never `none`"
                ctx.report.error("E201", text, e.span, help="only an option `T?` can be `none`")
            return None
    left, right = pair(e.left, e.right, ctx)
    if left.wrong or right.wrong:
        _report_maps(left, right, e, ctx)
        return None
    for a, b in ((left, right), (right, left)):
        if isinstance(a.type, OptionT) and isinstance(a.value, Maybe) and fits(b.type, a.type.value):
            same = equal(a.value.value, b.value, ctx.world.for_all)
            return None if same is None else conj(a.value.has, same)
    if not fits(left.type, right.type):
        text = f"`{left.type}` and `{right.type}` cannot be equal"
        ctx.report.error("E201", text, e.span, help=_unit_advice(left.type, right.type))
        return None
    return equal(left.value, right.value, ctx.world.for_all)


def _unit_advice(a: SType, b: SType) -> str:
    if isinstance(a, NumberT) and isinstance(b, NumberT):
        return "compare times with times, and durations with durations written with their unit, like `24h`"
    return "compare values of one type"


def _order(e: s.Binary, ctx: Context) -> Typed:
    left, right = pair(e.left, e.right, ctx)
    left, right = expr.unwrap(left, ctx, e.left.span), expr.unwrap(right, ctx, e.right.span)
    if left.wrong or right.wrong:
        _report_maps(left, right, e, ctx)
        return WRONG
    if isinstance(left.type, SetT) and fits(left.type, right.type) and e.op in ("<=", ">="):
        a, b = (left, right) if e.op == "<=" else (right, left)
        inside = subset(a.value, b.value, ctx.world.for_all)
        return WRONG if inside is None else Typed(BOOL_T, One(inside))
    if not isinstance(left.type, NumberT) or not isinstance(right.type, NumberT):
        bad = left if not isinstance(left.type, NumberT) else right
        text = f"`{e.op}` does not apply to `{bad.type}`"
        help_ = "only numbers, times and durations are ordered"
        if isinstance(bad.type, EnumT):
            help_ = "cases of an enum have no order"
        return expr.wrong(ctx, "E204", text, e.span, help_)
    if left.type.unit is not right.type.unit:
        text = f"`{left.type.unit.value}` and `{right.type.unit.value}` cannot be compared"
        return expr.wrong(ctx, "E201", text, e.span, _unit_advice(left.type, right.type))
    if not isinstance(left.value, One) or not isinstance(right.value, One):
        return WRONG
    return Typed(BOOL_T, One(order(e.op, left.value.expr, right.value.expr)))


def _report_maps(left: Typed, right: Typed, e: s.Binary, ctx: Context) -> None:
    for side, at in ((left, e.left), (right, e.right)):
        if isinstance(side.type, MapT):
            expr.coerce(side, BOOL_T, ctx, at.span)


def order(op: str, a: Expr, b: Expr) -> Expr:
    """`a op b` of two integers."""
    match op:
        case "<":
            return lt(a, b)
        case "<=":
            return le(a, b)
        case ">":
            return lt(b, a)
        case ">=":
            return le(b, a)
        case "==":
            return eq(a, b)
        case _:
            return negate(eq(a, b))


def _set_operation(e: s.Binary, ctx: Context, expected: SType | None) -> Typed:
    hint = expected if isinstance(expected, SetT) else None
    if hint is None and isinstance(e.left, s.SetLit):
        right = expr.elaborate(e.right, ctx)
        left = expr.elaborate(e.left, ctx, right.type)
    else:
        left = expr.elaborate(e.left, ctx, hint)
        right = expr.elaborate(e.right, ctx, left.type)
    if left.wrong or right.wrong:
        return WRONG
    if not isinstance(left.type, SetT) or not fits(left.type, right.type):
        text = f"`{e.op}` does not apply to `{left.type}` and `{right.type}`"
        return expr.wrong(ctx, "E204", text, e.span, "it takes two sets of one type")
    return Typed(left.type, (union if e.op == "union" else minus)(left.value, right.value))


def _hint(op: str, expected: SType | None) -> SType | None:
    return expected if isinstance(expected, NumberT) and expected.unit is Unit.DURATION and op in "+-" else None


def _arithmetic(e: s.Binary, ctx: Context, expected: SType | None) -> Typed:
    left = expr.unwrap(expr.elaborate(e.left, ctx, _hint(e.op, expected)), ctx, e.left.span)
    right = expr.unwrap(expr.elaborate(e.right, ctx, _hint(e.op, expected)), ctx, e.right.span)
    if left.wrong or right.wrong:
        _report_maps(left, right, e, ctx)
        return WRONG
    if not isinstance(left.type, NumberT) or not isinstance(right.type, NumberT):
        bad = left if not isinstance(left.type, NumberT) else right
        help_ = "arithmetic is for numbers, times and durations"
        if isinstance(bad.type, SetT):
            help_ = "sets are joined by `union` and taken apart by `minus`"
        return expr.wrong(ctx, "E204", f"`{e.op}` does not apply to `{bad.type}`", e.span, help_)
    unit = _UNITS.get((left.type.unit, e.op, right.type.unit))
    if unit is None:
        text = f"`{left.type.unit.value} {e.op} {right.type.unit.value}` makes no sense"
        return expr.wrong(
            ctx, "E204", text, e.span, "a time plus a duration is a time; a time minus a time is a duration"
        )
    assert isinstance(left.value, One)
    assert isinstance(right.value, One)
    return arithmetic(e, left.value.expr, right.value.expr, left.type, right.type, unit, ctx)


_I, _T, _D = Unit.INT, Unit.TIME, Unit.DURATION
_UNITS = {
    (_I, "+", _I): _I, (_D, "+", _D): _D, (_T, "+", _D): _T, (_D, "+", _T): _T,
    (_I, "-", _I): _I, (_D, "-", _D): _D, (_T, "-", _D): _T, (_T, "-", _T): _D,
    (_I, "*", _I): _I, (_D, "*", _I): _D, (_I, "*", _D): _D,
    (_I, "/", _I): _I, (_D, "/", _I): _D, (_D, "/", _D): _I,
    (_I, "%", _I): _I, (_D, "%", _D): _D,
}  # fmt: skip


def arithmetic(e: s.Binary, a: Expr, b: Expr, x: NumberT, y: NumberT, unit: Unit, ctx: Context) -> Typed:
    match e.op:
        case "+":
            return Typed(NumberT(unit, _plus(x.low, y.low), _plus(x.high, y.high)), One(add(a, b)))
        case "-":
            return Typed(NumberT(unit, _plus(x.low, _neg(y.high)), _plus(x.high, _neg(y.low))), One(sub(a, b)))
        case "*":
            if not isinstance(a, Const) and not isinstance(b, Const):
                text = "a product needs a constant on one side"
                help_ = "proofs are about sums and multiples; for a percentage write `100 * yes >= 60 * total`"
                return expr.wrong(ctx, "E303", text, e.span, help_)
            low, high = _times(x, y)
            return Typed(NumberT(unit, low, high), One(arith(Op.MUL, a, b)))
        case _:
            # SOUND: the core gives division by a divisor that is not positive a value of its own; no author meets it.
            if y.low is None or y.low < 1:
                text = "the divisor may be zero or negative"
                help_ = (
                    "divide by a positive constant, by a parameter or input with a range from 1 up, or by `max(1, e)`"
                )
                return expr.wrong(ctx, "E302", text, e.right.span, help_)
            if e.op == "/":
                low, high = _quotient(x, y)
                return Typed(NumberT(unit, low, high), One(arith(Op.DIV, a, b)))
            return Typed(NumberT(unit, 0, None if y.high is None else y.high - 1), One(arith(Op.MOD, a, b)))


def _plus(a: Bound, b: Bound) -> Bound:
    return None if a is None or b is None else a + b


def _neg(a: Bound) -> Bound:
    return None if a is None else -a


def _times(x: NumberT, y: NumberT) -> tuple[Bound, Bound]:
    if x.low is None or x.high is None or y.low is None or y.high is None:
        for a, b in ((x, y), (y, x)):
            if a.low is not None and a.low == a.high and a.low >= 0:
                return (None if b.low is None else a.low * b.low), (None if b.high is None else a.low * b.high)
        return None, None
    corners = [i * j for i in (x.low, x.high) for j in (y.low, y.high)]
    return min(corners), max(corners)


def _quotient(x: NumberT, y: NumberT) -> tuple[Bound, Bound]:
    assert y.low is not None
    low = None if x.low is None else min(x.low // y.low, x.low // y.high if y.high is not None else min(x.low, 0))
    high = None if x.high is None else max(x.high // y.low, 0)
    return low, high


def hull(x: NumberT, y: NumberT) -> NumberT:
    """The least range around both."""
    low = None if x.low is None or y.low is None else min(x.low, y.low)
    high = None if x.high is None or y.high is None else max(x.high, y.high)
    return NumberT(x.unit, low, high)


def call(e: s.Call, ctx: Context, expected: SType | None) -> Typed:
    """A function of the policy, a built-in one, or a record."""
    match e.name:
        case "min" | "max":
            return _extreme(e, ctx, expected)
        case "abs":
            return _absolute(e, ctx, expected)
        case _:
            return functions.call(e, ctx)


def _numbers(e: s.Call, ctx: Context, expected: SType | None) -> list[tuple[NumberT, Expr]] | None:
    found: list[tuple[NumberT, Expr]] = []
    hint = expected if isinstance(expected, NumberT) else None
    firm = next((a for a in e.args if not needy(a, ctx)), None) if hint is None else None
    # Elaborated once: what is nested would take twice as long at each level.
    told = expr.elaborate(firm, ctx) if firm is not None else None
    if told is not None and isinstance(told.type, NumberT):
        hint = told.type
    for arg in e.args:
        typed = told if told is not None and arg is firm else expr.elaborate(arg, ctx, hint)
        value = expr.unwrap(typed, ctx, arg.span)
        if value.wrong:
            expr.coerce(value, BOOL_T, ctx, arg.span)
            return None
        if not isinstance(value.type, NumberT) or not isinstance(value.value, One):
            ctx.report.error("E204", f"`{e.name}` does not apply to `{value.type}`", arg.span, help="it takes numbers")
            return None
        if found and found[0][0].unit is not value.type.unit:
            text = f"`{e.name}` of `{found[0][0].unit.value}` and `{value.type.unit.value}` makes no sense"
            ctx.report.error("E201", text, arg.span, help="all of them must be of one type")
            return None
        found.append((value.type, value.value.expr))
    return found


def _extreme(e: s.Call, ctx: Context, expected: SType | None) -> Typed:
    if len(e.args) < 2:
        return expr.wrong(ctx, "E202", f"`{e.name}` takes at least 2 values", e.span, f"write `{e.name}(a, b)`")
    found = _numbers(e, ctx, expected)
    if found is None:
        return WRONG
    type_, value = found[0]
    for other, b in found[1:]:
        value = arith(Op.MIN if e.name == "min" else Op.MAX, value, b)
        lows, highs = (type_.low, other.low), (type_.high, other.high)
        if e.name == "min":
            low = None if None in lows else min(n for n in lows if n is not None)
            high = min((n for n in highs if n is not None), default=None)
        else:
            low = max((n for n in lows if n is not None), default=None)
            high = None if None in highs else max(n for n in highs if n is not None)
        type_ = NumberT(type_.unit, low, high)
    return Typed(type_, One(value))


def _absolute(e: s.Call, ctx: Context, expected: SType | None) -> Typed:
    if len(e.args) != 1:
        return expr.wrong(ctx, "E202", "`abs` takes 1 value", e.span, "write `abs(a - b)`")
    found = _numbers(e, ctx, expected)
    if found is None:
        return WRONG
    ((type_, value),) = found
    if type_.unit is Unit.TIME:
        return expr.wrong(ctx, "E204", "`abs` does not apply to `Time`", e.span, "subtract two times first")
    low, high = type_.low, type_.high
    top = None if low is None or high is None else max(abs(low), abs(high))
    found_type = NumberT(type_.unit, max(low, 0) if low is not None else 0, top)
    return Typed(found_type, One(ite(lt(value, ZERO), sub(ZERO, value), value)))
