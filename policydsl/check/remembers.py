"""An action to why it does more than read: what it assigns, whom it asks, and what remembers that it happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policydsl.check.scope import World
from policydsl.core.expr import Expr, Space, refs
from policydsl.core.system import Action, GuardKind, Origin, System
from policydsl.source import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class Cause:
    """`text` goes on from "it does more than read:". The place may be nowhere."""

    text: str
    span: Span


def causes(action: Action, system: System, world: World) -> tuple[Cause, ...]:
    """Empty just when the action only reads, as the core has it; `system` has its monitors already."""
    if action.only_reads:
        return ()
    return tuple(dict.fromkeys(_causes(action, system, world)))


def _causes(action: Action, system: System, world: World) -> Iterator[Cause]:
    variables = {v.name: v for v in system.state}
    remembered: dict[str, None] = {}
    for write in action.writes:
        name = write.var.partition(".")[0]
        match variables[write.var].origin:
            case Origin.CLOCK:
                pass
            case Origin.MONITOR:
                remembered[write.var] = None
            case Origin.GROUP:
                yield Cause(f"it changes who belongs to `{name}`", write.span)
            case _:
                yield Cause(f"it assigns `{name}`", write.span)
    asking = list(_conditions(system, world))
    for var in remembered:
        found = [cause for cause, read in asking if var in read]
        yield from found or [Cause(f"it is remembered {variables[var].doc}", NOWHERE)]
    for guard in action.guards:
        if guard.kind is GuardKind.APPROVE:
            yield Cause(f"the rule `{guard.rule}` asks somebody", _rule(guard.rule, world))
    for obligation in action.obligations:
        if obligation.name != "approve":
            text = f"the rule `{obligation.rule}` demands `{obligation.name}`"
            yield Cause(text, _rule(obligation.rule, world))


def _conditions(system: System, world: World) -> Iterator[tuple[Cause, set[str]]]:
    """Whatever asks about the past, with the monitors that it reads, by way of others or not."""
    monitors = {v.name for v in system.state if v.origin is Origin.MONITOR}
    feeds: dict[str, set[str]] = {}
    for action in system.actions:
        for write in action.writes:
            if write.var in monitors:
                feeds.setdefault(write.var, set()).update(_read(write.value) & monitors)

    def reach(*exprs: Expr) -> set[str]:
        found: set[str] = set()
        todo = [name for e in exprs for name in _read(e) & monitors]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += feeds.get(name, ())
        return found

    for action in system.actions:
        for guard in action.guards:
            if guard.kind is GuardKind.PERMIT:
                continue  # it is made of the rules, which come below
            if guard.rule in world.rule_decls:
                yield Cause(f"the rule `{guard.rule}` remembers it", _rule(guard.rule, world)), reach(guard.expr)
            else:
                yield Cause(f"a condition of `{action.name}` remembers it", guard.span), reach(guard.expr)
        for use in action.rules:
            yield Cause(f"the rule `{use.rule}` remembers it", _rule(use.rule, world)), reach(use.condition)
        for write in action.writes:
            if write.var not in monitors:
                yield Cause(f"what `{action.name}` does remembers it", write.span), reach(write.value, *write.keys)
    for claim in system.properties:
        name = claim.name.partition("@")[0]
        goal = () if claim.goal is None else (claim.goal,)
        yield Cause(f"the property `{name}` remembers it", claim.span), reach(claim.expr, *goal)


def _read(e: Expr) -> set[str]:
    return {r.name for r in refs(e) if r.space in (Space.STATE, Space.NEXT)}


def _rule(name: str, world: World) -> Span:
    return world.rule_decls[name].name_span if name in world.rule_decls else NOWHERE
