"""Test blocks to concrete runs with expectations: every input and every cell becomes a constant."""

from __future__ import annotations

from dataclasses import dataclass, field

from policydsl import syntax as s
from policydsl.check import expr, places, types
from policydsl.check.awaited import awaited
from policydsl.check.constants import constant, constants
from policydsl.check.scope import Context, World, read_state, suggest
from policydsl.check.surface import TIME_T, EntityT, ErrorT, SetT
from policydsl.check.values import Cases, Members, Val, default_const, leaves, parts
from policydsl.core.expr import FALSE, TRUE, Const, number
from policydsl.core.system import CLOCK, NOW, Action, Given, Test, TestAnswer, TestCheck, TestStep

_ANSWERS = {
    **dict.fromkeys(("allowed", "permit", "permitted", "ok"), "allow"),
    **dict.fromkeys(("denied", "forbid", "forbidden", "error"), "deny"),
    **dict.fromkeys(("approve", "ask", "asked", "human"), "pending"),
}
"""What is written for an answer by those who come from elsewhere."""


@dataclass(slots=True)
class _Run:
    params: dict[str, Const] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)
    steps: list[TestStep | TestAnswer | TestCheck] = field(default_factory=list)
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
            case s.TestAnswer():
                _answer(step, ctx, run, actions)
            case s.TestExpect(expr=e):
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
        found = constant(value, type_, ctx)
        if found is not None:
            types.in_range(found, type_, value, world)
            chosen = types.constant_of(found.value)
            if chosen is not None:
                run.params[param.name] = chosen
        return
    if isinstance(target, s.Name) and target.name == CLOCK:
        found = constant(value, TIME_T, ctx)
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
    found = constant(value, place.type, ctx)
    if found is None:
        return
    types.in_range(found, place.type, value, world)
    keys = constants(place.keys, target.span, ctx)
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
        element = constant(left, world.groups[right.name], ctx)
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
    element = constant(left, place.type.element, ctx)
    keys = constants(place.keys, right.span, ctx)
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


def _request(step: s.TestAction, ctx: Context, run: _Run, actions: dict[str, Action]) -> None:
    world = ctx.world
    _at(step.at, ctx, run)
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
        found = constant(arg, type_, ctx)
        if found is not None:
            values |= {name + suffix: e for suffix, e in parts(found.value) if isinstance(e, Const)}
    action = actions.get(info.name)
    if len(values) < sum(len(list(leaves(n, t))) for n, t in info.params):
        return
    inputs = info.inputs if action is None else action.inputs
    for each in inputs:
        values.setdefault(each.name, number(run.now) if each.name == NOW else default_const(each.type))
    ordered = tuple((i.name, values[i.name]) for i in inputs)
    on = () if action is None else (action,)
    run.steps.append(TestStep(info.name, ordered, awaited(step.expected, on, ctx), step.span))


def _at(time: s.Expr | None, ctx: Context, run: _Run) -> None:
    if time is None:
        return
    at = constant(time, TIME_T, ctx)
    moment = None if at is None else types.constant_of(at.value)
    if moment is not None:
        run.now = int(moment.value)
    if not ctx.world.timed:
        text = "this time means nothing: no part of the policy depends on time"
        ctx.world.report.warn("W713", text, time.span, help="leave out `at`")


def _answer(step: s.TestAnswer, ctx: Context, run: _Run, actions: dict[str, Action]) -> None:
    _at(step.at, ctx, run)
    name = step.rule.name
    asking = tuple(a for a in actions.values() if any(u.rule == name and u.effect == "approve" for u in a.rules))
    if not asking:
        rules = {u.rule for a in actions.values() for u in a.rules if u.effect == "approve"}
        help_ = suggest(name, rules) or "a human answers what an `approve` rule asks"
        ctx.report.error("E107", f"there is no approve rule `{name}`", step.rule.span, help=help_)
        return
    run.steps.append(TestAnswer(name, step.approved, run.now, awaited(step.expected, asking, ctx), step.span))
