"""Conditions to what they pin down (`role == Admin`), so that rules which cannot meet are never put to a solver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, negate, truth
from policydsl.core.types import EnumType

Pins: TypeAlias = Mapping[Expr, frozenset[Const]]
"""Terms, and the few constants that each of them can be when a condition holds."""

SMALL = 24
"""So many rules are put to a solver together without further ado."""


def conjuncts(e: Expr) -> Iterator[Expr]:
    """Formulas that `e` is the conjunction of."""
    if isinstance(e, Apply) and e.op is Op.AND:
        for part in e.args:
            yield from conjuncts(part)
    elif isinstance(e, Apply) and e.op is Op.NOT and isinstance(e.args[0], Apply) and e.args[0].op is Op.OR:
        for part in e.args[0].args:
            yield from conjuncts(negate(part))
    elif isinstance(e, Apply) and e.op is Op.NOT and isinstance(e.args[0], Apply) and e.args[0].op is Op.IMPLIES:
        yield from conjuncts(e.args[0].args[0])
        yield from conjuncts(negate(e.args[0].args[1]))
    else:
        yield e


def pins(condition: Expr) -> Pins:
    """What must be so for `condition` to hold, as far as it can be read off."""
    found: dict[Expr, frozenset[Const]] = {}
    for part in conjuncts(condition):
        pin = _pin(part)
        if pin is not None:
            term, values = pin
            found[term] = found.get(term, values) & values
    return found


def _pin(part: Expr) -> tuple[Expr, frozenset[Const]] | None:
    match part:
        case Ref():
            return part, frozenset({truth(True)})
        case Apply(op=Op.SELECT):
            return part, frozenset({truth(True)})
        case Apply(op=Op.EQ, args=(a, b)):
            if isinstance(b, Const):
                return a, frozenset({b})
            return (b, frozenset({a})) if isinstance(a, Const) else None
        case Apply(op=Op.NOT, args=(inner,)):
            return _unpinned(inner)
        case Apply(op=Op.OR, args=parts):
            sides = [_pin(p) for p in parts]
            kept = [s for s in sides if s is not None]
            if len(kept) == len(sides) and all(s[0] is kept[0][0] for s in kept):
                return kept[0][0], frozenset().union(*(s[1] for s in kept))
    return None


def _unpinned(inner: Expr) -> tuple[Expr, frozenset[Const]] | None:
    if isinstance(inner, Ref) or (isinstance(inner, Apply) and inner.op is Op.SELECT):
        return inner, frozenset({truth(False)})
    pin = _pin(inner)
    if pin is not None and isinstance(pin[0].type, EnumType):
        others = frozenset(Const(c, pin[0].type) for c in pin[0].type.cases)
        return pin[0], others - pin[1]
    return None


def apart(a: Pins, b: Pins) -> bool:
    """Whether no request can satisfy both conditions, as far as their pins tell."""
    if not (all(a.values()) and all(b.values())):
        return True
    small, large = (a, b) if len(a) <= len(b) else (b, a)
    # SOUND: different constants of one type are different values, so a term cannot be in two disjoint sets.
    return any(term in large and values.isdisjoint(large[term]) for term, values in small.items())


@dataclass(frozen=True, slots=True)
class Bucket:
    """Rules to answer for (`own`), and all that can meet them (`near`, which includes them), as sorted indices."""

    own: tuple[int, ...]
    near: tuple[int, ...]


def buckets(every: Sequence[Pins]) -> list[Bucket]:
    """Each index is an `own` of exactly one bucket; whatever is not `near` is apart from all its `own`."""
    return list(_split(every, list(range(len(every))), list(range(len(every))), frozenset()))


def _split(every: Sequence[Pins], own: list[int], near: list[int], used: frozenset[Expr]) -> Iterator[Bucket]:
    if not own:
        return
    term = _sharpest(every, own, used) if len(near) > SMALL else None
    if term is None:
        yield Bucket(tuple(own), tuple(near))
        return
    groups: dict[frozenset[Const] | None, list[int]] = {}
    for i in own:
        groups.setdefault(every[i].get(term), []).append(i)
    for values, group in groups.items():
        asked = set(group)
        # A rule that contradicts itself meets nobody, but is still asked about.
        met = [j for j in near if j in asked or values is None or not values.isdisjoint(every[j].get(term, values))]
        yield from _split(every, group, met, used | {term})


def _sharpest(every: Sequence[Pins], own: list[int], used: frozenset[Expr]) -> Expr | None:
    """The term that tells most of `own` apart."""
    pinned: dict[Expr, dict[frozenset[Const], int]] = {}
    for i in own:
        for term, values in every[i].items():
            if term not in used:
                sets = pinned.setdefault(term, {})
                sets[values] = sets.get(values, 0) + 1
    useful = {t: s for t, s in pinned.items() if len(s) > 1 or sum(s.values()) < len(own)}
    if not useful:
        return None
    return max(useful, key=lambda t: (sum(useful[t].values()) - max(useful[t].values()), sum(useful[t].values())))
