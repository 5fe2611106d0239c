"""What an expression over the state is worth after a step, said over the state before it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from policydsl.core.expr import Apply, Expr, Op, Ref, Space, conj, eq, ite, rebuild, refs, select, substitute
from policydsl.core.system import Write


def read_after(variable: Ref, keys: tuple[Expr, ...], writes: Iterable[Write]) -> Expr:
    """The value of `variable` at `keys` (terms over the state before) once `writes` have happened, all at once."""
    value = select(variable, *keys)
    for write in writes:
        if write.var == variable.name:
            images: dict[Expr, Expr] = {}
            meets: list[Expr] = []
            for target, key in zip(write.keys, keys, strict=True):
                if target in write.binders:
                    images[target] = key
                else:
                    meets.append(eq(target, key))
            # SOUND: a later write wins where two meet, so it is tested first: it wraps what came before.
            value = ite(conj(*meets), substitute(write.value, images), value)
    return value


def after(
    expr: Expr, writes: tuple[Write, ...], space: Space = Space.STATE, memo: dict[Expr, Expr] | None = None
) -> Expr:
    """`expr` with every read of a state variable in `space` taken after `writes`; the result reads the state before.

    With `space=NEXT` the reads of the state before stay as they are: that is how a step property becomes one formula.
    Calls with the same `writes` and `space` may share a `memo`.
    """
    written = {w.var for w in writes}
    memo = {} if memo is None else memo

    def go(e: Expr) -> Expr:
        found = memo.get(e)
        if found is None:
            found = memo[e] = step(e)
        return found

    def step(e: Expr) -> Expr:
        if isinstance(e, Ref) and e.space is space:
            before = Ref(e.name, e.type, Space.STATE)
            return read_after(before, (), writes) if e.name in written else before
        if not isinstance(e, Apply):
            return e
        if e.op is Op.SELECT:
            variable, keys = e.args[0], tuple(map(go, e.args[1:]))
            assert isinstance(variable, Ref)
            before = Ref(variable.name, variable.type, Space.STATE)
            if variable.space is space and variable.name in written:
                return read_after(before, keys, writes)
            return select(before if variable.space is space else variable, *keys)
        return rebuild(e.op, tuple(map(go, e.args)), e.type)

    return go(expr)


def reads(*roots: Expr) -> frozenset[str]:
    """The names of the state variables, before or after the step, that `roots` mention."""
    return frozenset().union(*map(_reads, roots))


@lru_cache(maxsize=1 << 16)
def _reads(*roots: Expr) -> frozenset[str]:
    return frozenset(r.name for r in refs(*roots) if r.space in (Space.STATE, Space.NEXT))
