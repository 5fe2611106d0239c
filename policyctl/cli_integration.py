"""`policyctl demo integration`: on which chain, and where the record goes; what was seen is told, and made a page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyctl.cli_simulate import free, progress
from policyctl.exit_codes import OK, REFUTED
from policyctl.output import own_paint, write_out

if TYPE_CHECKING:
    from policyctl.chain.talk import Chain

NO_NODE = """NO NODE IS INSTALLED: the contract runs on an EVM in this process instead, which is slower.
`--install` has npm install a node."""


def integration(fast: bool, seed: int | None, out: Path | None, here: bool, install: bool, jobs: int) -> int:
    """Carry it out, tell it, and write the page."""
    from policyctl.chain.talk import ChainError
    from policyctl.integration.plan import NAME, plan
    from policyctl.integration.render import render
    from policyctl.integration.report import write_report
    from policyctl.integration.run import deployed, run
    from simulator.executor import Processes
    from simulator.sweep_work import PRELOAD

    chosen = plan(fast, seed)
    folder = out if out is not None else free(Path("runs") / f"{NAME}-{chosen.scenario.seed}")
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"there is something in `{folder}` already")
    try:
        with (
            _chain(here, install) as (chain, url),
            Processes(jobs, PRELOAD) as executor,
            progress(NAME, "ticks") as told,
        ):

            def passed(_phase: str, tick: int) -> None:
                if not told(tick, chosen.ticks):
                    raise KeyboardInterrupt

            shown = run(chosen, deployed(chain, url, chosen), folder, executor, passed)
    except ChainError as error:
        raise click.ClickException(str(error)) from None
    write_out(render(shown, own_paint()))
    click.echo(f"\nreport in {write_report(shown)}")
    return OK if shown.is_complete else REFUTED


@contextmanager
def _chain(here: bool, install: bool) -> Iterator[tuple[Chain, str]]:
    """A node of its own, ended afterwards; where there is none, a chain in this process, and that is said."""
    from policyctl.chain import node
    from policyctl.chain.state import DIRECTORY
    from policyctl.chain.talk import in_process
    from policyctl.integration.run import HERE

    directory = Path(os.environ.get("POLICYCTL_CHAIN_DIR", DIRECTORY))
    program = None if here else node.find(directory)
    if program is None and install and not here:
        program = node.install(directory)
    if program is None:
        if not here:
            click.echo(NO_NODE, err=True)
        yield in_process(), HERE
        return
    started = node.start(program, 0, directory / "demo.log")
    try:
        yield started.chain, started.url
    finally:
        started.stop()
