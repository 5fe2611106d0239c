"""The command that says what a change of a policy means."""

from __future__ import annotations

from pathlib import Path

import click

from policyctl.cli import commands, jobs_option
from policyctl.exit_codes import ERRORS, OK, REFUTED, UNKNOWN
from policyctl.files import SUFFIX, find, texts_of, unreadable, write_atomically
from policyctl.in_processes import in_processes
from policyctl.output import own_paint, write_out
from policyctl.render_diagnostics import render_diagnostics
from policyctl.render_diff import DiffView, diffs_to_json, render_diffs
from policyctl.render_diff_markdown import diffs_to_markdown


@commands.command(short_help="Say what a change newly allows or denies.")
@click.argument("old", type=click.Path(exists=True))
@click.argument("new", type=click.Path(exists=True))
@click.option(
    "--format", "format_", type=click.Choice(["text", "json", "markdown"]), default="text", help="How to report."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write the report to a file.")
@click.option("--verify", "also_verify", is_flag=True, help="Also say which properties have another verdict now.")
@jobs_option
@click.option("--exit-code", is_flag=True, help="Exit with 3 when anything differs, 4 when that stays open.")
def diff(old: str, new: str, format_: str, output: Path | None, also_verify: bool, exit_code: bool, jobs: int) -> int:
    """Say what the change from OLD to NEW newly allows or denies, each with a run of requests that shows it.

    OLD and NEW are two policies, or two directories, whose policies are compared by their paths.

    \b
    Examples:
      policyctl diff before.policy after.policy
      git worktree add ../base main && policyctl diff ../base/specs specs --verify
      policyctl diff ../base/specs specs --format markdown --output comment.md
    """
    from policyctl.diff_one import Compared, DiffTask, compare

    def died(task: DiffTask) -> Compared:
        raise click.ClickException(f"{task.name}: the worker process was ended by the system (out of memory?)")

    tasks = [DiffTask(name, before, after, also_verify) for name, before, after in _pairs(old, new)]
    found = dict(in_processes(compare, tasks, jobs, died))
    errors = [d for task in tasks for d in found[task].diagnostics]
    click.echo(render_diagnostics(errors, texts_of(d.span.path for d in errors), own_paint()), err=True, nl=False)
    views = [view for task in tasks if (view := found[task].view) is not None]
    if len(views) < len(tasks):
        return ERRORS
    text = _rendered(views, format_)
    if output is None:
        write_out(text)
    else:
        write_atomically(output, text)
    if not exit_code or all(v.same for v in views):
        return OK
    known = any(v.operation or any(d.new is not None for d in v.differences) for v in views)
    return REFUTED if known else UNKNOWN


def _rendered(views: list[DiffView], format_: str) -> str:
    match format_:
        case "json":
            return diffs_to_json(views)
        case "markdown":
            return diffs_to_markdown(views)
        case _:
            return render_diffs(views, own_paint())


def _pairs(old: str, new: str) -> list[tuple[str, str | None, str | None]]:
    """What to compare with what, by name; None where a version does not have it."""
    if Path(old).is_dir() != Path(new).is_dir():
        raise click.UsageError("compare two files, or two directories")
    if not Path(old).is_dir():
        for path in (old, new):
            if (reason := unreadable(path)) is not None:
                raise click.UsageError(reason.text)
        return [(new, old, new)]
    sides = [{Path(p).relative_to(root).as_posix(): p for p in find([root])[0]} for root in (old, new)]
    if not (sides[0] or sides[1]):
        raise click.UsageError(f"there is no `*{SUFFIX}` file below either directory")
    return [(name, sides[0].get(name), sides[1].get(name)) for name in sorted({*sides[0], *sides[1]})]
