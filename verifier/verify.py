"""A system to a verdict for each of its properties: the order in which things are tried.

NOTE(order): everything is sequential and resources are counted by the solvers, so a verdict never depends on the load
of the machine. Cheap things go first: induction as it stands, a shallow search, invariant inference, a deep search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from policydsl.core.after import reads
from policydsl.core.expr import Expr
from policydsl.core.system import Effect, Expected, Property, PropertyKind, System
from policydsl.core.to_json import digest
from policydsl.core.well_formed import name_faults
from policydsl.interp import Request, replay, run, start_faults
from policydsl.trace import Trace
from verifier.bounded import Limits, Searcher, violations
from verifier.carried import carried, runs_of_shape
from verifier.claims import Claim, claims, never
from verifier.cti import step_that_breaks, step_that_loses
from verifier.deep import deepen
from verifier.finitely import finitely_many
from verifier.ground import UngroundableError
from verifier.horn import Problem
from verifier.induction import Obligation, entails_obligation, init_obligation, step_obligation
from verifier.infer import Inferred, infer
from verifier.joint import Inductive, inductive
from verifier.liveness import prove_leads_to
from verifier.parts import alone, parts
from verifier.shapes import Group, alone_in_its_group, groups, unmarked
from verifier.solve import RLIMIT, Answer
from verifier.solvers import Answers, Solvers
from verifier.spacer import Failure
from verifier.sum_facts import SumFact, prove_sum_facts
from verifier.vacuity import settle, vacuity_goals
from verifier.verdict import Outcome, Proved, Refuted, Unknown, Verdict, Verification, Witnessed
from verifier.whole import of_the_whole, runs_of


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits are counts of the solvers. `only` names the properties to answer for (None: all). Unless all `proofs` are
    wanted, for a certificate, parts that differ in names only are verified once."""

    rlimit: int = RLIMIT
    spacer_rlimit: int = 3_000_000
    spacer_rlimit_last: int = 30_000_000
    shallow: int = 3
    limits: Limits = field(default_factory=Limits)
    vacuity: bool = True
    only: frozenset[str] | None = None
    proofs: bool = True

    def within(self, rlimit: int) -> Settings:
        """The same with `rlimit` for each obligation, and no step of the search or inference far above it."""
        limits = replace(self.limits, rlimit=min(self.limits.rlimit, rlimit), total=min(self.limits.total, 16 * rlimit))
        return replace(
            self,
            rlimit=rlimit,
            spacer_rlimit=min(self.spacer_rlimit, rlimit),
            spacer_rlimit_last=min(self.spacer_rlimit_last, 8 * rlimit),
            limits=limits,
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a property holds: the lemmas that were found, the names it rests on, the obligations that were discharged."""

    how: str
    obligations: tuple[Obligation, ...]
    uses: tuple[str, ...] = ()
    lemmas: tuple[Expr, ...] = ()


REACH = 3
"""How many steps away from a claim, by shared variables, known facts are still used for it."""

Tick = Callable[[str], None]


def verify(system: System, settings: Settings = Settings(), tick: Tick = lambda _: None) -> Verification:
    """The verdict on every property, and what never matters; see `verify_with_proofs`."""
    return verify_with_proofs(system, replace(settings, proofs=False), tick)[0]


def verify_with_proofs(
    system: System,
    settings: Settings = Settings(),
    tick: Tick = lambda _: None,
    runs: Sequence[Trace] = (),
    answers: Answers | None = None,
) -> tuple[Verification, dict[str, Proof]]:
    """Also the proofs, by property, for the certificate.

    `runs` are runs that somebody has already (passing tests, recordings): those that the interpreter confirms are
    tried as witnesses before any deep search. `answers` remembers what the solvers said to the same texts before.
    Raises `ValueError` for a system in which two things of one kind have one name, which the checker never makes.
    """
    for fault in name_faults(system):
        # SOUND: verdicts are kept by name, so that of one property would be given to the other.
        raise ValueError(f"{system.name}: {fault}")
    verification, proofs = _verify(system, settings, tick, runs, Solvers(settings.rlimit, answers))
    assumed = finitely_many(system, {n: ([o.text for o in p.obligations], p.uses) for n, p in proofs.items()})
    outcomes = tuple(
        replace(o, verdict=replace(v, assumptions=(*v.assumptions, *assumed.get(o.property.name, ()))))
        if isinstance(v := o.verdict, Proved)
        else o
        for o in verification.outcomes
    )
    return replace(verification, outcomes=outcomes), proofs


def _verify(
    system: System, settings: Settings, tick: Tick, runs: Sequence[Trace], solvers: Solvers
) -> tuple[Verification, dict[str, Proof]]:
    real = [_what_was_allowed(system, r) for r in runs if _is_run(system, r)]
    pieces = parts(system)
    if len(pieces) == 1:
        return _Run(system, settings, tick, real, solvers).run()
    found: list[_Found] = []
    for group in _wanted(pieces, settings):
        found += _members(group, settings, tick, real, solvers)
    verdicts = {o.property.name: of_the_whole(system, o.property, o.verdict) for v, _ in found for o in v.outcomes}
    proofs = {name: proof for _, some in found for name, proof in some.items()}
    missing = frozenset(name for name, verdict in verdicts.items() if verdict is None)
    if missing:
        rest, more = _Run(system, replace(settings, only=missing, vacuity=False), tick, real, solvers).run()
        verdicts |= {o.property.name: o.verdict for o in rest.outcomes}
        proofs |= {name: proof for name, proof in more.items() if name in missing}
    outcomes = tuple(Outcome(p, v) for p in system.properties if (v := verdicts.get(p.name)) is not None)
    vacuities = tuple(x for v, _ in found for x in v.vacuities)
    return Verification(system.name, digest(system), outcomes, vacuities), proofs


_Found: TypeAlias = tuple[Verification, dict[str, Proof]]


def _wanted(pieces: Sequence[System], settings: Settings) -> list[Group]:
    """The parts that properties are asked of, those of one shape together if no proofs are wanted of each."""
    only = settings.only
    wanted = [p for p in pieces if only is None or only.intersection(x.name for x in p.properties)]
    # Who asks for some properties may ask for different ones of parts that are the same.
    return groups(wanted) if only is None and not settings.proofs else [alone_in_its_group(p) for p in wanted]


def _members(group: Group, settings: Settings, tick: Tick, runs: Sequence[Trace], solvers: Solvers) -> Iterator[_Found]:
    """What is known of each member of `group`."""
    first = group.members[0].part
    seen = runs_of(first, runs)
    if len(group.members) == 1:
        yield _Run(first, settings, tick, seen, solvers).run()
        return
    shape, _ = _Run(
        group.system, settings, lambda text: tick(unmarked(text)), runs_of_shape(group, seen), solvers
    ).run()
    for member in group.members:
        found = carried(group, member, shape)
        if found is not None:
            yield found, {}
        else:
            yield _Run(member.part, settings, tick, runs_of(member.part, runs), solvers).run()


class _Run:
    """One part, or a system that has none. `runs` are real ones."""

    def __init__(self, system: System, settings: Settings, tick: Tick, runs: Sequence[Trace], solvers: Solvers) -> None:
        self.system = system
        self.alone = alone(system)
        self.settings = settings
        self.tick = tick
        self.runs = runs
        self.solvers = solvers
        self.known: dict[str, Expr] = {}
        self.proofs: dict[str, Proof] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.reasons: dict[str, str] = {}
        self.tried: dict[str, tuple[dict[str, Expr], str]] = {}  # claims in vain: with what, and why not
        self.facts: list[SumFact] | None = None  # of the sums; None when more may be provable now
        self.properties = [p for p in system.properties if settings.only is None or p.name in settings.only]

    def discharge(self, obligation: Obligation) -> Answer:
        return self.solvers.ask(obligation.text)

    def run(self) -> tuple[Verification, dict[str, Proof]]:
        safety = [p for p in self.properties if p.kind is not PropertyKind.LEADS_TO]
        self.induction([p for p in self.system.properties if _is_invariant(p)])
        goals = [g for p in safety if p.name not in self.verdicts for g in violations(self.alone, p)]
        vacuity = vacuity_goals(self.alone) if self.settings.vacuity else []
        search = Searcher(self.alone, [*goals, *vacuity], self.settings.limits, lambda: self.tick("searching"))
        search.look(self.settings.shallow)
        search.try_runs(self.runs)
        self._take(search)
        hopeful = [p for p in safety if _hopeful(p)]
        self.simple_proofs(hopeful)
        self.inference(hopeful, self.settings.spacer_rlimit, (0,))
        search.close(self.verdicts)
        deepen(search)
        self._take(search)
        self.inference([*hopeful, *(p for p in safety if not _hopeful(p))], self.settings.spacer_rlimit_last, (0, 1))
        for prop in safety:
            if prop.name not in self.verdicts:
                self.verdicts[prop.name] = self._give_up(prop, search.result.depth.get(prop.name, 0))
        self.liveness()
        outcomes = tuple(Outcome(p, self.verdicts[p.name]) for p in self.properties)
        found = settle(self.alone, search.result, self.known, self.discharge) if self.settings.vacuity else ()
        return Verification(self.system.name, digest(self.system), outcomes, found), self.proofs

    def liveness(self) -> None:
        for prop in self.properties:
            if prop.kind is PropertyKind.LEADS_TO:
                self.tick(prop.name)
                known = self._hypotheses()
                discharged: list[Obligation] = []

                def discharge(obligation: Obligation, done: list[Obligation] = discharged) -> Answer:
                    answer = self.discharge(obligation)
                    if answer is Answer.UNSAT:
                        done.append(obligation)
                    return answer

                verdict = prove_leads_to(self.system, prop, list(known.values()), discharge)
                self.verdicts[prop.name] = verdict
                if isinstance(verdict, Proved):
                    self.proofs[prop.name] = Proof(verdict.how, tuple(dict.fromkeys(discharged)), tuple(known))

    def _give_up(self, prop: Property, depth: int) -> Unknown:
        """What was tried, and the step at which induction fails."""
        verb = "reaches" if prop.kind is PropertyKind.REACHABLE else "breaks"
        limits = self.settings.limits
        people = f"{limits.principals} who act and {limits.size} of each other sort"
        tried = self.reasons.get(prop.name, "no proof found")
        reason = f"no run of up to {depth} steps among {people} {verb} it; {tried}"
        known, limits = list(self._hypotheses().values()), self.settings.limits
        match prop.kind:
            case PropertyKind.ASSERT | PropertyKind.STEP:
                return Unknown(reason, step_that_breaks(self.alone, prop, known, limits))
            case PropertyKind.REACHABLE:
                return Unknown(reason, step_that_loses(self.alone, never(prop.expr), known, limits))
            case _:
                return Unknown(reason, step_that_loses(self.alone, prop.expr, known, limits))

    def _take(self, search: Searcher) -> None:
        """Verdicts from runs that were found."""
        for prop in self.properties:
            trace = search.result.found.get(prop.name)
            if trace is not None and prop.name not in self.verdicts:
                good = prop.kind is PropertyKind.REACHABLE
                self.verdicts[prop.name] = Witnessed(trace) if good else Refuted(trace)

    def induction(self, invariants: list[Property]) -> None:
        """What is inductive as it stands, alone or together."""
        hopeful = [p for p in invariants if p.expected is not Expected.REFUTED]
        self.tick("induction")
        found: Inductive = inductive(self.system, [(p.name, p.expr) for p in hopeful], {}, self.discharge)
        for name, proof in found.items():
            self.accept(self.system.claim(name), Proof(proof.how, proof.obligations, proof.uses))

    def accept(self, prop: Property, proof: Proof) -> None:
        if _is_invariant(prop):
            self.known[prop.name] = prop.expr
        self.proofs[prop.name] = proof
        self.verdicts[prop.name] = Proved(proof.how, proof.uses, proof.lemmas)

    def simple_proofs(self, properties: list[Property]) -> None:
        """What follows from what is proved, or is inductive given it; until nothing more comes of it."""
        again = True
        while again:
            self.facts = None
            settled = [self.attempt(p) for p in properties if p.name not in self.verdicts]
            again = any(settled)

    def inference(self, properties: list[Property], rlimit: int, options: tuple[int, ...]) -> None:
        """What needs a lemma; then what has become simple by what was proved here."""
        progress = False
        for prop in properties:
            if prop.name not in self.verdicts:
                self.tick(prop.name)
                progress |= self.attempt(prop, lambda claim: self.infer(claim, rlimit, options))
        if progress:
            self.simple_proofs(properties)

    def attempt(self, prop: Property, prove: Callable[[Claim], Proof | str] | None = None) -> bool:
        """Whether every claim of `prop` has a simple proof, or one that `prove` finds."""
        parts: list[Proof] = []
        for claim in claims(self.system, prop):
            part = self.simple(claim)
            part = prove(claim) if isinstance(part, str) and prove else part
            if isinstance(part, str):
                self.reasons[prop.name] = part
                return False
            parts.append(part)
        obligations = tuple(o for p in parts for o in p.obligations)
        lemmas = tuple(dict.fromkeys(lemma for p in parts for lemma in p.lemmas))
        uses = tuple(dict.fromkeys(u for p in parts for u in p.uses))
        how = _how(prop, lemmas, uses)
        self.accept(prop, Proof(how, obligations, uses, lemmas))
        return True

    def simple(self, claim: Claim) -> Proof | str:
        known = self._about(claim)
        before = self.tried.get(claim.name)
        if before is not None and before[0] == known:
            return before[1]
        found = self._simple(claim, known, again=before is not None)
        if isinstance(found, str):
            self.tried[claim.name] = known, found
        return found

    def _simple(self, claim: Claim, known: dict[str, Expr], *, again: bool) -> Proof | str:
        try:
            for helpers in ({}, known) if claim.over_requests and not again else (known,):
                what = f"{claim.name}: follows from what is proved" if helpers else f"{claim.name}: holds as it stands"
                direct = entails_obligation(self.system, what, list(helpers.values()), claim.formula)
                if self.discharge(direct) is Answer.UNSAT:
                    return Proof("", (direct,), tuple(helpers))
            return "not inductive" if claim.over_requests else self._inductive_now(claim, known) or "not inductive"
        except UngroundableError:
            return "a quantifier about another individual stands inside a number or a key"

    def infer(self, claim: Claim, rlimit: int, options: tuple[int, ...]) -> Proof | str:
        known = self._hypotheses()

        def propose(problem: Problem, option: int) -> Expr | Failure:
            return self.solvers.propose(problem, rlimit, option) if option in options else Failure.GAVE_UP

        try:
            found = infer(self.system, claim.name, claim.formula, list(known.values()), self.discharge, propose)
        except UngroundableError:
            return "a quantifier about another individual stands inside a number or a key"
        if isinstance(found, Inferred):
            return Proof("", found.obligations, tuple(known) if found.with_known else (), found.lemmas)
        return found

    def _about(self, claim: Claim) -> dict[str, Expr]:
        """What is known of anything that the claim is about, directly or by way of something else that is known."""
        hypotheses = self._hypotheses()
        touched = reads(claim.formula)
        near: dict[str, Expr] = {}
        for _ in range(REACH):
            near = {n: e for n, e in hypotheses.items() if reads(e) & touched}
            touched = touched.union(*map(reads, near.values()))
        return near

    def _inductive_now(self, claim: Claim, known: dict[str, Expr]) -> Proof | None:
        """Inductive, now that more is known."""
        first = init_obligation(self.system, claim.name, claim.formula)
        step = step_obligation(self.system, claim.name, claim.formula, list(known.values()))
        obligations = (first, step) if step else (first,)
        if all(self.discharge(o) is Answer.UNSAT for o in obligations):
            return Proof("", obligations, tuple(known))
        return None

    def _hypotheses(self) -> dict[str, Expr]:
        if self.facts is None:
            self.facts = prove_sum_facts(self.system, self.known, self.discharge)
        return {**self.known, **{f.name: f.formula for f in self.facts}}


def _what_was_allowed(system: System, trace: Trace) -> Trace:
    """The same run without the requests that were denied, which changed nothing."""
    requests = [Request(s.action, dict(s.inputs)) for s in trace.steps if s.decision.effect == Effect.ALLOW.value]
    return run(system, requests, dict(trace.params), trace.start)[0]


def _is_run(system: System, trace: Trace) -> bool:
    # SOUND: what is reached from a state that is not initial, or by steps that nobody can take, is not reached.
    return trace.digest == digest(system) and not start_faults(system, trace) and not replay(system, trace)


def _is_invariant(prop: Property) -> bool:
    return prop.kind in (PropertyKind.INVARIANT, PropertyKind.LEMMA)


def _hopeful(prop: Property) -> bool:
    """Worth a proof before a deep search."""
    return prop.kind is not PropertyKind.REACHABLE and prop.expected is not Expected.REFUTED


def _how(prop: Property, lemmas: tuple[Expr, ...], uses: tuple[str, ...]) -> str:
    if lemmas:
        return f"1-inductive + {len(lemmas)} lemma{'s' if len(lemmas) > 1 else ''} found"
    if prop.kind in (PropertyKind.ASSERT, PropertyKind.STEP):
        return "of every request" if prop.kind is PropertyKind.ASSERT else "of every step"
    return "follows from what is proved" if uses else "1-inductive"
