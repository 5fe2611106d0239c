"""A system to findings about its rules: those that never matter, and those that meet, with a witness of that.

The questions are about one request in any state at all, so "never" holds in every reachable state too. Only an answer
`unsat` says never; only what the reference interpreter confirms is shown as a witness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

import z3

from policydsl.core.after import reads
from policydsl.core.expr import Expr
from policydsl.core.system import Action, Guard, GuardKind, RuleUse, System
from policydsl.core.to_json import digest
from policydsl.evaluate import FaultError
from policydsl.interp import Request, UnfitError, evaluate, initial, step
from policydsl.source import NOWHERE, Span
from policydsl.trace import Step, Trace
from verifier.parts import alone, parts
from verifier.rules_ask import RLIMIT, Asker
from verifier.rules_pins import Bucket, Pins, apart, buckets, pins
from verifier.shapes import groups
from verifier.situation import Situation, smallest
from verifier.solve import Answer

REACH = 3
"""How many steps away from an action, by shared variables, known facts are still used for it."""


class FindingKind(Enum):
    CONTRADICTION = "the assumptions contradict each other"
    NOTHING_PERMITS = "nothing permits the action"
    NEVER_MATCHES = "the rule never matches"
    DUPLICATE = "the rule says what another one says"
    SHADOWED = "the rule is shadowed by others of its effect"
    OVERRIDDEN = "whatever the rule permits is denied"
    CONFLICT = "a permit and a forbid meet"  # for information: forbid wins
    UNDECIDED = "the solver gave up"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a rule (or an action, when `rule` is empty). `others` are the rules that make it so.

    `witness` is one request, decided by the interpreter, from a state that is possibly unreachable.
    """

    kind: FindingKind
    action: str
    rule: str
    text: str
    others: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)
    witness: Trace | None = None
    certain: bool = True

    @property
    def is_fault(self) -> bool:
        """Whether an author will want to change something."""
        return self.kind not in (FindingKind.CONFLICT, FindingKind.UNDECIDED)


def analyse(system: System, known: Sequence[Expr] = (), rlimit: int = RLIMIT) -> tuple[Finding, ...]:
    """All findings, by action and rule as declared. `known` are invariants that have been proved."""
    context = z3.Context()
    name = digest(system)
    found: dict[str, list[Finding]] = {}
    for group in groups(parts(system)):
        for member in group.members:
            some = _of_part(system, member.part, known, context, rlimit, name)
            found |= some
            if not any(some.values()):
                break  # nor is there anything in the other parts of this shape
    return tuple(f for a in system.actions for f in found.get(a.name, ()))


def _of_part(
    system: System, part: System, known: Sequence[Expr], context: z3.Context, rlimit: int, name: str
) -> dict[str, list[Finding]]:
    names = frozenset(v.name for v in part.state)
    own = [k for k in known if reads(k) <= names]

    def asker(conditions: list[Expr], hypotheses: list[Expr]) -> Asker:
        return Asker(part, conditions, hypotheses, context, rlimit)

    return {a.name: _Rules(system, a, _near(a, own), asker, name).findings() for a in alone(part).actions}


def _near(action: Action, known: Sequence[Expr]) -> list[Expr]:
    """What is known of anything that decides about `action`, directly or by way of something else that is known."""
    touched = reads(action.allowed, *(r.condition for r in action.rules))
    near: list[Expr] = []
    for _ in range(REACH):
        near = [k for k in known if not touched.isdisjoint(reads(k))]
        touched = touched.union(*map(reads, near))
    return near


