"""Parts of a system to groups that differ in names only, each with names that can be found again in any text.

NOTE(shapes): what is found out about one part holds of another that is the same under a one-to-one renaming
(decision 012). A group is verified once, under the names of its first member, each marked with its place (`stage<v3>`),
so that whatever comes of it can be said in the names of any member.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policydsl.core.expr import NOBODY, Apply, Const, Expr, Ref, rebuild, subterms
from policydsl.core.system import (
    CLOCK,
    NOW,
    PRINCIPAL,
    Action,
    Guard,
    Input,
    Param,
    Property,
    RuleUse,
    StateVar,
    Sum,
    System,
    Write,
)
from policydsl.core.types import EntityType, EnumType, MapType, Scalar, StringType, Type
from verifier.parts import ELSEWHERE

_MARK = re.compile(r"<([a-z]\d+)>")
_KEPT = frozenset({"", CLOCK, NOW, PRINCIPAL, ELSEWHERE, "has", "value"})
"""Names that mean something to the verifier."""

How = Callable[[str, str], str]
"""A kind of name (`v` for variables, ...) and a name to the name that stands for it."""


class UntranslatableError(Exception):
    """A text in which a marked name was taken apart."""


@dataclass(frozen=True, slots=True)
class Member:
    """A part, and what it calls the things of its shape, by mark."""

    part: System
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """Parts of one shape. `system` is the first of them, with names as `marking` marks them if there are more."""

    members: tuple[Member, ...]
    system: System
    marking: Renaming | None = None

    def text(self, member: Member, text: str) -> str:
        """`text`, which came of `system`, about `member`."""
        pieces = _MARK.split(text)
        for i in range(1, len(pieces), 2):
            own = self.members[0].names.get(pieces[i], "")
            if not own or not pieces[i - 1].endswith(own):
                raise UntranslatableError(text)
            pieces[i - 1 : i + 1] = pieces[i - 1][: -len(own)], member.names[pieces[i]]
        return "".join(pieces)


def groups(parts: Sequence[System]) -> list[Group]:
    """The parts by shape, in the order of their first members."""
    found: dict[System | int, list[Member]] = {}
    for i, part in enumerate(parts):
        numbers = _Numbers()
        shape = Renaming(numbers).system(part)
        names = {mark: name for (_, name), mark in numbers.given.items()}
        plain = not any(_MARK.search(text) for text in (*names.values(), *_strings(shape)))
        # SOUND: parts share a key only if all that they mean is equal once each name is the number of its first use,
        # and different names have different numbers.
        found.setdefault(shape if plain else i, []).append(Member(part, names))
    return [_group(tuple(members)) for members in found.values()]


def alone_in_its_group(part: System) -> Group:
    """`part` as it is, whatever else has its shape."""
    return Group((Member(part, {}),), part)


def _group(members: tuple[Member, ...]) -> Group:
    first = members[0].part
    if len(members) == 1:
        return alone_in_its_group(first)
    numbers = _Numbers()

    def how(kind: str, name: str) -> str:
        mark = numbers(kind, name)
        return name if kind == "b" else f"{name}<{mark}>"  # bound names are nobody's

    marking = Renaming(how)
    return Group(members, marking.system(first), marking)


def unmarked(text: str) -> str:
    """`text` in the names of the first member."""
    return _MARK.sub("", text)


def _strings(system: System) -> Iterator[str]:
    roots = [e for a in system.actions for e in (a.allowed, *(x for w in a.writes for x in (w.value, *w.keys)))]
    roots += [p.default for p in system.params] + [v.init for v in system.state if v.init is not None]
    roots += [e for p in system.properties for e in (p.expr, p.goal) if e is not None]
    return (str(e.value) for e in subterms(*roots) if isinstance(e, Const) and isinstance(e.type, StringType))


class _Numbers:
    """Hands out marks in the order of first use, one for each kind and name."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, str], str] = {}

    def __call__(self, kind: str, name: str) -> str:
        return self.given.setdefault((kind, name), f"{kind[0]}{len(self.given)}")


