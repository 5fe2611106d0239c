"""A run in words to lines: where it starts, then each request with its answer, what changed, and what else is due."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from policyctl.paint import PLAIN, Paint
from policyctl.results import StepView, TraceView

WIDTH = 120
_LONGEST_CALL = 48
"""Longer requests do not widen the column for all others: what they change begins on the next line."""


def render_trace(trace: TraceView, paint: Paint = PLAIN, note: str = "") -> Iterator[str]:
    """A line per request; `note` stands beside the last, and the notes of steps beside them."""
    if trace.start:
        yield from start_lines(trace.start, f"      {paint('dim', 'start')}  ")
    width = max((len(s.call) for s in trace.steps if len(s.call) <= _LONGEST_CALL), default=0)
    for number, step in enumerate(trace.steps, 1):
        notes = [n for n in (step.note, note if number == len(trace.steps) else "") if n]
        last = paint("yellow", f"    <- {'; '.join(notes)}") if notes else ""
        yield from beside(f"      {number:>2}  {step.call}", 10 + width, answer(step, paint), last)
    if note and not trace.steps:
        yield f"      {paint('yellow', f'<- {note}')}"


def start_lines(start: Sequence[str], head: str) -> Iterator[str]:
    """`head`, thirteen columns wide, and behind it what is special about the start."""
    # What is one thing stays on one line, whatever spaces are in it.
    joined = ", ".join(x.replace(" ", "\0") for x in start)
    lines = textwrap.wrap(joined, WIDTH - 13, break_long_words=False, break_on_hyphens=False)
    for i, line in enumerate(lines):
        yield (head if not i else " " * 13) + line.replace("\0", " ")


def answer(step: StepView, paint: Paint) -> list[str]:
    """What is to be said behind a request."""
    found = list(step.changes)
    if step.effect != "allow":
        found = [paint("yellow", f"{step.effect}{': ' if step.why else ''}{step.why}"), *found]
    return found + ([f"then {', '.join(step.obligations)}"] if step.obligations else [])


def beside(head: str, column: int, items: Sequence[str], last: str = "") -> Iterator[str]:
    """`head`, and from `column` on all items, on one line or on one line each; `last` ends the first of them."""
    if len(head) > column:
        one_line = f"{head}   {', '.join(items)}".rstrip()
        if len(one_line) <= WIDTH and len(items) < 2:
            yield one_line + last
            return
        yield head + (last if not items else "")
        first = " " * column
    else:
        first = head.ljust(column)
        one_line = f"{first}   {', '.join(items)}".rstrip()
        if len(one_line) <= WIDTH or len(items) < 2:
            yield one_line + last
            return
    for i, item in enumerate(items):
        yield f"{first if not i else ' ' * column}   {item}" + (last if not i else "")
