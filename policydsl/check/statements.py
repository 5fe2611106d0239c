"""Statements, one after the other, to guards and parallel writes over the state before the action."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from policydsl import syntax as s
from policydsl.check import expr, operators, places, types
from policydsl.check.places import Place
from policydsl.check.scope import Context, article
from policydsl.check.store import Store, assuming, merge, put, reader
from policydsl.check.surface import EntityT, ErrorT, MapT, SetT
from policydsl.check.values import WRONG, Cases, Local, Members, One, Typed, Val, parts
from policydsl.core.expr import FALSE, TRUE, Expr, Ref, conj, eq, implies, ite, negate, substitute, subterms, truth
from policydsl.core.system import Guard, GuardKind, Write
from policydsl.core.types import BOOL, EntityType
from policydsl.source import Span


@dataclass(slots=True)
class Body:
    """What the body of one action comes to. `bound` is the individual of the `for each` that is being read.

    NOTE(for-each): each assignment in a loop happens for all its individuals at once, in the order of the text. Which
    individuals it is for (`held`) is part of what is written: a branch that only some take must not look, to a later
    read of another individual's cell, as if all had taken it.
    """

    guards: list[Guard] = field(default_factory=list)
    bound: Ref | None = None
    held: Expr = TRUE


def run(body: tuple[s.Stmt, ...], ctx: Context) -> tuple[tuple[Guard, ...], tuple[Write, ...]]:
    """The `require`s of a body as guards, and its assignments as writes."""
    result = Body()
    store = _block(body, ctx, {}, TRUE, result)
    return tuple(result.guards), tuple(w for writes in store.values() for w in writes)


def _block(body: tuple[s.Stmt, ...], ctx: Context, store: Store, path: Expr, result: Body) -> Store:
    """`store` after `body`, which is reached when `path` holds."""
    for statement in body:
        ctx = replace(ctx, read=reader(store))
        match statement:
            case s.Require():
                ctx = _require(statement, ctx, store, path, result)
            case s.Let(name=name, value=value):
                found = expr.elaborate(value, ctx)
                if isinstance(found.type, MapT):
                    found = expr.coerce(found, WRONG.type, ctx, value.span)
                expr.shadow(name, statement.span, ctx)
                ctx = ctx.bind({name: Local(found.type, found.value, statement.span)})
            case s.Assign():
                store = _assign(statement, ctx, store, result)
            case s.AddTo():
                store = _add_to(statement, ctx, store, result)
            case s.If():
                store = _if(statement, ctx, store, path, result)
            case s.ForEach():
                store = _for_each(statement, ctx, store, path, result)
    return store


def _require(statement: s.Require, ctx: Context, store: Store, path: Expr, result: Body) -> Context:
    if result.bound is not None:
        text = "`require` cannot stand inside `for each`"
        help_ = "ask before the loop: `require forall b: Bot . ...`"
        ctx.report.error("E405", text, statement.span, help=help_)
    elif store:
        text = "`require` after an assignment"
        help_ = "put all requirements first: a request is decided before anything changes"
        ctx.report.error("E401", text, statement.span, help=help_)
    condition, found = expr.boolean(statement.condition, ctx)
    source = ctx.world.text(statement.condition.span)
    reason = statement.reason if statement.reason is not None else f"requires {source}" if source else "a requirement"
    guard = Guard(GuardKind.REQUIRE, implies(path, condition), reason, span=statement.span)
    result.guards.append(guard)
    return ctx.bind(found.yes).knowing(condition)


def _if(statement: s.If, ctx: Context, store: Store, path: Expr, result: Body) -> Store:
    condition, found = expr.boolean(statement.condition, ctx)
    otherwise = negate(condition)
    then_ctx, other_ctx = ctx.bind(found.yes).knowing(condition), ctx.bind(found.no).knowing(otherwise)
    if result.bound is not None:
        store = _held(condition, statement.then, then_ctx, store, path, result)
        return _held(otherwise, statement.other, other_ctx, store, path, result)
    then = _block(statement.then, then_ctx, store, conj(path, condition), result)
    other = _block(statement.other, other_ctx, store, conj(path, otherwise), result)
    return merge(condition, store, then, other)


def _held(condition: Expr, body: tuple[s.Stmt, ...], ctx: Context, store: Store, path: Expr, result: Body) -> Store:
    """`store` after `body` for those individuals of the loop of which `condition` holds."""
    before = result.held
    result.held = conj(before, condition)
    store = _block(body, ctx, store, path, result)
    result.held = before
    return store


def _for_each(statement: s.ForEach, ctx: Context, store: Store, path: Expr, result: Body) -> Store:
    binder = statement.binder
    type_ = types.resolve(binder.type, ctx.world)
    expr.shadow(binder.name, binder.span, ctx)
    values = types.finite_values(type_)
    if values is not None:
        for value in values:
            inner = replace(ctx, read=reader(store)).bind({binder.name: Local(type_, One(value), binder.span)})
            store = _where(statement, inner, store, path, result)
        return store
    if not isinstance(type_, EntityT):
        if not isinstance(type_, ErrorT):
            text = f"`for each` cannot range over `{type_}`"
            ctx.report.error("E305", text, binder.span, help="it ranges over an entity or an enum")
        return store
    if result.bound is not None:
        text = "`for each` inside `for each`"
        ctx.report.error("E403", text, statement.span, help="assign one map of one key at a time")
        return store
    result.bound = ctx.world.fresh(binder.name, type_.core)
    inner = ctx.bind({binder.name: Local(type_, One(result.bound), binder.span)})
    store = _where(statement, inner, store, path, result)
    result.bound = None
    return store


def _where(statement: s.ForEach, ctx: Context, store: Store, path: Expr, result: Body) -> Store:
    if statement.where is None:
        return _block(statement.body, ctx, store, path, result)
    condition, found = expr.boolean(statement.where, ctx)
    inner = ctx.bind(found.yes).knowing(condition)
    if result.bound is not None:
        return _held(condition, statement.body, inner, store, path, result)
    return merge(condition, store, _block(statement.body, inner, store, conj(path, condition), result), store)


def _assign(statement: s.Assign, ctx: Context, store: Store, result: Body) -> Store:
    place = places.place(statement.target, ctx)
    if place is None:
        expr.elaborate(statement.value, ctx)
        return store
    if statement.op == ":=":
        found = expr.check(statement.value, ctx, place.type)
    else:
        op = "+" if statement.op == "+=" else "-"
        if isinstance(place.type, SetT):
            word = "add" if op == "+" else "remove"
            text = f"`{statement.op}` does not apply to `{place.type}`"
            help_ = f"write `{word} x {'to' if op == '+' else 'from'} ...`"
            ctx.report.error("E204", text, statement.span, help=help_)
            return store
        both = s.Binary(op, statement.target, statement.value, span=statement.span)
        found = expr.coerce(operators.binary(both, ctx, place.type), place.type, ctx, statement.span)
    if found.wrong:
        return store
    types.in_range(found, place.type, statement.value, ctx.world)
    return _store(place, found.value, ctx, store, result, statement.target.span)


def _store(place: Place, value: Val, ctx: Context, store: Store, result: Body, span: Span) -> Store:
    """`store` after `place := value`."""
    if not _bound_once(places.individuals(place.info, place.keys), ctx, result, span):
        return store
    own, before = places.individuals(place.info, place.keys), reader(store)
    binders = () if result.bound is None else (result.bound,)
    for variant in places.variants(place.info):
        chosen = variant.chosen(place.keys)
        if chosen is FALSE:
            continue
        name = place.info.name + variant.suffix + place.path
        leaves: list[tuple[str, tuple[Expr, ...], Expr, tuple[Ref, ...]]]
        if isinstance(value, Members):
            if result.bound is not None:
                text = "a set of individuals cannot be assigned for each individual"
                ctx.report.error(
                    "E403", text, span, help="use `add x to ...` and `remove x from ...` inside `for each`"
                )
                return store
            element = ctx.world.fresh(value.element.name.lower(), value.element)
            leaves = [(name, (*own, element), value.contains(element), (*binders, element))]
        else:
            leaves = [(name + suffix, own, e, binders) for suffix, e in parts(value)]
        for leaf, keys, e, bound in leaves:
            sorts = tuple(k.type for k in keys if isinstance(k.type, EntityType))
            type_ = e.type
            assert not hasattr(type_, "keys"), "a cell holds a scalar"
            new = assuming(result.held, substitute(e, variant.known(place.keys, place.info)), True)
            new = ite(conj(result.held, chosen), new, before(leaf, sorts, type_, keys))
            store = put(store, Write(leaf, keys, new, bound, span))
    return store


def _bound_once(keys: tuple[Expr, ...], ctx: Context, result: Body, span: Span) -> bool:
    """Inside `for each b`, one key must be `b` and no other may depend on it."""
    bound = result.bound
    if bound is None:
        return True
    exact = [k for k in keys if k is bound]
    if len(exact) == 1 and all(k is bound or bound not in set(subterms(k)) for k in keys):
        return True
    called = bound.name.split("#")[0]
    text = f"inside `for each {called}`, what is assigned must have `{called}` as one of its keys, once"
    help_ = f"write `m[{called}] := ...`; what does not depend on `{called}` is assigned outside the loop"
    ctx.report.error("E402", text, span, help=help_)
    return False


def _add_to(statement: s.AddTo, ctx: Context, store: Store, result: Body) -> Store:
    inside = truth(statement.op == "add")
    target = statement.target
    if isinstance(target, s.Name) and target.name not in ctx.locals and target.name in ctx.world.groups:
        sort = ctx.world.groups[target.name]
        ctx.world.written.add(target.name)
        element = expr.scalar(statement.element, ctx, sort)
        if element is None or not _bound_once((element,), ctx, result, statement.span):
            return store
        binders = () if result.bound is None else (result.bound,)
        now = ite(result.held, inside, reader(store)(target.name, (sort.core,), BOOL, (element,)))
        return put(store, Write(target.name, (element,), now, binders, statement.span))
    place = places.place(target, ctx)
    if place is None or isinstance(place.type, ErrorT):
        return store
    if not isinstance(place.type, SetT):
        text = f"`{place.type}` is neither a set nor a group"
        ctx.report.error("E204", text, target.span, help=f"`{statement.op}` changes {article('set')} or a group")
        return store
    found = expr.check(statement.element, ctx, place.type.element)
    if not isinstance(found.value, One):
        return store
    return _change_set(place, found, inside, ctx, store, result, statement.span)


def _change_set(
    place: Place, element: Typed, inside: Expr, ctx: Context, store: Store, result: Body, span: Span
) -> Store:
    assert isinstance(place.type, SetT)
    assert isinstance(element.value, One)
    added = element.value.expr
    before = reader(store)
    if isinstance(place.type.element, EntityT):
        keys = (*places.individuals(place.info, place.keys), added)
        if not _bound_once(keys, ctx, result, span):
            return store
        binders = () if result.bound is None else (result.bound,)
        sorts = tuple(k.type for k in keys if isinstance(k.type, EntityType))
        for variant in places.variants(place.info):
            chosen = variant.chosen(place.keys)
            name = place.info.name + variant.suffix + place.path
            old = before(name, sorts, BOOL, keys)
            if chosen is not FALSE:
                now = ite(conj(result.held, chosen), inside, old)
                store = put(store, Write(name, keys, now, binders, span))
        return store
    current = places.read_cell(place.info, place.keys, before)
    for step in place.path.split(".")[1:]:
        current = dict(current.items)[step]  # type: ignore[union-attr]
    assert isinstance(current, Cases)
    changed = Cases(tuple((c, ite(eq(c, added), inside, e)) for c, e in current.members))
    return _store(place, changed, ctx, store, result, span)
