"""Values of surface types as bundles of core expressions.

A core expression is a scalar; an option, a record or a set is several of them side by side, and only this module knows
how they are laid out: `leaves` for the names, `build` for the value, `equal` and `choose` for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from policydsl.check.surface import (
    BOOL_T,
    ERROR_T,
    EntityT,
    ErrorT,
    OptionT,
    RecordT,
    SetT,
    SType,
    domain,
    scalar_type,
)
from policydsl.core import expr as core
from policydsl.core.expr import FALSE, Const, Expr, conj, disj, eq, implies, ite, negate
from policydsl.core.types import BOOL, INT, EntityType, EnumType, Scalar
from policydsl.source import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class One:
    """A scalar."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class Maybe:
    has: Expr
    value: Val


@dataclass(frozen=True, slots=True)
class Fields:
    items: tuple[tuple[str, Val], ...]


@dataclass(frozen=True, slots=True)
class Cases:
    """A set over finitely many possible elements: one truth for each."""

    members: tuple[tuple[Const, Expr], ...]


@dataclass(frozen=True, slots=True)
class Members:
    """A set of individuals."""

    element: EntityType
    contains: Callable[[Expr], Expr]


@dataclass(frozen=True, slots=True)
class Bad:
    """The value of what is wrong already."""


Val: TypeAlias = One | Maybe | Fields | Cases | Members | Bad

BAD = Bad()


@dataclass(frozen=True, slots=True)
class Local:
    """What a name stands for inside one declaration."""

    type: SType
    value: Val
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Typed:
    """An elaborated expression, and the names that it binds where it is known to be true or false."""

    type: SType
    value: Val
    yes: Mapping[str, Local] = field(default_factory=dict)
    no: Mapping[str, Local] = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        return isinstance(self.type, ErrorT) or isinstance(self.value, Bad)


WRONG = Typed(ERROR_T, BAD)


