"""From the text of a policy to the same policy in the house layout; comments and line breaks stay where they are.

Lines are indented by two spaces for each open brace, and what continues a line by two more, or deeper if the author
wants it deeper; one space stands around operators; what the author aligned in columns stays aligned; no two blank lines
follow each other. The tokens stay the same, so the meaning does.
"""

from __future__ import annotations

from policydsl.align import aligned
from policydsl.diagnostics import Report
from policydsl.layout import lay_out
from policydsl.lexer import MAX_CHARACTERS, Lexed, lex


def format_text(text: str) -> str:
    """The text in the house layout; unchanged when something in it cannot be read as a token."""
    report = Report()
    if len(text) > MAX_CHARACTERS:
        return text
    before = lex("", text, report)
    if report.found:
        return text
    lines = lay_out(before)
    shown = aligned(lines)
    out = "".join(("\n" if line.after_blank else "") + words + "\n" for line, words in zip(lines, shown))
    return out if _same(before, lex("", out, report)) else text


def _same(before: Lexed, after: Lexed) -> bool:
    """SOUND: whatever the rules of layout do, the formatter never changes what a policy says."""
    one = [(t.type, t.text, t.first, t.begins) for t in before.tokens]
    other = [(t.type, t.text, t.first, t.begins) for t in after.tokens]
    return one == other and [c.text for c in before.comments] == [c.text for c in after.comments]
