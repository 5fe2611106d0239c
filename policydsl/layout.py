"""From the tokens and comments of a policy to lines of pieces: what stands where, how deep, and where spaces belong."""

from __future__ import annotations

from dataclasses import dataclass, field

from policydsl.automaton import END
from policydsl.lexer import CLOSER_OF, OPENER_OF, RESERVED, Lexed, Token, words

INDENT = 2

_INFIX = words(
    "AND OR IMPLIES IFF IN LIKE MATCHES CONTAINS HAS SINCE EQ NE LE GE LT GT PLUS DASH STAR SLASH PERCENT PERIOD ARROW "
    "IS ASSIGN INCREASE DECREASE"
)
# What a line begins with when it goes on with the line before, and what a line ends with when the next one goes on.
_CONTINUES = _INFIX | words("THEN ELSE WHERE RPAR RSQB COMMA COLON UNION MINUS STARTS ENDS WITH WITHOUT")
_CONTINUED = _INFIX | words("NOT THEN ELSE COLON")
_OPERAND_ENDS = words("NAME NUMBER DURATION STRING TRUE FALSE NONE RPAR RSQB RBRACE HOLE")
_BEFORE_SET = _INFIX | words("LPAR LSQB COMMA UNION MINUS NOT")
_BEFORE_CALL = words("NAME SUM COUNT OLD RSQB")
_TIGHT_BEFORE = words("COMMA RPAR RSQB QUESTION _DOT DOTDOT LSQB")
_TIGHT_AFTER = words("LPAR LSQB _DOT DOTDOT SIGN OPEN_TYPE")


@dataclass(slots=True)
class Piece:
    """A token or comment; `gap` is the white space the author left before it, `space` how much it needs."""

    type: str
    text: str
    column: int
    gap: int
    begins: bool
    space: int = 1


@dataclass(slots=True)
class Line:
    pieces: list[Piece]
    after_blank: bool
    indent: int = 0
    base: int = 0  # the indentation of what it goes on with, where it closes brackets of lines above

    @property
    def is_comment(self) -> bool:
        return self.pieces[0].type == "COMMENT"


@dataclass(slots=True)
class _Open:
    """An open bracket, and the indentation of its line."""

    type: str  # LPAR, LSQB, BLOCK, SET
    indent: int


@dataclass(slots=True)
class _Nesting:
    open: list[_Open] = field(default_factory=list)
    types: int = 0  # how many `Set<` are open
    last: Piece | None = None
    last_but_one: Piece | None = None
    moved: int = 0  # by how much the last line that is no continuation was moved


def lay_out(lexed: Lexed) -> list[Line]:
    lines = _lines(lexed)
    nesting = _Nesting()
    pending: list[Line] = []  # comments, which stand as deep as the code after them
    for line in lines:
        if line.is_comment:
            pending.append(line)
            continue
        inner = _inner(nesting)
        _indent(line, nesting)
        line.base = line.indent
        for comment in pending:
            comment.indent = inner if line.pieces[0].type == "RBRACE" else line.indent
        pending.clear()
        _space(line, nesting)
    for comment in pending:
        comment.indent = _inner(nesting)
    return lines


def _lines(lexed: Lexed) -> list[Line]:
    lines: list[Line] = []
    before: Token | None = None
    everything = sorted([*lexed.tokens, *lexed.comments], key=lambda token: token.span.start)
    for token in everything:
        if token.type == END:
            break
        gap = token.span.start - before.span.end if before else 0
        piece = Piece(token.type, token.text, token.span.column, gap, token.begins)
        if token.first or not lines:
            lines.append(Line([piece], before is not None and token.span.line - before.span.line > 1))
        else:
            lines[-1].pieces.append(piece)
        before = token
    return lines


def _inner(nesting: _Nesting) -> int:
    return nesting.open[-1].indent + INDENT if nesting.open else 0


def _indent(line: Line, nesting: _Nesting) -> None:
    """As deep as its brackets; a continuation deeper by one step, or by as much as the author wants."""
    first, last = line.pieces[0], nesting.last
    author = first.column - 1
    closed = 0
    while closed < min(len(line.pieces), len(nesting.open)) and line.pieces[closed].type in OPENER_OF:
        closed += 1
    if closed:
        line.indent = nesting.open[-closed].indent
    elif nesting.open and nesting.open[-1].type in CLOSER_OF:
        line.indent = max(_inner(nesting), author + nesting.moved)
        return
    elif last is not None and not first.begins and _is_continuation(first, last, nesting):
        line.indent = max(_inner(nesting) + INDENT, author + nesting.moved)
        return
    else:
        line.indent = _inner(nesting)
    nesting.moved = line.indent - author


def _is_continuation(first: Piece, last: Piece, nesting: _Nesting) -> bool:
    if first.type == "ELSE" and last.type == "RBRACE":
        return False
    return not nesting.open or first.type in _CONTINUES or last.type in _CONTINUED


def _space(line: Line, nesting: _Nesting) -> None:
    for number, piece in enumerate(line.pieces):
        if piece.type == "COMMENT":
            piece.space = 2
            continue
        last = nesting.last
        if piece.type == "DASH" and (last is None or _is_sign(line, number, last)):
            piece.type = "SIGN"
        elif piece.type == "LT" and last is not None and last.text == "Set":
            piece.type = "OPEN_TYPE"
        elif piece.type == "GT" and nesting.types:
            piece.type = "CLOSE_TYPE"
        if last is not None:
            piece.space = int(_spaced(piece, last, nesting))
        _track(line, piece, nesting)


def _is_sign(line: Line, number: int, last: Piece) -> bool:
    if _is_soft(last):
        after = line.pieces[number + 1].gap if number + 1 < len(line.pieces) else 1
        return after == 0 and line.pieces[number].gap > 0
    return last.type not in _OPERAND_ENDS


def _is_soft(piece: Piece) -> bool:
    """A word that may be a name here or not: where that matters, the author's spaces tell."""
    return piece.type not in {"NAME", "STRING"} and piece.text.isalpha() and piece.text not in RESERVED


def _spaced(piece: Piece, last: Piece, nesting: _Nesting) -> bool:
    if last.type in _TIGHT_AFTER or piece.type in _TIGHT_BEFORE:
        return False
    match piece.type:
        case "LPAR":
            if last.type not in _BEFORE_CALL and not _is_soft(last):
                return True
            event = nesting.last_but_one is not None and nesting.last_but_one.type == "WITHIN"
            return piece.gap > 0 if event or _is_soft(last) else False
        case "COLON":
            return piece.gap > 0
        case "OPEN_TYPE" | "CLOSE_TYPE":
            return False
        case "RBRACE":
            return last.type != "LBRACE" and not _in_set(nesting)
        case _:
            return not (last.type == "LBRACE" and _in_set(nesting))


def _in_set(nesting: _Nesting) -> bool:
    return bool(nesting.open) and nesting.open[-1].type == "SET"


def _track(line: Line, piece: Piece, nesting: _Nesting) -> None:
    last = nesting.last
    if piece.type == "LBRACE":
        is_set = last is not None and last.type in _BEFORE_SET
        nesting.open.append(_Open("SET" if is_set else "BLOCK", line.base))
    elif piece.type in CLOSER_OF:
        nesting.open.append(_Open(piece.type, line.base))
    elif piece.type in OPENER_OF and nesting.open:
        line.base = min(line.base, nesting.open.pop().indent)
    nesting.types += (piece.type == "OPEN_TYPE") - (piece.type == "CLOSE_TYPE")
    nesting.last_but_one, nesting.last = last, piece
