"""What an action does to a running sum: writes of the ghost that follow from the action's own writes.

NOTE(delta): a step changes finitely many contributions, so the sum changes by the sum, over the individuals whose
contribution may change, of their contribution after minus before. That difference is one expression in the keys of the
ghost. Each ghost write adds it to the old value, so it does not matter which write of a cell comes last, nor whether
two cells that are written differently are one.
"""

from __future__ import annotations

from collections.abc import Sequence

from policydsl.check.monitor_terms import after
from policydsl.check.sums_shape import Read, SumError, reads
from policydsl.core.expr import (
    ZERO,
    Apply,
    Expr,
    Op,
    Ref,
    Space,
    add,
    disj,
    eq,
    ite,
    select,
    sub,
    substitute,
    transform,
)
from policydsl.core.system import Action, Sum, Write


def ghost_writes(action: Action, kept: Sum, ghost: Ref) -> tuple[Write, ...]:
    """The writes that keep `ghost` equal to its sum when `action` is allowed. Raises `SumError`."""
    touched: dict[Expr, None] = {}
    places: dict[tuple[Expr, ...], None] = {}
    for read in reads(kept.body):
        for write in action.writes:
            if write.var == read.map.name:
                touched[_summand(action, kept, read, write)] = None
                places[_place(kept, read, write)] = None
    written = []
    for place in _most_general(tuple(places), kept.keys):
        bulk = tuple(k for k, e in zip(kept.keys, place, strict=True) if e is k)
        if len({b.type for b in bulk}) < len(bulk):
            raise SumError(
                "E347",
                f"`{action.name}` changes a sum for all pairs of {bulk[0].type} at once",
                "sum over a map that has one key of that kind beside the one summed over",
            )
        value = add(select(ghost, *place), _difference(action.writes, kept, tuple(touched), place))
        written.append(Write(ghost.name, place, value, bulk, action.span))
    return tuple(written)


def _summand(action: Action, kept: Sum, read: Read, write: Write) -> Expr:
    """Whose contribution `write` may change through `read`."""
    positions = [i for i, k in enumerate(read.keys) if k is kept.bound]
    if not positions:
        raise SumError(
            "E340",
            f"`{action.name}` writes `{read.map.name}`, on which the contribution of everyone depends",
            f"use `{read.map.name}` outside the sum, or key it by the individual that is summed over",
            write.span,
        )
    # SOUND: it is enough to follow one position. If the read has the summand in several, a write changes the
    # contribution of nobody but whom all of them name; for others the difference is zero and harmless.
    key = write.keys[positions[0]]
    if key in write.binders:
        raise SumError(
            "E341",
            f"`{action.name}` writes `{read.map.name}` for everyone at once",
            "write it one individual at a time, or start a new round: key the map by the round too, and sum over that",
            write.span,
        )
    return key


def _place(kept: Sum, read: Read, write: Write) -> tuple[Expr, ...]:
    """The cells of the ghost that `write` may change through `read`: a key of the ghost itself stands for all."""
    at = list[Expr](kept.keys)
    for i, key in enumerate(kept.keys):
        # SOUND: a key that the read does not mention is not known from the write, so all its values may be concerned.
        position = next((j for j, k in enumerate(read.keys) if k is key), None)
        if position is not None and write.keys[position] not in write.binders:
            at[i] = write.keys[position]
    return tuple(at)


def _most_general(places: Sequence[tuple[Expr, ...]], keys: tuple[Ref, ...]) -> list[tuple[Expr, ...]]:
    """`places` without those that another one covers."""

    def covers(a: tuple[Expr, ...], b: tuple[Expr, ...]) -> bool:
        return a != b and all(x is k or x is y for x, y, k in zip(a, b, keys, strict=True))

    return [p for p in places if not any(covers(q, p) for q in places)]


def _difference(writes: Sequence[Write], kept: Sum, touched: Sequence[Expr], place: tuple[Expr, ...]) -> Expr:
    """By how much the sum at `place` grows: see NOTE(delta)."""
    here: dict[Expr, Expr] = dict(zip(kept.keys, place, strict=True))
    # SOUND: the state is read through the writes while the keys are still names. A key that is put in later, such as
    # `proposer[p]`, means the individual whom the state before the step names, even if the step changes that.
    change = sub(_afterwards(kept.body, writes), kept.body)
    changes = []
    for i, who in enumerate(touched):
        # SOUND: `transfer(a, a)`: two keys that are written may be one individual, who is counted once.
        changes.append(ite(counted(who, touched[:i]), ZERO, substitute(change, {**here, kept.bound: who})))
    return add(ZERO, *changes)


def counted(who: Expr, earlier: Sequence[Expr]) -> Expr:
    """Whether `who` is one of the `earlier` ones."""
    return disj(*(eq(who, e) for e in earlier))


def _afterwards(e: Expr, writes: Sequence[Write]) -> Expr:
    """`e` in the state after the writes, over the state before."""

    def leaf(part: Expr) -> Expr | None:
        if isinstance(part, Apply) and part.op is Op.SELECT and isinstance(part.args[0], Ref):
            # The keys of a read in a body are individuals, which no write changes.
            return after(writes, part.args[0], part.args[1:]) if part.args[0].space is Space.STATE else None
        if isinstance(part, Ref) and part.space is Space.STATE:
            return after(writes, part, ())
        return None

    return transform(e, leaf)
