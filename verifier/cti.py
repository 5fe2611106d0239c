"""Counterexamples to induction: one step that loses a property, from a state that may be unreachable.

Not a bug by itself: a hint at the lemma that is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from policydsl.core.expr import Expr, negate
from policydsl.core.system import Property, System
from policydsl.trace import Trace
from verifier.bounded import Goal, Limits, search_from, violations


def step_that_loses(system: System, goal: Expr, known: Sequence[Expr], limits: Limits) -> Trace | None:
    """A step from a state with `goal` and all of `known` to one without `goal`; None if none is found."""
    return search_from(_anywhere(system), Goal("cti", negate(goal)), [goal, *known], _small(limits))


def step_that_breaks(system: System, prop: Property, known: Sequence[Expr], limits: Limits) -> Trace | None:
    """A request in a state with all of `known` that breaks `prop`, an assert or a step property; None if none is
    found."""
    for goal in violations(system, prop):
        # Nothing replays it against the property: it is no run of the system.
        trace = search_from(_anywhere(system), replace(goal, prop=None), known, _small(limits))
        if trace is not None:
            return trace
    return None


def _anywhere(system: System) -> System:
    return replace(system, state=tuple(replace(v, init=None) for v in system.state))


def _small(limits: Limits) -> Limits:
    return replace(limits, depth=1, size=2, principals=2)
