"""Syntax: what the parser returns. One node per construct, each with its place, which takes no part in equality."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from policydsl.source import NOWHERE, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    span: Span = field(default=NOWHERE, compare=False)


# ---- types


@dataclass(frozen=True, slots=True)
class NamedType(Node):
    """`Bool`, `Int`, `Time`, `Duration`, `String`, or the name of an enum, an entity or a record."""

    name: str


@dataclass(frozen=True, slots=True)
class RangeType(Node):
    """`Int[low..high]` or `Duration[low..high]`; the bounds are constant expressions."""

    low: Expr
    high: Expr
    of: str = "Int"


@dataclass(frozen=True, slots=True)
class SetType(Node):
    """`Set<T>`"""

    element: TypeExpr


@dataclass(frozen=True, slots=True)
class OptionType(Node):
    """`T?`"""

    value: TypeExpr


@dataclass(frozen=True, slots=True)
class MapTypeExpr(Node):
    """`K -> V` or `(K1, K2) -> V`"""

    keys: tuple[TypeExpr, ...]
    value: TypeExpr


TypeExpr: TypeAlias = NamedType | RangeType | SetType | OptionType | MapTypeExpr


# ---- expressions


@dataclass(frozen=True, slots=True)
class IntLit(Node):
    value: int


@dataclass(frozen=True, slots=True)
class BoolLit(Node):
    value: bool


@dataclass(frozen=True, slots=True)
class StrLit(Node):
    value: str


@dataclass(frozen=True, slots=True)
class DurationLit(Node):
    """`24h`, `90s`, `5m`, `7d`, `250ms`: milliseconds."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class NoneLit(Node):
    """`none`"""


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class SetLit(Node):
    """`{a, b}`"""

    elements: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Field(Node):
    """`e.name`: a record field, or an enum case `Stage.Open`."""

    subject: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`m[k1, k2]`"""

    subject: Expr
    keys: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`f(a, b)`: a function of the spec, `min`, `max`, `abs`, or a record constructor."""

    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`not e` or `-e`"""

    op: str
    arg: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`op` is one of + - * / % == != < <= > >= and or implies iff in like matches contains `starts with` `ends with`
    union minus."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class IfExpr(Node):
    condition: Expr
    then: Expr
    other: Expr


@dataclass(frozen=True, slots=True)
class Binder(Node):
    name: str
    type: TypeExpr


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """`forall b: Bot, p: Proposal . e`, `exists ...`"""

    quantifier: str  # forall, exists
    binders: tuple[Binder, ...]
    body: Expr


@dataclass(frozen=True, slots=True)
class Aggregate(Node):
    """`sum(b: Bot where c . e)`, `count(b: Bot where c)`"""

    kind: str  # sum, count
    binders: tuple[Binder, ...]
    where: Expr | None
    body: Expr | None


@dataclass(frozen=True, slots=True)
class Has(Node):
    """`e has x`: the option `e` holds a value, called `x` where this condition guards; `e has value` without a name."""

    subject: Expr
    name: str | None


@dataclass(frozen=True, slots=True)
class Old(Node):
    """`old(e)` in a step property."""

    value: Expr


@dataclass(frozen=True, slots=True)
class RuleMatches(Node):
    """`permit known_skills`, `forbid phishing`: inside an assert, whether that rule matches the request."""

    effect: str
    rule: str


@dataclass(frozen=True, slots=True)
class Event(Node):
    """An occurrence of an allowed request.

    `read_secret by principal`, `login(user)`, `open(file, _)`, `vote(_, p, true)`; `args` has None for `_`,
    and is None itself when no argument list is written.
    """

    action: str
    by: Expr | None
    args: tuple[Expr | None, ...] | None


@dataclass(frozen=True, slots=True)
class Past(Node):
    """`once [within d] e`, `historically [within d] e`, `previously e`; `what` is an event or a state formula."""

    op: str  # once, historically, previously
    within: Expr | None
    what: Event | Expr


@dataclass(frozen=True, slots=True)
class Since(Node):
    """`a since [within d] e`: `e` has happened, and since the last time `a` has happened (an event),
    has not happened (`no a since e`, `negated`), or has held all along (a formula)."""

    what: Event | Expr
    negated: bool
    within: Expr | None
    event: Event | Expr


@dataclass(frozen=True, slots=True)
class Window(Node):
    """`count(E within w)`, `sum(E.field within w)`: over the allowed requests of the last `w`."""

    kind: str  # count, sum
    event: Event
    field: str | None
    within: Expr | None


Expr: TypeAlias = (
    IntLit | BoolLit | StrLit | DurationLit | NoneLit | Name | SetLit | Field | Index | Call | Unary | Binary
    | IfExpr | Quantified | Aggregate | Has | Old | RuleMatches | Event | Past | Since | Window
)  # fmt: skip


# ---- statements


@dataclass(frozen=True, slots=True)
class Require(Node):
    condition: Expr
    reason: str | None


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`target := e`, `target += e`, `target -= e`; the target is a `Name`, an `Index` or a `Field` of one."""

    target: Expr
    op: str  # := += -=
    value: Expr


