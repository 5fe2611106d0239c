"""Core expressions to words: the text an author would have written, with no more parentheses than needed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, subterms
from policydsl.core.types import BOOL, BoolType, EntityType, EnumType, IntType, Scalar, StringType, Value
from policydsl.regular_parse import SPECIAL
from policydsl.state import EVERYONE_ELSE

LONGEST = 400
"""A sub-term that would be written with more nodes than this is written `...`: shared graphs can be huge as text."""


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


def words(expr: Expr, names: Mapping[str, str] | None = None) -> str:
    """`expr` in the words of the policy language. `names` gives other names to variables, inputs and parameters.

    Where the state after a step is mentioned, reads of the state before it stand under `old`.
    """
    return _Writer(expr, names or {}).text(expr, _Level.OPEN)


class _Writer:
    def __init__(self, root: Expr, names: Mapping[str, str]) -> None:
        self.names = names
        self.bound: dict[str, str] = {}
        self.size: dict[Expr, int] = {}
        self.later: set[Expr] = set()
        for e in subterms(root):
            args = e.args if isinstance(e, Apply) else ()
            self.size[e] = 1 + sum(self.size[a] for a in args)
            if any(a in self.later for a in args) or (isinstance(e, Ref) and e.space is Space.NEXT):
                self.later.add(e)
            if isinstance(e, Ref) and e.space is Space.BOUND and e.name not in self.bound:
                self.bound[e.name] = self._fresh(e.name.partition("#")[0])
        self.stepwise = root in self.later

    def _fresh(self, base: str) -> str:
        taken = self.bound.values()
        return next(n for n in (base, *(f"{base}{i}" for i in range(2, len(self.bound) + 3))) if n not in taken)

    def text(self, e: Expr, level: _Level) -> str:
        """`e` where something of at least this level is expected."""
        if self.size.get(e, 1) > LONGEST:
            return "..."
        option = self.option(e, ".has")
        found, own = (f"{option} has value", _Level.COMPARE) if option else self.written(e)
        return f"({found})" if own < level else found

    def written(self, e: Expr) -> tuple[str, _Level]:
        match e:
            case Const():
                assert isinstance(e.type, Scalar)
                return value_words(e.value, e.type), _Level.ATOM
            case Ref():
                return self.read(e, ()), _Level.ATOM
            case Apply():
                return self.applied(e)

    def read(self, ref: Ref, keys: tuple[Expr, ...]) -> str:
        if ref.space is Space.BOUND:
            return self.bound[ref.name]
        found = place(ref.name, tuple(self.text(k, _Level.OPEN) for k in keys), self.names)
        return f"old({found})" if self.stepwise and ref.space is Space.STATE else found

    def applied(self, e: Apply) -> tuple[str, _Level]:
        match e.op:
            case Op.NOT:
                return self.negated(e.args[0])
            case Op.AND:
                return " and ".join(self.conjuncts(e.args)), _Level.AND
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
                return self.joined("==" if e.op is Op.EQ else e.op.value, e.args, _Level.COMPARE, _Level.ADD)
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
                return self.read(map_, e.args[1:]), _Level.ATOM
            case Op.FORALL | Op.EXISTS:
                return self.quantified(e), _Level.OPEN
            case Op.SUM:
                return self.summed(e), _Level.ATOM

    def joined(self, sign: str, args: tuple[Expr, ...], own: _Level, inner: _Level) -> tuple[str, _Level]:
        return f"{self.text(args[0], inner)} {sign} {self.text(args[1], inner)}", own

    def negated(self, e: Expr) -> tuple[str, _Level]:
        if isinstance(e, Apply):
            if e.op is Op.EQ and e.args[0].type != BOOL:
                return self.joined("!=", e.args, _Level.COMPARE, _Level.ADD)
            if e.op in (Op.LE, Op.LT):
                return self.joined(">" if e.op is Op.LE else ">=", e.args, _Level.COMPARE, _Level.ADD)
        option = self.option(e, ".has")
        return (f"{option} == none", _Level.COMPARE) if option else (f"not {self.text(e, _Level.NOT)}", _Level.NOT)

    def option(self, e: Expr, field: str) -> str | None:
        """The option of which `e` reads a part."""
        ref, keys = (e.args[0], e.args[1:]) if isinstance(e, Apply) and e.op is Op.SELECT else (e, ())
        if not isinstance(ref, Ref) or not ref.name.endswith(field):
            return None
        return self.read(Ref(ref.name.removesuffix(field), ref.type, ref.space), keys)

    def conjuncts(self, parts: tuple[Expr, ...]) -> list[str]:
        """The parts of a conjunction; `o has a value and the value is x` becomes `o == x`."""
        there = {option: e for e in parts if (option := self.option(e, ".has"))}
        known: dict[Expr, str] = {}
        for e in parts:
            if isinstance(e, Apply) and e.op is Op.EQ:
                for a, b in (e.args, e.args[::-1]):
                    option = self.option(a, ".value")
                    if option in there and there[option] not in known:
                        known[there[option]] = ""
                        known[e] = f"{option} == {self.text(b, _Level.ADD)}"
        found = [known[e] if e in known else self.text(e, _Level.NOT) for e in parts]
        return [text for text in found if text]

    def one_of(self, parts: tuple[Expr, ...]) -> str | None:
        """`x == A or x == B` as `x in {A, B}`."""
        pairs = [e.args for e in parts if isinstance(e, Apply) and e.op is Op.EQ and isinstance(e.args[1], Const)]
        if len(pairs) < len(parts) or len({a for a, _ in pairs}) > 1:
            return None
        return f"{self.text(pairs[0][0], _Level.ADD)} in {{{', '.join(self.text(b, _Level.OPEN) for _, b in pairs)}}}"

    def added(self, parts: tuple[Expr, ...]) -> str:
        found = self.text(parts[0], _Level.ADD)
        for part in parts[1:]:
            if isinstance(part, Const) and int(part.value) < 0:
                found += f" - {-int(part.value):_}"
            else:
                found += f" + {self.text(part, _Level.MUL)}"
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
