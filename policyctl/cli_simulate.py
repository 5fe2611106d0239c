"""The commands that simulate: simulate, compare, incident. Sweeps are in `cli_sweep`, demonstrations in `cli_demo`."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from policyctl.cli import commands
from policyctl.exit_codes import INTERRUPTED, OK, REFUTED
from policyctl.output import own_paint, write_out
from policyctl.progress_ticks import ticking_on

if TYPE_CHECKING:
    from simulator.carry_out import Begin
    from simulator.record import Record
    from simulator.scenario import Scenario

F = TypeVar("F", bound=Callable[..., Any])
_folder = click.Path(file_okay=False, path_type=Path)
_there = click.Path(exists=True, file_okay=False, path_type=Path)

ENGINE_VARIABLE = "POLICYCTL_ENGINE"
"""Another engine than the simulator's own, as `module:function`: for tests of what is around it."""

set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a field of the scenario (`network.latency=high`) or, in capitals, a parameter of the policy.",
)
parallel_option = click.option(
    "--jobs", "-j", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Runs at a time [default: all cores]."
)


def clear_errors(command: F) -> F:
    """What is wrong with a scenario or a record is told to the user as such."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            from simulator.record import RecordError
            from simulator.scenario import ScenarioError
        except ModuleNotFoundError as error:
            raise missing(error) from None
        try:
            return command(*args, **kwargs)
        except ScenarioError as error:
            where = f"{error.where}: " if error.where else ""
            told = [f"{where}`{field}`: {text}" if field else f"{where}{text}" for field, text in error.faults]
            raise click.UsageError("\n".join(told)) from None
        except RecordError as error:
            raise click.UsageError(str(error)) from None
        except ModuleNotFoundError as error:
            raise missing(error) from None
        except OSError as error:
            # A full disk or a directory one may not write to is nobody's fault here.
            raise click.ClickException(f"{error.filename or 'input or output'}: {error.strerror}") from None

    return wrapped  # type: ignore[return-value]


def missing(error: ModuleNotFoundError) -> click.ClickException:
    """What to install for a module that is not there; a module of ours that is not there is a fault of the tool."""
    extras = {"ray": "ray", "optuna": "optimise", "SALib": "optimise"}
    root = (error.name or "").partition(".")[0]
    if root in ("", "simulator", "policyctl", "runtime", "policydsl", "verifier"):
        raise error
    extra = extras.get(root, "simulate")
    return click.ClickException(f"`{root}` is missing: pip install 'policyctl[{extra}]'")


def begin() -> Begin:
    """The engine."""
    from simulator.carry_out import engine_named

    return engine_named(engine())


def engine() -> str:
    from policyctl.proved_engine import BEGIN

    return os.environ.get(ENGINE_VARIABLE) or BEGIN


@contextmanager
def progress(what: str, unit: str) -> Iterator[Callable[[int, int], bool]]:
    with ticking_on(sys.stderr, what, unit) as show:
        yield show


@commands.command(short_help="Simulate a whole ecosystem under its policies.")
@click.argument("scenario", metavar="NAME|FILE", required=False)
@click.option("--seed", type=click.IntRange(min=0), help="Other chances.")
@click.option("--ticks", type=click.IntRange(min=1), help="For how long.")
@set_option
@click.option("--out", "-o", type=_folder, metavar="DIR", help="Where the record goes [default: runs/NAME-SEED].")
@click.option("--resume", type=_there, metavar="DIR", help="Go on with the run recorded there.")
@click.option("--fork-at", type=click.IntRange(min=0), metavar="TICK", help="What if: leave the run at that tick.")
@click.option("--checkpoint-every", type=click.IntRange(min=0), metavar="TICKS", help="Keep the state so often.")
@click.option("--no-report", is_flag=True, help="Write no charts and no page.")
@click.option("--runs", type=click.IntRange(min=1), default=1, help="So many runs, with one seed after the other.")
@parallel_option
@click.option("--schema", is_flag=True, help="Print the JSON schema of scenarios.")
@clear_errors
def simulate(
    scenario: str | None,
    seed: int | None,
    ticks: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    resume: Path | None,
    fork_at: int | None,
    checkpoint_every: int | None,
    no_report: bool,
    runs: int,
    jobs: int,
    schema: bool,
) -> int:
    """Simulate the scenario called NAME, or the one in FILE (TOML), and report. `docs/simulator.md` says what is what.

    The record of the run is a directory: figures in JSON and Parquet, what happened, charts, a page. A run that was
    interrupted goes on with --resume; with --fork-at and --set a new run leaves an old one, with other parameters.

    \b
    Examples:
      policyctl simulate normal_operation
      policyctl simulate security_attack --seed 7 --ticks 2000 --set malicious=0.33
      policyctl simulate my_scenario.toml --resume runs/my_scenario-1
      policyctl simulate my_scenario.toml --resume runs/my_scenario-1 --fork-at 500 --set QUORUM=400
      policyctl simulate stress_test --runs 10 --set agents=[]
    """
    from simulator import scenario as scenarios

    if schema:
        write_out(f"{json.dumps(scenarios.schema(), indent=2)}\n")
        return OK
    if resume is not None:
        if runs != 1 or seed is not None or checkpoint_every is not None:
            raise click.UsageError("--resume goes on with one run as it is: without --runs, --seed, --checkpoint-every")
        return _resume(scenario, resume, fork_at, ticks, settings, out, no_report)
    if scenario is None:
        raise click.UsageError(f"which scenario? there are {', '.join(scenarios.SHIPPED)}, and files `*.toml`")
    if fork_at is not None:
        raise click.UsageError("--fork-at needs the run that is left, as --resume DIR")
    chosen = _chosen(scenario, seed, ticks, checkpoint_every, settings)
    warn_of_no_attack(chosen)
    if runs > 1:
        return _several(chosen, runs, jobs, out, no_report)
    from simulator.carry_out import Order, carry_out

    place = out if out is not None else free(Path("runs") / f"{chosen.name}-{chosen.seed}")
    with progress(chosen.name, "ticks") as show:
        record = carry_out(Order(chosen, chosen.seed, place), begin(), show)
    return _report(record, no_report)


def _chosen(
    name: str, seed: int | None, ticks: int | None, checkpoint_every: int | None, settings: tuple[str, ...]
) -> Scenario:
    from simulator.scenario import load, with_settings

    given = {"seed": seed, "ticks": ticks, "checkpoint_every": checkpoint_every}
    options = [f"{k}={v}" for k, v in given.items() if v is not None]
    return all_faults(lambda: with_settings(load(name), [*settings, *options]))


def all_faults(make: Callable[[], Scenario]) -> Scenario:
    """The scenario, or all that is wrong with it: by itself, and by the ranges of the policy's parameters."""
    from simulator.scenario import ScenarioError, faults_of_parameters

    try:
        return make()
    except ScenarioError as error:
        others = faults_of_parameters(error.parameters, ranges()) if error.parameters else []
        raise ScenarioError([*error.faults, *others], error.where) from None


