"""Two versions of a system to one vocabulary, in which equal parts are the same object.

Enumerations of one name become one with the cases of both; bound names become canonical; a state variable that both
versions write alike keeps its name, and any other becomes `old:x` and `new:x`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from policydsl.core.expr import (
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    disj,
    eq,
    forall,
    ite,
    rebuild,
    select,
    substitute,
    subterms,
)
from policydsl.core.system import Action, Guard, GuardKind, Input, Obligation, Param, StateVar, System, Write
from policydsl.core.types import EntityType, EnumType, MapType, Scalar, Type

OLD, NEW = "old:", "new:"
SIDES = (OLD, NEW)
_BINDERS = (Op.FORALL, Op.EXISTS, Op.SUM)


def enums(old: System, new: System) -> dict[str, EnumType]:
    """The enumerations whose cases differ, each with the cases of both versions, those of the new one first."""
    cases = [_enums(s) for s in (new, old)]
    return {
        name: EnumType(name, tuple(dict.fromkeys((*there, *here))))
        for name, there in cases[0].items()
        if (here := cases[1].get(name, there)) != there
    }


def _enums(system: System) -> dict[str, tuple[str, ...]]:
    types: list[Scalar] = [v.type for v in system.state] + [i.type for a in system.actions for i in a.inputs]
    types += [p.type for p in system.params]
    return {t.name: t.cases for t in types if isinstance(t, EnumType)}


@dataclass(frozen=True)
class Vocabulary:
    """How the expressions of one side are said in the common vocabulary."""

    side: str
    enums: dict[str, EnumType]
    shared: frozenset[str]
    params: dict[Ref, Const]  # parameters that are fixed to their defaults
    memo: dict[Expr, Expr]

    def scalar(self, type: Scalar) -> Scalar:
        return self.enums.get(type.name, type) if isinstance(type, EnumType) else type

    def type(self, type: Type) -> Type:
        return MapType(type.keys, self.scalar(type.value)) if isinstance(type, MapType) else self.scalar(type)

    def variable(self, name: str) -> str:
        return name if name in self.shared else self.side + name

    def __call__(self, root: Expr) -> Expr:
        memo = self.memo
        if root in memo:
            return memo[root]
        for e in subterms(root):
            if e not in memo:
                memo[e] = self._one(e)
        return memo[root]

    def _one(self, e: Expr) -> Expr:
        match e:
            case Const():
                return Const(e.value, self.type(e.type))
            case Ref():
                if e in self.params:
                    return self(self.params[e])
                state = e.space in (Space.STATE, Space.NEXT)
                return Ref(self.variable(e.name) if state else e.name, self.type(e.type), e.space)
            case Apply():
                args = tuple(self.memo[a] for a in e.args)
                if e.op in _BINDERS:
                    return self._canonical(e, args)
                if all(a is b for a, b in zip(args, e.args)):
                    return e
                if e.op is Op.SELECT:
                    return select(*args)
                return ite(*args) if e.op is Op.ITE else rebuild(e.op, args, e.type)

    def _canonical(self, e: Apply, args: tuple[Expr, ...]) -> Expr:
        bound, body = args
        # Named by how deep the body goes, so that nested names differ and equal formulas are equal wherever they stand.
        depth = max((_level(t) for t in subterms(body) if _is_canonical(t)), default=0) + 1
        name = Ref(f"{bound.type}~{depth}", bound.type, Space.BOUND)
        return rebuild(e.op, (name, substitute(body, {bound: name})), e.type)

    def write(self, w: Write) -> Write:
        images: dict[Expr, Expr] = {b: Ref(f"{b.type}~w{i}", b.type, Space.BOUND) for i, b in enumerate(w.binders)}
        keys = tuple(substitute(self(k), images) for k in w.keys)
        binders = tuple(i for b in w.binders if isinstance(i := images[b], Ref))
        return Write(self.variable(w.var), keys, substitute(self(w.value), images), binders)

    def guard(self, g: Guard) -> Guard:
        return replace(g, expr=self(g.expr))

    def obligation(self, o: Obligation) -> Obligation:
        return replace(o, args=tuple(map(self, o.args)), condition=self(o.condition))

    def action(self, a: Action) -> Action:
        """The action, with a guard for inputs that it would not know to be values of their type."""
        inputs = tuple(replace(i, type=self.scalar(i.type)) for i in a.inputs)
        known = [
            Guard(GuardKind.ASSUME, one_of(after.ref, before.type.cases), "ill-typed input")
            for before, after in zip(a.inputs, inputs)
            if isinstance(before.type, EnumType) and before.type != after.type
        ]
        return replace(
            a,
            inputs=inputs,
            guards=(*known, *map(self.guard, a.guards)),
            writes=tuple(map(self.write, a.writes)),
            obligations=tuple(map(self.obligation, a.obligations)),
        )


def _is_canonical(e: Expr) -> bool:
    return isinstance(e, Ref) and e.space is Space.BOUND and "~" in e.name and "~w" not in e.name


def _level(e: Expr) -> int:
    assert isinstance(e, Ref)
    return int(e.name.rpartition("~")[2])


def one_of(term: Expr, cases: Iterable[str]) -> Expr:
    assert isinstance(term.type, EnumType)
    return disj(*(eq(term, Const(c, term.type)) for c in cases))


@dataclass(frozen=True)
class Pair:
    """One action as both versions have it, in the common vocabulary. `inputs` are those of both."""

    name: str
    old: Action
    new: Action
    inputs: tuple[Input, ...]


class Alignment:
    """The two versions side by side. `shared` are state variables that are equal as long as decisions are."""

    def __init__(self, old: System, new: System) -> None:
        self.old, self.new = old, new
        self.enums = enums(old, new)
        self.common = frozenset(v.name for v in old.state if self._same_declaration(v.name))
        self._fixed = {s: dict(self._fixed_params(s)) for s in SIDES}
        self._pairs: dict[tuple[str, frozenset[str]], Pair] = {}
        self._memos: dict[tuple[str, frozenset[str]], dict[Expr, Expr]] = {}
        self.shared = frozenset(n for n in self.common if self._init(OLD, n) is self._init(NEW, n))
        self.names = [a.name for a in new.actions if self._comparable(a)]

    # What matches what

    def _same_declaration(self, name: str) -> bool:
        old = next(v for v in self.old.state if v.name == name)
        new = next((v for v in self.new.state if v.name == name), None)
        return new is not None and (old.keys, self._joint(old.type)) == (new.keys, self._joint(new.type))

    def _joint(self, type: Scalar) -> Scalar:
        return self.enums.get(type.name, type) if isinstance(type, EnumType) else type

    def _fixed_params(self, side: str) -> Iterator[tuple[Ref, Const]]:
        here, there = (self.old, self.new) if side == OLD else (self.new, self.old)
        others = {p.name: p for p in there.params}
        for p in here.params:
            other = others.get(p.name)
            if other is None or (other.type, other.default) != (p.type, p.default):
                yield p.ref, p.default

    def params(self) -> tuple[Param, ...]:
        """The parameters that both have with the same default, in the range that both allow."""
        found = []
        for p in self.new.params:
            if p.ref not in self._fixed[NEW]:
                other = next(q for q in self.old.params if q.name == p.name)
                lows = [b for b in (p.low, other.low) if b is not None]
                highs = [b for b in (p.high, other.high) if b is not None]
                found.append(replace(p, low=max(lows, default=None), high=min(highs, default=None)))
        return tuple(found)

    def _comparable(self, action: Action) -> bool:
        other = next((a for a in self.old.actions if a.name == action.name), None)
        if other is None:
            return False
        types = {i.name: self._joint(i.type) for i in other.inputs}
        return all(types.get(i.name, self._joint(i.type)) == self._joint(i.type) for i in action.inputs)

    def _init(self, side: str, name: str) -> Expr | None:
        system = self.old if side == OLD else self.new
        init = system.variable(name).init
        return None if init is None else self.vocabulary(side, self.common)(init)

    def starts_differ(self) -> bool:
        """Whether a common variable starts otherwise."""
        return any(self._init(OLD, n) is not self._init(NEW, n) for n in self.common)

    # Said in common

    def vocabulary(self, side: str, shared: frozenset[str] | None = None) -> Vocabulary:
        chosen = self.shared if shared is None else shared
        memo = self._memos.setdefault((side, chosen), {})
        return Vocabulary(side, self.enums, chosen, self._fixed[side], memo)

    def pair(self, name: str, shared: frozenset[str] | None = None) -> Pair:
        key = name, self.shared if shared is None else shared
        found = self._pairs.get(key)
        if found is None:
            old = self.vocabulary(OLD, shared).action(self.old.action(name))
            new = self.vocabulary(NEW, shared).action(self.new.action(name))
            known = {i.name for i in new.inputs}
            inputs = (*new.inputs, *(i for i in old.inputs if i.name not in known))
            found = self._pairs[key] = Pair(name, old, new, inputs)
        return found

    def unchanged(self, name: str) -> bool:
        """Whether an action is the same in both, and so are all the things that it mentions."""
        if self.enums or any(self._fixed.values()):
            return False
        a, b = self.old.action(name), self.new.action(name)
        if (a.inputs, a.guards, a.writes, a.obligations) != (b.inputs, b.guards, b.writes, b.obligations):
            return False
        return self.shared == {v.name for v in self.old.state} == {v.name for v in self.new.state}

    def variables(self) -> tuple[StateVar, ...]:
        """The state of both versions."""
        found: list[StateVar] = []
        for side, system in ((OLD, self.old), (NEW, self.new)):
            say = self.vocabulary(side)
            for v in system.state:
                if side == OLD or v.name not in self.shared:
                    init = None if v.init is None else say(v.init)
                    found.append(replace(v, name=say.variable(v.name), type=say.scalar(v.type), init=init))
        return tuple(found)

    def equal_now(self) -> list[Expr]:
        """That common variables which are not shared hold the same."""
        return [_equal(v) for v in self._split()]

    def start(self) -> list[Expr]:
        """That both start in the same state where any is possible."""
        return [*(_equal(v) for v in self._split() if v.init is None), *self.ranges()]

    def _split(self) -> list[StateVar]:
        return [replace(v, type=self._joint(v.type)) for v in self.old.state if v.name in self.common - self.shared]

    def ranges(self) -> list[Expr]:
        """That variables hold cases that their version knows."""
        found: list[Expr] = []
        for side, system in ((OLD, self.old), (NEW, self.new)):
            say = self.vocabulary(side)
            for v in system.state:
                if isinstance(v.type, EnumType) and v.type.name in self.enums:
                    cases = v.type.cases
                    there = replace(v, name=say.variable(v.name), type=say.scalar(v.type))
                    found.append(_for_all_keys(there, one_of(_cell(there), cases)))
        return found

    def individuals(self) -> tuple[Const, ...]:
        return tuple(dict.fromkeys((*self.old.individuals, *self.new.individuals)))


def _cell(v: StateVar) -> Expr:
    return select(v.ref, *_keys(v.keys))


def _keys(sorts: tuple[EntityType, ...]) -> list[Ref]:
    return [Ref(f"{s}~k{i}", s, Space.BOUND) for i, s in enumerate(sorts)]


def _for_all_keys(v: StateVar, body: Expr) -> Expr:
    for bound in reversed(_keys(v.keys)):
        body = forall(bound, body)
    return body


def _equal(v: StateVar) -> Expr:
    old, new = (replace(v, name=side + v.name) for side in SIDES)
    return _for_all_keys(v, eq(_cell(old), _cell(new)))
