"""What follows of a running sum once something is known of its terms.

A sum has finitely many non-zero terms (see `Sum`), so if no term is negative the sum is not negative, and it is at
least any one of its terms, and at least any two different ones together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policydsl.core.expr import ZERO, Expr, Ref, Space, add, eq, forall, implies, le, negate, select, substitute
from policydsl.core.system import Sum, System
from verifier.induction import Obligation, entails_obligation
from verifier.joint import inductive
from verifier.solve import Answer


@dataclass(frozen=True, slots=True)
class SumFact:
    """A closed formula that holds because of an obligation that was discharged about the terms."""

    name: str
    formula: Expr
    because: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """Something about the terms of sums, and the facts (by name) that hold of the sums when it always does."""

    name: str
    formula: Expr
    facts: tuple[tuple[str, Expr], ...]


def conditions(system: System) -> list[Condition]:
    """The conditions under which something is known of the sums of `system`."""
    found = [Condition(f"terms of {s.var}", _closed(s, le(ZERO, s.body)), _nonnegative(system, s)) for s in system.sums]
    for a in system.sums:
        for b in system.sums:
            if a is b or a.bound.type != b.bound.type or [k.type for k in a.keys] != [k.type for k in b.keys]:
                continue
            images: dict[Expr, Expr] = dict(zip(b.keys, a.keys, strict=True))
            images[b.bound] = a.bound
            smaller = le(a.body, substitute(b.body, images))
            total_a = select(system.variable(a.var).ref, *a.keys)
            total_b = select(system.variable(b.var).ref, *a.keys)
            fact = f"{a.var} <= {b.var}", _over(a.keys, le(total_a, total_b))
            found.append(Condition(f"{a.var} below {b.var}", _closed(a, smaller), (fact,)))
    return found


def prove_sum_facts(
    system: System, known: Mapping[str, Expr], discharge: Callable[[Obligation], Answer]
) -> list[SumFact]:
    """The facts about the sums of `system` whose conditions can be discharged."""
    facts: list[SumFact] = []
    for c in conditions(system):
        because = always(system, c, known, discharge)
        facts += [SumFact(name, formula, because) for name, formula in c.facts if because]
    return facts


def always(
    system: System, condition: Condition, known: Mapping[str, Expr], discharge: Callable[[Obligation], Answer]
) -> tuple[Obligation, ...]:
    """The obligations that were discharged for `condition` to hold in every reachable state; none if it is open."""
    return _always(system, condition.name, condition.formula, known, discharge)


def _always(
    system: System, name: str, formula: Expr, known: Mapping[str, Expr], discharge: Callable[[Obligation], Answer]
) -> tuple[Obligation, ...]:
    follows = entails_obligation(system, name, list(known.values()), formula)
    if discharge(follows) is Answer.UNSAT:
        return (follows,)
    found = inductive(system, [(name, formula)], known, discharge)
    return found[name].obligations if name in found else ()


def _nonnegative(system: System, s: Sum) -> tuple[tuple[str, Expr], ...]:
    total = select(system.variable(s.var).ref, *s.keys)
    other = Ref(f"{s.bound.name}'", s.bound.type, Space.BOUND)
    second = substitute(s.body, {s.bound: other})
    two = implies(negate(eq(s.bound, other)), le(add(s.body, second), total))
    # SOUND: finitely many terms differ from zero and none is negative, so any part of the sum is at most the sum.
    return (
        (f"{s.var} >= 0", _over(s.keys, le(ZERO, total))),
        (f"{s.var} >= each term", _closed(s, le(s.body, total))),
        (f"{s.var} >= two terms", _over(s.keys, forall(s.bound, forall(other, two)))),
    )


def _closed(s: Sum, body: Expr) -> Expr:
    return _over(s.keys, forall(s.bound, body))


def _over(keys: tuple[Ref, ...], body: Expr) -> Expr:
    for key in reversed(keys):
        body = forall(key, body)
    return body
