"""One action of the core to the Python text of its step: inputs in, answer and assignments out.

The text is one function, `a3(given, now, granted)`, and helpers beside it. It checks the inputs, then each kind of
guard in the order of `GuardKind`: the first kind of which one fails determines the answer. Answers are made once and
kept in tables, so most decisions construct nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policydsl.core.expr import Expr, Ref, disj, negate, subterms
from policydsl.core.system import NOW, Action, Effect, GuardKind, Input, Write
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, StringType, Value
from policydsl.state import EVERYONE_ELSE, default_value
from runtime.index import Leaf, Tree, discriminate
from runtime.inputs import asked_of_callers
from runtime.rows import bulk
from runtime.to_python import Block, Names

MANY = 6
"""More guards of one kind, or permits, are told apart by a tree before they are asked."""

ONLY: Mapping[str, tuple[int, ...]] = {"()": (), "(0,)": (0,)}
"""Texts of what is known before anybody asks."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How a state variable is kept: its number, its reference, and whether its keys are tuples even if there is one."""

    number: int
    ref: Ref
    tuples: bool


class ActionCode:
    """Writes the functions of one action.

    `answers` gives, for the kind of guard that failed (None: none did), a table from the numbers of the guards that
    failed, or of the permits that hold, to the answer. `complain` answers requests whose inputs are wrong.
    """

    def __init__(
        self,
        action: Action,
        number: int,
        names: Names,
        stored: Mapping[str, Stored],
        answers: Callable[[GuardKind | None], Mapping[tuple[int, ...], object]],
        complain: Callable[[Mapping[str, Any], int, Mapping[str, Value]], object],
    ) -> None:
        self.action = action
        self.names = names
        self.stored = stored
        self.answers = answers
        self.entry = f"a{number}"
        self.complain = names.constant(complain)
        self.lines: list[str] = []
        self.inputs = {i.name: names.fresh("i") for i in action.inputs}
        self._duty_lists: dict[Effect, str] = {}
        for i in action.inputs:
            names.refs[i.ref] = self.inputs[i.name]

    def text(self) -> str:
        """The source of all functions of the action; the last one, called `entry`, decides."""
        body = [*self._head(), *self._body()]
        return "\n".join([*self.lines, f"def {self.entry}(given, now, granted):", *_indented(body), ""])

    def _head(self) -> Iterator[str]:
        asked = asked_of_callers(self.action)
        give_up = f"    return {self.complain}(given, now, granted)"
        if asked:
            yield "try:"
            for i in asked:
                yield f"    {self.inputs[i.name]} = given[{i.name!r}]"
            yield "except KeyError:"
            yield give_up
        yield f"if {' or '.join([f'len(given) != {len(asked)}', *map(self._ill_typed, asked)])}:"
        yield give_up
        for i in self.action.inputs:
            if i.name == NOW:
                yield f"{self.inputs[i.name]} = now"
            elif i not in asked:
                yield f"{self.inputs[i.name]} = granted.get({i.name!r}, {default_value(i.type)!r})"

    def _ill_typed(self, i: Input) -> str:
        x = self.inputs[i.name]
        match i.type:
            case BoolType():
                return f"{x}.__class__ is not bool"
            case IntType():
                return f"{x}.__class__ is not int"
            case EnumType(cases=cases):
                return f"{x}.__class__ is not str or {x} not in {self.names.constant(frozenset(cases))}"
            case EntityType():
                return f"{x}.__class__ is not str or {x} == {EVERYONE_ELSE!r}"
            case StringType():
                return f"{x}.__class__ is not str"

    def _body(self) -> list[str]:
        action = self.action
        groups = {kind: [g.expr for g in action.guards if g.kind is kind] for kind in GuardKind}
        permits = [r.condition for r in action.rules if r.effect == "permit"]
        if permits and groups[GuardKind.PERMIT] == [disj(*permits)]:
            groups[GuardKind.PERMIT] = []  # one of the permits holds, then: no need to ask again
            must_match = True
        else:
            must_match = False
        inline = [e for es in (*groups.values(), permits) if len(es) <= MANY for e in es]
        block = Block(self.names, [*inline, *(e for w in action.writes if not w.binders for e in (*w.keys, w.value))])
        for kind, guards in groups.items():
            if kind is GuardKind.PERMIT and permits:
                self._holding(block, "p", permits)
                if must_match:
                    block.add("if not p:")
                    block.add(f"    return {self._answer(kind, '(0,)')}")
            if guards:
                self._guards(block, kind, guards)
        block.add(f"return {self._answer(None, 'p' if permits else '()', self._writes(block))}")
        return block.lines

    def _guards(self, block: Block, kind: GuardKind, guards: Sequence[Expr]) -> None:
        if len(guards) > MANY:
            self._holding(block, "f", [negate(g) for g in guards])
            block.add("if f:")
            block.add(f"    return {self._answer(kind, 'f')}")
        elif len(guards) == 1:
            block.add(f"if not {block.text(guards[0])}:")
            block.add(f"    return {self._answer(kind, '(0,)')}")
        else:
            truths = [block.name(g) for g in guards]
            failed = f"{self.names.constant(failing)}(({', '.join(truths)},))"
            block.add(f"if not ({' and '.join(truths)}):")
            block.add(f"    return {self._answer(kind, failed)}")

    def _answer(self, kind: GuardKind | None, which: str, writes: str = "None") -> str:
        """The text of a result: answer, assignments, what must be done beside."""
        effect = {None: Effect.ALLOW, GuardKind.APPROVE: Effect.PENDING}.get(kind, Effect.DENY)
        duties, table = self._duties(effect), self.answers(kind)
        if which not in ONLY:
            return f"{self.names.constant(table)}[{which}], {writes}, {duties}"
        decision = table[ONLY[which]]
        if (writes, duties) == ("None", "()"):
            return self.names.constant((decision, None, ()))
        return f"{self.names.constant(decision)}, {writes}, {duties}"

    def _duties(self, effect: Effect) -> str:
        """The text that lists the obligations of `effect`."""
        wanted = [o for o in self.action.obligations if o.on is effect]
        if not wanted:
            return "()"
        arguments = ", ".join(self.inputs.values())
        if effect not in self._duty_lists:
            block = Block(self.names, [e for o in wanted for e in (o.condition, *o.args)])
            block.add("found = []")
            for o in wanted:
                args = "".join([f"{block.name(a)}, " for a in o.args])
                block.add(f"if {block.name(o.condition)}:")
                block.add(f"    found.append(({o.name!r}, ({args})))")
            block.add("return tuple(found)")
            self._duty_lists[effect] = self._define("o", arguments, block.lines)
        return f"{self._duty_lists[effect]}({arguments})"

    def _define(self, letter: str, arguments: str, body: Sequence[str]) -> str:
        """The name of a new function beside the entry."""
        name = self.names.fresh(letter)
        self.lines += [f"def {name}({arguments}):", *_indented(body)]
        return name

    def _holding(self, block: Block, into: str, conditions: Sequence[Expr]) -> None:
        """Put the numbers of those `conditions` that hold into the variable `into`."""
        if len(conditions) == 1:
            block.add(f"{into} = (0,) if {block.text(conditions[0])} else ()")
        elif len(conditions) <= MANY:
            self._which(block, into, enumerate(conditions))
        else:
            tree = discriminate(conditions)
            used = set(subterms(*_terms(tree)))
            arguments = ", ".join(self.inputs[i.name] for i in self.action.inputs if i.ref in used)
            block.add(f"{into} = {self._go(block, tree, arguments)}")

    def _go(self, block: Block, tree: Tree, arguments: str) -> str:
        """The text of a call that finds what holds, given `tree`."""
        if isinstance(tree, Leaf):
            return f"{self._leaf(tree, arguments)}({arguments})"
        other = self._below(tree.other, arguments)
        cases = {value: self._below(below, arguments) for value, below in tree.cases.items()}
        table = self.names.fresh("m")
        self.lines.append(f"{table} = {{{', '.join(f'{v!r}: {f}' for v, f in cases.items())}}}")
        return f"{table}.get({block.text(tree.term)}, {other})({arguments})"

    def _below(self, tree: Tree, arguments: str) -> str:
        if isinstance(tree, Leaf):
            return self._leaf(tree, arguments)
        block = Block(self.names, [tree.term])
        block.add(f"return {self._go(block, tree, arguments)}")
        return self._define("n", arguments, block.lines)

    def _leaf(self, leaf: Leaf, arguments: str) -> str:
        if not leaf.conditions:
            return self.names.constant(nothing)
        block = Block(self.names, [e for _, e in leaf.conditions])
        self._which(block, "r", leaf.conditions)
        block.add("return r")
        return self._define("n", arguments, block.lines)

    def _which(self, block: Block, into: str, conditions: Iterable[tuple[int, Expr]]) -> None:
        """Put the numbers of those `conditions` that hold into the variable `into`, asking each."""
        block.add(f"{into} = ()")
        for i, e in conditions:
            block.add(f"if {block.text(e)}:")
            block.add(f"    {into} += ({i},)")

    def _writes(self, block: Block) -> str:
        writes = self.action.writes
        if not writes:
            return "None"
        if not any(w.binders for w in writes):
            return f"({''.join([f'{self._assignment(block, w)}, ' for w in writes])})"
        block.add("w = []")
        for w in writes:
            block.add(self._bulk(block, w) if w.binders else f"w.append({self._assignment(block, w)})")
        return "w"

    def _assignment(self, block: Block, w: Write) -> str:
        kept = self.stored[w.var]
        keys = [block.text(k) for k in w.keys]
        key = keys[0] if len(keys) == 1 and not kept.tuples else f"({''.join(f'{k}, ' for k in keys)})"
        return f"({kept.number}, {key}, {block.text(w.value)})"

    def _bulk(self, block: Block, w: Write) -> str:
        kept = self.stored[w.var]
        for b in w.binders:
            self.names.refs[b] = self.names.fresh("b")
        function = block.nested(w.binders, w.value)
        keys = "".join([f"{w.binders.index(k) if k in w.binders else block.text(k)}, " for k in w.keys])
        people = "".join(
            [f"{self.names.everyone(self.names, b, w.binders, (w.value, kept.ref), block.text)}, " for b in w.binders]
        )
        oneself = next((i for i, b in enumerate(w.binders) if b.type == w.value.type), -1)
        return f"w.extend({self.names.constant(bulk)}({kept.number}, ({keys}), {function}, {oneself}, ({people})))"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _terms(tree: Tree) -> Iterator[Expr]:
    """All that is asked on the way to the leaves, and there."""
    if isinstance(tree, Leaf):
        yield from (e for _, e in tree.conditions)
    else:
        yield tree.term
        for below in (*tree.cases.values(), tree.other):
            yield from _terms(below)


def failing(truths: tuple[bool, ...]) -> tuple[int, ...]:
    """The numbers of those that do not hold."""
    return tuple([i for i, holds in enumerate(truths) if not holds])


def nothing(*_: object) -> tuple[int, ...]:
    return ()
