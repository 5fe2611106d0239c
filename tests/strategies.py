"""Type-directed Hypothesis strategies: expressions, systems and requests that the checker could have produced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from hypothesis import strategies as st

from policydsl.core.expr import (
    Const,
    Expr,
    Op,
    Ref,
    Space,
    add,
    arith,
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
    truth,
)
from policydsl.core.system import (
    Action,
    Effect,
    Guard,
    GuardKind,
    Input,
    Obligation,
    Param,
    Property,
    PropertyKind,
    RuleUse,
    StateVar,
    System,
    Write,
)
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType, Scalar, Value
from policydsl.interp import Request

BOT = EntityType("Bot")
ITEM = EntityType("Item")
STAGE = EnumType("Stage", ("Draft", "Open", "Done"))
NAMES = {BOT: ("alice", "bob", "root", ""), ITEM: ("i1", "i2", "")}
TEXTS = ("", "a", "ab", "ba", "a.b", "abc")
PATTERNS = ("a.*", ".*b.*", "[ab]{1,2}", "a\\.b", ".*")
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Shape:
    """What generated systems may contain."""

    strings: bool = True
    bulk: bool = True
    quantifiers: int = 1  # how deep they may be nested in guards and values
    division: bool = True
    any_divisor: bool = False  # also such as the checker would refuse
    free_start: bool = True
    approvals: bool = True


@dataclass(frozen=True)
class Env:
    """What an expression may mention."""

    refs: tuple[Ref, ...] = ()  # inputs, parameters, scalars; `maps` apart
    maps: tuple[StateVar, ...] = ()
    constants: tuple[Const, ...] = ()  # named individuals
    shape: Shape = Shape()
    fresh: Any = field(default_factory=count, compare=False)

    def bind(self, sort: EntityType) -> tuple[Ref, Env]:
        bound = Ref(f"b#{next(self.fresh)}", sort, Space.BOUND)
        return bound, replace(
            self, refs=(*self.refs, bound), shape=replace(self.shape, quantifiers=self.shape.quantifiers - 1)
        )


numbers = st.integers(-2, 9)


@st.composite
def exprs(draw: Draw, type: Scalar, env: Env, depth: int = 3) -> Expr:
    """Expressions of `type` over `env`, at most `depth` operators deep."""
    return _expr(draw, type, env, depth)


def _expr(draw: Draw, type: Scalar, env: Env, depth: int) -> Expr:
    options = [_leaf]
    if depth >= 0 and any(m.type == type for m in env.maps):
        options += [_read, _read]
    if depth > 0:
        options += [_ite]
        options += {BOOL: [_bool, _bool, _bool], INT: [_int, _int]}.get(type, [])
    found: Expr = draw(st.sampled_from(options))(draw, type, env, depth - 1)
    return found


def constant(draw: Draw, type: Scalar, env: Env | None = None) -> Const:
    if type == BOOL:
        return truth(draw(st.booleans()))
    if type == INT:
        return number(draw(numbers))
    if type == STRING:
        return string(draw(st.sampled_from(TEXTS)))
    if isinstance(type, EnumType):
        return Const(draw(st.sampled_from(type.cases)), type)
    named = [c for c in env.constants if c.type == type] if env else []
    return draw(st.sampled_from(named)) if named else Const("", type)


def _leaf(draw: Draw, type: Scalar, env: Env, depth: int) -> Expr:
    fitting = [r for r in env.refs if r.type == type]
    if fitting and draw(st.integers(0, 3)):
        return draw(st.sampled_from(fitting))  # type: ignore[no-any-return]
    return constant(draw, type, env)


def _read(draw: Draw, type: Scalar, env: Env, depth: int) -> Expr:
    map_ = draw(st.sampled_from([m for m in env.maps if m.type == type]))
    return select(map_.ref, *(_expr(draw, k, env, min(depth, 0)) for k in map_.keys))


def _ite(draw: Draw, type: Scalar, env: Env, depth: int) -> Expr:
    return ite(_expr(draw, BOOL, env, depth), _expr(draw, type, env, depth), _expr(draw, type, env, depth))


def _bool(draw: Draw, type: Scalar, env: Env, depth: int) -> Expr:
    kinds = ["not", "and", "or", "implies", "=", "<=", "<"]
    if env.shape.strings:
        kinds.append("matches")
    if env.shape.quantifiers:
        kinds += ["forall", "exists"]
    match draw(st.sampled_from(kinds)):
        case "not":
            return negate(_expr(draw, BOOL, env, depth))
        case "and":
            return conj(*(_expr(draw, BOOL, env, depth) for _ in range(draw(st.integers(2, 3)))))
        case "or":
            return disj(*(_expr(draw, BOOL, env, depth) for _ in range(draw(st.integers(2, 3)))))
        case "implies":
            return implies(_expr(draw, BOOL, env, depth), _expr(draw, BOOL, env, depth))
        case "=":
            types = [BOOL, INT, STAGE, BOT, ITEM, *([STRING] if env.shape.strings else [])]
            side = draw(st.sampled_from(types))
            return eq(_expr(draw, side, env, depth), _expr(draw, side, env, depth))
        case "<=":
            return le(_expr(draw, INT, env, depth), _expr(draw, INT, env, depth))
        case "<":
            return lt(_expr(draw, INT, env, depth), _expr(draw, INT, env, depth))
        case "matches":
            return matches(_expr(draw, STRING, env, min(depth, 0)), draw(st.sampled_from(PATTERNS)))
        case quantifier:
            bound, inner = env.bind(draw(st.sampled_from((BOT, ITEM))))
            body = _expr(draw, BOOL, inner, depth)
            return forall(bound, body) if quantifier == "forall" else exists(bound, body)


def _int(draw: Draw, type: Scalar, env: Env, depth: int) -> Expr:
    kinds = ["+", "-", "*", "min", "max", *(["div", "mod"] if env.shape.division else [])]
    kind = draw(st.sampled_from(kinds))
    a = _expr(draw, INT, env, depth)
    match kind:
        case "+":
            return add(a, _expr(draw, INT, env, depth))
        case "-":
            return sub(a, _expr(draw, INT, env, depth))
        case "*":
            return arith(Op.MUL, number(draw(st.integers(-2, 3))), a)
        case "min" | "max":
            return arith(Op(kind), a, _expr(draw, INT, env, depth))
        case _:
            if env.shape.any_divisor:
                return arith(Op(kind), a, _expr(draw, INT, env, depth))
            return arith(Op(kind), a, number(draw(st.integers(1, 4))))


def environment(
    state: tuple[StateVar, ...],
    inputs: tuple[Input, ...] = (),
    params: tuple[Param, ...] = (),
    constants: tuple[Const, ...] = (),
    shape: Shape | None = None,
) -> Env:
    """What an expression over these declarations may mention."""
    scalars = tuple(v.ref for v in state if not v.keys)
    refs = (*(i.ref for i in inputs), *(p.ref for p in params), *scalars)
    return Env(refs, tuple(v for v in state if v.keys), constants, shape or Shape())


KEYS = ((), (BOT,), (ITEM,), (ITEM, BOT), (BOT, BOT))


@st.composite
def variables(
    draw: Draw, params: tuple[Param, ...], constants: tuple[Const, ...], shape: Shape
) -> tuple[StateVar, ...]:
    """One to four state variables, of which one is a map from bots to numbers."""
    types = [BOOL, INT, INT, STAGE, BOT, ITEM, *([STRING] if shape.strings else [])]
    found = [StateVar("m", (BOT,), INT, number(draw(st.integers(0, 5))))]
    for i in range(draw(st.integers(0, 3))):
        type = draw(st.sampled_from(types))
        init: Expr | None = constant(draw, type, Env(constants=constants))
        if type == INT and params and draw(st.booleans()):
            init = params[0].ref
        if shape.free_start and draw(st.integers(0, 4)) == 0:
            init = None
        found.append(StateVar(f"v{i}", draw(st.sampled_from(KEYS)), type, init))
    return tuple(found)


@st.composite
def writes(draw: Draw, state: tuple[StateVar, ...], env: Env) -> Write:
    """A point write, conditional or not, or a write for everyone."""
    var = draw(st.sampled_from(state))
    bulk = env.shape.bulk and var.keys and draw(st.integers(0, 3)) == 0
    if not bulk:
        keys = tuple(_expr(draw, k, env, 0) for k in var.keys)
        value = _expr(draw, var.type, env, 2)
        if draw(st.booleans()):
            value = ite(_expr(draw, BOOL, env, 1), value, select(var.ref, *keys))
        return Write(var.name, keys, value)
    place = draw(st.integers(0, len(var.keys) - 1))
    bound, inner = env.bind(var.keys[place])
    keys = tuple(bound if i == place else _expr(draw, k, env, 0) for i, k in enumerate(var.keys))
    value = _expr(draw, var.type, inner, 2)
    if draw(st.booleans()):
        value = ite(_expr(draw, BOOL, inner, 1), value, select(var.ref, *keys))
    return Write(var.name, keys, value, (bound,))


AMOUNT = Input("amount", INT)
INPUTS = (Input("other", BOT), Input("item", ITEM), AMOUNT, Input("yes", BOOL), Input("stage", STAGE))


@st.composite
def actions(
    draw: Draw,
    name: str,
    state: tuple[StateVar, ...],
    params: tuple[Param, ...],
    constants: tuple[Const, ...],
    shape: Shape,
) -> Action:
    pool = (*INPUTS, *([Input("text", STRING)] if shape.strings else []))
    chosen = draw(st.lists(st.sampled_from(pool), max_size=3, unique=True))
    inputs = (Input("principal", BOT), *sorted(chosen, key=pool.index))
    env = environment(state, inputs, params, constants, shape)
    guards = []
    rules: list[RuleUse] = []
    obligations: list[Obligation] = []
    if AMOUNT in inputs:
        low, high = number(draw(st.integers(0, 1))), number(draw(st.integers(1, 9)))
        guards.append(Guard(GuardKind.ASSUME, conj(le(low, AMOUNT.ref), le(AMOUNT.ref, high)), "out of range"))
    needs = max(0, draw(st.integers(-2, 2)))
    guards += [Guard(GuardKind.REQUIRE, _expr(draw, BOOL, env, 2), f"need {i}") for i in range(needs)]
    kinds = [(GuardKind.FORBID, "forbid"), (GuardKind.PERMIT, "permit")]
    for kind, effect in kinds + ([(GuardKind.APPROVE, "approve")] if shape.approvals else []):
        if draw(st.integers(0, 4)) == 0:
            rule, condition = f"{effect}_{name}", _expr(draw, BOOL, env, 2)
            guards.append(Guard(kind, condition if kind is GuardKind.PERMIT else negate(condition), rule, rule))
            rules.append(RuleUse(rule, effect, condition))
            on = draw(st.sampled_from(list(Effect)))
            obligations.append(Obligation("notify", (_expr(draw, BOT, env, 0),), condition, on, rule))
    done = tuple(draw(writes(state, env)) for _ in range(draw(st.integers(1, 3))))
    return Action(name, inputs, tuple(guards), done, tuple(rules), tuple(obligations))


@st.composite
def systems(draw: Draw, shape: Shape | None = None) -> System:
    """Small systems: up to two sorts, one to four variables, one to three actions, one or two invariants."""
    shape = shape or Shape()
    params = (Param("LIMIT", INT, number(draw(st.integers(0, 9))), 0, 9),) if draw(st.booleans()) else ()
    constants = draw(st.sampled_from(((), (Const("root", BOT),))))
    state = draw(variables(params, constants, shape))
    made = tuple(draw(actions(f"a{i}", state, params, constants, shape)) for i in range(draw(st.integers(1, 3))))
    env = environment(state, (), params, constants, shape)
    invariants = tuple(
        Property(f"inv{i}", PropertyKind.INVARIANT, draw(claims(state, env))) for i in range(draw(st.integers(1, 2)))
    )
    return System("random", params, state, made, invariants, (), constants)


@st.composite
def claims(draw: Draw, state: tuple[StateVar, ...], env: Env) -> Expr:
    """Closed formulas, many of which hold at first: anything at all, or a bound on the cells of one variable."""
    bound, inner = env.bind(BOT)
    match draw(st.sampled_from(("any", "all", "range", "range", "same"))):
        case "any":
            return draw(exprs(BOOL, env, 3))  # type: ignore[no-any-return]
        case "all":
            return forall(bound, draw(exprs(BOOL, inner, 3)))
        case "range":
            m = select(state[0].ref, bound)
            limit = number(draw(st.integers(-2, 8)))
            return forall(bound, draw(st.sampled_from((le(m, add(limit, number(6))), le(sub(limit, number(6)), m)))))
        case _:
            var = draw(st.sampled_from(state))
            binders: list[Ref] = []
            for k in var.keys:
                key, inner = inner.bind(k)
                binders.append(key)
            first = var.init or constant(draw, var.type, env)
            formula = eq(select(var.ref, *binders), first)
            for key in reversed(binders):
                formula = forall(key, formula)
            return formula


def values(type: Scalar) -> st.SearchStrategy[Value]:
    """Values of `type`, from small pools so that requests meet each other."""
    if type == BOOL:
        return st.booleans()
    if type == INT:
        return numbers
    if type == STRING:
        return st.sampled_from(TEXTS)
    if isinstance(type, EnumType):
        return st.sampled_from(type.cases)
    return st.sampled_from(NAMES[ITEM] if type == ITEM else NAMES[BOT])


@st.composite
def requests(draw: Draw, system: System, most: int = 5) -> list[Request]:
    """Well-typed requests; not all will be allowed."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        action = draw(st.sampled_from(system.actions))
        found.append(Request(action.name, {i.name: draw(values(i.type)) for i in action.inputs}))
    return found
