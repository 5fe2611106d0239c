"""A system to its state machine: the stages of an entity, and which actions lead from one to another.

The machine is a state variable with an enum as its type. An action has an edge from each stage in which its guards can
hold to each stage that it can then write. What folds to false has none, and neither has what both solvers refute, if
need be by properties that are proved. Only stages that are reached along edges are kept. So there may be an edge that
no run takes, but no run takes another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx

from policydsl.core.after import after, read_after
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
    eq,
    le,
    lt,
    negate,
    refs,
    select,
    substitute,
    subterms,
)
from policydsl.core.system import PRINCIPAL, Action, Property, PropertyKind, StateVar, System
from policydsl.core.types import EnumType
from policydsl.expr_words import words
from verifier.ground import UngroundableError, ground
from verifier.induction import parameters
from verifier.solve import Answer
from verifier.solvers import Solvers
from verifier.to_smt import script

OTHERWISE = "otherwise"


class NoMachineError(ValueError):
    """There is nothing to draw; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Edge:
    """`action` leads from `source` to `target`; `condition` says when, if it leads elsewhere too."""

    source: str
    target: str
    action: str
    condition: str = ""
    asked: bool = True
    """Whether somebody asks for it, as `principal`."""


@dataclass(frozen=True, slots=True)
class StageMachine:
    """`initial` are the stages in which individuals begin, `stages` all that are reached, in the order declared."""

    policy: str
    variable: str
    entities: tuple[str, ...]
    initial: tuple[str, ...]
    stages: tuple[str, ...]
    edges: tuple[Edge, ...]

    @property
    def final(self) -> tuple[str, ...]:
        """The stages that nothing leaves."""
        left = {e.source for e in self.edges if e.source != e.target}
        return tuple(s for s in self.stages if s not in left)


def machine_of(
    system: System, variable: str = "", without: frozenset[str] = frozenset(), proved: frozenset[str] = frozenset()
) -> StageMachine:
    """The machine of `variable`, or of the one on which the most actions depend. Actions in `without` are left out, and
    so is what the properties named in `proved`, which have to be, rule out.

    Raises `NoMachineError` when there is none.
    """
    unknown = sorted(without - {a.name for a in system.actions})
    if unknown:
        raise NoMachineError(f"{system.name} has no action `{unknown[0]}`")
    candidates = [v for v in system.state if isinstance(v.type, EnumType) and variable in ("", v.name)]
    if variable and not candidates:
        raise NoMachineError(f"{system.name} has no state variable `{variable}` whose type is an enum")
    actions = [a for a in system.actions if a.name not in without]
    known = [p for p in system.properties if p.name in proved]
    found = [_reached(system, v, list(_edges(system, v, actions, known))) for v in candidates]
    best = max((m for m in found if _changes(m)), key=lambda m: (_steered(m), _changes(m)), default=None)
    if best is None:
        raise NoMachineError(f"no action of {system.name} changes a state variable whose type is an enum")
    return best


def _changes(machine: StageMachine) -> int:
    return sum(e.source != e.target for e in machine.edges)


def _steered(machine: StageMachine) -> int:
    """How many actions depend on the stage."""
    sources: dict[str, set[str]] = {}
    for edge in machine.edges:
        sources.setdefault(edge.action, set()).add(edge.source)
    return sum(len(found) < len(machine.stages) for found in sources.values())


def _reached(system: System, variable: StateVar, edges: list[Edge]) -> StageMachine:
    initial = _initial(variable)
    graph = nx.DiGraph((e.source, e.target) for e in edges)
    graph.add_nodes_from(initial)
    reached = set(initial).union(*(nx.descendants(graph, s) for s in initial))
    return StageMachine(
        system.name,
        variable.name,
        tuple(k.name for k in variable.keys),
        initial,
        tuple(s for s in _cases(variable) if s in reached),
        tuple(e for e in edges if e.source in reached),
    )


def _cases(variable: StateVar) -> tuple[str, ...]:
    assert isinstance(variable.type, EnumType)
    return variable.type.cases


def _initial(variable: StateVar) -> tuple[str, ...]:
    if isinstance(variable.init, Const):
        return (str(variable.init.value),)
    # `= any`, or chosen by a parameter: any of them may be the first.
    return _cases(variable)


