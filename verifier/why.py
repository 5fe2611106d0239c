"""Why a proof goes through: the guards and the other properties without which it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import z3

from policydsl.core.after import after
from policydsl.core.expr import Expr, Ref, Space, implies, negate
from policydsl.core.system import Action, Guard, System
from policydsl.core.types import BOOL
from verifier.ground import ground
from verifier.induction import parameters, writers
from verifier.solve import RLIMIT
from verifier.to_smt import script


@dataclass(frozen=True, slots=True)
class Why:
    """`guards` as (action, guard), `uses` as names of properties; enough for the step case, none superfluous."""

    guards: tuple[tuple[str, Guard], ...]
    uses: tuple[str, ...]


def why(system: System, goal: Expr, hypotheses: Mapping[str, Expr]) -> Why:
    """What keeps `goal` in every step, given that it is inductive relative to `hypotheses`."""
    guards: list[tuple[str, Guard]] = []
    uses: dict[str, None] = {}
    for action in writers(system, goal):
        for kind, index in _core(system, action, goal, list(hypotheses.values())):
            if kind == "guard":
                guards.append((action.name, action.guards[index]))
            elif kind == "use":
                uses[list(hypotheses)[index]] = None
    return Why(tuple(guards), tuple(uses))


def _core(system: System, action: Action, goal: Expr, hypotheses: Sequence[Expr]) -> list[tuple[str, int]]:
    labels = [("guard", i) for i in range(len(action.guards))] + [("use", i) for i in range(len(hypotheses))]
    optional = [*(g.expr for g in action.guards), *hypotheses]
    fixed = [negate(after(goal, action.writes)), goal]
    asserted = ground([*fixed, *optional, *parameters(system, [*fixed, *optional])])
    switches = [Ref(f"switch {i}", BOOL, Space.INPUT) for i in range(len(optional))]
    n = len(fixed)
    switched = [implies(s, a) for s, a in zip(switches, asserted[n : n + len(optional)], strict=True)]
    # A switch that guards `true` leaves no trace in the text, so each is mentioned once more.
    mention = [implies(s, s) for s in switches]
    text = script([*asserted[:n], *switched, *asserted[n + len(optional) :], *mention])
    context = z3.Context()
    solver = z3.Solver(ctx=context)
    solver.set("rlimit", RLIMIT)
    solver.from_string(text)
    literals = [z3.Bool(f"?switch {i}", context) for i in range(len(optional))]
    if solver.check(*literals) != z3.unsat:
        return []
    core = [i for i, literal in enumerate(literals) if any(literal.eq(c) for c in solver.unsat_core())]
    for i in list(core):
        rest = [j for j in core if j != i]
        if solver.check(*(literals[j] for j in rest)) == z3.unsat:
            core = rest
    return [labels[i] for i in core]
