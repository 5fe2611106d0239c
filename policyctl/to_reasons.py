"""A verification to what its proofs rest on: for each proved invariant, the guards and properties that it needs."""

from __future__ import annotations

from dataclasses import replace

from policyctl.results import PropertyView
from policyctl.to_remarks import is_proved_invariant
from policydsl.core.expr import Expr
from policydsl.core.system import Guard, System
from policydsl.to_words import words
from verifier.verdict import Proved, Verification
from verifier.why import why


def with_reasons(
    views: tuple[PropertyView, ...], system: System, verification: Verification
) -> tuple[PropertyView, ...]:
    """The same views, with `guards` and `uses` filled in where an unsatisfiable core says them."""
    known = {o.property.name: o.property.expr for o in verification.outcomes if is_proved_invariant(o)}
    found = []
    for view, outcome in zip(views, verification.outcomes, strict=True):
        if is_proved_invariant(outcome) and isinstance(outcome.verdict, Proved):
            hypotheses: dict[str, Expr] = {n: e for n, e in known.items() if n != view.name}
            hypotheses |= {words(lemma): lemma for lemma in outcome.verdict.lemmas}
            reasons = why(system, outcome.property.expr, hypotheses)
            guards = tuple(dict.fromkeys(_guard(action, guard) for action, guard in reasons.guards))
            uses = tuple(name for name in reasons.uses if name in known)
            view = replace(view, guards=guards, uses=uses)
        found.append(view)
    return tuple(found)


def _guard(action: str, guard: Guard) -> str:
    name = f"`{guard.rule}`" if guard.rule else f'"{guard.reason}"' if guard.reason else words(guard.expr)
    return f"{name} of {action}"
