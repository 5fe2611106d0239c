"""Test blocks to concrete runs with expectations: every input and every cell becomes a constant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from policydsl import syntax as s
from policydsl.check import expr, places, types
from policydsl.check.scope import Context, World, read_state, suggest
from policydsl.check.surface import TIME_T, EntityT, ErrorT, SetT, SType
from policydsl.check.values import Cases, Members, Typed, Val, default_const, leaves, parts
from policydsl.core.expr import FALSE, TRUE, Const, Expr, number
from policydsl.core.system import CLOCK, NOW, Action, Effect, Given, Test, TestCheck, TestStep
from policydsl.source import Span

_ANSWERS = {
    **dict.fromkeys(("allowed", "permit", "permitted", "ok"), "allow"),
    **dict.fromkeys(("denied", "forbid", "forbidden", "error"), "deny"),
}
"""What is written for an answer by those who come from elsewhere."""


@dataclass(slots=True)
class _Run:
    params: dict[str, Const] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)
    steps: list[TestStep | TestCheck] = field(default_factory=list)
    now: int = 0


def tests(decls: tuple[s.TestDecl, ...], actions: tuple[Action, ...], world: World) -> tuple[Test, ...]:
    by_name = {a.name: a for a in actions}
    return tuple(_test(decl, by_name, world) for decl in decls)


def _test(decl: s.TestDecl, actions: dict[str, Action], world: World) -> Test:
    run = _Run()
    ctx = Context(world, "a test", read_state, test=True, names_individuals=True)
    for step in decl.body:
        match step:
            case s.GivenStmt():
                if run.steps:
                    text = "`given` after a request"
                    world.report.error("E604", text, step.span, help="`given` describes the state before the first one")
                _given(step, ctx, run)
            case s.TestAction():
                _request(step, ctx, run, actions)
            case s.TestExpect(expr=e):
                if isinstance(e, s.Name) and e.name in ("allow", "deny", "pending"):
                    text = f"`expect {e.name}` belongs to a request"
                    world.report.error("E604", text, step.span, help="write it after the request, on the same line")
                    continue
                if isinstance(e, s.Name) and e.name in _ANSWERS and e.name not in world.declared:
                    text = f"`{e.name}` is not an answer"
                    world.report.error("E604", text, step.span, help=f"write `expect {_ANSWERS[e.name]}`")
                    continue
                condition, _ = expr.boolean(e, ctx)
                run.steps.append(TestCheck(condition, world.text(e.span), step.span))
    return Test(decl.name, tuple(run.params.items()), tuple(run.given), tuple(run.steps), decl.span)


def _given(step: s.GivenStmt, ctx: Context, run: _Run) -> None:
    target, value = step.target, step.value
    if value is None:
        match target:
            case s.Unary(op="not", arg=s.Binary(op="in", left=left, right=right)):
                _given_member(left, right, FALSE, ctx, run)
            case s.Binary(op="in", left=left, right=right):
                _given_member(left, right, TRUE, ctx, run)
            case s.Binary(op="==", left=left, right=right):
                _given_value(left, right, step, ctx, run)
            case s.Unary(op="not", arg=arg):
                _given_value(arg, s.BoolLit(False, span=arg.span), step, ctx, run)
            case _:
                _given_value(target, s.BoolLit(True, span=target.span), step, ctx, run)
    else:
        _given_value(target, value, step, ctx, run)


def _given_value(target: s.Expr, value: s.Expr, step: s.GivenStmt, ctx: Context, run: _Run) -> None:
    world = ctx.world
    if isinstance(target, s.Name) and target.name in world.params:
        param, type_ = world.params[target.name]
        found = _constant(value, type_, ctx)
        if found is not None:
            types.in_range(found, type_, value, world)
            chosen = types.constant_of(found.value)
            if chosen is not None:
                run.params[param.name] = chosen
        return
    if isinstance(target, s.Name) and target.name == CLOCK:
        found = _constant(value, TIME_T, ctx)
        chosen = None if found is None else types.constant_of(found.value)
        if chosen is not None:
            run.given.append(Given(CLOCK, (), chosen))
        return
    if isinstance(target, s.Name) and isinstance(world.declared.get(target.name), s.ParamDecl):
        return  # its declaration is wrong
    written = set(world.written)
    place = places.place(target, ctx)
    world.written = written
    if place is None or isinstance(place.type, ErrorT):
        return
    found = _constant(value, place.type, ctx)
    if found is None:
        return
    types.in_range(found, place.type, value, world)
    keys = _constants(place.keys, target.span, ctx)
    if keys is None:
        return
    if isinstance(found.value, Members):
        text = "a set of individuals is given one by one"
        ctx.report.error("E604", text, step.span, help="write `given x in s`")
        return
    _put(place, keys, found.value, run)


def _put(place: places.Place, keys: tuple[Const, ...], value: Val, run: _Run) -> None:
    own = tuple(k for k, t in zip(keys, place.info.keys, strict=True) if isinstance(t, EntityT))
    for variant in places.variants(place.info):
        if variant.chosen(keys) is TRUE:
            name = place.info.name + variant.suffix + place.path
            run.given += [Given(name + suffix, own, e) for suffix, e in parts(value) if isinstance(e, Const)]


def _given_member(left: s.Expr, right: s.Expr, inside: Const, ctx: Context, run: _Run) -> None:
    world = ctx.world
    if isinstance(right, s.Name) and right.name in world.groups:
        world.used.add(right.name)
        element = _constant(left, world.groups[right.name], ctx)
        one = None if element is None else types.constant_of(element.value)
        if one is not None:
            run.given.append(Given(right.name, (one,), inside))
        return
    written = set(world.written)
    place = places.place(right, ctx)
    world.written = written
    if place is None or isinstance(place.type, ErrorT):
        return
    if not isinstance(place.type, SetT):
        text = f"`{place.type}` is neither a set nor a group"
        ctx.report.error("E204", text, right.span, help="`given x in s` is for sets and groups")
        return
    element = _constant(left, place.type.element, ctx)
    keys = _constants(place.keys, right.span, ctx)
    one = None if element is None else types.constant_of(element.value)
    if one is None or keys is None:
        return
    if isinstance(place.type.element, EntityT):
        own = tuple(k for k, t in zip(keys, place.info.keys, strict=True) if isinstance(t, EntityT))
        for variant in places.variants(place.info):
            if variant.chosen(keys) is TRUE:
                run.given.append(Given(place.info.name + variant.suffix + place.path, (*own, one), inside))
    else:
        _put(place, keys, Cases(((one, inside),)), run)


def _constant(e: s.Expr, type_: SType, ctx: Context) -> Typed | None:
    """`e` as a constant; what is not one is reported."""
    found = expr.check(e, replace(ctx, now=None), type_)
    if found.wrong:
        return None
    if not isinstance(found.value, Members) and not types.is_constant(found.value):
        ctx.report.error("E604", "a test is made of constants", e.span, help="write the value itself")
        return None
    return found


def _constants(keys: tuple[Expr, ...], span: Span, ctx: Context) -> tuple[Const, ...] | None:
    found = tuple(k for k in keys if isinstance(k, Const))
    if len(found) < len(keys):
        ctx.report.error("E604", "a test is made of constants", span, help="name an individual")
        return None
    return found


def _request(step: s.TestAction, ctx: Context, run: _Run, actions: dict[str, Action]) -> None:
    world = ctx.world
    if step.at is not None:
        at = _constant(step.at, TIME_T, ctx)
        moment = None if at is None else types.constant_of(at.value)
        if moment is not None:
            run.now = int(moment.value)
        if not world.timed:
            text = "this time means nothing: no part of the policy depends on time"
            world.report.warn("W713", text, step.at.span, help="leave out `at`")
    info = world.actions.get(step.action)
    if info is None:
        help_ = suggest(step.action, world.actions) or "a test makes requests of declared actions"
        place = world.word(step.span, step.action)
        world.report.error("E106", f"there is no action `{step.action}`", place, help=help_)
        return
    if len(step.args) != len(info.params):
        names = ", ".join(n for n, _ in info.params)
        text = f"`{info.name}` has {len(info.params)} inputs, and {len(step.args)} are given"
        world.report.error("E202", text, step.span, help=f"write `{info.name}({names})`")
        return
    values: dict[str, Const] = {}
    for (name, type_), arg in zip(info.params, step.args, strict=True):
        found = _constant(arg, type_, ctx)
        if found is not None:
            values |= {name + suffix: e for suffix, e in parts(found.value) if isinstance(e, Const)}
    _rule_of(step, actions.get(info.name), world)
    if len(values) < sum(len(list(leaves(n, t))) for n, t in info.params):
        return
    inputs = actions[info.name].inputs if info.name in actions else info.inputs
    for each in inputs:
        values.setdefault(each.name, number(run.now) if each.name == NOW else default_const(each.type))
    ordered = tuple((i.name, values[i.name]) for i in inputs)
    effect = Effect(step.effect) if step.effect in {e.value for e in Effect} else None
    run.steps.append(TestStep(info.name, ordered, effect, step.by or "", step.reason or "", step.span))


def _rule_of(step: s.TestAction, action: Action | None, world: World) -> None:
    """Report an expected rule that is not on the action."""
    if step.by is None or action is None:
        return
    on = {u.rule for u in action.rules} | {g.rule for g in action.guards if g.rule and "," not in g.rule}
    if step.by not in on:
        text = f"there is no rule `{step.by}` on `{step.action}`"
        help_ = suggest(step.by, on) or "leave out `by`, or name a rule"
        world.report.error("E107", text, world.word(step.span, step.by, last=True), help=help_)
