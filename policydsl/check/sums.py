"""A system with sums to one with running sums: each sum becomes a ghost variable that the actions keep equal to it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import cast

from policydsl.check.sums_delta import ghost_writes
from policydsl.check.sums_shape import Shape, SumError, initial, label, shape, split
from policydsl.core.expr import Apply, Expr, Op, Ref, Space, select, substitute, subterms, transform
from policydsl.core.system import Action, Origin, Property, StateVar, Sum, System, Write
from policydsl.core.types import INT, EntityType
from policydsl.diagnostics import Label, Report
from policydsl.source import Span


def lower_sums(system: System, report: Report) -> System:
    """`system` without `Op.SUM`: see NOTE(delta). A sum that cannot be kept is reported and left as it is."""
    lowering = _Lowering(system, report)
    actions = tuple(lowering.action(a) for a in system.actions)
    properties = tuple(lowering.property(p) for p in system.properties)
    actions = tuple(lowering.keep(a) for a in actions)
    ghosts = tuple(lowering.ghosts.values())
    return replace(
        system,
        state=system.state + tuple(g.var for g in ghosts),
        actions=actions,
        properties=properties,
        sums=system.sums + tuple(g.sum for g in ghosts),
    )


@dataclass(frozen=True, slots=True)
class _Ghost:
    var: StateVar
    sum: Sum
    span: Span


class _Lowering:
    """The ghosts found so far, by content."""

    def __init__(self, system: System, report: Report) -> None:
        self._system = system
        self._report = report
        self._memo: dict[Expr, Expr] = {}
        self._names = {v.name for v in system.state}
        self.ghosts: dict[Hashable, _Ghost] = {}

    def expr(self, e: Expr, span: Span) -> Expr:
        """`e` with its sums replaced."""
        if not any(isinstance(part, Apply) and part.op is Op.SUM for part in subterms(e)):
            return e

        def leaf(part: Expr) -> Expr | None:
            return self._sum(part, span) if isinstance(part, Apply) and part.op is Op.SUM else None

        return transform(e, leaf, self._memo)

    def action(self, a: Action) -> Action:
        return replace(
            a,
            guards=tuple(replace(g, expr=self.expr(g.expr, _or(g.span, a.span))) for g in a.guards),
            writes=tuple(self._write(w, _or(w.span, a.span)) for w in a.writes),
            rules=tuple(replace(r, condition=self.expr(r.condition, _or(r.span, a.span))) for r in a.rules),
            obligations=tuple(
                replace(
                    o,
                    args=tuple(self.expr(e, a.span) for e in o.args),
                    condition=self.expr(o.condition, a.span),
                )
                for o in a.obligations
            ),
        )

    def _write(self, w: Write, span: Span) -> Write:
        return replace(w, keys=tuple(self.expr(k, span) for k in w.keys), value=self.expr(w.value, span))

    def property(self, p: Property) -> Property:
        goal = None if p.goal is None else self.expr(p.goal, p.span)
        return replace(p, expr=self.expr(p.expr, p.span), goal=goal)

    def keep(self, a: Action) -> Action:
        """`a` with the writes that keep all sums."""
        added: list[Write] = []
        for ghost in self.ghosts.values():
            try:
                # SOUND: from the writes as lowered, so that a sum of what another sum is written to is right as well.
                added += ghost_writes(a, ghost.sum, ghost.var.ref)
            except SumError as error:
                place = _or(error.span, _or(a.span, ghost.span))
                labels = (Label(ghost.span, "the sum or count is here"),) if ghost.span != place else ()
                self._report.error(error.code, error.text, place, help=error.help, labels=labels)
        return replace(a, writes=a.writes + tuple(added))

    def _sum(self, e: Apply, span: Span) -> Expr:
        bound, body = e.args
        assert isinstance(bound, Ref)
        whole = split(bound, body)
        if whole is not e:
            # A sum that `split` left does not split further, so this ends.
            return self.expr(whole, span)
        try:
            found = shape(e)
            ghost = self._ghost(found, span)
        except SumError as error:
            self._report.error(error.code, error.text, span, help=error.help)
            return e
        ref = ghost.var.next if found.space is Space.NEXT else ghost.var.ref
        return select(ref, *found.individuals)

    def _ghost(self, found: Shape, span: Span) -> _Ghost:
        content = found.content
        if content not in self.ghosts:
            name = self._name(label(found))
            sorts = tuple(cast(EntityType, e.type) for e in found.individuals)
            keys = tuple(Ref(f"{name}.{i}", sort, Space.BOUND) for i, sort in enumerate(sorts))
            bound = Ref(f"{name}.each", found.bound.type, Space.BOUND)
            images: dict[Expr, Expr] = dict(zip(found.individuals, keys, strict=True))
            body = substitute(found.body, {**images, found.bound: bound})
            doc = f"the sum, over every {bound.type}, of what `{name}` is about"
            var = StateVar(name, sorts, INT, initial(found, self._system), Origin.GHOST, doc, span)
            self.ghosts[content] = _Ghost(var, Sum(name, keys, bound, body), span)
        return self.ghosts[content]

    def _name(self, wanted: str) -> str:
        name, copies = wanted, 1
        while name in self._names:
            copies += 1
            name = f"{wanted}#{copies}"
        self._names.add(name)
        return name


def _or(span: Span, other: Span) -> Span:
    return span if span.path else other
