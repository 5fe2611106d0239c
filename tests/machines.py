"""Hypothesis strategies for small systems in which things happen: most requests can be allowed, and most claims are
nearly true. Beside `tests.strategies`, whose systems have every expression but seldom go anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from hypothesis import strategies as st

from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    add,
    arith,
    case,
    conj,
    disj,
    eq,
    exists,
    forall,
    implies,
    ite,
    le,
    lt,
    matches,
    negate,
    number,
    select,
    string,
    sub,
    subterms,
)
from policydsl.core.system import (
    Action,
    Guard,
    GuardKind,
    Input,
    Param,
    Property,
    PropertyKind,
    StateVar,
    System,
    Write,
)
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType
from policydsl.interp import State, evaluate, initial

Draw = Callable[[st.SearchStrategy[Any]], Any]

BOT = EntityType("Bot")
ITEM = EntityType("Item")
STAGE = EnumType("Stage", ("Draft", "Open", "Done"))
ROOT, THING = Const("root", BOT), Const("thing", ITEM)
LIMIT = Param("LIMIT", INT, number(2), 0, 3)
WHO, TO, WHAT = Input("who", BOT), Input("to", BOT), Input("what", ITEM)
AMOUNT, YES, TEXT = Input("amount", INT), Input("yes", BOOL), Input("text", STRING)
INPUTS = (WHO, TO, WHAT, AMOUNT, YES, TEXT)
PATTERNS = ("a.*", ".*b", "[ab]{1,2}", "a|b", ".*")
TEXTS = ("", "a", "ab", "b")

CELLS = {
    "m": StateVar("m", (BOT,), INT, ZERO),
    "flag": StateVar("flag", (BOT,), BOOL, FALSE),
    "stage": StateVar("stage", (ITEM,), STAGE, case(STAGE, "Draft")),
    "held": StateVar("held", (ITEM, BOT), BOOL, FALSE),
    "owner": StateVar("owner", (ITEM,), BOT, ROOT),
    "boss": StateVar("boss", (), BOT, ROOT),
    "link": StateVar("link", (BOT,), BOT, ROOT),
    "near": StateVar("near", (BOT, BOT), INT, ZERO),
    "count": StateVar("count", (), INT, ZERO),
    "over": StateVar("over", (), BOOL, FALSE),
    "note": StateVar("note", (ITEM,), STRING, string("")),
}


class _Builder:
    """Draws formulas over some state variables, at terms of each sort that are at hand."""

    def __init__(
        self, draw: Draw, state: tuple[StateVar, ...], fresh: Iterator[int], space: Space = Space.STATE
    ) -> None:
        self.draw = draw
        self.state = state
        self.space = space
        self.fresh = fresh

    def one(self, options: list[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def bind(self, sort: EntityType) -> Ref:
        return Ref(f"{sort.name[0].lower()}#{next(self.fresh)}", sort, Space.BOUND)

    def read(self, v: StateVar, at: dict[EntityType, list[Expr]]) -> Expr:
        ref = Ref(v.name, v.full_type, self.one([self.space, Space.STATE]))
        return select(ref, *(self.one(at[k]) for k in v.keys))

    def small(self) -> Expr:
        return self.one([*map(number, (-1, 0, 1, 2, 3)), LIMIT.ref])

    def atom(self, at: dict[EntityType, list[Expr]], inputs: tuple[Input, ...] = ()) -> Expr:
        values: list[Expr] = [i.ref for i in inputs if not isinstance(i.type, EntityType)]
        cell: Expr = self.one([*values, None]) or self.read(self.one(list(self.state)), at)
        match cell.type:
            case t if t == BOOL:
                return self.one([cell, negate(cell)])
            case t if t == INT:
                other: Expr = self.one([self.small(), self.small(), *([self.number(at)] if self.numbers() else [])])
                return self.one([le(cell, other), le(other, cell), lt(cell, other), eq(cell, other)])
            case t if t == STRING:
                return self.one([matches(cell, self.one(PATTERNS)), eq(cell, string(self.one(TEXTS)))])
            case EnumType():
                return eq(cell, case(STAGE, self.one(STAGE.cases)))
            case EntityType() as sort:
                same = eq(cell, self.one(at[sort]))
                return self.one([same, negate(same)])
        raise AssertionError(cell)

    def numbers(self) -> list[StateVar]:
        return [v for v in self.state if v.type == INT]

    def number(self, at: dict[EntityType, list[Expr]]) -> Expr:
        cell = self.read(self.one(self.numbers()), at)
        if not self.draw(st.integers(0, 3)):
            return self.one(
                [add(cell, self.small()), arith(Op.DIV, cell, number(2)), arith(Op.MAX, cell, self.small())]
            )
        return cell

    def formula(self, at: dict[EntityType, list[Expr]], inputs: tuple[Input, ...] = (), depth: int = 1) -> Expr:
        kind = self.one(["atom", "atom", "and", "or", "implies", "quantified"]) if depth else "atom"
        match kind:
            case "and":
                return conj(self.formula(at, inputs, depth - 1), self.formula(at, inputs, depth - 1))
            case "or":
                return disj(self.formula(at, inputs, depth - 1), self.formula(at, inputs, depth - 1))
            case "implies":
                return implies(self.formula(at, inputs, depth - 1), self.formula(at, inputs, depth - 1))
            case "quantified":
                sort = self.one([BOT, ITEM])
                bound = self.bind(sort)
                body = self.formula({**at, sort: [*at[sort], bound, bound]}, inputs, depth - 1)
                return self.one([forall, exists])(bound, body)
            case _:
                return self.atom(at, inputs)

    def closed(self) -> Expr:
        """A claim: for all of one or two individuals, something simple."""
        bounds = [self.bind(s) for s in self.one([(BOT,), (ITEM,), (ITEM, BOT), (BOT, BOT)])]
        at: dict[EntityType, list[Expr]] = {BOT: [ROOT], ITEM: [THING]}
        for b in bounds:
            assert isinstance(b.type, EntityType)
            at[b.type] = [*at[b.type], b, b]
        body = self.one([self.atom, self.formula, self.formula])(at)
        used = {e for e in subterms(body) if isinstance(e, Ref)}
        for b in bounds:
            if b in used:
                body = forall(b, body)
        return body

    def write(self, at: dict[EntityType, list[Expr]], inputs: tuple[Input, ...]) -> Write:
        v: StateVar = self.one(list(self.state))
        binders: tuple[Ref, ...] = ()
        keys: list[Expr] = [self.one(at[k]) for k in v.keys]
        if v.keys and not self.draw(st.integers(0, 4)):
            place = self.draw(st.integers(0, len(v.keys) - 1))
            binders = (self.bind(v.keys[place]),)
            keys[place] = binders[0]
            at = {**at, v.keys[place]: [*at[v.keys[place]], binders[0]]}
        old = select(v.ref, *keys)
        value = self.value(v, old, at, inputs)
        if not self.draw(st.integers(0, 2)):
            value = ite(self.formula(at, inputs), value, old)
        return Write(v.name, tuple(keys), value, binders)

    def value(self, v: StateVar, old: Expr, at: dict[EntityType, list[Expr]], inputs: tuple[Input, ...]) -> Expr:
        given = [i.ref for i in inputs if i.type == v.type and not isinstance(i.type, EntityType)]
        match v.type:
            case t if t == BOOL:
                return self.one([TRUE, TRUE, FALSE, negate(old), *given, self.formula(at, inputs)])
            case t if t == INT:
                step: Expr = self.one([number(1), *given])
                limit = self.small()
                return self.one([
                    add(old, step), sub(old, step), self.small(), arith(Op.MIN, limit, add(old, step)),
                    arith(Op.MAX, ZERO, sub(old, step)), self.number(at), *given,
                ])  # fmt: skip
            case t if t == STRING:
                return self.one([string(self.one(TEXTS)), *given])
            case EnumType():
                return case(STAGE, self.one(STAGE.cases))
            case EntityType() as sort:
                return self.one(at[sort])
        raise AssertionError(v)


@st.composite
def machines(draw: Draw) -> System:
    """Two to four kinds of cells, one to three actions, and one or two properties of each kind."""
    fresh = count()
    names = draw(st.lists(st.sampled_from(list(CELLS)), min_size=2, max_size=4, unique=True))
    state = tuple(CELLS[n] for n in names)
    if not draw(st.integers(0, 4)):
        state = (*state[:-1], StateVar(state[-1].name, state[-1].keys, state[-1].type, None))
    made = tuple(_action(draw, f"a{i}", state, fresh) for i in range(draw(st.integers(1, 3))))
    begin = initial(System("machine", (LIMIT,), state, (), (), (), (ROOT, THING)))
    properties = [
        Property(f"inv{i}", PropertyKind.INVARIANT, _true_at_first(draw, state, fresh, begin))
        for i in range(draw(st.integers(1, 3)))
    ]
    if draw(st.booleans()):
        unreached = _true_at_first(draw, state, fresh, begin)
        properties.append(Property("reach", PropertyKind.REACHABLE, negate(unreached)))
    if draw(st.booleans()):
        properties.append(Property("step", PropertyKind.STEP, _Builder(draw, state, fresh, Space.NEXT).closed()))
    if draw(st.booleans()):
        about: Action = draw(st.sampled_from(made))
        formula = implies(about.allowed, _Builder(draw, state, fresh).formula(_at(about.inputs), about.inputs))
        properties.append(Property("assert", PropertyKind.ASSERT, formula, action=about.name))
    return System("machine", (LIMIT,), state, made, tuple(properties), (), (ROOT, THING))


def _true_at_first(draw: Draw, state: tuple[StateVar, ...], fresh: Iterator[int], begin: State) -> Expr:
    """A claim that holds in the state `begin`, if one comes up in a few tries."""
    claim = _Builder(draw, state, fresh).closed()
    for _ in range(4):
        if evaluate(claim, begin) is True:
            break
        claim = _Builder(draw, state, fresh).closed()
    return claim


def _at(inputs: tuple[Input, ...]) -> dict[EntityType, list[Expr]]:
    at: dict[EntityType, list[Expr]] = {BOT: [], ITEM: []}
    for i in inputs:
        if isinstance(i.type, EntityType):
            at[i.type].append(i.ref)
    return {BOT: [*at[BOT], ROOT], ITEM: [*at[ITEM], THING]}


def _action(draw: Draw, name: str, state: tuple[StateVar, ...], fresh: Iterator[int]) -> Action:
    extra = draw(st.lists(st.sampled_from((TO, AMOUNT, YES, TEXT)), max_size=2, unique=True))
    inputs = (WHO, WHAT, *extra)
    builder, at = _Builder(draw, state, fresh), _at(inputs)
    guards = [Guard(GuardKind.ASSUME, conj(le(ZERO, AMOUNT.ref), le(AMOUNT.ref, number(2))), "range")]
    guards = guards if AMOUNT in extra else []
    for i in range(draw(st.sampled_from((0, 1, 1, 2)))):
        guards.append(Guard(GuardKind.REQUIRE, builder.formula(at, inputs), f"need {i}"))
    for v in state:
        if v.type == INT and draw(st.booleans()):
            cell = builder.read(v, at)
            guards.append(Guard(GuardKind.REQUIRE, builder.one([le(cell, LIMIT.ref), lt(cell, number(2))]), "room"))
    writes = tuple(builder.write(at, inputs) for _ in range(draw(st.integers(1, 3))))
    used = {r for e in _expressions(guards, writes) for r in subterms(e)}
    return Action(name, tuple(i for i in inputs if i.ref in used), tuple(guards), writes)


def _expressions(guards: list[Guard], writes: tuple[Write, ...]) -> list[Expr]:
    return [*(g.expr for g in guards), *(e for w in writes for e in (*w.keys, w.value))]
