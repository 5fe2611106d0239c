"""The transition system: everything a specification means, and all that a back end sees.

NOTE(total-core): a system is deterministic and total. A request names an action and gives its inputs. If every guard
of the action holds, the request is allowed and all its writes happen at once; otherwise nothing at all changes. So a
denied request is a stutter, an invariant needs checking on allowed steps only, and no frame condition exists anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from policydsl.core.expr import Const, Expr, Ref, Space, conj
from policydsl.core.types import EntityType, MapType, Scalar, Type
from policydsl.source import NOWHERE, Span

CLOCK = "clock"
"""The state variable that remembers the time of the last allowed request, in systems that know time."""
NOW = "now"
"""The input that carries the time of the request in systems that know time."""
PRINCIPAL = "principal"
"""The input that says who asks."""


class Effect(Enum):
    """What the enforcer answers."""

    ALLOW = "allow"
    DENY = "deny"
    PENDING = "pending"  # everything but a human's answer is there


class GuardKind(Enum):
    """Why a guard is there; the order is the order of evaluation, so the first that fails is the reason given."""

    ASSUME = "assume"  # what proofs take for granted about requests, so it is checked
    REQUIRE = "require"
    FORBID = "forbid"
    LIMIT = "limit"
    PERMIT = "permit"
    APPROVE = "approve"


class PropertyKind(Enum):
    INVARIANT = "invariant"  # holds in every reachable state
    LEMMA = "lemma"  # an invariant offered to help others; proved like one
    REACHABLE = "reachable"  # some run gets there
    ASSERT = "assert"  # holds of every request in every reachable state, allowed or not
    STEP = "step"  # holds of every allowed step: a formula over the state before and after
    LEADS_TO = "eventually"  # whenever `expr` holds, `goal` holds then or later, under fairness


class Origin(Enum):
    """Who asked for a state variable."""

    DECLARED = "declared"
    GROUP = "group"
    CLOCK = "clock"
    MONITOR = "monitor"  # remembers the past for a temporal condition, a limit or a budget
    GHOST = "ghost"  # a running sum


class Expected(Enum):
    PROVED = "proved"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Param:
    """A number that a deployment may choose in `[low, high]`; proofs hold for all choices."""

    name: str
    type: Scalar
    default: Const
    low: int | None = None
    high: int | None = None
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False)

    @property
    def ref(self) -> Ref:
        return Ref(self.name, self.type, Space.PARAM)


@dataclass(frozen=True, slots=True)
class StateVar:
    """A state variable. `init` mentions parameters only, and is None when any initial value is possible.

    `written` is what authors write for a cell, with `{0}`, `{1}`, ... for its keys, where it was declared as something
    larger; it means nothing.
    """

    name: str
    keys: tuple[EntityType, ...]
    type: Scalar
    init: Expr | None
    origin: Origin = Origin.DECLARED
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False)
    written: str = field(default="", compare=False)

    @property
    def ref(self) -> Ref:
        return Ref(self.name, self.full_type, Space.STATE)

    @property
    def next(self) -> Ref:
        return Ref(self.name, self.full_type, Space.NEXT)

    @property
    def full_type(self) -> Type:
        return MapType(self.keys, self.type) if self.keys else self.type


@dataclass(frozen=True, slots=True)
class Input:
    """An argument of a request. Its range, if any, is one of the action's ASSUME guards."""

    name: str
    type: Scalar
    doc: str = ""

    @property
    def ref(self) -> Ref:
        return Ref(self.name, self.type, Space.INPUT)


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition that must hold for the request to be allowed. `rule` names the rule it came from, if one did."""

    kind: GuardKind
    expr: Expr
    reason: str
    rule: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class RuleUse:
    """One rule as it applies to one action, kept for explanation and vacuity: `condition` is when the rule matches."""

    rule: str
    effect: str  # permit, forbid, approve, redact, limit, budget
    condition: Expr
    reason: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Obligation:
    """What the enforcer must also do when `condition` holds of a request that gets decision `on`."""

    name: str  # approve, redact, quarantine, notify, ... or one that the spec declares
    args: tuple[Expr, ...]
    condition: Expr
    on: Effect
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """Set `var` at `keys` to `value`, computed in the state before the step, for every value of `binders`.

    Each key is either free of binders or exactly one binder; each binder is exactly one key. Later writes of the same
    variable win where they meet.
    """

    var: str
    keys: tuple[Expr, ...]
    value: Expr
    binders: tuple[Ref, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of request: what must hold, what then changes, and what must be done beside."""

    name: str
    inputs: tuple[Input, ...]
    guards: tuple[Guard, ...]
    writes: tuple[Write, ...]
    rules: tuple[RuleUse, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    fair: bool = False
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False)

    @property
    def allowed(self) -> Expr:
        """When the request is allowed."""
        return conj(*(g.expr for g in self.guards))

    @property
    def only_reads(self) -> bool:
        """Whether allowing it changes nothing but the time, and asks nothing of anybody."""
        writes = {w.var for w in self.writes}
        asks = any(g.kind is GuardKind.APPROVE for g in self.guards) or bool(self.obligations)
        return writes <= {CLOCK} and not asks

    @property
    def assumed(self) -> Expr:
        return conj(*(g.expr for g in self.guards if g.kind is GuardKind.ASSUME))


