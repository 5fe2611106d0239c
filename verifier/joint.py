"""Joint induction: of some invariants, those that are inductive alone, and the most that are inductive together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from policydsl.core.after import reads
from policydsl.core.expr import Expr
from policydsl.core.system import System
from verifier.induction import Obligation, init_obligation, near, step_obligation
from verifier.solve import Answer


@dataclass(frozen=True, slots=True)
class Inductiveness:
    how: str
    obligations: tuple[Obligation, ...]
    uses: tuple[str, ...]


Inductive: TypeAlias = dict[str, Inductiveness]
Discharge: TypeAlias = Callable[[Obligation], Answer]


def inductive(
    system: System, candidates: Sequence[tuple[str, Expr]], known: Mapping[str, Expr], discharge: Discharge
) -> Inductive:
    """The candidates that hold initially and are kept by every step: first each alone, then the rest together."""
    starts = {name: init_obligation(system, name, expr) for name, expr in candidates}
    open_ = {name: expr for name, expr in candidates if discharge(starts[name]) is Answer.UNSAT}
    found: Inductive = {}
    for name, expr in open_.items():
        step = step_obligation(system, name, expr, list(known.values()))
        if step is None or discharge(step) is Answer.UNSAT:
            found[name] = Inductiveness("1-inductive", (starts[name], *([step] if step else [])), tuple(known))
    rest = {n: e for n, e in open_.items() if n not in found}
    alone = {n: open_[n] for n in found}
    while rest:
        steps: dict[str, Obligation | None] = {}
        kept: dict[str, Expr] = {}
        for name, expr in rest.items():
            helpers = _helpers(system, name, expr, {**known, **alone, **rest})
            step = steps[name] = step_obligation(system, name, expr, list(helpers.values()))
            if step is None or discharge(step) is Answer.UNSAT:
                kept[name] = expr
        if len(kept) == len(rest):
            # SOUND: each step was discharged with hypotheses that are proved or in this very set: joint induction.
            for name, expr in rest.items():
                uses = tuple(_helpers(system, name, expr, {**known, **alone, **rest}))
                step = steps[name]
                found[name] = Inductiveness("1-inductive, together", (starts[name], *([step] if step else [])), uses)
            break
        rest = kept
    return found


def _helpers(system: System, name: str, expr: Expr, others: Mapping[str, Expr]) -> dict[str, Expr]:
    """Those of `others` that speak of anything that decides what becomes of `expr`."""
    touched = near(system, reads(expr))
    return {n: e for n, e in others.items() if n != name and reads(e) & touched}
