"""From the text of a file to a syntax.Module, with every mistake reported that can be told apart from the others.

One thing the grammar cannot know, and leaves to the checker: in `once login(user)` and `approved since (...)` an action
looks like a call or a name, so it comes as Call or Name; it comes as Event where `by` or `_` shows that it is one. In
parentheses an Event can come anywhere in an expression; the checker says where it may stand.
"""

from __future__ import annotations

from policydsl import syntax
from policydsl.automaton import automaton
from policydsl.build import Builder
from policydsl.diagnostics import Report
from policydsl.lexer import MAX_CHARACTERS, MAX_ERRORS, lex
from policydsl.machine import MAX_HEIGHT, machine
from policydsl.recover import recover
from policydsl.source import Span


def parse(path: str, text: str, report: Report) -> syntax.Module:
    """Never fails: what cannot be understood is reported and missing from the module."""
    if len(text) > MAX_CHARACTERS:
        place = Span(path, 0, 0, 1, 1)
        report.error("I901", f"a file has at most {MAX_CHARACTERS} characters, this one {len(text)}", place)
        return syntax.Module(path, None, "", (), span=place)
    lexed = lex(path, text, report)
    tokens = lexed.tokens
    stack = machine(automaton(), Builder(path, lexed.docs, report), report)
    at, settled = 0, -1
    most = len(report.found) + MAX_ERRORS
    while stack.result is None:
        if stack.feed(tokens[at]):
            at += 1
        else:
            at = settled = recover(stack, tokens, at, settled, report)
        if len(stack.states) > MAX_HEIGHT:
            stack.say_too_deep(tokens[at].span)
        if len(report.found) > most or len(stack.states) > MAX_HEIGHT:
            tokens = (*tokens[:at], tokens[-1]._replace(shaky=True))
    module = stack.result
    assert isinstance(module, syntax.Module)
    return module
