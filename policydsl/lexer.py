"""From text to tokens with places, and the `///` lines beside them; slips of spelling are reported and put right.

Nothing here fails: what cannot be read is reported and left out, and the token after it is marked `shaky`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from policydsl.automaton import END, automaton
from policydsl.diagnostics import Report
from policydsl.source import Span

MAX_CHARACTERS = 1_000_000
MAX_NESTING = 100
MAX_DIGITS = 60
MAX_ERRORS = 50


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that join or begin expressions and statements: they are never names.
RESERVED = words(
    "and because contains else exists false for forall forbid has historically if iff implies in let like matches none "
    "not once or permit previously require since then true unless when where _"
)
DECLARATIONS = words(
    "IMPORT CONST PARAM ENTITY ENUM RECORD GROUP PATTERN FUNCTION STATE FAIR ACTION ACTIONS OBLIGATION PERMIT FORBID "
    "APPROVE REDACT LIMIT BUDGET ALLOW TWO INVARIANT LEMMA REACHABLE ASSERT STEP ASSUME EVENTUALLY EXPECT TEST MODULE"
)
_PROPERTIES = words("INVARIANT LEMMA REACHABLE ASSERT STEP ASSUME EVENTUALLY")
_TARGET_ENDS = words("LSQB _DOT ASSIGN INCREASE DECREASE IS")
# What goes on with an expression after a name, on the same line: then the name is no answer that is expected.
_GOES_ON = words("LSQB _DOT LPAR EQ NE LT LE GT GE AND OR IMPLIES IFF IN NOT LIKE MATCHES CONTAINS HAS SINCE PLUS DASH")
_BEHIND_ANSWER = words("EXPECT AT GIVEN APPROVE ANSWER RBRACE COMMA BY")
_STANDS_BEHIND = {"PHASE": ("TWO",), "UNAVAILABLE": ("WHILE",), "LOCKED": ("WHILE",), "DOWN": ("LOCKED",)}
CLOSER_OF = {"LPAR": "RPAR", "LBRACE": "RBRACE", "LSQB": "RSQB"}
OPENER_OF = {closer: opener for opener, closer in CLOSER_OF.items()}

# What other languages write, and what this one writes instead.
_FOREIGN = {
    "&&": "and", "||": "or", "&": "and", "|": "or", "!": "not", "===": "==", "!==": "!=", "<>": "!=", "=>": "implies",
    "≤": "<=", "≥": ">=", "≠": "!=", "∧": "and", "∨": "or", "¬": "not", "→": "->", "∀": "forall", "∃": "exists",
    "∈": "in", "≔": ":=",
}  # fmt: skip


class Token(NamedTuple):
    type: str
    text: str
    span: Span
    first: bool  # whether it is the first on its line
    shaky: bool = False  # whether something before it could not be read
    begins: bool = False  # whether a declaration clearly begins here


@dataclass(frozen=True, slots=True)
class Lexed:
    tokens: tuple[Token, ...]  # the last one is END
    docs: dict[int, str]  # line -> text of the `///` comment on it
    comments: tuple[Token, ...]


@cache
def _pattern() -> re.Pattern[str]:
    table = automaton()
    regexes = dict(table.regexes)
    early = ("SPACE", "NAME")
    foreign = "|".join(re.escape(text) for text in sorted(_FOREIGN, key=len, reverse=True) if text != "!")
    symbols = sorted((s for s in table.symbols if not s[0].isalpha() and s != "_"), key=len, reverse=True)
    parts = [
        *((name, regexes[name]) for name in early),
        ("_BLOCK", r"/\*(?:[^*]|\*(?!/))*(?:\*/)?"),
        ("_HASH", r"\#[^\n]*"),
        ("_FLOAT", r"[0-9][0-9_]*\.[0-9]\w*"),
        *((name, regex) for name, regex in table.regexes if name not in early),
        ("_OPEN", r'"(?:[^"\\\n]|\\.)*\\?'),
        ("_QUOTED", r"'[^'\n]*'?|[“”][^“”\n]*[“”]?"),
        ("_NUMBER", r"[0-9]\w*"),
        ("_FOREIGN", foreign + r"|!(?!=)"),
        ("_SEMICOLON", ";"),
        ("_SYMBOL", "|".join(map(re.escape, symbols))),
        ("_UNKNOWN", r"[^\x00-\x7f]+|[\s\S]"),
    ]
    return re.compile("|".join(f"(?P<{name}>{regex})" for name, regex in parts))


def lex(path: str, text: str, report: Report) -> Lexed:
    """The tokens of `text`, and the documentation comments by line."""
    tokens: list[Token] = []
    docs: dict[int, str] = {}
    comments: list[Token] = []
    symbols = automaton().symbols
    line, line_start, first, shaky = 1, 0, True, False
    angles = 0  # how many `Set<` are open on this line
    append = tokens.append
    most = len(report.found) + MAX_ERRORS
    for match in _pattern().finditer(text, 1 if text.startswith("\ufeff") else 0):
        kind = match.lastgroup or ""
        value = match.group()
        start = match.start()
        if kind == "SPACE":
            if "\n" in value:
                line += value.count("\n")
                line_start = start + value.rfind("\n") + 1
                first, angles = True, 0
            continue
        span = Span(path, start, start + len(value), line, start - line_start + 1)
        if kind == "NAME":
            kind = symbols.get(value, "NAME")
        elif kind == "_SYMBOL":
            kind = symbols[value]
            if kind == "LT" and tokens and tokens[-1].text == "Set":
                angles += 1
            elif kind == "GE" and angles:  # `Set<T>= {}`
                angles -= 1
                append(Token("GT", ">", Span(path, start, start + 1, line, span.column), first, shaky))
                kind, value, span = "IS", "=", Span(path, start + 1, start + 2, line, span.column + 1)
            elif kind == "GT" and angles:
                angles -= 1
        elif kind in {"DOC", "COMMENT"}:
            if kind == "DOC" and first:
                docs[line] = value[3:].strip()
            comments.append(Token("COMMENT", value.rstrip(), span, first))
            continue
        elif kind.startswith("_") and kind != "_DOT":
            if "\n" in value:
                line += value.count("\n")
                line_start = start + value.rfind("\n") + 1
                first = True
            kind, value = _slip(kind, value, span, report)
            if len(report.found) > most:
                shaky = True
                break
            if not kind:
                shaky = shaky or value != ""
                continue
        if kind == "DURATION" and not first and tokens and tokens[-1].type == kind:
            tokens[-1] = _one_duration(tokens[-1], value, span, report)
            continue
        append(Token(kind, value, span, first, shaky))
        first = shaky = False
    append(Token(END, "", Span(path, len(text), len(text), line, len(text) - line_start + 1), True, shaky))
    return Lexed(tuple(_not_too_deep(_settle(tokens), report)), docs, tuple(comments))


def _slip(kind: str, value: str, span: Span, report: Report) -> tuple[str, str]:
    """Reports what the language does not have; gives the token meant, or no type when it is left out."""
    match kind:
        case "_BLOCK" | "_HASH":
            mark = "/*" if kind == "_BLOCK" else "#"
            code, text, help, token = (
                "E002",
                f"`{mark}` does not begin a comment",
                "write `//` before a comment",
                ("", ""),
            )
            span = Span(span.path, span.start, span.start + len(mark), span.line, span.column)
        case "_OPEN":
            code, text, help = "E003", "this string is not closed on its line", 'end it with `"`'
            token = ("STRING", value.rstrip("\\ \t\r") + '"')
        case "_QUOTED":
            code, text, help = "E003", f"a string stands in double quotes, not in `{value[0]}`", 'write `"..."`'
            token = ("STRING", '"' + re.sub(r'[\\"]', "", value[1:].rstrip("'“”")) + '"')
        case "_FLOAT":
            code, text = "E018", f"`{_short(value)}` is not a whole number"
            help, token = "count in smaller units: cents, milliseconds, per mille", ("NUMBER", "0")
        case "_NUMBER":
            code, text = "E018", f"`{_short(value)}` is neither a number nor a duration"
            help = "durations end in `ms`, `s`, `m`, `h`, `d` or `w`; names begin with a letter"
            token = ("NUMBER", "0")
        case "_FOREIGN":
            word = _FOREIGN[value]
            code, text, help = "E007", f"`{value}` is not an operator here", f"write `{word}`"
            token = (automaton().symbols[word], word)
        case "_SEMICOLON":
            code, text, help, token = (
                "E008",
                "`;` separates nothing here",
                "leave it out: a line end is enough",
                ("", ""),
            )
        case _:
            shown = _short(value) if value.isprintable() else f"\\u{ord(value[0]):04x}"
            code, text, token = "E002", f"`{shown}` has no meaning here", ("", "?")
            help = "names are made of a-z, A-Z, digits and `_`" if value[0].isalpha() else "leave it out"
    report.error(code, text, span, help=help)
    return token


def _one_duration(before: Token, value: str, span: Span, report: Report) -> Token:
    whole = before.span.to(span)
    both = before.text + value
    report.error("E018", "a duration has no spaces in it", whole, help=f"write `{_short(both)}`")
    return before._replace(text=both, span=whole)


def _settle(tokens: list[Token]) -> list[Token]:
    """Words that are one thing or another by what follows them, settled by looking at it.

    `sum`, `count` and `old` are words of the language before `(`; `no` before an event on the same line; `starts` and
    `ends` before `with`; `allow` before the names of what is allowed; it, `deny` and `pending` where a test expects
    them of a request; `two phase`, and what follows `while`, where they stand together; others unless they are assigned
    to. `approve r` answers in a test, where nothing makes it a rule. A declaration begins with its word at the start of
    a line and a name after it.
    """
    for at, token in enumerate(tokens[:-1]):
        before, after, later = tokens[at - 1].type, tokens[at + 1], tokens[min(at + 2, len(tokens) - 1)]
        match token.type:
            case "SUM" | "COUNT" | "OLD":
                word = after.type == "LPAR"
            case "NO":
                word = not after.first and after.type in ("NAME", "LPAR")
            case "STARTS" | "ENDS":
                word = after.type == "WITH"
            case "ADD" | "REMOVE" | "UNION" | "MINUS":
                word = after.type not in _TARGET_ENDS
            case "PHASE" | "UNAVAILABLE" | "LOCKED" | "DOWN":
                word = before in _STANDS_BEHIND[token.type]
            case "ALLOW" | "DENY" | "PENDING" if before == "EXPECT":
                word = after.first or after.type not in _GOES_ON
            case "DENY" | "PENDING":
                word = False
            case "APPROVE" | "ANSWER" if after.type == "LPAR":
                word = False
            case "APPROVE" if can_be_name(after) and _ends_answer(later, tokens[min(at + 3, len(tokens) - 1)]):
                tokens[at] = token._replace(type="ANSWER")
                continue
            case "ALLOW" if not (can_be_name(after) and later.type in ("COMMA", "WHILE")):
                word = False
            case "TWO" if after.type != "PHASE":
                word = False
            case kind if token.first and kind in DECLARATIONS:
                if _begins(kind, after, later):
                    tokens[at] = token._replace(begins=True)
                continue
            case _:
                continue
        if not word:
            tokens[at] = token._replace(type="NAME")
    return tokens


def _ends_answer(token: Token, after: Token) -> bool:
    """Whether what stands behind `approve r` shows that this is a human's answer in a test, and no rule."""
    if token.type in ("ON", "WHEN"):
        return False
    return token.first or token.type in _BEHIND_ANSWER or (can_be_name(token) and after.type == "LPAR")


def _begins(kind: str, after: Token, later: Token) -> bool:
    match kind:
        case "TEST":
            return after.type == "STRING"
        case "FAIR":
            return after.type == "ACTION"
        case "TWO":
            return not after.first
        case "EXPECT":
            return after.type == "NAME" and later.type in _PROPERTIES
        case _:
            return can_be_name(after) and not after.first


def can_be_name(token: Token) -> bool:
    return token.type == "NAME" or (token.text.isalpha() and token.text not in RESERVED and token.type != "STRING")


def _not_too_deep(tokens: list[Token], report: Report) -> list[Token]:
    """The tokens up to where brackets nest absurdly deep."""
    depth = 0
    for at, token in enumerate(tokens):
        if token.type in CLOSER_OF:
            depth += 1
            if depth > MAX_NESTING:
                hint = "the rest of the file was not read; give parts of this a name with `function` or `let`"
                report.error("E091", f"brackets are nested more than {MAX_NESTING} deep", token.span, help=hint)
                return [*tokens[:at], tokens[-1]._replace(shaky=True)]
        elif token.type in OPENER_OF and depth:
            depth -= 1
    return tokens


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
