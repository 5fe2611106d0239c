"""A certificate to what is wrong with it: obligations are made again from its core, and the second solver is asked.

NOTE(recheck): nothing in a certificate is believed but that its core is what was meant (`--policy` compares that). From
the core and from the formulas that it states each text is made again. A formula is *established* when it holds at the
start and is kept by every step from established ones, or when it follows from formulas that are established without
it; so by induction over the steps, and within a state in the order of following, it holds in every reachable state.
The argument of a leads-to property is searched for again, where only texts of the certificate count as discharged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from policydsl import trace_json
from policydsl.check.monitor_terms import canonical, inner_binders
from policydsl.check.sums_delta import ghost_writes
from policydsl.check.sums_shape import SumError
from policydsl.core.after import reads
from policydsl.core.expr import ZERO, Apply, Expr, Ref, subterms
from policydsl.core.from_json import MalformedError, from_data
from policydsl.core.system import Expected, Property, PropertyKind, System
from policydsl.core.to_json import digest
from policydsl.interp import replay, start_faults, violated
from policydsl.replay_words import describe_difference
from policydsl.to_words import words
from verifier.bounded import Limits
from verifier.certificate import Certificate, FactRecord, ObligationRecord, PropertyRecord, text_digest
from verifier.claims import claims, hoisted
from verifier.finitely import finitely_many
from verifier.ground import QUANTIFIERS
from verifier.induction import (
    Obligation,
    Rule,
    entails_obligation,
    init_obligation,
    initially,
    step_obligation,
    writers,
)
from verifier.liveness import prove_leads_to
from verifier.parts import parts
from verifier.solve import Answer, with_cvc5
from verifier.sum_facts import conditions
from verifier.verdict import Proved

_INVARIANTS = (PropertyKind.INVARIANT, PropertyKind.LEMMA)
_NO_SEARCH = Limits(depth=0, rlimit=1, total=0)


@dataclass(frozen=True, slots=True)
class Recheck:
    """One thing that was checked again. `fault` is empty when all is well."""

    property: str
    what: str
    fault: str


def recheck(certificate: Certificate) -> list[Recheck]:
    """Check all that `certificate` claims: its core, its texts, what they come to, and the runs that it shows."""
    try:
        core, formulas = from_data(certificate.core), from_data(certificate.formulas)
    except MalformedError as error:
        return [Recheck("core", error.path, error.text)]
    results = [Recheck("core", "the system", fault) for fault in _core_faults(certificate, core, formulas)]
    if results:
        return results
    return list(_Checker(core, {p.name: p.expr for p in formulas.properties}).check(certificate))


def _core_faults(certificate: Certificate, core: System, formulas: System) -> Iterator[str]:
    if certificate.digest != digest(core):
        yield "the core does not match its digest"
    if certificate.system != core.name:
        yield "the core is of another name"
    if (formulas.params, formulas.state, formulas.individuals) != (core.params, core.state, core.individuals):
        yield "the formulas are about other variables than the core has"
    names = [r.name for r in certificate.properties]
    yield from (f"`{n}` stands in it twice" for n in dict.fromkeys(names) if names.count(n) > 1)
    known = {p.name: p for p in core.properties}
    for r in certificate.properties:
        if r.name not in known or known[r.name].kind.value != r.kind:
            yield f"the core has no {r.kind} `{r.name}`"
    assumed = {f for r in certificate.properties for o in r.obligations for f in _assumed(o)}
    assumed |= {f for r in certificate.facts for o in r.obligations for f in _assumed(o)}
    roots = [p.expr for p in formulas.properties if p.name in assumed]
    for bound in dict.fromkeys(b for e in (*_roots(core), *roots) for b in _rebound(e)):
        # SOUND: instances put terms for bound individuals, each of which is bound in one place.
        yield f"`{bound.name}` is bound again where it is bound already"
    yield from _sum_faults(core)


def _assumed(o: ObligationRecord) -> tuple[str, ...]:
    return (*o.given, o.goal) if o.rule == Rule.KEPT.value else o.given


def _roots(core: System) -> Iterator[Expr]:
    for a in core.actions:
        yield from (g.expr for g in a.guards)
        yield from (e for w in a.writes for e in (*w.keys, w.value))
    for p in core.properties:
        yield from (e for e in (p.expr, p.goal) if e is not None)


def _rebound(root: Expr) -> Iterator[Ref]:
    for e in subterms(root):
        if isinstance(e, Apply) and e.op in QUANTIFIERS and e.args[0] in inner_binders(e.args[1]):
            bound = e.args[0]
            assert isinstance(bound, Ref)
            yield bound


def _sum_faults(core: System) -> Iterator[str]:
    """Whether the running sums are what they are called: facts about them rest on that."""
    running = {s.var for s in core.sums}
    for s in core.sums:
        init = core.variable(s.var).init
        if init is not None and (init is not ZERO or initially(core, s.body) is not ZERO):
            yield f"`{s.var}` is not the sum at the start"
        for a in core.actions:
            plain = replace(a, writes=tuple(w for w in a.writes if w.var not in running))
            try:
                kept = ghost_writes(plain, s, core.variable(s.var).ref)
            except SumError:
                kept = None
            if kept != tuple(w for w in a.writes if w.var == s.var):
                yield f"`{a.name}` does not keep the sum `{s.var}`"


@dataclass(slots=True)
class _Ways:
    """How a formula may be established: by induction given others, or because it follows from others."""

    starts: bool = False
    kept: list[frozenset[Expr]] = field(default_factory=list)
    follows: list[frozenset[Expr]] = field(default_factory=list)


class _Checker:
    def __init__(self, core: System, formulas: dict[str, Expr]) -> None:
        self.core = core
        self.formulas = formulas
        self.systems = (core, *(p for p in parts(core) if p is not core))
        self.facts = {name: formula for c in conditions(core) for name, formula in c.facts}
        self.unsat: dict[str, Answer] = {}
        self.ways: dict[Expr, _Ways] = {}
        self.established: frozenset[Expr] = frozenset()
        self.finitely: dict[str, tuple[str, ...]] = {}

    def check(self, certificate: Certificate) -> Iterator[Recheck]:
        records = [(r.name, o) for r in certificate.properties for o in r.obligations]
        records += [(f"fact about {f.condition}", o) for f in certificate.facts for o in f.obligations]
        for name, o in records:
            yield Recheck(name, o.what, self._text_fault(name, o))
        for c in conditions(self.core):
            for _, formula in c.facts:
                # SOUND: what `sum_facts` says of a sum whose terms satisfy the condition; see there.
                self._ways(formula).follows.append(_all({c.formula}))
        for p in self.core.properties:
            if p.kind in _INVARIANTS:
                self._ways(p.expr).follows.append(_all({hoisted(p.expr)}))
        self._establish()
        proofs = {r.name: ([o.smtlib for o in r.obligations], r.uses) for r in certificate.properties}
        self.finitely = finitely_many(self.core, proofs)
        for r in certificate.properties:
            yield Recheck(r.name, "the claim", "; ".join(self._claim_faults(r)))
        for f in certificate.facts:
            yield Recheck(f"fact about {f.condition}", "the claim", self._fact_fault(f))

    def _ways(self, e: Expr) -> _Ways:
        return self.ways.setdefault(_alpha(e), _Ways())

    def _ask(self, text: str) -> Answer:
        if text not in self.unsat:
            self.unsat[text] = with_cvc5(text)
        return self.unsat[text]

    def _text_fault(self, name: str, o: ObligationRecord) -> str:
        """What is wrong with one obligation; if nothing is, it is noted what it is good for."""
        if text_digest(o.smtlib) != o.sha256:
            return "the text does not match its digest"
        made = self._made_again(name, o) if o.rule else None
        if o.rule and made is None:
            return "the text is not the one that the core gives"
        answer = self._ask(o.smtlib)
        if answer is not Answer.UNSAT:
            return f"cvc5 answers {answer.value}"
        if made is not None and made.goal is not None:
            ways, given = self._ways(made.goal), _all(made.hypotheses)
            match made.rule:
                case Rule.INITIALLY:
                    ways.starts = True
                case Rule.KEPT:
                    ways.kept.append(given)
                case _:
                    ways.follows.append(given)
        return ""

    def _made_again(self, name: str, o: ObligationRecord) -> Obligation | None:
        """The obligation that the record describes, if its text is the same; made in the whole or in one part."""
        if any(g not in self.formulas for g in o.given):
            return None
        given = [self.formulas[g] for g in o.given]
        for system in self.systems:
            for goal in self._goals(system, name, o):
                made = _make(system, o.rule, goal, given)
                if made is not None and _same_but_for_names(made.text, o.smtlib):
                    return made
        return None

    def _goals(self, system: System, name: str, o: ObligationRecord) -> list[Expr]:
        """What the goal of an obligation of property `name` may be."""
        if o.goal in self.formulas:
            return [self.formulas[o.goal]]
        # SOUND: induction is over states; a formula about a request may mention inputs that steps have as well.
        if o.rule != Rule.FOLLOWS.value:
            return []
        asked = [c for p in system.properties if p.name == name for c in claims(system, p)]
        return [c.formula for c in asked if c.over_requests and c.name == o.goal]

    def _establish(self) -> None:
        """See NOTE(recheck): the largest set that induction may assume of the state before, such that ..."""
        assumed = frozenset(self.ways)
        while True:
            found: set[Expr] = set()
            grown = True
            while grown:
                more = {e for e, w in self.ways.items() if e not in found and self._holds(e, w, assumed, found)}
                found |= more
                grown = bool(more)
            if found == assumed:
                break
            assumed = frozenset(found)
        self.established = assumed

    def _holds(self, e: Expr, ways: _Ways, assumed: frozenset[Expr], found: set[Expr]) -> bool:
        # SOUND: in the state before a step all of `assumed` hold; in the same state only what was found without `e`.
        if ways.starts and (any(k <= assumed for k in ways.kept) or self._is_never_written(e)):
            return True
        return any(f <= found for f in ways.follows)

    def _is_never_written(self, e: Expr) -> bool:
        return not writers(self.core, e)

    def _claim_faults(self, r: PropertyRecord) -> Iterator[str]:
        prop = self.core.claim(r.name)
        shown = r.trace is not None
        decided = Expected.PROVED.value if prop.kind is PropertyKind.REACHABLE else Expected.REFUTED.value
        if r.verdict == Expected.UNKNOWN.value:
            return
        if r.verdict not in {v.value for v in Expected}:
            yield f"`{r.verdict}` is no verdict"
        elif shown:
            if r.verdict != decided:
                yield f"a run does not show that it is {r.verdict}"
            yield from self._run_faults(prop, r)
        elif r.verdict == decided and prop.kind is not PropertyKind.REACHABLE:
            yield f"is called {r.verdict} without a run"
        elif prop.kind is PropertyKind.LEADS_TO:
            yield from self._leads_to_faults(prop, r)
        elif prop.kind is PropertyKind.REACHABLE and r.verdict == decided:
            yield "is called reachable without a run"
        elif not self._is_proved(prop):
            yield "does not follow from what is discharged"
        if shown or prop.kind is not PropertyKind.LEADS_TO:
            yield from self._assumption_faults(r, ())
        yield from (f"states the lemma `{x}`, which is not discharged" for x in r.lemmas if x not in self._words())

    def _words(self) -> set[str]:
        return {words(e) for e in self.formulas.values() if self._is_established(e)}

    def _is_established(self, e: Expr) -> bool:
        return _alpha(e) in self.established

    def _is_proved(self, prop: Property) -> bool:
        """Whether all claims of the property, in the whole or in its part, are established."""
        if prop.kind in _INVARIANTS:
            return self._is_established(prop.expr)
        wanted = [[c.formula for c in claims(s, prop)] for s in self.systems if prop in s.properties]
        return any(w and all(map(self._is_established, w)) for w in wanted)

    def _run_faults(self, prop: Property, r: PropertyRecord) -> Iterator[str]:
        try:
            trace = trace_json.from_data(r.trace)
        except MalformedError as error:
            yield f"its run cannot be read: {error}"
            return
        told = (f"step {d.at}: {text}" for d in replay(self.core, trace) for text in describe_difference(d, self.core))
        yield from (f"its run: {f}" for f in [*start_faults(self.core, trace), *told])
        if trace.digest != digest(self.core):
            yield "its run is of another system"
        elif prop.kind is not PropertyKind.LEADS_TO and violated(self.core, prop, trace) != len(trace.steps):
            yield "its run does not show it"

    def _leads_to_faults(self, prop: Property, r: PropertyRecord) -> Iterator[str]:
        everything = {p.name: p.expr for p in self.core.properties if p.kind in _INVARIANTS} | self.facts
        known = [everything.get(u) for u in r.uses]
        if not all(k is not None and self._is_established(k) for k in known):
            yield "rests on something that is not discharged"
            return
        texts = {_plain_names(o.smtlib): o.smtlib for o in r.obligations}

        def discharge(o: Obligation) -> Answer:
            text = texts.get(_plain_names(o.text))
            # SOUND: only what stands in the certificate, and what cvc5 confirms, counts.
            return Answer.UNKNOWN if text is None else self._ask(text)

        for system in self.systems:
            if prop in system.properties:
                found = prove_leads_to(system, prop, [k for k in known if k is not None], discharge, _NO_SEARCH)
                if isinstance(found, Proved):
                    yield from self._assumption_faults(r, found.assumptions)
                    return
        yield "the argument is not found again with what is discharged"

    def _assumption_faults(self, r: PropertyRecord, made: tuple[str, ...]) -> Iterator[str]:
        """Where `made` are the assumptions of the argument itself."""
        made = (*made, *self.finitely[r.name]) if r.trace is None else made
        if r.assumptions and not made:
            yield "states assumptions that are none of the proof's"
        elif r.assumptions != made:
            yield f"rests on other assumptions: {'; '.join(made)}"

    def _fact_fault(self, f: FactRecord) -> str:
        formula = next((c.formula for c in conditions(self.core) if c.name == f.condition), None)
        known = formula is not None and self._is_established(formula)
        return "" if known else "does not follow from what is discharged"


def _make(system: System, rule: str, goal: Expr, given: list[Expr]) -> Obligation | None:
    # SOUND: a part says nothing about variables that it does not have.
    if not reads(goal) <= {v.name for v in system.state}:
        return None
    match rule:
        case Rule.INITIALLY.value:
            return init_obligation(system, "", goal)
        case Rule.KEPT.value:
            return step_obligation(system, "", goal, given)
        case Rule.FOLLOWS.value:
            return entails_obligation(system, "", given, goal)
        case _:
            return None


def _alpha(e: Expr) -> Expr:
    """`e` whatever the individuals that it binds are called."""
    return canonical(e, {})


def _all(formulas: Iterable[Expr]) -> frozenset[Expr]:
    return frozenset(map(_alpha, formulas))


_BOUND = re.compile(r"\|![^|]*\|")


def _plain_names(text: str) -> str:
    """`text` with the names of bound individuals numbered in the order in which they appear."""
    numbers: dict[str, str] = {}
    return _BOUND.sub(lambda found: numbers.setdefault(found[0], f"|!{len(numbers)}|"), text)


def _same_but_for_names(a: str, b: str) -> bool:
    # SOUND: equal once numbered means that a renaming, one to one, makes them equal.
    return a == b or _plain_names(a) == _plain_names(b)


def remarks(certificate: Certificate) -> list[str]:
    """What a certificate without faults does not say, or what is taken from it as it stands."""
    found = []
    core = certificate.core.get("system", {})
    missing = len(core.get("properties", ())) - len(certificate.properties)
    if missing > 0:
        found.append(f"{missing} properties of the policy are not in it")
    open_ = [r.name for r in certificate.properties if r.verdict == Expected.UNKNOWN.value]
    if open_:
        found.append(f"unknown: {', '.join(open_)}")
    stuck = [r.name for r in certificate.properties if r.kind == PropertyKind.LEADS_TO.value and r.trace is not None]
    found += [f"the run of `{name}` was replayed, that nothing helps after it was not derived" for name in stuck]
    return found
