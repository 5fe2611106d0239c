"""The command that shows a demonstration: step by step, with when it happened, and what it is without the agents."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyctl.cli import commands
from policyctl.cli_simulate import clear_errors, parallel_option, progress
from policyctl.exit_codes import OK, REFUTED
from policyctl.output import own_paint, write_out
from policyctl.paint import Paint
from policyctl.proved_engine import begin

if TYPE_CHECKING:
    from simulator.demonstrations import Seen, Shown

NAMES = ("phishing", "byzantine", "skill")
INTEGRATION = "integration"


@commands.command(short_help="Show an attack, and how the agents meet it; or everything at once.")
@click.argument("name", type=click.Choice((*NAMES, INTEGRATION)), metavar="|".join((*NAMES, INTEGRATION)))
@click.option("--seed", type=click.IntRange(min=0), help="Other chances.")
@click.option("--fast", is_flag=True, help="integration: shorter phases, a smaller committee.")
@click.option(
    "--out", "-o", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="integration: record."
)
@click.option(
    "--in-process", "here", is_flag=True, help="integration: an EVM in this process, even if there is a node."
)
@click.option("--install", is_flag=True, help="integration: have npm install a node if there is none.")
@parallel_option
@clear_errors
def demo(name: str, seed: int | None, fast: bool, out: Path | None, here: bool, install: bool, jobs: int) -> int:
    """Show one of three attacks: each runs with the seven agents, and again without them. Or show everything at once.

    \b
    phishing     a messaging channel carries links that take over who follows them
    byzantine    three in ten bots turn against the rest
    skill        a vulnerable skill is submitted
    integration  the governance contract on a chain, a thousand bots, the seven agents: normal operation, a security
                 incident, and governance that improves itself; a record and a page with charts in DIR

    Exits with 0 when every step was seen, in order, and the attack got what it was after only without the agents; else
    with 3. Of the integration: when every step was seen, and the chain says the same as the simulation.

    \b
    Examples:
      policyctl demo phishing
      policyctl demo integration --fast
      policyctl demo integration --install --out runs/integration
    """
    if name == INTEGRATION:
        from policyctl.cli_integration import integration

        return integration(fast, seed, out, here, install, jobs)
    if fast or here or install or out is not None:
        raise click.UsageError(f"--fast, --out, --in-process and --install are for `{INTEGRATION}`")
    from simulator.demonstrations import show

    with progress(name, "ticks") as told:
        shown, _ = show(name, seed, told, begin)
    write_out(render(shown, own_paint()))
    return OK if shown.is_complete and shown.makes_the_difference else REFUTED


def render(shown: Shown, paint: Paint) -> str:
    from simulator.demonstrations import metric
    from simulator.figures import figure
    from simulator.report_words import setting

    scenario = shown.scenario
    lines = [
        paint("bold", scenario.title),
        *textwrap.wrap(" ".join(scenario.description.split()), 100),
        *(paint("dim", line) for line in textwrap.wrap(setting(scenario), 100)),
        "",
        *_steps(shown.seen, paint),
        "",
        f"{'':<34}{'with the agents':>18}{'without':>18}",
    ]
    for name in shown.demo.metrics:
        m = metric(name)
        lines.append(f"{m.title:<34}{figure(m, shown.with_agents[name]):>18}{figure(m, shown.without[name]):>18}")
    lines += ["", f"The attack is after this: {shown.demo.goal}."]
    outcome = {True: "it gets it", False: "it does not get it"}
    reached = shown.demo.reached
    with_, without = outcome[reached(shown.with_agents)], outcome[reached(shown.without)]
    lines.append(f"With the agents {with_}; without them {without}.")
    return "\n".join(lines) + "\n"


def _steps(seen: Sequence[Seen], paint: Paint) -> list[str]:
    lines = []
    ticks = [one.event["tick"] for one in seen if one.event is not None]
    earlier: list[int] = []
    for number, one in enumerate(seen, 1):
        if one.event is None:
            lines.append(f"{paint('red', '✗')} {number}  {one.step.text}: not seen")
            continue
        tick = one.event["tick"]
        earlier.append(tick)
        when = f"tick {tick}" + (f", {one.after_ms / 1000:g} s later" if one.after_ms else "")
        if ticks.count(tick) > 1:
            # Agents act one after the other within a tick, and what they note stands in that order.
            when += f", {earlier.count(tick)} of {ticks.count(tick)} in this tick"
        lines.append(f"{paint('green', '✓')} {number}  {paint('bold', one.step.text)}  {paint('dim', when)}")
        lines += textwrap.wrap(one.event["text"], 94, initial_indent="     ", subsequent_indent="     ")
    return lines
