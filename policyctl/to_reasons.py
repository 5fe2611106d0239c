"""A verification to what its proofs rest on: for each property that is proved, the guards and properties it needs."""

from __future__ import annotations

from dataclasses import replace

from policyctl.results import PropertyView
from policyctl.to_remarks import is_proved_invariant
from policydsl.core.system import Guard, PropertyKind, System
from policydsl.to_words import words
from verifier.induction import Obligation
from verifier.parts import parts
from verifier.solve import Answer
from verifier.solvers import Solvers
from verifier.sum_facts import prove_sum_facts
from verifier.verdict import Proved, Verification
from verifier.why import Why, why


def with_reasons(
    views: tuple[PropertyView, ...], system: System, verification: Verification, solvers: Solvers
) -> tuple[PropertyView, ...]:
    """The same views, with `guards` and `uses` filled in where an unsatisfiable core says them."""

    def discharge(obligation: Obligation) -> Answer:
        return solvers.ask(obligation.text)

    proved = {o.property.name: o.property.expr for o in verification.outcomes if is_proved_invariant(o)}
    verdicts = {o.property.name: o.verdict for o in verification.outcomes}
    found: dict[str, Why] = {}
    for part in parts(system):
        known = {p.name: proved[p.name] for p in part.properties if p.name in proved}
        facts = prove_sum_facts(part, known, discharge)
        for prop in part.properties:
            verdict = verdicts.get(prop.name)
            if isinstance(verdict, Proved):
                found[prop.name] = why(part, prop, known, verdict.lemmas, facts, discharge)
    return tuple(_explained(view, found[view.name]) if view.name in found else view for view in views)


def _explained(view: PropertyView, reasons: Why) -> PropertyView:
    actions: dict[str, list[str]] = {}
    for action, guard in reasons.guards:
        actions.setdefault(_said(guard), []).append(action)
    guards = tuple(f"{guard} of {', '.join(dict.fromkeys(names))}" for guard, names in actions.items())
    # An argument about runs rests on more than on what no step does.
    uses = view.uses if view.kind == PropertyKind.LEADS_TO.value else reasons.uses
    return replace(view, guards=guards, uses=uses)


def _said(guard: Guard) -> str:
    return f"`{guard.rule}`" if guard.rule else f'"{guard.reason}"' if guard.reason else words(guard.expr)
