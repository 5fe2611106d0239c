"""What names mean: the declarations of a policy (`World`) and what an expression at some place may use (`Context`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from policydsl import syntax as s
from policydsl.check.estimates import Estimates
from policydsl.check.surface import EntityT, EnumT, RecordT, SType
from policydsl.check.values import Local, Typed
from policydsl.core.expr import Apply, Expr, Op, Ref, Space, forall, negate, select
from policydsl.core.system import CLOCK, NOW, Input, Param
from policydsl.core.types import EntityType, MapType, Scalar
from policydsl.diagnostics import Report
from policydsl.source import Span

if TYPE_CHECKING:
    from policydsl.check.monitors import Monitors

Reader = Callable[[str, tuple[EntityType, ...], Scalar, tuple[Expr, ...]], Expr]
"""Reads the cell of a leaf (name, types of its keys, type) at some keys."""


RESERVED = {
    NOW: "the time of a request",
    CLOCK: "the time of the last allowed request",
    "allowed": "the decision, in asserts",
    "denied": "the decision, in asserts",
    "pending": "the decision, in asserts",
    "min": "a built-in function",
    "max": "a built-in function",
    "abs": "a built-in function",
    **dict.fromkeys(("Bool", "Int", "Time", "Duration", "String"), "a built-in type"),
}
"""Names that mean the same in every policy."""


@dataclass(frozen=True, slots=True)
class StateInfo:
    """A declared state variable: `keys` may have enums among them, which the core has not."""

    name: str
    keys: tuple[SType, ...]
    type: SType
    decl: s.Declaration


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """The signature of an action: its declared inputs in order, as authors see them and as the core does."""

    decl: s.ActionDecl
    params: tuple[tuple[str, SType], ...]
    inputs: tuple[Input, ...]
    locals: Mapping[str, Local]

    @property
    def name(self) -> str:
        return self.decl.name


@dataclass(slots=True)
class World:
    """All declarations of one policy and what is noted about them while it is elaborated."""

    report: Report
    path: str
    texts: Mapping[str, str]
    declared: dict[str, s.Decl] = field(default_factory=dict)
    rule_decls: dict[str, s.RuleDecl] = field(default_factory=dict)
    allowances: list[s.AllowDecl] = field(default_factory=list)
    phases: dict[str, s.PhasesDecl] = field(default_factory=dict)
    obligations: dict[str, s.ObligationDecl] = field(default_factory=dict)
    entities: dict[str, EntityT] = field(default_factory=dict)
    enums: dict[str, EnumT] = field(default_factory=dict)
    records: dict[str, RecordT | None] = field(default_factory=dict)
    consts: dict[str, Typed | None] = field(default_factory=dict)
    params: dict[str, tuple[Param, SType]] = field(default_factory=dict)
    states: dict[str, StateInfo] = field(default_factory=dict)
    groups: dict[str, EntityT] = field(default_factory=dict)
    inside: dict[str, tuple[str, ...]] = field(default_factory=dict)  # a group, and all groups within it
    actions: dict[str, ActionInfo] = field(default_factory=dict)
    individuals: dict[str, list[EntityT]] = field(default_factory=dict)
    cases: dict[str, list[EnumT]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    used_cases: set[tuple[str, str]] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    timed: bool = False
    inlined: int = 0
    monitors: Monitors | None = None
    estimates: Estimates = field(default_factory=Estimates)
    _fresh: int = 0

    def fresh(self, name: str, sort: EntityType) -> Ref:
        """A bound individual with a name of its own."""
        self._fresh += 1
        return Ref(f"{name}#{self._fresh}", sort, Space.BOUND)

    def for_all(self, sort: EntityType, body: Callable[[Expr], Expr]) -> Expr:
        bound = self.fresh(sort.name.lower(), sort)
        return forall(bound, body(bound))

    def word(self, span: Span, name: str, *, last: bool = False) -> Span:
        """The place of `name` within `span`, the first or the last one; `span` itself when the source is not known."""
        text = self.texts.get(span.path, "")
        places = [m.start() for m in re.finditer(rf"\b{re.escape(name)}\b", text[span.start : span.end])]
        if not places:
            return span
        start = span.start + places[-1 if last else 0]
        before = text[span.start : start]
        lines = before.count("\n")
        column = len(before) - before.rfind("\n") if lines else span.column + len(before)
        return Span(span.path, start, start + len(name), span.line + lines, column)

    def text(self, span: Span) -> str:
        """The source text of a place, on one line."""
        return " ".join(self.texts.get(span.path, "")[span.start : span.end].split())


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression may use. `place` completes "... is not available in ___".

    `read` is None where no state may be read; `old` is the reader of the state before a step; `now` is the time of the
    request; `past` is the time that windows end at, None where the past is not known.
    """

    world: World
    place: str
    read: Reader | None
    locals: Mapping[str, Local] = field(default_factory=dict)
    facts: frozenset[Expr] = frozenset()
    now: Expr | None = None
    past: Expr | None = None
    old: Reader | None = None
    test: bool = False
    names_individuals: bool = False
    rule: Callable[[s.RuleMatches], Expr | None] | None = None
    calls: tuple[str, ...] = ()

    def bind(self, names: Mapping[str, Local]) -> Context:
        return replace(self, locals={**self.locals, **names}) if names else self

    def knowing(self, fact: Expr) -> Context:
        """This context where `fact` is known to hold."""
        return replace(self, facts=self.facts | frozenset(conjuncts(fact)))

    @property
    def report(self) -> Report:
        return self.world.report


