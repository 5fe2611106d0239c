"""Term surgery shared by monitors and sums: reading through writes, abstraction of individuals, canonical forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, conj, eq, ite, refs, select, substitute, subterms
from policydsl.core.system import Write

_BINDING = (Op.FORALL, Op.EXISTS, Op.SUM)


def after(writes: Iterable[Write], map_: Ref, keys: tuple[Expr, ...]) -> Expr:
    """The value of `map_` at `keys` once `writes` have happened, over the state before them."""
    value = select(map_, *keys)
    for write in writes:
        if write.var == map_.name:
            images: dict[Expr, Expr] = {w: k for w, k in zip(write.keys, keys, strict=True) if w in write.binders}
            # SOUND: an alias is a case of its own; two keys that are written differently may be one individual.
            met = conj(*(eq(w, k) for w, k in zip(write.keys, keys, strict=True) if w not in images))
            value = ite(met, substitute(write.value, images), value)
    return value


def closed(e: Expr) -> bool:
    """Whether `e` has one value for good: constants and parameters only."""
    return all(r.space is Space.PARAM for r in refs(e))


def inner_binders(e: Expr) -> tuple[Ref, ...]:
    """The individuals that `e` itself binds, in order of first use."""
    found: dict[Ref, None] = {}
    for part in subterms(e):
        if isinstance(part, Apply) and part.op in _BINDING:
            bound = part.args[0]
            assert isinstance(bound, Ref)
            found[bound] = None
    return tuple(found)


def canonical(e: Expr, images: Mapping[Expr, Expr]) -> Expr:
    """`e` with its free individuals replaced by `images` and its own binders numbered.

    Two terms get the same canonical form only if they are equal up to the names of individuals.
    """
    # SOUND: the numbered names contain a `#`, which no name of a specification does, and distinct binders get distinct
    # names, so nothing is captured and nothing is merged.
    numbered: dict[Expr, Expr] = {b: Ref(f"#b{i}", b.type, Space.BOUND) for i, b in enumerate(inner_binders(e))}
    return substitute(e, {**numbered, **images})


def words(e: Expr) -> str:
    """A short text for the name of a monitor."""
    text = str(e.value).lower() if isinstance(e, Const) and isinstance(e.value, bool) else _infix(e, 4)
    return text if len(text) <= 60 else text[:57] + "..."


def _infix(e: Expr, depth: int) -> str:
    if not isinstance(e, Apply):
        return repr(e)
    if depth == 0:
        return "..."
    args = [_infix(a, depth - 1) for a in e.args]
    match e.op:
        case Op.SELECT:
            return f"{args[0]}[{', '.join(args[1:])}]"
        case Op.NOT:
            return f"not {args[0]}"
        case Op.FORALL | Op.EXISTS | Op.SUM:
            return f"{e.op.value} {args[0]}. {args[1]}"
        case Op.ITE:
            return f"if {args[0]} then {args[1]} else {args[2]}"
        case Op.MIN | Op.MAX:
            return f"{e.op.value}({', '.join(args)})"
        case _:
            return "(" + f" {e.op.value} ".join(args) + ")"
