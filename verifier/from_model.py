"""A solver's model of an unrolling to a run in the user's vocabulary: the smallest one near it."""

from __future__ import annotations

from collections.abc import Callable

import z3

from policydsl.core.system import NOW, Action, Origin, System
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar, StringType, Value
from policydsl.interp import Request
from policydsl.state import EVERYONE_ELSE, default_value
from policydsl.trace import Cell
from verifier.finite import Population, cell_name
from verifier.string_classes import StringChooser, string_sort, string_symbol
from verifier.symbols import plain
from verifier.unroll import Unrolling, act_at

PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


def names(system: System, people: Population) -> dict[EntityType, list[str]]:
    """What individuals are called: as the specification calls them, then people for those who act, else p1, p2, ..."""
    acting = {i.type for a in system.actions for i in a.inputs if i.name == "principal"}
    result: dict[EntityType, list[str]] = {}
    taken = {n for named in people.named.values() for n in named}
    free_people = iter([p for p in PEOPLE if p not in taken] + [f"bot{i}" for i in range(1, 100)])
    letters: set[str] = set()
    for sort in people.size:
        called = list(people.named[sort])
        letter = sort.name[0].lower()
        while letter in letters:
            letter += sort.name[len(letter)].lower() if len(letter) < len(sort.name) else "_"
        letters.add(letter)
        count = people.size[sort] - len(called)
        called += [next(free_people) if sort in acting else f"{letter}{i}" for i in range(1, count + 1)]
        result[sort] = called
    return result


