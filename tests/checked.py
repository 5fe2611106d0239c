"""Texts of policies to checked programs, for tests."""

from __future__ import annotations

from collections.abc import Mapping

from policydsl.core.system import Program
from policydsl.diagnostics import Diagnostic, Report
from policydsl.interp import Request, State, initial, step
from policydsl.load import load
from policydsl.run_tests import run_test
from policydsl.trace import Cell, Decision


def check(text: str) -> tuple[Program | None, tuple[Diagnostic, ...]]:
    """The program that `text` means, if it has no errors, and what was found."""
    report = Report()
    programs = load(["example.policy"], lambda path: {"example.policy": text}[path], report)
    return (programs[0] if programs else None), report.sorted()


def program(text: str) -> Program:
    """The program of a text without errors."""
    found, diagnostics = check(text)
    assert found is not None, [(d.code, d.text, text[d.span.start : d.span.end]) for d in diagnostics]
    return found


def complaints(text: str) -> list[tuple[str, str]]:
    """What is found, each as its code and the underlined words."""
    return [(d.code, text[d.span.start : d.span.end]) for d in check(text)[1]]


def begin(text: str, cells: Mapping[tuple[str, ...], bool | int | str] | None = None) -> tuple[Program, State]:
    """A program and its initial state; `cells` are named by variable and keys."""
    found = program(text)
    start = [Cell(name, tuple(keys), value) for (name, *keys), value in (cells or {}).items()]
    return found, initial(found.system, start=start)


def decide(found: Program, state: State, action: str, **inputs: bool | int | str) -> tuple[Decision, State]:
    result = step(found.system, state, Request(action, inputs))
    return result.decision, result.state


def failures(text: str) -> list[str]:
    """What fails in the test blocks of `text`, of which there is at least one."""
    found = program(text)
    assert found.tests
    return [f.text for t in found.tests for f in run_test(found.system, t).failures]
