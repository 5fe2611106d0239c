"""Mistakes of one token: named, and put right on the stack when what follows then fits; others, in general words."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from policydsl.automaton import END
from policydsl.brackets import innermost, opener_for
from policydsl.diagnostics import Label, Report
from policydsl.hints import hint
from policydsl.lexer import CLOSER_OF, OPENER_OF, RESERVED, Token, can_be_name, words
from policydsl.machine import Machine
from policydsl.source import Span
from policydsl.words import expected, found, kind

_EQUALS = {"IS": "=", "EQ": "==", "ASSIGN": ":="}
_MEANS = {
    "IS": "`=` gives a declared name its value",
    "EQ": "`==` compares two values",
    "ASSIGN": "`:=` changes the state in an action",
}
_COMPARES = words("EQ NE LT LE GT GE IN LIKE MATCHES CONTAINS")
_JOINS = words("AND OR IMPLIES IFF IN LIKE MATCHES CONTAINS HAS SINCE")
# What is most often forgotten, the likeliest first.
_MISSING = (
    "COLON", "PERIOD", "RPAR", "RSQB", "COMMA", "IS", "ASSIGN", "THEN", "TO", "ON", "OF", "EACH", "WITH", "ELSE",
    "BECAUSE", "LPAR", "LSQB", "LBRACE", "RBRACE",
)  # fmt: skip
_OTHER_LANGUAGES = {
    "allow": "permit", "deny": "forbid", "except": "unless", "reason": "because",
    "def": "function", "func": "function", "fun": "function", "fn": "function",
    "var": "state", "struct": "record", "type": "record", "class": "record", "constant": "const", "use": "import",
    "always": "invariant", "property": "invariant", "assert": "require", "check": "require",
    "all": "forall", "some": "exists", "foreach": "for",
}  # fmt: skip


def repair(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """Puts one mistake right and gives the place to go on from; None when it is not one of those."""
    attempts: tuple[_Attempt, ...] = (
        _unclosed, _equals, _doubled, _misspelled, _misspelled_before, _reserved, _bracket, _no_string,
        _if_begins_a_line, _missing,
    )  # fmt: skip
    for attempt in attempts:
        if (after := attempt(stack, tokens, at, report)) is not None:
            return after
    return None


_Attempt = Callable[[Machine, tuple[Token, ...], int, Report], int | None]


def _kinds(tokens: tuple[Token, ...], at: int, count: int) -> tuple[str, ...]:
    return tuple(t.type for t in tokens[at : at + count])


def _unclosed(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """A bracket of the target of an assignment."""
    opener = innermost(stack)
    if tokens[at].type not in {"ASSIGN", "INCREASE", "DECREASE"} or opener is None or opener.type == "LBRACE":
        return None
    return _insert(stack, tokens, at, CLOSER_OF[opener.type], report)


def _equals(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """`=`, `==` and `:=` taken for one another."""
    token = tokens[at]
    if token.type not in _EQUALS:
        return None
    for meant, text in _EQUALS.items():
        if meant != token.type and stack.accepts((meant, *_kinds(tokens, at + 1, 1))):
            help = f"{_MEANS[meant]}; {_MEANS[token.type]}"
            report.error("E006", f"`{token.text}` stands where `{text}` is meant", token.span, help=help)
            stack.feed(Token(meant, text, token.span, False))
            return at + 1
    return None


def _doubled(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """The token before this one, once more."""
    token = tokens[at]
    if not at or token.text != tokens[at - 1].text or token.type in OPENER_OF or token.type == END:
        return None
    if not stack.accepts(_kinds(tokens, at + 1, 2)):
        return None
    report.error("E016", f"{found(token)} is written twice", token.span, help="leave one of the two out")
    return at + 1


def _close(text: str, kinds: frozenset[str], stack: Machine) -> str | None:
    """The word among `kinds` that was probably meant."""
    words = [word for word, name in stack.table.symbols.items() if name in kinds and word.isalpha()]
    other = _OTHER_LANGUAGES.get(text.lower())
    if other in words:
        return other
    return next(iter(get_close_matches(text.lower(), words, 1, 0.7)), None)


def _misspelled(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """A word of the language is meant where a name cannot stand."""
    token = tokens[at]
    if not can_be_name(token):
        return None
    word = _close(token.text, stack.expected(), stack)
    if word is None or not stack.accepts((stack.table.symbols[word], *_kinds(tokens, at + 1, 1)), soft=False):
        return None
    _say_misspelled(token, word, report)
    stack.feed(Token(stack.table.symbols[word], word, token.span, token.first))
    return at + 1


def _misspelled_before(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """The token before this one was read as a name at the start of a statement or step, but a word is meant."""
    token = tokens[at - 1]
    height = len(stack.values) - 1
    if not at or height < 0 or not can_be_name(token) or stack.spans[height] != token.span:
        return None
    gotos = stack.table.gotos[stack.states[height]]
    if "statement" not in gotos and "step" not in gotos:
        return None
    starts = frozenset(k for k in stack.table.actions[stack.states[height]] if stack.accepts((k,), height, soft=False))
    word = _close(token.text, starts, stack)
    if word is None or not stack.accepts((stack.table.symbols[word], *_kinds(tokens, at, 2)), height, soft=False):
        return None
    _say_misspelled(token, word, report)
    stack.cut(height)
    stack.feed(Token(stack.table.symbols[word], word, token.span, token.first))
    return at


def _say_misspelled(token: Token, word: str, report: Report) -> None:
    report.error("E009", f"`{token.text}` is not a word of the language", token.span, help=f"did you mean `{word}`?")


def _reserved(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """A word that is never a name, used as one."""
    token = tokens[at]
    if token.text not in RESERVED or not stack.accepts(("NAME", *_kinds(tokens, at + 1, 1))):
        return None
    if token.type in _JOINS and stack.accepts(("NUMBER",)):
        return None
    help = (
        f"choose another, such as `{token.text}_`" if token.text != "_" else "`_` only stands for an input of an event"
    )
    report.error("E010", f"`{token.text}` is a word of the language and cannot be a name", token.span, help=help)
    stack.feed(token._replace(type="NAME"))
    return at + 1


def _bracket(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """A bracket that closes nothing, or closes with the wrong shape."""
    token = tokens[at]
    if token.type not in OPENER_OF or opener_for(stack, token) is not None:
        return None
    opener = innermost(stack)
    if opener is not None:
        meant = CLOSER_OF[opener.type]
        if stack.accepts((meant, *_kinds(tokens, at + 1, 1))):
            text = kind(meant, stack.table)
            label = Label(opener.span, "opened here")
            said = f"`{token.text}` does not close `{opener.text}`"
            report.error("E015", said, token.span, labels=(label,), help=f"write {text}")
            stack.feed(Token(meant, text.strip("`"), token.span, False))
            return at + 1
    if stack.accepts(_kinds(tokens, at + 1, 1)):
        report.error("E015", f"`{token.text}` closes nothing", token.span, help="remove it, or open what it closes")
        return at + 1
    return None


def _no_string(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """A sentence without quotes where a string has to stand."""
    if stack.expected() != {"STRING"}:
        return None
    end = at
    while tokens[end].type in {"NAME", "NUMBER", "COMMA"} or tokens[end].text.isalpha():
        if tokens[end].first:
            break
        end += 1
    if end == at or not stack.accepts(("STRING", *_kinds(tokens, end, 1))):
        return None
    _say_no_string(tokens, at, report)
    stack.feed(Token("STRING", '""', tokens[at].span, False))
    return end


def _say_no_string(tokens: tuple[Token, ...], at: int, report: Report) -> None:
    before = tokens[at - 1]
    told = {"ELSE": "the reason after `else`", "BECAUSE": "the reason after `because`"}
    what = told.get(before.type, f"what follows `{before.text}`")
    place = _after(tokens, at) if tokens[at].first else tokens[at].span
    report.error("E012", f"{what} is a string in double quotes, not {found(tokens[at])}", place)


def _if_begins_a_line(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """An `if` that was read as the value of the unfinished line above, but a block follows."""
    if tokens[at].type != "LBRACE" or not stack.accepts(("THEN",)):
        return None
    height = next((h for h in range(len(stack.values) - 1, -1, -1) if _is_first_if(stack.values[h])), None)
    start = stack.height_where("statement")
    if height is None or start is None or start >= height:  # at `start` it begins a statement already
        return None
    token = stack.values[height]
    report.error("E001", f"found {found(token)}, expected an expression", token.span)
    stack.cut(start)
    return tokens.index(token)


def _is_first_if(value: object) -> bool:
    return isinstance(value, Token) and value.type == "IF" and value.first


def _missing(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> int | None:
    """One mark or word is missing before this token."""
    token = tokens[at]
    if token.type == END or token.begins:
        return None
    inside = stack.accepts(("PLUS",)) or stack.accepts(("NUMBER",))  # where no opening bracket is ever missing
    for name in _MISSING:
        if inside and name in CLOSER_OF:
            continue
        if (after := _insert(stack, tokens, at, name, report)) is not None:
            return after
    return None


def _insert(stack: Machine, tokens: tuple[Token, ...], at: int, name: str, report: Report) -> int | None:
    if not stack.accepts((name, *_kinds(tokens, at, 2)), soft=False):
        return None
    text = kind(name, stack.table)
    gap = _after(tokens, at)
    said = f"{text} is missing before {found(tokens[at])}"
    if name in OPENER_OF and (opener := innermost(stack)) is not None:
        report.error("E004", said, gap, labels=(Label(opener.span, f"`{opener.text}` is opened here"),))
    else:
        report.error("E011", said, gap)
    stack.feed(Token(name, text.strip("`"), gap, False))
    return at


def _after(tokens: tuple[Token, ...], at: int) -> Span:
    """The gap behind the token before `at`."""
    if not at:
        return tokens[at].span
    before = tokens[at - 1].span
    return Span(before.path, before.end, before.end, before.line, before.column + before.end - before.start)


def complain(stack: Machine, tokens: tuple[Token, ...], at: int, report: Report) -> None:
    """Says what was found and what was expected."""
    token = tokens[at]
    could = stack.expected()
    before = tokens[at - 1] if at else None
    opener = innermost(stack)
    ends = token.type == END or token.begins
    if ends and opener is not None and (CLOSER_OF[opener.type] in could or opener.type == "LBRACE"):
        where = Label(token.span, "the file ends here" if token.type == END else "the next declaration begins here")
        report.error("E004", f"`{opener.text}` is never closed", opener.span, labels=(where,))
    elif token.type in OPENER_OF and opener_for(stack, token) is None:
        report.error("E015", f"`{token.text}` closes nothing", token.span, help="remove it, or open what it closes")
    elif at and could == {"STRING"}:
        _say_no_string(tokens, at, report)
    elif token.type in _COMPARES and {"AND", "PLUS"} <= could:
        help = "join two comparisons with `and`: `a < b and b < c`"
        report.error("E013", f"`{token.text}` compares the result of a comparison", token.span, help=help)
    elif could == {"LPAR"} and before is not None and before.first:
        help = "a step is `given ...`, a request `name(...)` or `expect ...`"
        report.error("E001", f"found {found(token)}, expected `(`", token.span, help=help)
    elif token.type == "MODULE":
        help = "write `module` once, before all declarations"
        report.error("E025", "`module` does not stand at the top of the file", token.span, help=help)
    elif ends and before is not None and (wanted := expected(could, stack.table)):
        where = Label(token.span, "the file ends here" if token.type == END else "the next declaration begins here")
        text = f"expected {wanted} after {found(before)}"
        help = hint(stack, before, token, ())
        report.error("E001", text, _after(tokens, at), labels=(where,), help=help)
    else:
        wanted = expected(could, stack.table)
        text = f"found {found(token)}, expected {wanted}" if wanted else f"{found(token)} cannot stand here"
        report.error("E001", text, token.span, help=hint(stack, before, token, tokens[at + 1 : at + 2]))
