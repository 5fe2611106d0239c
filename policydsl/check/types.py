"""Type expressions to surface types, and constants to values: the part of a policy that no state is needed for."""

from __future__ import annotations

from policydsl import syntax as s
from policydsl.check import expr
from policydsl.check.scope import Context, World, suggest
from policydsl.check.surface import (
    BOOL_T,
    DURATION_T,
    ERROR_T,
    INT_T,
    STRING_T,
    TIME_T,
    EntityT,
    EnumT,
    ErrorT,
    MapT,
    NumberT,
    OptionT,
    RecordT,
    SetT,
    SType,
    Unit,
    domain,
)
from policydsl.check.values import WRONG, Members, Typed, Val, parts
from policydsl.core.expr import TRUE, Const
from policydsl.core.types import INT

BUILT_IN: dict[str, SType] = {
    "Bool": BOOL_T,
    "Int": INT_T,
    "Time": TIME_T,
    "Duration": DURATION_T,
    "String": STRING_T,
}


def resolve(type_: s.TypeExpr, world: World) -> SType:
    """The surface type that `type_` means; maps are for the types of state variables, see `resolve_state`."""
    match type_:
        case s.NamedType(name=name):
            return _named(name, type_, world)
        case s.RangeType():
            return _range(type_, world)
        case s.SetType(element=element):
            inner = resolve(element, world)
            if isinstance(inner, EntityT | ErrorT) or domain(inner):
                return SetT(inner) if not isinstance(inner, ErrorT) else ERROR_T
            text = f"a set of `{inner}` is not possible"
            world.report.error(
                "E206", text, element.span, help="sets hold cases of an enum, or individuals of an entity"
            )
            return ERROR_T
        case s.OptionType(value=value):
            inner = resolve(value, world)
            if isinstance(inner, OptionT | MapT) or (isinstance(inner, SetT) and isinstance(inner.element, EntityT)):
                world.report.error(
                    "E206", f"`{inner}` cannot be optional", type_.span, help="write `?` once, on a value"
                )
                return ERROR_T
            return OptionT(inner) if not isinstance(inner, ErrorT) else ERROR_T
        case s.MapTypeExpr():
            text = "a map is not possible here"
            world.report.error("E206", text, type_.span, help="only a state variable is a map")
            return ERROR_T


def resolve_state(type_: s.TypeExpr, world: World) -> tuple[tuple[SType, ...], SType]:
    """The keys and the value of the type of a state variable."""
    if not isinstance(type_, s.MapTypeExpr):
        return (), resolve(type_, world)
    keys = tuple(_key(k, world) for k in type_.keys)
    value = resolve(type_.value, world)
    return keys, ERROR_T if any(isinstance(k, ErrorT) for k in keys) else value


def _key(type_: s.TypeExpr, world: World) -> SType:
    found = resolve(type_, world)
    if isinstance(found, EntityT | ErrorT) or domain(found):
        return found
    text = f"`{found}` cannot be a key of a map"
    world.report.error("E206", text, type_.span, help="keys are individuals of an entity, or cases of an enum")
    return ERROR_T


def _named(name: str, type_: s.NamedType, world: World) -> SType:
    if name in BUILT_IN:
        return BUILT_IN[name]
    world.used.add(name)
    decl = world.declared.get(name)
    match decl:
        case s.EntityDecl():
            return world.entities[name]
        case s.EnumDecl():
            return world.enums[name]
        case s.RecordDecl():
            return _record(decl, type_, world)
        case None:
            known = [n for n, d in world.declared.items() if isinstance(d, s.EntityDecl | s.EnumDecl | s.RecordDecl)]
            help_ = suggest(name, [*BUILT_IN, *known]) or f"declare it: `entity {name}` or `enum {name} {{ ... }}`"
            world.report.error("E102", f"there is no type `{name}`", type_.span, help=help_)
        case _:
            text = f"`{name}` is not a type"
            world.report.error(
                "E102", text, type_.span, help="types are entities, enums, records and the built-in ones"
            )
    return ERROR_T


def _record(decl: s.RecordDecl, at: s.NamedType, world: World) -> SType:
    if decl.name in world.records:
        known = world.records[decl.name]
        if known is None:
            world.report.error("E410", f"the record `{decl.name}` contains itself", at.span, help="values are finite")
            return ERROR_T
        return known
    world.records[decl.name] = None
    fields: list[tuple[str, SType]] = []
    seen: set[str] = set()
    for part in decl.fields:
        if part.name in seen:
            world.report.error("E104", f"the field `{part.name}` is declared twice", part.span)
            continue
        seen.add(part.name)
        inner = resolve(part.type, world)
        if isinstance(inner, SetT) and isinstance(inner.element, EntityT):
            text = "a field cannot be a set of individuals"
            world.report.error("E206", text, part.type.span, help="make it a state variable of its own")
            inner = ERROR_T
        fields.append((part.name, inner))
    found = RecordT(decl.name, tuple(fields))
    world.records[decl.name] = found
    return found


