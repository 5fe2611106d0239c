"""Why a proof goes through: the guards and the other properties without which it does not.

Each question is asked again with a switch for every guard and every hypothesis; what is left of an unsatisfiable core
once nothing more can be taken out of it is the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import z3

from policydsl.core.after import after, reads
from policydsl.core.expr import FALSE, TRUE, Apply, Expr, Op, Ref, Space, conj, disj, implies, negate, rebuild
from policydsl.core.system import Action, Guard, GuardKind, Property, PropertyKind, System
from policydsl.core.types import BOOL
from verifier.claims import never
from verifier.ground import ground
from verifier.induction import parameters, writers
from verifier.liveness import needed_steps
from verifier.liveness_ask import Discharge
from verifier.parts import ELSEWHERE
from verifier.solve import RLIMIT
from verifier.sum_facts import SumFact
from verifier.to_smt import script


@dataclass(frozen=True, slots=True)
class Why:
    """`guards` as (action, guard), `uses` as names of properties; enough for the proof, none superfluous in it."""

    guards: tuple[tuple[str, Guard], ...]
    uses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """`impossible` and the guards of `action`, each with what it contributes, cannot hold together."""

    impossible: tuple[Expr, ...]
    guards: tuple[tuple[Guard, Expr], ...] = ()
    action: str = ""


def why(
    system: System,
    prop: Property,
    known: Mapping[str, Expr],
    lemmas: Iterable[Expr],
    facts: Iterable[SumFact],
    discharge: Discharge,
) -> Why:
    """What the proof of `prop` rests on, given the properties `known`, and beside them what was found for it.

    What has no name in the policy, a lemma or a fact about a sum, is explained in its turn.
    """
    found: dict[Expr, tuple[Expr, ...]] = {e: (e,) for e in lemmas}
    for fact in facts:
        found.setdefault(fact.formula, tuple(dict.fromkeys(o.goal for o in fact.because if o.goal is not None)))
    reasons = _Reasons(system, {n: e for n, e in known.items() if n != prop.name}, found)
    match prop.kind:
        case PropertyKind.INVARIANT | PropertyKind.LEMMA:
            reasons.invariant(prop.expr)
        case PropertyKind.REACHABLE:
            reasons.invariant(never(prop.expr))
        case PropertyKind.ASSERT | PropertyKind.STEP:
            for action in system.actions:
                if prop.action in ("", action.name):
                    reasons.case(request(prop, action))
        case PropertyKind.LEADS_TO:
            for step in needed_steps(system, prop, list(known.values()), discharge):
                for action in step.actions:
                    reasons.case(_step(action, step.before, after(step.link, action.writes, Space.NEXT)))
    return reasons.answer()


def request(prop: Property, action: Action) -> Case:
    """What must not be for `prop`, an assert or a step property, to hold of requests of `action`."""
    if prop.kind is PropertyKind.STEP:
        return _step(action, negate(after(prop.expr, action.writes, Space.NEXT)))
    # What an assert calls `allowed` or `denied` is written out in it, so guards are taken out of it there.
    broken = negate(_switched(prop.expr, action))
    kept = [(g, g.expr if g.kind is GuardKind.ASSUME else TRUE) for g in action.guards]
    return Case((broken,), tuple(kept), action.name)


def _step(action: Action, *impossible: Expr) -> Case:
    return Case(impossible, tuple((g, g.expr) for g in action.guards), action.name)


class _Reasons:
    """Gathers what cases rest on. `found` says of each formula without a name what has to be kept for it to hold."""

    def __init__(self, system: System, known: Mapping[str, Expr], found: Mapping[Expr, Sequence[Expr]]) -> None:
        self._system = system
        self._names = {e: name for name, e in known.items()}
        self._found = found
        self._context = z3.Context()
        self._guards: dict[tuple[str, Guard], None] = {}
        self._uses: dict[str, None] = {}
        self._done: set[Expr] = set()

    def answer(self) -> Why:
        return Why(tuple(self._guards), tuple(self._uses))

    def invariant(self, goal: Expr) -> None:
        """What keeps `goal` in every step, or else from what it follows."""
        if goal in self._done:
            return
        self._done.add(goal)
        cases = [_step(a, negate(after(goal, a.writes)), goal) for a in writers(self._system, goal)]
        cores = [self._core(c) for c in cases]
        if None in cores:
            cases = [Case((negate(goal),))]
            cores = [self._core(c) for c in cases]
        for case, core in zip(cases, cores, strict=True):
            self._note(case, core or [])

    def case(self, case: Case) -> None:
        self._note(case, self._core(case) or [])

    def _note(self, case: Case, core: Iterable[Expr | int]) -> None:
        for reason in core:
            match reason:
                case int():
                    if case.action != ELSEWHERE:
                        self._guards[case.action, case.guards[reason][0]] = None
                case _ if reason in self._names:
                    self._uses[self._names[reason]] = None
                case _:
                    for condition in self._found[reason]:
                        self.invariant(condition)

    def _core(self, case: Case) -> list[Expr | int] | None:
        """Numbers of guards and hypotheses that make `case` impossible; None if they do not."""
        if FALSE in case.impossible:
            return []
        contributions = [e for _, e in case.guards]
        every = [*self._names, *self._found]
        touched = reads(*case.impossible, *contributions)
        near = [h for h in every if reads(h) & touched]
        for hypotheses in (near, every):  # most need few, and a short question is a quick one
            core = self._fewest(case.impossible, [*contributions, *hypotheses])
            if core is not None:
                n = len(contributions)
                return [i if i < n else hypotheses[i - n] for i in core]
        return None

    def _fewest(self, fixed: Sequence[Expr], optional: Sequence[Expr]) -> list[int] | None:
        """The numbers of those of `optional` that contradict `fixed`, as few as can be; None if all of them do not."""
        asserted = ground([*fixed, *optional, *parameters(self._system, [*fixed, *optional])])
        n, m = len(fixed), len(fixed) + len(optional)
        switched = [implies(_switch(i), a) for i, a in enumerate(asserted[n:m])]
        solver = z3.Solver(ctx=self._context)
        solver.set("rlimit", RLIMIT)
        solver.from_string(script([*asserted[:n], *switched, *asserted[m:]]))
        literals = [z3.Bool(f"?switch {i}", self._context) for i in range(len(optional))]
        if solver.check(*literals) != z3.unsat:
            return None
        core = [i for i, literal in enumerate(literals) if any(literal.eq(c) for c in solver.unsat_core())]
        for i in list(core):
            rest = [j for j in core if j != i]
            if solver.check(*(literals[j] for j in rest)) == z3.unsat:
                core = rest
        return core


def _switch(i: int) -> Ref:
    return Ref(f"switch {i}", BOOL, Space.INPUT)


def _conjuncts(e: Expr) -> tuple[Expr, ...]:
    return e.args if isinstance(e, Apply) and e.op is Op.AND else (e,)


def _switched(e: Expr, action: Action) -> Expr:
    """`e`, where each guard of `action` in what is said of its decision counts only if its switch is on."""
    switches: dict[Expr, list[Expr]] = {}
    for i, guard in enumerate(action.guards):
        for part in _conjuncts(guard.expr):
            switches.setdefault(part, []).append(_switch(i))
    settled = conj(*(g.expr for g in action.guards if g.kind is not GuardKind.APPROVE))
    decisions = [frozenset(_conjuncts(d)) for d in (action.allowed, settled) if d is not TRUE]

    def switched(part: Expr) -> Expr:
        on = switches.get(part)
        return part if on is None else disj(part, negate(disj(*on)))

    def go(e: Expr, positive: bool) -> Expr:
        here = frozenset(_conjuncts(e))
        if any(d <= here and (len(d) > 1 or not positive) for d in decisions):
            # A guard all by itself might be what is claimed, unless it is what the claim is made under.
            return conj(*(switched(a) if a in switches else go(a, positive) for a in _conjuncts(e)))
        if not isinstance(e, Apply) or e.type != BOOL:
            return e
        match e.op:
            case Op.NOT:
                return negate(go(e.args[0], not positive))
            case Op.AND | Op.OR:
                return rebuild(e.op, tuple(go(a, positive) for a in e.args), BOOL)
            case Op.IMPLIES:
                return implies(go(e.args[0], not positive), go(e.args[1], positive))
            case Op.EQ if e.args[0].type == BOOL:
                a, b = e.args
                return go(conj(implies(a, b), implies(b, a)), positive)
            case Op.ITE:
                c, a, b = e.args
                return go(conj(implies(c, a), implies(negate(c), b)), positive)
            case Op.FORALL | Op.EXISTS:
                return rebuild(e.op, (e.args[0], go(e.args[1], positive)), BOOL)
            case _:
                return e

    return go(e, True)