def default_const(type_: Scalar) -> Const:
    """The value of a cell that nobody set."""
    match type_:
        case EnumType(cases=cases):
            return Const(cases[0] if cases else "", type_)
        case _ if type_ == BOOL:
            return FALSE
        case _ if type_ == INT:
            return core.ZERO
        case _:
            return Const("", type_)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One scalar part of a value: its name, the keys that it adds, its core type, and its surface type."""

    name: str
    keys: tuple[EntityType, ...]
    type: Scalar
    surface: SType


def leaves(name: str, type_: SType) -> Iterator[Leaf]:
    match type_:
        case OptionT(value=inner):
            yield Leaf(f"{name}.has", (), BOOL, BOOL_T)
            yield from leaves(f"{name}.value", inner)
        case RecordT(fields=parts):
            for part, inner in parts:
                yield from leaves(f"{name}.{part}", inner)
        case SetT(element=EntityT(core=sort)):
            yield Leaf(name, (sort,), BOOL, BOOL_T)
        case SetT(element=element):
            for label, _ in domain(element) or ():
                yield Leaf(f"{name}.{label}", (), BOOL, BOOL_T)
        case _:
            found = scalar_type(type_)
            if found is not None:
                yield Leaf(name, (), found, type_)


def build(name: str, type_: SType, make: Callable[[str, tuple[Expr, ...], Scalar], Expr]) -> Val:
    """The value of type `type_` whose leaves are what `make(leaf name, extra keys, type)` says."""
    match type_:
        case OptionT(value=inner):
            return Maybe(make(f"{name}.has", (), BOOL), build(f"{name}.value", inner, make))
        case RecordT(fields=parts):
            return Fields(tuple((part, build(f"{name}.{part}", inner, make)) for part, inner in parts))
        case SetT(element=EntityT(core=sort)):
            return Members(sort, lambda element: make(name, (element,), BOOL))
        case SetT(element=element):
            return Cases(tuple((c, make(f"{name}.{label}", (), BOOL)) for label, c in domain(element) or ()))
        case _:
            found = scalar_type(type_)
            return BAD if found is None else One(make(name, (), found))


def default_value(type_: SType) -> Val:
    return build("", type_, lambda _name, _keys, scalar: default_const(scalar))


def parts(value: Val) -> Iterator[tuple[str, Expr]]:
    """The scalar parts of a value with their suffixes, in the order of `leaves`; a set of individuals has none."""
    match value:
        case One(expr=e):
            yield "", e
        case Maybe(has=has, value=inner):
            yield ".has", has
            yield from ((f".value{suffix}", e) for suffix, e in parts(inner))
        case Fields(items=items):
            for name, inner in items:
                yield from ((f".{name}{suffix}", e) for suffix, e in parts(inner))
        case Cases(members=members):
            for c, e in members:
                yield f".{str(c.value).lower() if c.type == BOOL else c.value}", e
        case Members() | Bad():
            pass


def each(value: Val, change: Callable[[Expr], Expr]) -> Val:
    """`value` with `change` made of each of its scalar parts."""
    match value:
        case One(expr=e):
            return One(change(e))
        case Maybe(has=has, value=inner):
            return Maybe(change(has), each(inner, change))
        case Fields(items=items):
            return Fields(tuple((name, each(inner, change)) for name, inner in items))
        case Cases(members=members):
            return Cases(tuple((c, change(e)) for c, e in members))
        case Members(element=sort, contains=contains):
            return Members(sort, lambda element: change(contains(element)))
        case Bad():
            return value


def choose(condition: Expr, a: Val, b: Val) -> Val:
    """`if condition then a else b` of two values of one type."""
    match a, b:
        case One(), One() if a.expr.type == b.expr.type:
            return One(ite(condition, a.expr, b.expr))
        case Maybe(), Maybe():
            return Maybe(ite(condition, a.has, b.has), choose(condition, a.value, b.value))
        case Fields(), Fields():
            pairs = zip(a.items, b.items, strict=True)
            return Fields(tuple((name, choose(condition, x, y)) for (name, x), (_, y) in pairs))
        case Cases(), Cases():
            both = zip(a.members, b.members, strict=True)
            return Cases(tuple((c, ite(condition, x, y)) for (c, x), (_, y) in both))
        case Members(), Members():
            return Members(a.element, lambda e: ite(condition, a.contains(e), b.contains(e)))
        case _:
            return BAD


def equal(a: Val, b: Val, for_all: Callable[[EntityType, Callable[[Expr], Expr]], Expr]) -> Expr | None:
    """Whether two values of one type are equal; None when that makes no sense."""
    match a, b:
        case One(), One():
            return eq(a.expr, b.expr) if a.expr.type == b.expr.type else None
        case Maybe(), Maybe():
            inner = equal(a.value, b.value, for_all)
            return None if inner is None else conj(eq(a.has, b.has), implies(a.has, inner))
        case Fields(), Fields():
            found = [equal(x, y, for_all) for (_, x), (_, y) in zip(a.items, b.items, strict=True)]
            return None if None in found else conj(*(e for e in found if e is not None))
        case Cases(), Cases():
            return conj(*(eq(x, y) for (_, x), (_, y) in zip(a.members, b.members, strict=True)))
        case Members(), Members():
            return for_all(a.element, lambda e: eq(a.contains(e), b.contains(e)))
        case _:
            return None


def member(element: Expr, of: Val) -> Expr | None:
    """Whether `element` is in the set `of`."""
    match of:
        case Cases(members=members):
            if isinstance(element, Const):
                return next((e for c, e in members if c is element), FALSE)
            return disj(*(conj(eq(element, c), e) for c, e in members))
        case Members(contains=contains):
            return contains(element)
        case _:
            return None


def combine(op: Callable[[Expr, Expr], Expr], a: Val, b: Val) -> Val:
    """A set from two sets, element by element."""
    match a, b:
        case Cases(), Cases():
            return Cases(tuple((c, op(x, y)) for (c, x), (_, y) in zip(a.members, b.members, strict=True)))
        case Members(), Members():
            return Members(a.element, lambda e: op(a.contains(e), b.contains(e)))
        case _:
            return BAD


def union(a: Val, b: Val) -> Val:
    return combine(disj, a, b)


def minus(a: Val, b: Val) -> Val:
    return combine(lambda x, y: conj(x, negate(y)), a, b)


def subset(a: Val, b: Val, for_all: Callable[[EntityType, Callable[[Expr], Expr]], Expr]) -> Expr | None:
    match a, b:
        case Cases(), Cases():
            return conj(*(implies(x, y) for (_, x), (_, y) in zip(a.members, b.members, strict=True)))
        case Members(), Members():
            return for_all(a.element, lambda e: implies(a.contains(e), b.contains(e)))
        case _:
            return None
