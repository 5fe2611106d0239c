"""Declarations to a `World`: every name once, every type resolved, parameters, state and signatures of actions."""

from __future__ import annotations

from collections.abc import Iterable

from policydsl import syntax as s
from policydsl.check import expr, types
from policydsl.check.functions import check_function
from policydsl.check.places import all_leaves, variants
from policydsl.check.scope import RESERVED, ActionInfo, Context, StateInfo, World, suggest
from policydsl.check.strings import valid
from policydsl.check.surface import (
    ERROR_T,
    EntityT,
    EnumT,
    ErrorT,
    NumberT,
    OptionT,
    RecordT,
    SetT,
    SType,
    fits,
    scalar_type,
)
from policydsl.check.values import Local, Members, One, Typed, build, leaves, parts
from policydsl.check.written import written
from policydsl.core.expr import FALSE, Const, Expr, Ref, Space
from policydsl.core.system import Input, Origin, Param, StateVar
from policydsl.core.types import BOOL, EntityType, EnumType, Scalar
from policydsl.diagnostics import Label
from policydsl.source import Span

BUILT_IN_OBLIGATIONS = ("approve", "redact", "quarantine", "notify", "log", "alert")


def declare(decls: tuple[s.Decl, ...], world: World) -> None:
    """Fill `world` with what `decls` declare."""
    rules: dict[str, s.Declaration] = {}
    properties: dict[str, s.Declaration] = {}
    obligations: dict[str, s.Declaration] = {}
    phases: dict[str, s.Declaration] = {}
    names: dict[str, s.Declaration] = {}
    for decl in decls:
        match decl:
            case s.Import() | s.TestDecl():
                pass
            case s.RuleDecl():
                if _new(decl, decl.name, rules, world):
                    world.rule_decls[decl.name] = decl
            case s.PropertyDecl():
                _new(decl, decl.name, properties, world)
            case s.AllowDecl():
                world.allowances.append(decl)
            case s.PhasesDecl():
                if _new(decl, decl.name, phases, world):
                    world.phases[decl.name] = decl
            case s.ObligationDecl():
                if decl.name in BUILT_IN_OBLIGATIONS:
                    text = f"the obligation `{decl.name}` is built in"
                    world.report.error("E105", text, decl.name_span, help="use it without declaring it")
                elif _new(decl, decl.name, obligations, world):
                    world.obligations[decl.name] = decl
            case _:
                if _free(decl.name, decl.name_span, world) and _new(decl, decl.name, names, world):
                    world.declared[decl.name] = decl
    known = tuple(world.declared.values())
    _nominal_types(known, world)
    _groups(known, world)
    for decl in known:
        match decl:
            case s.RecordDecl(name=name):
                types.resolve(s.NamedType(name, span=decl.name_span), world)
                world.used.discard(name)
            case s.ConstDecl(name=name):
                types.const_value(name, decl.value, world)
            case s.ParamDecl():
                _param(decl, world)
            case s.StateDecl():
                keys, type_ = types.resolve_state(decl.type, world)
                world.states[decl.name] = StateInfo(decl.name, keys, type_, decl)
            case s.PatternDecl():
                valid(decl.regex, decl.span, Context(world, "a pattern", None))
            case _:
                pass
    for decl in known:
        if isinstance(decl, s.ActionDecl):
            _action(decl, world)
    for decl in known:
        if isinstance(decl, s.FunctionDecl):
            check_function(decl, world)


def _new(decl: s.Declaration, name: str, among: dict[str, s.Declaration], world: World) -> bool:
    first = among.setdefault(name, decl)
    if first is decl:
        return True
    text = f"`{name}` is declared twice"
    labels = (Label(first.name_span, "first declared here"),)
    world.report.error("E104", text, decl.name_span, labels=labels, help="give one of them another name")
    return False


def _free(name: str, span: Span, world: World) -> bool:
    if name in RESERVED:
        at = world.word(span, name)
        world.report.error("E105", f"`{name}` is {RESERVED[name]}", at, help="choose another name")
    return name not in RESERVED


