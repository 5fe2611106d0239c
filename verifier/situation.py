"""A solver's model of formulas over one state and one request to a situation: parameters, cells and inputs with names.

A situation is only ever a suggestion: whoever shows one has had it confirmed by the reference interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import z3

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, subterms
from policydsl.core.system import Action, Input, Param, System
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, MapType, Scalar, StringType, Value
from policydsl.state import default_value
from policydsl.trace import Cell
from verifier.from_model import PEOPLE
from verifier.string_classes import StringChooser, string_sort
from verifier.symbols import sort_symbol
from verifier.to_smt import literal, symbol


@dataclass(frozen=True, slots=True)
class Situation:
    """A state, as far as it matters, and a request in it."""

    params: tuple[tuple[str, Value], ...]
    cells: tuple[Cell, ...]
    inputs: tuple[tuple[str, Value], ...]


def reads(formulas: Iterable[Expr]) -> list[Expr]:
    """The terms whose values describe a model of `formulas`: reads of maps, and the individuals they are read at."""
    found: dict[Expr, None] = {}
    for e in subterms(*formulas):
        if isinstance(e, Apply) and e.op is Op.SELECT:
            found[e] = None
            found.update(dict.fromkeys(k for k in e.args[1:] if isinstance(k, Apply)))
    return list(found)


def named(term: Expr, number: int) -> Ref:
    """The name under which the solver is to know `term`; assert that they are equal to read it from models."""
    assert not isinstance(term.type, MapType)
    return Ref(f"term!{number}", term.type, Space.BOUND)


class ModelReader:
    """Reads situations out of models of one script. `formulas` are those asserted, `terms` those that have names."""

    def __init__(self, system: System, formulas: Sequence[Expr], terms: Sequence[Expr], context: z3.Context) -> None:
        self._system = system
        self._order = list(subterms(*formulas))
        self._known = set(self._order)
        self._terms = {t: named(t, i) for i, t in enumerate(terms)}
        self.context = context
        self.individuals = [e for e in self._order if isinstance(e, Const) and isinstance(e.type, EntityType)]
        self.strings: list[Expr] = [
            e for e in self._order if isinstance(e, Apply) and (e.op is Op.MATCHES or _of_string(e))
        ]
        self._constants: dict[str, z3.ExprRef] = {}
        self._acting = {i.type for a in system.actions for i in a.inputs if i.name == "principal"}

    def read(self, model: z3.ModelRef, params: Sequence[Param], inputs: Sequence[Input]) -> Situation:
        values = _Values(self, model)
        chosen = tuple((p.name, values.of(p.ref) if p.ref in self._known else p.default.value) for p in params)
        given = tuple((i.name, self._input(values, i)) for i in inputs)
        cells: dict[tuple[str, tuple[str, ...]], Value] = {}
        for e in self._order:
            if isinstance(e, Ref) and e.space is Space.STATE and not isinstance(e.type, MapType):
                cells[e.name, ()] = values.of(e)
        for term in self._terms:
            if isinstance(term, Apply) and term.op is Op.SELECT and isinstance(term.args[0], Ref):
                cells[term.args[0].name, tuple(str(values.of(k)) for k in term.args[1:])] = values.of(term)
        return Situation(chosen, tuple(Cell(var, keys, value) for (var, keys), value in cells.items()), given)

    def constant(self, name: str, type: Scalar) -> z3.ExprRef:
        found = self._constants.get(name)
        if found is None:
            found = self._constants[name] = self._constant(name, type)
        return found

    def _constant(self, name: str, type: Scalar) -> z3.ExprRef:
        match type:
            case BoolType():
                return z3.Bool(name, self.context)
            case EntityType():
                return z3.Const(name, z3.DeclareSort(sort_symbol(type)[1:-1], self.context))
            case StringType():
                return z3.Const(name, string_sort(self.context))
            case _:
                return z3.Int(name, self.context)

    def _input(self, values: _Values, input: Input) -> Value:
        if input.ref in self._known:
            return values.of(input.ref)
        return values.somebody(input.type) if isinstance(input.type, EntityType) else default_value(input.type)


def _of_string(e: Apply) -> bool:
    return any(isinstance(a.type, StringType) for a in e.args)


class _Values:
    """The values of terms in one model."""

    def __init__(self, reader: ModelReader, model: z3.ModelRef) -> None:
        self._reader = reader
        self._model = model
        self._strings = StringChooser(reader.strings, reader.context)
        self._names: dict[z3.ExprRef, str] = {}
        for e in reader.individuals:
            assert isinstance(e.type, EntityType)
            self._names[self._eval(literal(e)[1:-1], e.type)] = str(e.value)

    def _eval(self, name: str, type: Scalar) -> z3.ExprRef:
        return self._model.eval(self._reader.constant(name, type), model_completion=True)

    def of(self, term: Expr) -> Value:
        if isinstance(term, Const):
            return term.value
        ref = self._reader._terms.get(term, term)
        assert isinstance(ref, Ref)
        assert not isinstance(ref.type, MapType)
        name = symbol(ref)[1:-1]
        if isinstance(ref.type, StringType):
            return self._strings.choose(self._model, name) if term in self._reader._known else ""
        found = self._eval(name, ref.type)
        match ref.type:
            case BoolType():
                return bool(z3.is_true(found))
            case EnumType():
                return ref.type.cases[_int(found) % len(ref.type.cases)]
            case EntityType():
                return self._called(ref.type, found)
            case _:
                return _int(found)

    def _called(self, sort: EntityType, value: z3.ExprRef) -> str:
        known = self._names.get(value)
        if known is None:
            known = self._names[value] = self.somebody(sort)
        return known

    def somebody(self, sort: EntityType) -> str:
        """An individual who has no name yet."""
        return next(n for n in _candidates(sort, sort in self._reader._acting) if n not in self._taken())

    def _taken(self) -> set[str]:
        return {*self._names.values(), *(str(c.value) for c in self._reader._system.individuals)}


def _int(found: z3.ExprRef) -> int:
    assert isinstance(found, z3.IntNumRef)
    return int(found.as_long())


def _candidates(sort: EntityType, acting: bool) -> Iterable[str]:
    if acting:
        yield from PEOPLE
    yield from (f"{sort.name[0].lower()}{i}" for i in range(1, 10_000))


# Making it small, with the interpreter as the judge.


def smallest(
    system: System, action: Action, found: Situation, confirmed: Callable[[Situation], bool], formulas: Iterable[Expr]
) -> Situation | None:
    """A simpler situation near `found` that is still `confirmed`, or None if not even `found` is."""
    if not confirmed(found):
        return None
    constants = {int(e.value) for e in subterms(*formulas) if isinstance(e, Const) and isinstance(e.type, IntType)}
    best = found

    def attempt(candidate: Situation) -> bool:
        nonlocal best
        if candidate != best and confirmed(candidate):
            best = candidate
            return True
        return False

    if best.cells and not attempt(replace(best, cells=())):
        for cell in best.cells:
            attempt(replace(best, cells=tuple(c for c in best.cells if c != cell)))
    types: dict[str, Scalar] = {p.name: p.type for p in system.params}
    defaults = {p.name: p.default.value for p in system.params}
    for name, value in best.params:
        if value != defaults[name] and not attempt(_with_param(best, name, defaults[name])):
            for simpler in _simpler(value, types[name], constants):
                if attempt(_with_param(best, name, simpler)):
                    break
    types = {i.name: i.type for i in action.inputs}
    for name, value in best.inputs:
        for simpler in _simpler(value, types[name], constants):
            if attempt(_with_input(best, name, simpler)):
                break
    types = {v.name: v.type for v in system.state}
    for cell in best.cells:
        for simpler in _simpler(cell.value, types[cell.var], constants):
            changed = tuple(replace(c, value=simpler) if c == cell else c for c in best.cells)
            if attempt(replace(best, cells=changed)):
                break
    return best


def _with_param(s: Situation, name: str, value: Value) -> Situation:
    return replace(s, params=tuple((n, value if n == name else v) for n, v in s.params))


def _with_input(s: Situation, name: str, value: Value) -> Situation:
    return replace(s, inputs=tuple((n, value if n == name else v) for n, v in s.inputs))


def _simpler(value: Value, type: Scalar, constants: set[int]) -> list[Value]:
    """Values to try instead of `value`, simplest first."""
    match type:
        case BoolType():
            return [False] if value else []
        case IntType():
            size = abs(int(value))
            near: set[int] = {0, 1, *(c + d for c in constants for d in (-1, 0, 1))}
            fewer: list[int] = sorted((n for n in near if abs(n) < size), key=lambda n: (abs(n), n < 0))
            return [*fewer]
        case EnumType():
            return list(type.cases[: type.cases.index(str(value))])
        case StringType():
            return [default_value(type)] if value else []
        case EntityType():
            return []
