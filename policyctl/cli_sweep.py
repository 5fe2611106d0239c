"""The commands that simulate many times: sweep, optimize."""

from __future__ import annotations

import json
import sys
from concurrent.futures import Executor
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import Any

import click

from policyctl.cache import Cache
from policyctl.cli import cache_dir_option, commands, no_cache_option
from policyctl.cli_simulate import (
    all_faults,
    begin,
    clear_errors,
    engine,
    free,
    parallel_option,
    progress,
    ranges,
    set_option,
    warn_of_no_attack,
)
from policyctl.exit_codes import ERRORS, INTERRUPTED, OK, UNKNOWN
from policyctl.files import write_atomically
from policyctl.output import own_paint, write_out

_folder = click.Path(file_okay=False, path_type=Path)
engine_option = click.option(
    "--engine",
    "where",
    type=click.Choice(["processes", "ray"]),
    default="processes",
    show_default=True,
    help="What makes the runs; `ray` needs the extra `ray`.",
)
address_option = click.option(
    "--address", metavar="ADDRESS", help="With `--engine ray`: a cluster, `auto` for the one of this machine."
)


@commands.command(short_help="Simulate many variants, and say what matters.")
@click.argument("scenario", metavar="NAME|FILE")
@click.option(
    "--vary", "varied", multiple=True, required=True, metavar="FIELD=LOW..HIGH", help="May be repeated; or FIELD=A,B,C."
)
@click.option("--samples", type=click.IntRange(min=1), default=64, show_default=True, help="So many points.")
@click.option(
    "--method",
    type=click.Choice(["lhs", "sobol", "random"]),
    default="lhs",
    show_default=True,
    help="How points are spread: a Latin hypercube, a Sobol sequence, or at random.",
)
@click.option(
    "--sensitivity", type=click.Choice(["morris", "sobol"]), help="Choose the points for such an analysis, and make it."
)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at each point.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="What to report on.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the points and of the runs.")
@click.option("--ticks", type=click.IntRange(min=1), help="For how long.")
@set_option
@click.option("--out", "-o", type=_folder, metavar="DIR", help="Where results go; what is there is not made again.")
@parallel_option
@engine_option
@address_option
@click.option("--no-report", is_flag=True, help="Write no page.")
@clear_errors
def sweep(
    scenario: str,
    varied: tuple[str, ...],
    samples: int,
    method: str,
    sensitivity: str | None,
    seeds: int,
    metrics: tuple[str, ...],
    seed: int | None,
    ticks: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    jobs: int,
    where: str,
    address: str | None,
    no_report: bool,
) -> int:
    """Simulate the scenario at many points of a space, and report which of the things that vary matter for what.

    Fields are those of the scenario, or parameters of the policy in any case: `quorum` is `QUORUM`. Points are a Latin
    hypercube unless you say otherwise. Each run has a result file; a run that crashes loses itself alone, and the same
    command with the same --out goes on where it was stopped.

    \b
    Examples:
      policyctl sweep stress_test --vary quorum=200..600 --vary decay=0..0.05 --samples 64 --jobs 2
      policyctl sweep normal_operation --vary malicious=0..0.5 --vary network.latency=low,high --seeds 3
      policyctl sweep security_attack --vary quorum=200..600 --vary lazy=0..0.4 --sensitivity morris --engine ray
    """
    from policyctl.render_sweep import render_sweep
    from simulator import sensitivity as analysis
    from simulator import sweep as sweeps
    from simulator.optimise import known_metric
    from simulator.sweep_plan import points, shares, vary

    chosen = _chosen(scenario, seed, ticks, settings)
    reported = [known_metric(m) for m in sweeps.select(metrics)]
    space = tuple(vary(v, chosen, ranges()) for v in varied)
    if len({v.name for v in space}) < len(space):
        raise click.UsageError("something is varied twice")
    design = {"morris": "morris", "sobol": "saltelli", None: method}[sensitivity]
    if sensitivity is None:
        unit = shares(method, len(space), samples, chosen.seed)
    else:
        unit = analysis.shares(design, space, samples, chosen.seed)
    plan = sweeps.Plan(chosen, space, tuple(points(space, unit)), design, seeds)
    warn_of_no_attack(chosen)
    place = out if out is not None else Path("runs") / f"{chosen.name}-sweep"
    going: bool | None = None
    with progress(chosen.name, "runs") as show, executor(where, jobs, address) as pool:

        def told(done: int, total: int) -> bool:
            nonlocal going
            if going is None and done:
                click.echo(f"{done} of {total} runs are in {place} already", err=True)
            going = show(done, total)
            return going

        swept = sweeps.carry_on(place, plan, pool, engine(), told)
    found = {}
    if sensitivity is not None and going:
        found = {m: analysis.analyse(design, space, unit, swept.values(m), chosen.seed) for m in reported}
    write_out(render_sweep(swept, reported, found, own_paint()))
    if not no_report and swept.results:
        from simulator.report_sweep import write_page

        click.echo(f"\nreport in {write_page(place, swept, reported, found)}")
    click.echo(f"results in {place}")
    if not going:
        return INTERRUPTED
    return ERRORS if swept.failed else OK