class Reader:
    """Reads a run of `steps` requests out of a solver that has just answered `sat`, making it small on the way."""

    def __init__(
        self,
        system: System,
        unrolling: Unrolling,
        solver: z3.Solver,
        check: Callable[[], z3.CheckSatResult],
        steps: int,
        model: z3.ModelRef | None = None,
    ) -> None:
        self.system = system
        self.unrolling = unrolling
        self.solver = solver
        self.check = check
        self.steps = steps
        self.names = names(system, unrolling.population)
        self.model = solver.model() if model is None else model
        self._levels = 0
        self._chooser: StringChooser | None = None

    def smallest(self) -> tuple[list[Request], dict[str, Value], list[Cell]]:
        """Requests, parameters and free initial cells of the smallest run found; leaves the solver as it was."""
        try:
            self._shrink()
            return self._requests(), self._params(), self._start()
        finally:
            if self._levels:
                self.solver.pop(self._levels)

    def plain(self) -> tuple[list[Request], dict[str, Value], list[Cell]]:
        """The same of the run that the solver happened to find."""
        return self._requests(), self._params(), self._start()

    # Shrinking: each wish is kept if the run can still be had.

    def _wish(self, *wishes: z3.BoolRef) -> bool:
        if all(z3.is_true(self.model.eval(w, model_completion=True)) for w in wishes):
            self._keep(wishes)
            return True
        self.solver.push()
        self.solver.add(*wishes)
        if self.check() == z3.sat:
            self._levels += 1
            self.model = self.solver.model()
            return True
        self.solver.pop()
        return False

    def _keep(self, wishes: tuple[z3.BoolRef, ...]) -> None:
        self.solver.push()
        self._levels += 1
        self.solver.add(*wishes)

    def _shrink(self) -> None:
        actions = self._actions()
        self._keep(tuple(self._int(act_at(i)) == self.unrolling.number(a.name) for i, a in enumerate(actions)))
        people: dict[EntityType, list[z3.ArithRef]] = {}
        for i, action in enumerate(actions):
            for slot in self.unrolling.slots[action.name]:
                if isinstance(slot.input.type, EntityType):
                    people.setdefault(slot.input.type, []).append(self._int(slot.at(i)))
        for sort, terms in people.items():
            for bound in range(self.unrolling.population.size[sort]):
                if self._wish(*(t <= bound for t in terms)):
                    break
        self._keep(tuple(t == self._value(t) for terms in people.values() for t in terms))
        params = [
            (self._const(f"${p.name}", p.type), self._literal(p.default.value, p.type)) for p in self.system.params
        ]
        self._wishes_one_by_one([p == default for p, default in params])
        for p, default in params:
            if isinstance(p, z3.ArithRef) and isinstance(default, z3.IntNumRef) and self._value(p) != default.as_long():
                self._least(p, 0)
        free = [
            (self._const(f"{cell_name(v.name, keys)}@0", v.type), self._literal(default_value(v.type), v.type))
            for v in self.system.state
            if v.init is None and isinstance(v.type, (BoolType, IntType, EnumType))
            for keys in self.unrolling.finite.cells(v)
        ]
        self._wishes_one_by_one([cell == default for cell, default in reversed(free)])
        for cell, _ in free:
            if isinstance(cell, z3.ArithRef):
                self._least(cell, 0)
        clock = 0
        for i, action in enumerate(actions):
            for slot in self.unrolling.slots[action.name]:
                if isinstance(slot.input.type, IntType):
                    timed = slot.input.name == NOW and self.system.timed
                    self._least(self._int(slot.at(i)), clock if timed else 0)
                    clock = self._value(self._int(slot.at(i))) if timed else clock

    def _wishes_one_by_one(self, wishes: list[z3.BoolRef]) -> None:
        if wishes and not self._wish(*wishes):
            for wish in wishes:
                self._wish(wish)

    def _least(self, term: z3.ArithRef, floor: int) -> None:
        """Make `term` as small as it can be, but not below `floor` if that can be helped."""
        if self._wish(term == floor) or not self._wish(term >= floor):
            return
        low = floor + 1
        # Solvers like to answer with a bound, so the first question is whether there is anything below at all.
        while self._value(term) > low and self._wish(term < self._value(term)):
            if self._value(term) > low and not self._wish(term <= (low + self._value(term)) // 2):
                low = (low + self._value(term)) // 2 + 1
        self._wish(term == self._value(term))

    # Reading

    def _actions(self) -> list[Action]:
        return [self.unrolling.actions[self._value(self._int(act_at(i)))] for i in range(self.steps)]

    def _int(self, name: str) -> z3.ArithRef:
        return z3.Int(plain(name), self.solver.ctx)

    def _const(self, name: str, type: Scalar) -> z3.ExprRef:
        match type:
            case BoolType():
                return z3.Bool(plain(name), self.solver.ctx)
            case StringType():
                return z3.Const(plain(name), string_sort(self.solver.ctx))
            case _:
                return self._int(name)

    def _literal(self, value: Value, type: Scalar) -> z3.ExprRef:
        if isinstance(type, BoolType):
            return z3.BoolVal(bool(value), self.solver.ctx)
        if isinstance(type, StringType):
            return z3.Const(string_symbol(str(value))[1:-1], string_sort(self.solver.ctx))
        number = type.cases.index(str(value)) if isinstance(type, EnumType) else int(value)
        return z3.IntVal(number, self.solver.ctx)

    def _value(self, term: z3.ArithRef) -> int:
        found = self.model.eval(term, model_completion=True)
        assert isinstance(found, z3.IntNumRef)
        return int(found.as_long())

    def _read(self, name: str, type: Scalar, strings: StringChooser) -> Value:
        match type:
            case BoolType():
                return bool(z3.is_true(self.model.eval(z3.Bool(plain(name), self.solver.ctx), model_completion=True)))
            case IntType():
                return self._value(self._int(name))
            case EnumType():
                return type.cases[self._value(self._int(name)) % len(type.cases)]
            case EntityType():
                called = self.names[type]
                return called[min(self._value(self._int(name)), len(called) - 1)]
            case StringType():
                return str(strings.choose(self.model, name))

    def _requests(self) -> list[Request]:
        strings = self._strings()
        return [
            Request(
                action.name,
                {s.input.name: self._read(s.at(i), s.input.type, strings) for s in self.unrolling.slots[action.name]},
            )
            for i, action in enumerate(self._actions())
        ]

    def _strings(self) -> StringChooser:
        # One for the whole run: strings that differ must differ wherever they occur.
        if self._chooser is None:
            self._chooser = StringChooser(self.unrolling.string_terms, self.solver.ctx)
        return self._chooser

    def _params(self) -> dict[str, Value]:
        return {p.name: self._read(f"${p.name}", p.type, self._strings()) for p in self.system.params}

    def _start(self) -> list[Cell]:
        strings = self._strings()
        cells: list[Cell] = []
        for v in self.system.state:
            if v.init is not None or v.origin is Origin.GHOST:
                continue
            own: list[Cell] = []
            for keys in self.unrolling.finite.cells(v):
                # The index after the last name is anybody else.
                called = tuple([*self.names[s], EVERYONE_ELSE][k] for k, s in zip(keys, v.keys, strict=True))
                own.append(Cell(v.name, called, self._read(f"{cell_name(v.name, keys)}@0", v.type, strings)))
            default = default_value(v.type)
            if len(v.keys) == 1 and own[-1].keys == (EVERYONE_ELSE,) and own[-1].value != default:
                default = own[-1].value
                cells.append(own[-1])
            general = any(EVERYONE_ELSE in c.keys and c.value != default for c in own)
            cells += [c for c in own if general or (c.value != default and EVERYONE_ELSE not in c.keys)]
        return cells
