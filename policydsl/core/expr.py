"""Expressions of the core: `Const | Ref | Apply`, immutable, interned and typed.

Equal expressions are the same object, so equality and hashing cost nothing, sub-terms are shared, and a pass
over a directed acyclic graph memoises by identity (`hash` of a deep shared tree would be exponential).
Smart constructors (`conj`, `ite`, `eq`, ...) fold what is constant; they are the only way passes build terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType, MapType, Type, Value


class Op(Enum):
    """Every operator there is. A new one needs a row in each back end's table; a test compares the tables."""

    __hash__ = object.__hash__  # members are unique, and this one is not computed in Python

    NOT = "not"
    AND = "and"
    OR = "or"
    IMPLIES = "implies"
    EQ = "="
    ITE = "if"
    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "div"  # floor division; 0 when the divisor is not positive, so that it is total
    MOD = "mod"  # a - b * div(a, b) when the divisor is positive, else 0
    MIN = "min"
    MAX = "max"
    LE = "<="
    LT = "<"
    MATCHES = "matches"  # (string, constant pattern): the whole string is in the regular language
    SELECT = "select"  # (map, key, ...)
    FORALL = "forall"  # (bound, body): for every individual of the bound's type
    EXISTS = "exists"
    SUM = "sum"  # (bound, body): over all individuals; finitely many contribute


class Space(Enum):
    """Where a reference points."""

    STATE = "state"
    NEXT = "next"  # the state after the step; only in step properties
    INPUT = "input"
    PARAM = "param"
    BOUND = "bound"


class Const:
    """A constant. `value` is a `bool`, an `int`, or a `str` (a string, an enum case, an individual's name)."""

    __slots__ = ("__weakref__", "type", "value")
    value: Value
    type: Type

    def __new__(cls, value: Value, type: Type) -> Const:
        key = (value.__class__, value, type)
        found = _CONSTS.get(key)
        if found is None:
            found = object.__new__(cls)
            object.__setattr__(found, "value", value)
            object.__setattr__(found, "type", type)
            _CONSTS[key] = found
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Const, (self.value, self.type))

    def __repr__(self) -> str:
        return show(self)


class Ref:
    """A reference to a state variable, an input, a parameter or a bound individual."""

    __slots__ = ("__weakref__", "name", "space", "type")
    name: str
    type: Type
    space: Space

    def __new__(cls, name: str, type: Type, space: Space) -> Ref:
        key = (name, type, space)
        found = _REFS.get(key)
        if found is None:
            found = object.__new__(cls)
            object.__setattr__(found, "name", name)
            object.__setattr__(found, "type", type)
            object.__setattr__(found, "space", space)
            _REFS[key] = found
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Ref, (self.name, self.type, self.space))

    def __repr__(self) -> str:
        return show(self)


class Apply:
    """An operator applied to arguments. `type` is the type of the result; `quantified` says that a `forall` or `exists`
    stands somewhere in it, `bound` that it mentions a bound individual: passes ask so often that both are kept."""

    __slots__ = ("__weakref__", "args", "bound", "op", "quantified", "type")
    op: Op
    args: tuple[Expr, ...]
    type: Type
    quantified: bool
    bound: bool

    def __new__(cls, op: Op, args: tuple[Expr, ...], type: Type) -> Apply:
        key: tuple[object, ...] = (op, *map(id, args))
        found = _APPLIES.get(key)
        if found is not None and found.type is not type and found.type != type:
            key = (*key, type)  # a type hashes slowly, and all but never differs where operator and arguments do not
            found = _APPLIES.get(key)
        if found is None:
            found = object.__new__(cls)
            object.__setattr__(found, "op", op)
            object.__setattr__(found, "args", args)
            object.__setattr__(found, "type", type)
            quantified, bound = op is Op.FORALL or op is Op.EXISTS, False
            for a in args:
                if isinstance(a, Apply):
                    quantified |= a.quantified
                    bound |= a.bound
                elif isinstance(a, Ref):
                    bound |= a.space is Space.BOUND
            object.__setattr__(found, "quantified", quantified)
            object.__setattr__(found, "bound", bound)
            _APPLIES[key] = found
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Apply, (self.op, self.args, self.type))

    def __repr__(self) -> str:
        return show(self)


Expr: TypeAlias = Const | Ref | Apply

# NOTE(interning): a cache of values, not state: two equal expressions are one object, in whatever order they are made.
# An `Apply` holds its arguments, so the ids in a live key cannot be reused.
_CONSTS: WeakValueDictionary[Any, Const] = WeakValueDictionary()
_REFS: WeakValueDictionary[Any, Ref] = WeakValueDictionary()
_APPLIES: WeakValueDictionary[Any, Apply] = WeakValueDictionary()

NOBODY = ""
"""The individual that stands for the value of an absent option. It may be anybody, so comparisons are not folded."""

TRUE = Const(True, BOOL)
FALSE = Const(False, BOOL)
ZERO = Const(0, INT)


def number(value: int) -> Const:
    return Const(value, INT)


def string(value: str) -> Const:
    return Const(value, STRING)


