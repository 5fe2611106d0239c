"""Expressions of the core to Solidity text, and the lines that must stand before it.

Integers are `int256` with checked arithmetic: what would leave that range reverts. NOTE(total-core) holds as far as
that: an operator whose argument cannot be computed reverts even where its value would not matter.
"""

from __future__ import annotations

from collections.abc import Iterable

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space
from policydsl.core.system import NOW, PRINCIPAL
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar
from runtime.solidity_layout import Layout
from runtime.solidity_names import Unique, lower_camel

TIME = "int256(block.timestamp) * 1000"
"""The time of the block in the milliseconds of the core, since the epoch of Unix."""
LONGEST = 90
"""A term whose text is longer gets a name."""

_ATOM, _UNARY, _PRODUCT, _SUM, _ORDER, _EQUAL, _AND, _OR, _CHOICE = range(9, 0, -1)
_SIGNS = {Op.AND: ("&&", _AND), Op.OR: ("||", _OR), Op.EQ: ("==", _EQUAL), Op.LE: ("<=", _ORDER), Op.LT: ("<", _ORDER)}
CALLS = {Op.DIV: "_div", Op.MOD: "_mod", Op.MIN: "_min", Op.MAX: "_max"}
"""Operators that are functions of the contract."""
SUPPORTED = frozenset({*_SIGNS, *CALLS, Op.NOT, Op.IMPLIES, Op.ITE, Op.ADD, Op.SUB, Op.MUL, Op.SELECT})


