"""What to do where a token cannot stand: say it once, in the user's words, and find from where the rest makes sense.

First a repair of one token is tried (`repair.py`): when what follows then fits, the slip is understood.
Otherwise the stack is cut back to where the next safe token can stand: a clause, a statement or a step that begins a
line, a closing bracket, or a declaration.
"""

from __future__ import annotations

from policydsl.automaton import END
from policydsl.brackets import open_brackets, opener_for
from policydsl.diagnostics import Report
from policydsl.lexer import CLOSER_OF, OPENER_OF, Token, can_be_name, words
from policydsl.machine import Machine
from policydsl.repair import complain, repair
from policydsl.words import CLAUSES

_ASSIGNS = words("ASSIGN INCREASE DECREASE IS")
_STATEMENT_WORDS = words("REQUIRE IF FOR LET ADD REMOVE")
_STEP_WORDS = words("GIVEN AT EXPECT ANSWER")


def recover(stack: Machine, tokens: tuple[Token, ...], at: int, settled: int, report: Report) -> int:
    """Reports the token at `at`, unless that follows from an earlier mistake, and gives the place to go on from.

    `settled` is where the last recovery ended: a token that fails again there is skipped, so every call gets further.
    """
    if at == settled:
        return _resume(stack, tokens, at, skip=True)
    if not tokens[at].shaky:
        after = repair(stack, tokens, at, report)
        if after is not None:
            return after
        complain(stack, tokens, at, report)
    return _resume(stack, tokens, at, skip=False)


def _resume(stack: Machine, tokens: tuple[Token, ...], at: int, *, skip: bool) -> int:
    skipped: list[str] = []  # brackets opened among what is skipped
    start = at
    while True:
        token = tokens[at]
        if token.type == END or (token.begins and not (skip and at == start)):
            _finish(stack, token)
            return at
        if token.type in CLOSER_OF:
            skipped.append(token.type)
        elif token.type in OPENER_OF:
            if OPENER_OF[token.type] in skipped:
                while skipped.pop() != OPENER_OF[token.type]:
                    pass
            elif _cut_for_closer(stack, token):
                return at
        elif not skipped and not (skip and at == start) and (height := _place(stack, tokens, at)) is not None:
            stack.cut(height)
            return at
        at += 1


def _finish(stack: Machine, token: Token) -> None:
    """Closes the declaration where it stands if that is possible, else gives it up."""
    for opener in open_brackets(stack):
        closer = CLOSER_OF[stack.values[opener].type]
        height = next((h for h in range(len(stack.values), opener, -1) if stack.accepts((closer,), h)), None)
        if height is None:
            break
        stack.cut(height)
        stack.feed(Token(closer, "", token.span, False))
    if open_brackets(stack) or not stack.accepts((token.type,), soft=False):
        bottom = stack.height_where("declaration")
        assert bottom is not None
        stack.cut(bottom)


def _place(stack: Machine, tokens: tuple[Token, ...], at: int) -> int | None:
    """The height from which the token at `at` begins a clause, a statement or a step."""
    token, after = tokens[at], tokens[at + 1]
    kinds: list[str] = []
    if token.type in ("WHEN", "UNLESS", "BECAUSE") or (token.first and token.type in CLAUSES):
        kinds.append("clause")
    if token.first and (token.type in _STATEMENT_WORDS or (can_be_name(token) and _assigns(tokens, at))):
        kinds.append("statement")
    if token.first and (token.type in _STEP_WORDS or (can_be_name(token) and after.type == "LPAR")):
        kinds.append("step")
    for nonterminal in kinds:
        height = stack.height_where(nonterminal)
        if height is not None and stack.accepts((token.type,), height):
            return height
    return None


def _assigns(tokens: tuple[Token, ...], at: int) -> bool:
    """Whether an assignment stands on this line."""
    at += 1
    while not tokens[at].first:
        if tokens[at].type in _ASSIGNS:
            return True
        at += 1
    return False


def _cut_for_closer(stack: Machine, token: Token) -> bool:
    """Cuts back to where this bracket closes what it belongs to; without such a place, drops what it belongs to."""
    opener = opener_for(stack, token)
    if opener is None:
        return False
    for height in range(len(stack.values), opener, -1):
        if stack.accepts((token.type,), height):
            stack.cut(height)
            return True
    stack.cut(opener)
    return False