def case(type: EnumType, name: str) -> Const:
    assert name in type.cases
    return Const(name, type)


def individual(type: EntityType, name: str) -> Const:
    return Const(name, type)


def truth(value: bool) -> Const:
    return TRUE if value else FALSE


def negate(a: Expr) -> Expr:
    if a is TRUE:
        return FALSE
    if a is FALSE:
        return TRUE
    if isinstance(a, Apply) and a.op is Op.NOT:
        return a.args[0]
    return Apply(Op.NOT, (a,), BOOL)


def _flat(op: Op, parts: Iterable[Expr]) -> list[Expr]:
    flat: list[Expr] = []
    for part in parts:
        if isinstance(part, Apply) and part.op is op:
            flat += part.args
        else:
            flat.append(part)
    return flat


def _junction(op: Op, unit: Const, zero: Const, parts: Iterable[Expr]) -> Expr:
    kept: dict[Expr, None] = {}
    denied: set[Expr] = set()
    for part in _flat(op, parts):
        if part is unit:
            continue
        if part is zero or part in denied:
            return zero
        if isinstance(part, Apply) and part.op is Op.NOT:
            opposite = part.args[0]
            if opposite in kept:
                return zero
            denied.add(opposite)
        kept[part] = None
    if not kept:
        return unit
    return next(iter(kept)) if len(kept) == 1 else Apply(op, tuple(kept), BOOL)


def conj(*parts: Expr) -> Expr:
    return _junction(Op.AND, TRUE, FALSE, parts)


def disj(*parts: Expr) -> Expr:
    return _junction(Op.OR, FALSE, TRUE, parts)


def implies(a: Expr, b: Expr) -> Expr:
    if a is TRUE:
        return b
    if a is FALSE or b is TRUE or a is b:
        return TRUE
    return negate(a) if b is FALSE else Apply(Op.IMPLIES, (a, b), BOOL)


def eq(a: Expr, b: Expr) -> Expr:
    assert a.type == b.type, (a, a.type, b, b.type)
    if a is b:
        return TRUE
    if isinstance(a, Const) and isinstance(b, Const):
        somebody = not isinstance(a.type, EntityType) or NOBODY not in (a.value, b.value)
        return FALSE if somebody else Apply(Op.EQ, (a, b), BOOL)
    if a.type == BOOL:
        for x, y in ((a, b), (b, a)):
            if x is TRUE:
                return y
            if x is FALSE:
                return negate(y)
    return Apply(Op.EQ, (a, b), BOOL)


def ite(c: Expr, a: Expr, b: Expr) -> Expr:
    assert a.type == b.type, (a, b)
    if c is TRUE or a is b:
        return a
    if c is FALSE:
        return b
    if a is TRUE and b is FALSE:
        return c
    if a is FALSE and b is TRUE:
        return negate(c)
    return Apply(Op.ITE, (c, a, b), a.type)


def add(*parts: Expr) -> Expr:
    total = 0
    kept: list[Expr] = []
    for part in _flat(Op.ADD, parts):
        if isinstance(part, Const):
            total += int(part.value)
        else:
            kept.append(part)
    if total or not kept:
        kept.append(number(total))
    return kept[0] if len(kept) == 1 else Apply(Op.ADD, tuple(kept), INT)


def sub(a: Expr, b: Expr) -> Expr:
    if isinstance(b, Const):
        return add(a, number(-int(b.value)))
    return ZERO if a is b else Apply(Op.SUB, (a, b), INT)


def floor_div(a: int, b: int) -> int:
    """The meaning of `Op.DIV`."""
    return a // b if b > 0 else 0


def floor_mod(a: int, b: int) -> int:
    """The meaning of `Op.MOD`."""
    return a % b if b > 0 else 0


_ARITHMETIC: dict[Op, Callable[[int, int], int]] = {
    Op.MUL: lambda a, b: a * b,
    Op.DIV: floor_div,
    Op.MOD: floor_mod,
    Op.MIN: min,
    Op.MAX: max,
}


def arith(op: Op, a: Expr, b: Expr) -> Expr:
    """`MUL`, `DIV`, `MOD`, `MIN` or `MAX` of two integers."""
    if isinstance(a, Const) and isinstance(b, Const):
        return number(_ARITHMETIC[op](int(a.value), int(b.value)))
    if op is Op.MUL and ZERO in (a, b):
        return ZERO
    if op is Op.MUL and number(1) in (a, b):
        return b if a is number(1) else a
    if op in (Op.MIN, Op.MAX) and a is b:
        return a
    return Apply(op, (a, b), INT)


def le(a: Expr, b: Expr) -> Expr:
    if isinstance(a, Const) and isinstance(b, Const):
        return truth(a.value <= b.value)  # type: ignore[operator]  # both are integers: the checker said so
    return TRUE if a is b else Apply(Op.LE, (a, b), BOOL)


def lt(a: Expr, b: Expr) -> Expr:
    if isinstance(a, Const) and isinstance(b, Const):
        return truth(a.value < b.value)  # type: ignore[operator]
    return FALSE if a is b else Apply(Op.LT, (a, b), BOOL)


