"""A system to its independent parts: actions, state and properties that share nothing but time and parameters.

A part keeps everything that any of its actions reads or writes, so nothing in it is abstracted. What the others do
shows in it as the action `ELSEWHERE`, which lets time pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import networkx as nx

from policydsl.core.after import after, reads
from policydsl.core.expr import TRUE, Expr, Ref, Space, le, refs
from policydsl.core.system import NOW, Action, Guard, GuardKind, Input, Origin, Property, PropertyKind, System, Write
from policydsl.core.types import INT
from verifier.finite import sorts

ELSEWHERE = "something else"
"""The action of a part that stands for all actions of the others. No policy can have an action of this name."""


def parts(system: System) -> tuple[System, ...]:
    """The parts, in the order of their first actions and properties; `system` itself if it does not fall into any."""
    clock = next((v.ref for v in system.state if v.origin is Origin.CLOCK), None)
    beside = () if clock is None else (_elsewhere(clock),)
    if not all(_keeps_time(a, clock) for a in system.actions):
        return (system,)
    if not all(_is_local(p, beside) for p in system.properties):
        return (system,)
    found = list(nx.connected_components(_graph(system, clock)))
    groups = [g for g in found if any(kind in ("action", "property") for kind, _ in g)]
    if len(groups) < 2:
        return (system,)
    order = {("action", a.name): i for i, a in enumerate(system.actions)}
    order |= {("property", p.name): len(order) + i for i, p in enumerate(system.properties)}
    groups.sort(key=lambda g: min(order[n] for n in g if n in order))
    return tuple(_part(system, g, beside) for g in groups)


def alone(part: System) -> System:
    """`part` without what happens elsewhere. Its runs are runs of the whole system."""
    return replace(part, actions=tuple(a for a in part.actions if a.name != ELSEWHERE))


def _elsewhere(clock: Ref) -> Action:
    now = Input(NOW, INT)
    guard = Guard(GuardKind.ASSUME, le(clock, now.ref), "")
    return Action(ELSEWHERE, (now,), (guard,), (Write(clock.name, (), now.ref),))


def _keeps_time(action: Action, clock: Ref | None) -> bool:
    """Whether all that `action` does to the clock is what `ELSEWHERE` does."""
    if clock is None:
        return True
    now = Ref(NOW, INT, Space.INPUT)
    written = [w for w in action.writes if w.var == clock.name]
    guarded = any(g.expr is le(clock, now) for g in action.guards)
    # SOUND: every step of another part is a step of `ELSEWHERE`, as far as the variables of this part can tell.
    return guarded and len(written) == 1 and written[0].value is now


def _is_local(prop: Property, beside: tuple[Action, ...]) -> bool:
    """Whether `prop` says nothing about actions that do not write what it reads."""
    if prop.action or prop.kind not in (PropertyKind.ASSERT, PropertyKind.STEP):
        return True
    writes = beside[0].writes if beside else ()
    # SOUND: a property of all steps is asked of the actions of its part only; of any other it is trivially true.
    return prop.kind is PropertyKind.STEP and after(prop.expr, writes, Space.NEXT) is TRUE


def _graph(system: System, clock: Ref | None) -> nx.Graph:
    """Who has to do with what: variables (but for the clock), actions and properties."""
    graph = nx.Graph()
    shared = set() if clock is None else {clock.name}

    def link(node: tuple[str, str], names: Iterable[str]) -> None:
        graph.add_node(node)
        graph.add_edges_from((node, ("variable", n)) for n in names if n not in shared)

    for v in system.state:
        link(("variable", v.name), reads(v.init) if v.init is not None else ())
    for s in system.sums:
        link(("variable", s.var), reads(s.body))
    for a in system.actions:
        link(("action", a.name), [*reads(*_of_action(a)), *(w.var for w in a.writes)])
    for p in system.properties:
        link(("property", p.name), reads(*_of_property(p)))
        if p.action:
            graph.add_edge(("property", p.name), ("action", p.action))
    return graph


def _part(system: System, group: set[tuple[str, str]], beside: tuple[Action, ...]) -> System:
    actions = tuple(a for a in system.actions if ("action", a.name) in group)
    properties = tuple(p for p in system.properties if ("property", p.name) in group)
    state = tuple(v for v in system.state if ("variable", v.name) in group or v.origin is Origin.CLOCK)
    sums = tuple(s for s in system.sums if ("variable", s.var) in group)
    roots = [v.init for v in state if v.init is not None]
    roots += [e for a in actions for e in _of_action(a)]
    roots += [e for p in properties for e in _of_property(p)]
    roots += [s.body for s in sums]
    used = {r.name for r in refs(*roots, space=Space.PARAM)}
    params = tuple(p for p in system.params if p.name in used)
    part = replace(system, params=params, state=state, actions=(*actions, *beside), properties=properties, sums=sums)
    # Which individuals of other sorts there are is nothing to this part.
    own = frozenset(sorts(part))
    return replace(part, individuals=tuple(c for c in part.individuals if c.type in own))


def _of_action(a: Action) -> Iterator[Expr]:
    yield from (g.expr for g in a.guards)
    yield from (e for w in a.writes for e in (w.value, *w.keys))
    yield from (r.condition for r in a.rules)
    yield from (e for o in a.obligations for e in (o.condition, *o.args))


def _of_property(p: Property) -> Iterator[Expr]:
    yield p.expr
    if p.goal is not None:
        yield p.goal
