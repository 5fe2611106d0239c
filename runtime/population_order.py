"""What an action writes to how rows of requests may be done at once: which writes commute, and which cells are both
read and written.

NOTE(rounds): requests count as done one after the other. A column of them is decided in the state before all of them.
That is right for a row if no cell that it read has been written by an earlier row that was allowed; denied rows write
nothing. Rows for which it is not right wait, and so do those that touch what waiting rows touch; the rest is written
at once, and the next round begins. The first row of a round never waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Apply,
    Expr,
    Op,
    Ref,
    Space,
    add,
    ite,
    le,
    select,
    sub,
    subterms,
)
from policydsl.core.system import NOW, Action, StateVar, Write
from policydsl.core.types import INT, EntityType, IntType

Keys = tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One write: at `keys`, where `where` holds (TRUE: everywhere), `value`."""

    keys: Keys
    value: Expr
    where: Expr


@dataclass(frozen=True, slots=True)
class Put:
    """All that an action writes to one variable. With `adds`, values are added to what is there."""

    var: StateVar
    adds: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Cells of which the order of rows matters: at `keys` they are touched, and at those that `reads` and `writes`
    count they are read and written. With `blind`, they are written and never read."""

    sorts: tuple[EntityType, ...]
    keys: tuple[Keys, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    blind: bool


@dataclass(frozen=True, slots=True)
class Order:
    """`shaky`: where a row writes or reads depends on what others write."""

    puts: tuple[Put, ...]
    groups: tuple[Group, ...]
    shaky: bool


def order(action: Action, state: Sequence[StateVar]) -> Order:
    """How rows of `action`, which writes nothing for everyone, may be done at once."""
    written: dict[str, list[Write]] = {}
    for w in action.writes:
        written.setdefault(w.var, []).append(w)
    variables = {v.name: v for v in state if v.name in written}
    guards = [g.expr for g in action.guards]
    puts: dict[str, Put] = {}
    seen: list[str] = []
    for name, var in variables.items():
        writes = written[name]
        outer = [*_others(var, guards, writes), *_of_others(written, name), *(k for w in writes for k in w.keys)]
        found = None if _reads(var, outer) else (_adding(var, writes) or _setting(var, writes))
        if found is None:
            seen.append(name)
            puts[name] = Put(var, False, tuple(Part(w.keys, w.value, TRUE) for w in writes))
        else:
            puts[name] = found
    everything = [
        *guards,
        *(e for p in puts.values() for part in p.parts for e in (*part.keys, part.value, part.where)),
    ]
    together: dict[Keys, tuple[EntityType, ...]] = {}
    apart: list[Group] = []
    for name in seen:
        touched, group = _group(variables[name], everything, puts[name])
        if len(touched) == 1:
            together[touched[0]] = variables[name].keys
        else:
            apart.append(group)
    for name, p in puts.items():
        # SOUND: rows that write one of these cells in a round read the cell of a group at the same keys, so no two do.
        if p.adds and p.parts[0].keys in together:
            writes = written[name]
            puts[name] = Put(p.var, False, tuple(Part(w.keys, w.value, TRUE) for w in writes))
    groups = [Group(sorts, (keys,), (0,), (0,), blind=False) for keys, sorts in together.items()] + apart
    for name, p in puts.items():
        touched = tuple(dict.fromkeys(part.keys for part in p.parts))
        covered = len(touched) == 1 and touched[0] in together
        if name in seen or p.adds or covered or _same_for_all(p, variables):
            continue
        groups.append(Group(p.var.keys, touched, (), tuple(range(len(touched))), blind=True))
    keys = [k for e in (*_selected(everything), *(part.keys for p in puts.values() for part in p.parts)) for k in e]
    shaky = any(isinstance(r, Ref) and r.space is Space.STATE and r.name in variables for r in subterms(*keys))
    return Order(tuple(puts.values()), tuple(groups), shaky)


def _others(var: StateVar, guards: Iterable[Expr], writes: Sequence[Write]) -> list[Expr]:
    """The guards in which reading `var` counts."""
    now = Ref(NOW, INT, Space.INPUT)
    if not var.keys and len(writes) == 1 and writes[0].value is now:
        # SOUND: the rows of a batch have one time. If it is not before `var`, neither is it once `var` has become that
        # time; if it is, every row is denied, and `var` stays.
        return [g for g in guards if g is not le(var.ref, now)]
    return list(guards)


def _of_others(written: dict[str, list[Write]], name: str) -> list[Expr]:
    return [e for n, ws in written.items() if n != name for w in ws for e in (*w.keys, w.value)]


def _reads(var: StateVar, roots: Iterable[Expr]) -> bool:
    return var.ref in set(subterms(*roots))


def _selected(roots: Iterable[Expr]) -> list[Keys]:
    return [e.args[1:] for e in subterms(*roots) if isinstance(e, Apply) and e.op is Op.SELECT]


def _adding(var: StateVar, writes: Sequence[Write]) -> Put | None:
    if len(writes) > 1 or not isinstance(var.type, IntType):
        return None
    (w,) = writes
    more = added(w.value, select(var.ref, *w.keys))
    # SOUND: sums do not depend on the order of their terms, and nothing else looks at what is summed up.
    return None if more is None or _reads(var, [more]) else Put(var, True, (Part(w.keys, more, TRUE),))


def added(value: Expr, own: Expr) -> Expr | None:
    """What `value` adds to `own`, if that is all that it does to it."""
    if value is own:
        return ZERO
    match value:
        case Apply(op=Op.ADD, args=parts):
            found = [(i, d) for i, d in ((i, added(p, own)) for i, p in enumerate(parts)) if d is not None]
            if len(found) == 1:
                i, more = found[0]
                return add(*parts[:i], more, *parts[i + 1 :])
        case Apply(op=Op.SUB, args=(a, b)):
            more_a = added(a, own)
            return None if more_a is None else sub(more_a, b)
        case Apply(op=Op.ITE, args=(c, a, b)):
            first, second = added(a, own), added(b, own)
            return None if first is None or second is None else ite(c, first, second)
    return None


def _setting(var: StateVar, writes: Sequence[Write]) -> Put | None:
    parts = [Part(w.keys, w.value, TRUE) for w in writes]
    if len(writes) == 1:
        # SOUND: what writes the old value writes nothing, unless another write of the action comes before it.
        (w,) = writes
        own = select(var.ref, *w.keys)
        where = _where(w.value, own)
        parts = [] if where is FALSE else [Part(w.keys, _without(w.value, own), where)]
    return None if _reads(var, [e for p in parts for e in (p.value, p.where)]) else Put(var, False, tuple(parts))


def _where(value: Expr, own: Expr) -> Expr:
    """When `value` is not just `own`."""
    if value is own:
        return FALSE
    match value:
        case Apply(op=Op.ITE, args=(c, a, b)) if own in set(subterms(a, b)):
            return ite(c, _where(a, own), _where(b, own))
    return TRUE


def _without(value: Expr, own: Expr) -> Expr:
    """`value` where it is not just `own`."""
    match value:
        case Apply(op=Op.ITE, args=(c, a, b)):
            if a is own:
                return _without(b, own)
            if b is own:
                return _without(a, own)
            if own in set(subterms(a, b)):
                return ite(c, _without(a, own), _without(b, own))
    return value


def _group(var: StateVar, everything: Sequence[Expr], put: Put) -> tuple[tuple[Keys, ...], Group]:
    """All places at which `var` is touched."""
    selects = [e for e in subterms(*everything) if isinstance(e, Apply) and e.op is Op.SELECT]
    reads = [e.args[1:] for e in selects if e.args[0] is var.ref] if var.keys else [()]
    writes = [p.keys for p in put.parts]
    touched = tuple(dict.fromkeys((*reads, *writes)))
    at = {k: i for i, k in enumerate(touched)}
    of_reads, of_writes = (tuple(dict.fromkeys(at[k] for k in ks)) for ks in (reads, writes))
    return touched, Group(var.keys, touched, of_reads, of_writes, blind=False)


def _same_for_all(put: Put, written: dict[str, StateVar]) -> bool:
    """Whether it does not matter which row writes last, because all write the same."""
    if len(put.parts) > 1:
        return False
    for e in subterms(*(p.value for p in put.parts)):
        if isinstance(e, Ref) and ((e.space is Space.INPUT and e.name != NOW) or e.name in written):
            return False
    return True
