"""Expressions of the core to Python text, block by block: one temporary for each shared term.

NOTE(temporaries): text is nested a little only. CPython refuses deep nesting, and a shared term that was written out
wherever it is used would be computed, and be as long, exponentially often. Every operator is total, so computing a
temporary that is then not needed is harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space
from runtime.strings import as_python

DEEPEST = 12
"""So many operators may stand inside each other in one line."""

QUANTIFIERS = (Op.FORALL, Op.EXISTS, Op.SUM)


def _joined(sign: str, unit: str) -> Callable[..., str]:
    return lambda *parts: f"({f' {sign} '.join(parts)})" if parts else unit


TEXT: dict[Op, Callable[..., str]] = {
    Op.NOT: lambda a: f"(not {a})",
    Op.AND: _joined("and", "True"),
    Op.OR: _joined("or", "False"),
    Op.IMPLIES: lambda a, b: f"(not {a} or {b})",
    Op.EQ: lambda a, b: f"({a} == {b})",
    Op.ITE: lambda c, a, b: f"({a} if {c} else {b})",
    Op.ADD: _joined("+", "0"),
    Op.SUB: lambda a, b: f"({a} - {b})",
    Op.MUL: lambda a, b: f"({a} * {b})",
    Op.DIV: lambda a, b: f"({a} // {b} if {b} > 0 else 0)",
    Op.MOD: lambda a, b: f"({a} % {b} if {b} > 0 else 0)",
    Op.MIN: lambda a, b: f"({a} if {a} <= {b} else {b})",
    Op.MAX: lambda a, b: f"({a} if {a} >= {b} else {b})",
    Op.LE: lambda a, b: f"({a} <= {b})",
    Op.LT: lambda a, b: f"({a} < {b})",
    Op.FORALL: lambda body, everyone: f"all(map({body}, {everyone}))",
    Op.EXISTS: lambda body, everyone: f"any(map({body}, {everyone}))",
    Op.SUM: lambda body, everyone: f"total({body}, {everyone})",
}
"""How an operator reads, given the texts of its arguments; a quantifier is given the name of a function and the text of
a list. `MATCHES` and `SELECT` need more than texts and are in `Block`."""

_TWICE = (Op.DIV, Op.MOD, Op.MIN, Op.MAX)  # their texts repeat arguments, which must then be names


@dataclass(slots=True)
class Names:
    """How a system's references are called in Python. `constants` collects the objects that the text refers to.

    `read` gives the text that reads a state variable at keys. `everyone` gives that of a list of the individuals that
    can be told apart, for a binder that is one of several, by the terms that these bind.
    """

    refs: dict[Ref, str]
    read: Callable[[Ref, tuple[str, ...]], str]
    everyone: Callable[[Names, Ref, Sequence[Ref], Sequence[Expr], Callable[[Expr], str]], str]
    constants: dict[str, object] = field(default_factory=dict)
    _fresh: int = 0

    def fresh(self, letter: str) -> str:
        self._fresh += 1
        return f"{letter}{self._fresh}"

    def constant(self, value: object) -> str:
        name = self.fresh("k")
        self.constants[name] = value
        return name


class Block:
    """The lines of one function body. Terms that `roots` share get a name each, when first needed."""

    def __init__(self, names: Names, roots: Iterable[Expr], outer: Block | None = None) -> None:
        self.names = names
        self.outer = outer
        self.lines: list[str] = []
        self._known: dict[Expr, str] = {}
        self._depth: dict[Expr, int] = {}
        self._uses = _uses(roots)

    def text(self, e: Expr) -> str:
        """The text of `e`; lines that it needs are added to the block."""
        found = self._found(e)
        if found is not None:
            return found
        match e:
            case Const():
                return repr(e.value)
            case Ref(space=Space.STATE):
                read = self.names.read(e, ())
                return self._name(e, read) if self._uses.get(e, 0) > 1 else read
            case Ref():
                return self.names.refs[e]
            case Apply():
                text = self._apply(e)
                if self._uses.get(e, 0) > 1 or self._depth[e] > DEEPEST or e.op in QUANTIFIERS:
                    return self._name(e, text)
                return text

    def name(self, e: Expr) -> str:
        """`e` as a name or a literal, which may be written twice."""
        text = self.text(e)
        return text if isinstance(e, Const | Ref) or text.isidentifier() else self._name(e, text)

    def add(self, line: str) -> None:
        self.lines.append(line)

    def _found(self, e: Expr) -> str | None:
        return self._known.get(e) or (self.outer._found(e) if self.outer else None)

    def _name(self, e: Expr, text: str) -> str:
        name = self.names.fresh("t")
        self.lines.append(f"{name} = {text}")
        self._known[e] = name
        self._depth[e] = 0
        return name

    def _apply(self, e: Apply) -> str:
        self._depth[e] = 1 + max((self._depth.get(a, 0) for a in e.args), default=0)
        if e.op in QUANTIFIERS:
            return self._quantifier(e)
        if e.op is Op.SELECT:
            variable, *keys = e.args
            assert isinstance(variable, Ref)
            texts = tuple(map(self.text, keys))
            self._deepen(e, e.args)
            return self.names.read(variable, texts)
        if e.op is Op.MATCHES:
            text, pattern = e.args
            assert isinstance(pattern, Const)
            return f"({as_python(str(pattern.value), self.name(text), self.names.constant)})"
        among = _among(e)
        if among is not None:
            term, values = among
            return f"({self.text(term)} in {{{', '.join(map(repr, values))}}})"
        if e.op in (Op.DIV, Op.MOD) and isinstance(e.args[1], Const) and int(e.args[1].value) > 0:
            quotient = f"({self.text(e.args[0])} {'//' if e.op is Op.DIV else '%'} {e.args[1].value})"
            self._deepen(e, e.args)
            return quotient
        # Every operator is total, so what is asked first is a matter of speed alone.
        args = sorted(e.args, key=_costly) if e.op in (Op.AND, Op.OR) else e.args
        texts = tuple(map(self.name if e.op in _TWICE else self.text, args))
        self._deepen(e, e.args)
        return TEXT[e.op](*texts)

    def _deepen(self, e: Expr, args: tuple[Expr, ...]) -> None:
        self._depth[e] = 1 + max((self._depth.get(a, 0) for a in args), default=0)

    def _quantifier(self, e: Apply) -> str:
        bound, body = e.args
        assert isinstance(bound, Ref)
        self.names.refs[bound] = self.names.fresh("b")
        function = self.nested((bound,), body)
        return TEXT[e.op](function, self.names.everyone(self.names, bound, (bound,), (body,), self.text))

    def nested(self, bound: Sequence[Ref], body: Expr) -> str:
        """The name of a function, defined in this block, from individuals to `body`; they have names already."""
        inner = Block(self.names, (body,), self)
        inner.add(f"return {inner.text(body)}")
        function = self.names.fresh("f")
        arguments = ", ".join(self.names.refs[b] for b in bound)
        self.lines += [f"def {function}({arguments}):", *(f"    {line}" for line in inner.lines)]
        return function


def _uses(roots: Iterable[Expr]) -> dict[Expr, int]:
    """How often each term is an argument or a root, not looking under quantifiers: they have blocks of their own."""
    uses: dict[Expr, int] = {}
    stack = list(roots)
    while stack:
        e = stack.pop()
        uses[e] = uses.get(e, 0) + 1
        if uses[e] == 1 and isinstance(e, Apply) and e.op not in QUANTIFIERS:
            stack += e.args
    return uses


def _costly(e: Expr) -> int:
    """What takes longer comes later; texts are compared with patterns last but for quantifiers."""
    match e:
        case Apply(op=Op.MATCHES):
            return 1
        case Apply(op=Op.NOT, args=(inner,)):
            return _costly(inner)
        case Apply(op=Op.AND | Op.OR | Op.IMPLIES, args=parts):
            return max(map(_costly, parts), default=0)
        case _:
            return 2 if isinstance(e, Apply) and e.op in QUANTIFIERS else 0


def _among(e: Apply) -> tuple[Expr, list[object]] | None:
    """A disjunction of equalities of one term with constants: the term, and the constants."""
    if e.op is not Op.OR:
        return None
    terms: set[Expr] = set()
    values: list[object] = []
    for part in e.args:
        match part:
            case Apply(op=Op.EQ, args=(term, Const(value=value))) | Apply(op=Op.EQ, args=(Const(value=value), term)):
                terms.add(term)
                values.append(value)
            case _:
                return None
    return (terms.pop(), values) if len(terms) == 1 else None