def _edges(system: System, variable: StateVar, actions: list[Action], known: list[Property]) -> Iterator[Edge]:
    solvers = Solvers()
    for action in actions:
        asked = any(i.name == PRINCIPAL for i in action.inputs)
        facts = list(_facts(action, known))
        for keys, changes in _cells(variable, action):
            cell = select(variable.ref, *keys)
            value = read_after(variable.ref, keys, action.writes) if changes else cell
            for source in _cases(variable):
                here: dict[Expr, Expr] = {cell: Const(source, variable.type)}
                allowed = substitute(action.allowed, here)
                ways = [
                    (path, target)
                    for path, target in _leaves(substitute(value, here), variable)
                    if _possible(system, conj(allowed, path), [eq(cell, here[cell]), *facts], solvers)
                ]
                for path, target in ways:
                    several = len({t for _, t in ways}) > 1
                    text = _condition(system, path, keys) if several else ""
                    yield Edge(source, target, action.name, text, asked)


def _cells(variable: StateVar, action: Action) -> Iterator[tuple[tuple[Expr, ...], bool]]:
    """The cells of `variable` that `action` writes; and those that it depends on, where it only writes beside them."""
    written = list(dict.fromkeys(w.keys for w in action.writes if w.var == variable.name))
    yield from ((keys, True) for keys in written)
    others = {key for w in action.writes for key in w.keys if w.var != variable.name}
    for term in subterms(action.allowed):
        if isinstance(term, Apply) and term.op is Op.SELECT and term.args[0] is variable.ref:
            keys = term.args[1:]
            about_inputs = all(isinstance(k, Ref) and k.space is Space.INPUT for k in keys)
            if keys not in written and about_inputs and others.intersection(keys):
                yield keys, False


def _leaves(value: Expr, variable: StateVar, path: Expr = TRUE) -> Iterator[tuple[Expr, str]]:
    """What `value` can be, and when."""
    match value:
        case Const():
            yield path, str(value.value)
        case Apply(op=Op.ITE, args=(test, yes, no)):
            yield from _leaves(yes, variable, conj(path, test))
            yield from _leaves(no, variable, conj(path, negate(test)))
        case _:
            for case in _cases(variable):
                yield conj(path, eq(value, Const(case, variable.type))), case


def _facts(action: Action, known: list[Property]) -> Iterator[Expr]:
    """What holds before every step of `action`: invariants, and what steps lead to, said of the state before them."""
    for claim in known:
        match claim.kind:
            case PropertyKind.INVARIANT | PropertyKind.LEMMA:
                yield claim.expr
            case PropertyKind.STEP if claim.action in ("", action.name):
                yield after(claim.expr, action.writes, Space.NEXT)
            case _:
                continue


def _possible(system: System, condition: Expr, facts: list[Expr], solvers: Solvers) -> bool:
    """Whether some state and request with the `facts` may fulfil it: false only if that is certain."""
    if condition is FALSE:
        return False
    try:
        asserted = [condition, *facts, *parameters(system, [condition, *facts])]
        text = script(ground(asserted))
    except UngroundableError:
        return True
    # SOUND: an edge is left out when both solvers say that nothing leads along it, and drawn otherwise.
    return solvers.ask(text) is not Answer.UNSAT


def _condition(system: System, path: Expr, keys: tuple[Expr, ...]) -> str:
    """`path` in words, without the keys of the entity whose stage it is."""
    if isinstance(path, Apply) and path.op is Op.NOT:
        return OTHERWISE
    parts = path.args if isinstance(path, Apply) and path.op is Op.AND else (path,)
    order = [v.name for v in system.state]
    text = words(conj(*(_turned(p, order) for p in parts)), system=system)
    own = ", ".join(k.name for k in keys if isinstance(k, Ref))
    return text.replace(f"[{own}]", "") if own else text


def _turned(part: Expr, order: list[str]) -> Expr:
    """What a limit or a variable declared later is compared with stands first: `x >= LIMIT`, `yes > no`."""
    match part:
        case Apply(op=Op.LE | Op.LT, args=(left, right)) if _rank(right, order) < _rank(left, order):
            return negate(lt(right, left) if part.op is Op.LE else le(right, left))
        case _:
            return part


def _rank(side: Expr, order: list[str]) -> int:
    match side:
        case Const():
            return len(order) + 1
        case Ref(space=Space.PARAM):
            return len(order)
        case _:
            return min((order.index(r.name) for r in refs(side, space=Space.STATE)), default=len(order))
