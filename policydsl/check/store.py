"""What the statements of an action have assigned so far: for each variable, writes over the state before the action.

NOTE(read-over-write): a later statement sees earlier assignments. Every value is written over the state before the
action, so a read goes through the pending writes, newest last, and asks of each whether it hit the cell that is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from policydsl.check.scope import Reader, conjuncts, read_state
from policydsl.core.expr import FALSE, TRUE, Const, Expr, conj, eq, ite, negate, substitute
from policydsl.core.system import Write
from policydsl.core.types import EntityType, Scalar

Store: TypeAlias = Mapping[str, tuple[Write, ...]]


def reader(store: Store) -> Reader:
    """Reads the state as it is after the writes of `store`."""

    def read(name: str, sorts: tuple[EntityType, ...], type_: Scalar, keys: tuple[Expr, ...]) -> Expr:
        found = read_state(name, sorts, type_, keys)
        for write in store.get(name, ()):
            found = _through(write, keys, found)
        return found

    return read


def _through(write: Write, keys: tuple[Expr, ...], before: Expr) -> Expr:
    # SOUND: `transfer(a, a)`: whether two keys are the same individual is asked in the formula, never guessed.
    images: dict[Expr, Expr] = {w: k for w, k in zip(write.keys, keys, strict=True) if w in write.binders}
    hit = conj(*(eq(w, k) for w, k in zip(write.keys, keys, strict=True) if w not in write.binders))
    return ite(hit, substitute(write.value, images), before)


def put(store: Store, write: Write) -> Store:
    """`store` with one more write, which wins where it meets earlier ones."""
    kept = tuple(w for w in store.get(write.var, ()) if not _covers(write, w))
    return {**store, write.var: (*kept, write)}


def _covers(new: Write, old: Write) -> bool:
    return all(n in new.binders or n is o for n, o in zip(new.keys, old.keys, strict=True))


def merge(condition: Expr, base: Store, then: Store, other: Store) -> Store:
    """The writes after `if condition`: `then` and `other` both began with `base`."""
    merged = base
    read_then, read_other = reader(then), reader(other)
    for name in dict.fromkeys((*then, *other)):
        before = base.get(name, ())
        changed = [w for branch in (then, other) for w in branch.get(name, ()) if not any(w is b for b in before)]
        done: list[tuple[Expr, ...]] = []
        for write in changed:
            if write.keys in done:
                continue
            done.append(write.keys)
            sorts = tuple(k.type for k in write.keys if isinstance(k.type, EntityType))
            type_ = write.value.type
            assert not hasattr(type_, "keys"), "a cell holds a scalar"
            a = assuming(condition, read_then(name, sorts, type_, write.keys), True)
            b = assuming(condition, read_other(name, sorts, type_, write.keys), False)
            merged = put(merged, Write(name, write.keys, ite(condition, a, b), write.binders, write.span))
    return merged


def assuming(condition: Expr, value: Expr, truth: bool) -> Expr:
    """`value` where `condition` is known to be true, or false: the same there, and mostly shorter."""
    known: dict[Expr, Expr] = {}
    for part in conjuncts(condition if truth else negate(condition)):
        if not isinstance(part, Const):
            known[part] = TRUE
            known[negate(part)] = FALSE
    return substitute(value, known)
