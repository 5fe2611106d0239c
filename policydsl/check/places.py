"""Cells of the state as authors name them: a variable, its keys, and perhaps a field of a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policydsl import syntax as s
from policydsl.check import expr
from policydsl.check.scope import Context, Reader, StateInfo, suggest
from policydsl.check.surface import ERROR_T, EntityT, ErrorT, MapT, RecordT, SType, domain, unranged
from policydsl.check.values import BAD, WRONG, Leaf, Typed, Val, build, choose, leaves
from policydsl.core.expr import Const, Expr, conj, eq, truth
from policydsl.core.types import EntityType


def sorts(info: StateInfo) -> tuple[EntityType, ...]:
    """The keys that are left in the core: individuals."""
    return tuple(k.core for k in info.keys if isinstance(k, EntityT))


@dataclass(frozen=True, slots=True)
class Variant:
    """One choice of the finite keys of a variable: the core names its cells apart by `suffix`."""

    suffix: str
    choice: tuple[Const | None, ...]  # None for an individual

    def chosen(self, keys: tuple[Expr, ...]) -> Expr:
        """When `keys` make this choice."""
        return conj(*(eq(k, c) for k, c in zip(keys, self.choice, strict=True) if c is not None))

    def known(self, keys: tuple[Expr, ...], info: StateInfo) -> dict[Expr, Expr]:
        """What is true and what is false where `keys` make this choice."""
        found: dict[Expr, Expr] = {}
        for key, choice, type_ in zip(keys, self.choice, info.keys, strict=True):
            if choice is not None and not isinstance(key, Const):
                for _, value in domain(type_) or ():
                    found[eq(key, value)] = truth(value is choice)
        return found


def variants(info: StateInfo) -> Iterator[Variant]:
    def go(rest: tuple[SType, ...]) -> Iterator[Variant]:
        if not rest:
            yield Variant("", ())
            return
        values = None if isinstance(rest[0], EntityT) else domain(rest[0])
        for label, value in values or ((None, None),):
            for tail in go(rest[1:]):
                yield Variant(f".{label}{tail.suffix}" if label else tail.suffix, (value, *tail.choice))

    return go(info.keys)


def individuals(info: StateInfo, keys: tuple[Expr, ...]) -> tuple[Expr, ...]:
    return tuple(e for e, k in zip(keys, info.keys, strict=True) if isinstance(k, EntityT))


def read_cell(info: StateInfo, keys: tuple[Expr, ...], read: Reader) -> Val:
    """The value of `info` at `keys`."""
    own, types = individuals(info, keys), sorts(info)
    found: Val = BAD
    for nth, variant in enumerate(reversed(tuple(variants(info)))):
        value = build(
            info.name + variant.suffix,
            info.type,
            lambda name, extra, scalar: read(
                name, (*types, *(e.type for e in extra if isinstance(e.type, EntityType))), scalar, (*own, *extra)
            ),
        )
        found = choose(variant.chosen(keys), value, found) if nth else value
    return found


def all_leaves(info: StateInfo) -> Iterator[Leaf]:
    """Every scalar variable of the core that `info` becomes, with all of its keys."""
    own = sorts(info)
    for variant in variants(info):
        for leaf in leaves(info.name + variant.suffix, info.type):
            yield Leaf(leaf.name, (*own, *leaf.keys), leaf.type, leaf.surface)


@dataclass(frozen=True, slots=True)
class Place:
    """What can be assigned: the part `path` (".a.b") of the cell of `info` at `keys`."""

    info: StateInfo
    keys: tuple[Expr, ...]
    path: str
    type: SType


def place(e: s.Expr, ctx: Context) -> Place | None:
    """The place that `e` names; what is not one is reported."""
    match e:
        case s.Name(name=name):
            info = state_named(name, ctx)
            if info is None:
                _not_a_place(e, ctx)
                return None
            if info.keys:
                text = f"`{name}` is a map and cannot be assigned as a whole"
                help_ = f"name a cell, as in `{name}[k]`, or write `for each`"
                ctx.report.error("E203", text, e.span, help=help_)
                return None
            ctx.world.written.add(name)
            return Place(info, (), "", info.type)
        case s.Index(subject=s.Name(name=name), keys=keys):
            info = state_named(name, ctx)
            if info is None:
                _not_a_place(e.subject, ctx)
                return None
            ctx.world.written.add(name)
            found = index_keys(info, keys, ctx, e)
            return None if found is None else Place(info, found, "", info.type)
        case s.Field(subject=subject, name=name):
            outer = place(subject, ctx)
            if outer is None or isinstance(outer.type, ErrorT):
                return None
            if isinstance(outer.type, RecordT):
                for part, inner in outer.type.fields:
                    if part == name:
                        return Place(outer.info, outer.keys, f"{outer.path}.{name}", inner)
            no_field(outer.type, name, e, ctx)
            return None
        case _:
            _not_a_place(e, ctx)
            return None


def state_named(name: str, ctx: Context) -> StateInfo | None:
    return None if name in ctx.locals else ctx.world.states.get(name)


def _not_a_place(e: s.Expr, ctx: Context) -> None:
    match e:
        case s.Name(name=name) if name not in ctx.locals and name not in ctx.world.declared:
            known = [*ctx.world.states, *ctx.world.groups]
            help_ = suggest(name, known) or f"declare it: `state {name}: Int = 0`"
            ctx.report.error("E101", f"there is no state variable `{name}`", e.span, help=help_)
        case s.Name(name=name):
            text = f"`{name}` is not a state variable and cannot change"
            ctx.report.error("E404", text, e.span, help="only what `state` declares is assigned; `let` names a value")
        case _:
            ctx.report.error(
                "E404", "this is not a state variable and cannot change", e.span, help="write `x := e` or `m[k] := e`"
            )


def index_keys(info: StateInfo, keys: tuple[s.Expr, ...], ctx: Context, e: s.Index) -> tuple[Expr, ...] | None:
    """The elaborated keys of `info[keys]`."""
    if not info.keys:
        text = f"`{info.name}` is not a map: it has one value of type `{info.type}`"
        ctx.report.error("E203", text, e.span, help=f"write `{info.name}`")
        return None
    if len(keys) != len(info.keys):
        wanted = ", ".join(map(str, info.keys))
        text = f"`{info.name}` has {_count(len(info.keys), 'key')} ({wanted}), and {len(keys)} given here"
        ctx.report.error("E203", text, e.span, help=f"write `{info.name}[{wanted.lower()}]`")
        return None
    found = [expr.scalar(k, ctx, t) for k, t in zip(keys, info.keys, strict=True)]
    return None if any(k is None for k in found) else tuple(k for k in found if k is not None)


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" + ("s" if n != 1 else "")


def index(e: s.Index, ctx: Context) -> Typed:
    """`m[k1, k2]`"""
    if not isinstance(e.subject, s.Name) or (info := state_named(e.subject.name, ctx)) is None:
        subject = expr.elaborate(e.subject, ctx)
        if not subject.wrong:
            text = f"a value of type `{subject.type}` cannot be indexed"
            ctx.report.error("E203", text, e.subject.span, help="only a state variable declared as a map has keys")
        return WRONG
    ctx.world.used.add(info.name)
    keys = index_keys(info, e.keys, ctx, e)
    if keys is None or isinstance(info.type, ErrorT):
        return WRONG
    if ctx.read is None:
        return no_state(info.name, ctx, e.subject)
    return Typed(unranged(info.type), read_cell(info, keys, ctx.read))


def no_state(name: str, ctx: Context, e: s.Expr) -> Typed:
    ctx.report.error("E111", f"the state variable `{name}` is not available in {ctx.place}", e.span)
    return WRONG


def variable(info: StateInfo, ctx: Context, e: s.Name) -> Typed:
    """A state variable by its bare name; a map is a value only where it can be indexed."""
    ctx.world.used.add(info.name)
    if info.keys:
        return Typed(MapT(info.keys, info.type), BAD)
    if isinstance(info.type, ErrorT):
        return WRONG
    return Typed(unranged(info.type), read_cell(info, (), ctx.read)) if ctx.read else no_state(info.name, ctx, e)


def no_field(type_: SType, name: str, e: s.Field, ctx: Context) -> None:
    """Report that a value of `type_` has no field `name`."""
    at = ctx.world.word(e.span, name, last=True)
    if isinstance(type_, RecordT):
        known = [part for part, _ in type_.fields]
        help_ = suggest(name, known) or f"the fields are {', '.join(f'`{k}`' for k in known)}"
        ctx.report.error("E103", f"the record `{type_.name}` has no field `{name}`", at, help=help_)
    elif type_ != ERROR_T:
        help_ = "only records have fields"
        if isinstance(type_, EntityT):
            help_ = f"an attribute of {type_} is a state variable: write `{name}[...]`"
        ctx.report.error("E103", f"a value of type `{type_}` has no field `{name}`", at, help=help_)
