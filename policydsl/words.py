"""Words about tokens: what begins what, and what was found and expected, as people would say it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from policydsl.automaton import END, Automaton
from policydsl.lexer import DECLARATIONS, Token, words

_KINDS = {
    "NAME": "a name",
    "STRING": "a string",
    "NUMBER": "a number",
    "DURATION": "a duration",
    "_DOT": "`.`",
    END: "the end of the file",
}
OPERATORS = words(
    "PLUS DASH STAR SLASH PERCENT EQ NE LT LE GT GE AND OR IMPLIES IFF IN NOT LIKE MATCHES CONTAINS STARTS ENDS HAS "
    "SINCE UNION MINUS LSQB _DOT LPAR"
)
_OPERANDS = words(
    "NUMBER DURATION STRING TRUE FALSE NONE NAME LPAR LBRACE DASH NOT IF FORALL EXISTS ONCE PREVIOUSLY HISTORICALLY NO "
    "OLD SUM COUNT PERMIT FORBID HOLE"
)
_STATEMENTS = words("REQUIRE IF FOR LET ADD REMOVE NAME")
_STEPS = words("GIVEN AT EXPECT ANSWER NAME")
CLAUSES = words("WHEN UNLESS BECAUSE THEN BY WITHIN REPLACE TO PER FOR")
_MOST = 5


def found(token: Token) -> str:
    if token.type == END:
        return "the end of the file"
    text = token.text if len(token.text) <= 40 else token.text[:37] + "..."
    return f"`{text}`"


def kind(name: str, table: Automaton) -> str:
    if name in _KINDS:
        return _KINDS[name]
    return next((f"`{text}`" for text, symbol in table.symbols.items() if symbol == name), name.lower())


def expected(kinds: AbstractSet[str], table: Automaton) -> str:
    """`a name, `,` or `)``; empty when nothing short can be said."""
    left = set(kinds)
    said: list[str] = []
    if {"NUMBER", "TRUE", "FALSE"} <= left:
        said.append("an expression")
        left -= _OPERANDS
    elif "PLUS" in left:
        said.append("an operator")
        left -= OPERATORS
    if "CONST" in left:
        said.append("a declaration")
        left -= DECLARATIONS | {END}
    if "REQUIRE" in left:
        said.append("a statement")
        left -= _STATEMENTS
    elif {"GIVEN", "EXPECT"} <= left:
        said.append("a step of the test (`given`, `at`, a request, `approve`, `expect`)")
        left -= _STEPS
    if {"WHEN", "BECAUSE"} <= left:
        said.append("a clause such as `when`")
        left -= CLAUSES
    said += sorted((kind(name, table) for name in left), key=lambda text: (text.startswith("`"), text))
    if not said or len(said) > _MOST:
        said = [*said[: _MOST - 1], "..."] if said else []
    if len(said) < 2 or said[-1] == "...":
        return ", ".join(said)
    return ", ".join(said[:-1]) + " or " + said[-1]