def _range(type_: s.RangeType, world: World) -> SType:
    ctx = constants(world, "the bounds of a range")
    bounds = [expr.elaborate(e, ctx) for e in (type_.low, type_.high)]
    values: list[int] = []
    unit = Unit(type_.of)
    for bound, at in zip(bounds, (type_.low, type_.high), strict=True):
        if bound.wrong:
            return ERROR_T
        value = constant_of(bound.value)
        if not isinstance(bound.type, NumberT) or value is None:
            text = "the bounds of a range must be constant numbers"
            world.report.error("E207", text, at.span, help="write a number, or the name of a constant")
            return ERROR_T
        if bound.type.unit is not unit:
            text = f"the bounds of a range of `{unit.value}` are of type `{unit.value}`, not `{bound.type.unit.value}`"
            help_ = "durations have units, as in `Duration[1h..48h]`; numbers have none, as in `Int[1..48]`"
            world.report.error("E207", text, at.span, help=help_)
            return ERROR_T
        values.append(int(value.value))
    low, high = values
    if low > high:
        text = f"no {unit.noun} is between {unit.written(low)} and {unit.written(high)}"
        world.report.error("E207", text, type_.span, help="write the lower bound first")
        return ERROR_T
    return NumberT(unit, low, high)


def constants(world: World, place: str) -> Context:
    """Where only constants may be used."""
    return Context(world, place, None)


def constant_of(value: Val) -> Const | None:
    """The one constant that `value` is."""
    found = [e for _, e in parts(value)]
    return found[0] if len(found) == 1 and isinstance(found[0], Const) else None


def is_constant(value: Val) -> bool:
    return not isinstance(value, Members) and all(isinstance(e, Const) for _, e in parts(value))


def const_value(name: str, at: s.Expr, world: World) -> Typed:
    """The value of a declared constant."""
    if name in world.consts:
        known = world.consts[name]
        if known is None:
            text = f"the constant `{name}` is defined by itself"
            world.report.error("E208", text, at.span, help="constants may use each other, but not in a circle")
            return WRONG
        return known
    decl = world.declared[name]
    assert isinstance(decl, s.ConstDecl)
    world.consts[name] = None
    ctx = constants(world, "a constant")
    if decl.type is None:
        found = expr.elaborate(decl.value, ctx)
        if isinstance(found.type, MapT):
            found = WRONG
    else:
        type_ = resolve(decl.type, world)
        found = expr.check(decl.value, ctx, type_)
        in_range(found, type_, decl.value, world)
    if not found.wrong and not is_constant(found.value):
        help_ = "a constant is made of literals and other constants; what a deployment may choose is a `param`"
        world.report.error("E208", f"the value of `{name}` is not constant", decl.value.span, help=help_)
        found = WRONG
    world.consts[name] = found
    return found


def in_range(found: Typed, type_: SType, at: s.Expr, world: World, code: str = "E210") -> None:
    """Report a constant that is outside the range of `type_`."""
    value = None if found.wrong else constant_of(found.value)
    if isinstance(type_, OptionT):
        type_ = type_.value
        if not found.wrong and len(values := [e for _, e in parts(found.value)]) == 2 and values[0] is TRUE:
            value = values[1] if isinstance(values[1], Const) else None
    if value is None or not isinstance(type_, NumberT) or type(value.value) is not int:
        return
    if (type_.low is not None and value.value < type_.low) or (type_.high is not None and value.value > type_.high):
        text = f"{type_.unit.written(value.value)} is outside the range {type_.range_words}"
        world.report.error(code, text, at.span, help="widen the range or change the value")


def constant_int(e: s.Expr, ctx: Context, type_: SType, what: str, code: str) -> int | None:
    """The value of a constant number; anything else is reported as `code`."""
    found = expr.check(e, Context(ctx.world, what, None), type_)
    if found.wrong:
        return None
    value = constant_of(found.value)
    if value is None or type(value.value) is not int:
        ctx.report.error(code, f"{what} must be constant", e.span, help="write a literal, or the name of a constant")
        return None
    return value.value


def finite_values(type_: SType) -> tuple[Const, ...] | None:
    """All values of a type that a quantifier can spell out."""
    if isinstance(type_, EnumT) or type_ == BOOL_T:
        return tuple(c for _, c in domain(type_) or ())
    if isinstance(type_, NumberT) and type_.low is not None and type_.high is not None and type_.high - type_.low < 64:
        return tuple(Const(n, INT) for n in range(type_.low, type_.high + 1))
    return None