class _Rules:
    """The rules of one action."""

    def __init__(
        self,
        system: System,
        action: Action,
        known: Sequence[Expr],
        ask_about: Callable[[list[Expr], list[Expr]], Asker],
        name: str,
    ) -> None:
        self.system = system
        self.action = action
        self.digest = name
        self.known = list(known)
        self.ask_about = ask_about

    def findings(self) -> list[Finding]:
        assumed = self._guards(GuardKind.ASSUME)
        rest = [g for g in self.action.guards if g.kind is not GuardKind.ASSUME]
        asker = self.ask_about([g.expr for g in [*assumed, *rest]], self.known)
        everything = list(range(len(assumed) + len(rest)))
        answer = asker.ask(everything[: len(assumed)])
        if answer is Answer.UNSAT:
            needed, _ = asker.needed(everything[: len(assumed)], [])
            reasons = " and ".join(f"`{assumed[i].reason}`" for i in needed)
            text = f"no request of `{self.action.name}` meets its assumptions: {reasons} contradict each other"
            return [Finding(FindingKind.CONTRADICTION, self.action.name, "", text, span=self.action.span)]
        found = []
        if asker.ask(everything) is Answer.UNSAT:
            needed, _ = asker.needed(everything, [])
            found.append(self._nothing_permits([[*assumed, *rest][i] for i in needed]))
        return [*found, *self._about_rules()]

    def _guards(self, *kinds: GuardKind) -> list[Guard]:
        return [g for g in self.action.guards if g.kind in kinds]

    def _nothing_permits(self, needed: list[Guard]) -> Finding:
        name = self.action.name
        others = tuple(dict.fromkeys(r for g in needed for r in g.rule.split(", ") if r))
        reasons = [f"`{g.rule}`" if g.rule else f'"{g.reason}"' for g in needed if g.kind is not GuardKind.ASSUME]
        if [g.kind for g in needed] == [GuardKind.PERMIT] and not needed[0].rule:
            text = f"`{name}` is never allowed: no rule permits it"
        else:
            text = f"`{name}` is never allowed: no request passes {_list(reasons) if reasons else 'its guards'}"
        return Finding(FindingKind.NOTHING_PERMITS, name, "", text, others, self.action.span)

    def _about_rules(self) -> list[Finding]:
        rules: list[RuleUse] = []
        found: dict[int, list[Finding]] = {}
        first: dict[tuple[str, Expr], RuleUse] = {}
        for use in self.action.rules:
            twin = first.setdefault((use.effect, use.condition), use)
            if twin is not use and use.effect in ("permit", "forbid"):
                found.setdefault(len(rules), []).append(self._duplicate(use, twin))
            else:
                rules.append(use)
        pinned = [pins(r.condition) for r in rules]
        for bucket in buckets(pinned):
            for i, finding in _Bucket(self, rules, pinned, bucket).findings():
                found.setdefault(i, []).append(finding)
        return [f for i in sorted(found) for f in found[i]]

    def finding(
        self, kind: FindingKind, use: RuleUse, text: str, others: Sequence[str] = (), witness: Trace | None = None
    ) -> Finding:
        certain = kind is not FindingKind.UNDECIDED
        return Finding(kind, self.action.name, use.rule, text, tuple(others), use.span, witness, certain)

    def _duplicate(self, use: RuleUse, twin: RuleUse) -> Finding:
        text = f"`{use.rule}` {use.effect}s exactly what `{twin.rule}` {twin.effect}s on `{self.action.name}`"
        return self.finding(FindingKind.DUPLICATE, use, text + self.aside(use), (twin.rule,))

    def aside(self, use: RuleUse) -> str:
        does = any(o.rule == use.rule for o in self.action.obligations)
        return "; only its obligations make a difference" if does else ""

    def judge(self, s: Situation) -> Callable[[Expr], bool]:
        """What the interpreter says of conditions in a situation; one that is not possible satisfies none."""
        try:
            state = initial(self.system, dict(s.params), s.cells)
        except UnfitError:
            return lambda _: False
        inputs = dict(s.inputs)

        def holds(condition: Expr) -> bool:
            try:
                return evaluate(condition, state, inputs) is True
            except FaultError:
                return False

        return holds

    def witness(self, found: Situation, conditions: Sequence[Expr]) -> Trace | None:
        """The request of `found`, made small and decided, if the interpreter confirms all conditions of it."""
        wanted = [self.action.assumed, *conditions]
        s = smallest(self.system, self.action, found, lambda c: all(map(self.judge(c), wanted)), conditions)
        if s is None:
            return None
        state = initial(self.system, dict(s.params), s.cells)
        result = step(self.system, state, Request(self.action.name, dict(s.inputs)))
        steps = (Step(self.action.name, s.inputs, result.decision, result.changes),)
        return Trace(self.system.name, self.digest, s.params, s.cells, steps)


