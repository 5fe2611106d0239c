"""Regular languages over Unicode strings."""

from __future__ import annotations

import re


def member(pattern: str, text: str) -> bool:
    """Whether the whole of `text` is in the language `pattern`."""
    return re.fullmatch(pattern, text, re.ASCII | re.DOTALL) is not None