def ranges() -> dict[str, tuple[int, int]]:
    """The parameters of the policy that governs the twin, with the ranges for which it was proved."""
    from simulator.scenario import Scenario

    found: dict[str, tuple[int, int]] = dict(begin()(Scenario(name="parameters", bots=10), 0, 0).ranges)  # type: ignore[attr-defined]
    return found


def warn_of_no_attack(chosen: Scenario) -> None:
    """A run that is over before the attack begins says nothing of it."""
    if chosen.malicious > 0 and chosen.ticks <= chosen.attack_begins:
        text = f"the attack begins at tick {chosen.attack_begins:,}, and the run ends after {chosen.ticks:,} ticks"
        click.echo(f"warning: there is no attack: {text}; see --ticks and --set attack_begins=TICK", err=True)


def _resume(
    name: str | None,
    folder: Path,
    fork_at: int | None,
    ticks: int | None,
    settings: tuple[str, ...],
    out: Path | None,
    no_report: bool,
) -> int:
    from simulator import carry_out, record
    from simulator.scenario import ScenarioError, load, with_settings

    header = record.read_header(folder)
    if name is not None:
        differ = carry_out.differences(load(name), header.scenario)
        # A run may have been started with settings of its own, so only another scenario altogether is refused.
        if load(name).name != header.scenario.name:
            raise click.UsageError(f"the run in `{folder}` is of `{header.scenario.name}`, not of `{name}`")
        if differ:
            click.echo(f"the run in {folder} has its own {', '.join(differ)}, and keeps them", err=True)
    if fork_at is None:
        if settings or out is not None:
            raise click.UsageError("a run goes on as it was; --set and --out need --fork-at TICK")
        with progress(header.scenario.name, "ticks") as show:
            found = carry_out.resume(folder, begin(), ticks, show)
        return _report(found, no_report)
    changed = with_settings(header.scenario.model_copy(update={"parameters": {}}), settings)
    others = carry_out.differences(changed, header.scenario.model_copy(update={"parameters": changed.parameters}))
    if others:
        faults = [(f, "only parameters of the policy, in capitals, can change in the middle of a run") for f in others]
        raise ScenarioError(faults)
    place = out if out is not None else free(folder.with_name(f"{folder.name}-fork-{fork_at}"))
    with progress(header.scenario.name, "ticks") as show:
        found = carry_out.fork(folder, fork_at, changed.parameters, place, begin(), ticks, show)
    return _report(found, no_report)


