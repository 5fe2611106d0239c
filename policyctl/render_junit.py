"""A run of the tool to JUnit XML: a suite per file, a case per property and per test."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from policyctl.render_diagnostics import render_diagnostic
from policyctl.render_text import render_property
from policyctl.results import FileResult, PropertyView, Run, TestView
from policyctl.to_diagnostics import property_diagnostic
from policydsl.diagnostics import Diagnostic


def render_junit(run: Run) -> str:
    suites = "".join(_suite(f) for f in run.files)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<testsuites name="policyctl {run.command}" time="{run.seconds:.3f}">\n{suites}</testsuites>\n'


def _suite(file: FileResult) -> str:
    cases = [_property(file, p) for p in file.properties] + [_test(file, t) for t in file.tests]
    errors = 0
    if file.failed or file.crash:
        errors = 1
        text = file.crash or "\n\n".join(render_diagnostic(d, {}) for d in file.diagnostics)
        cases.insert(0, _case(file, "the policy is well formed", f"<error>{_text(text)}</error>"))
    failures = sum(not p.as_expected for p in file.properties) + sum(not t.passed for t in file.tests)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    return f"  <testsuite name={_attribute(file.path)} {counts}>\n{''.join(cases)}  </testsuite>\n"


def _property(file: FileResult, view: PropertyView) -> str:
    d = property_diagnostic(view)
    lines = "\n".join(render_property(view, 0))
    if d is None:
        return _case(file, view.name, f"<system-out>{_text(lines)}</system-out>")
    return _case(file, view.name, _failure(d, lines))


def _test(file: FileResult, test: TestView) -> str:
    if test.passed:
        return _case(file, test.name, "")
    return _case(
        file, test.name, _failure(test.failures[0], "\n\n".join(render_diagnostic(d, {}) for d in test.failures))
    )


def _failure(first: Diagnostic, text: str) -> str:
    return f"<failure type={_attribute(first.code)} message={_attribute(first.text)}>{_text(text)}</failure>"


def _case(file: FileResult, name: str, inner: str) -> str:
    return f"    <testcase classname={_attribute(file.path)} name={_attribute(name)}>{inner}</testcase>\n"


def _text(text: str) -> str:
    return escape(_legal(text))


def _attribute(text: str) -> str:
    return quoteattr(_legal(text))


def _legal(text: str) -> str:
    """XML 1.0 has no way to write most control characters, not even escaped."""
    return "".join(
        c if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff") else "�"
        for c in text
    )
