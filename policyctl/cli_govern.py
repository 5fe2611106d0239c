"""The commands that change the numbers of a policy in force: govern init, propose, show, vote, apply, watch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policyctl.cli import Sections, commands
from policyctl.cli_simulate import clear_errors, engine, parallel_option
from policyctl.cli_tune import amendment_of, relations_of, within_option
from policyctl.clock import milliseconds
from policyctl.exit_codes import OK, REFUTED
from policyctl.files import write_atomically
from policyctl.output import own_paint, write_out

if TYPE_CHECKING:
    from simulator.meta_loop import Loop
    from simulator.meta_proof import Proof
    from simulator.record import Record

_there = click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
_proposal = click.argument("proposal", metavar="ID")
_by = click.option("--as", "by", metavar="NAME", required=True, help="Who does it; it is recorded.")
CONFIG = "governance.json"
LIVE = "in_force.bundle"
_META_PARAMS = ("VOTING_PERIOD", "TIMELOCK", "QUORUM", "PROPOSE_THRESHOLD", "FRESH", "WATCH", "GRACE")


@commands.group("govern", cls=Sections, short_help="Change the numbers of a policy in force, by proof and vote.")
def govern() -> None:
    """Change the parameters of a bundle by amendments: rehearsed, proved again, voted on, on trial, kept or taken back.

    DIR has the decision log of it all (`governance.db`), the evidence, and the bundle that is in force
    (`in_force.bundle`), which gateways load with `enforcer.reload`. Every step is a request to
    `specs/mvg/meta.policy`; whatever it denies does not happen. A command that was interrupted can be given again.
    """


def refusals(command: Callable[..., int]) -> Callable[..., int]:
    """What the policy denies is told as such, and exits with 3."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> int:
        from simulator.meta_books import RefusedError

        try:
            return command(*args, **kwargs)
        except RefusedError as error:
            click.echo(f"refused: {error}", err=True)
            return REFUTED

    return clear_errors(wrapped)


@govern.command(short_help="Begin under a bundle.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--bundle",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What is in force, as of `policyctl build`.",
)
@click.option("--member", "members", multiple=True, required=True, metavar="NAME", help="Votes and proposes (repeat).")
@click.option("--operator", default="operator", show_default=True, metavar="NAME", help="Declares parameters.")
@click.option("--analyst", default="analyst", show_default=True, metavar="NAME", help="Simulates and verifies.")
@click.option("--auditor", default="auditor", show_default=True, metavar="NAME", help="Judges outcomes; a member, too.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help=f"A number of `mvg.meta`: {', '.join(_META_PARAMS)}."
)
@click.option("--only", multiple=True, metavar="NAME", help="Let only this parameter be amended (repeat).")
@refusals
def init(
    folder: Path,
    bundle: Path,
    members: tuple[str, ...],
    operator: str,
    analyst: str,
    auditor: str,
    settings: tuple[str, ...],
    only: tuple[str, ...],
) -> int:
    """Begin: the parameters of BUNDLE can be amended from now on, inside the ranges for which it is proved.

    \b
    Example:
      policyctl govern init governance --bundle gateway.bundle --member ann --member bob --auditor judy
    """
    params = amendment_of(settings)
    if unknown := [n for n in params if n not in _META_PARAMS]:
        raise click.UsageError(f"`mvg.meta` has no parameter `{unknown[0]}`; there are {', '.join(_META_PARAMS)}")
    given = {"Members": sorted(members), "Operators": [operator], "Analysts": [analyst], "Auditors": [auditor]}
    config = {"given": given, "params": params}
    path = folder / CONFIG
    if path.exists() and json.loads(path.read_text("utf-8")) != config:
        raise click.UsageError(f"`{folder}` was begun in another way")
    write_atomically(path, f"{json.dumps(config, indent=1)}\n")
    with opened(folder) as loop:
        loop.found(bundle.read_bytes(), only)
        numbers = ", ".join(f"{n} = {v}" for n, v in loop.books.values().items())
        write_out(f"{folder / LIVE} is in force: bundle {loop.books.version[:12]}\n{numbers}\n")
    return OK


@contextmanager
def opened(folder: Path) -> Iterator[Loop]:
    """The loop that was begun in a directory."""
    from runtime.enforcer import Enforcer
    from runtime.open_store import open_store
    from runtime.settings import Settings
    from simulator.meta_books import META, Books, RefusedError, ruling
    from simulator.meta_loop import Loop, Staff
    from simulator.meta_targets import BundleFile

    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        given, params = config["given"], config["params"]
        staff = Staff(given["Operators"][0], given["Analysts"][0], given["Auditors"][0])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise click.UsageError(f"nothing was begun in `{folder}` (policyctl govern init): {error}") from None
    settings = Settings(
        clock=milliseconds, fresh=lambda: "", approvals=False, given={META: given}, params={META: params}
    )
    enforcer = Enforcer(ruling(), open_store(str(folder / "governance.db")), settings)
    try:
        if enforcer.fault is not None:
            raise RefusedError(enforcer.fault[1])
        yield Loop(folder, Books(enforcer), BundleFile(folder / LIVE), staff)
    finally:
        enforcer.close()


