"""A finite system to solver text, one step at a time: the only place where time enters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from policydsl.core.after import after
from policydsl.core.expr import ZERO, Const, Expr, Ref, Space, add, eq, select, substitute, subterms
from policydsl.core.system import Action, Input, System
from policydsl.core.types import EntityType, EnumType, StringType
from verifier.finite import Finite, Population, cell_name, flat
from verifier.string_classes import class_facts, patterns_in, string_terms, which_exist
from verifier.symbols import quote
from verifier.to_smt import Printer, literal, sort

HERE, THERE = "<here>", "<there>"
"""Stand for a step and the one after it in templates."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an input of an action is found: its symbol at a step. Individuals of one sort share slots."""

    input: Input
    name: str

    def at(self, step: int) -> str:
        return f"{self.name}@{step}"


def act_at(step: int | str) -> str:
    """The symbol for which action is requested at a step. No state variable is called so."""
    return f"!act@{step}"


def slots(action: Action) -> list[Slot]:
    seen: dict[EntityType, int] = {}
    result = []
    for i in action.inputs:
        if isinstance(i.type, EntityType):
            k = seen.get(i.type, 0)
            seen[i.type] = k + 1
            result.append(Slot(i, f"?{i.type.name}.{k}"))
        else:
            result.append(Slot(i, f"?{action.name}.{i.name}"))
    return result