def matches(text: Expr, pattern: str) -> Expr:
    """Whether the whole of `text` is in the regular language `pattern` (see `policydsl.regular`)."""
    return Apply(Op.MATCHES, (text, string(pattern)), BOOL)


def select(map_: Expr, *keys: Expr) -> Expr:
    """The value of a map at `keys`; a scalar state variable is its own value."""
    if not keys:
        return map_
    assert isinstance(map_.type, MapType)
    assert tuple(k.type for k in keys) == map_.type.keys, (map_, keys)
    return Apply(Op.SELECT, (map_, *keys), map_.type.value)


def forall(bound: Ref, body: Expr) -> Expr:
    return body if body in (TRUE, FALSE) else Apply(Op.FORALL, (bound, body), BOOL)


def exists(bound: Ref, body: Expr) -> Expr:
    return body if body in (TRUE, FALSE) else Apply(Op.EXISTS, (bound, body), BOOL)


def total(bound: Ref, body: Expr) -> Expr:
    return ZERO if body is ZERO else Apply(Op.SUM, (bound, body), INT)


_REBUILD: dict[Op, Callable[..., Expr]] = {
    Op.NOT: negate,
    Op.AND: conj,
    Op.OR: disj,
    Op.IMPLIES: implies,
    Op.EQ: eq,
    Op.ITE: ite,
    Op.ADD: add,
    Op.SUB: sub,
    Op.MUL: lambda a, b: arith(Op.MUL, a, b),
    Op.DIV: lambda a, b: arith(Op.DIV, a, b),
    Op.MOD: lambda a, b: arith(Op.MOD, a, b),
    Op.MIN: lambda a, b: arith(Op.MIN, a, b),
    Op.MAX: lambda a, b: arith(Op.MAX, a, b),
    Op.LE: le,
    Op.LT: lt,
    Op.FORALL: forall,
    Op.EXISTS: exists,
    Op.SUM: total,
}


def rebuild(op: Op, args: tuple[Expr, ...], type: Type) -> Expr:
    """`op` applied to `args`, folded: what the smart constructors would have made."""
    make = _REBUILD.get(op)
    return Apply(op, args, type) if make is None else make(*args)


def transform(root: Expr, leaf: Callable[[Expr], Expr | None], memo: dict[Expr, Expr] | None = None) -> Expr:
    """Rewrite bottom-up: `leaf(e)` returns a replacement for `e` (not descended into), or None to rebuild it.

    No capture can happen: the checker gives every binder a name of its own, and whoever instantiates
    a quantifier body substitutes terms without those names.
    """
    seen: dict[Expr, Expr] = {} if memo is None else memo

    def go(e: Expr) -> Expr:
        found = seen.get(e)
        if found is None:
            found = leaf(e)
            if found is None:
                found = e
                if isinstance(e, Apply):
                    args = tuple([go(a) for a in e.args])
                    if args != e.args:
                        found = rebuild(e.op, args, e.type)
            seen[e] = found
        return found

    return go(root)


def substitute(root: Expr, images: dict[Expr, Expr]) -> Expr:
    """Replace each key of `images` by its image, simultaneously."""
    bound = all(isinstance(i, Ref) and i.space is Space.BOUND for i in images)
    memo = dict(images)

    def go(e: Expr) -> Expr:
        found = memo.get(e)
        if found is None:
            if not isinstance(e, Apply) or (bound and not e.bound):
                return e
            args = tuple([go(a) for a in e.args])
            found = memo[e] = e if args == e.args else rebuild(e.op, args, e.type)
        return found

    return go(root) if images else root


def subterms(*roots: Expr) -> Iterator[Expr]:
    """Every distinct sub-term, arguments before the terms that use them."""
    seen: set[Expr] = set()
    order: list[Expr] = []

    def visit(e: Expr) -> None:
        seen.add(e)
        if isinstance(e, Apply):
            for a in e.args:
                if a not in seen:
                    visit(a)
        order.append(e)

    for root in roots:
        if root not in seen:
            visit(root)
    return iter(order)


def refs(*roots: Expr, space: Space | None = None) -> tuple[Ref, ...]:
    """The references in `roots`, each once, in order of first use."""
    return tuple(e for e in subterms(*roots) if isinstance(e, Ref) and (space is None or e.space is space))


def free_bounds(root: Expr) -> tuple[Ref, ...]:
    """Bound individuals that `root` mentions and does not bind itself."""
    binders = {e.args[0] for e in subterms(root) if isinstance(e, Apply) and e.op in (Op.FORALL, Op.EXISTS, Op.SUM)}
    return tuple(r for r in refs(root, space=Space.BOUND) if r not in binders)


def show(e: Expr) -> str:
    """A prefix rendering for developers; people see `policydsl.to_words`."""
    match e:
        case Const():
            return str(e.value).lower() if isinstance(e.value, bool) else str(e.value)
        case Ref():
            return f"{e.name}'" if e.space is Space.NEXT else e.name
        case Apply():
            return f"({e.op.value} {' '.join(map(show, e.args))})"