@commands.command(short_help="Search good parameters among those that are proved safe.")
@click.argument("scenario", metavar="NAME|FILE")
@click.option("--maximize", metavar="METRIC", help="What there should be much of.")
@click.option("--minimize", metavar="METRIC", help="What there should be little of.")
@click.option(
    "--within",
    "policy",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    metavar="POLICY",
    help="Only what this policy allows; it is verified first.",
)
@click.option("--only", multiple=True, metavar="PARAMETER", help="Only this one of its parameters (may be repeated).")
@click.option("--samples", type=click.IntRange(min=1), default=40, show_default=True, help="So many candidates.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Runs of each candidate.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the search and of the runs.")
@click.option("--ticks", type=click.IntRange(min=1), help="For how long.")
@set_option
@click.option("--out", "-o", type=_folder, metavar="DIR", help="Where results go.")
@parallel_option
@engine_option
@address_option
@no_cache_option
@cache_dir_option
@clear_errors
def optimize(
    scenario: str,
    maximize: str | None,
    minimize: str | None,
    policy: str,
    only: tuple[str, ...],
    samples: int,
    seeds: int,
    seed: int | None,
    ticks: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    jobs: int,
    where: str,
    address: str | None,
    no_cache: bool,
    cache_dir: Path,
) -> int:
    """Search the parameters with which a metric is best, only among those that POLICY allows.

    POLICY is verified first. What may be chosen are its parameters and the numbers in its state, inside the ranges
    that it declares and that its proofs cover, and only where all its invariants hold together.

    \b
    Examples:
      policyctl optimize normal_operation --maximize resilience --within specs/mvg/parameters.policy
      policyctl optimize stress_test --minimize decision_p90 --within specs/twin/ecosystem.policy --only QUORUM
    """
    from policyctl.render_sweep import render_found
    from simulator.optimise import known_metric
    from simulator.optimise import optimise as search

    if (maximize is None) == (minimize is None):
        raise click.UsageError("one of --maximize METRIC and --minimize METRIC")
    metric = known_metric(maximize or minimize or "")
    chosen = _chosen(scenario, seed, ticks, settings)
    allowed = _within(policy, only, None if no_cache else cache_dir, jobs)
    if allowed is None:
        return UNKNOWN
    warn_of_no_attack(chosen)
    place = out if out is not None else free(Path("runs") / f"{chosen.name}-optimum")
    with progress(f"{metric} of {chosen.name}", "candidates") as show, executor(where, jobs, address) as pool:
        found = search(chosen, metric, maximize is not None, allowed, pool, engine(), samples, seeds, show)
    write_out(render_found(found, allowed, own_paint()))
    data = {**asdict(found), "within": {r.parameter: [r.low, r.high] for r in allowed.ranges}, "policy": policy}
    write_atomically(place / "optimum.json", f"{json.dumps(_plain(data), indent=1)}\n")
    if found.best is not None:
        lines = "".join(f"{k} = {v}\n" for k, v in found.best.parameters.items())
        write_atomically(place / "parameters.toml", f"[parameters]\n{lines}")
    click.echo(f"\nresults in {place}")
    if found.best is None:
        return INTERRUPTED if found.interrupted else UNKNOWN
    return OK


def _chosen(name: str, seed: int | None, ticks: int | None, settings: tuple[str, ...]) -> Any:
    from simulator.scenario import load, with_settings

    options = [f"{k}={v}" for k, v in {"seed": seed, "ticks": ticks}.items() if v is not None]
    return all_faults(lambda: with_settings(load(name), [*settings, *options]))


def _within(policy: str, only: tuple[str, ...], cache_dir: Path | None, jobs: int) -> Any:
    """What the policy lets one choose, or None (and a word on it) if what it promises is not proved."""
    from policyctl.loading import program_of
    from policyctl.options import Options
    from policyctl.progress import progress_on
    from policyctl.run_files import run_files
    from simulator.optimise_within import within

    with progress_on(sys.stderr, "verify") as show:
        files = run_files("verify", [policy], Options(), Cache(cache_dir), jobs, show)
    bad = [p.name for f in files for p in f.properties if not p.as_expected]
    if bad or any(f.crash or f.failed for f in files):
        click.echo(f"{policy}: not proved: {', '.join(bad) or 'see `policyctl verify`'}; nothing is searched", err=True)
        return None
    program = program_of(policy)
    if program is None:
        return None
    found = within(program.system, ranges(), defaults())
    if not only:
        return found
    unknown = [n for n in only if n.upper() not in {r.parameter for r in found.ranges}]
    if unknown:
        there = ", ".join(r.parameter for r in found.ranges)
        raise click.UsageError(f"`{policy}` does not let one choose `{unknown[0]}`; there are {there}")
    kept = tuple(r for r in found.ranges if r.parameter in {n.upper() for n in only})
    return replace(found, ranges=kept)


def defaults() -> dict[str, int]:
    """What they are if nobody chooses them."""
    found = _engine()
    return {name: int(found.gateway.parameter(name)) for name in found.ranges}


def _engine() -> Any:
    from simulator.scenario import Scenario

    return begin()(Scenario(name="parameters", bots=10), 0, 0)


def executor(where: str, jobs: int, address: str | None) -> Executor:
    if where == "ray":
        from simulator.executor_ray import OnRay

        return OnRay(address, jobs)
    if address is not None:
        raise click.UsageError("--address is for `--engine ray`")
    from simulator.executor import Processes
    from simulator.sweep_work import PRELOAD

    return Processes(jobs, PRELOAD)


def _plain(value: Any) -> Any:
    """JSON has neither `nan` nor infinity."""
    match value:
        case dict():
            return {k: _plain(v) for k, v in value.items()}
        case list() | tuple():
            return [_plain(v) for v in value]
        case float() if not isfinite(value):
            return None
        case _:
            return value
