"""A property that stays unknown to what its author can do about it, where its shape tells."""

from __future__ import annotations

from policydsl.core.expr import Apply, Expr, Op
from policydsl.core.system import Property, PropertyKind
from policydsl.core.types import BOOL

COUNT = "a count often says the same as an `exists`, and is proved: `count(x: T where c) > 0` for `exists x: T . c`"


def advice(prop: Property) -> str:
    """A clause to follow the reason; empty when there is nothing to say."""
    if prop.kind in (PropertyKind.INVARIANT, PropertyKind.LEMMA) and claims_existence(prop.expr):
        return COUNT
    return ""


def claims_existence(root: Expr, positive: bool = True) -> bool:
    """Whether `root` (or its negation) says that some individual exists: a witness has to be found in every state."""
    todo, seen = [(root, positive)], {(root, positive)}
    while todo:
        e, plain = todo.pop()
        if not isinstance(e, Apply) or not e.quantified:
            continue
        match e.op:
            case Op.EXISTS | Op.FORALL:
                if (e.op is Op.EXISTS) is plain:
                    return True
                parts = [(e.args[1], plain)]
            case Op.NOT:
                parts = [(e.args[0], not plain)]
            case Op.IMPLIES:
                parts = [(e.args[0], not plain), (e.args[1], plain)]
            case Op.AND | Op.OR:
                parts = [(a, plain) for a in e.args]
            case _ if e.type == BOOL:  # compared or chosen: both ways
                parts = [(a, p) for a in e.args for p in (True, False) if a.type == BOOL]
            case _:
                parts = []
        found = [p for p in parts if p not in seen]
        seen.update(found)
        todo += found
    return False