class Block:
    """Lines of one scope of a function. `names` are those of the whole function; `bound` calls the binder of a loop."""

    def __init__(
        self,
        layout: Layout,
        names: Unique,
        roots: Iterable[Expr],
        outer: Block | None = None,
        bound: dict[Ref, str] | None = None,
        used: set[Op] | None = None,
        now: str = "now_",
    ) -> None:
        self.layout = layout
        self.names = names
        self.outer = outer
        self.bound = bound or {}
        self.lines: list[str] = []
        self.used: set[Op] = set() if used is None else used
        self.now = now
        self._known: dict[Expr, str] = {}
        self._rows: dict[tuple[str, tuple[Expr, ...]], str] = {}
        self._uses = uses(roots)

    def text(self, e: Expr) -> str:
        """The text of `e` in the state before the step."""
        return self._at(e, _CHOICE)

    def row(self, var: str, keys: tuple[Expr, ...]) -> str:
        """A pointer to the struct that holds the cell `keys` of `var`."""
        if self.outer is not None and not any(_inner(k) for k in keys):
            return self.outer.row(var, keys)
        place = self.layout.places[var]
        found = self._rows.get((place.row, keys))
        if found is None:
            past = self.layout.past(place.row)
            where = self.layout.store(place.row) + "".join(f"[{self.text(k)}]" for k in keys)
            if past is not None:
                where = f"{past.now}({self.text(keys[0])})"
            found = self.names.take(_row_name(keys, self.bound))
            self.lines.append(f"{place.row} storage {found} = {where};")
            self._rows[place.row, keys] = found
        return found

    def name(self, e: Expr) -> str:
        """`e` under a name, so that its value is that before the step even when writes have begun."""
        text = self.text(e)
        # SOUND: a variable of the contract is an identifier, too, and one that changes.
        stays = text.isidentifier() and not text.startswith("_")
        return text if stays else self._name(e, text)

    def cell(self, var: str, keys: tuple[Expr, ...]) -> str:
        """Where the value is read."""
        place = self.layout.places[var]
        return f"{self.row(var, keys)}.{place.member}" if place.row else place.member

    def target(self, var: str, keys: tuple[Expr, ...]) -> str:
        """Where the value is written: in a record that no copy has seen, see NOTE(copies)."""
        place = self.layout.places[var]
        past = self.layout.past(place.row)
        return self.cell(var, keys) if past is None else f"{past.change}({self.text(keys[0])}).{place.member}"

    def knows(self, row: str, keys: tuple[Expr, ...], name: str) -> None:
        """The struct `row` of `keys` is at hand, and called `name`."""
        self._rows[row, keys] = name

    def narrow(self, type: Scalar, text: str) -> str:
        """`text` as it is stored, see `Layout.stored`."""
        literal = text.removeprefix("-").isdigit() and abs(int(text)) < 2**127
        return f"_int128({text})" if isinstance(type, IntType) and not literal else text

    def encode(self, var: str, text: str) -> str:
        """What is stored for the value `text` of a cell: see `Place.offset`."""
        return self.narrow(self.layout.places[var].var.type, self._moved(var, text))

    def _moved(self, var: str, text: str) -> str:
        place = self.layout.places[var]
        offset = place.offset
        if offset is None:
            return text
        match place.var.type:
            case BoolType():
                return f"!{text}" if text.isidentifier() else f"!({text})"
            case IntType():
                return f"{text} - {self._at(offset, _PRODUCT)}" if text.isidentifier() else self._less(text, offset)
            case _:
                return _rotated(self.layout, offset, text, -1)

    def _less(self, text: str, offset: Expr) -> str:
        return f"({text}) - {self._at(offset, _PRODUCT)}" if " " in _outside(text) else f"{text} - {self.text(offset)}"

    def decoded(self, var: str, cell: str) -> str:
        """The value of what is stored in `cell`."""
        return self._decoded(var, cell)[0]

    def _decoded(self, var: str, cell: str) -> tuple[str, int]:
        place = self.layout.places[var]
        offset = place.offset
        if offset is None:
            return cell, _ATOM
        match place.var.type:
            case BoolType():
                return f"!{cell}", _UNARY
            case IntType():
                return f"{cell} + {self._at(offset, _PRODUCT)}", _SUM
            case _:
                return _rotated(self.layout, offset, cell, 1), _ATOM

    def _at(self, e: Expr, least: int) -> str:
        found = self._found(e)
        if found is not None:
            return found
        if self.outer is not None and isinstance(e, Apply) and not _inner(e):
            # SOUND: what does not depend on the binder is computed before the loop, which may change what it reads.
            return self.outer.name(e) if _heavy(e) else self.outer._at(e, least)
        if self.outer is not None and isinstance(e, Ref) and e.space is Space.STATE:
            return self.outer.name(e)
        text, level = self._plain(e)
        often = self._uses.get(e, 0) > 1
        heavy = isinstance(e, Apply) and e.op not in (Op.SELECT, Op.NOT)
        if heavy and ((often and len(text) > 30) or len(text) > LONGEST):
            return self._name(e, text)
        if often and self._looked_up(e):
            return self._name(e, text)
        return text if level >= least else f"({text})"

    def _looked_up(self, e: Expr) -> bool:
        match e:
            case Apply(op=Op.SELECT, args=(Ref(name=var), *_)):
                return var in self.layout.copies
            case _:
                return False

    def _found(self, e: Expr) -> str | None:
        return self._known.get(e) or (self.outer._found(e) if self.outer else None)

    def _name(self, e: Expr, text: str) -> str:
        kind: Scalar = e.type  # type: ignore[assignment]  # maps are only ever selected from
        match kind:
            case BoolType():
                wanted = "condition"
            case IntType():
                wanted = "amount"
            case EnumType():
                wanted = lower_camel(kind.name) + "Then"
            case _:
                wanted = "who"
        name = self.names.take(wanted)
        self.lines.append(f"{self.layout.type(kind)} {name} = {text};")
        self._known[e] = name
        return name

    def _plain(self, e: Expr) -> tuple[str, int]:
        match e:
            case Const():
                return self._constant(e)
            case Ref(space=Space.INPUT, name=name):
                if name == PRINCIPAL:
                    return "msg.sender", _ATOM
                return (self.now if name == NOW else self.bound[e]), _ATOM
            case Ref(space=Space.PARAM, name=name):
                return self.layout.params[name], _ATOM
            case Ref(space=Space.BOUND):
                return self.bound[e], _ATOM
            case Ref(name=name):
                return self._decoded(name, self.layout.places[name].member)
            case Apply(op=Op.SELECT, args=(Ref(name=var), *keys)) if var in self.layout.copies:
                return f"{self.layout.places[var].getter}({', '.join(map(self.text, keys))})", _ATOM
            case Apply(op=Op.SELECT, args=(Ref(name=var), *keys)):
                return self._decoded(var, self.cell(var, tuple(keys)))
            case Apply():
                return self._apply(e)
        raise AssertionError(e)

    def _constant(self, e: Const) -> tuple[str, int]:
        match e.type:
            case BoolType():
                return ("true" if e.value else "false"), _ATOM
            case IntType():
                return str(e.value), _ATOM if int(e.value) >= 0 else _UNARY
            case EnumType():
                return f"{self.layout.types[e.type]}.{e.value}", _ATOM
            case EntityType():
                if e.value:
                    return self.layout.individuals[e], _ATOM
                return {"uint256": "0"}.get(kind := self.layout.type(e.type), f"{kind}(0)"), _ATOM
            case _:
                raise AssertionError(e)

    def _apply(self, e: Apply) -> tuple[str, int]:
        match e.op, e.args:
            case Op.NOT, (Apply(op=Op.EQ, args=(a, b)),):
                return f"{self._at(a, _EQUAL + 1)} != {self._at(b, _EQUAL + 1)}", _EQUAL
            case Op.NOT, (Apply(op=Op.LE | Op.LT as op, args=(a, b)),):
                return self._compared(a, ">" if op is Op.LE else ">=", b), _ORDER
            case Op.LE | Op.LT, (a, b):
                return self._compared(a, _SIGNS[e.op][0], b), _ORDER
            case Op.NOT, (a,):
                return f"!{self._at(a, _UNARY)}", _UNARY
            case Op.IMPLIES, (a, b):
                return f"!{self._at(a, _UNARY)} || {self._at(b, _AND)}", _OR
            case Op.ITE, (c, a, b):
                return f"{self._at(c, _OR)} ? {self._branch(a)} : {self._branch(b)}", _CHOICE
            case Op.ADD, parts:
                texts = [self._at(p, _PRODUCT if i else _SUM) for i, p in enumerate(parts)]
                return " + ".join(texts).replace(" + -", " - "), _SUM
            case Op.SUB, (a, b):
                return f"{self._at(a, _SUM)} - {self._at(b, _PRODUCT)}", _SUM
            case Op.MUL, (a, b):
                return f"{self._at(a, _UNARY)} * {self._at(b, _UNARY)}", _PRODUCT
        if e.op in CALLS:
            self.used.add(e.op)
            return f"{CALLS[e.op]}({', '.join(map(self.text, e.args))})", _ATOM
        sign, level = _SIGNS[e.op]
        return f" {sign} ".join(self._at(a, level + 1) for a in e.args), level

    def _compared(self, a: Expr, sign: str, b: Expr) -> str:
        """A literal stands on the right."""
        if isinstance(a, Const) and not isinstance(b, Const):
            a, sign, b = b, {"<": ">", ">": "<"}[sign[0]] + sign[1:], a
        return f"{self._at(a, _SUM)} {sign} {self._at(b, _SUM)}"

    def _branch(self, e: Expr) -> str:
        """Literals of a choice are told their type: two of them have no common one by themselves."""
        return f"int256({e.value})" if isinstance(e, Const) and isinstance(e.type, IntType) else self._at(e, _OR)


