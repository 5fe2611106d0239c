"""Actions, the rules on them and the assumptions about them to guarded parallel writes."""

from __future__ import annotations

from policydsl import syntax as s
from policydsl.check import expr, statements
from policydsl.check.rules import NOW_REF, Combined, combine, permit_guard, request_context
from policydsl.check.scope import ActionInfo, Context, World, select_actions
from policydsl.check.surface import NumberT, OptionT, RecordT, SType
from policydsl.check.values import Fields, Maybe, One, Val
from policydsl.core.expr import TRUE, Expr, Ref, Space, conj, implies, le, number
from policydsl.core.system import CLOCK, NOW, Action, Guard, GuardKind, Input, Write
from policydsl.core.types import INT

CLOCK_REF = Ref(CLOCK, INT, Space.STATE)


def actions(world: World, assumptions: tuple[s.PropertyDecl, ...]) -> tuple[Action, ...]:
    """All actions of the policy, without the writes of monitors."""
    combined = {name: Combined() for name in world.actions}
    ctx = Context(world, "a rule", None)
    for rule in world.rule_decls.values():
        combine(rule, ctx, combined)
    assumed: dict[str, list[Guard]] = {name: [] for name in world.actions}
    for assumption in assumptions:
        _assume(assumption, world, assumed)
    return tuple(_action(info, world, combined[name], assumed[name]) for name, info in world.actions.items())


def _assume(decl: s.PropertyDecl, world: World, into: dict[str, list[Guard]]) -> None:
    infos = tuple(world.actions.values())
    if decl.on:
        infos = select_actions(world, decl.on, f"the assumption `{decl.name}` is")
    for info in infos:
        ctx = request_context(info, Context(world, "an assumption", None))
        condition, _ = expr.boolean(decl.expr, ctx)
        reason = decl.because or f"assumption {decl.name}"
        # SOUND: proofs take this for granted of every request, so the enforcer asks it of every request.
        into[info.name].append(Guard(GuardKind.ASSUME, condition, reason, decl.name, decl.span))


def _action(info: ActionInfo, world: World, rules: Combined, assumed: list[Guard]) -> Action:
    decl = info.decl
    ctx = request_context(info, Context(world, "the action", None))
    guards, writes = statements.run(decl.body or (), ctx)
    first = [*_clock_guard(world), *_range_guards(info), *assumed]
    permit = permit_guard(info, rules)
    taken = {i.name for i in info.inputs}
    for added in rules.inputs:
        if added.name in taken:
            text = f"`{added.name}` is an input that an approve rule adds to `{info.name}`"
            world.report.error("E105", text, decl.name_span, help="choose another name")
    inputs = (*info.inputs, *rules.inputs)
    if world.timed:
        inputs = (*inputs, Input(NOW, INT, "the time of the request"))
        writes = (*writes, Write(CLOCK, (), NOW_REF, span=decl.span))
    return Action(
        name=decl.name,
        inputs=inputs,
        guards=(
            *first,
            *guards,
            *rules.forbids,
            *rules.limits,
            *((permit,) if permit is not None else ()),
            *rules.approvals,
        ),
        writes=writes,
        rules=tuple(rules.uses),
        obligations=tuple(rules.obligations),
        fair=decl.fair,
        doc=decl.doc,
        span=decl.span,
    )


def _clock_guard(world: World) -> tuple[Guard, ...]:
    if not world.timed:
        return ()
    return (Guard(GuardKind.ASSUME, le(CLOCK_REF, NOW_REF), "the clock went back"),)


def _range_guards(info: ActionInfo) -> list[Guard]:
    found: list[Guard] = []
    for param, (name, type_) in zip(info.decl.params, info.params, strict=False):
        condition = in_range(type_, info.locals[name].value)
        if condition is not TRUE:
            ranged = type_.range_words.replace(" to ", " and ") if isinstance(type_, NumberT) else ""
            bounds = f" between {ranged}" if ranged else " within its range"
            # SOUND: proofs take the ranges of inputs for granted, so the enforcer asks them of every request.
            found.append(Guard(GuardKind.ASSUME, condition, f"{name} must be{bounds}", span=param.span))
    return found


def in_range(type_: SType, value: Val) -> Expr:
    """That all numbers in `value` are within the ranges declared in `type_`."""
    match type_, value:
        case NumberT(low=low, high=high), One(expr=e):
            lower = TRUE if low is None else le(number(low), e)
            return conj(lower, TRUE if high is None else le(e, number(high)))
        case OptionT(value=inner), Maybe(has=has, value=held):
            return implies(has, in_range(inner, held))
        case RecordT(fields=types), Fields(items=items):
            return conj(*(in_range(t, v) for (_, t), (_, v) in zip(types, items, strict=True)))
        case _:
            return TRUE
