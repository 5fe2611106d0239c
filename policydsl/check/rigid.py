"""Names bound at one time to values that mean the same at another: an individual keeps its identity, the state changes.

NOTE(rigid): a name stands for an expression over the state in which it was bound. Where the body of `once`, or the goal
of an `eventually`, is about another state, reading that expression again would give whatever is there by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from policydsl.check.scope import World
from policydsl.check.values import Local, each
from policydsl.core.expr import Expr, Ref, Space, refs
from policydsl.core.system import NOW
from policydsl.core.types import EntityType


def rigid(names: Mapping[str, Local], world: World) -> tuple[dict[str, Local], dict[Expr, Expr]]:
    """`names` with references in place of all that may change, and what each of these stands for.

    An individual becomes a bound one. For anything else the reference is to an input of the same name, which no formula
    about another state may mention: whoever finds it there reports it.
    """
    meant: dict[Expr, Expr] = {}
    stand_ins: dict[Expr, Ref] = {}

    def fixed(name: str, e: Expr) -> Expr:
        if not _changes(e):
            return e
        if e not in stand_ins:
            sort = e.type
            fresh = world.fresh(name, sort) if isinstance(sort, EntityType) else Ref(name, sort, Space.INPUT)
            stand_ins[e] = fresh
            meant[fresh] = e
        return stand_ins[e]

    return {n: Local(x.type, each(x.value, partial(fixed, n)), x.span) for n, x in names.items()}, meant


def _changes(e: Expr) -> bool:
    return any(r.space in (Space.STATE, Space.NEXT) or r.name == NOW for r in refs(e) if r.space is not Space.PARAM)
