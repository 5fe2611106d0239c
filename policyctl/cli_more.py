"""The commands beside `verify`, `check` and `test`: format, explain."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click

from policyctl.cli import commands
from policyctl.exit_codes import ERRORS, OK
from policyctl.files import decode, find, read_text, unreadable, write_atomically
from policyctl.output import own_paint, write_out
from policyctl.render_diagnostics import render_diagnostics
from policydsl.diagnostics import Diagnostic, Report, Severity


@commands.command(short_help="Format policies.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit with 1 if anything would change.")
@click.option("--diff", "show_diff", is_flag=True, help="Change nothing; show what would change.")
def fmt(paths: tuple[str, ...], only_check: bool, show_diff: bool) -> int:
    """Format the policies in PATHS in the one style there is; `-` reads standard input and writes standard output."""
    from policydsl.to_text import format_text

    if paths == ("-",):
        text = decode(sys.stdin.buffer.read())
        found = _mistakes("-", text)
        _show(found, {"-": text})
        write_out(text if found else format_text(text))
        return ERRORS if found else OK
    files, troubles = find(paths)
    _show(troubles, {})
    bad, changed = bool(troubles), 0
    for path in files:
        reason = unreadable(path)
        before = "" if reason is not None else read_text(path)
        found = [reason] if reason is not None else _mistakes(path, before)
        _show(found, {path: before})
        bad = bad or bool(found)
        after = before if found else format_text(before)
        if after == before:
            continue
        changed += 1
        if show_diff:
            lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), path, f"{path} (formatted)")
            write_out("".join(lines))
        elif only_check:
            click.echo(f"would format {path}")
        else:
            write_atomically(Path(path), after)
            click.echo(f"formatted {path}")
    return ERRORS if bad or (changed and (only_check or show_diff)) else OK


def _mistakes(path: str, text: str) -> list[Diagnostic]:
    """What keeps the text from being read as a policy; such a text is left as it is."""
    from policydsl.from_text import parse

    report = Report()
    parse(path, text, report)
    return [d for d in report.sorted() if d.severity is Severity.ERROR]


def _show(found: list[Diagnostic], sources: dict[str, str]) -> None:
    click.echo(render_diagnostics(found, sources, own_paint()), err=True, nl=False)


@commands.command(short_help="Explain a diagnostic code.")
@click.argument("code", required=False)
@click.option("--all", "everything", is_flag=True, help="Every page, in Markdown: this writes docs/errors.md.")
def explain(code: str | None, everything: bool) -> int:
    """Explain the diagnostic CODE, with an example; without CODE, list all codes.

    \b
    Examples:
      policyctl explain E201
      policyctl explain --all > docs/errors.md
    """
    from policyctl.render_pages import markdown, page_text
    from policydsl.codes import CODES

    if everything:
        write_out(markdown(CODES))
    elif code is None:
        write_out("".join(f"{known}  {page.title}\n" for known, page in CODES.items()))
    elif code.upper() in CODES:
        write_out(page_text(code.upper(), CODES[code.upper()]))
    else:
        close = difflib.get_close_matches(code.upper(), CODES, n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise click.UsageError(f"there is no code `{code}`{hint}")
    return OK
