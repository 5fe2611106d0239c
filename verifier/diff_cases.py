"""An action in two versions to the cases in which they answer differently: conjunctions, cut down to what matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from policydsl.core.after import read_after
from policydsl.core.expr import FALSE, TRUE, Apply, Const, Expr, Op, Ref, Space, conj, disj, eq, exists, negate, select
from policydsl.core.system import Action, Effect, GuardKind, Obligation, Origin, System, Write
from verifier.diff_align import NEW, OLD, Alignment, Pair
from verifier.rules_pins import Pins, apart, conjuncts, pins


class Kind(Enum):
    """How answers differ."""

    ALLOWED = "newly allowed"
    DENIED = "newly denied"
    PENDING = "newly pending"
    OBLIGATIONS = "different obligations"
    EFFECTS = "different effects"


@dataclass(frozen=True)
class Case:
    """A conjunction that holds of some of the requests of `action` that are answered differently."""

    action: str
    kind: Kind
    parts: tuple[Expr, ...]


@dataclass(frozen=True)
class _Side:
    """When one version allows: all of `hard` and of `soft`. Without one of `soft` a human is asked."""

    hard: dict[Expr, None]
    soft: dict[Expr, None]

    def gives(self, effect: Effect) -> list[Expr]:
        match effect:
            case Effect.ALLOW:
                return [*self.hard, *self.soft]
            case Effect.PENDING:
                return [*self.hard, disj(*map(negate, self.soft))]
            case Effect.DENY:
                return [disj(*map(negate, self.hard))]


def _side(action: Action) -> _Side:
    soft = [g.expr for g in action.guards if g.kind is GuardKind.APPROVE]
    hard = [g.expr for g in action.guards if g.kind is not GuardKind.APPROVE]
    return _Side(
        dict.fromkeys(p for g in hard for p in conjuncts(g)), dict.fromkeys(p for g in soft for p in conjuncts(g))
    )


def decisions(pair: Pair) -> Iterator[Case]:
    """Where the decisions differ: of each way of differing, all cases together are exactly the requests concerned."""
    old, new = _side(pair.old), _side(pair.new)
    both_old, both_new = {**old.hard, **old.soft}, {**new.hard, **new.soft}
    for broken in _without(both_old, both_new):
        yield Case(pair.name, Kind.ALLOWED, (*both_new, negate(broken)))
    for broken in _without(new.hard, old.hard):
        yield Case(pair.name, Kind.DENIED, (*old.hard, negate(broken)))
    for open_ in new.soft:
        for broken in _without(old.hard, new.hard):
            yield Case(pair.name, Kind.PENDING, (*new.hard, negate(open_), negate(broken)))
        if open_ not in old.soft:
            yield Case(pair.name, Kind.PENDING, (*new.hard, negate(open_), *old.hard, *old.soft))


def _without(a: Iterable[Expr], b: dict[Expr, None]) -> list[Expr]:
    return [e for e in a if e not in b]


def obligations(pair: Pair) -> Iterator[Case]:
    """Where both answer alike, and one asks for something that the other does not."""
    old, new = _side(pair.old), _side(pair.new)
    for effect in Effect:
        both = (*old.gives(effect), *new.gives(effect))
        here = [o for o in pair.old.obligations if o.on is effect]
        there = [o for o in pair.new.obligations if o.on is effect]
        for asked, others in ((here, there), (there, here)):
            same = {(o.name, o.args, o.condition) for o in others}
            for o in asked:
                if (o.name, o.args, o.condition) not in same:
                    yield Case(pair.name, Kind.OBLIGATIONS, (*both, o.condition, *(_unlike(o, p) for p in others)))


def _unlike(o: Obligation, p: Obligation) -> Expr:
    if o.name != p.name or [a.type for a in o.args] != [a.type for a in p.args]:
        return TRUE
    return negate(conj(p.condition, *(eq(a, b) for a, b in zip(o.args, p.args))))


def effects(alignment: Alignment, name: str) -> Iterator[Case]:
    """Where both allow, and a cell that held the same in both holds different values afterwards."""
    plain = alignment.pair(name, alignment.common)
    pair = alignment.pair(name)
    for variable in sorted(alignment.common & _told(alignment.new)):
        # A write that only passes on an earlier difference is not told of again.
        if _writes(plain.old, variable) != _writes(plain.new, variable) and variable not in alignment.shared:
            for side, action in ((OLD, pair.old), (NEW, pair.new)):
                for w in _writes(action, side + variable):
                    yield Case(
                        name, Kind.EFFECTS, (pair.old.allowed, pair.new.allowed, _parting(alignment, pair, variable, w))
                    )


def _told(system: System) -> frozenset[str]:
    """State that somebody wrote down. What is remembered beside it matters by the decisions that it leads to."""
    return frozenset(v.name for v in system.state if v.origin in (Origin.DECLARED, Origin.GROUP))


def _writes(action: Action, variable: str) -> list[Write]:
    return [w for w in action.writes if w.var == variable]


def _parting(alignment: Alignment, pair: Pair, variable: str, w: Write) -> Expr:
    old, new = (v.ref for side in (OLD, NEW) for v in alignment.variables() if v.name == side + variable)
    before = eq(select(old, *w.keys), select(new, *w.keys))
    body = conj(before, negate(eq(read_after(old, w.keys, pair.old.writes), read_after(new, w.keys, pair.new.writes))))
    for bound in w.binders:
        body = exists(bound, body)
    return body


def settle_shared(alignment: Alignment, impossible: Callable[[Sequence[Expr]], bool]) -> None:
    """Leave in `alignment.shared` only what stays equal as long as the decisions do.

    SOUND: by induction over the steps that both allow: shared variables start equal, and whatever is written to them
    is the same expression of shared variables, or `impossible` says that it cannot differ.
    """
    while True:
        lost = {n for action in alignment.names for n in _parted(alignment, action, impossible)}
        if not lost:
            return
        alignment.shared -= lost


def _parted(alignment: Alignment, action: str, impossible: Callable[[Sequence[Expr]], bool]) -> Iterator[str]:
    if alignment.unchanged(action):
        return
    pair = alignment.pair(action)
    for v in alignment.variables():
        if v.name in alignment.shared and _writes(pair.old, v.name) != _writes(pair.new, v.name):
            keys = tuple(Ref(f"{s}~at{i}", s, Space.BOUND) for i, s in enumerate(v.keys))
            old, new = (read_after(v.ref, keys, a.writes) for a in (pair.old, pair.new))
            if old is not new and not impossible([pair.old.allowed, pair.new.allowed, negate(eq(old, new))]):
                yield v.name


# Cutting down


def simplified(parts: Iterable[Expr]) -> list[Expr] | None:
    """Parts with the same conjunction, without those that the others imply at a glance; None if it cannot hold."""
    return _Cutter().cut(dict.fromkeys(p for part in parts for p in conjuncts(part)), list(parts))


class _Cutter:
    def __init__(self) -> None:
        self._pins: dict[Expr, Pins] = {}
        self._known: set[Expr] = set()

    def cut(self, facts: dict[Expr, None], whole: Iterable[Expr]) -> list[Expr] | None:
        self._known.update(whole)
        while True:
            self._known.update(facts)
            pinned = self._pinned(facts)
            if pinned is None:
                return None
            kept: dict[Expr, None] = {}
            for fact in facts:
                for part in conjuncts(self._cut(fact, pinned)):
                    if part is FALSE:
                        return None
                    if part is not TRUE:
                        kept[part] = None
            if kept.keys() == facts.keys():
                return list(kept)
            facts = kept

    def _pins_of(self, e: Expr) -> Pins:
        found = self._pins.get(e)
        if found is None:
            found = self._pins[e] = pins(e)
        return found

    def _pinned(self, facts: Iterable[Expr]) -> Pins | None:
        found: dict[Expr, frozenset[Const]] = {}
        for fact in facts:
            for term, values in self._pins_of(fact).items():
                found[term] = found.get(term, values) & values
                if not found[term]:
                    return None
        return found

    def _cut(self, fact: Expr, pinned: Pins) -> Expr:
        # SOUND: a disjunct, or what stands under a negation, is false when it cannot hold beside what is pinned; and
        # what pins something down is itself only ever cut to something that pins it down as well.
        if isinstance(fact, Apply) and fact.op is Op.OR:
            if any(d in self._known for d in fact.args):
                return TRUE
            return disj(*(d for d in fact.args if negate(d) not in self._known and not apart(self._pins_of(d), pinned)))
        if isinstance(fact, Apply) and fact.op is Op.NOT and _is_and(fact.args[0]):
            return TRUE if apart(self._pins_of(fact.args[0]), pinned) else fact
        return fact


def _is_and(e: Expr) -> bool:
    return isinstance(e, Apply) and e.op is Op.AND
