"""One step of a system as seen from finitely many cells: no maps, no individuals, no quantifiers left.

NOTE(cells): distinguished-cell abstraction (Monniaux and Gonnord, "Cell morphing", SAS 2016). A few individuals are
distinguished; they and the individuals that an action touches are *representatives*, pairwise different. For each way
in which the action's individuals can coincide with them, the step becomes a formula over scalars: a read of a map at
representatives is a scalar, and an entity-valued read compared with a representative is a Boolean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from policydsl.core.expr import (
    FALSE,
    TRUE,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    disj,
    eq,
    ite,
    negate,
    rebuild,
    select,
    show,
    substitute,
)
from policydsl.core.types import BOOL, EntityType

T = TypeVar("T")


class NeedError(Exception):
    """The individual that `term` names has to be chosen before this can be said in cells."""

    def __init__(self, term: Expr) -> None:
        super().__init__(term)
        self.term = term


class UnsupportedError(Exception):
    """A quantifier stands where it cannot be instantiated."""


@dataclass(frozen=True)
class View:
    """A choice of representatives, and which of them each individual term is."""

    representatives: tuple[Const, ...]
    chosen: dict[Expr, Const] = field(default_factory=dict)

    def of(self, type: object) -> list[Const]:
        return [r for r in self.representatives if r.type == type]


def choices(view: View, build: Callable[[View], T]) -> Iterator[T]:
    """`build` under every way of choosing the individuals that it asks for."""
    try:
        result = build(view)
    except NeedError as need:
        term = need.term
        assert isinstance(term.type, EntityType)
        for representative in view.of(term.type):
            yield from choices(View(view.representatives, {**view.chosen, term: representative}), build)
        new = Const(f"@{len(view.representatives)}", term.type)
        yield from choices(View((*view.representatives, new), {**view.chosen, term: new}), build)
        return
    yield result


class Specialiser:
    """Rewrites expressions under a view. Shares its work between calls."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._memo: dict[Expr, Expr] = {}

    def __call__(self, e: Expr) -> Expr:
        found = self._memo.get(e)
        if found is None:
            found = self._memo[e] = self._rewrite(e)
        return found

    def _rewrite(self, e: Expr) -> Expr:
        if not isinstance(e, Apply):
            return self._individual(e) if isinstance(e.type, EntityType) and not isinstance(e, Const) else e
        match e.op:
            case Op.AND | Op.OR:
                return self._junction(e)
            case Op.IMPLIES:
                a = self(e.args[0])
                return TRUE if a is FALSE else disj(negate(a), self(e.args[1]))
            case Op.ITE:
                c = self(e.args[0])
                if isinstance(c, Const):
                    return self(e.args[1] if c is TRUE else e.args[2])
                return ite(c, self(e.args[1]), self(e.args[2]))
            case Op.EQ if isinstance(e.args[0].type, EntityType):
                return self._same(self._loose(e.args[0]), self._loose(e.args[1]))
            case Op.SELECT:
                return self._read(e)
            case Op.FORALL:
                return self._forall(e)
            case Op.EXISTS | Op.SUM:
                raise UnsupportedError(e)
            case _:
                return rebuild(e.op, tuple(map(self, e.args)), e.type)

    def _junction(self, e: Apply) -> Expr:
        stop = FALSE if e.op is Op.AND else TRUE
        parts: list[Expr] = []
        for arg in e.args:
            part = self(arg)
            if part is stop:
                return stop
            parts.append(part)
        return rebuild(e.op, tuple(parts), e.type)

    def _individual(self, term: Expr) -> Expr:
        """The representative that `term` is."""
        found = self.view.chosen.get(term)
        if found is None:
            raise NeedError(term)
        return found

    def _loose(self, e: Expr) -> Expr:
        """Like a call, but a read whose individual nobody has asked for stays a read."""
        if isinstance(e, Apply) and e.op is Op.SELECT:
            return self._distribute(e, self._entity_read)
        if isinstance(e, Apply) and e.op is Op.ITE:
            c = self(e.args[0])
            if isinstance(c, Const):
                return self._loose(e.args[1] if c is TRUE else e.args[2])
            return Apply(Op.ITE, (c, self._loose(e.args[1]), self._loose(e.args[2])), e.type)
        if isinstance(e, Ref) and e.space is Space.STATE:
            return self._entity_read(e)
        return self(e)

    def _entity_read(self, read: Expr) -> Expr:
        return self.view.chosen.get(read, read)

    def _same(self, a: Expr, b: Expr) -> Expr:
        for x, y in ((a, b), (b, a)):
            if isinstance(x, Apply) and x.op is Op.ITE:
                return ite(x.args[0], self._same(x.args[1], y), self._same(x.args[2], y))
        for x, y in ((a, b), (b, a)):
            # The value of an absent option is an individual, but nobody knows which: it may be any representative.
            if isinstance(x, Const) and x.value == "" and x is not y:
                return Apply(Op.EQ, (x, y), BOOL)
        if isinstance(a, Const) or isinstance(b, Const):
            return eq(a, b) if isinstance(b, Const) else eq(b, a)
        # Two reads: whether they agree is a Boolean of its own, in one order for both ways of asking.
        return eq(*sorted((a, b), key=show))

    def _read(self, e: Apply) -> Expr:
        if isinstance(e.type, EntityType):
            return self._distribute(e, self._individual)
        return self._distribute(e, lambda read: read)

    def _distribute(self, e: Apply, finish: Callable[[Expr], Expr]) -> Expr:
        """A read at keys that may be conditional, as a condition over plain reads."""

        def go(done: tuple[Expr, ...], rest: tuple[Expr, ...]) -> Expr:
            if not rest:
                return finish(select(e.args[0], *done))
            head = rest[0]
            if isinstance(head, Apply) and head.op is Op.ITE:
                return ite(head.args[0], go(done, (head.args[1], *rest[1:])), go(done, (head.args[2], *rest[1:])))
            return go((*done, head), rest[1:])

        return go((), tuple(self(k) for k in e.args[1:]))

    def _forall(self, e: Apply) -> Expr:
        bound = e.args[0]
        parts: list[Expr] = []
        for representative in self.view.of(bound.type):
            try:
                parts.append(self(substitute(e.args[1], {bound: representative})))
            except NeedError:
                # SOUND: an assumption loses an instance, which only makes it weaker; goals have no quantifiers here.
                continue
        return conj(*parts)