def uses(roots: Iterable[Expr]) -> dict[Expr, int]:
    """How often each term is an argument or a root."""
    found: dict[Expr, int] = {}
    stack = list(roots)
    while stack:
        e = stack.pop()
        found[e] = found.get(e, 0) + 1
        if found[e] == 1 and isinstance(e, Apply):
            stack += e.args
    return found


def _inner(e: Expr) -> bool:
    return e.bound if isinstance(e, Apply) else isinstance(e, Ref) and e.space is Space.BOUND


def _heavy(e: Apply) -> bool:
    return any(isinstance(r, Ref) and r.space is Space.STATE for r in _leaves(e))


def _leaves(e: Expr) -> list[Expr]:
    return [x for x in uses((e,)) if not isinstance(x, Apply)]


def _row_name(keys: tuple[Expr, ...], bound: dict[Ref, str]) -> str:
    parts = []
    for k in keys:
        match k:
            case Ref(space=Space.BOUND):
                parts.append(bound[k])
            case Ref():
                parts.append(k.name)
            case Apply(op=Op.SELECT, args=(Ref(name=var), *_)):
                parts.append(var.removesuffix(".value"))
            case _:
                parts.append("other")
    return lower_camel("_".join([*parts, "row"]))


def _rotated(layout: Layout, start: Expr, text: str, sign: int) -> str:
    """The case as many places on (or back) as the case `start` is behind the first."""
    assert isinstance(start, Const)
    assert isinstance(start.type, EnumType)
    count = len(start.type.cases)
    by = sign * start.type.cases.index(str(start.value)) % count
    return f"{layout.types[start.type]}((uint256({text}) + {by}) % {count})"


def _outside(text: str) -> str:
    """`text` without what stands in parentheses."""
    depth, kept = 0, []
    for c in text:
        depth -= c == ")"
        if not depth:
            kept.append(c)
        depth += c == "("
    return "".join(kept)
