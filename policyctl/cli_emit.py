"""The command that writes a policy in another language: `policyctl emit solidity`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyctl.cache import Cache
from policyctl.cli import Sections, cache_dir_option, commands, jobs_option, no_cache_option
from policyctl.exit_codes import ERRORS, OK, exit_code
from policyctl.files import texts_of, write_atomically
from policyctl.options import Options
from policyctl.output import emit, own_paint, write_out
from policyctl.progress import progress_on
from policyctl.render_diagnostics import render_diagnostics
from policyctl.results import Run
from policyctl.run_files import run_files

if TYPE_CHECKING:
    from runtime.solidity import Contract


@commands.group("emit", cls=Sections, short_help="Write a proved policy as a contract for a blockchain.")
def emit_group() -> None:
    """Write a policy in another language."""


@emit_group.command("solidity", short_help="Write a contract in Solidity.")
@click.argument("path", metavar="POLICY", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Write it to this directory.",
)
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=400,
    show_default=True,
    help="How many individuals a `for each` may have to walk; beyond it newcomers are refused.",
)
@click.option("--unproved", is_flag=True, help="Write it even if not everything it promises is proved.")
@jobs_option
@no_cache_option
@cache_dir_option
def solidity(path: str, output: Path, most: int, unproved: bool, jobs: int, no_cache: bool, cache_dir: Path) -> int:
    """Verify POLICY and write it as a contract: one function for each action, an error for each reason to deny.

    Nothing is written unless every property that the policy promises is proved, and unless everything in it has an
    exact counterpart; what has none is reported as UNSUPPORTED, with its place and the reason (`policyctl explain U103`
    and the like say what to do).

    \b
    Examples:
      policyctl emit solidity specs/mvg/governance.policy -o contracts/
    """
    from policyctl.loading import program_of
    from runtime.solidity import to_solidity
    from runtime.solidity_check import UnsupportedError

    program = program_of(path)
    if program is None:
        return ERRORS
    try:
        to_solidity(program.system, most=most)
    except UnsupportedError as error:
        texts = texts_of({path, *(g.span.path for g in error.gaps)})
        click.echo(render_diagnostics(error.gaps, texts, own_paint()), err=True, nl=False)
        click.echo(f"UNSUPPORTED: {path} has no exact counterpart in Solidity; nothing was written", err=True)
        return ERRORS
    begun = time.perf_counter()
    with progress_on(sys.stderr, "verify") as progress:
        files = run_files("verify", (path,), Options(), Cache(None if no_cache else cache_dir), jobs, progress)
    run = Run("verify", files, time.perf_counter() - begun)
    proved = exit_code(run) == OK
    if not proved and not unproved:
        emit(run, "text", None, False)
        click.echo("nothing was written; --unproved would write it", err=True)
        return exit_code(run)
    contract = to_solidity(program.system, proved=proved, most=most)
    write_atomically(output / f"{contract.name}.sol", contract.text)
    write_atomically(output / f"{contract.name}.names.json", names_json(program.system.name, contract))
    lines = contract.text.count("\n")
    said = own_paint()("green", "✓ proved") if proved else own_paint()("red", "✗ NOT PROVED")
    write_out(f"{output / contract.name}.sol  {lines} lines, {len(contract.functions)} functions  {said}\n")
    return OK


def names_json(system: str, contract: Contract) -> str:
    """What those who talk to the contract need beside its ABI, as JSON."""
    return (
        json.dumps(
            {
                "system": system,
                "digest": contract.digest,
                "contract": contract.name,
                "functions": contract.functions,
                "getters": contract.getters,
                "constructor": contract.constructor,
                "errors": {name: reason for reason, name in contract.errors.items()},
                "starts": contract.starts,
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )
