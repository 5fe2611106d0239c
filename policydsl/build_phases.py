"""From the parts of a two-phase declaration, in any order, to the fields of a PhasesDecl; what is wrong is reported."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from policydsl import syntax as s
from policydsl.diagnostics import Label, Report
from policydsl.lexer import Token
from policydsl.source import Span


@dataclass(frozen=True, slots=True)
class Phase:
    """`commit by settle`"""

    part: Token
    action: s.Name
    span: Span


_NEEDED = ("reserve", "commit", "abort")
_PARTS = (*_NEEDED, "expire")
_EXAMPLE = "two phase {name}: reserve by a, commit by b, abort by c, expire by d"


def phase_parts(name: Token, written: tuple[Phase, ...], report: Report) -> dict[str, Any]:
    """Without mistakes, an action for each part but perhaps `expire`."""
    found: dict[str, Phase] = {}
    sound = True
    for phase in written:
        part = phase.part.text
        if part not in _PARTS:
            close = get_close_matches(part.lower(), _PARTS, 1, 0.6)
            hint = f"did you mean `{close[0]}`?" if close else "the parts are `reserve`, `commit`, `abort` and `expire`"
            report.error("E026", f"`{part}` is no part of a two-phase effect", phase.part.span, help=hint)
            sound = False
        elif part in found:
            first = Label(found[part].span, "the first one")
            text = f"`{part}` is written twice in `two phase {name.text}`"
            report.error("E023", text, phase.span, labels=(first,), help="leave one of them out")
            sound = False
        else:
            found[part] = phase
    missing = [f"`{part}`" for part in _NEEDED if part not in found]
    if missing and sound:
        text = f"`two phase {name.text}` says no {' and no '.join(missing)}"
        hint = f"write `{_EXAMPLE.format(name=name.text)}`; `expire` may be left out"
        report.error("E026", text, name.span, help=hint)
    nobody = s.Name("?", span=name.span)
    actions = {part: found[part].action for part in _PARTS if part in found}
    return {**dict.fromkeys(_NEEDED, nobody), **actions}