def _nominal_types(known: Iterable[s.Decl], world: World) -> None:
    for decl in known:
        match decl:
            case s.EntityDecl(name=name, individuals=individuals):
                world.entities[name] = EntityT(EntityType(name))
                for one in _distinct(individuals, world, f"the individual of `{name}`"):
                    world.individuals.setdefault(one, []).append(world.entities[name])
            case s.EnumDecl(name=name, cases=cases):
                labels = _distinct(cases, world, f"the case of `{name}`")
                if not labels:
                    world.report.error(
                        "E410", f"the enum `{name}` has no cases", decl.name_span, help="name at least one"
                    )
                    labels = ("?",)
                world.enums[name] = EnumT(EnumType(name, labels))
                for label in labels:
                    world.cases.setdefault(label, []).append(world.enums[name])
            case _:
                pass


def _distinct(names: tuple[s.Name, ...], world: World, what: str) -> tuple[str, ...]:
    seen: dict[str, s.Name] = {}
    for one in names:
        if one.name in seen:
            text = f"{what} `{one.name}` is declared twice"
            labels = (Label(seen[one.name].span, "first declared here"),)
            world.report.error("E104", text, one.span, labels=labels, help="remove one of them")
        else:
            seen[one.name] = one
    return tuple(seen)


def _groups(known: Iterable[s.Decl], world: World) -> None:
    decls = {d.name: d for d in known if isinstance(d, s.GroupDecl)}
    for decl in decls.values():
        sort = world.entities.get(decl.entity)
        if sort is None:
            help_ = suggest(decl.entity, world.entities) or f"declare it: `entity {decl.entity}`"
            at = world.word(decl.span, decl.entity, last=True)
            world.report.error("E102", f"there is no entity `{decl.entity}`", at, help=help_)
            sort = EntityT(EntityType(decl.entity))
        world.used.add(decl.entity)
        world.groups[decl.name] = sort
    children: dict[str, list[str]] = {name: [] for name in decls}
    for decl in decls.values():
        for parent in decl.parents:
            if parent.name not in decls:
                help_ = suggest(parent.name, decls) or "declare it with `group`"
                world.report.error("E101", f"there is no group `{parent.name}`", parent.span, help=help_)
            elif world.groups[parent.name] != world.groups[decl.name]:
                text = f"`{parent.name}` is a group of `{world.groups[parent.name]}`, not of `{decl.entity}`"
                world.report.error("E201", text, parent.span, help="a group lies within groups of the same entity")
            else:
                children[parent.name].append(decl.name)
    for name, decl in decls.items():
        world.inside[name] = _reach(name, children)
        if any(name in _reach(child, children) for child in children[name]):
            text = f"the group `{name}` is inside itself"
            world.report.error("E409", text, decl.name_span, help="remove one of the `in`")


def _reach(name: str, children: dict[str, list[str]]) -> tuple[str, ...]:
    found = {name: None}
    todo = [name]
    while todo:
        for child in children[todo.pop()]:
            if child not in found:
                found[child] = None
                todo.append(child)
    return tuple(found)


def _param(decl: s.ParamDecl, world: World) -> None:
    type_ = types.resolve(decl.type, world)
    value = expr.check(decl.value, types.constants(world, "the default of a parameter"), type_)
    scalar = scalar_type(type_)
    if isinstance(type_, ErrorT) or value.wrong:
        return
    if scalar is None or isinstance(type_, EntityT):
        text = f"a parameter cannot be `{type_}`"
        world.report.error("E206", text, decl.type.span, help="parameters are numbers, truths, enums or strings")
        return
    constant = types.constant_of(value.value)
    if constant is None:
        world.report.error(
            "E208", "the default of a parameter must be constant", decl.value.span, help="write a literal"
        )
        return
    types.in_range(value, type_, decl.value, world)
    low, high = (type_.low, type_.high) if isinstance(type_, NumberT) else (None, None)
    world.params[decl.name] = (Param(decl.name, scalar, constant, low, high, decl.doc, decl.span), type_)


