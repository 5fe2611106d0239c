"""Systems to what is wrong with them: types, names and scopes, for systems that did not come from the checker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, subterms
from policydsl.core.system import Action, Property, PropertyKind, Sum, System, Write
from policydsl.core.types import BOOL, INT, STRING, BoolType, EntityType, EnumType, IntType, MapType, Scalar, Type
from policydsl.regular import PatternError, check


def faults(system: System) -> list[str]:
    """What is wrong with `system`; empty for all that the checker makes."""
    return list(_System(system).faults())


def name_faults(system: System) -> Iterator[str]:
    """The names that two things of one kind have in `system`."""
    for what, names in (
        ("parameter", [p.name for p in system.params]),
        ("state variable", [v.name for v in system.state]),
        ("action", [a.name for a in system.actions]),
        ("property", [p.name for p in system.properties]),
    ):
        if len(set(names)) < len(names):
            yield from (f"{what} `{n}` is declared twice" for n in dict.fromkeys(names) if names.count(n) > 1)
    for a in system.actions:
        if len({i.name for i in a.inputs}) < len(a.inputs):
            yield f"action `{a.name}`: an input is declared twice"


def constant_fits(value: object, type: Type) -> bool:
    """Whether a constant of this type may have this value."""
    match type:
        case BoolType():
            return value.__class__ is bool
        case IntType():
            return value.__class__ is int
        case EnumType():
            return value in type.cases
        case EntityType():
            return value.__class__ is str and value != "*"  # see NOTE(everyone-else)
        case MapType():
            return False
        case _:
            return value.__class__ is str


def _all(type: Type, result: Type, count: int | None = None) -> Callable[[Apply], bool]:
    def fits(e: Apply) -> bool:
        number = len(e.args) >= 1 if count is None else len(e.args) == count
        return number and all(a.type == type for a in e.args) and e.type == result

    return fits


def _same(e: Apply) -> bool:
    return len(e.args) == 2 and e.args[0].type == e.args[1].type and _scalar(e.args[0]) and e.type == BOOL


def _choice(e: Apply) -> bool:
    return len(e.args) == 3 and e.args[0].type == BOOL and _scalar(e) and e.args[1].type == e.args[2].type == e.type


def _scalar(e: Expr) -> bool:
    return not isinstance(e.type, MapType)


def _matches(e: Apply) -> bool:
    match e.args:
        case (text, Const(value=str(pattern), type=kind)) if text.type == kind == STRING and e.type == BOOL:
            try:
                check(pattern)
            except PatternError:
                return False
            return True
        case _:
            return False


def _select(e: Apply) -> bool:
    match e.args:
        case (Ref(type=MapType() as type), *keys):
            return tuple(k.type for k in keys) == type.keys and e.type == type.value
        case _:
            return False


def _binds(result: Type) -> Callable[[Apply], bool]:
    def fits(e: Apply) -> bool:
        match e.args:
            case (Ref(space=Space.BOUND, type=EntityType()), body):
                return body.type == result == e.type
            case _:
                return False

    return fits


SIGNATURES: dict[Op, Callable[[Apply], bool]] = {
    Op.NOT: _all(BOOL, BOOL, 1),
    Op.AND: _all(BOOL, BOOL),
    Op.OR: _all(BOOL, BOOL),
    Op.IMPLIES: _all(BOOL, BOOL, 2),
    Op.EQ: _same,
    Op.ITE: _choice,
    Op.ADD: _all(INT, INT),
    **dict.fromkeys((Op.SUB, Op.MUL, Op.DIV, Op.MOD, Op.MIN, Op.MAX), _all(INT, INT, 2)),
    Op.LE: _all(INT, BOOL, 2),
    Op.LT: _all(INT, BOOL, 2),
    Op.MATCHES: _matches,
    Op.SELECT: _select,
    Op.FORALL: _binds(BOOL),
    Op.EXISTS: _binds(BOOL),
    Op.SUM: _binds(INT),
}
"""Whether an operator is applied to what it is for."""


def _free(root: Expr) -> set[Ref]:
    """The bound references that no quantifier around them binds."""
    found: dict[Expr, set[Ref]] = {}
    for e in subterms(root):
        match e:
            case Ref(space=Space.BOUND):
                found[e] = {e}
            case Apply(op=Op.FORALL | Op.EXISTS | Op.SUM, args=(Ref() as binder, body)):
                found[e] = found[body] - {binder}
            case Apply():
                found[e] = set().union(*(found[a] for a in e.args))
            case _:
                found[e] = set()
    return found[root]


class _System:
    def __init__(self, system: System) -> None:
        self.system = system
        self.state: dict[str, Type] = {v.name: v.full_type for v in system.state}
        self.params: dict[str, Type] = {p.name: p.type for p in system.params}

    def faults(self) -> Iterator[str]:
        s = self.system
        yield from name_faults(s)
        for p in s.params:
            low, high, value = p.low, p.high, p.default.value
            inside = not isinstance(value, int) or ((low is None or low <= value) and (high is None or value <= high))
            if p.default.type != p.type or not constant_fits(value, p.type) or not inside:
                yield f"parameter `{p.name}` has a default that does not fit"
        for v in s.state:
            if v.init is not None:
                yield from self.expr(f"initial value of `{v.name}`", v.init, v.type, {Space.PARAM})
        for a in s.actions:
            yield from self.action(a)
        for prop in s.properties:
            yield from self.property(prop)
        for x in s.sums:
            yield from self.sum(x)
        for c in s.individuals:
            if not (isinstance(c.type, EntityType) and constant_fits(c.value, c.type)):
                yield f"`{c.value}` is no individual"
        yield from self.operation()

    def operation(self) -> Iterator[str]:
        """What the enforcer is told about actions."""
        s = self.system
        actions = {a.name: a for a in s.actions}
        phases = [n for p in s.phases for n in (p.reserve, p.commit, p.abort, p.expire) if n]
        for name in (*s.fail_open, *s.recovery, *phases):
            if name not in actions:
                yield f"there is no action `{name}`"
        for name in s.fail_open:
            if name in actions and not actions[name].only_reads:
                yield f"`{name}` does more than read, and is to be allowed when the state cannot be kept"
        for name in dict.fromkeys(phases):
            if phases.count(name) > 1:
                yield f"`{name}` is in two phases"

    def expr(
        self,
        where: str,
        root: Expr,
        type: Type,
        spaces: set[Space],
        inputs: dict[str, Type] | None = None,
        bound: Iterable[Ref] = (),
    ) -> Iterator[str]:
        if root.type != type:
            yield f"{where}: {root.type} instead of {type}"
        for r in sorted(_free(root) - set(bound), key=lambda r: r.name):
            yield f"{where}: `{r.name}` is bound nowhere"
        declared = {
            Space.STATE: self.state,
            Space.NEXT: self.state,
            Space.PARAM: self.params,
            Space.INPUT: {} if inputs is None else inputs,
        }
        for e in subterms(root):
            match e:
                case Const() if not constant_fits(e.value, e.type):
                    yield f"{where}: `{e.value}` is no {e.type}"
                case Ref(space=Space.BOUND) if not isinstance(e.type, EntityType):
                    yield f"{where}: `{e.name}` is no individual"
                case Ref(space=Space.BOUND):
                    pass
                case Ref() if e.space not in spaces or declared[e.space].get(e.name) != e.type:
                    yield f"{where}: there is no {e.space.value} `{e.name}` of type {e.type}"
                case Apply(op=Op.SUM):
                    yield f"{where}: a sum that no state variable keeps"
                case Apply() if not SIGNATURES[e.op](e):
                    yield f"{where}: `{e.op.value}` is applied to what it is not for"

    def action(self, a: Action) -> Iterator[str]:
        where = f"action `{a.name}`"
        inputs: dict[str, Type] = {i.name: i.type for i in a.inputs}
        spaces = {Space.STATE, Space.PARAM, Space.INPUT}
        conditions = ((g.expr for g in a.guards), (r.condition for r in a.rules), (o.condition for o in a.obligations))
        for e in chain(*conditions):
            yield from self.expr(where, e, BOOL, spaces, inputs)
        for e in (x for o in a.obligations for x in o.args):
            yield from self.expr(where, e, e.type if _scalar(e) else BOOL, spaces, inputs)
        for w in a.writes:
            yield from self.write(f"{where}: write of `{w.var}`", w, spaces, inputs)

    def write(self, where: str, w: Write, spaces: set[Space], inputs: dict[str, Type]) -> Iterator[str]:
        var = next((v for v in self.system.state if v.name == w.var), None)
        if var is None:
            yield f"{where}: there is no such state variable"
            return
        if len(w.keys) != len(var.keys):
            yield f"{where}: {len(w.keys)} keys instead of {len(var.keys)}"
        for key, type in zip(w.keys, var.keys, strict=False):
            yield from self.expr(where, key, type, spaces, inputs, w.binders)
            if key not in w.binders and _free(key):
                yield f"{where}: a key is made of a binder"
        for binder in w.binders:
            if binder.space is not Space.BOUND or w.keys.count(binder) != 1:
                yield f"{where}: `{binder.name}` is not exactly one of the keys"
        sorts = [b.type for b in w.binders]
        if len(set(sorts)) < len(sorts):
            yield f"{where}: two binders of one sort"
        yield from self.expr(where, w.value, var.type, spaces, inputs, w.binders)

    def property(self, p: Property) -> Iterator[str]:
        where = f"{p.kind.value} `{p.name}`"
        action = next((a for a in self.system.actions if a.name == p.action), None)
        if p.action and action is None:
            yield f"{where}: there is no action `{p.action}`"
        spaces = {Space.STATE, Space.PARAM}
        inputs: dict[str, Type] = {}
        if p.kind in (PropertyKind.ASSERT, PropertyKind.STEP):
            inputs = self.inputs([action] if action else list(self.system.actions))
            spaces.add(Space.INPUT)
        if p.kind is PropertyKind.STEP:
            spaces.add(Space.NEXT)
        leads = p.kind is PropertyKind.LEADS_TO
        if (p.goal is None) is leads:
            yield f"{where}: {'a goal is missing' if leads else 'a goal where there can be none'}"
        both = (p.expr,) if p.goal is None else (p.expr, p.goal)
        free = set().union(*map(_free, both)) if leads else set()
        for e in both:
            yield from self.expr(where, e, BOOL, spaces, inputs, free)

    def inputs(self, actions: list[Action]) -> dict[str, Type]:
        """The inputs that all of `actions` have."""
        each = [{i.name: i.type for i in a.inputs} for a in actions]
        first: dict[str, Scalar] = each[0] if each else {}
        return {name: type for name, type in first.items() if all(x.get(name) == type for x in each)}

    def sum(self, x: Sum) -> Iterator[str]:
        where = f"sum `{x.var}`"
        type = MapType(tuple(k.type for k in x.keys), INT) if x.keys else INT  # type: ignore[misc]  # compared below
        if self.state.get(x.var) != type or not isinstance(x.bound.type, EntityType):
            yield f"{where}: there is no such state variable"
        yield from self.expr(where, x.body, INT, {Space.STATE, Space.PARAM}, {}, (*x.keys, x.bound))
