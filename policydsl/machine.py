"""The stack of the parser: takes tokens one by one, builds nodes as it goes; recovery tries it out and cuts it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from policydsl import syntax as s
from policydsl.automaton import ABSENT, END, Automaton, Reduction
from policydsl.diagnostics import Report
from policydsl.lexer import RESERVED, Token
from policydsl.source import Span

MAX_HEIGHT = 3_000  # of the stack: more than any text needs that is not too deep; each token may copy it
MAX_DEPTH = 200  # SOUND: every later pass walks nodes by recursion, and must not run out of stack


@dataclass(slots=True)
class Machine:
    """The four lists grow and shrink together, but `states` begins with the start state and is one longer."""

    table: Automaton
    builder: object
    report: Report
    states: list[int]
    values: list[Any]
    spans: list[Span]
    depths: list[int]
    methods: dict[str, Callable[..., Any]]
    soft: frozenset[str]
    result: Any = None
    too_deep: bool = False

    def feed(self, token: Token) -> bool:
        """Takes one more token; False when it cannot stand here, and then the stack is as it was."""
        actions, states, kind = self.table.actions, self.states, token.type
        if actions[states[-1]].get(kind).__class__ is not int and not self._try(states[:], kind, not token.begins):
            return False
        while True:
            action = actions[states[-1]].get(kind)
            if action.__class__ is int:
                states.append(action)
                self.values.append(token)
                self.spans.append(token.span)
                self.depths.append(0)
                return True
            if action is None:
                kind = "NAME"  # a soft word, or the trial would have failed
                continue
            if self._reduce(action, token):  # type: ignore[arg-type]
                return True

    def _reduce(self, by: Reduction, token: Token) -> bool:
        size, states, values = by.size, self.states, self.values
        gotos = self.table.gotos
        if size == 1 and by.method is None and by.gather is None:
            states[-1] = gotos[states[-2]][by.origin]
            return False
        if size:
            parts = values[-size:]
            start, stop, depth = self.spans[-size], self.spans[-1], max(self.depths[-size:])
            del states[-size:], values[-size:], self.spans[-size:], self.depths[-size:]
            span = Span(start.path, start.start, stop.end, start.line, start.column)
        else:
            parts, depth, span = [], 0, token.span
            span = Span(span.path, span.start, span.start, span.line, span.column)
        children = [None if at == ABSENT else parts[at] for at in by.children]
        if by.spliced:
            children = _pour(by, parts)
        if by.gather is not None:
            value: Any = children if by.gather is list else tuple(children)
        elif by.method is None:
            value = children[0]
        else:
            value = self.methods[by.method](span, *children)
            if value.__class__ is not tuple:
                depth += 1
                if depth > MAX_DEPTH and (shallow := self._too_deep(value, span)) is not value:
                    value, depth = shallow, 0
        states.append(gotos[states[-1]][by.origin])
        values.append(value)
        self.spans.append(span)
        self.depths.append(depth)
        if token.type == END and states[-1] == self.table.end:
            self.result = value
            return True
        return False

    def _too_deep(self, value: Any, span: Span) -> Any:
        match value:
            case s.If():
                shallow: s.Node = s.If(s.BoolLit(True, span=span), (), (), span=span)
            case s.OptionType() | s.SetType() | s.MapTypeExpr() | s.RangeType():
                shallow = s.NamedType("Bool", span=span)
            case _ if isinstance(value, s.Expr):
                shallow = s.BoolLit(True, span=span)
            case _:
                return value
        self.say_too_deep(span)
        return shallow

    def say_too_deep(self, span: Span) -> None:
        """Once for a file: what is cut off at this depth may be too deep again."""
        if not self.too_deep:
            hint = "give parts of it a name with `function` or `let`"
            self.report.error("E091", f"this is nested more than {MAX_DEPTH} deep", span, help=hint)
        self.too_deep = True

    # ---- looking ahead and cutting back

    def accepts(self, kinds: Iterable[str], height: int | None = None, *, soft: bool = True) -> bool:
        """Whether tokens of these kinds could follow, from the top or from the lower place `height`.

        Without `soft` the first of them has to stand for the word it is, and not for a name.
        """
        states = self.states[:] if height is None else self.states[: height + 1]
        return all(self._try(states, kind, soft or number > 0) for number, kind in enumerate(kinds))

    def _try(self, states: list[int], kind: str, soft: bool) -> bool:
        actions, gotos = self.table.actions, self.table.gotos
        while True:
            action = actions[states[-1]].get(kind)
            if action is None:
                if soft and kind in self.soft and "NAME" in actions[states[-1]]:
                    kind = "NAME"
                    continue
                return False
            if isinstance(action, int):
                states.append(action)
                return True
            if action.size:
                del states[-action.size :]
            states.append(gotos[states[-1]][action.origin])
            if kind == END and states[-1] == self.table.end:
                return True

    def expected(self) -> frozenset[str]:
        """All kinds of token that could stand here."""
        return frozenset(kind for kind in self.table.actions[self.states[-1]] if self.accepts((kind,), soft=False))

    def height_where(self, nonterminal: str) -> int | None:
        """The topmost place where a `nonterminal` can begin."""
        for height in range(len(self.states) - 1, -1, -1):
            if nonterminal in self.table.gotos[self.states[height]]:
                return height
        return None

    def cut(self, height: int) -> None:
        del self.states[height + 1 :], self.values[height:], self.spans[height:], self.depths[height:]


def machine(table: Automaton, builder: object, report: Report) -> Machine:
    methods = {
        action.method: getattr(builder, action.method)
        for row in table.actions
        for action in row.values()
        if isinstance(action, Reduction) and action.method
    }
    words = {name for text, name in table.symbols.items() if text.isalpha()}
    soft = frozenset(name for text, name in table.symbols.items() if name in words and text not in RESERVED)
    return Machine(table, builder, report, [0], [], [], [], methods, soft)


def _pour(by: Reduction, parts: list[Any]) -> list[Any]:
    children: list[Any] = []
    for at in by.children:
        if at in by.spliced:
            children = children + parts[at] if children else parts[at]  # a list that grows on the left is not copied
        else:
            children.append(None if at == ABSENT else parts[at])
    return children