def _action(decl: s.ActionDecl, world: World) -> None:
    seen: dict[str, s.Binder] = {}
    params: list[tuple[str, SType]] = []
    inputs: list[Input] = []
    bound: dict[str, Local] = {}
    for param in decl.params:
        if param.name in seen:
            labels = (Label(seen[param.name].span, "first declared here"),)
            text = f"the input `{param.name}` is declared twice"
            world.report.error("E104", text, param.span, labels=labels, help="give one of them another name")
            continue
        seen[param.name] = param
        type_ = types.resolve(param.type, world)
        if isinstance(type_, SetT) and isinstance(type_.element, EntityT):
            text = "an input cannot be a set of individuals"
            help_ = "pass them one at a time, or keep the set in the state"
            world.report.error("E206", text, param.type.span, help=help_)
            type_ = ERROR_T
        if not _free(param.name, param.span, world):
            type_ = ERROR_T
        if param.name in world.declared:
            expr.shadow(param.name, param.span, Context(world, "an action", None))
        params.append((param.name, type_))
        inputs += [Input(leaf.name, leaf.type) for leaf in leaves(param.name, type_)]
        bound[param.name] = Local(type_, build(param.name, type_, _input), param.span)
    world.actions[decl.name] = ActionInfo(decl, tuple(params), tuple(inputs), bound)


def _input(name: str, _keys: tuple[Expr, ...], scalar: Scalar) -> Expr:
    return Ref(name, scalar, Space.INPUT)


def state_variables(world: World) -> tuple[StateVar, ...]:
    """The state of the core: declared variables, then groups; the clock is not among them."""
    found: list[StateVar] = []
    for info in world.states.values():
        assert isinstance(info.decl, s.StateDecl)
        decl = info.decl
        if isinstance(info.type, ErrorT):
            continue
        initial = _initial(info, decl, world)
        if initial is None:
            continue
        shown = written(info)
        for leaf in all_leaves(info):
            init = initial.get(leaf.name) if decl.init is not None else None
            text = shown[leaf.name]
            found.append(StateVar(leaf.name, leaf.keys, leaf.type, init, Origin.DECLARED, decl.doc, decl.span, text))
    for name, sort in world.groups.items():
        group = world.declared[name]
        assert isinstance(group, s.GroupDecl)
        found.append(StateVar(name, (sort.core,), BOOL, None, Origin.GROUP, group.doc, group.span))
    return tuple(found)


def _initial(info: StateInfo, decl: s.StateDecl, world: World) -> dict[str, Expr] | None:
    """The initial value of each leaf; None when it is wrong."""
    if decl.init is None:
        if ranged(info.type):
            text = f"`{decl.name}` may start outside its range"
            help_ = "give it an initial value, or leave the range out and state it as an `invariant`"
            world.report.error("E412", text, decl.name_span, help=help_)
        return {}
    ctx = Context(world, "an initial value", None)
    found = initial_value(decl.init, info.type, ctx)
    if found.wrong:
        return None
    types.in_range(found, info.type, decl.init, world)
    if isinstance(found.value, Members):
        if isinstance(decl.init, s.SetLit) and not decl.init.elements:
            return {leaf.name: FALSE for leaf in all_leaves(info)}
        text = "a set of individuals starts empty"
        world.report.error("E412", text, decl.init.span, help="write `= {}` or, for any initial value, `= any`")
        return None
    values = dict(parts(found.value))
    for e in values.values():
        if not isinstance(e, Const | Ref):
            text = "an initial value must be constant"
            world.report.error("E208", text, decl.init.span, help="write a literal, a constant or a parameter")
            return None
    return {
        info.name + variant.suffix + suffix: value for variant in variants(info) for suffix, value in values.items()
    }


def initial_value(e: s.Expr, type_: SType, ctx: Context) -> Typed:
    """An initial value, which may also be one parameter."""
    if isinstance(e, s.Name) and e.name in ctx.world.params:
        ctx.world.used.add(e.name)
        param, found = ctx.world.params[e.name]
        if isinstance(type_, NumberT) and isinstance(found, NumberT) and fits(found, type_):
            for bound, wanted, sign in ((found.low, type_.low, 1), (found.high, type_.high, -1)):
                if wanted is not None and (bound is None or bound * sign < wanted * sign):
                    text = f"the parameter `{e.name}` may be outside the range of `{type_}`"
                    ctx.report.error("E210", text, e.span, help="give the parameter a range within it")
        return expr.coerce(Typed(found, One(param.ref)), type_, ctx, e.span)
    return expr.check(e, ctx, type_)


def ranged(type_: SType) -> bool:
    """Whether some number in `type_` has a declared range."""
    match type_:
        case NumberT(low=low, high=high):
            return low is not None or high is not None
        case OptionT(value=value):
            return ranged(value)
        case RecordT(fields=fields):
            return any(ranged(t) for _, t in fields)
        case _:
            return False
