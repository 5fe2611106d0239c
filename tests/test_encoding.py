"""The encoder means what the interpreter means: operator by operator, and step for step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policydsl.core.after import after
from policydsl.core.expr import (
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    eq,
    negate,
    number,
    rebuild,
    select,
    string,
    subterms,
    truth,
)
from policydsl.core.system import System
from policydsl.core.types import BOOL, EntityType, EnumType, Value
from policydsl.interp import Request, State, evaluate, initial, step
from policydsl.state import EVERYONE_ELSE
from tests.strategies import PATTERNS, Shape, requests, systems
from verifier import to_smt
from verifier.ground import UngroundableError, ground
from verifier.solve import Answer, with_cvc5, with_z3
from verifier.to_smt import script

SOLVERS = pytest.mark.parametrize("ask", [with_z3, with_cvc5], ids=["z3", "cvc5"])
BOT = EntityType("Bot")
STAGE = EnumType("Stage", ("A", "B", "C"))
NOTHING = System("nothing", (), (), (), ())


def constant(value: Value, type: object) -> Const:
    return Const(value, type)  # type: ignore[arg-type]


def test_every_operator_has_exactly_one_encoding() -> None:
    rows = [*to_smt.SYMBOLS, *to_smt.TEMPLATES, *to_smt.UNSUPPORTED, Op.MATCHES]
    assert sorted(rows, key=lambda op: op.name) == sorted(Op, key=lambda op: op.name)


SAMPLES: dict[Op, list[tuple[Expr, ...]]] = {
    Op.NOT: [(truth(a),) for a in (False, True)],
    **{op: [(truth(a), truth(b)) for a in (False, True) for b in (False, True)] for op in (Op.AND, Op.OR, Op.IMPLIES)},
    Op.EQ: [
        *((number(a), number(b)) for a in (-1, 0, 1) for b in (-1, 0, 1)),
        *((constant(a, STAGE), constant(b, STAGE)) for a in STAGE.cases for b in STAGE.cases),
        *((string(a), string(b)) for a in ("", "x") for b in ("", "x")),
    ],
    Op.ITE: [(truth(c), number(1), number(2)) for c in (False, True)],
    **{
        op: [(number(a), number(b)) for a in (-7, -1, 0, 2, 7) for b in (-3, -1, 0, 1, 2, 3)]
        for op in (Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.MOD, Op.MIN, Op.MAX, Op.LE, Op.LT)
    },
    Op.MATCHES: [(string(t), string(p)) for t in ("", "a", "ab", "ba", "a.b") for p in PATTERNS],
}


def agrees(op: Op, args: tuple[Expr, ...], ask: Callable[[str], Answer]) -> bool:
    """Whether the solver computes what the interpreter computes, on opaque arguments with these values."""
    result_type = BOOL if op in (Op.EQ, Op.NOT, Op.AND, Op.OR, Op.IMPLIES, Op.LE, Op.LT, Op.MATCHES) else args[-1].type
    names = [Ref(f"x{i}", a.type, Space.INPUT) for i, a in enumerate(args)]
    if op is Op.MATCHES:
        names = [names[0]]
    opaque = Apply(op, (*names, *args[len(names) :]), result_type)
    expected = evaluate(rebuild(op, args, result_type), initial(NOTHING))
    facts = [eq(n, a) for n, a in zip(names, args, strict=False)]
    same = eq(opaque, constant(expected, result_type))
    return ask(script([*facts, negate(same)])) is Answer.UNSAT and ask(script([*facts, same])) is Answer.SAT


@SOLVERS
@pytest.mark.parametrize("op", list(SAMPLES), ids=lambda op: op.name)
def test_operator_means_the_same_everywhere(op: Op, ask: Callable[[str], Answer]) -> None:
    assert all(agrees(op, args, ask) for args in SAMPLES[op])


WRONG = {
    Op.LE: "<", Op.LT: "<=", Op.AND: "or", Op.OR: "and", Op.ADD: "-", Op.SUB: "+", Op.MUL: "+", Op.IMPLIES: "=",
}  # fmt: skip


@pytest.mark.parametrize("op", list(WRONG), ids=lambda op: op.name)
def test_a_wrong_symbol_is_noticed(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(to_smt.SYMBOLS, op, WRONG[op])
    assert not all(agrees(op, args, with_z3) for args in SAMPLES[op])


@pytest.mark.parametrize("op", [Op.DIV, Op.MOD, Op.MIN, Op.MAX], ids=lambda op: op.name)
def test_a_wrong_template_is_noticed(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    naive = {
        Op.DIV: lambda a: f"(div {a[0]} {a[1]})",
        Op.MOD: lambda a: f"(mod {a[0]} {a[1]})",
        Op.MIN: to_smt.TEMPLATES[Op.MAX],
        Op.MAX: to_smt.TEMPLATES[Op.MIN],
    }
    monkeypatch.setitem(to_smt.TEMPLATES, op, naive[op])
    assert not all(agrees(op, args, with_z3) for args in SAMPLES[op])


STRANGER = "somebody nobody named"


def people(state: State, request: Request, system: System) -> dict[EntityType, list[str]]:
    """Everybody a step may be about, and one stranger of each sort."""
    found: dict[EntityType, set[str]] = {}
    for v in system.state:
        for sort in v.keys:
            found.setdefault(sort, {STRANGER}).update(state.individuals(sort))
        if isinstance(v.type, EntityType):
            found.setdefault(v.type, {STRANGER}).update(state.individuals(v.type))
    for i in system.action(request.action).inputs:
        if isinstance(i.type, EntityType):
            found.setdefault(i.type, {STRANGER}).add(str(request.inputs[i.name]))
    roots = [g.expr for a in system.actions for g in a.guards]
    roots += [e for a in system.actions for w in a.writes for e in (*w.keys, w.value)]
    for e in subterms(*roots):
        if isinstance(e, Const) and isinstance(e.type, EntityType):
            found.setdefault(e.type, {STRANGER}).add(str(e.value))
    return {s: sorted(n for n in names if n != EVERYONE_ELSE) for s, names in found.items()}


def described(system: System, state: State, everybody: dict[EntityType, list[str]]) -> list[Expr]:
    """The state as facts about its cells."""
    facts: list[Expr] = []
    for v in system.state:
        for keys in product(*(everybody[s] for s in v.keys)):
            cell = select(v.ref, *(Const(k, s) for k, s in zip(keys, v.keys, strict=True)))
            facts.append(eq(cell, Const(state.read(v.name, keys), v.type)))
    return facts


def refuted(facts: list[Expr], claim: Expr) -> bool:
    """Whether the solver says that `claim` fails for certain, given `facts`."""
    return with_z3(script(ground([*facts, claim]))) is Answer.UNSAT


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_step_in_the_solver_is_a_step_in_the_interpreter(data: st.DataObject) -> None:
    system = data.draw(systems(Shape(quantifiers=0)))
    state = initial(system)
    for request in data.draw(requests(system)):
        result = step(system, state, request)
        action = system.action(request.action)
        everybody = people(state, request, system)
        facts = described(system, state, everybody)
        facts += [eq(p.ref, p.default) for p in system.params]
        facts += [eq(i.ref, Const(request.inputs[i.name], i.type)) for i in action.inputs]
        allowed = result.decision.effect == "allow"
        assert refuted(facts, negate(action.allowed) if allowed else action.allowed)
        if allowed:
            wrong: list[Expr] = []
            for v in system.state:
                for keys in product(*(everybody[s] for s in v.keys)):
                    cell = select(v.ref, *(Const(k, s) for k, s in zip(keys, v.keys, strict=True)))
                    value = result.state.read(v.name, keys)
                    if value != EVERYONE_ELSE:
                        wrong.append(negate(eq(after(cell, action.writes), Const(value, v.type))))
            assert all(refuted(facts, w) for w in wrong)
        state = result.state


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_instances_never_refute_what_is_so(data: st.DataObject) -> None:
    """Grounding only weakens: no true quantified formula becomes unsatisfiable."""
    system = data.draw(systems(Shape(quantifiers=2)))
    state = initial(system)
    for request in data.draw(requests(system, most=3)):
        state = step(system, state, request).state
    everybody = people(state, Request(system.actions[0].name, _some_inputs(system)), system)
    facts = described(system, state, everybody) + [eq(p.ref, p.default) for p in system.params]
    for prop in system.properties:
        holds = evaluate(prop.expr, state)
        try:
            assert not refuted(facts, prop.expr if holds else negate(prop.expr))
        except UngroundableError:
            continue


def _some_inputs(system: System) -> dict[str, Value]:
    return {i.name: STRANGER for i in system.actions[0].inputs if isinstance(i.type, EntityType)}
