"""A token that cannot stand where it does, to a line of help: what people write who think of another language."""

from __future__ import annotations

from collections.abc import Sequence

from policydsl.lexer import Token
from policydsl.machine import Machine

_NO_WHERE = "`where` belongs to `sum`, `count` and `for each`; otherwise write `forall b: Bot . c implies ...`"
_BINDERS = "say of what type, and end with a dot: `forall b: Bot . ...`"


def hint(stack: Machine, before: Token | None, token: Token, after: Sequence[Token]) -> str:
    """What is probably meant by `token`, which stands behind `before` and is followed by `after`; empty if unknown."""
    could = stack.expected()
    open_ = next((kind for kind in _open(stack) if kind in _UNFINISHED), "")
    match (before.type if before else "", token.type):
        case (_, "IN") if open_ in ("FORALL", "EXISTS"):
            return "a group is a condition: `forall b: Bot . b in Staff implies ...`"
        case ("NAME", "PERIOD" | "_DOT" | "IN" | "RPAR" | "WHERE") if open_ in _QUANTIFIERS:
            return _BINDERS
        case ("NAME", "_DOT") if {"WHEN", "COMMA"} <= could:
            return "it is about an input itself, not about a part of one: give the part an input of its own"
        case (_, "NAME") if token.text == "two" and "CONST" in could:
            return "write `two phase call: reserve by a, commit by b, abort by c`"
        case (_, "WHERE"):
            return _NO_WHERE
        case ("BY", _) if could == {"LPAR"}:
            return "a test does not say who answers: `approve r` or `refuse r`, where `r` is the rule that asks"
        case (_, "ARROW"):
            return "the type of a result stands after `:`; `->` belongs to maps, `K -> V`"
        case ("PERCENT", _):
            return "`%` is the remainder of a division; 15 per cent of n are `15 * n / 100`"
        case (_, "PLUS" | "DASH") if {"INCREASE", "ASSIGN"} <= could:
            return "write `n += 1` or `n -= 1`"
        case (_, "THEN") if "LBRACE" in could:
            return "a statement is `if c { ... } else { ... }`; `if c then a else b` is a value"
        case (_, "FOR") if any(t.text == "all" for t in after):
            return "write `forall b: Bot . ...`"
        case _ if open_ in _QUANTIFIERS and could <= {"COMMA", "COLON"}:
            return _BINDERS
        case _ if open_ == "THEN" and "ELSE" in could:
            return "an `if` that is a value says both: `if c then a else b`"
        case (_, "COMMA" | "STRING") if open_ == "REQUIRE" and "ELSE" in could:
            return 'the reason stands after `else`: `require c else "reason"`'
        case _ if open_ == "EVENTUALLY" and "LEADS" in could:
            return "say what leads to what: `a leads to b`; what comes in any case is `true leads to b`"
    return ""


_QUANTIFIERS = ("FORALL", "EXISTS", "SUM", "COUNT")
_UNFINISHED = (*_QUANTIFIERS, "THEN", "REQUIRE", "EVENTUALLY", "LBRACE")


def _open(stack: Machine) -> list[str]:
    """The kinds of the tokens that wait for what belongs to them, the latest first."""
    return [value.type for value in reversed(stack.values) if isinstance(value, Token)]
