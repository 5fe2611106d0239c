"""A formula that a solver found to an equivalent one that people would rather read: sums without negative terms on
either side of a comparison, and `a implies b` for `not a or b`."""

from __future__ import annotations

from collections.abc import Callable

from policydsl.core.expr import (
    ZERO,
    Apply,
    Const,
    Expr,
    Op,
    add,
    arith,
    conj,
    disj,
    implies,
    le,
    lt,
    negate,
    number,
    rebuild,
    truth,
)


def tidy(root: Expr) -> Expr:
    """Equivalent to `root` in every state."""
    memo: dict[Expr, Expr] = {}

    def go(e: Expr) -> Expr:
        if e not in memo:
            memo[e] = _tidied(e, go) if isinstance(e, Apply) else e
        return memo[e]

    return go(root)


def _tidied(e: Apply, go: Callable[[Expr], Expr]) -> Expr:
    match e:
        case Apply(op=Op.NOT, args=(Apply(op=Op.LE | Op.LT, args=(a, b)) as inner,)):
            # `not (a <= b)` is `b < a`, and `not (a < b)` is `b <= a`.
            return _compared(go(b), go(a), strict=inner.op is Op.LE)
        case Apply(op=Op.LE | Op.LT, args=(a, b)):
            return _compared(go(a), go(b), strict=e.op is Op.LT)
        case Apply(op=Op.OR, args=parts):
            given = [p.args[0] for p in parts if isinstance(p, Apply) and _is_negated(p)]
            then = [p for p in parts if not _is_negated(p)]
            if given and then:
                return implies(conj(*map(go, given)), disj(*map(go, then)))
            return disj(*map(go, parts))
        case Apply(op=Op.FORALL | Op.EXISTS, args=(bound, body)):
            return rebuild(e.op, (bound, go(body)), e.type)
        case Apply(op=Op.AND | Op.NOT | Op.IMPLIES, args=parts):
            return rebuild(e.op, tuple(map(go, parts)), e.type)
        case _:
            return e


def _is_negated(e: Expr) -> bool:
    """A negation that is no comparison of numbers the other way round."""
    if not isinstance(e, Apply) or e.op is not Op.NOT:
        return False
    inner = e.args[0]
    return not (isinstance(inner, Apply) and inner.op in (Op.LE, Op.LT))


def _compared(a: Expr, b: Expr, *, strict: bool) -> Expr:
    """`a <= b`, or `a < b`, of whole numbers."""
    terms, constant = _linear(a)
    others, more = _linear(b)
    for e, n in others.items():
        terms[e] = terms.get(e, 0) - n
    # The sum of all terms, and this, is at most 0.
    constant += int(strict) - more
    left, right = _sum(terms, 1), _sum(terms, -1)
    if not left:
        return _at_least(right, constant)
    if not right:
        return lt(add(*left), ZERO) if constant == 1 else le(add(*left), number(-constant))
    if constant == 1:
        return lt(add(*left), add(*right))
    if constant > 0:
        return negate(lt(add(*right), add(*left, number(constant))))
    return le(add(*left), add(*right, number(-constant)))


def _at_least(right: list[Expr], constant: int) -> Expr:
    """That the sum of `right`, if anything, is at least `constant`."""
    if not right:
        return truth(constant <= 0)
    if constant == 1:
        return negate(le(add(*right), ZERO))
    return negate(lt(add(*right), number(constant)))


def _sum(terms: dict[Expr, int], sign: int) -> list[Expr]:
    return [arith(Op.MUL, number(n * sign), e) for e, n in terms.items() if n * sign > 0]


def _linear(e: Expr) -> tuple[dict[Expr, int], int]:
    """The factors of what `e` adds up, and its constant part."""
    match e:
        case Const():
            return {}, int(e.value)
        case Apply(op=Op.ADD, args=parts):
            terms: dict[Expr, int] = {}
            constant = 0
            for part in parts:
                found, more = _linear(part)
                constant += more
                for x, n in found.items():
                    terms[x] = terms.get(x, 0) + n
            return terms, constant
        case Apply(op=Op.SUB, args=(a, b)):
            return _linear(add(a, _times(b, -1)))
        case Apply(op=Op.MUL, args=(Const(value=n), x)) | Apply(op=Op.MUL, args=(x, Const(value=n))):
            terms, constant = _linear(x)
            return {t: m * int(n) for t, m in terms.items()}, constant * int(n)
        case _:
            return {e: 1}, 0


def _times(e: Expr, n: int) -> Expr:
    return arith(Op.MUL, number(n), e)
