"""A parsed module, with what it imports, to a core program: names, types, elaboration, monitors, sums, lints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import PurePosixPath

from policydsl import syntax as s
from policydsl.check.actions import actions as lower_actions
from policydsl.check.declare import declare, state_variables
from policydsl.check.estimates import settled_action, settled_property
from policydsl.check.lints import lint
from policydsl.check.monitors import Monitors
from policydsl.check.operation import check_effects, told
from policydsl.check.places import all_leaves
from policydsl.check.properties import properties as lower_properties
from policydsl.check.properties import range_invariants
from policydsl.check.scope import World
from policydsl.check.sums import lower_sums
from policydsl.check.surface import NumberT, Unit
from policydsl.check.tests import tests as lower_tests
from policydsl.check.values import leaves
from policydsl.core.expr import Const, Space, number
from policydsl.core.system import CLOCK, NOW, Input, Origin, Program, StateVar, System
from policydsl.core.types import INT
from policydsl.diagnostics import Report


def lower(
    module: s.Module, imports: tuple[s.Module, ...], report: Report, texts: Mapping[str, str] | None = None
) -> Program | None:
    """The program that `module` means; `imports` are all modules it depends on, and `texts` the sources by path."""
    own = Report()
    try:
        program = _lower(module, imports, own, texts or {})
    except RecursionError:
        text = "this policy is nested too deeply"
        own.error("I912", text, module.span, help="split long expressions into functions")
        program = None
    known = {(d.code, d.span, d.text) for d in report.found}
    for found in own.found:
        if (found.code, found.span, found.text) not in known:
            known.add((found.code, found.span, found.text))
            report.found.append(found)
    return None if own.failed else program


def _lower(module: s.Module, imports: tuple[s.Module, ...], report: Report, texts: Mapping[str, str]) -> Program | None:
    foreign = tuple(d for other in imports for d in other.declarations if _shared(d))
    decls = (*foreign, *module.declarations)
    world = World(report, module.path, texts)
    world.timed = uses_time(decls)
    declare(decls, world)

    def inputs(action: str) -> tuple[Input, ...]:
        return world.actions[action].inputs

    world.monitors = Monitors(inputs)
    claims = tuple(d for d in decls if isinstance(d, s.PropertyDecl))
    state = state_variables(world)
    actions = lower_actions(world, tuple(d for d in claims if d.kind == "assume"))
    # SOUND: before any claim is made of what is allowed: that is what the enforcer decides, from its estimates.
    actions = tuple(settled_action(a, world.estimates, report) for a in actions)
    claimed = tuple(settled_property(p, world.estimates, report) for p in lower_properties(claims, actions, world))
    operation = told(world)
    tests = lower_tests(tuple(d for d in decls if isinstance(d, s.TestDecl)), actions, world)
    if report.failed:
        return None
    remembered, actions = world.monitors.finish(actions)
    if world.timed:
        clock = StateVar(CLOCK, (), INT, number(0), Origin.CLOCK, "the time of the last allowed request")
        state = (*state, clock)
    system = System(
        name=module.name or PurePosixPath(module.path).stem,
        params=tuple(p for p, _ in world.params.values()),
        state=(*state, *remembered),
        actions=actions,
        properties=(*range_invariants(state, claimed, world), *claimed),
        individuals=tuple(Const(n, e.core) for n, es in world.individuals.items() for e in es),
        doc=module.doc,
        fail_open=operation.fail_open,
        recovery=operation.recovery,
        phases=operation.phases,
        spans=_measured(world, Unit.DURATION),
        times=_measured(world, Unit.TIME),
    )
    check_effects(system, world)
    lint(module, world, system)
    return Program(module.path, lower_sums(system, report), tests)


def _measured(world: World, unit: Unit) -> frozenset[tuple[Space, str]]:
    """The parameters, inputs and state variables of the core that are declared with this unit."""
    found = {(Space.PARAM, name) for name, (_, t) in world.params.items() if isinstance(t, NumberT) and t.unit is unit}
    parts = [(Space.STATE, leaf) for info in world.states.values() for leaf in all_leaves(info)]
    for action in world.actions.values():
        parts += [(Space.INPUT, leaf) for name, type_ in action.params for leaf in leaves(name, type_)]
    found |= {(space, x.name) for space, x in parts if isinstance(x.surface, NumberT) and x.surface.unit is unit}
    return frozenset(found)


def _shared(decl: s.Decl) -> bool:
    """What an import brings in: all but the claims and tests of the other module; its assumptions are checks."""
    return not isinstance(decl, s.PropertyDecl | s.TestDecl) or getattr(decl, "kind", "") == "assume"


def uses_time(root: object) -> bool:
    """Whether the meaning of a piece of syntax depends on the time of requests."""
    todo = [root]
    parts: dict[type, tuple[str, ...]] = {}
    while todo:
        node = todo.pop()
        match node:
            case s.Name(name=name) if name in (NOW, CLOCK):
                return True
            case s.Past(within=within) | s.Since(within=within) if within is not None:
                return True
            case s.Window():
                return True
            case s.RuleDecl(effect="limit" | "budget"):
                return True
            case s.RuleDecl(effect="approve", within=within) if within is not None:
                return True
            case tuple():
                todo += node
            case s.Node():
                kind = type(node)
                if kind not in parts:
                    parts[kind] = tuple(f.name for f in fields(node) if f.name not in ("span", "name_span"))
                todo += [getattr(node, name) for name in parts[kind]]
            case _:
                pass
    return False