class _Bucket:
    """Those rules of an action that can meet: one solver."""

    def __init__(self, about: _Rules, rules: list[RuleUse], pinned: list[Pins], bucket: Bucket) -> None:
        self.about = about
        self.rules = [rules[i] for i in bucket.near]
        self.pinned = [pinned[i] for i in bucket.near]
        self.place = dict(enumerate(bucket.near))
        own = set(bucket.own)
        self.own = [k for k, i in enumerate(bucket.near) if i in own]
        self.passed = about._guards(GuardKind.REQUIRE, GuardKind.LIMIT)
        conditions = [*(r.condition for r in self.rules), *(g.expr for g in self.passed)]
        assumed = [g.expr for g in about._guards(GuardKind.ASSUME)]
        self.asker = about.ask_about(conditions, [*assumed, *about.known])
        self.dead: set[int] = set()

    def findings(self) -> Iterator[tuple[int, Finding]]:
        for k in self.own:
            for finding in self._about(k):
                yield self.place[k], finding

    def _near(self, k: int, effect: str) -> list[int]:
        """The other rules of `effect` that can meet rule `k`."""
        return [
            j
            for j, r in enumerate(self.rules)
            if j != k and r.effect == effect and not apart(self.pinned[k], self.pinned[j])
        ]

    def _about(self, k: int) -> Iterator[Finding]:
        use, name = self.rules[k], self.about.action.name
        answer = self.asker.ask([k])
        if answer is Answer.UNSAT:
            text = f"`{use.rule}` never matches: no request of `{name}` meets its condition"
            yield self.about.finding(FindingKind.NEVER_MATCHES, use, text)
        elif answer is Answer.UNKNOWN:
            yield self._undecided(use, "ever matches")
        elif use.effect in ("permit", "forbid"):
            shadowed = self._shadowed(k)
            yield from shadowed
            if use.effect == "permit" and not shadowed:
                yield from self._overridden(k)
            if use.effect == "forbid":
                yield from self._conflicts(k)

    def _undecided(self, use: RuleUse, what: str) -> Finding:
        text = f"whether `{use.rule}` {what} on `{self.about.action.name}` is not decided"
        return self.about.finding(FindingKind.UNDECIDED, use, text)

    def _shadowed(self, k: int) -> list[Finding]:
        use, name = self.rules[k], self.about.action.name
        peers = self._near(k, use.effect)
        answer = self.asker.ask([k], peers) if peers else Answer.SAT
        if answer is Answer.UNKNOWN:
            return [self._undecided(use, "is shadowed")]
        if answer is Answer.SAT:
            return []
        aside = self.about.aside(use)
        twins = [j for j in peers if self._implies(k, j) and self._implies(j, k)]
        if twins and twins[0] < k:
            twin = self.rules[twins[0]].rule
            text = f"`{use.rule}` {use.effect}s exactly what `{twin}` {use.effect}s on `{name}`{aside}"
            return [self.about.finding(FindingKind.DUPLICATE, use, text, (twin,))]
        # Of rules that say the same, only the later ones are blamed.
        others = [j for j in peers if j not in twins]
        if self.asker.ask([k], others) is not Answer.UNSAT:
            return []
        _, by = self.asker.needed([k], others)
        names = [self.rules[j].rule for j in by]
        verb = f"{use.effect}s" if len(names) == 1 else use.effect
        text = f"whatever `{use.rule}` {use.effect}s on `{name}`, {_list(_ticks(names))} {verb} anyway{aside}"
        return [self.about.finding(FindingKind.SHADOWED, use, text, names)]

    def _implies(self, a: int, b: int) -> bool:
        return self.asker.ask([a], [b]) is Answer.UNSAT

    def _overridden(self, k: int) -> Iterator[Finding]:
        use = self.rules[k]
        forbids = self._near(k, "forbid")
        guards = list(range(len(self.rules), len(self.rules) + len(self.passed)))
        if not forbids and not guards:
            return
        answer = self.asker.ask([k, *guards], forbids)
        if answer is Answer.UNKNOWN:
            yield self._undecided(use, "is always overridden")
        if answer is not Answer.UNSAT:
            return
        hold, by = self.asker.needed([k, *guards], forbids)
        failed = [self.passed[i - len(self.rules)] for i in hold if i != k]
        names = [self.rules[j].rule for j in by] + [g.rule for g in failed if g.rule]
        reasons = _ticks(names) + [f'the requirement "{g.reason}"' for g in failed if not g.rule]
        text = f"whatever `{use.rule}` permits on `{self.about.action.name}` is denied by {_list(reasons)}"
        yield self.about.finding(FindingKind.OVERRIDDEN, use, text, names)

    def _conflicts(self, k: int) -> Iterator[Finding]:
        use, about = self.rules[k], self.about
        open_ = self._near(k, "permit")
        met: list[int] = []
        witness: Trace | None = None
        while open_:
            if self.asker.ask([k, open_[0]]) is not Answer.SAT:
                open_ = open_[1:]
                continue
            s = self.asker.situation(about.action.inputs)
            holds = about.judge(s)
            # SOUND: that two rules meet is only ever said of a request on which the interpreter has seen them meet.
            both = [j for j in open_ if holds(self.rules[j].condition)] if holds(use.condition) else []
            if both and witness is None:
                witness = about.witness(s, [use.condition, self.rules[both[0]].condition])
            met += both
            open_ = [j for j in open_[1:] if j not in both]
        if met:
            names = [self.rules[j].rule for j in sorted(met)]
            text = f"`{use.rule}` overrides {_list(_ticks(names))} on some requests of `{about.action.name}`"
            yield about.finding(FindingKind.CONFLICT, use, text, names, witness)


def _ticks(names: Sequence[str]) -> list[str]:
    return [f"`{n}`" for n in names]


def _list(parts: Sequence[str]) -> str:
    shown = [*parts[:4], f"{len(parts) - 4} more"] if len(parts) > 5 else list(parts)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
