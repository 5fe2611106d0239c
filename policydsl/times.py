"""Which numbers of a system are times and durations: the core does not say, but `now` is one, and types agreed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from policydsl.core.expr import Apply, Expr, Op, Ref, Space, subterms
from policydsl.core.system import CLOCK, NOW, System
from policydsl.core.types import INT, MapType


class Kind(Enum):
    TIME = "time"
    SPAN = "duration"


Kinds = Mapping[tuple[Space, str], Kind]
"""The kinds of state variables, inputs and parameters; plain numbers are not in it."""

_DAY = 86_400_000
_UNITS = ((_DAY, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


_MOST = {"h": 48, "m": 120, "s": 120}
"""From so many of a unit on, the larger one is written, too."""


def duration_words(milliseconds: int) -> str:
    """As a policy writes it: in one unit where that reads well, else in several: `90s`, `24h`, `3d`, `24h1ms`."""
    sign, left = "-" if milliseconds < 0 else "", abs(milliseconds)
    size, unit = next(((size, unit) for size, unit in _UNITS if left % size == 0 and left != _DAY), (1, "ms"))
    if left // size < _MOST.get(unit, left + 1) and (unit != "ms" or left < 1_000):
        return f"{sign}{left // size}{unit}" if left else "0s"
    text = ""
    for size, unit in (*_UNITS, (1, "ms")):
        if left // size and not (unit == "d" and left < 2 * _DAY):
            text, left = f"{text}{left // size}{unit}", left % size
    return sign + text


class Measure:
    """Tells what numbers measure, as far as `kinds` tells of what they are made of."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self._known: dict[Expr, Kind | None] = {}

    def __call__(self, root: Expr) -> Kind | None:
        if root not in self._known:
            for e in subterms(root):
                if e not in self._known:
                    self._known[e] = self._of(e)
        return self._known[root]

    def _of(self, e: Expr) -> Kind | None:
        match e:
            case Ref():
                return self.kinds.get(_variable(e))
            case Apply(op=Op.SELECT, args=(map_, *_)):
                return self._known[map_]
            case Apply(op=Op.ITE, args=(_, *found)) | Apply(op=Op.MIN | Op.MAX, args=found):
                return next((k for x in found if (k := self._known[x])), None)
            case Apply(op=Op.ADD, args=parts):
                known = [self._known[x] for x in parts]
                return Kind.TIME if Kind.TIME in known else Kind.SPAN if Kind.SPAN in known else None
            case Apply(op=Op.SUB, args=(a, b)):
                left, right = self._known[a], self._known[b]
                return Kind.SPAN if left is Kind.TIME and right is Kind.TIME else left
            case _:
                return None


def _variable(ref: Ref) -> tuple[Space, str]:
    return (Space.STATE if ref.space is Space.NEXT else ref.space, ref.name)


@lru_cache(maxsize=64)
def kinds_of(system: System) -> Kinds:
    """What is declared, and all that follows from `now` being a time, through assignments, comparisons and sums."""
    found = dict.fromkeys(system.times, Kind.TIME) | dict.fromkeys(system.spans, Kind.SPAN)
    if system.timed:
        found |= {(Space.STATE, CLOCK): Kind.TIME, (Space.INPUT, NOW): Kind.TIME}
    if not found:
        return {}
    roots = [g.expr for a in system.actions for g in a.guards] + [p.expr for p in system.properties]
    equal: list[tuple[Expr, Expr]] = [(system.variable(w.var).ref, w.value) for a in system.actions for w in a.writes]
    terms = tuple(subterms(*roots, *(e for _, e in equal)))
    equal += [(v.ref, v.init) for v in system.state if v.init is not None]
    equal += [e.args for e in terms if isinstance(e, Apply) and e.op in _COMPARISONS]  # type: ignore[misc]  # pairs
    sums = [e for e in terms if isinstance(e, Apply) and e.op is Op.ADD]
    size = -1
    while size < len(found):
        size = len(found)
        measure = Measure(dict(found))
        for a, b in equal:
            for x, y in ((a, b), (b, a)):
                kind = measure(x)
                if kind is not None and measure(y) is None:
                    found |= dict.fromkeys(_made_of(y), kind)
        for e in sums:
            if measure(e) is Kind.TIME:
                for part in e.args:
                    if measure(part) is None:
                        found |= dict.fromkeys(_made_of(part), Kind.SPAN)
    return found


_COMPARISONS = (Op.EQ, Op.LE, Op.LT)


def _made_of(root: Expr) -> list[tuple[Space, str]]:
    """The variables of which the number `root` may be the value."""
    found: dict[Expr, None] = {root: None}
    queue = [root]
    for e in queue:
        match e:
            case Apply(op=Op.SELECT, args=(inner, *_)):
                more: tuple[Expr, ...] = (inner,)
            case Apply(op=Op.ITE, args=(_, a, b)) | Apply(op=Op.MIN | Op.MAX, args=(a, b)):
                more = (a, b)
            case _:
                more = ()
        queue.extend(x for x in more if x not in found)
        found |= dict.fromkeys(more)
    refs = (e for e in found if isinstance(e, Ref) and e.space is not Space.BOUND)
    return [_variable(r) for r in refs if (r.type.value if isinstance(r.type, MapType) else r.type) == INT]
