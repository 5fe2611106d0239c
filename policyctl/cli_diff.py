"""The command that says what a change of a policy means."""

from __future__ import annotations

from pathlib import Path

import click

from policyctl.cli import commands
from policyctl.exit_codes import ERRORS, OK, REFUTED, UNKNOWN
from policyctl.files import SUFFIX, find, write_atomically
from policyctl.loading import program_of
from policyctl.output import own_paint, write_out
from policyctl.render_diff import DiffView, EditView, diffs_to_json, render_diffs
from policyctl.render_diff_markdown import diffs_to_markdown


@commands.command()
@click.argument("old", type=click.Path(exists=True))
@click.argument("new", type=click.Path(exists=True))
@click.option(
    "--format", "format_", type=click.Choice(["text", "json", "markdown"]), default="text", help="How to report."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write the report to a file.")
@click.option("--verify", "also_verify", is_flag=True, help="Also say which properties have another verdict now.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when anything differs, 4 when that stays open.")
def diff(old: str, new: str, format_: str, output: Path | None, also_verify: bool, exit_code: bool) -> int:
    """Say what the change from OLD to NEW newly allows or denies, each with a run of requests that shows it.

    OLD and NEW are two policies, or two directories, whose policies are compared by their paths.

    \b
    Examples:
      policyctl diff before.policy after.policy
      git worktree add ../base main && policyctl diff ../base/specs specs --verify
      policyctl diff ../base/specs specs --format markdown --output comment.md
    """
    pairs = _pairs(old, new)
    views = []
    for name, before, after in pairs:
        view = _compared(name, before, after, also_verify)
        if view is None:
            return ERRORS
        views.append(view)
    text = _rendered(views, format_)
    if output is None:
        write_out(text)
    else:
        write_atomically(output, text)
    if not exit_code or all(v.same for v in views):
        return OK
    known = any(d.new is not None for v in views for d in v.differences)
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
        return [(new, old, new)]
    sides = [{Path(p).relative_to(root).as_posix(): p for p in find([root])[0]} for root in (old, new)]
    if not (sides[0] or sides[1]):
        raise click.UsageError(f"there is no `*{SUFFIX}` file below either directory")
    return [(name, sides[0].get(name), sides[1].get(name)) for name in sorted({*sides[0], *sides[1]})]


def _compared(name: str, old: str | None, new: str | None, also_verify: bool) -> DiffView | None:
    """None when a version has errors, which have been shown then."""
    from policyctl.to_diff_views import diff_view
    from verifier.diff import diff as compare
    from verifier.verify import verify

    if old is None or new is None:
        return DiffView(name, edits=(EditView("file", name, "added" if old is None else "removed"),))
    before, after = program_of(old), program_of(new)
    if before is None or after is None:
        return None
    results = [verify(p.system) for p in (before, after)] if also_verify else [None, None]
    return diff_view(name, before.system, after.system, compare(before.system, after.system, *results))