def conjuncts(e: Expr) -> Iterator[Expr]:
    """What must hold, each by itself, when `e` does."""
    match e:
        case Apply(op=Op.AND, args=args):
            for a in args:
                yield from conjuncts(a)
        case Apply(op=Op.NOT, args=(Apply(op=Op.OR, args=args),)):
            for a in args:
                yield from conjuncts(negate(a))
        case _:
            yield e


def read_state(name: str, sorts: tuple[EntityType, ...], type_: Scalar, keys: tuple[Expr, ...]) -> Expr:
    """The ordinary reader: the state as it is."""
    return select(Ref(name, MapType(sorts, type_) if sorts else type_, Space.STATE), *keys)


def read_next(name: str, sorts: tuple[EntityType, ...], type_: Scalar, keys: tuple[Expr, ...]) -> Expr:
    """The reader of step properties: the state after the step."""
    return select(Ref(name, MapType(sorts, type_) if sorts else type_, Space.NEXT), *keys)


def suggest(name: str, among: Iterable[str]) -> str:
    """A help line that names what the author may have meant, or nothing."""
    known = sorted(set(among))
    by_folded = {k.casefold(): k for k in reversed(known)}
    exact = by_folded.get(name.casefold())
    if exact is not None and exact != name:
        return f"did you mean `{exact}`?"
    close = get_close_matches(name, known, 1, 0.65) or [
        by_folded[k] for k in get_close_matches(name.casefold(), list(by_folded), 1, 0.65)
    ]
    return f"did you mean `{close[0]}`?" if close and close[0] != name else ""


def article(thing: str) -> str:
    return f"an {thing}" if thing[:1].lower() in "aeiou" else f"a {thing}"


def kind_of(decl: s.Decl) -> str:
    """What people call such a declaration."""
    match decl:
        case s.Import():
            return "import"
        case s.ConstDecl():
            return "constant"
        case s.ParamDecl():
            return "parameter"
        case s.EntityDecl():
            return "entity"
        case s.EnumDecl():
            return "enum"
        case s.RecordDecl():
            return "record"
        case s.GroupDecl():
            return "group"
        case s.PatternDecl():
            return "pattern"
        case s.FunctionDecl():
            return "function"
        case s.StateDecl():
            return "state variable"
        case s.ActionDecl():
            return "action"
        case s.ActionGroupDecl():
            return "group of actions"
        case s.ObligationDecl():
            return "obligation"
        case s.AllowDecl():
            return "allowance"
        case s.PhasesDecl():
            return "effect in two phases"
        case s.RuleDecl():
            return "rule"
        case s.PropertyDecl():
            return "property"
        case s.TestDecl():
            return "test"


def select_actions(world: World, names: Iterable[s.Name], what: str, how: str = "on") -> tuple[ActionInfo, ...]:
    """The actions that `names` name, groups of actions expanded, each once; unknown ones are reported.

    `what` and `how` complete "___ ___ `send`, which is not an action".
    """
    found: dict[str, ActionInfo] = {}

    def visit(name: s.Name, inside: tuple[str, ...]) -> None:
        decl = world.declared.get(name.name)
        if isinstance(decl, s.ActionDecl):
            world.used.add(name.name)
            if name.name in world.actions:
                found.setdefault(name.name, world.actions[name.name])
        elif isinstance(decl, s.ActionGroupDecl):
            world.used.add(name.name)
            if name.name in inside:
                world.report.error("E409", f"`{name.name}` is inside itself", name.span)
                return
            for member in decl.members:
                visit(member, (*inside, name.name))
        else:
            known = [n for n, d in world.declared.items() if isinstance(d, s.ActionDecl | s.ActionGroupDecl)]
            text = f"{what} {how} `{name.name}`, which is not an action"
            help_ = suggest(name.name, known) or "declare the action: " + f"`action {name.name}(...)`"
            world.report.error("E106", text, name.span, help=help_)

    for name in names:
        visit(name, ())
    return tuple(found.values())
