"""Strings for the solvers: opaque values, one predicate per pattern, and which combinations of predicates exist.

The patterns and literals of one script split all strings into finitely many classes. Each string term is in one of
them; a class that is a single literal *is* that literal. No solver ever sees a character.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

import networkx as nx
import z3

from policydsl import regular
from policydsl.core.expr import Apply, Const, Expr, Op
from policydsl.core.types import MapType, StringType
from verifier.symbols import plain, quote

CLASS_LIMIT = 4_000
"""Product states explored before combinations are looked at in pairs only, which is sound but may lose a proof."""
MANY = 40
"""Patterns beyond which not even pairs are looked at."""
FEW = 6
"""Patterns up to which a witness of their exact combination is looked for."""


def string_symbol(text: str) -> str:
    """The solver's name of a literal."""
    return quote("s:" + text)


def pattern_symbol(pattern: str) -> str:
    """The solver's name of a pattern's predicate; no literal is called so."""
    return quote("~:" + pattern)


def string_sort(context: z3.Context) -> z3.SortRef:
    """The sort of strings, as scripts call it."""
    return z3.DeclareSort("String_", context)


@lru_cache(maxsize=256)
def _classes(patterns: tuple[str, ...]) -> list[regular.StringClass] | None:
    return regular.classes(patterns, CLASS_LIMIT)


def string_terms(order: list[Expr]) -> list[Expr]:
    """The string-valued terms among `order`; a constant that stands only as a pattern is not one."""
    found: dict[Expr, None] = {}
    for e in order:
        if isinstance(e, Apply):
            args = e.args[:1] if e.op is Op.MATCHES else e.args
            found.update(dict.fromkeys(a for a in args if isinstance(a.type, StringType)))
    return list(found)


def patterns_in(order: list[Expr]) -> tuple[str, ...]:
    """The patterns that strings are tested against, in order of appearance."""
    tests = [e.args[1] for e in order if isinstance(e, Apply) and e.op is Op.MATCHES]
    return tuple(dict.fromkeys(str(p.value) for p in tests if isinstance(p, Const)))


def class_facts(strings: dict[Expr, str], order: list[Expr]) -> tuple[list[str], list[str]]:
    """Declarations, and what is true of the string terms in `strings` (term to its text)."""
    if not any(isinstance(e.type, StringType) or _string_map(e) for e in order):
        return [], []
    patterns = patterns_in(order)
    literals = [e for e in strings if isinstance(e, Const)]
    head = ["(declare-sort String_ 0)"]
    head += [f"(declare-fun {pattern_symbol(p)} (String_) Bool)" for p in patterns]
    head += [f"(declare-const {string_symbol(str(c.value))} String_)" for c in literals]
    facts: list[str] = []
    if len(literals) > 1:
        facts.append(f"(assert (distinct {' '.join(string_symbol(str(c.value)) for c in literals)}))")
    for c in literals:
        for p in patterns:
            holds = f"({pattern_symbol(p)} {string_symbol(str(c.value))})"
            facts.append(f"(assert {holds})" if regular.member(p, str(c.value)) else f"(assert (not {holds}))")
    for group in _groups(strings, order):
        tested = tuple(p for p in patterns if p in group.patterns)
        if tested:
            for term in group.terms:
                facts += which_exist(term, tested, [str(c.value) for c in literals])
    return head, facts


@dataclass
class _Group:
    """Terms that may be the same string, and all patterns that any of them is tested against."""

    terms: list[str]
    patterns: set[str]


def _groups(strings: dict[Expr, str], order: list[Expr]) -> list[_Group]:
    """Terms that meet in an equality or a choice belong together; the others are told apart to keep classes few."""
    graph: nx.Graph[Expr] = nx.Graph()
    graph.add_nodes_from(e for e in strings if not isinstance(e, Const))
    stored = [e for e in graph if isinstance(e, Apply) and e.op is Op.SELECT]
    if stored:
        nx.add_path(graph, graph.nodes)
    tested: dict[Expr, set[str]] = {}
    for e in order:
        if isinstance(e, Apply) and e.op is Op.MATCHES and isinstance(e.args[1], Const):
            tested.setdefault(e.args[0], set()).add(str(e.args[1].value))
        elif isinstance(e, Apply) and e.op in (Op.EQ, Op.ITE):
            together = [a for a in (*e.args, e) if a in graph]
            nx.add_path(graph, together)
    groups = []
    for members in nx.connected_components(graph):
        terms = [text for e, text in strings.items() if e in members]
        groups.append(_Group(terms, set().union(*(tested.get(e, set()) for e in members))))
    return groups