@dataclass(frozen=True, slots=True)
class Property:
    """Something claimed of the system. `action` limits an assert or a step property to one action ("" for all)."""

    name: str
    kind: PropertyKind
    expr: Expr
    goal: Expr | None = None
    action: str = ""
    expected: Expected = Expected.PROVED
    because: str = ""
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Sum:
    """The state variable `var`, at `keys`, always equals the sum of `body` over all values of `bound`.

    `keys` are bound references free in `body`. The lowering makes it so by construction: see `check.sums`.
    """

    var: str
    keys: tuple[Ref, ...]
    bound: Ref
    body: Expr


@dataclass(frozen=True, slots=True)
class Phases:
    """Actions that are one effect on the outside: `reserve` promises it, then exactly one of the others ends it.

    `commit` and `abort` take the inputs of `reserve` that they share with it from there; `expire` ("" for none) takes
    all of its inputs from there, and is for reservations of which nothing is heard any more.
    """

    name: str
    reserve: str
    commit: str
    abort: str
    expire: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class System:
    """A whole specification, lowered.

    `fail_open` names actions that only read, and are allowed when the state cannot be kept; `recovery` those that are
    decided as ever in a lockdown, when all others are denied.
    """

    name: str
    params: tuple[Param, ...]
    state: tuple[StateVar, ...]
    actions: tuple[Action, ...]
    properties: tuple[Property, ...]
    sums: tuple[Sum, ...] = ()
    individuals: tuple[Const, ...] = ()  # named in the spec, pairwise different
    doc: str = ""
    fail_open: tuple[str, ...] = ()
    recovery: tuple[str, ...] = ()
    phases: tuple[Phases, ...] = ()
    # What was declared as a duration or a time: (space, name), for those who write values; it means nothing else.
    spans: frozenset[tuple[Space, str]] = field(default=frozenset(), compare=False)
    times: frozenset[tuple[Space, str]] = field(default=frozenset(), compare=False)

    def __hash__(self) -> int:
        """Cheap, since systems are the keys of many caches; two that are equal have the same."""
        parts = (self.params, self.state, self.actions, self.properties)
        return hash((self.name, *(len(xs) for xs in parts), *(xs[0].name for xs in parts if xs)))

    @property
    def timed(self) -> bool:
        """Whether requests carry a time."""
        return any(v.origin is Origin.CLOCK for v in self.state)

    def variable(self, name: str) -> StateVar:
        return next(v for v in self.state if v.name == name)

    def action(self, name: str) -> Action:
        return next(a for a in self.actions if a.name == name)

    def claim(self, name: str) -> Property:
        return next(p for p in self.properties if p.name == name)


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a test expects to be answered: `effect`, the rule and the reason, if stated, obligations that are there, and
    the names of such as are not.

    `obligations` give the values that are compared, which may be fewer than there are.
    """

    effect: Effect
    by: str = ""
    reason: str = ""
    obligations: tuple[tuple[str, tuple[Const, ...]], ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestStep:
    """One request of a test."""

    action: str
    inputs: tuple[tuple[str, Const], ...]
    expected: Awaited | None = None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class TestAnswer:
    """What a human answers, at the time `at`, to the latest request of a test that waits for the rule `rule`."""

    rule: str
    approved: bool
    at: int
    expected: Awaited | None = None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class TestCheck:
    """A formula over the state that must hold at this point of a test."""

    expr: Expr
    text: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Given:
    """A cell of the initial state, set for a test."""

    var: str
    keys: tuple[Const, ...]
    value: Const


@dataclass(frozen=True, slots=True)
class Test:
    """A concrete run with expectations, from a `test` block."""

    name: str
    params: tuple[tuple[str, Const], ...]
    given: tuple[Given, ...]
    steps: tuple[TestStep | TestAnswer | TestCheck, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Program:
    """What one specification file lowers to."""

    path: str
    system: System
    tests: tuple[Test, ...]
