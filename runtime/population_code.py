"""Expressions of the core to Python text over arrays: what differs between rows, or between bound individuals, is
computed with NumPy, and everything else with plain Python as in `to_python`.

A bound individual is an axis. The innermost quantifier has the last one, those around it those before; so a term has
one text wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, subterms
from policydsl.core.types import BoolType, EntityType, IntType, MapType, StringType
from policydsl.evaluate import FaultError
from runtime.columns import Words
from runtime.columns_words import Shared, either_word, in_language, same_word
from runtime.population_cells import Layout, UnsupportedError
from runtime.strings import as_python
from runtime.to_python import QUANTIFIERS, TEXT, Block, Names


def _joined(sign: str) -> Callable[..., str]:
    return lambda *parts: f"({f' {sign} '.join(parts)})"


COLUMN: dict[Op, Callable[..., str]] = {
    Op.NOT: lambda a: f"(~{a})",
    Op.AND: _joined("&"),
    Op.OR: _joined("|"),
    Op.IMPLIES: lambda a, b: f"(np.logical_not({a}) | {b})",
    Op.EQ: lambda a, b: f"({a} == {b})",
    Op.ITE: lambda c, a, b: f"np.where({c}, {a}, {b})",
    Op.ADD: _joined("+"),
    Op.SUB: lambda a, b: f"({a} - {b})",
    Op.MUL: lambda a, b: f"({a} * {b})",
    Op.DIV: lambda a, b: f"div({a}, {b})",
    Op.MOD: lambda a, b: f"mod({a}, {b})",
    Op.MIN: lambda a, b: f"np.minimum({a}, {b})",
    Op.MAX: lambda a, b: f"np.maximum({a}, {b})",
    Op.LE: lambda a, b: f"({a} <= {b})",
    Op.LT: lambda a, b: f"({a} < {b})",
    Op.MATCHES: lambda text, pattern: f"language({text}, {pattern})",
    Op.SELECT: lambda map_, cell: f"{map_}.take({cell})",
    Op.FORALL: lambda body, height: f"every({body}, {height})",
    Op.EXISTS: lambda body, height: f"some({body}, {height})",
    Op.SUM: lambda body, height: f"summed({body}, {height})",
}
"""How an operator reads when an argument is an array, given the texts of its arguments; a quantifier is given how many
axes there are behind its own."""

_ARITHMETIC = (Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.MOD, Op.MIN, Op.MAX)
_TWICE = (Op.DIV, Op.MOD, Op.MIN, Op.MAX)


class ArrayBlock(Block):
    """The lines of one function. `columns` are the inputs that differ from row to row. The text refers to `i8`, the
    type of NumPy's in which numbers are computed: of 64 bits, or Python's own."""

    def __init__(self, names: Names, roots: Sequence[Expr], layout: Layout, columns: Iterable[Ref], place: str) -> None:
        super().__init__(names, roots)
        self.layout = layout
        self.columns = frozenset(columns)
        self.place = place
        self._uses = _uses(roots)
        self._free: dict[Expr, frozenset[Ref]] = {}
        self._height: dict[Expr, int] = {}
        self._axes: dict[Expr, int] = {}
        self._wide: dict[Expr, str] = {}
        self._cell: dict[tuple[Expr, ...], str] = {}

    def text(self, e: Expr) -> str:
        if isinstance(e, Const):
            return self._constant(e)
        return super().text(e)

    def _constant(self, c: Const) -> str:
        assert not isinstance(c.type, MapType)
        return repr(self.layout.encode(c.type, c.value))

    def free(self, e: Expr) -> frozenset[Ref]:
        """The columns and bound individuals on which `e` depends."""
        found = self._free.get(e)
        if found is None:
            match e:
                case Const():
                    found = frozenset()
                case Ref():
                    found = frozenset([e] if e in self.columns or e.space is Space.BOUND else [])
                case Apply():
                    found = frozenset().union(*map(self.free, e.args))
                    if e.op in QUANTIFIERS:
                        found -= {e.args[0]}
            self._free[e] = found
        return found

    def height(self, e: Expr) -> int:
        """How many quantifiers stand within each other in `e`."""
        if isinstance(e, Const | Ref):
            return 0
        if e not in self._height:
            self._height[e] = max(map(self.height, e.args)) + (e.op in QUANTIFIERS)
        return self._height[e]

    def bind(self, bound: Ref, height: int) -> None:
        """Have `bound` be an axis with `height` axes behind it. What was said of it elsewhere is forgotten."""
        assert isinstance(bound.type, EntityType)
        shape = f".reshape(-1{', 1' * height})" if height else ""
        self.names.refs[bound] = f"a{self.layout.places[bound.type]}{shape}"
        self._axes[bound] = height
        self.forget(bound)

    def forget(self, bound: Ref) -> None:
        for known in (self._known, self._wide):
            for e in [e for e in known if bound in self.free(e)]:
                del known[e]
        for keys in [k for k in self._cell if any(bound in self.free(e) for e in k)]:
            del self._cell[keys]

    def wide(self, e: Expr) -> str:
        """The text of a number with which one can calculate, or of another value that fits beside any other."""
        text = self.text(e)
        if not self.free(e) or isinstance(e.type, BoolType):
            return text
        if isinstance(e.type, StringType):
            return text
        if isinstance(e, Ref) or (isinstance(e, Apply) and e.op is not Op.SELECT):
            return text
        if e not in self._wide:
            self._wide[e] = self.assign(f"{text}.astype({'i8' if isinstance(e.type, IntType) else 'ip'})")
        return self._wide[e]

    def assign(self, text: str) -> str:
        name = self.names.fresh("t")
        self.add(f"{name} = {text}")
        return name

    def cell_of(self, keys: Sequence[Expr]) -> str:
        """The text of the number of the cell at `keys`."""
        keys = tuple(keys)
        if not keys:
            return "0"
        if keys not in self._cell:
            text = self.wide(keys[0]) if len(keys) > 1 else self.text(keys[0])
            for k in keys[1:]:
                assert isinstance(k.type, EntityType)
                text = f"({text} * d{self.layout.places[k.type]} + {self.wide(k)})"
            self._cell[keys] = text if text.isidentifier() or len(keys) == 1 else self.assign(text)
        return self._cell[keys]

    def _apply(self, e: Apply) -> str:
        if e.op in QUANTIFIERS:
            self._depth[e] = 0
            return self._quantified(e)
        if e.op is Op.SELECT:
            text = self._read(e)
        elif e.op is Op.MATCHES:
            text = self._matches(e)
        elif not self.free(e):
            text = TEXT[e.op](*map(self.name if e.op in _TWICE else self.text, e.args))
        elif e.op is Op.EQ and isinstance(e.args[0].type, StringType):
            text = f"same({self.text(e.args[0])}, {self.text(e.args[1])})"
        elif e.op is Op.ITE and not isinstance(e.type, BoolType):
            text = self._choice(e)
        else:
            text = COLUMN[e.op](*map(self.wide if e.op in _ARITHMETIC else self.text, e.args))
        self._deepen(e, e.args)
        return text

    def _choice(self, e: Apply) -> str:
        c, a, b = e.args
        if isinstance(e.type, StringType):
            self._no_axes(e)
            return f"either({self.text(c)}, {self.text(a)}, {self.text(b)})"
        if not self.free(a) and not self.free(b):
            kind = "i8" if isinstance(e.type, IntType) else "ip"
            return f"np.where({self.text(c)}, np.asarray({self.text(a)}, {kind}), np.asarray({self.text(b)}, {kind}))"
        return COLUMN[Op.ITE](self.text(c), self.wide(a), self.wide(b))

    def _matches(self, e: Apply) -> str:
        text, pattern = e.args
        assert isinstance(pattern, Const)
        if self.free(text):
            self._no_axes(text)
            return COLUMN[Op.MATCHES](self.text(text), repr(pattern.value))
        return f"({as_python(str(pattern.value), self.name(text), self.names.constant)})"

    def _no_axes(self, e: Expr) -> None:
        if any(r.space is Space.BOUND for r in self.free(e)):
            raise UnsupportedError(f"{self.place}: a text that depends on a bound individual")

    def _read(self, e: Apply) -> str:
        variable, *keys = e.args
        assert isinstance(variable, Ref)
        number = self.layout.numbers[variable.name]
        if not self.free(e):
            return f"f{number}.item({self.cell_of(keys)})"
        axes = [(k, self._axes[k]) for k in keys if k in self._axes]
        others = [k for k in keys if k not in self._axes]
        if len(axes) == 1 and not any(map(self.free, others)):
            # A whole row lies there already: nothing needs to be looked up.
            bound, height = axes[0]
            at = ", ".join(":" if k is bound else self.text(k) for k in keys)
            shape = f".reshape(-1{', 1' * height})" if height else ""
            return f"v{number}[{at}]{shape}"
        if not others and [h for _, h in axes] == list(range(len(axes)))[::-1]:
            return f"v{number}"
        return COLUMN[Op.SELECT](f"f{number}", self.cell_of(keys))

    def _quantified(self, e: Apply) -> str:
        bound, body = e.args
        assert isinstance(bound, Ref)
        if any(r in self.columns for r in self.free(e)):
            raise UnsupportedError(f"{self.place}: a quantifier over a column")
        height = self.height(body)
        self.bind(bound, height)
        text = COLUMN[e.op](self.text(body), height)
        self.forget(bound)
        return text if self.free(e) else f"{text}.item()"


def _uses(roots: Iterable[Expr]) -> dict[Expr, int]:
    """How often each term is an argument or a root."""
    uses: dict[Expr, int] = {}
    for e in roots:
        uses[e] = uses.get(e, 0) + 1
    for e in subterms(*uses):
        for a in e.args if isinstance(e, Apply) else ():
            uses[a] = uses.get(a, 0) + 1
    return uses


def div(a: Any, b: Any) -> Any:
    """Floor division; 0 where the divisor is not positive."""
    if not isinstance(b, np.ndarray):
        return a // b if b > 0 else np.zeros_like(a)
    return np.where(b > 0, a // np.where(b > 0, b, 1), 0)


def mod(a: Any, b: Any) -> Any:
    """What is left over by `div`; 0 where the divisor is not positive."""
    if not isinstance(b, np.ndarray):
        return a % b if b > 0 else np.zeros_like(a)
    return np.where(b > 0, a % np.where(b > 0, b, 1), 0)


def every(body: Any, height: int) -> Any:
    """Whether `body` holds along its axis with `height` axes behind it."""
    body = np.asarray(body)
    return np.all(body, axis=-height - 1, keepdims=True) if body.ndim > height else body


def some(body: Any, height: int) -> Any:
    body = np.asarray(body)
    return np.any(body, axis=-height - 1, keepdims=True) if body.ndim > height else body


def summed(body: Any, height: int) -> Any:
    """The sum along an axis, to which no row contributes that is nobody's."""
    body = np.asarray(body)
    if body.ndim <= height or np.any(np.take(body, 0, axis=-height - 1)):
        raise FaultError("a sum to which everyone contributes")
    if body.dtype != object and body.shape[-height - 1] * max(abs(int(body.min())), abs(int(body.max()))) >= 1 << 62:
        body = body.astype(object)  # SOUND: numbers of 64 bits would wrap
    return np.sum(body, axis=-height - 1, keepdims=True)


def of_words(shared: Shared) -> dict[str, Callable[..., Any]]:
    """What text calls to ask something of columns of words."""

    def same(a: Any, b: Any) -> Any:
        column, other = (a, b) if isinstance(a, Words) else (b, a)
        found = same_word(shared, column, other)
        return found if isinstance(found, np.ndarray) else np.full(len(column), found)

    def either(c: Any, a: Any, b: Any) -> Any:
        return either_word(shared, np.asarray(c), a, b)

    def language(text: Words, pattern: str) -> Any:
        return in_language(shared, text, pattern)

    return {"same": same, "either": either, "language": language}


HELPERS: dict[str, Any] = {
    "np": np,
    "ip": np.int64,
    "div": div,
    "mod": mod,
    "every": every,
    "some": some,
    "summed": summed,
}
"""What text calls beside."""
