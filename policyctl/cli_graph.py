"""The command that draws a policy: `policyctl graph`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from policyctl.cache import Cache
from policyctl.cli import cache_dir_option, commands, jobs_option, no_cache_option
from policyctl.exit_codes import ERRORS, OK
from policyctl.files import write_atomically
from policyctl.options import Options
from policyctl.output import write_out
from policyctl.progress import progress_on
from policyctl.run_files import run_files

FORMATS = ("mermaid", "svg", "dot", "json")
_BY_SUFFIX = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".json": "json"}


@commands.command(short_help="Draw the state machine of a policy.")
@click.argument("path", metavar="POLICY", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="What to draw [default: as the file is called, or mermaid]."
)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
@click.option("--state", "variable", default="", metavar="NAME", help="The state variable with the stages.")
@click.option("--without", multiple=True, metavar="ACTION", help="Leave this action out (may be repeated).")
@click.option("--proved", is_flag=True, help="Verify it first, and leave out what is proved never to happen.")
@jobs_option
@no_cache_option
@cache_dir_option
def graph(
    path: str,
    format_: str | None,
    output: Path | None,
    variable: str,
    without: tuple[str, ...],
    proved: bool,
    jobs: int,
    no_cache: bool,
    cache_dir: Path,
) -> int:
    """Draw the stages through which something goes in POLICY, and the actions that lead from one to another.

    The picture is made of the policy itself: of what its actions ask for and write. What these rule out is not drawn;
    for what only an invariant rules out there is --proved. The stages are the values of a state variable with an enum
    as its type: of --state, or else of the one on which the most actions depend.

    \b
    Examples:
      policyctl graph specs/mvg/lifecycle.policy
      policyctl graph specs/mvg/lifecycle.policy -o lifecycle.svg
      policyctl graph specs/agents/incidents.policy --format dot
      policyctl graph specs/mvg/meta.policy --state trial --proved
    """
    from policyctl.graph_parts import parts_of, render_dot, render_json, render_mermaid
    from policyctl.loading import program_of
    from policyctl.render_graph_svg import render_svg
    from verifier.stages import NoMachineError, machine_of

    program = program_of(path)
    if program is None:
        return ERRORS
    known = _proved(path, jobs, Cache(None if no_cache else cache_dir)) if proved else frozenset()
    try:
        machine = machine_of(program.system, variable, frozenset(without), known)
    except NoMachineError as error:
        raise click.ClickException(f"{path}: {error}") from error
    match format_ or _BY_SUFFIX.get(output.suffix if output else "", "mermaid"):
        case "svg":
            text = render_svg(parts_of(machine))
        case "dot":
            text = render_dot(parts_of(machine))
        case "json":
            text = render_json(machine)
        case _:
            text = render_mermaid(parts_of(machine))
    if output is None:
        write_out(text)
    else:
        write_atomically(output, text)
    return OK


def _proved(path: str, jobs: int, cache: Cache) -> frozenset[str]:
    """The names of the properties that are."""
    with progress_on(sys.stderr, "verify") as progress:
        files = run_files("verify", (path,), Options(), cache, jobs, progress)
    return frozenset(p.name for file in files for p in file.properties if p.status == "proved")