class Unrolling:
    """Text for the start, for a step, and for a question about a step. Every text is for a parser that remembers."""

    def __init__(self, system: System, population: Population) -> None:
        self.system = system
        self.population = population
        self.finite = Finite(population)
        self.actions = list(system.actions)
        self.slots = {a.name: slots(a) for a in self.actions}
        self._step = self._step_template()
        self._questions = 0

    def start(self) -> str:
        """The initial state, the parameters, and what strings are."""
        lines = self._strings()
        for p in self.system.params:
            name = quote(f"${p.name}")
            lines.append(f"(declare-const {name} {sort(p.type)})")
            lines += self._bounded(name, p.type)
            lines += self._string_facts(name) if isinstance(p.type, StringType) else []
            lines += [f"(assert (<= {literal(Const(p.low, p.type))} {name}))"] if p.low is not None else []
            lines += [f"(assert (<= {name} {literal(Const(p.high, p.type))}))"] if p.high is not None else []
        for v in self.system.state:
            for keys in self.finite.cells(v):
                name = quote(f"{cell_name(v.name, keys)}@0")
                lines.append(f"(declare-const {name} {sort(flat(v.type))})")
                if v.init is not None:
                    lines.append(f"(assert (= {name} {self._print(self.finite(v.init))}))")
                else:
                    lines += self._bounded(name, v.type)
                    lines += self._string_facts(name) if isinstance(v.type, StringType) else []
        lines += self._sums()
        for s in self.population.size:
            lines.append(f"(define-fun {quote(f'!seen.{s.name}@0')} () Int {len(self.population.named[s])})")
        return "\n".join(lines)

    def _sums(self) -> list[str]:
        """A running sum over terms that start anywhere starts as their sum."""
        lines: list[str] = []
        for s in self.system.sums:
            variable = self.system.variable(s.var)
            assert isinstance(s.bound.type, EntityType)
            for keys in self.finite.cells(variable) if variable.init is None else ():
                here = tuple(self.population.individual(k, sort) for k, sort in zip(keys, variable.keys, strict=True))
                images: dict[Expr, Expr] = dict(zip(s.keys, here, strict=True))
                terms = [
                    self.finite(substitute(s.body, {**images, s.bound: self.population.individual(i, s.bound.type)}))
                    for i in self.population.indices(s.bound.type)
                ]
                facts = [eq(self.finite(select(variable.ref, *here)), add(*terms))]
                if s.bound.type in self.population.others:
                    facts.append(eq(terms[-1], ZERO))  # anybody else is infinitely many
                lines += [f"(assert {self._at(self._print(f), 0)})" for f in facts]
        return lines

    def _print(self, e: Expr) -> str:
        printer = Printer(atoms=self._atoms([e]))
        return printer.nest(printer.print([e])[0])

    def _atoms(self, roots: list[Expr], action: Action | None = None) -> dict[Expr, str]:
        where = {s.input.name: quote(f"{s.name}@{HERE}") for s in self.slots[action.name]} if action else {}
        atoms: dict[Expr, str] = {}
        for e in subterms(*roots):
            if isinstance(e, Ref):
                match e.space:
                    case Space.STATE:
                        atoms[e] = quote(f"{e.name}@{HERE}")
                    case Space.NEXT:
                        atoms[e] = quote(f"{e.name}@{THERE}")
                    case Space.INPUT:
                        atoms[e] = where[e.name]
                    case Space.PARAM:
                        atoms[e] = quote(f"${e.name}")
                    case Space.BOUND:
                        raise AssertionError(e)
        return atoms

    def _bounded(self, name: str, type: object) -> list[str]:
        if isinstance(type, EnumType):
            return [f"(assert (and (<= 0 {name}) (< {name} {len(type.cases)})))"]
        if isinstance(type, EntityType):
            return [f"(assert (and (<= 0 {name}) (< {name} {self.population.size[type]})))"]
        return []

    def _define(self, lines: list[str], prefix: str, e: Expr, action: Action) -> str:
        printer = Printer(prefix, self._atoms([e], action))
        text = printer.print([e])[0]
        lines += printer.lines
        return text

    def _step_template(self) -> str:
        act = quote(act_at(HERE))
        lines: list[str] = []
        nexts: dict[str, list[tuple[int, str]]] = {}
        for number_, action in enumerate(self.actions):
            guard = self._define(lines, f"g{number_}_{HERE}_", self.finite(action.allowed), action)
            lines.append(f"(assert (=> (= {act} {number_}) {guard}))")
            written = {w.var for w in action.writes}
            count = 0
            for v in self.system.state:
                if v.name not in written:
                    continue
                for keys in self.finite.cells(v):
                    name = cell_name(v.name, keys)
                    here = tuple(self.population.individual(k, s) for k, s in zip(keys, v.keys, strict=True))
                    value = self.finite(after(select(v.ref, *here), action.writes))
                    if value is not Ref(name, flat(v.type), Space.STATE):
                        count += 1
                        text = self._define(lines, f"w{number_}_{count}_{HERE}_", value, action)
                        nexts.setdefault(name, []).append((number_, text))
        for v in self.system.state:
            for keys in self.finite.cells(v):
                name = cell_name(v.name, keys)
                text = quote(f"{name}@{HERE}")
                for number_, written_value in nexts.get(name, ()):
                    text = f"(ite (= {act} {number_}) {written_value} {text})"
                there = quote(f"{name}@{THERE}")
                if name in nexts:
                    lines += [f"(declare-const {there} {sort(flat(v.type))})", f"(assert (= {there} {text}))"]
                else:
                    lines.append(f"(define-fun {there} () {sort(flat(v.type))} {text})")
        return "\n".join(lines)

    def _inputs(self) -> list[str]:
        lines: list[str] = []
        declared: dict[str, Slot] = {}
        for slot_list in self.slots.values():
            declared.update((s.name, s) for s in slot_list)
        for sort_ in self.population.size:
            seen = quote(f"!seen.{sort_.name}@{HERE}")
            for slot in [s for s in declared.values() if s.input.type == sort_]:
                name = quote(f"{slot.name}@{HERE}")
                size = self.population.size[sort_]
                # Unnamed individuals are interchangeable, so the first to appear is the first in order.
                lines += [
                    f"(declare-const {name} Int)",
                    f"(assert (and (<= 0 {name}) (< {name} {size}) (<= {name} {seen})))",
                ]
                seen = f"(ite (= {name} {seen}) (+ {seen} 1) {seen})"
            lines.append(f"(define-fun {quote(f'!seen.{sort_.name}@{THERE}')} () Int {seen})")
        for slot in declared.values():
            if isinstance(slot.input.type, EntityType):
                continue
            name = quote(f"{slot.name}@{HERE}")
            lines.append(f"(declare-const {name} {sort(slot.input.type)})")
            lines += self._bounded(name, slot.input.type)
            lines += self._string_facts(name) if isinstance(slot.input.type, StringType) else []
        return lines

    def number(self, action: str) -> int:
        """The number by which the solver knows an action."""
        return next(i for i, a in enumerate(self.actions) if a.name == action)

    def requests(self, i: int) -> str:
        """A request in state `i`, allowed or not."""
        act = quote(act_at(i))
        chosen = f"(declare-const {act} Int)\n(assert (and (<= 0 {act}) (< {act} {len(self.actions)})))\n"
        return chosen + self._at("\n".join(self._inputs()), i)

    def moves(self, i: int) -> str:
        """That request `i` is allowed and leads to state `i + 1`; after `requests(i)`."""
        return self._at(self._step, i)

    @staticmethod
    def _at(template: str, i: int) -> str:
        return template.replace(HERE, str(i)).replace(THERE, str(i + 1))

    def question(self, formula: Expr, action: Action | None) -> tuple[str, str]:
        """A template that defines a constant for `formula` at a step, and its name; fill both with `at`."""
        self._questions += 1
        name = f"q{self._questions}_{HERE}"
        e = self.finite(formula)
        printer = Printer(f"{name}_", self._atoms([e], action))
        text = printer.print([e])[0]
        lines = [*printer.lines, f"(declare-const {name} {sort(e.type)})", f"(assert (= {name} {text}))"]
        return "\n".join(lines), name

    def at(self, template: str, i: int) -> str:
        return self._at(template, i)

    # Strings: one sort, one predicate per pattern; every string that comes in is in one of the classes.

    @cached_property
    def string_terms(self) -> list[Expr]:
        roots = [g.expr for a in self.actions for g in a.guards]
        roots += [w.value for a in self.actions for w in a.writes]
        roots += [r.condition for a in self.actions for r in a.rules]
        roots += [p.expr for p in self.system.properties]
        roots += [v.init for v in self.system.state if v.init is not None]
        roots += [v.ref for v in self.system.state]  # one that nothing reads is declared all the same
        roots += [e for p in self.system.params for e in (p.ref, p.default)]
        roots += [i.ref for a in self.actions for i in a.inputs]
        # A literal that only stands by itself, as an initial or a written value, is a string too.
        any_string = Ref("any string", StringType(), Space.INPUT)
        alone = [eq(any_string, e) for e in roots if isinstance(e, Const) and isinstance(e.type, StringType)]
        return list(subterms(*roots, *alone))

    def _strings(self) -> list[str]:
        order = self.string_terms
        head, facts = class_facts(dict.fromkeys(string_literals(order), ""), order)
        return [*head, *facts]

    def _string_facts(self, name: str) -> list[str]:
        order = self.string_terms
        # Any string may come to stand anywhere, so it is told of all patterns.
        patterns = patterns_in(order)
        return which_exist(name, patterns, [str(e.value) for e in string_literals(order)]) if patterns else []


def string_literals(order: list[Expr]) -> list[Const]:
    return [e for e in string_terms(order) if isinstance(e, Const)]
