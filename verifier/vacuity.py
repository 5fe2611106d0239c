"""What never matters: actions that cannot happen, rules that decide nothing, antecedents that never hold.

A property can hold, and a rule can look reassuring, for the bad reason that nothing ever gets there. Each subject is a
goal of the bounded search; one that no run reaches is reported, as certain when it is proved unreachable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policydsl.core.expr import Apply, Expr, Op, conj, exists, negate
from policydsl.core.system import Property, PropertyKind, System
from verifier.bounded import Goal, Search
from verifier.horn import split_foralls
from verifier.induction import Obligation, entails_obligation
from verifier.solve import Answer
from verifier.verdict import Vacuity


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that should matter, and what it says when it does not."""

    name: str
    text: str
    goal: Goal


def vacuity_goals(system: System) -> list[Goal]:
    return [s.goal for s in subjects(system)]


def subjects(system: System) -> list[Subject]:
    """Every action, every rule on every action, and every antecedent."""
    found: list[Subject] = []
    for action in system.actions:
        name = f"action `{action.name}`"
        found.append(Subject(name, "is never allowed", Goal(f"vacuity: {name}", action.allowed, action.name)))
        for use in action.rules:
            rule = f"rule `{use.rule}` on `{action.name}`"
            matches = conj(action.assumed, use.condition)
            found.append(Subject(rule, "never matches a request", Goal(f"vacuity: {rule}", matches, action.name)))
    for prop in system.properties:
        antecedent = antecedents(prop)
        if antecedent is not None:
            name = f"antecedent of `{prop.name}`"
            found.append(Subject(name, "never holds", Goal(f"vacuity: {name}", antecedent)))
    return found


def antecedents(prop: Property) -> Expr | None:
    """When the `implies` of an invariant has something to say, as a closed formula."""
    if prop.kind is not PropertyKind.INVARIANT:
        return None
    bounds, body = split_foralls(prop.expr)
    if not (isinstance(body, Apply) and body.op is Op.IMPLIES):
        return None
    antecedent = body.args[0]
    for bound in reversed(bounds):
        antecedent = exists(bound, antecedent)
    return antecedent


def settle(
    system: System,
    search: Search,
    known: Mapping[str, Expr],
    discharge: Callable[[Obligation], Answer],
) -> tuple[Vacuity, ...]:
    """What the search did not reach, each proved unreachable where known invariants say so."""
    result: list[Vacuity] = []
    for subject in subjects(system):
        if subject.goal.name in search.found:
            continue
        never = entails_obligation(system, subject.goal.name, list(known.values()), negate(subject.goal.formula))
        certain = discharge(never) is Answer.UNSAT
        depth = search.depth.get(subject.goal.name, 0)
        text = subject.text if certain else f"{subject.text} in any run of up to {depth} steps"
        result.append(Vacuity(subject.name, text, certain))
    return tuple(result)
