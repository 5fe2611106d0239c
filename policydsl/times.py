"""Which numbers of a system are times and durations: the core does not say, but `now` is one, and types agreed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, subterms
from policydsl.core.system import CLOCK, NOW, System
from policydsl.core.types import INT, MapType


class Kind(Enum):
    TIME = "time"
    SPAN = "duration"


Kinds = Mapping[tuple[Space, str], Kind]
"""The kinds of state variables, inputs and parameters; plain numbers are not in it."""

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


def duration_words(milliseconds: int) -> str:
    """In the largest unit that divides it; a single day is `24h`."""
    for size, unit in _UNITS:
        if milliseconds and milliseconds % size == 0 and not (unit == "d" and abs(milliseconds) == size):
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def kind_of(e: Expr, kinds: Kinds) -> Kind | None:
    """What the number `e` measures, as far as `kinds` tells."""
    match e:
        case Ref():
            return kinds.get((Space.STATE if e.space is Space.NEXT else e.space, e.name))
        case Apply(op=Op.SELECT, args=(map_, *_)):
            return kind_of(map_, kinds)
        case Apply(op=Op.ITE, args=(_, *found)) | Apply(op=Op.MIN | Op.MAX, args=found):
            return next((k for x in found if (k := kind_of(x, kinds))), None)
        case Apply(op=Op.ADD, args=parts):
            known = [kind_of(x, kinds) for x in parts]
            return Kind.TIME if Kind.TIME in known else Kind.SPAN if Kind.SPAN in known else None
        case Apply(op=Op.SUB, args=(a, b)):
            left = kind_of(a, kinds)
            return Kind.SPAN if left is Kind.TIME and kind_of(b, kinds) is Kind.TIME else left
        case _:
            return None


@lru_cache(maxsize=64)
def kinds_of(system: System) -> Kinds:
    """All that follows from `now` being a time, through assignments, comparisons and sums."""
    if not system.timed:
        return {}
    found: dict[tuple[Space, str], Kind] = {(Space.STATE, CLOCK): Kind.TIME, (Space.INPUT, NOW): Kind.TIME}
    roots = [g.expr for a in system.actions for g in a.guards] + [p.expr for p in system.properties]
    written = [(system.variable(w.var).ref, w.value) for a in system.actions for w in a.writes]
    started = [(v.ref, v.init) for v in system.state if v.init is not None]
    terms = tuple(subterms(*roots, *(e for _, e in written)))
    size = -1
    while size < len(found):
        size = len(found)
        for var, value in (*written, *started):
            _agree(var, value, found)
        for e in terms:
            match e:
                case Apply(op=Op.EQ | Op.LE | Op.LT, args=(a, b)) if a.type == INT:
                    _agree(a, b, found)
                case Apply(op=Op.ADD, args=parts) if kind_of(e, found) is Kind.TIME:
                    for part in parts:
                        if kind_of(part, found) is None:
                            _learn(part, Kind.SPAN, found)
    return found


def _agree(a: Expr, b: Expr, found: dict[tuple[Space, str], Kind]) -> None:
    for x, y in ((a, b), (b, a)):
        kind = kind_of(x, found)
        if kind is not None and kind_of(y, found) is None:
            _learn(y, kind, found)


def _learn(e: Expr, kind: Kind, found: dict[tuple[Space, str], Kind]) -> None:
    """`e` is of this kind, and so are the references that make it up."""
    match e:
        case Ref(space=Space.BOUND) | Const():
            return
        case Ref():
            if (e.type.value if isinstance(e.type, MapType) else e.type) == INT:
                found[Space.STATE if e.space is Space.NEXT else e.space, e.name] = kind
        case Apply(op=Op.SELECT, args=(map_, *_)):
            _learn(map_, kind, found)
        case Apply(op=Op.ITE, args=(_, *branches)) | Apply(op=Op.MIN | Op.MAX, args=branches):
            for x in branches:
                _learn(x, kind, found)
