"""Quantifier-free core expressions to SMT-LIB 2.6 text: the one encoder, read by Z3 and by cvc5 alike.

Individuals are an uninterpreted sort each, maps are uninterpreted functions, enumerations are bounded integers,
strings are an uninterpreted sort with one predicate per pattern. The text is also the cache key and the certificate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, subterms
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, MapType, StringType, Type
from verifier.string_classes import class_facts, pattern_symbol, string_symbol, string_terms
from verifier.symbols import quote, sort_symbol

SYMBOLS: dict[Op, str] = {
    Op.NOT: "not",
    Op.AND: "and",
    Op.OR: "or",
    Op.IMPLIES: "=>",
    Op.EQ: "=",
    Op.ITE: "ite",
    Op.ADD: "+",
    Op.SUB: "-",
    Op.MUL: "*",
    Op.LE: "<=",
    Op.LT: "<",
}
"""Operators that SMT-LIB has with exactly our meaning."""

TEMPLATES: dict[Op, Callable[[list[str]], str]] = {
    # SOUND: SMT-LIB `div` and `mod` are floor division for positive divisors; for the others our meaning is 0.
    Op.DIV: lambda a: f"(ite (> {a[1]} 0) (div {a[0]} {a[1]}) 0)",
    Op.MOD: lambda a: f"(ite (> {a[1]} 0) (mod {a[0]} {a[1]}) 0)",
    Op.MIN: lambda a: f"(ite (<= {a[0]} {a[1]}) {a[0]} {a[1]})",
    Op.MAX: lambda a: f"(ite (<= {a[0]} {a[1]}) {a[1]} {a[0]})",
    Op.SELECT: lambda a: f"({' '.join(a)})",
}
UNSUPPORTED = frozenset({Op.FORALL, Op.EXISTS, Op.SUM})
"""Gone before this module is reached: `verifier.ground` instantiates quantifiers, the lowering removes sums."""


def sort(type: Type) -> str:
    """The SMT-LIB sort of a scalar."""
    match type:
        case BoolType():
            return "Bool"
        case IntType() | EnumType():
            return "Int"
        case StringType():
            return "String_"
        case EntityType():
            return sort_symbol(type)
        case MapType():
            raise AssertionError("a map has no sort of its own")


def symbol(ref: Ref) -> str:
    """The name of a reference; the spaces cannot collide, with each other or with what solvers call their own."""
    mark = {Space.STATE: "_", Space.NEXT: "'", Space.INPUT: "?", Space.PARAM: "$", Space.BOUND: "!"}[ref.space]
    return quote(mark + ref.name)


def literal(const: Const) -> str:
    match const.type:
        case BoolType():
            return "true" if const.value else "false"
        case IntType():
            value = int(const.value)
            return str(value) if value >= 0 else f"(- {-value})"
        case EnumType():
            return str(const.type.cases.index(str(const.value)))
        case StringType():
            return string_symbol(str(const.value))
        case EntityType():
            return quote(f"#{const.type.name}:{const.value}")
        case MapType():
            raise AssertionError("no map constants")


def declare(ref: Ref) -> str:
    """The declaration of a reference."""
    if isinstance(ref.type, MapType):
        keys = " ".join(map(sort, ref.type.keys))
        return f"(declare-fun {symbol(ref)} ({keys}) {sort(ref.type.value)})"
    return f"(declare-const {symbol(ref)} {sort(ref.type)})"


def _in_range(term: str, type: EnumType) -> str:
    return f"(assert (and (<= 0 {term}) (< {term} {len(type.cases)})))"


class Printer:
    """Prints terms with every shared sub-term named once. `definitions` are (name, sort, text) in order of use.

    `atoms` gives terms that are to be printed as a symbol of somebody else's choosing.
    """

    def __init__(self, prefix: str = "t", atoms: Mapping[Expr, str] | None = None) -> None:
        self.definitions: list[tuple[str, str, str]] = []
        self._prefix = prefix
        self._text: dict[Expr, str] = dict(atoms or {})

    @property
    def lines(self) -> list[str]:
        """The definitions as commands."""
        return [f"(define-fun {name} () {sort_} {text})" for name, sort_, text in self.definitions]

    def nest(self, text: str) -> str:
        """`text` inside the definitions as nested `let`s, for use under a binder."""
        for name, _, value in reversed(self.definitions):
            text = f"(let (({name} {value})) {text})"
        return text

    def print(self, roots: Iterable[Expr]) -> list[str]:
        """The text of each root."""
        roots = list(roots)
        order = [e for e in subterms(*roots) if e not in self._text]
        uses = Counter(a for e in order if isinstance(e, Apply) for a in e.args)
        for e in order:
            self._text[e] = self._one(e, uses[e])
        return [self._text[r] for r in roots]

    def _one(self, e: Expr, uses: int) -> str:
        match e:
            case Const():
                return literal(e)
            case Ref():
                return symbol(e)
            case Apply():
                text = self._apply(e)
                # Min and max repeat their arguments, so whatever may be repeated gets a name.
                named = uses > 1 or isinstance(e.type, EnumType) or (e.op in TEMPLATES and e.op is not Op.SELECT)
                if not named:
                    return text
                name = f"{self._prefix}{len(self.definitions)}"
                self.definitions.append((name, sort(e.type), text))
                return name

    def _apply(self, e: Apply) -> str:
        if e.op is Op.MATCHES:
            pattern = e.args[1]
            assert isinstance(pattern, Const)
            return f"({pattern_symbol(str(pattern.value))} {self._text[e.args[0]]})"
        args = [self._text[a] for a in e.args]
        template = TEMPLATES.get(e.op)
        if template is not None:
            return template(args)
        return f"({SYMBOLS[e.op]} {' '.join(args)})"


def script(assertions: Iterable[Expr]) -> str:
    """A script that is satisfiable exactly when some state and request satisfy all `assertions`.

    For strings it may be satisfiable more often (two strings of one finite class may be taken for three).
    """
    roots = list(assertions)
    order = list(subterms(*roots))
    named = [e for e in order if isinstance(e, Const) and isinstance(e.type, EntityType)]
    head = [declare(e) for e in order if isinstance(e, Ref)]
    head += [f"(declare-const {literal(c)} {sort(c.type)})" for c in named]
    for type in dict.fromkeys(c.type for c in named):
        same = [literal(c) for c in named if c.type == type]
        if len(same) > 1:
            head.append(f"(assert (distinct {' '.join(same)}))")
    printer = Printer()
    texts = printer.print(roots)
    enums = [e for e in order if isinstance(e.type, EnumType) and _is_read(e)]
    # SOUND: reads of state and inputs are in range in every real state; all other terms are built from them.
    ranges = [
        _in_range(text, e.type)
        for e, text in zip(enums, printer.print(enums), strict=True)
        if isinstance(e.type, EnumType)
    ]
    terms = string_terms(order)
    string_head, string_facts = class_facts(dict(zip(terms, printer.print(terms), strict=True)), order)
    body = [f"(assert {text})" for text in texts[: len(roots)]]
    sorts = [f"(set-logic {_logic(order)})", *(f"(declare-sort {sort(t)} 0)" for t in _entities(order))]
    return "\n".join([*sorts, *string_head, *head, *printer.lines, *ranges, *string_facts, *body, ""])


def _logic(order: list[Expr]) -> str:
    """The smallest logic that has everything in `order`: solvers set up less for it, and answer in half the time."""
    nonlinear = any(
        isinstance(e, Apply)
        and (
            (e.op is Op.MUL and not any(isinstance(a, Const) for a in e.args))
            or (e.op in (Op.DIV, Op.MOD) and not isinstance(e.args[1], Const))
        )
        for e in order
    )
    return "ALL" if nonlinear else "QF_UFLIA"


def _is_read(e: Expr) -> bool:
    return isinstance(e, Ref) or (isinstance(e, Apply) and e.op is Op.SELECT)


def _entities(order: list[Expr]) -> list[EntityType]:
    found: dict[EntityType, None] = {}
    for e in order:
        if isinstance(e.type, EntityType):
            found[e.type] = None
        elif isinstance(e.type, MapType):
            found.update(dict.fromkeys(e.type.keys))
            if isinstance(e.type.value, EntityType):
                found[e.type.value] = None
    return list(found)
