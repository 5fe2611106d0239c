"""What a test expects of an answer, to what it is compared with: rules and obligations of the actions asked."""

from __future__ import annotations

from policydsl import syntax as s
from policydsl.check import types
from policydsl.check.constants import constant
from policydsl.check.declare import BUILT_IN_OBLIGATIONS
from policydsl.check.scope import Context, suggest
from policydsl.check.surface import BOOL_T, DURATION_T, INT_T, STRING_T, EntityT, EnumT, SType
from policydsl.core.expr import Const, string
from policydsl.core.system import Action, Awaited, Effect, Obligation
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, StringType, Type
from policydsl.source import Span


def awaited(outcome: s.Outcome | None, actions: tuple[Action, ...], ctx: Context) -> Awaited | None:
    """`outcome` of a request of one of `actions`; what none of them can give is reported. Without actions, they are
    wrong."""
    if outcome is None or not actions:
        return None
    effect = Effect(outcome.effect)
    if outcome.by is not None:
        _check_rule(outcome.by, actions, ctx)
    given = [_given(call, effect, actions, ctx) for call in outcome.given]
    for name in outcome.spared:
        _known(name.name, name.span, [o for a in actions for o in a.obligations], actions, ctx)
    return Awaited(
        effect,
        outcome.by.name if outcome.by else "",
        outcome.reason or "",
        tuple(g for g in given if g is not None),
        tuple(name.name for name in outcome.spared),
    )


def _check_rule(rule: s.Name, actions: tuple[Action, ...], ctx: Context) -> None:
    on = {u.rule for a in actions for u in a.rules}
    on |= {g.rule for a in actions for g in a.guards if g.rule and "," not in g.rule}
    if rule.name not in on:
        text = f"there is no rule `{rule.name}` on {_of(actions)}"
        ctx.report.error("E107", text, rule.span, help=suggest(rule.name, on) or "leave out `by`, or name a rule")


def _of(actions: tuple[Action, ...]) -> str:
    return " or ".join(f"`{a.name}`" for a in actions)


def _given(
    call: s.ObligationCall, effect: Effect, actions: tuple[Action, ...], ctx: Context
) -> tuple[str, tuple[Const, ...]] | None:
    place = ctx.world.word(call.span, call.name)
    here = [o for a in actions for o in a.obligations if o.on is effect]
    if not _known(call.name, place, here, actions, ctx, effect):
        return None
    if call.name == "approve":
        help_ = "write `expect pending by rule`"
        ctx.report.error("E604", "that a human is asked is the answer itself", place, help=help_)
        return None
    if call.name == "redact":
        return _redacted(call, [o for o in here if o.name == "redact"], ctx)
    alike = [o for o in here if o.name == call.name and len(o.args) == len(call.args)]
    if not alike:
        first = next(o for o in here if o.name == call.name)
        text = f"`{call.name}` is given {len(first.args)} values, and not {len(call.args)}"
        ctx.report.error("E202", text, call.span, help="write those that the rule gives it")
        return None
    wanted = next((o for o in alike if all(map(_looks_like, call.args, (a.type for a in o.args)))), alike[0])
    found: list[Const] = []
    for arg, e in zip(call.args, wanted.args, strict=True):
        typed = constant(arg, _surface(e.type, arg), ctx)
        value = None if typed is None else types.constant_of(typed.value)
        if value is None:
            return None
        found.append(value)
    return call.name, tuple(found)


def _known(
    name: str, place: Span, among: list[Obligation], actions: tuple[Action, ...], ctx: Context, on: Effect | None = None
) -> bool:
    """Whether a rule asks for `name`; else that is reported."""
    names = {o.name for o in among}
    if name in names:
        return True
    if name not in BUILT_IN_OBLIGATIONS and name not in ctx.world.obligations:
        text = f"there is no obligation `{name}`"
    else:
        when = f" when the answer is `{on.value}`" if on else ""
        text = f"no rule on {_of(actions)} asks for `{name}`{when}"
    asked = f"they ask for {', '.join(f'`{n}`' for n in sorted(names))}" if names else "leave it out"
    ctx.report.error("E112", text, place, help=suggest(name, names) or asked)
    return False


def _redacted(call: s.ObligationCall, here: list[Obligation], ctx: Context) -> tuple[str, tuple[Const, ...]] | None:
    """An input is named; what is replaced in it, and by what, is said by the rule."""
    inputs = {str(o.args[0].value) for o in here if isinstance(o.args[0], Const)}
    match call.args:
        case (s.Name(name=name),) if name in inputs:
            return "redact", (string(name),)
    help_ = f"write `redact({min(inputs, default='text')})`"
    ctx.report.error("E604", "`redact` names the input in which something is replaced", call.span, help=help_)
    return None


def _looks_like(arg: s.Expr, type_: Type) -> bool:
    """Whether what is written is probably of this type."""
    match arg:
        case s.StrLit():
            return isinstance(type_, StringType)
        case s.IntLit() | s.DurationLit():
            return isinstance(type_, IntType)
        case s.BoolLit():
            return isinstance(type_, BoolType)
        case s.Name():
            return isinstance(type_, EntityType | EnumType)
        case _:
            return True


def _surface(type_: Type, arg: s.Expr) -> SType:
    match type_:
        case EntityType():
            return EntityT(type_)
        case EnumType():
            return EnumT(type_)
        case BoolType():
            return BOOL_T
        case StringType():
            return STRING_T
        case _:
            return DURATION_T if isinstance(arg, s.DurationLit) else INT_T