def _several(chosen: Scenario, runs: int, jobs: int, out: Path | None, no_report: bool) -> int:
    from policyctl.render_simulation import render_runs
    from simulator.compare import runs_in
    from simulator.executor import Processes, each
    from simulator.sweep_work import PRELOAD, Work, make

    place = out if out is not None else free(Path("runs") / f"{chosen.name}-{runs}-runs")
    orders = [Work(chosen, chosen.seed + i, place / f"seed-{chosen.seed + i}", engine()) for i in range(runs)]
    failed = []
    with progress(chosen.name, "runs") as show, Processes(min(jobs, runs), PRELOAD) as executor:
        for done, (work, found) in enumerate(each(executor, make, orders), 1):
            if isinstance(found, BaseException):
                failed.append(f"seed {work.seed}: {type(found).__name__}: {found}")
            if not show(done, runs):
                executor.shutdown(wait=False, cancel_futures=True)
                return INTERRUPTED
    for text in failed:
        click.echo(f"a run failed: {text}", err=True)
    if len(failed) == runs:
        raise click.ClickException("every run failed")
    records = runs_in(place)
    write_out(render_runs(records, own_paint()))
    if not no_report:
        from simulator.report import write_report

        for record in records:
            write_report(record)
    click.echo(f"\nrecords in {place}")
    return REFUTED if any(r.metrics["violations"] for r in records) else OK


def _report(record: Record, no_report: bool) -> int:
    """What a run comes to. A consensus that was broken is an unexpected verdict."""
    from policyctl.render_simulation import render_run

    write_out(render_run(record, own_paint()))
    if not no_report:
        from simulator.report import write_report

        click.echo(f"\nreport in {write_report(record)}")
    else:
        click.echo(f"\nrecord in {record.path}")
    if not record.header.complete:
        header = record.header
        click.echo(f"stopped at tick {header.done:,} of {header.scenario.ticks:,}; go on: --resume {record.path}")
        return INTERRUPTED
    return REFUTED if record.metrics["violations"] else OK


def free(place: Path) -> Path:
    """The place, or the first one with a number behind it at which nothing stands."""
    number, found = 2, place
    while found.exists():
        found = place.with_name(f"{place.name}-{number}")
        number += 1
    return found


@commands.command(short_help="Compare recorded runs, with intervals.")
@click.argument("one", metavar="RUNS", type=_there)
@click.argument("other", metavar="RUNS", type=_there)
@clear_errors
def compare(one: Path, other: Path) -> int:
    """Compare two runs of the simulator, or two sets of runs (`simulate --runs N`), metric by metric.

    The difference is that of the second to the first. When all seeds pair, runs with equal seeds are compared, which
    needs fewer of them. A difference whose interval is on one side of 0 is called better or worse. Then comes how far
    the attackers got in both.
    """
    from policyctl.render_simulation import render_comparison
    from simulator.compare import compare as compared
    from simulator.compare import goals, runs_in, unlike

    runs = runs_in(one), runs_in(other)
    paired, rows = compared(*runs)
    names = (one.name, other.name) if one.name != other.name else (one.as_posix(), other.as_posix())
    serious, rest = unlike(*runs)
    if serious:
        click.echo(f"warning: these runs are hardly comparable, they differ in {'; '.join(serious)}", err=True)
    write_out(render_comparison(names, rows, paired, own_paint(), rest, goals(*runs)))
    return OK


@commands.command(short_help="What is known of an incident of a recorded run.")
@click.argument("run", metavar="RUN", type=_there)
@click.argument("number", metavar="[N]", type=click.IntRange(min=0), required=False)
@clear_errors
def incident(run: Path, number: int | None) -> int:
    """List the incidents of a run of the simulator, or tell all that is known of incident N, in order.

    What was noted about the bot, skill or link before the incident was opened belongs to it.

    \b
    Examples:
      policyctl incident runs/security_attack-1
      policyctl incident runs/security_attack-1 12
    """
    from policyctl.render_simulation import render_incident, render_incidents
    from simulator.agents.auditor import forensics
    from simulator.agents.base import Happening
    from simulator.record import read

    happenings = [Happening(**h) for h in read(run).happenings]
    if number is None:
        write_out(render_incidents(happenings, own_paint()))
        return OK
    found = forensics(happenings, number)
    if not found:
        raise click.UsageError(f"there is no incident {number} in `{run}`; `policyctl incident {run}` lists them")
    write_out(render_incident(found, own_paint()))
    return OK


def replay_run(folder: Path) -> int:
    """What `policyctl replay RUN-DIR` does: 0 if the same state is reached, 3 if another one."""
    return _replay_run(folder)


@clear_errors
def _replay_run(folder: Path) -> int:
    from simulator.carry_out import replay

    with progress("replay", "ticks") as show:
        recorded, reached = replay(folder, begin(), show)
    same = recorded == reached
    click.echo(f"recorded {recorded}\nreached  {reached}\n" + ("the same state" if same else "another state"))
    return OK if same else REFUTED
