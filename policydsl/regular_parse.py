"""Text of a regular expression to a language, built by `policydsl.regular_build`.

The subset: literals, `.`, classes, groups, `|`, `*`, `+`, `?`, `{m,n}`, the escapes `\\d \\w \\s \\D \\W \\S` (ASCII),
`\\n \\t \\r \\f \\v \\xHH \\uHHHH`, and those of punctuation. The whole string is matched, and `.` is any character,
even a line break; so there are no anchors, and no back-references or look-around, which are not regular.
"""

from __future__ import annotations

from policydsl.regular_build import ANY, Builder, Chars, complement, union

MAX_REPEAT = 1_000
MAX_DEPTH = 50


class PatternError(ValueError):
    """A text outside the subset; `offset` is where."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(f"{text} at offset {offset}")
        self.text = text
        self.offset = offset


_DIGIT: Chars = ((48, 57),)
_WORD: Chars = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Chars = ((9, 13), (32, 32))
_SETS: dict[str, Chars] = {
    "d": _DIGIT,
    "w": _WORD,
    "s": _SPACE,
    "D": complement(_DIGIT),
    "W": complement(_WORD),
    "S": complement(_SPACE),
}
_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11}
_HEX_DIGITS = {"x": 2, "u": 4}
SPECIAL = frozenset(".^$*+?{}[]\\|()-")


class _Parser:
    def __init__(self, text: str, build: Builder) -> None:
        self.text = text
        self.build = build
        self.at = 0

    def error(self, text: str, offset: int | None = None) -> PatternError:
        return PatternError(text, self.at if offset is None else offset)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> bool:
        if expected and self.text.startswith(expected, self.at):
            self.at += len(expected)
            return True
        return False

    def alternatives(self, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise self.error("groups are nested too deeply")
        found = [self.sequence(depth)]
        while self.take("|"):
            found.append(self.sequence(depth))
        return self.build.alt(found)

    def sequence(self, depth: int) -> int:
        found = []
        while self.peek() not in ("", "|", ")"):
            found.append(self.repeated(depth))
        return self.build.cat(found)

    def repeated(self, depth: int) -> int:
        atom = self.atom(depth)
        bounds = self.quantifier()
        if bounds is None:
            return atom
        if self.peek() in ("*", "+", "?", "{"):
            raise self.error(f"`{self.peek()}` after a repetition; write a group around it")
        return self.build.repeat(atom, *bounds)

    def quantifier(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take(sign):
                return bounds
        return self.counted() if self.peek() == "{" else None

    def counted(self) -> tuple[int, int | None]:
        start = self.at
        self.take("{")
        low = self.number()
        high = low
        if self.take(","):
            high = self.number()
            if low is None and high is None:
                raise self.error("`{,}` has no bounds", start)
        elif low is None:
            raise self.error("`{` begins a repetition `{m,n}`; write `\\{` for a brace", start)
        if not self.take("}"):
            raise self.error("`{` begins a repetition `{m,n}`; write `\\{` for a brace", start)
        least = low or 0
        if max(least, high or 0) > MAX_REPEAT:
            raise self.error(f"more than {MAX_REPEAT} repetitions", start)
        if high is not None and high < least:
            raise self.error(f"`{{{least},{high}}}` is upside down", start)
        return least, high

    def number(self) -> int | None:
        start = self.at
        while self.peek() and self.peek() in "0123456789":
            self.at += 1
        digits = self.text[start : self.at]
        if len(digits) > len(str(MAX_REPEAT)):
            raise self.error(f"more than {MAX_REPEAT} repetitions", start)
        return int(digits) if digits else None

    def atom(self, depth: int) -> int:
        start = self.at
        c = self.peek()
        match c:
            case "(":
                self.at += 1
                if self.take("?") and not self.take(":"):
                    raise self.error("`(?` may only begin a plain group `(?:...)`", start)
                inside = self.alternatives(depth + 1)
                if not self.take(")"):
                    raise self.error("`(` is not closed", start)
                return inside
            case "[":
                return self.build.chars(self.char_class())
            case ".":
                self.at += 1
                return self.build.chars(ANY)
            case "\\":
                return self.build.chars(self.escape())
            case "^" | "$":
                raise self.error(f"the whole string is matched anyway, so leave out `{c}` (or write `\\{c}`)")
            case "*" | "+" | "?" | "{":
                raise self.error(f"`{c}` repeats nothing")
            case _:
                self.at += 1
                return self.build.chars(((ord(c), ord(c)),))

    def escape(self) -> Chars:
        start = self.at
        self.at += 1
        c = self.peek()
        if not c:
            raise self.error("`\\` at the end", start)
        self.at += 1
        if c in _SETS:
            return _SETS[c]
        if c in _CONTROLS:
            return ((_CONTROLS[c], _CONTROLS[c]),)
        if c in _HEX_DIGITS:
            digits = self.text[self.at : self.at + _HEX_DIGITS[c]]
            if len(digits) < _HEX_DIGITS[c] or any(d not in "0123456789abcdefABCDEF" for d in digits):
                raise self.error(f"`\\{c}` needs {_HEX_DIGITS[c]} hexadecimal digits", start)
            self.at += len(digits)
            return ((int(digits, 16), int(digits, 16)),)
        if c.isascii() and c.isalnum():
            raise self.error(f"`\\{c}` is not supported", start)
        return ((ord(c), ord(c)),)

    def char_class(self) -> Chars:
        start = self.at
        self.at += 1
        negated = self.take("^")
        found: Chars = ()
        if self.peek() == "]":
            raise self.error("an empty class; write `\\]` for a bracket", start)
        while not self.take("]"):
            if not self.peek():
                raise self.error("`[` is not closed", start)
            found = union(found, self.class_item())
        return complement(found) if negated else found

    def class_item(self) -> Chars:
        start = self.at
        low = self.class_char()
        if self.peek() != "-" or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return low
        self.at += 1
        high = self.class_char()
        if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1]:
            raise self.error("a range needs a character on both sides", start)
        if low[0][0] > high[0][0]:
            raise self.error("the range is upside down", start)
        return ((low[0][0], high[0][0]),)

    def class_char(self) -> Chars:
        if self.peek() == "\\":
            return self.escape()
        c = self.peek()
        self.at += 1
        return ((ord(c), ord(c)),)


def parse(pattern: str, build: Builder) -> int:
    """The node of `build` for the language of `pattern`. Raises `PatternError`."""
    parser = _Parser(pattern, build)
    found = parser.alternatives(0)
    if parser.at < len(pattern):
        raise parser.error("`)` closes nothing")
    return found
