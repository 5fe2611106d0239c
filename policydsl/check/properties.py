"""Properties to closed core formulas: over one state, over one request, or over a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace

from policydsl import syntax as s
from policydsl.check import expr, places, types
from policydsl.check.actions import CLOCK_REF, in_range
from policydsl.check.rigid import rigid
from policydsl.check.rules import NOW_REF, request_context
from policydsl.check.scope import ActionInfo, Context, World, read_next, read_state, select_actions, suggest
from policydsl.check.surface import BOOL_T, ERROR_T, TIME_T, EntityT, ErrorT
from policydsl.check.values import BAD, Leaf, Local, One
from policydsl.core.expr import FALSE, TRUE, Expr, Ref, Space, conj, eq, forall, implies, negate, refs, select
from policydsl.core.system import NOW, Action, Expected, GuardKind, Property, PropertyKind, StateVar
from policydsl.core.types import BOOL, INT

_STATE_KINDS = {
    "invariant": PropertyKind.INVARIANT,
    "lemma": PropertyKind.LEMMA,
    "reachable": PropertyKind.REACHABLE,
}


def properties(decls: tuple[s.PropertyDecl, ...], actions: tuple[Action, ...], world: World) -> tuple[Property, ...]:
    """The properties of `decls`, except assumptions, which are guards by now."""
    by_name = {a.name: a for a in actions}
    found: list[Property] = []
    for decl in decls:
        match decl.kind:
            case "invariant" | "lemma" | "reachable":
                found.append(_state_property(decl, world))
            case "assert":
                found += _assert(decl, by_name, world)
            case "step":
                found += _step(decl, world)
            case "eventually":
                found += _leads_to(decl, world)
            case _:
                pass
    return tuple(found)


def _make(decl: s.PropertyDecl, kind: PropertyKind, e: Expr, *, action: str = "", name: str = "") -> Property:
    return Property(
        name=name or decl.name,
        kind=kind,
        expr=e,
        action=action,
        expected=Expected(decl.expected),
        because=decl.because,
        doc=decl.doc,
        span=decl.span,
    )


def state_context(world: World, place: str) -> Context:
    """Where one state is looked at, by itself."""
    return Context(world, place, read_state, past=CLOCK_REF)


def _state_property(decl: s.PropertyDecl, world: World) -> Property:
    article = "an" if decl.kind == "invariant" else "a"
    ctx = state_context(world, f"{article} {decl.kind}" + (" property" if decl.kind == "reachable" else ""))
    if decl.on:
        text = f"{article} `{decl.kind}` is about all states, not about actions"
        help_ = "leave out `on`, or make it an `assert` or a `step` property"
        world.report.error("E413", text, decl.on[0].span, help=help_)
    return _make(decl, _STATE_KINDS[decl.kind], expr.boolean(decl.expr, ctx)[0])


def _leads_to(decl: s.PropertyDecl, world: World) -> Iterator[Property]:
    ctx = state_context(world, "an `eventually`")
    for binder in decl.binders:
        type_ = types.resolve(binder.type, world)
        expr.shadow(binder.name, binder.span, ctx)
        if isinstance(type_, EntityT):
            bound = world.fresh(binder.name, type_.core)
            ctx = ctx.bind({binder.name: Local(type_, One(bound), binder.span)})
        else:
            if not isinstance(type_, ErrorT):
                text = f"`{binder.name}` must be an individual, not `{type_}`"
                help_ = "quantify over an entity; write one `eventually` for each value of an enum"
                world.report.error("E305", text, binder.span, help=help_)
            ctx = ctx.bind({binder.name: Local(ERROR_T, BAD, binder.span)})
    condition, found = expr.boolean(decl.expr, ctx)
    if decl.goal is None:
        text = f"`{decl.name}` does not say what it leads to"
        world.report.error("E413", text, decl.name_span, help="write `eventually n: e leads to goal`")
        return
    # SOUND: the goal is about a later state, so it knows who was named before, and nothing that was true then.
    names, meant = rigid(found.yes, world)
    goal, _ = expr.boolean(decl.goal, ctx.bind(names))
    used = [r for r in refs(goal) if r in meant]
    for r in used:
        if r.space is not Space.BOUND:
            text = (
                f"`{r.name}` is what it is where the condition holds, and may be something else by the time of the goal"
            )
            help_ = "only individuals are followed; compare it with each value in turn, or read it again in the goal"
            world.report.error("E555", text, world.word(decl.goal.span, r.name), help=help_)
    links = [eq(meant[r], r) for r in used]
    yield replace(_make(decl, PropertyKind.LEADS_TO, conj(condition, *links)), goal=goal)


def _step(decl: s.PropertyDecl, world: World) -> Iterator[Property]:
    ctx = Context(world, "a step property", read_next, old=read_state, now=NOW_REF, past=CLOCK_REF)
    if not decl.on:
        yield _make(decl, PropertyKind.STEP, expr.boolean(decl.expr, ctx)[0])
        return
    infos = select_actions(world, decl.on, f"the property `{decl.name}` is")
    for info in infos:
        inner = replace(ctx, place=f"a step of `{info.name}`", locals=info.locals)
        name = decl.name if len(infos) == 1 else f"{decl.name}@{info.name}"
        yield _make(decl, PropertyKind.STEP, expr.boolean(decl.expr, inner)[0], action=info.name, name=name)


def _assert(decl: s.PropertyDecl, actions: dict[str, Action], world: World) -> Iterator[Property]:
    infos = _asserted(decl, world)
    for info in infos:
        action = actions[info.name]
        ctx = request_context(info, Context(world, "an assert", None))
        ctx = replace(ctx, rule=_rule_conditions(action, world)).bind(_decisions(action)).bind(_approvals(action, info))
        match decl.overrides:
            case s.Binary(left=winner, right=loser):
                both = conj(expr.boolean(winner, ctx)[0], expr.boolean(loser, ctx)[0])
                condition = implies(both, negate(action.allowed))
            case _:
                condition, _ = expr.boolean(decl.expr, ctx)
        name = decl.name if len(infos) == 1 else f"{decl.name}@{info.name}"
        yield _make(decl, PropertyKind.ASSERT, condition, action=info.name, name=name)


def _asserted(decl: s.PropertyDecl, world: World) -> tuple[ActionInfo, ...]:
    """The actions that an assert is about: those named, else those that all of its rules are on, else all."""
    if decl.on:
        return select_actions(world, decl.on, f"the property `{decl.name}` is")
    found = dict(world.actions)
    mentioned = [*nodes(decl.expr, s.RuleMatches), *nodes(decl.overrides, s.RuleMatches)]
    for rule in mentioned:
        known = _rule_named(rule, world)
        if known is None:
            return ()
        on = {i.name for i in select_actions(world, known.on, f"the rule `{known.name}` is")}
        found = {name: info for name, info in found.items() if name in on}
    if mentioned and not found:
        text = f"no action has all the rules that `{decl.name}` speaks of"
        world.report.error("E417", text, decl.span, help="compare rules that are on one action")
    return tuple(found.values())


def _rule_named(e: s.RuleMatches, world: World) -> s.RuleDecl | None:
    known = world.rule_decls.get(e.rule)
    if known is None:
        help_ = suggest(e.rule, world.rule_decls) or "declare it"
        world.report.error("E107", f"there is no rule `{e.rule}`", e.span, help=help_)
    elif known.effect != e.effect:
        text = f"`{e.rule}` is a {known.effect} rule"
        world.report.error("E107", text, e.span, help=f"write `{known.effect} {e.rule}`")
        return None
    return known


def _rule_conditions(action: Action, world: World) -> Callable[[s.RuleMatches], Expr | None]:
    def condition(e: s.RuleMatches) -> Expr | None:
        if _rule_named(e, world) is None:
            return None
        return next((u.condition for u in action.rules if u.rule == e.rule), FALSE)

    return condition


def _decisions(action: Action) -> dict[str, Local]:
    settled = conj(*(g.expr for g in action.guards if g.kind is not GuardKind.APPROVE))
    pending = conj(settled, negate(action.allowed))
    values = {"allowed": action.allowed, "pending": pending, "denied": negate(settled)}
    return {name: Local(BOOL_T, One(value)) for name, value in values.items()}


def _approvals(action: Action, info: ActionInfo) -> dict[str, Local]:
    """The inputs that approve rules add."""
    declared = {i.name for i in info.inputs}
    added = [i for i in action.inputs if i.name not in declared and i.name != NOW]
    return {i.name: Local(BOOL_T if i.type == BOOL else TIME_T, One(i.ref)) for i in added}


def nodes(root: object, wanted: type[s.RuleMatches]) -> Iterator[s.RuleMatches]:
    """All nodes of one class in a piece of syntax."""
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, wanted):
            yield node
        if isinstance(node, tuple):
            todo += reversed(node)
        elif is_dataclass(node):
            todo += [getattr(node, f.name) for f in reversed(fields(node)) if f.name != "span"]


def range_invariants(state: tuple[StateVar, ...], claimed: tuple[Property, ...], world: World) -> tuple[Property, ...]:
    """Every cell of a ranged type stays in its range, a theorem to prove like any other.

    The names of these are no others' than theirs; one that a property of `claimed` has is reported.
    """
    known = {v.name: v for v in state}
    ranged: dict[str, tuple[StateVar, Leaf, Expr]] = {}
    for info in world.states.values():
        for leaf in places.all_leaves(info):
            var = known.get(leaf.name)
            if var is not None and var.type == INT and (bounds := _bounds(leaf, var, known, world)) is not TRUE:
                option = leaf.name.removesuffix(".value")
                ranged[option if f"{option}.has" in known else leaf.name] = (var, leaf, bounds)
    plain = Counter(shown.replace(".", "_") for shown in ranged)
    taken = {p.name: p for p in claimed}
    found: list[Property] = []
    for shown, (var, leaf, bounds) in ranged.items():
        # SOUND: verdicts go by name. Where `a.b` stands beside `a_b` it keeps its dot, which no declared name has.
        name = f"range_of_{shown if plain[shown.replace('.', '_')] > 1 else shown.replace('.', '_')}"
        if name in taken:
            text = f"`{name}` is the name of what is proved of `{shown}` anyway: that it stays in its range"
            span = world.word(taken[name].span, name)
            world.report.error("E105", text, span, help="choose another name, or leave the property out")
        doc = f"`{leaf.name}` stays in its declared range."
        found.append(Property(name, PropertyKind.INVARIANT, bounds, doc=doc, span=var.span))
    return tuple(found)


def _bounds(leaf: Leaf, var: StateVar, known: dict[str, StateVar], world: World) -> Expr:
    keys: list[Ref] = [world.fresh(k.name.lower(), k) for k in var.keys]
    condition = in_range(leaf.surface, One(select(var.ref, *keys)))
    parts = leaf.name.split(".")
    for nth in reversed([n for n, part in enumerate(parts) if part == "value"]):
        held = known.get(".".join((*parts[:nth], "has")))
        if held is not None and condition is not TRUE:
            condition = implies(select(held.ref, *keys), condition)
    for key in reversed(keys):
        condition = forall(key, condition)
    return condition
