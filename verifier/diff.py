"""Two versions of a system to what the change means: requests that are answered differently, each shown by a run.

For each action and each way of differing the question is first asked of any state at all: `unsat` there means that no
run ever shows a difference. Otherwise a shortest run is looked for in lock step: both versions get the same requests,
all of which both allow, until they differ. Only what both interpreters confirm is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import z3

from policydsl.core.after import reads
from policydsl.core.expr import FALSE, Const, Expr, conj, disj, negate, subterms
from policydsl.core.system import Action, Guard, GuardKind, Property, PropertyKind, System
from policydsl.core.types import IntType
from policydsl.interp import Request
from policydsl.trace import Trace
from verifier.bounded import Goal, Limits, Searcher
from verifier.diff_align import NEW, OLD, Alignment, Pair
from verifier.diff_cases import Case, Kind, decisions, effects, obligations, settle_shared, simplified
from verifier.diff_edits import Edit, edits
from verifier.diff_operation import Operation, operation
from verifier.diff_play import Player
from verifier.diff_small import Play, Shrinker
from verifier.induction import initially
from verifier.rules_ask import Asker
from verifier.situation import Situation, smallest
from verifier.solve import Answer
from verifier.verdict import Proved, Verification
from verifier.verify import Settings, verify

__all__ = ["Diff", "Difference", "Edit", "Kind", "Operation", "Shown", "VerdictChange", "diff"]

RLIMIT = 2_000_000
PROOF_RLIMIT = 300_000
"""Solver steps for the attempt to prove that no run gets where a difference shows."""
DEPTH = 6
FEW = 4
"""So many things that may follow from different states are looked into one by one."""
LIMITS = Limits(depth=DEPTH, total=20_000_000)


class Shown(Enum):
    """How sure a difference is."""

    RUN = "run"  # a run from an initial state shows it
    STATE = "state"  # some state shows it, but no run that was looked for gets there
    DRIFT = "drift"  # the same, and only where the two versions are in different states, as others may lead to
    UNKNOWN = "unknown"  # neither shown nor ruled out


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which answers to requests of `action` differ.

    `old` and `new` are the same requests, put to each version; the last one shows it. With `STATE` and `DRIFT` they
    start in a state that may be unreachable: no run of up to `depth` requests shows it. They are None where there is
    nothing to show but that a drift shown elsewhere may lead to it.
    """

    action: str
    kind: Kind
    shown: Shown
    old: Trace | None = None
    new: Trace | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A property whose verdict is another now; "" where a version does not have it."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Diff:
    """What was edited, and what that means. `skipped` are actions with inputs that cannot be compared, `operation` is
    what the enforcer is told differently."""

    old: str
    new: str
    edits: tuple[Edit, ...]
    differences: tuple[Difference, ...]
    verdicts: tuple[VerdictChange, ...] = ()
    skipped: tuple[str, ...] = ()
    operation: tuple[Operation, ...] = ()

    @property
    def same(self) -> bool:
        """Whether it is certain that both versions answer every run of requests alike."""
        actions = any(e.what == "action" for e in self.edits)
        return not (self.differences or self.skipped or self.operation or actions)

    @property
    def undecided(self) -> bool:
        return any(d.shown is Shown.UNKNOWN for d in self.differences)


def diff(
    old: System,
    new: System,
    old_results: Verification | None = None,
    new_results: Verification | None = None,
    limits: Limits = LIMITS,
    proof_rlimit: int = PROOF_RLIMIT,
) -> Diff:
    """Everything that differs. Proved invariants among the results rule out states that no run reaches; unless
    `proof_rlimit` is 0, such invariants are also looked for.
    """
    alignment = Alignment(old, new)
    skipped = tuple(
        a.name for a in new.actions if a.name not in alignment.names and a.name in {b.name for b in old.actions}
    )
    known = [(OLD, e) for e in _proved(old_results)] + [(NEW, e) for e in _proved(new_results)]
    found = _Comparison(alignment, known, limits, proof_rlimit).differences()
    told = operation(old, new)
    return Diff(old.name, new.name, edits(alignment), found, _verdicts(old_results, new_results), skipped, told)


def _proved(results: Verification | None) -> list[Expr]:
    found: list[Expr] = []
    for o in results.outcomes if results is not None else ():
        if isinstance(o.verdict, Proved) and o.property.kind in (PropertyKind.INVARIANT, PropertyKind.LEMMA):
            found += [o.property.expr, *o.verdict.lemmas]
    return found


def _verdicts(old: Verification | None, new: Verification | None) -> tuple[VerdictChange, ...]:
    if old is None or new is None:
        return ()
    before, after = ({o.property.name: o.status for o in v.outcomes} for v in (old, new))
    names = dict.fromkeys([*after, *before])
    return tuple(VerdictChange(n, before.get(n, ""), after.get(n, "")) for n in names if before.get(n) != after.get(n))