class Renaming:
    """The same system, or what is said about it, under other names, and without what is for people only."""

    def __init__(self, how: How) -> None:
        self._how = how
        self._types: dict[Type, Type] = {}
        self._exprs: dict[Expr, Expr] = {}

    def name(self, kind: str, name: str) -> str:
        """Fields of records, options and sets are named apart."""
        if name in _KEPT:
            return name
        if "." not in name or ":" in name:
            return self._how(kind, name)
        stem, *fields = name.split(".")
        return ".".join([self.name(kind, stem), *(self.name("f", f) for f in fields)])

    def type(self, t: Type) -> Type:
        found = self._types.get(t)
        if found is None:
            found = self._types[t] = self._type(t)
        return found

    def _type(self, t: Type) -> Type:
        match t:
            case EnumType(name, cases):
                return EnumType(self.name("e", name), tuple(self.name(f"k {name}", c) for c in cases))
            case EntityType(name):
                return EntityType(self.name("s", name))
            case MapType(keys, value):
                return MapType(tuple(map(self.sort, keys)), self.scalar(value))
            case _:
                return t

    def sort(self, t: EntityType) -> EntityType:
        found = self.type(t)
        assert isinstance(found, EntityType)
        return found

    def scalar(self, t: Scalar) -> Scalar:
        found = self.type(t)
        assert not isinstance(found, MapType)
        return found

    def expr(self, e: Expr) -> Expr:
        found = self._exprs.get(e)
        if found is None:
            found = self._exprs[e] = self._expr(e)
        return found

    def const(self, c: Const) -> Const:
        match c.type:
            case EnumType(name):
                return Const(self.name(f"k {name}", str(c.value)), self.type(c.type))
            case EntityType(name) if c.value != NOBODY:
                return Const(self.name(f"n {name}", str(c.value)), self.type(c.type))
            case _:
                return Const(c.value, self.type(c.type))

    def ref(self, r: Ref) -> Ref:
        kind = {"state": "v", "next": "v", "input": "i", "param": "p", "bound": "b"}[r.space.value]
        return Ref(self.name(kind, r.name), self.type(r.type), r.space)

    def _expr(self, e: Expr) -> Expr:
        match e:
            case Const():
                return self.const(e)
            case Ref():
                return self.ref(e)
            case Apply():
                return rebuild(e.op, tuple(map(self.expr, e.args)), self.type(e.type))

    def system(self, s: System) -> System:
        return System(
            s.name,
            params=tuple(map(self._param, s.params)),
            state=tuple(map(self._variable, s.state)),
            actions=tuple(map(self._action, s.actions)),
            properties=tuple(map(self._property, s.properties)),
            sums=tuple(map(self._sum, s.sums)),
            individuals=tuple(map(self.const, s.individuals)),
        )

    def _param(self, p: Param) -> Param:
        return Param(self.name("p", p.name), self.scalar(p.type), self.const(p.default), p.low, p.high)

    def _variable(self, v: StateVar) -> StateVar:
        init = None if v.init is None else self.expr(v.init)
        return StateVar(self.name("v", v.name), tuple(map(self.sort, v.keys)), self.scalar(v.type), init, v.origin)

    def _action(self, a: Action) -> Action:
        # Verdicts do not depend on obligations.
        return Action(
            self.name("a", a.name),
            tuple(Input(self.name("i", i.name), self.scalar(i.type)) for i in a.inputs),
            tuple(Guard(g.kind, self.expr(g.expr), "", self._rule(g.rule)) for g in a.guards),
            tuple(map(self._write, a.writes)),
            tuple(RuleUse(self._rule(r.rule), r.effect, self.expr(r.condition)) for r in a.rules),
            fair=a.fair,
        )

    def _rule(self, names: str) -> str:
        return ", ".join(self.name("r", name) for name in names.split(", "))

    def _write(self, w: Write) -> Write:
        binders = tuple(map(self.ref, w.binders))
        return Write(self.name("v", w.var), tuple(map(self.expr, w.keys)), self.expr(w.value), binders)

    def _property(self, p: Property) -> Property:
        name, at, action = p.name.partition("@")
        goal = None if p.goal is None else self.expr(p.goal)
        return Property(
            f"{self.name('c', name)}{at}{self.name('a', action)}",
            p.kind,
            self.expr(p.expr),
            goal,
            self.name("a", p.action),
            p.expected,
        )

    def _sum(self, s: Sum) -> Sum:
        return Sum(self.name("v", s.var), tuple(map(self.ref, s.keys)), self.ref(s.bound), self.expr(s.body))
