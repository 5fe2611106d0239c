"""The brackets that are open on the stack of the parser."""

from __future__ import annotations

from policydsl.lexer import CLOSER_OF, OPENER_OF, Token
from policydsl.machine import Machine


def open_brackets(stack: Machine) -> list[int]:
    """Where on the stack they stand, the innermost first."""
    closed = 0
    found: list[int] = []
    for at in range(len(stack.values) - 1, -1, -1):
        value = stack.values[at]
        if isinstance(value, Token):
            if value.type in OPENER_OF:
                closed += 1
            elif value.type in CLOSER_OF:
                if closed:
                    closed -= 1
                else:
                    found.append(at)
    return found


def innermost(stack: Machine) -> Token | None:
    for at in open_brackets(stack):
        token = stack.values[at]
        assert isinstance(token, Token)
        return token
    return None


def opener_for(stack: Machine, closer: Token) -> int | None:
    """Where the innermost bracket stands that `closer` can close."""
    return next((at for at in open_brackets(stack) if stack.values[at].type == OPENER_OF[closer.type]), None)
