"""Certificates: what was proved, from which texts and how these are made, by which solvers; see `verifier.recheck`.

The obligations stand in the certificate as the very SMT-LIB text that both solvers read. Beside each stands what it was
made from, so whoever does not trust the texts can make them again from the core.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from policydsl import trace_json
from policydsl.core.expr import Expr
from policydsl.core.system import Property, PropertyKind, System
from policydsl.core.to_json import digest, to_data
from policydsl.to_words import words
from policydsl.trace import Trace
from verifier.claims import claims
from verifier.finitely import finitely_many
from verifier.induction import Obligation
from verifier.parts import parts
from verifier.solve import versions, with_both
from verifier.sum_facts import Condition, always, conditions
from verifier.verdict import Outcome, Proved, Refuted, Verification, Witnessed
from verifier.verify import Proof


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ObligationRecord(_Strict):
    """`rule`, `goal` and `given` say how the text is made: see `induction.Rule`. `goal` is the name of a claim about
    requests, or like `given` of one of the `formulas`. All three are empty where an argument about runs asks."""

    what: str
    rule: str = ""
    goal: str = ""
    given: tuple[str, ...] = ()
    sha256: str
    smtlib: str


class PropertyRecord(_Strict):
    name: str
    kind: str
    verdict: str  # proved, refuted, unknown
    how: str = ""
    uses: tuple[str, ...] = ()
    lemmas: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    obligations: tuple[ObligationRecord, ...] = ()
    trace: dict[str, Any] | None = None


class FactRecord(_Strict):
    """Why the facts about sums that rest on this condition hold."""

    condition: str
    obligations: tuple[ObligationRecord, ...]


class Certificate(_Strict):
    """Everything known about one system. `digest` is that of `core`, the canonical form of the system.

    `formulas` is a core of the same variables, whose properties are the formulas that obligations are about.
    """

    format: Literal["policyctl-certificate/2"] = "policyctl-certificate/2"
    system: str
    digest: str
    solvers: dict[str, str]
    properties: tuple[PropertyRecord, ...]
    facts: tuple[FactRecord, ...]
    formulas: dict[str, Any]
    core: dict[str, Any]


def certificate(system: System, verification: Verification, proofs: Mapping[str, Proof]) -> Certificate:
    """The certificate of a verification."""
    formulas = _Formulas()
    known = {o.property.name for o in verification.outcomes}
    # What was proved on the way, when only some properties were asked for.
    assumed = finitely_many(system, {n: ([o.text for o in p.obligations], p.uses) for n, p in proofs.items()})
    more = [p for p in system.properties if p.name in set(proofs) - known]
    beside = [Outcome(p, Proved(proofs[p.name].how, assumptions=assumed[p.name])) for p in more]
    records = [_property(system, o, proofs.get(o.property.name), formulas) for o in (*verification.outcomes, *beside)]
    facts = [
        FactRecord(condition=c.name, obligations=tuple(formulas.record(o, {}) for o in because))
        for c, because in _facts(system, proofs)
    ]
    return Certificate(
        system=system.name,
        digest=digest(system),
        solvers=versions(),
        properties=tuple(records),
        facts=tuple(facts),
        formulas=to_data(
            replace(system, actions=(), sums=(), properties=formulas.properties(), fail_open=(), recovery=(), phases=())
        ),
        core=to_data(system),
    )


def _property(system: System, outcome: Outcome, proof: Proof | None, formulas: _Formulas) -> PropertyRecord:
    verdict = outcome.verdict
    prop = outcome.property
    asked = [c for s in (system, *parts(system)) if prop in s.properties for c in claims(s, prop)]
    requests = {c.formula: c.name for c in asked if c.over_requests}
    trace: Trace | None = verdict.trace if isinstance(verdict, Refuted | Witnessed) else None
    return PropertyRecord(
        name=prop.name,
        kind=prop.kind.value,
        verdict=outcome.status,
        how=verdict.how if isinstance(verdict, Proved) else "",
        uses=proof.uses if proof else (),
        lemmas=tuple(words(lemma) for lemma in proof.lemmas) if proof else (),
        assumptions=verdict.assumptions if isinstance(verdict, Proved) else (),
        obligations=tuple(formulas.record(o, requests) for o in proof.obligations) if proof else (),
        trace=None if trace is None else trace_json.to_data(trace),
    )


def _facts(system: System, proofs: Mapping[str, Proof]) -> Iterable[tuple[Condition, tuple[Obligation, ...]]]:
    """The conditions that the proofs rest on, each discharged again with what was proved before its first use."""
    open_ = {formula: c for c in conditions(system) for _, formula in c.facts}
    names = {name: c for c in conditions(system) for name, _ in c.facts}
    before: dict[str, Expr] = {}
    done: set[str] = set()
    for name, proof in proofs.items():
        used = [open_[h] for o in proof.obligations for h in o.hypotheses if h in open_]
        used += [names[u] for u in proof.uses if u in names]
        for c in used:
            if c.name not in done:
                done.add(c.name)
                yield c, always(system, c, before, lambda o: with_both(o.text))
        prop = system.claim(name)
        if prop.kind in (PropertyKind.INVARIANT, PropertyKind.LEMMA):
            before[name] = prop.expr


class _Formulas:
    """The formulas that obligations are about, each under a name."""

    def __init__(self) -> None:
        self._names: dict[Expr, str] = {}

    def name(self, e: Expr) -> str:
        return self._names.setdefault(e, f"f{len(self._names)}")

    def record(self, o: Obligation, requests: Mapping[Expr, str]) -> ObligationRecord:
        sha = text_digest(o.text)
        if o.rule is None or o.goal is None:
            return ObligationRecord(what=o.what, sha256=sha, smtlib=o.text)
        goal = requests.get(o.goal) or self.name(o.goal)
        given = tuple(map(self.name, o.hypotheses))
        return ObligationRecord(what=o.what, rule=o.rule.value, goal=goal, given=given, sha256=sha, smtlib=o.text)

    def properties(self) -> tuple[Property, ...]:
        return tuple(Property(name, PropertyKind.INVARIANT, e) for e, name in self._names.items())


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class CertificateError(Exception):
    """The file is not a certificate, or has been changed since it was written."""


def read(text: str) -> Certificate:
    """A certificate from its JSON text; raises `CertificateError` with the place of the first fault."""
    try:
        found = Certificate.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise CertificateError(f"{place}: {first['msg'].lower()}") from error
    return found
