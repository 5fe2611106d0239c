"""A run of the tool to the report that people read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from policyctl.paint import PLAIN, Paint
from policyctl.render_diagnostics import render_diagnostics
from policyctl.render_trace import WIDTH, render_trace
from policyctl.results import FileResult, PropertyView, Remark, Run, TestView
from policyctl.to_diagnostics import remark_text
from policydsl.diagnostics import Severity
from policydsl.source import Span

_WIDEST_NAME = 56
"""Names longer than this have their verdict on the next line, so that they do not push all others away."""
_FEW = 3
"""Lines of a reason that are shown when not all is asked for."""
_SYMBOLS = {"proved": "✓", "refuted": "✗", "unknown": "?"}


def render_run(run: Run, sources: Mapping[str, str], paint: Paint = PLAIN, verbose: bool = False) -> str:
    """Diagnostics, then a block per file, then one line of sums. `verbose` adds witnesses, lemmas and guards."""
    failures = [d for t in run.tests for d in t.failures]
    blocks = [render_diagnostics((*run.diagnostics, *failures), sources, paint)]
    for file in run.files:
        lines = list(_file(file, paint, verbose))
        if lines:
            blocks.append("\n".join([paint("bold", file.path), *lines]) + "\n")
    blocks.append(summary(run, paint) + "\n")
    return "".join(blocks)


def _file(file: FileResult, paint: Paint, verbose: bool) -> Iterator[str]:
    if file.crash:
        yield f"  {paint('bold red', '!')} the tool itself failed here; nothing is known about this file"
    width = max((len(p.name) for p in file.properties if len(p.name) <= _WIDEST_NAME), default=0)
    for view in file.properties:
        yield from render_property(view, width, paint, verbose)
    for remark in file.remarks:
        if verbose or not remark.is_note:
            yield from _remark(remark, paint, verbose)
    passed = [t for t in file.tests if t.passed]
    for test in file.tests:
        if not test.passed or verbose:
            yield from _test(test, paint)
    if passed and not verbose and not file.properties:  # else the sums of the run are enough
        yield f"  {paint('green', '✓')} {_count(len(passed), 'test')} passed"


def render_property(view: PropertyView, width: int, paint: Paint = PLAIN, verbose: bool = False) -> Iterator[str]:
    """The verdict on one line, and below it whatever is needed to act on it."""
    style = "green" if view.as_expected else "bold red"
    word, rest = _verdict(view)
    expectation = ""
    if view.expected != "proved":
        expectation = "  (expected)" if view.as_expected else f"  (expected {view.expected})"
    name = view.name
    if len(name) > max(width, _WIDEST_NAME):
        yield f"  {paint(style, _SYMBOLS[view.status])} {name}"
        head = f"  {' ' * width}   {paint(style, word.ljust(9))}"
    else:
        head = f"{paint(style, _SYMBOLS[view.status])} {name.ljust(width)}   {paint(style, word.ljust(9))}"
    long = view.status == "unknown" and width + len(rest) > WIDTH - 20
    yield f"  {head if long else f'{head} {rest}'.rstrip()}{paint('dim', expectation)}".rstrip()
    if long:
        yield from _reason(rest, verbose)
    if view.trace is not None and (verbose or view.status == "refuted"):
        note = view.because or ("" if view.kind == "reachable" else f"breaks `{view.name}`")
        yield from render_trace(view.trace, paint, f"{note}: {short_place(view.span)}" if note else "")
    if view.status == "refuted" and view.kind == "eventually" and view.how:
        yield from _indented(f"from then on: {view.how}")
    if view.cti is not None:
        stays = _STAYS if view.cti.steps else f"{_NOW}, {_UNLESS}"
        yield f"      {stays if view.kind == 'eventually' else _LOSES}:"
        yield from render_trace(view.cti, paint)
    if view.advice:
        yield from _indented(f"= help: {view.advice}")
    for assumption in view.assumptions:
        yield f"      assuming {assumption}"
    details = [("lemma", lemma) for lemma in view.lemmas] if verbose or view.guards else []
    details += [("by", name) for name in view.uses] if verbose or view.guards else []
    details += [("needs", guard) for guard in view.guards]
    for title, item in details:
        yield f"      {paint('dim', title.ljust(5))} {item}"


_LOSES = "induction fails at this step; if nothing leads to its first state, a `lemma` that says so helps"
_UNLESS = "unless something else is `fair`, or a `lemma` says why it does not"
_NOW = "it may wait for ever from the beginning"
_STAYS = f"after this run it may wait for ever, {_UNLESS}"


def _reason(text: str, verbose: bool) -> Iterator[str]:
    """What was tried, from the first; those who want to know it all ask for it."""
    lines = list(_indented(text))
    if verbose or len(lines) <= _FEW:
        yield from lines
        return
    clauses = text.split("; ")
    fitting = [n for n in range(2, len(clauses)) if len(list(_indented("; ".join(clauses[:n])))) <= _FEW]
    yield from _indented("; ".join(clauses[: max(fitting, default=1)]))
    yield "      ... (`-v` has the rest)"


def _indented(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _verdict(view: PropertyView) -> tuple[str, str]:
    steps = _count(len(view.trace.steps), "step") if view.trace is not None else ""
    how = f" ({view.how})" if view.how else ""
    match view.status, view.kind:
        case "proved", "reachable":
            return "reached", f"in {steps}" if view.trace is None or view.trace.steps else "in the initial state"
        case "refuted", "reachable":
            return "refuted", f"unreachable {view.scope}{how}"
        case "proved", _:
            return "proved", f"{view.scope}{how}"
        case "refuted", _:
            return "refuted", f"in {steps}" if view.trace is not None and view.trace.steps else "in the initial state"
        case _:
            return "unknown", view.how


def _remark(remark: Remark, paint: Paint, verbose: bool) -> Iterator[str]:
    symbol = paint("cyan", "·") if remark.is_note else paint("yellow", "!")
    place = paint("dim", f"   {short_place(remark.span)}") if remark.span.path else ""
    yield f"  {symbol} {remark_text(remark)}{place}"
    if remark.witness is not None and verbose:
        yield from render_trace(remark.witness, paint)


def _test(test: TestView, paint: Paint) -> Iterator[str]:
    if test.passed:
        yield f"  {paint('green', '✓')} {test.name}"
        return
    yield f"  {paint('bold red', '✗')} {test.name}   {short_place(test.span)}"
    if test.trace is not None:
        yield from render_trace(test.trace, paint)


def summary(run: Run, paint: Paint = PLAIN) -> str:
    """`31 proved · 6 refuted as expected · 0 unknown · 2.9 s (12 from cache)`"""
    parts = []
    errors = sum(d.severity is Severity.ERROR for d in run.diagnostics)
    warnings = sum(d.severity is Severity.WARNING for d in run.diagnostics)
    warnings += sum(not r.is_note for f in run.files for r in f.remarks)
    crashes = sum(bool(f.crash) for f in run.files)
    if crashes:
        parts.append(paint("bold red", _count(crashes, "internal error")))
    if errors or run.command == "check":
        parts.append(paint("bold red" if errors else "green", _count(errors, "error")))
    if warnings or run.command == "check":
        parts.append(paint("yellow" if warnings else "green", _count(warnings, "warning")))
    if run.command == "check":
        parts.append(_count(len(run.files), "file"))
    if run.command == "test":
        failed = sum(not t.passed for t in run.tests)
        parts.append(paint("green", f"{len(run.tests) - failed} passed"))
        parts.append(paint("bold red" if failed else "green", f"{failed} failed"))
    if run.command == "verify":
        parts += _verdict_counts(run, paint)
        if run.tests:
            parts.append(_test_counts(run, paint))
        if not run.properties and not errors and not crashes:
            parts.append("no policy here claims anything: see `invariant`, `assert`, `reachable`")
    cached = sum(p.cached for p in run.properties)
    parts.append(f"{run.seconds:.1f} s" + (f" ({cached} from cache)" if cached else ""))
    return " · ".join(parts)


def _verdict_counts(run: Run, paint: Paint) -> Iterator[str]:
    views = run.properties

    def count(status: str, expected: bool) -> int:
        return sum(p.status == status and p.as_expected is expected for p in views)

    yield paint("green", f"{count('proved', True)} proved")
    if count("proved", False):
        yield paint("bold red", f"{count('proved', False)} proved against expectation")
    if count("refuted", False):
        yield paint("bold red", f"{count('refuted', False)} refuted")
    if count("refuted", True):
        yield f"{count('refuted', True)} refuted as expected"
    if count("unknown", True):
        yield f"{count('unknown', True)} unknown as expected"
    yield paint("bold red" if count("unknown", False) else "green", f"{count('unknown', False)} unknown")


def _test_counts(run: Run, paint: Paint) -> str:
    failed = sum(not t.passed for t in run.tests)
    if failed:
        return paint("bold red", f"{failed} of {_count(len(run.tests), 'test')} failed")
    return f"{_count(len(run.tests), 'test')} passed"


def short_place(span: Span) -> str:
    """`governance.policy:41`"""
    return f"{PurePath(span.path).name}:{span.line}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
