"""A page of documentation for one diagnostic code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """`example` is a complete policy that triggers the code; `fix` says what to write instead."""

    title: str
    text: str
    example: str
    fix: str
