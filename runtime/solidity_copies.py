"""A system to those of its bulk writes that a contract need not do, because what they write can be looked up.

NOTE(copies): `for each b: Bot where b in Members { snapshot[proposal, b] := reputation[b] }` copies what is known of
each bot. The contract only notes that a copy was made, and when somebody's cell is read, looks up what was known of him
then: a change of anything that such copies read starts a new record if a copy was made since the last one. That is
exact for everybody, known or not, when nothing else writes the variable and what is copied depends on that bot's own
cells.
"""

from __future__ import annotations

from dataclasses import dataclass

from policydsl.core.expr import TRUE, Apply, Expr, Op, Ref, Space, conj, negate, select, subterms
from policydsl.core.system import System, Write
from policydsl.core.types import EntityType

COPIED = frozenset({Op.NOT, Op.AND, Op.OR, Op.IMPLIES, Op.EQ, Op.ITE, Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.MOD}) | {
    Op.MIN,
    Op.MAX,
    Op.LE,
    Op.LT,
    Op.SELECT,
}
"""What may stand in a copied value: nothing that is about others."""


@dataclass(frozen=True, slots=True)
class Copy:
    """`var` at `keys`, of which `binder` is one, is `value` for those who meet `condition`; both read `sources`."""

    var: str
    binder: Ref
    keys: tuple[Expr, ...]
    condition: Expr
    value: Expr
    sources: frozenset[str]

    @property
    def sort(self) -> EntityType:
        assert isinstance(self.binder.type, EntityType)
        return self.binder.type

    @property
    def others(self) -> tuple[Expr, ...]:
        """The keys beside the binder: for them a copy is made."""
        return tuple(k for k in self.keys if k is not self.binder)


def copies_of(system: System) -> dict[str, Copy]:
    """The variables that are only ever copied to."""
    found: dict[str, Copy] = {}
    writes = [w for a in system.actions for w in a.writes]
    for w in writes:
        # SOUND: two writes, even of one action, would have to be kept apart; then it is a walk, or does not translate.
        if sum(x.var == w.var for x in writes) == 1:
            copy = _copy(w, system)
            if copy is not None:
                found[w.var] = copy
    return found


def _copy(write: Write, system: System) -> Copy | None:
    if len(write.binders) != 1 or len(write.keys) < 2 or system.variable(write.var).init is None:
        return None
    (binder,) = write.binders
    own = select(system.variable(write.var).ref, *write.keys)
    condition, value = conditional(write.value, own)
    sources = set()
    for x in subterms(condition, value):
        match x:
            case Apply(op=Op.SELECT, args=(Ref(name=name), key)) if key is binder and name != write.var:
                sources.add(name)
            case Apply(op=op) if op is Op.SELECT or op not in COPIED:
                return None
            # SOUND: what is not the individual's own would have to be remembered with the copy.
            case Ref(space=Space.INPUT):
                return None
            case Ref(space=Space.STATE, name=name) if not system.variable(name).keys:
                return None
            case _:
                pass
    return Copy(write.var, binder, write.keys, condition, value, frozenset(sources)) if sources else None


def conditional(value: Expr, own: Expr) -> tuple[Expr, Expr]:
    """`value` as when something is written, and what: to leave a cell alone is not to write it."""
    conditions: list[Expr] = []
    while isinstance(value, Apply) and value.op is Op.ITE and own in value.args[1:]:
        test, then, other = value.args
        conditions.append(test if other is own else negate(test))
        value = then if other is own else other
    return conj(*conditions), value


def always(copy: Copy) -> bool:
    """Whether it copies everybody's."""
    return copy.condition is TRUE
