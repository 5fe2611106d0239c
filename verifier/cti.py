"""Counterexamples to induction: one step that loses a property, from a state that may be unreachable.

Not a bug by itself: a hint at the lemma that is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from policydsl.core.expr import Expr, negate
from policydsl.core.system import System
from policydsl.trace import Trace
from verifier.bounded import Goal, Limits, search_from


def step_that_loses(system: System, goal: Expr, known: Sequence[Expr], limits: Limits) -> Trace | None:
    """A step from a state with `goal` and all of `known` to one without `goal`; None if none is found."""
    anywhere = replace(system, state=tuple(replace(v, init=None) for v in system.state))
    small = replace(limits, depth=1, size=2, principals=2)
    return search_from(anywhere, Goal("cti", negate(goal)), [goal, *known], small)
