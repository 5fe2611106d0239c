"""Core expressions to words: the text an author would have written, with no more parentheses than needed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, number, refs, substitute, subterms, total, transform
from policydsl.core.system import Origin, System
from policydsl.core.types import BOOL, INT, BoolType, EntityType, EnumType, IntType, Scalar, StringType, Value
from policydsl.regular_parse import SPECIAL
from policydsl.state import EVERYONE_ELSE
from policydsl.times import Kind, Measure, duration_words, kinds_of

LONGEST = 400
"""A term that would be written with more nodes than this is written `...`, except that some levels of `and`, `or` and
`implies` are always written: shared graphs can be huge as text."""
_LEVELS = 3


class _Level(IntEnum):
    """How tightly a text binds, loosest first."""

    OPEN = 0  # extends as far to the right as it can: quantifiers, `if`
    IFF = 1
    IMPLIES = 2
    OR = 3
    AND = 4
    NOT = 5
    COMPARE = 6
    ADD = 7
    MUL = 8
    ATOM = 9


def value_words(value: Value, type: Scalar) -> str:
    """A value as it is written in a policy."""
    match type:
        case BoolType():
            return "true" if value else "false"
        case IntType():
            return f"{value:_}"
        case StringType():
            return quoted(str(value))
        case EntityType() if value == EVERYONE_ELSE:
            return "itself"
        case EnumType() | EntityType():
            return str(value) or '""'


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def place(var: str, keys: tuple[str, ...], names: Mapping[str, str] | None = None) -> str:
    """A cell as it is written: the field of a record comes after the keys."""
    base, dot, field = (names or {}).get(var, var).partition(".")
    return f"{base}[{', '.join(keys)}]{dot}{field}" if keys else f"{base}{dot}{field}"


def words(
    expr: Expr, names: Mapping[str, str] | None = None, *, system: System | None = None, step: bool = False
) -> str:
    """`expr` in the words of the policy language. `names` gives other names to variables, inputs and parameters.

    With `system`, durations are written as such and groups as `x in Group`. In a step property (`step`, or when the
    state after a step is mentioned), reads of the state before it stand under `old`.
    """
    whole = _with_sums(expr, system) if system else expr
    return _Writer(whole, names or {}, system, step).text(whole, _Level.OPEN)


def _with_sums(expr: Expr, system: System) -> Expr:
    """Running sums as what they are sums of."""
    sums = {s.var: s for s in system.sums}

    def leaf(e: Expr) -> Expr | None:
        ref, keys = (e.args[0], e.args[1:]) if isinstance(e, Apply) and e.op is Op.SELECT else (e, ())
        if not (isinstance(ref, Ref) and ref.space in (Space.STATE, Space.NEXT) and ref.name in sums):
            return None
        found = sums[ref.name]
        whole = total(found.bound, substitute(found.body, dict(zip(found.keys, keys, strict=True))))
        if ref.space is Space.STATE:
            return whole
        return substitute(whole, {r: Ref(r.name, r.type, Space.NEXT) for r in refs(whole, space=Space.STATE)})

    return transform(expr, leaf)


@lru_cache(maxsize=16)
def _declared(system: System) -> tuple[frozenset[str], frozenset[str], Mapping[str, str]]:
    """Groups, options, and how cells of what was declared as something larger are written."""
    groups = frozenset(v.name for v in system.state if v.origin is Origin.GROUP)
    known = {v.name for v in system.state} | {i.name for a in system.actions for i in a.inputs}
    options = frozenset(name.removesuffix(".has") for name in known if name.endswith(".has"))
    return groups, options, {v.name: v.written for v in system.state if v.written}


class _Writer:
    def __init__(self, root: Expr, names: Mapping[str, str], system: System | None, step: bool) -> None:
        self.names = names
        self.kind_of = Measure(kinds_of(system) if system else {})
        self.groups, self.options, self.patterns = _declared(system) if system else (frozenset(), frozenset(), {})
        self.connected = _connected(root)
        self.bound: dict[str, str] = {}
        self.size: dict[Expr, int] = {}
        self.later: set[Expr] = set()
        taken = {e.name for e in subterms(root) if isinstance(e, Ref) and e.space is not Space.BOUND}
        for e in subterms(root):
            args = e.args if isinstance(e, Apply) else ()
            self.size[e] = 1 + sum(self.size[a] for a in args)
            if any(a in self.later for a in args) or (isinstance(e, Ref) and e.space is Space.NEXT):
                self.later.add(e)
            if isinstance(e, Ref) and e.space is Space.BOUND and e.name not in self.bound:
                self.bound[e.name] = self._fresh(e, taken)
        self.stepwise = step or root in self.later

    def _fresh(self, bound: Ref, taken: set[str]) -> str:
        """What the author called it, or else the first letter of its sort."""
        base = bound.name.partition("#")[0]
        base = base if base.isidentifier() else str(bound.type)[0].lower()
        found = base
        while found in taken or found in self.bound.values():
            found = base + str(int(found.removeprefix(base) or 1) + 1)
        return found

    def text(self, e: Expr, level: _Level) -> str:
        """`e` where something of at least this level is expected."""
        if self.size.get(e, 1) > LONGEST and e not in self.connected:
            return "..."
        found, own = self.written(e)
        return f"({found})" if own < level else found

    def written(self, e: Expr) -> tuple[str, _Level]:
        match e:
            case Const():
                assert isinstance(e.type, Scalar)
                return value_words(e.value, e.type), _Level.ATOM
            case Ref():
                return self.part(e, ())
            case Apply():
                return self.applied(e)

    def part(self, ref: Ref, keys: tuple[Expr, ...]) -> tuple[str, _Level]:
        """A read; of a part of something that lowering took apart, in terms of the whole."""
        base, _, field = ref.name.rpartition(".")
        whole = Ref(base, ref.type, ref.space)
        element, is_member, set_ = self.pattern(ref).partition(" in ")
        if is_member:
            shown = [self.text(k, _Level.ADD) for k in keys]
            return f"{element.format(*shown)} in {self.aged(set_.format(*shown), ref)}", _Level.COMPARE
        if base and field == "has":
            return f"{self.read(whole, keys)} has value", _Level.COMPARE
        if field == "value" and base in self.options:
            return self.read(whole, keys), _Level.ATOM
        # An enum case: `base` is a set of such.
        if base and field[0].isupper() and not self.pattern(ref):
            return f"{field} in {self.read(whole, keys)}", _Level.COMPARE
        if ref.name in self.groups and len(keys) == 1:
            return self.membership(ref, keys[0])
        return self.read(ref, keys), _Level.ATOM

    def membership(self, group: Ref, member: Expr) -> tuple[str, _Level]:
        """A group is no value: what is old is the whole question."""
        name = place(group.name, (), self.names)
        if self.aged(name, group) == name:
            return f"{self.text(member, _Level.ADD)} in {name}", _Level.COMPARE
        now, self.stepwise = self.stepwise, False
        text = f"old({self.text(member, _Level.ADD)} in {name})"
        self.stepwise = now
        return text, _Level.ATOM

    def read(self, ref: Ref, keys: tuple[Expr, ...]) -> str:
        if ref.space is Space.BOUND:
            return self.bound[ref.name]
        shown = tuple(self.text(k, _Level.OPEN) for k in keys)
        pattern = self.pattern(ref) or self.pattern(Ref(f"{ref.name}.has", BOOL, ref.space)).removesuffix(".has")
        return self.aged(pattern.format(*shown) if pattern else place(ref.name, shown, self.names), ref)

    def pattern(self, ref: Ref) -> str:
        """How the cells of a variable are written, if it was declared as something larger."""
        own = ref.space in (Space.STATE, Space.NEXT) and ref.name not in self.names
        return self.patterns.get(ref.name, "") if own else ""

    def aged(self, text: str, ref: Ref) -> str:
        return f"old({text})" if self.stepwise and ref.space is Space.STATE else text

    def applied(self, e: Apply) -> tuple[str, _Level]:
        match e.op:
            case Op.NOT:
                return self.negated(e.args[0])
            case Op.AND:
                parts = self.conjuncts(e.args)
                return " and ".join(parts), _Level.AND if len(parts) > 1 else _Level.COMPARE
            case Op.OR:
                chosen = self.one_of(e.args)
                if chosen is not None:
                    return chosen, _Level.COMPARE
                return " or ".join(self.text(a, _Level.AND) for a in e.args), _Level.OR
            case Op.IMPLIES:
                right = self.text(e.args[1], _Level.IMPLIES)
                return f"{self.text(e.args[0], _Level.OR)} implies {right}", _Level.IMPLIES
            case Op.EQ if e.args[0].type == BOOL:
                return self.joined("iff", e.args, _Level.IFF, _Level.IMPLIES)
            case Op.EQ | Op.LE | Op.LT:
                return self.compared("==" if e.op is Op.EQ else e.op.value, e.args)
            case Op.ITE:
                c, a, b = (self.text(x, _Level.IFF) for x in e.args)
                return f"if {c} then {a} else {b}", _Level.OPEN
            case Op.ADD:
                return self.added(e.args), _Level.ADD
            case Op.SUB:
                return f"{self.text(e.args[0], _Level.ADD)} - {self.text(e.args[1], _Level.MUL)}", _Level.ADD
            case Op.MUL | Op.DIV | Op.MOD:
                sign = {Op.MUL: "*", Op.DIV: "/", Op.MOD: "%"}[e.op]
                return f"{self.text(e.args[0], _Level.MUL)} {sign} {self.text(e.args[1], _Level.ATOM)}", _Level.MUL
            case Op.MIN | Op.MAX:
                return f"{e.op.value}({', '.join(self.text(a, _Level.OPEN) for a in e.args)})", _Level.ATOM
            case Op.MATCHES:
                pattern = e.args[1]
                assert isinstance(pattern, Const)
                return f"{self.text(e.args[0], _Level.ADD)} {pattern_words(str(pattern.value))}", _Level.COMPARE
            case Op.SELECT:
                map_ = e.args[0]
                assert isinstance(map_, Ref)
                return self.part(map_, e.args[1:])
            case Op.FORALL | Op.EXISTS:
                return self.quantified(e), _Level.OPEN
            case Op.SUM:
                return self.summed(e), _Level.ATOM

    def joined(self, sign: str, args: tuple[Expr, ...], own: _Level, inner: _Level) -> tuple[str, _Level]:
        return f"{self.text(args[0], inner)} {sign} {self.text(args[1], inner)}", own

    def compared(self, sign: str, args: tuple[Expr, ...]) -> tuple[str, _Level]:
        a, b = args
        found = [self.measured(x, self.kind_of(y), _Level.ADD) for x, y in ((a, b), (b, a))]
        return f"{found[0]} {sign} {found[1]}", _Level.COMPARE

    def measured(self, e: Expr, kind: Kind | None, level: _Level) -> str:
        """`e`, which is a time or a duration if `kind` says so."""
        if isinstance(e, Const) and e.type == INT and kind is not None:
            return duration_words(int(e.value))
        return self.text(e, level)

    def negated(self, e: Expr) -> tuple[str, _Level]:
        if isinstance(e, Apply):
            if e.op is Op.EQ and e.args[0].type != BOOL:
                return self.compared("!=", e.args)
            if e.op in (Op.LE, Op.LT):
                return self.compared(">" if e.op is Op.LE else ">=", e.args)
            parts = self.conjuncts(e.args) if e.op is Op.AND else []
            if len(parts) == 1:
                return parts[0].replace(" == ", " != ", 1), _Level.COMPARE
        option = self.option(e, ".has")
        return (f"{option} == none", _Level.COMPARE) if option else (f"not {self.text(e, _Level.NOT)}", _Level.NOT)

    def option(self, e: Expr, field: str) -> str | None:
        """The option of which `e` reads a part."""
        ref, keys = (e.args[0], e.args[1:]) if isinstance(e, Apply) and e.op is Op.SELECT else (e, ())
        if not isinstance(ref, Ref) or not ref.name.endswith(field):
            return None
        return self.read(Ref(ref.name.removesuffix(field), ref.type, ref.space), keys)

    def conjuncts(self, parts: tuple[Expr, ...]) -> list[str]:
        """The parts of a conjunction, those that lowering made of one condition on options put together again."""
        there = {option: e for e in parts if (option := self.option(e, ".has"))}
        known: dict[Expr, str] = {}
        for e in parts:
            match e:
                case Apply(op=Op.EQ, args=(a, b)) if a.type == BOOL:
                    known |= self.same_option(a, b, e, parts)
                case Apply(op=Op.EQ, args=args):
                    for a, b in (args, args[::-1]):
                        option = self.option(a, ".value")
                        if option in there and there[option] not in known and e not in known:
                            known |= {there[option]: "", e: f"{option} == {self.text(b, _Level.ADD)}"}
                case Apply(op=Op.NOT, args=(Apply(op=Op.EQ, args=args),)):
                    for a, b in (args, args[::-1]):
                        option = self.option(a, ".value")
                        if option in there:
                            known.setdefault(e, f"{option} != {self.text(b, _Level.ADD)}")
        return [text for e in parts if (text := known[e] if e in known else self.text(e, _Level.NOT))]

    def same_option(self, ha: Expr, hb: Expr, iff: Expr, parts: tuple[Expr, ...]) -> dict[Expr, str]:
        """`a has a value iff b has` and `if a has one, it is that of b`: `a == b`."""
        for e in parts:
            match e:
                case Apply(op=Op.IMPLIES, args=(given, Apply(op=Op.EQ, args=(va, vb)))) if given in (ha, hb):
                    a, b = self.option(ha, ".has"), self.option(hb, ".has")
                    if a and b and (a, b) == (self.option(va, ".value"), self.option(vb, ".value")):
                        return {iff: f"{a} == {b}", e: ""}
        return {}

    def one_of(self, parts: tuple[Expr, ...]) -> str | None:
        """`x == A or x == B` as `x in {A, B}`."""
        pairs = [e.args for e in parts if isinstance(e, Apply) and e.op is Op.EQ and isinstance(e.args[1], Const)]
        if len(pairs) < len(parts) or len({a for a, _ in pairs}) > 1:
            return None
        return f"{self.text(pairs[0][0], _Level.ADD)} in {{{', '.join(self.text(b, _Level.OPEN) for _, b in pairs)}}}"

    def added(self, parts: tuple[Expr, ...]) -> str:
        kinds = [self.kind_of(p) for p in parts]
        kind = Kind.SPAN if Kind.TIME in kinds or Kind.SPAN in kinds else None
        found = self.measured(parts[0], kind, _Level.ADD)
        for part in parts[1:]:
            if isinstance(part, Const) and int(part.value) < 0:
                found += f" - {self.measured(number(-int(part.value)), kind, _Level.MUL)}"
            elif isinstance(part, Apply) and part.op is Op.MUL and part.args[0] == number(-1):
                found += f" - {self.text(part.args[1], _Level.MUL)}"
            else:
                found += f" + {self.measured(part, kind, _Level.MUL)}"
        return found

    def quantified(self, e: Apply) -> str:
        binders = []
        body: Expr = e
        while isinstance(body, Apply) and body.op is e.op:
            binders.append(self.binder(body.args[0]))
            body = body.args[1]
        return f"{e.op.value} {', '.join(binders)} . {self.text(body, _Level.OPEN)}"

    def binder(self, bound: Expr) -> str:
        assert isinstance(bound, Ref)
        return f"{self.bound[bound.name]}: {bound.type}"

    def summed(self, e: Apply) -> str:
        bound, body = self.binder(e.args[0]), e.args[1]
        if isinstance(body, Apply) and body.op is Op.ITE and body.args[2] == Const(0, body.type):
            where = f"{bound} where {self.text(body.args[0], _Level.OPEN)}"
            if body.args[1] == Const(1, body.type):
                return f"count({where})"
            return f"sum({where} . {self.text(body.args[1], _Level.OPEN)})"
        return f"sum({bound} . {self.text(body, _Level.OPEN)})"


def _connected(root: Expr) -> set[Expr]:
    """The upper part of a formula: `and`, `or`, `implies` and quantifiers, a few levels deep."""
    level, found = {root}, {root}
    for _ in range(_LEVELS):
        level = {a for e in level if isinstance(e, Apply) and e.type == BOOL and e.op in _CONNECTIVES for a in e.args}
        found |= level
    return found


_CONNECTIVES = (Op.NOT, Op.AND, Op.OR, Op.IMPLIES, Op.EQ, Op.FORALL, Op.EXISTS)


def pattern_words(pattern: str) -> str:
    """A pattern as the condition it probably was: `like` a glob, `starts with` a literal, or else `matches`."""
    glob = _as_glob(pattern)
    if glob is None:
        return f"matches {quoted(pattern)}"
    for inner, verb in ((glob, "=="), (glob[:-1], "starts with"), (glob[1:], "ends with"), (glob[1:-1], "contains")):
        shape = {"==": inner, "starts with": inner + "*", "ends with": "*" + inner, "contains": f"*{inner}*"}[verb]
        if glob == shape and inner and "*" not in inner and "?" not in inner:
            return f"{verb} {quoted(inner)}"
    return f"like {quoted(glob)}"


def _as_glob(pattern: str) -> str | None:
    """The glob that becomes `pattern`, if one does."""
    found = ""
    i = 0
    while i < len(pattern):
        c = pattern[i]
        if pattern.startswith(".*", i):
            found, i = found + "*", i + 2
        elif c == ".":
            found, i = found + "?", i + 1
        elif c == "\\" and pattern[i + 1 : i + 2] in SPECIAL - {"*", "?"}:
            found, i = found + pattern[i + 1], i + 2
        elif c in SPECIAL:
            return None
        else:
            found, i = found + c, i + 1
    return found
