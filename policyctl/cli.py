"""The command line: words of the user to calls, results to the right format, place and exit code."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

import click

from policyctl import __version__
from policyctl.cache import DIRECTORY, Cache
from policyctl.exit_codes import INTERNAL, INTERRUPTED, OK, exit_code
from policyctl.files import beside, write_atomically
from policyctl.options import Options
from policyctl.output import FORMATS, emit
from policyctl.progress import progress_on
from policyctl.results import Run
from policyctl.run_files import run_files

APOLOGY = """policyctl failed: {error}
This is a fault of the tool, not of your policy, and nothing is reported as proved. Please report it,
with the policy if you can share it and what the same command prints with --debug.
"""


class Sections(click.Group):
    """Commands in the order in which people meet them, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=Sections,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all as expected, 1 errors in the policies or failed tests, 2 usage, 3 an unexpected verdict, "
    "4 unknown, 70 internal error.",
)
@click.version_option(__version__, message="policyctl %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback when the tool itself fails.")
def commands(debug: bool) -> None:
    """Prove what a policy promises, or see the run that breaks it.

    \b
    A first session:
      policyctl check my.policy       is it well formed?
      policyctl test my.policy        do its own tests pass?
      policyctl verify my.policy      does what it promises always hold?
      policyctl explain E201          what does that error mean?
    """


_paths = click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
_format = click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True, help="How to report."
)
_output = click.option("--output", "-o", type=click.Path(path_type=Path), help="Write the report to a file.")
jobs_option = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    help="Worker processes [default: all cores].",
)
no_cache_option = click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
cache_dir_option = click.option(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="POLICYCTL_CACHE_DIR",
    default=Path(DIRECTORY),
    show_default=True,
    help="Where results are kept; branches of a repository may share it.",
)
_verbose = click.option("--verbose", "-v", is_flag=True, help="Also show witnesses, lemmas, and passed tests.")


@commands.command(short_help="Prove every property, or show a run that breaks it.")
@_paths
@_format
@_output
@jobs_option
@click.option(
    "--rlimit",
    type=click.IntRange(min=1),
    help="Solver steps per obligation (not seconds).",
)
@no_cache_option
@cache_dir_option
@click.option("--deep", is_flag=True, help="Also say which guards each proof needs.")
@click.option("--property", "properties", multiple=True, metavar="NAME", help="Only this property (may be repeated).")
@click.option(
    "--certificates",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write certificates there.",
)
@click.option(
    "--traces",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each run found there, for `policyctl replay`.",
)
@_verbose
def verify(
    paths: tuple[str, ...],
    format_: str,
    output: Path | None,
    jobs: int,
    rlimit: int | None,
    no_cache: bool,
    cache_dir: Path,
    deep: bool,
    properties: tuple[str, ...],
    certificates: Path | None,
    traces: Path | None,
    verbose: bool,
) -> int:
    """Prove every property of the policies in PATHS, or show a shortest run that breaks it. Their tests are run, too.

    \b
    Examples:
      policyctl verify specs/
      policyctl verify my.policy --property bounded_reputation -v
      policyctl verify specs/ --format sarif --output policyctl.sarif
      policyctl verify specs/ --certificates proofs/
    """
    options = Options(rlimit, deep, tuple(sorted(set(properties))), certificates is not None)
    cache = Cache(None if no_cache else cache_dir)
    run = _run("verify", paths, options, cache, jobs, certificates)
    _refuse_unmatched(properties, run)
    if traces is not None:
        _write_traces(run, traces)
    emit(run, format_, output, verbose, _debug())
    return exit_code(run)


def _write_traces(run: Run, directory: Path) -> None:
    for file in run.files:
        for view in file.properties:
            if view.trace is not None:
                name = beside(file.path, f".{view.name.replace('@', '.')}.trace.json")
                write_atomically(directory / name, f"{view.trace.record}\n")


@commands.command(short_help="Check that policies are well formed; no solver.")
@_paths
@_format
@_output
@jobs_option
def check(paths: tuple[str, ...], format_: str, output: Path | None, jobs: int) -> int:
    """Check that the policies in PATHS are well formed: names, types, rules, and suspicious spots. Calls no solver."""
    run = _run("check", paths, Options(), Cache(None), jobs)
    emit(run, format_, output, False, _debug())
    return exit_code(run)


@commands.command(short_help="Run the tests that policies contain.")
@_paths
@_format
@_output
@jobs_option
@_verbose
def test(paths: tuple[str, ...], format_: str, output: Path | None, jobs: int, verbose: bool) -> int:
    """Run the `test` blocks of the policies in PATHS in the reference interpreter."""
    run = _run("test", paths, Options(), Cache(None), jobs)
    emit(run, format_, output, verbose, _debug())
    return exit_code(run)


def _run(
    command: str, paths: tuple[str, ...], options: Options, cache: Cache, jobs: int, certificates: Path | None = None
) -> Run:
    begun = time.perf_counter()
    with progress_on(sys.stderr, command) as progress:
        files = run_files(command, paths, options, cache, jobs, progress, certificates)
    return Run(command, files, time.perf_counter() - begun)


def _debug() -> bool:
    return bool(click.get_current_context().obj)


def _refuse_unmatched(properties: tuple[str, ...], run: Run) -> None:
    """A misspelt `--property` must not pass for a success."""
    known = {p.name.partition("@")[0] for p in run.properties} | {p.name for p in run.properties}
    if not any(f.failed or f.crash for f in run.files):
        for name in properties:
            if name not in known:
                raise click.UsageError(f"no policy here has a property `{name}`")


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code; nothing escapes as a traceback unless asked for."""
    # To register their commands.
    from policyctl import (  # noqa: F401
        cli_approvals,
        cli_chain,
        cli_demo,
        cli_diff,
        cli_election,
        cli_election_check,
        cli_emit,
        cli_enforce,
        cli_govern,
        cli_graph,
        cli_lockdown,
        cli_log,
        cli_more,
        cli_proofs,
        cli_reputation,
        cli_serve,
        cli_simulate,
        cli_sweep,
        cli_tally,
        cli_tune,
    )

    debug = "--debug" in arguments
    try:
        without = [a for a in arguments if a != "--debug"]
        answer = commands.main(without, "policyctl", standalone_mode=False, obj=debug)
        return answer if isinstance(answer, int) else OK
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Who reads our output has had enough; keep the interpreter from complaining when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:  # noqa: BLE001 the last resort
        click.echo(
            traceback.format_exc() if debug else APOLOGY.format(error=f"{type(error).__name__}: {error}"), err=True
        )
        return INTERNAL