@dataclass(frozen=True)
class _Open:
    """A difference that no single request shows at the start, and what to say unless a run shows it."""

    goal: Goal
    pair: Pair
    kind: Kind
    otherwise: Difference


class _Comparison:
    def __init__(
        self, alignment: Alignment, known: Sequence[tuple[str, Expr]], limits: Limits, proof_rlimit: int
    ) -> None:
        self.alignment = alignment
        self.limits = limits
        self.proof_rlimit = proof_rlimit
        self.context = z3.Context()
        self.player = Player(alignment)
        self.joint = System(f"{alignment.old.name} and {alignment.new.name}", (), (), (), ())
        self._join()
        settle_shared(alignment, lambda parts: self._ask(parts, alignment.ranges())[0] is Answer.UNSAT)
        self._join()
        self.known = [alignment.vocabulary(side)(e) for side, e in known]

    def _join(self) -> None:
        al = self.alignment
        self.joint = System(self.joint.name, al.params(), al.variables(), (), (), (), al.individuals())

    def differences(self) -> tuple[Difference, ...]:
        found: list[Difference] = []
        open_: list[_Open] = []
        for name in self.alignment.names:
            if self.alignment.unchanged(name):
                continue
            pair = self.alignment.pair(name)
            cases = [*decisions(pair), *obligations(pair), *effects(self.alignment, name)]
            for kind in Kind:
                match self._compare(pair, kind, [c for c in cases if c.kind is kind]):
                    case Difference() as difference:
                        found.append(difference)
                    case _Open() as later:
                        open_.append(later)
        apart = self.alignment.starts_differ() or any(d.kind is Kind.EFFECTS for d in found)
        found += self._in_lock_step(open_, apart)
        order = {name: i for i, name in enumerate(self.alignment.names)}
        return tuple(sorted(found, key=lambda d: (order[d.action], list(Kind).index(d.kind))))

    # One action, one way of differing

    def _compare(self, pair: Pair, kind: Kind, cases: Sequence[Case]) -> Difference | _Open | None:
        possible: list[tuple[list[Expr], Answer]] = []
        for case in cases:
            parts = simplified(case.parts)
            if parts is not None:
                answer, _ = self._ask(parts, [*self.alignment.ranges(), *self.known])
                if answer is not Answer.UNSAT:
                    possible.append((parts, answer))
        if not possible:
            return None
        for parts, _ in possible:
            shown = self._at_start(pair, kind, parts)
            if shown is not None:
                return shown
        formula = disj(*(conj(*parts) for parts, _ in possible))
        goal = Goal(f"{pair.name}: {kind.value}", formula, pair.name)
        return _Open(goal, pair, kind, self._somewhere(pair, kind, possible))

    def _ask(
        self, parts: Iterable[Expr], hypotheses: Iterable[Expr], pair: Pair | None = None
    ) -> tuple[Answer, Situation | None]:
        asker = Asker(self._naming(pair), (), [*parts, *hypotheses], self.context, RLIMIT)
        answer = asker.ask()
        return answer, asker.situation(pair.inputs) if pair is not None and answer is Answer.SAT else None

    def _naming(self, pair: Pair | None) -> System:
        actions = () if pair is None else (Action(pair.name, pair.inputs, (), ()),)
        return replace(self.joint, actions=actions)

    def _at_start(self, pair: Pair, kind: Kind, parts: Sequence[Expr]) -> Difference | None:
        """A single request that shows it."""
        first = [initially(self.joint, e) for e in [*parts, *self.alignment.start()]]
        answer, s = self._ask(first, (), pair)
        if answer is not Answer.SAT or s is None:
            return None
        return self._confirmed(pair, kind, s, parts, Shown.RUN)

    def _confirmed(
        self, pair: Pair, kind: Kind, s: Situation, parts: Iterable[Expr], shown: Shown
    ) -> Difference | None:
        def differs(c: Situation) -> bool:
            return self.player.differs(kind, dict(c.params), c.cells, [Request(pair.name, dict(c.inputs))])

        action = Action(pair.name, pair.inputs, (), ())
        small = smallest(self.joint, action, s, differs, parts)
        if small is None:
            return None
        runs = self.player.runs(dict(small.params), small.cells, [Request(pair.name, dict(small.inputs))])
        return Difference(pair.name, kind, shown, runs.old, runs.new)

    def _somewhere(self, pair: Pair, kind: Kind, possible: Sequence[tuple[list[Expr], Answer]]) -> Difference:
        """A state and a request that show it, with the same state in both versions if that is possible."""
        for shown, also in ((Shown.STATE, self.alignment.equal_now()), (Shown.DRIFT, [])):
            for parts, answer in possible:
                if answer is Answer.SAT:
                    _, s = self._ask(parts, [*also, *self.alignment.ranges(), *self.known], pair)
                    found = self._confirmed(pair, kind, s, parts, shown) if s is not None else None
                    if found is not None:
                        return found
        return Difference(pair.name, kind, Shown.UNKNOWN)

    # Runs

    def _in_lock_step(self, open_: Sequence[_Open], apart: bool) -> list[Difference]:
        """Shortest runs where there are any. When it is known that the versions come to be in different states (they
        start `apart`, or an effect differs), and much may follow from that, it is only named."""
        if not open_:
            return []
        goals = [o.goal for o in open_]
        product = _cone(replace(self.joint, actions=tuple(map(self._product, self.alignment.names))), goals)
        kept = {v.name for v in product.state}
        given = [e for e in self.alignment.start() if reads(e) <= kept]
        searcher = Searcher(product, goals, self.limits, given=given)
        searcher.look(self.limits.depth)
        shown = [
            self._replayed(o, product, t) if (t := searcher.result.found.get(o.goal.name)) is not None else None
            for o in open_
        ]
        drifts = [o for o, d in zip(open_, shown, strict=True) if d is None and o.otherwise.shown is Shown.DRIFT]
        explained = apart or any(d is not None and d.kind is Kind.EFFECTS for d in shown)
        named = drifts if explained and len(drifts) > FEW else []
        found = [d for d in shown if d is not None]
        for o in (o for o, d in zip(open_, shown, strict=True) if d is None):
            depth = searcher.result.depth.get(o.goal.name, -1) + 1
            if o in named:
                found.append(Difference(o.pair.name, o.kind, Shown.DRIFT, depth=depth))
            elif not (self.proof_rlimit and _never(product, o.goal, self.proof_rlimit)):
                found.append(replace(o.otherwise, depth=depth))
        return found

    def _product(self, name: str) -> Action:
        """Both versions doing what both allow."""
        pair = self.alignment.pair(name)
        both = conj(pair.old.allowed, pair.new.allowed)
        writes = [*pair.old.writes, *(w for w in pair.new.writes if w.var not in self.alignment.shared)]
        return Action(name, pair.inputs, (Guard(GuardKind.REQUIRE, both, ""),), tuple(writes))

    def _replayed(self, o: _Open, product: System, trace: Trace) -> Difference | None:
        def differs(p: Play) -> bool:
            return self.player.differs(o.kind, p.params, p.cells, p.requests)

        play = Play(dict(trace.params), trace.start, tuple(Request(s.action, dict(s.inputs)) for s in trace.steps))
        if not differs(play):
            return None
        play = Shrinker(product, _numbers(product), differs).shrink(play)
        runs = self.player.runs(play.params, play.cells, play.requests)
        return Difference(o.pair.name, o.kind, Shown.RUN, runs.old, runs.new)


