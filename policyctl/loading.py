"""A path to its program, with errors shown: for commands that take one policy."""

from __future__ import annotations

import click

from policyctl.files import read_text, texts_of, unreadable
from policyctl.output import own_paint
from policyctl.render_diagnostics import render_diagnostics
from policydsl.core.system import Program
from policydsl.diagnostics import Report


def program_of(path: str) -> Program | None:
    """None when there are errors; they go to standard error."""
    from policyctl.verify_one import load_one

    report = Report()
    reason = unreadable(path)
    if reason is not None:
        report.found.append(reason)
    program = load_one(path, read_text, report) if reason is None else None
    if report.failed:
        found = report.sorted()
        click.echo(render_diagnostics(found, texts_of(d.span.path for d in found), own_paint()), err=True, nl=False)
    return program