@govern.command(short_help="Propose a change: rehearse it, prove it, put it to the vote.")
@_there
@click.argument("changes", metavar="NAME=VALUE", nargs=-1, required=True)
@_by
@click.option("--scenario", required=True, metavar="NAME|FILE", help="What it is rehearsed in.")
@click.option("--metric", required=True, metavar="METRIC", help="What is to become better.")
@click.option("--id", "proposal", metavar="ID", help="What it is called; one that was interrupted goes on.")
@click.option("--pairs", type=click.IntRange(min=4), default=8, show_default=True, help="Rehearsals, in pairs of runs.")
@click.option("--begins", type=click.IntRange(min=0), default=0, show_default=True, help="The tick of the change.")
@within_option
@parallel_option
@refusals
def propose(
    folder: Path,
    changes: tuple[str, ...],
    by: str,
    scenario: str,
    metric: str,
    proposal: str | None,
    pairs: int,
    begins: int,
    within: str | None,
    jobs: int,
) -> int:
    """Propose to change parameters. What is not better beyond doubt, or not proved, is not put to the vote.

    \b
    Example:
      policyctl govern propose governance SEND_LIMIT=40 --as ann --scenario security_attack --metric resilience
    """
    from policyctl.reprove import Reprove
    from runtime import amend
    from runtime.bundle import read
    from simulator.meta_books import RefusedError
    from simulator.meta_proof import Proof
    from simulator.meta_trial import Rehearsal
    from simulator.optimise import known_metric
    from simulator.scenario import load

    amendment = amendment_of(changes)
    prove = Reprove(relations_of(within))
    chosen = load(scenario)
    rehearsal = Rehearsal(chosen, known_metric(metric), begins, tuple(chosen.seed + i for i in range(pairs)))
    name = proposal or next(n for n in map("a{}".format, count(1)) if not (folder / "proposals" / n).exists())
    with opened(folder) as loop:
        loop.reconcile()
        if loop.books.standing(name).trial == "Blank":
            bundle = read((folder / LIVE).read_bytes())
            inside = not amend.outside(amend.numbers(bundle.policies), amendment)
            if inside and (broken := prove.relations(loop.books.values(), amendment)):
                return _refused(Proof("", b"", {}, {}, 0, broken))
            try:
                loop.propose(name, by, amendment, rehearsal)
            except RuntimeError as error:
                click.echo(f"refused: {error}", err=True)
                return _refused(prove(bundle, loop.books.values(), amendment))
        elif loop.order(name)["amendment"] != amendment:
            raise RefusedError(f"`{name}` is another amendment; leave out --id, or choose one that is free")
        write_out(f"{name}: {', '.join(f'{n} = {v}' for n, v in amendment.items())}, by {by}\n")
        return _go_on(loop, name, prove, jobs)


def _refused(proof: Proof) -> int:
    """What the new numbers would break, if anything."""
    from policyctl.render_meta import render_proof

    if not proof.proved:
        write_out("\n".join(render_proof(proof, own_paint())) + "\n")
    return REFUTED


def _go_on(loop: Loop, proposal: str, prove: Any, jobs: int) -> int:
    """Rehearse, prove and put to the vote, from wherever the proposal stands."""
    from policyctl.render_meta import render_evidence, render_proof, render_trial
    from simulator.executor import Processes

    if loop.books.standing(proposal).trial == "Written":
        with Processes(jobs, ("simulator.meta_trial", "simulator.engine")) as executor:
            trial, _ = loop.simulate(proposal, executor, milliseconds(), engine())
        write_out("\n".join(render_trial(trial)) + "\n")
    if loop.books.standing(proposal).trial == "Simulated":
        proof, _ = loop.verify(proposal, prove)
        write_out("\n".join(render_proof(proof, own_paint())) + "\n")
    if loop.books.standing(proposal).trial != "Verified":
        write_out(f"{proposal} is not put to the vote\n")
        return REFUTED
    evidence = loop.put_to_vote(proposal, str(loop.order(proposal)["by"]))
    write_out("\n".join(render_evidence(evidence)) + f"\n{proposal} is put to the vote\n")
    return OK


@govern.command(short_help="Go on with a proposal that was interrupted.")
@_there
@_proposal
@within_option
@parallel_option
@refusals
def resume(folder: Path, proposal: str, within: str | None, jobs: int) -> int:
    """Go on with a proposal from where it stands. What is in force is made what it has to be first."""
    from policyctl.reprove import Reprove

    with opened(folder) as loop:
        loop.reconcile()
        return _go_on(loop, proposal, Reprove(relations_of(within)), jobs)