def _numbers(product: System) -> set[int]:
    """The numbers that decide something in `product`."""
    roots = [*(a.allowed for a in product.actions), *(w.value for a in product.actions for w in a.writes)]
    roots += [p.expr for p in product.properties]
    return {int(e.value) for e in subterms(*roots) if isinstance(e, Const) and isinstance(e.type, IntType)}


def _never(product: System, goal: Goal, rlimit: int) -> bool:
    """Whether it is proved that no run of `product` gets there."""
    claim = Property(goal.name, PropertyKind.ASSERT, negate(goal.formula), action=goal.action)
    settings = Settings(spacer_rlimit=rlimit, spacer_rlimit_last=1, shallow=0, limits=Limits(depth=0), vacuity=False)
    # SOUND: the product starts in every state in which both versions can start, and in more of them.
    outcomes = verify(replace(product, properties=(claim,)), settings).outcomes
    return all(isinstance(o.verdict, Proved) for o in outcomes)


def _cone(product: System, goals: Sequence[Goal]) -> System:
    """The part of `product` that the goals depend on. Requests that change none of it are left out of runs."""
    needed = set(reads(*(g.formula for g in goals)))
    while True:
        moving = [a for a in product.actions if any(w.var in needed for w in a.writes)]
        roots = [e for a in moving for w in a.writes if w.var in needed for e in (*w.keys, w.value)]
        grown = needed | reads(*roots, *(a.allowed for a in moving))
        if grown == needed:
            break
        needed = grown
    names = {a.name for a in moving}
    asked = {g.action for g in goals}
    never = (Guard(GuardKind.REQUIRE, FALSE, ""),)
    actions = [
        replace(a, guards=a.guards if a.name in names else never, writes=tuple(w for w in a.writes if w.var in needed))
        for a in product.actions
        if a.name in names | asked
    ]
    # The search learns from the properties which individuals and strings there are.
    mentioned = [g.formula for g in goals]
    return replace(
        product,
        actions=tuple(actions),
        state=tuple(v for v in product.state if v.name in needed),
        properties=tuple(Property(f"mentioned {i}", PropertyKind.REACHABLE, e) for i, e in enumerate(mentioned)),
    )
