"""The command that takes an amendment all the way in a run of the twin: tune."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policyctl.cli import commands
from policyctl.cli_simulate import clear_errors, free, parallel_option, progress, set_option
from policyctl.exit_codes import OK, REFUTED
from policyctl.output import own_paint, write_out

if TYPE_CHECKING:
    from policydsl.core.system import System
    from simulator.meta_twin import Note, Story

_folder = click.Path(file_okay=False, path_type=Path)
within_option = click.option(
    "--within",
    type=click.Path(exists=True, dir_okay=False),
    metavar="POLICY",
    help="What numbers have to be to each other [default: mvg.parameters].",
)


def relations_of(path: str | None) -> System:
    """The policy about relations between numbers."""
    from policyctl.loading import program_of
    from simulator.meta_books import relations

    if path is None:
        return relations()
    program = program_of(path)
    if program is None:
        raise click.ClickException(f"{path} has errors")
    return program.system


def amendment_of(settings: tuple[str, ...]) -> dict[str, int]:
    """`QUORUM=400` or `TIMELOCK=5s`, as the policy knows numbers. Raises `ScenarioError`."""
    from simulator.scenario import Scenario, ScenarioError, with_settings

    found = dict(with_settings(Scenario(name="amendment", bots=10), settings).parameters)
    if len(found) < len(settings):
        raise ScenarioError([("", "an amendment changes parameters of the policy, in capitals, each once")])
    return found


@commands.command(short_help="Take a change of parameters all the way, in a run of the twin.")
@click.argument("scenario", metavar="NAME|FILE")
@click.option("--metric", required=True, metavar="METRIC", help="What is to become better.")
@set_option
@click.option("--pairs", type=click.IntRange(min=4), default=8, show_default=True, help="Rehearsals, in pairs of runs.")
@click.option("--watch", type=click.IntRange(min=20), default=150, show_default=True, help="Ticks on trial.")
@click.option(
    "--at", type=click.IntRange(min=1), default=100, show_default=True, help="Propose it after so many ticks."
)
@click.option("--seed", type=click.IntRange(min=0), help="Other chances.")
@within_option
@click.option("--out", "-o", type=_folder, metavar="DIR", help="Where log, evidence and bundles go.")
@parallel_option
@clear_errors
def tune(
    scenario: str,
    metric: str,
    settings: tuple[str, ...],
    pairs: int,
    watch: int,
    at: int,
    seed: int | None,
    within: str | None,
    out: Path | None,
    jobs: int,
) -> int:
    """Propose a change of parameters in a run of the scenario, and see what becomes of it.

    With --set in capitals you say what is to be changed; other settings are of the scenario. The change is rehearsed on
    pairs of runs, the policies are verified again with the new numbers, the bots vote on it, it comes into force and is
    watched, and is rolled back if what was promised does not come. All of that is governed by `specs/mvg/meta.policy`,
    and in the decision log `governance.db` of DIR. Exits with 0 if the change was kept, else with 3.

    \b
    Examples:
      policyctl tune normal_operation --metric decision_p50 --set TIMELOCK=5s
      policyctl tune normal_operation --metric decision_p50 --set QUORUM=900 --set bots=300
    """
    from policyctl.render_meta import render_note, render_story
    from simulator.optimise import known_metric
    from simulator.scenario import load, with_settings

    capitals = tuple(s for s in settings if s.partition("=")[0].strip().isupper())
    amendment = amendment_of(capitals)
    if not amendment:
        raise click.UsageError("what is to be changed? say so with --set, as in --set QUORUM=400")
    rest = [s for s in settings if s not in capitals]
    chosen = with_settings(load(scenario), [*rest, *([] if seed is None else [f"seed={seed}"])])
    place = out if out is not None else free(Path("runs") / f"{chosen.name}-tune-{chosen.seed}")
    if place.exists():
        raise click.UsageError(f"there is something in `{place}` already")
    paint = own_paint()
    write_out(f"{paint('bold', chosen.title or chosen.name)}: {chosen.bots:,} bots, seed {chosen.seed}\n")

    def told(note: Note) -> None:
        write_out(f"{render_note(note, paint)}\n")

    story = run(chosen, amendment, known_metric(metric), pairs, watch, at, relations_of(within), place, jobs, told)
    write_out(render_story(story, paint))
    write_out(f"log, evidence and bundles in {place}\n")
    return OK if story.outcome == "kept" else REFUTED


def run(
    chosen: Any,
    amendment: dict[str, int],
    metric: str,
    pairs: int,
    watch: int,
    at: int,
    relations: System,
    place: Path,
    jobs: int,
    told: Any,
) -> Story:
    """A run of the twin in which an amendment is proposed after `at` ticks."""
    from policyctl.reprove import Reprove
    from simulator import meta_twin
    from simulator.engine import begin
    from simulator.executor import Processes
    from simulator.policies import data_of
    from simulator.record import History, write_text

    engine, history = begin(chosen, chosen.seed), History()
    with progress(chosen.name, "ticks") as show:
        while engine.tick < at:
            history.add(engine.step())
            if not show(engine.tick, at):
                raise KeyboardInterrupt
    plan = meta_twin.Plan(amendment, metric, pairs, watch, at)
    with Processes(jobs, ("simulator.meta_trial", "simulator.engine")) as executor:
        story = meta_twin.improve(
            engine, history, plan, place, data_of(chosen.policy), Reprove(relations), executor, told
        )
    notes = [asdict(n) for n in story.notes]
    data = {"outcome": story.outcome, "evidence": story.evidence, "notes": notes}
    write_text(place / "story.json", f"{json.dumps(data, indent=1)}\n")
    return story