def which_exist(term: str, patterns: tuple[str, ...], literals: list[str]) -> list[str]:
    """That `term` is in one of the classes that exist; of too many patterns, that it is so for each two of them."""
    found = _classes(patterns + tuple(map(regular.quote, literals)))
    if found is not None:
        tests = [f"({pattern_symbol(p)} {term})" for p in patterns]
        tests += [f"(= {term} {string_symbol(t)})" for t in literals]
        cubes = [_cube(tests, c.membership) for c in found]
        # SOUND: every string is in exactly one class, so the disjunction is true of each of them.
        return [f"(assert (or {' '.join(cubes)}))"]
    if len(patterns) == 1 or len(patterns) > MANY:
        return []
    return [fact for pair in combinations(patterns, 2) for fact in which_exist(term, pair, [])]


def _cube(tests: list[str], membership: tuple[bool, ...]) -> str:
    return "(and " + " ".join(t if m else f"(not {t})" for t, m in zip(tests, membership, strict=True)) + ")"


def _string_map(e: Expr) -> bool:
    return isinstance(e.type, MapType) and isinstance(e.type.value, StringType)


class StringChooser:
    """Real strings for the opaque ones of a model: equal where they are equal, different where they differ."""

    def __init__(self, order: list[Expr], context: z3.Context) -> None:
        self._order = order
        self._sort = string_sort(context)
        self._context = context
        self._given: dict[str, str] = {}

    # Most runs have no strings in them, so nothing is looked up before one is asked for.

    @cached_property
    def _patterns(self) -> tuple[str, ...]:
        return patterns_in(self._order)

    @cached_property
    def _literals(self) -> list[str]:
        return [str(e.value) for e in string_terms(self._order) if isinstance(e, Const)]

    def choose(self, model: z3.ModelRef, name: str) -> str:
        """A string for the constant `name`, in the class in which the model has it."""
        value = model.eval(z3.Const(plain(name), self._sort), model_completion=True)
        for text in self._literals:
            if model.eval(z3.Const(string_symbol(text)[1:-1], self._sort), model_completion=True).eq(value):
                return text
        key = str(value)
        if key not in self._given:
            holds = tuple(
                z3.is_true(
                    model.eval(
                        z3.Function(pattern_symbol(p)[1:-1], self._sort, z3.BoolSort(self._context))(value),
                        model_completion=True,
                    )
                )
                for p in self._patterns
            )
            self._given[key] = self._fresh(holds)
        return self._given[key]

    def _fresh(self, holds: tuple[bool, ...]) -> str:
        """A string with exactly these memberships, if one is found; the replay will tell if not."""
        taken = set(self._given.values()) | set(self._literals)
        tries = self._candidates(tuple(p for p, h in zip(self._patterns, holds, strict=True) if h))
        for text in tries:
            if text not in taken and all(
                regular.member(p, text) is h for p, h in zip(self._patterns, holds, strict=True)
            ):
                return text
        return self._unlike(holds, taken) or "text"

    def _unlike(self, holds: tuple[bool, ...], taken: set[str]) -> str | None:
        """A string with these memberships that is none of `taken`, if they are few enough to look for all classes."""
        others = tuple(map(regular.quote, sorted(taken)))
        found = _classes(self._patterns + others) or []
        wanted = holds + (False,) * len(others)
        return next((c.witness for c in found if c.membership == wanted), None)

    def _candidates(self, wanted: tuple[str, ...]) -> Iterator[str]:
        yield from () if wanted else ("text", "hello", "")
        shortest = [_shortest(p) for p in wanted]
        yield from dict.fromkeys(["".join(shortest), " ".join(shortest), *shortest])
        for known in (_classes(self._patterns) or []) if len(self._patterns) <= FEW else []:
            yield known.witness
        base = " ".join(shortest) or "text"
        for i in range(1, 40):
            yield from (f"{base}{i}", f"{i}{base}", f"{base} {i}")


@lru_cache(maxsize=1024)
def _shortest(pattern: str) -> str:
    """A shortest member of one pattern."""
    found = regular.classes((pattern,), CLASS_LIMIT) or []
    return next((c.witness for c in found if c.membership == (True,)), "")
