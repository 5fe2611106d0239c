"""A system and chosen parameters to something that decides requests and remembers: the compiled transition function.

NOTE(compiled): the text that `action_code` writes is executed once, with the rows of the state variables among its
globals. A decision computes the answer and the assignments and changes nothing; `Content.apply` then does them at once.
So a decision can be thrown away, recorded first, or undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from policydsl.core.expr import Apply, Const, Expr, Ref, Space, subterms
from policydsl.core.expr import total as total_of
from policydsl.core.system import Action, System, Write
from policydsl.core.types import Type, Value
from policydsl.state import EVERYONE_ELSE
from runtime.action_code import ActionCode, Stored
from runtime.answers import Answers
from runtime.content import Content
from runtime.decision import Basis, Code, Decision
from runtime.inputs import InputError, asked_of_callers, flatten, shape
from runtime.rows import Assignment, everyone, keys_at, total, values_of
from runtime.to_python import QUANTIFIERS, Block, Names

Duties: TypeAlias = "tuple[tuple[str, tuple[Value, ...]], ...]"
Result: TypeAlias = "tuple[Decision, Sequence[Assignment] | None, Duties]"
"""The answer without obligations, the assignments if it is allowed, and the obligations."""
Step: TypeAlias = "Callable[[Mapping[str, Any], int, Mapping[str, Value]], Result]"
"""From what is given, the time, and what people have answered (`approved_RULE`, `asked_RULE`) to the result."""


LINES = 200
"""So many lines are compiled at once, about: the syntax tree of a thousand rules would take forty megabytes."""


class _Flat(dict[str, Any]):
    """Inputs that are those of the core already."""


class Machine:
    """A compiled system and its state, `content`. Not for several threads at once. `source` is for people to read."""

    def __init__(self, system: System, params: Mapping[str, Value] | None = None, basis: Basis | None = None) -> None:
        self.system = system
        self.basis = basis
        self.content = Content(system, params)
        self.source, self.steps = self._compile()

    def decide(self, action: str, given: Mapping[str, Any], now: int = 0, granted: Mapping[str, Value] = {}) -> Result:
        """The answer to a request in the present state, which stays as it is."""
        step = self.steps.get(action)
        if step is None:
            return self.refuse(Code.UNKNOWN_ACTION, f"there is no action `{action}`")
        return step(given, now, granted)

    def refuse(self, code: Code, reason: str) -> Result:
        return Decision("deny", code, reason, basis=self.basis), None, ()

    def holds(self, formula: Expr) -> bool:
        """Whether a closed formula holds in the present state. Takes time in proportion to who could tell."""
        block = Block(names := self._named(), [formula])
        block.add(f"return {block.text(formula)}")
        text = ["def holds():", *(f"    {line}" for line in block.lines)]
        return self._executed("holds", text, names)["holds"]() is True

    def sum_up(self) -> None:
        """Give running sums the values that they stand for, after something else than a step has set their terms."""
        writes = tuple(Write(s.var, s.keys, total_of(s.bound, s.body), s.keys) for s in self.system.sums)
        action, names = Action("", (), (), writes), self._named()
        code = ActionCode(action, 0, names, self._stored(), lambda _: {(): None}, partial(self._complain, action))
        assignments = self._executed("sums", [code.text()], names)[code.entry]({}, 0, {})[1]
        for number, keys, value in assignments or ():
            if EVERYONE_ELSE not in keys:
                self.content.set([(self.system.state[number].name, keys, value)])

    def _compile(self) -> tuple[str, dict[str, Step]]:
        names, stored = self._named(), self._stored()
        entries, texts = {}, []
        for number, action in enumerate(self.system.actions):
            answers, complain = partial(Answers, self.basis, action), partial(self._complain, action)
            code = ActionCode(action, number, names, stored, answers, complain)
            texts.append(code.text())
            entries[action.name] = code.entry
        scope = self._executed(self.system.name, texts, names)
        return "\n".join(texts), {name: scope[entry] for name, entry in entries.items()}

    def _named(self) -> Names:
        params = {p.ref: repr(self.content.params[p.name]) for p in self.system.params}
        return Names(params, self._read, self._everyone, {"total": total})

    def _stored(self) -> dict[str, Stored]:
        return {v.name: Stored(i, v.ref, i in self.content.patterns) for i, v in enumerate(self.system.state)}

    def _executed(self, name: str, texts: Sequence[str], names: Names) -> dict[str, Any]:
        """The functions of `texts`, by name."""
        scope: dict[str, Any] = {**names.constants}
        for number, cells in enumerate(self.content.cells):
            scope[f"v{number}"] = cells
            if number in self.content.patterns:
                scope[f"r{number}"] = self.content.patterns[number].read
        # The text is made of names that are chosen here and of `repr`s of values; nothing in it comes from a request.
        for part in _parts(texts):
            exec(compile(part, f"<{name}>", "exec"), scope)  # noqa: S102
        return scope

    def _read(self, variable: Ref, keys: tuple[str, ...]) -> str:
        """The text that reads a state variable."""
        number = self.content.numbers[variable.name]
        if number in self.content.patterns:
            return f"r{number}({', '.join(keys)})"
        key = keys[0] if len(keys) == 1 else f"({''.join(f'{k}, ' for k in keys)})"
        return f"v{number}.get({key}, {self.content.first[number]!r})"

    def _everyone(
        self, names: Names, bound: Ref, binders: Sequence[Ref], terms: Sequence[Expr], text: Callable[[Expr], str]
    ) -> str:
        """The text of a list: the individuals that `terms` can tell apart, and one that stands for all others."""
        sources: list[Callable[[], Iterable[str]]] = []
        mentioned: list[str] = []
        everything = list(subterms(*terms))
        inner = {*binders, *(e.args[0] for e in everything if isinstance(e, Apply) and e.op in QUANTIFIERS)}
        for e in everything:
            if isinstance(e, Ref) and e.space is Space.STATE:
                sources += self._sources(self.content.numbers[e.name], bound.type)
            elif isinstance(e, Const | Ref) and e.type == bound.type and e not in inner:
                mentioned.append(f"{text(e)}, ")
        return f"{names.constant(partial(everyone, tuple(sources)))}(({''.join(mentioned)}))"

    def _sources(self, number: int, sort: Type) -> Iterator[Callable[[], Iterable[str]]]:
        """Where individuals of `sort` occur in a variable: among keys, among values."""
        var, rows = self.system.state[number], self.content.cells[number]
        positions = [i for i, k in enumerate(var.keys) if k == sort]
        if positions:
            yield keys_at(rows, positions, single=len(var.keys) == 1 and number not in self.content.patterns)
        if var.type == sort:
            yield values_of(rows, self.content.first[number])

    def _complain(self, action: Action, given: Mapping[str, Any], now: int, granted: Mapping[str, Value]) -> Result:
        """The answer to a request whose inputs are not those of the core as they stand."""
        if given.__class__ is _Flat:
            return self.refuse(Code.INTERNAL, "inputs that are right were not accepted")
        try:
            flat = _Flat(flatten(shape(asked_of_callers(action)), given))
        except InputError as error:
            return self.refuse(error.code, str(error))
        return self.steps[action.name](flat, now, granted)


def _parts(texts: Iterable[str]) -> Iterator[str]:
    """The same lines in several texts, each a number of whole statements."""
    part: list[str] = []
    for line in "\n".join(texts).split("\n"):
        if len(part) >= LINES and not line.startswith(" "):
            yield "\n".join(part)
            part = []
        part.append(line)
    yield "\n".join(part)
