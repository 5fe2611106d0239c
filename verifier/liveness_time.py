"""Conditions that compare `now` with something to their thresholds, and to what remains of them when it is late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policydsl.core.expr import (
    FALSE,
    TRUE,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    add,
    arith,
    number,
    refs,
    substitute,
    subterms,
)
from policydsl.core.types import INT
from verifier.liveness_ask import TIME


@dataclass(frozen=True, slots=True)
class Threshold:
    """The comparison `atom` has the value `late` at every moment after `moment`, if that is not negative."""

    atom: Expr
    moment: Expr
    late: Const


def thresholds(*roots: Expr) -> list[Threshold]:
    """The comparisons in `roots` that time decides."""
    found = [_threshold(e) for e in subterms(*roots) if isinstance(e, Apply)]
    return [t for t in found if t is not None]


def at_last(formula: Expr) -> Expr:
    """`formula` when it is late: after all its thresholds."""
    return substitute(formula, {t.atom: t.late for t in thresholds(formula)})


def moments(roots: Iterable[Expr], individuals: Iterable[Expr]) -> list[Expr]:
    """The thresholds that are made of the state of these individuals."""
    allowed = set(individuals)
    found = dict.fromkeys(t.moment for t in thresholds(*roots))
    return [m for m in found if all(r.space is not Space.BOUND or r in allowed for r in refs(m))]


def _threshold(e: Apply) -> Threshold | None:
    if e.op not in (Op.LE, Op.LT, Op.EQ) or e.args[0].type != INT:
        return None
    terms, constant = _linear(e.args[0])
    others, shift = _linear(e.args[1])
    for term, factor in others.items():
        terms[term] = terms.get(term, 0) - factor
    factor = terms.pop(TIME, 0)
    if factor == 0 or TIME in refs(*terms):
        return None
    sign = 1 if factor < 0 else -1
    parts = [arith(Op.MUL, number(sign * k), term) for term, k in terms.items() if k]
    # SOUND: with f * now on one side and r on the other, now > r and now >= 0 give f * now > r for every f >= 1.
    moment = add(*parts, number(sign * (constant - shift)))
    return Threshold(e, moment, TRUE if factor < 0 and e.op is not Op.EQ else FALSE)


def _linear(e: Expr) -> tuple[dict[Expr, int], int]:
    """`e` as a sum of multiples of terms, and a constant."""
    if isinstance(e, Const):
        return {}, int(e.value)
    if isinstance(e, Ref):
        return {e: 1}, 0
    match e.op:
        case Op.ADD | Op.SUB:
            total: dict[Expr, int] = {}
            constant = 0
            for i, part in enumerate(e.args):
                sign = -1 if e.op is Op.SUB and i else 1
                terms, rest = _linear(part)
                constant += sign * rest
                for term, factor in terms.items():
                    total[term] = total.get(term, 0) + sign * factor
            return total, constant
        case Op.MUL if isinstance(e.args[0], Const) or isinstance(e.args[1], Const):
            by, other = e.args if isinstance(e.args[0], Const) else e.args[::-1]
            assert isinstance(by, Const)
            terms, rest = _linear(other)
            return {t: f * int(by.value) for t, f in terms.items()}, rest * int(by.value)
        case _:
            return {e: 1}, 0
