"""What the verifier says beside verdicts, to remarks: what never matters, and rules that stand in each other's way."""

from __future__ import annotations

from collections.abc import Sequence

from policyctl.results import Remark
from policyctl.to_views import trace_view
from policydsl.core.expr import Expr
from policydsl.core.system import PropertyKind, System
from policydsl.source import NOWHERE, Span
from verifier.rules import Finding, FindingKind
from verifier.verdict import Outcome, Proved, Verification


def proved_invariants(verification: Verification) -> list[Expr]:
    """What may be taken for granted in every reachable state."""
    found: list[Expr] = []
    for o in verification.outcomes:
        if is_proved_invariant(o) and isinstance(o.verdict, Proved):
            found += [o.property.expr, *o.verdict.lemmas]
    return found


def is_proved_invariant(outcome: Outcome) -> bool:
    return isinstance(outcome.verdict, Proved) and outcome.property.kind in {PropertyKind.INVARIANT, PropertyKind.LEMMA}


def remarks_of(system: System, verification: Verification, findings: Sequence[Finding]) -> tuple[Remark, ...]:
    """What never matters in any run that was looked at, and what stands in its own way in any state at all."""
    never = {(f.rule, f.action) for f in findings if f.is_fault}
    vacuities = (v for v in verification.vacuities if not any(v.subject == _rule_on(*names) for names in never))
    return (
        *(Remark("R811", f"{v.subject} {v.text}", v.certain, span=_place(system, v.subject)) for v in vacuities),
        *(
            Remark(
                _CODES[f.kind],
                f.text,
                f.certain,
                None if f.witness is None else trace_view(system, f.witness),
                f.span,
            )
            for f in findings
        ),
    )


_CODES = {
    FindingKind.CONTRADICTION: "R811",
    FindingKind.NOTHING_PERMITS: "R811",
    FindingKind.NEVER_MATCHES: "R811",
    FindingKind.DUPLICATE: "R812",
    FindingKind.SHADOWED: "R812",
    FindingKind.OVERRIDDEN: "R812",
    FindingKind.CONFLICT: "R813",
    FindingKind.UNDECIDED: "R814",
}


def _rule_on(rule: str, action: str) -> str:
    """As the verifier names a rule on an action, or the action itself."""
    return f"rule `{rule}` on `{action}`" if rule else f"action `{action}`"


def _place(system: System, subject: str) -> Span:
    """Where the first name in backticks is declared."""
    name = subject.split("`")[1] if "`" in subject else ""
    places = {a.name: a.span for a in system.actions}
    places |= {r.rule: r.span for a in system.actions for r in a.rules}
    places |= {p.name: p.span for p in system.properties}
    return places.get(name, NOWHERE)
