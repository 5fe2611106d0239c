"""Certificates: what was proved, from which texts, by which solvers; and checking them again with the second solver.

The obligations stand in the certificate as the very SMT-LIB text that both solvers read, so re-checking needs neither
the encoder nor the search that found the lemmas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from policydsl.core.system import System
from policydsl.core.to_json import digest, to_data
from policydsl.to_words import words
from verifier.induction import Obligation
from verifier.solve import Answer, versions, with_cvc5
from verifier.verdict import Proved, Verification
from verifier.verify import Proof


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ObligationRecord(_Strict):
    what: str
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


class Certificate(_Strict):
    """Everything known about one system. `digest` is that of `core`, the canonical form of the system."""

    format: Literal["policyctl-certificate/1"] = "policyctl-certificate/1"
    system: str
    digest: str
    solvers: dict[str, str]
    properties: tuple[PropertyRecord, ...]
    core: dict[str, Any]


def certificate(system: System, verification: Verification, proofs: Mapping[str, Proof]) -> Certificate:
    """The certificate of a verification."""
    records = []
    for outcome in verification.outcomes:
        name = outcome.property.name
        proof = proofs.get(name)
        verdict = outcome.verdict
        records.append(
            PropertyRecord(
                name=name,
                kind=outcome.property.kind.value,
                verdict=outcome.status,
                how=verdict.how if isinstance(verdict, Proved) else "",
                uses=proof.uses if proof else (),
                lemmas=tuple(words(lemma) for lemma in proof.lemmas) if proof else (),
                assumptions=verdict.assumptions if isinstance(verdict, Proved) else (),
                obligations=tuple(_record(o) for o in proof.obligations) if proof else (),
            )
        )
    return Certificate(
        system=system.name,
        digest=digest(system),
        solvers=versions(),
        properties=tuple(records),
        core=to_data(system),
    )


def _record(obligation: Obligation) -> ObligationRecord:
    return ObligationRecord(what=obligation.what, sha256=_sha(obligation.text), smtlib=obligation.text)


def _sha(text: str) -> str:
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


@dataclass(frozen=True, slots=True)
class Recheck:
    """One obligation, checked again. `fault` is empty when the second solver agrees."""

    property: str
    what: str
    fault: str


def recheck(certificate: Certificate) -> list[Recheck]:
    """Ask cvc5 about every obligation of every property that is claimed to be proved."""
    results: list[Recheck] = []
    for record in certificate.properties:
        if record.verdict != "proved":
            continue
        if not record.obligations and record.kind != "reachable":
            results.append(Recheck(record.name, "the claim", "is called proved without an obligation"))
        results += [Recheck(record.name, o.what, _fault(o)) for o in record.obligations]
    return results


def _fault(o: ObligationRecord) -> str:
    if _sha(o.smtlib) != o.sha256:
        return "the text does not match its digest"
    answer = with_cvc5(o.smtlib)
    return "" if answer is Answer.UNSAT else f"cvc5 answers {answer.value}"