@dataclass(frozen=True, slots=True)
class If(Node):
    condition: Expr
    then: tuple[Stmt, ...]
    other: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class ForEach(Node):
    """`for each b: Bot [where c] { ... }`"""

    binder: Binder
    where: Expr | None
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class AddTo(Node):
    """`add e to s`, `remove e from s`: sets and groups."""

    op: str  # add, remove
    element: Expr
    target: Expr


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`let x = e`"""

    name: str
    value: Expr


Stmt: TypeAlias = Require | Assign | If | ForEach | AddTo | Let


# ---- declarations


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration(Node):
    """`name_span` is the place of the declared name; `doc` is the `///` text above, without the slashes."""

    doc: str = field(default="", compare=False)
    name_span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Import(Declaration):
    """`import mvg.types`"""

    module: str


@dataclass(frozen=True, slots=True)
class ConstDecl(Declaration):
    name: str
    type: TypeExpr | None
    value: Expr


@dataclass(frozen=True, slots=True)
class ParamDecl(Declaration):
    """`param QUORUM: Int[100..1000] = 300`"""

    name: str
    type: TypeExpr
    value: Expr


@dataclass(frozen=True, slots=True)
class EntityDecl(Declaration):
    """`entity Bot` or `entity Bot { root, ops }` with named individuals."""

    name: str
    individuals: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class EnumDecl(Declaration):
    name: str
    cases: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class RecordDecl(Declaration):
    name: str
    fields: tuple[Binder, ...]


@dataclass(frozen=True, slots=True)
class GroupDecl(Declaration):
    """`group Owners of Bot in Admins, Staff`: every owner is an admin and staff."""

    name: str
    entity: str
    parents: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class PatternDecl(Declaration):
    """`pattern secret = "sk-[a-z0-9]+"`: a regular expression, for `contains secret` and `matches secret`."""

    name: str
    regex: str


@dataclass(frozen=True, slots=True)
class FunctionDecl(Declaration):
    name: str
    params: tuple[Binder, ...]
    result: TypeExpr
    body: Expr


@dataclass(frozen=True, slots=True)
class StateDecl(Declaration):
    """`state yes, no : Proposal -> Int = 0`: one node per name; `init` is None for `= any`."""

    name: str
    type: TypeExpr
    init: Expr | None


@dataclass(frozen=True, slots=True)
class ActionDecl(Declaration):
    """`[fair] action a(principal: Bot, p: P) { ... }`; `body` is None when no braces are written."""

    name: str
    params: tuple[Binder, ...]
    body: tuple[Stmt, ...] | None
    fair: bool


@dataclass(frozen=True, slots=True)
class ActionGroupDecl(Declaration):
    """`actions messaging = send_message, post`"""

    name: str
    members: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class ObligationDecl(Declaration):
    """`obligation freeze(who: Skill)`"""

    name: str
    params: tuple[Binder, ...]


@dataclass(frozen=True, slots=True)
class ObligationCall(Node):
    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class AllowDecl(Declaration):
    """`allow a, b while unavailable`, `allow a, b while locked down`; `on` names actions or action groups."""

    on: tuple[Name, ...]
    while_: str  # unavailable, locked down


@dataclass(frozen=True, slots=True)
class PhasesDecl(Declaration):
    """`two phase call: reserve by a, commit by b, abort by c, expire by d`, the parts in any order, `expire` or not."""

    name: str
    reserve: Name
    commit: Name
    abort: Name
    expire: Name | None = None


@dataclass(frozen=True, slots=True)
class RuleDecl(Declaration):
    """A rule. `on` names actions or action groups.

    permit, forbid: `permit r on a, b when e unless e because "..." then quarantine(principal)`
    approve: `approve r on a when e by human within 10m`
    redact: `redact r on a when text contains secret replace with "[redacted]"`
    limit: `limit r on a when e to 20 per 1m for each principal`
    budget: `budget r on a.amount when e to 10_000 per 24h for each principal`
    """

    effect: str
    name: str
    on: tuple[Name, ...]
    when: tuple[Expr, ...] = ()
    unless: tuple[Expr, ...] = ()
    because: str = ""
    then: tuple[ObligationCall, ...] = ()
    by: str = ""  # approve: who
    within: Expr | None = None  # approve: how long
    replacement: str = ""  # redact
    field: str = ""  # budget
    to: Expr | None = None  # limit, budget
    per: Expr | None = None
    keys: tuple[Expr, ...] = ()  # `for each k`


@dataclass(frozen=True, slots=True)
class PropertyDecl(Declaration):
    """`[expect refuted] invariant name [on action, ...] [because "..."]: e`

    kind: invariant, lemma, reachable, assert, step, assume, eventually. `goal` only for `eventually n: e leads to
    goal`, whose leading `forall` binders stand in `binders`. `overrides` for `assert n: forbid a overrides permit b`.
    """

    kind: str
    name: str
    expr: Expr
    goal: Expr | None = None
    binders: tuple[Binder, ...] = ()
    on: tuple[Name, ...] = ()
    overrides: Expr | None = None
    expected: str = "proved"
    because: str = ""


@dataclass(frozen=True, slots=True)
class GivenStmt(Node):
    """`given trust[s1] = 80`, `given bob in Admins`, `given QUORUM = 10`"""

    target: Expr
    value: Expr | None


@dataclass(frozen=True, slots=True)
class Outcome(Node):
    """`expect deny by rule "reason" with quarantine(s1) without alert`: what is expected of the request before it."""

    effect: str  # allow, deny, pending
    by: Name | None = None
    reason: str | None = None
    given: tuple[ObligationCall, ...] = ()
    spared: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class TestAction(Node):
    """`[at 5m] send(s1, "hello") [expect ...]`"""

    at: Expr | None
    action: str
    args: tuple[Expr, ...]
    expected: Outcome | None = None


@dataclass(frozen=True, slots=True)
class TestAnswer(Node):
    """`[at 6m] approve rule [expect ...]`: what a human answers to the latest request that waits for this rule."""

    at: Expr | None
    rule: Name
    approved: bool
    expected: Outcome | None = None


@dataclass(frozen=True, slots=True)
class TestExpect(Node):
    """`expect yes[p1] == 100`"""

    expr: Expr


TestStmt: TypeAlias = GivenStmt | TestAction | TestAnswer | TestExpect


@dataclass(frozen=True, slots=True)
class TestDecl(Declaration):
    name: str
    body: tuple[TestStmt, ...]


Decl: TypeAlias = (
    Import | ConstDecl | ParamDecl | EntityDecl | EnumDecl | RecordDecl | GroupDecl | PatternDecl | FunctionDecl
    | StateDecl | ActionDecl | ActionGroupDecl | ObligationDecl | AllowDecl | PhasesDecl | RuleDecl | PropertyDecl
    | TestDecl
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Module(Node):
    """A parsed file. `name` is None when no `module` line is written."""

    path: str
    name: str | None
    doc: str
    declarations: tuple[Decl, ...]
