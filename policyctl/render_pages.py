"""Pages of diagnostic codes to text for the terminal and to Markdown for docs/errors.md."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from policydsl.page import Page

_GROUPS = {
    "E0": "Text that is no policy",
    "E1": "Names",
    "E2": "Types",
    "E3": "Expressions outside the fragment",
    "E4": "Declarations, rules and actions",
    "E5": "Time and windows",
    "E6": "Modules and tests",
    "W7": "Suspicious spots",
    "R8": "Verdicts",
    "U1": "What no contract can say",
    "I9": "Limits and the tool itself",
}


def page_text(code: str, page: Page) -> str:
    """For a terminal: plain text, wrapped."""
    parts = [f"{code}: {page.title}", _wrapped(page.text)]
    if page.example:
        parts += ["Example:", textwrap.indent(page.example.strip("\n"), "    ")]
    parts += ["What to do:", _wrapped(page.fix)]
    return "\n\n".join(parts) + "\n"


def markdown(pages: Mapping[str, Page]) -> str:
    """All pages as one document, in the order of the codes."""
    parts = [
        "# Diagnostic codes",
        "Written by `policyctl explain --all`; do not edit. Each example triggers its code in a test.",
    ]
    group = ""
    for code, page in sorted(pages.items()):
        if code[:2] != group:
            group = code[:2]
            parts.append(f"## {_GROUPS.get(group, group)}")
        parts += [f"### {code}: {page.title}", page.text.strip("\n")]
        if page.example:
            parts.append(f"```policy\n{page.example.strip(chr(10))}\n```")
        parts.append(f"**What to do.** {page.fix.strip(chr(10))}")
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    """Paragraphs filled to 80 columns; indented blocks, such as code, left alone."""
    blocks = text.strip("\n").split("\n\n")
    return "\n\n".join(b if b.startswith((" ", "```")) or "\n" in b else textwrap.fill(b, 80) for b in blocks)