@govern.command(short_help="Where things stand, and the evidence.")
@_there
@click.argument("proposal", metavar="[ID]", required=False)
@refusals
def show(folder: Path, proposal: str | None) -> int:
    """Say what is in force and where each proposal stands; of one, also the evidence, whose digest is checked."""
    from policyctl.render_meta import render_evidence

    with opened(folder) as loop:
        loop.reconcile()
        books = loop.books
        if proposal is None:
            names = sorted(p.name for p in (folder / "proposals").glob("*"))
            write_out(f"in force  bundle {books.version[:12]}\n")
            write_out("".join(f"          {n} = {v}\n" for n, v in books.values().items()))
            # What was refused at once has an order, and no standing.
            names = [n for n in names if books.standing(n).trial != "Blank"]
            write_out("".join(f"{n:<9} {_standing(loop, n)}\n" for n in names))
            return OK
        write_out(f"{proposal}  {_standing(loop, proposal)}\n")
        write_out("\n".join(render_evidence(loop.evidence(proposal))) + "\n")
    return OK


def _standing(loop: Loop, proposal: str) -> str:
    found = loop.books.standing(proposal)
    votes = f", {found.yes} yes to {found.no} no" if found.yes + found.no else ""
    return f"{found.trial.lower()}, {found.stage}{votes}"


@govern.command(short_help="Vote on a proposal.")
@_there
@_proposal
@click.argument("answer", type=click.Choice(["yes", "no"]), metavar="yes|no")
@_by
@refusals
def vote(folder: Path, proposal: str, answer: str, by: str) -> int:
    """Vote yes or no, with the reputation you had when voting opened, on evidence that is checked first."""
    with opened(folder) as loop:
        loop.vote(proposal, by, answer == "yes")
        write_out(f"{proposal}: {_standing(loop, proposal)}\n")
    return OK


@govern.command(short_help="Close the vote; bring what was approved into force, on trial.")
@_there
@_proposal
@refusals
def apply(folder: Path, proposal: str) -> int:
    """When voting is over and the timelock has run out, bring what was approved into force. It is on trial then."""
    with opened(folder) as loop:
        loop.reconcile()
        stage = loop.close(proposal)
        if stage in ("Archived", "ReputationUpdate"):
            write_out(f"{proposal} was not approved: {_standing(loop, proposal)}\n")
            return REFUTED
        evidence = loop.apply(proposal)
        changes = ", ".join(f"{n} = {v}" for n, v in evidence.amendment.items())
        write_out(f"{folder / LIVE} is in force: {changes}, bundle {evidence.leads_to[:12]}, on trial\n")
    return OK


@govern.command(short_help="Judge a trial by recorded runs: keep the change, or roll it back.")
@_there
@_proposal
@click.argument("runs", metavar="RUNS", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@refusals
def watch(folder: Path, proposal: str, runs: tuple[Path, ...]) -> int:
    """Judge a trial that is over by RUNS, recorded under the numbers in force in the scenario of the rehearsal.

    What was promised has to come on average of all; a figure that is missing, or no run at all, has not come. Exits
    with 0 if the change is kept, with 3 if it is rolled back.
    """
    from policyctl.render_meta import render_trial
    from simulator.compare import runs_in

    records = [r for path in runs for r in runs_in(path)]
    with opened(folder) as loop:
        loop.reconcile()
        evidence = loop.evidence(proposal)
        figures = [_figure(evidence, r) for r in records]
        kept = loop.judge(proposal, figures)
        write_out("\n".join(render_trial(evidence.trial)) + "\n")
        write_out(f"  watched    {', '.join(f'{f:.4g}' for f in figures) or 'nothing'}\n")
        write_out(f"{proposal} is {'kept' if kept else 'rolled back'}: bundle {loop.books.version[:12]} is in force\n")
    return OK if kept else REFUTED


def _figure(evidence: Any, record: Record) -> float:
    """The figure of a run under the amendment. Raises `RefusedError` for another run than was rehearsed for."""
    from simulator import carry_out
    from simulator.meta_books import RefusedError
    from simulator.meta_trial import figure_of

    header, rehearsal = record.header, evidence.trial.rehearsal
    where = f"the run in `{record.path}`"
    at_once = {**rehearsal.scenario.parameters, **evidence.amendment}
    begins = max((c.tick for c in header.changes), default=rehearsal.begins)
    numbers = dict(header.scenario.parameters)
    for change in header.changes:
        numbers |= change.parameters
    if header.seed in rehearsal.seeds:
        raise RefusedError(f"{where} has a seed that was rehearsed with")
    if not header.complete:
        raise RefusedError(f"{where} has not come to its end")
    if other := [n for n, v in at_once.items() if numbers.get(n, v if n not in evidence.amendment else None) != v]:
        raise RefusedError(f"{where} was made under another {other[0]}")
    others = [d for d in carry_out.differences(header.scenario, rehearsal.scenario) if d != "parameters"]
    if others:
        raise RefusedError(f"{where} is of another scenario: it differs in {', '.join(others)}")
    return figure_of(rehearsal, record.columns, record.decided.tolist(), record.happenings, begins)


@govern.command("rollback", short_help="End a trial that nobody has judged in time.")
@_there
@_proposal
@refusals
def rollback(folder: Path, proposal: str) -> int:
    """Roll back what is on trial for longer than WATCH and GRACE, and has not been judged."""
    with opened(folder) as loop:
        loop.reconcile()
        loop.give_up(proposal)
        write_out(f"{proposal} is rolled back: bundle {loop.books.version[:12]} is in force\n")
    return OK
