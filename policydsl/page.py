"""What the documentation of one diagnostic code says. Owners of codes write `PAGES: dict[str, Page]` in `pages_*.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """`title` is one clause; `text` says what is wrong and why it matters; `example` is a small complete policy that
    triggers the code ("" when no text of a policy can); `fix` says what to do, with code where that helps."""

    title: str
    text: str
    example: str
    fix: str
