"""Induction obligations: what must be unsatisfiable for a set of formulas to hold in every reachable state.

An obligation is a list of core assertions; `script` makes it the text that the solvers read. A formula's obligations
for all actions are asked at once, as a disjunction: one text per formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from policydsl.core.after import after, reads
from policydsl.core.expr import (
    Apply,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    disj,
    le,
    negate,
    number,
    rebuild,
    refs,
    substitute,
)
from policydsl.core.system import Action, System
from policydsl.core.types import MapType
from verifier.ground import ground
from verifier.to_smt import script


class Rule(Enum):
    """What discharging an obligation says of its goal."""

    INITIALLY = "initially"  # it holds at the start
    KEPT = "kept"  # every step from it and the hypotheses ends in it again
    FOLLOWS = "follows"  # it holds wherever the hypotheses do


@dataclass(frozen=True, slots=True)
class Obligation:
    """Unsatisfiable exactly when `what` is discharged. `text` is what the solvers read and what certificates keep;
    `rule`, `goal` and `hypotheses` are what it was made from, so that it can be made again (None: not by such a rule).
    """

    what: str
    text: str
    rule: Rule | None = None
    goal: Expr | None = None
    hypotheses: tuple[Expr, ...] = ()


def parameters(system: System, roots: Iterable[Expr]) -> list[Expr]:
    """The declared ranges of the parameters that `roots` mention."""
    found: list[Expr] = []
    used = set(refs(*roots, space=Space.PARAM))
    for p in system.params:
        if p.ref in used:
            if p.low is not None:
                found.append(le(number(p.low), p.ref))
            if p.high is not None:
                found.append(le(p.ref, number(p.high)))
    return found


def initially(system: System, goal: Expr) -> Expr:
    """`goal` in the initial state: reads of state become initial values; free ones stay as they are."""
    inits = {v.name: v.init for v in system.state}

    def go(e: Expr) -> Expr:
        if isinstance(e, Ref) and e.space is Space.STATE and not isinstance(e.type, MapType):
            return inits[e.name] or e
        if isinstance(e, Apply) and e.op is Op.SELECT and isinstance(e.args[0], Ref):
            init = inits[e.args[0].name]
            if init is not None:
                return init
        if isinstance(e, Apply):
            return rebuild(e.op, tuple(map(go, e.args)), e.type)
        return e

    return go(goal)


def rename_inputs(action: Action, e: Expr) -> Expr:
    """Inputs renamed apart, so that all actions can stand in one script."""
    images: dict[Expr, Expr] = {i.ref: Ref(f"{action.name}.{i.name}", i.type, Space.INPUT) for i in action.inputs}
    return substitute(e, images)


def init_obligation(system: System, what: str, goal: Expr) -> Obligation:
    """`goal` holds at the start, for all parameters in their ranges."""
    bad = initially(system, negate(goal))
    return Obligation(f"{what}: initially", _text(system, [bad], ()), Rule.INITIALLY, goal)


def breaking_step(action: Action, goal: Expr, hypotheses: Sequence[Expr]) -> Expr:
    """That `action` is allowed and leads from a state with the hypotheses to one without `goal`, quantifier-free."""
    step = conj(action.allowed, negate(after(goal, action.writes)))
    # SOUND: each action gets instances at its own terms; fewer instances only make the formula easier to satisfy.
    return rename_inputs(action, conj(*ground([step, *hypotheses])))


def writers(system: System, goal: Expr) -> list[Action]:
    """The actions that can change the truth of `goal`."""
    touched = reads(goal)
    # SOUND: an action that writes nothing that `goal` reads leaves its value as it is.
    return [a for a in system.actions if any(w.var in touched for w in a.writes)]


def near(system: System, names: frozenset[str]) -> frozenset[str]:
    """`names` and what decides whether and how the variables with these names are written."""
    found = set(names)
    for action in system.actions:
        writes = [w for w in action.writes if w.var in names]
        if writes:
            found |= reads(action.allowed, *(e for w in writes for e in (w.value, *w.keys)))
    return frozenset(found)


def written_from(system: System, names: frozenset[str]) -> frozenset[str]:
    """What the values and keys read that are written to the variables with these names."""
    writes = [w for a in system.actions for w in a.writes if w.var in names]
    return reads(*(e for w in writes for e in (w.value, *w.keys)))


def step_obligation(system: System, what: str, goal: Expr, hypotheses: Sequence[Expr]) -> Obligation | None:
    """Every allowed step from `goal` and the hypotheses ends in `goal` again; None if no step matters."""
    actions = writers(system, goal)
    if not actions:
        return None
    steps = [breaking_step(a, goal, [goal, *hypotheses]) for a in actions]
    kept = f"{what}: kept by {', '.join(a.name for a in actions)}"
    return Obligation(kept, _text(system, [disj(*steps)], ()), Rule.KEPT, goal, tuple(hypotheses))


def entails_obligation(system: System, what: str, hypotheses: Sequence[Expr], goal: Expr) -> Obligation:
    """Every state with the hypotheses has `goal`."""
    return Obligation(what, _text(system, [negate(goal)], hypotheses), Rule.FOLLOWS, goal, tuple(hypotheses))


def _text(system: System, main: Sequence[Expr], hypotheses: Sequence[Expr]) -> str:
    asserted = [*main, *hypotheses]
    return script(ground([*asserted, *parameters(system, asserted)]))


def relevant(goal_reads: frozenset[str], candidates: Sequence[Expr]) -> list[Expr]:
    """The candidates that speak of something the goal reads."""
    return [c for c in candidates if reads(c) & goal_reads]
