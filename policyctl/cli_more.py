"""The commands beside `verify`, `check` and `test`: format, explain."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click

from policyctl.cli import commands
from policyctl.exit_codes import ERRORS, OK
from policyctl.files import decode, find, unreadable, write_atomically
from policyctl.output import write_out


@commands.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit with 1 if anything would change.")
@click.option("--diff", "show_diff", is_flag=True, help="Change nothing; show what would change.")
def fmt(paths: tuple[str, ...], only_check: bool, show_diff: bool) -> int:
    """Format the policies in PATHS in the one style there is; `-` reads standard input and writes standard output."""
    from policydsl.to_text import format_text

    if paths == ("-",):
        write_out(format_text(decode(sys.stdin.buffer.read())))
        return OK
    files, troubles = find(paths)
    for trouble in troubles:
        click.echo(f"error[{trouble.code}]: {trouble.text}", err=True)
    changed = 0
    for path in files:
        reason = unreadable(path)
        if reason is not None:
            troubles.append(reason)
            click.echo(f"error[{reason.code}]: {reason.text}", err=True)
            continue
        before = decode(Path(path).read_bytes())
        after = format_text(before)
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
    return ERRORS if troubles or (changed and (only_check or show_diff)) else OK


@commands.command()
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
