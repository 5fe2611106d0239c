"""The commands that take what others wrote: recorded runs and certificates."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from policyctl.cli import commands, jobs_option
from policyctl.exit_codes import ERRORS, OK, REFUTED
from policyctl.in_processes import in_processes
from policyctl.loading import program_of
from policyctl.output import own_paint, write_out

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@commands.command(short_help="Replay a recorded run, or recorded traffic.")
@click.argument("what", metavar="TRACE|LOG|BUNDLE|RUN", type=click.Path(exists=True, path_type=Path))
@click.argument("under", metavar="POLICY|TRAFFIC", type=click.Path(exists=True, dir_okay=False), required=False)
@click.option("--against", type=_file, metavar="BUNDLE", help="Which decisions about the traffic differ from its own.")
@click.option("--given", type=click.File(encoding="utf-8"), help="JSON: members of groups, other free variables.")
@click.option(
    "--examples", type=click.IntRange(min=0), default=3, show_default=True, help="How many to show of a kind."
)
@click.option("--on-evm", type=_file, metavar="ARTIFACT", help="Send the run of TRACE to this contract, too.")
@click.option("--map", "-m", "mappings", multiple=True, metavar="FILE", help="TRAFFIC is calls of hosts, mapped so.")
def replay(
    what: Path,
    under: str | None,
    against: Path | None,
    given: Any,
    examples: int,
    on_evm: Path | None,
    mappings: tuple[str, ...],
) -> int:
    """Replay the run recorded in TRACE or LOG under POLICY and compare, or decide TRAFFIC under BUNDLE.

    A run (`policyctl verify --traces DIR`) and a decision log (see `policyctl log replay`) are compared, every decision
    and change. Exits with 0 when the policy decides as recorded, 3 when it does not.

    Traffic is a file of lines of JSON, `{"action": …, "inputs": {…}, "at": …}`, a decision log, or a Parquet or Arrow
    file with a column `action` and one for each input. What the bundle would decide is counted, from its initial state
    on. With --against, the decisions that another bundle would make otherwise are counted and shown; then the command
    exits with 3 if there are any. With --map, the lines are calls of hosts as `/v1/calls` of `policyctl serve` takes
    them; `"told": true` marks what had happened already, and `"label"` by what answers are counted.

    With --on-evm the requests of TRACE become transactions to the compiled contract ARTIFACT on an EVM in this process
    (the extra `chain`); after each, the answer and every cell that the contract shows are compared with the policy's.

    A RUN is the directory of a run of the simulator (`policyctl simulate`): it is made again, and has to reach the same
    state.

    \b
    Examples:
      policyctl replay run.trace.json my.policy
      policyctl replay decisions.log my.policy
      policyctl replay new.bundle traffic.jsonl --against old.bundle
      policyctl replay bank.bundle calls.jsonl --map bank.toml
      policyctl replay run.trace.json my.policy --on-evm artifacts/My.json
    """
    if what.is_dir():
        from policyctl.cli_simulate import replay_run

        return replay_run(what)
    if under is None:
        raise click.UsageError("Missing argument 'POLICY|TRAFFIC'.")
    if _is_bundle(what) and mappings:
        from policyctl.cli_enforce import given_of, obligations
        from policyctl.replay_calls import replay_calls, traffic_plan

        plan = traffic_plan(what, mappings, given_of(given), frozenset(obligations(what)))
        return replay_calls(plan, Path(under), examples)
    if _is_bundle(what):
        from policyctl.cli_enforce import replay_bundle

        return replay_bundle(what, Path(under), against, given, examples)
    if _is_log(what):
        from policyctl.cli_log import replay_log

        return replay_log(str(what), under)
    return _replay_trace(what, under, on_evm)


def _is_log(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16).startswith((b'{"hash":"', b"SQLite format 3\x00"))


def _is_bundle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _replay_trace(trace: Path, policy: str, on_evm: Path | None) -> int:
    from policyctl.render_trace import render_trace
    from policyctl.to_views import trace_view
    from policydsl.core.system import PropertyKind
    from policydsl.core.to_json import digest
    from policydsl.interp import UnfitError, initial, violated
    from policydsl.interp import replay as differences
    from policydsl.replay_words import describe_difference, describe_start_faults
    from policydsl.trace_json import MalformedError, from_json

    program = program_of(policy)
    if program is None:
        return ERRORS
    system = program.system
    try:
        recorded = from_json(trace.read_text(encoding="utf-8"))
    except (MalformedError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{trace}: {error}") from error
    try:
        initial(system, dict(recorded.params), recorded.start)
    except UnfitError as error:
        raise click.ClickException(f"{trace} is no run of {policy}: {error}") from error
    known = {v.name for v in system.state}
    for name in (c.var for s in recorded.steps for c in s.changes if c.var not in known):
        raise click.ClickException(f"{trace} is no run of {policy}: there is no state variable `{name}`")
    if on_evm is not None:
        from policyctl.replay_on_evm import replay_on_evm

        return replay_on_evm(system, recorded, on_evm)
    found = describe_start_faults(system, recorded)
    found += [f"step {d.at}, {x}" for d in differences(system, recorded) for x in describe_difference(d, system)]
    lines = list(render_trace(trace_view(system, recorded), own_paint()))
    if recorded.digest != digest(system):
        lines.append("the policy is not the one that this was recorded with")
    lines += found
    prop = next((p for p in system.properties if p.name == recorded.property), None)
    if prop is not None:
        at = violated(system, prop, recorded)
        lines.append(f"`{prop.name}` {_outcome(prop.kind is PropertyKind.REACHABLE, at)}")
    lines.append("differs from the record" if found else "every decision and change is as recorded")
    write_out("\n".join(lines) + "\n")
    return REFUTED if found else OK


def _outcome(reachable: bool, at: int | None) -> str:
    if at is None:
        return "is not reached" if reachable else "holds all along"
    when = "in the initial state" if at == 0 else f"{'in' if reachable else 'by'} step {at}"
    return f"is {'reached' if reachable else 'broken'} {when}"


@commands.command(short_help="Discharge the obligations of proofs again.")
@click.argument("certificates", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False),
    help="Also compare the digest with that of this policy as it is now.",
)
@jobs_option
def recheck(certificates: tuple[Path, ...], policy: str | None, jobs: int) -> int:
    """Discharge every obligation in CERTIFICATES, files or directories of them, again, with the second solver alone.

    The obligations are first made again from the policy's core that stands in the certificate, and must be those of the
    certificate and enough for what it claims; runs are replayed. With --policy, the core is that of the policy, too.
    Certificates come from `policyctl verify --certificates DIR`. Any disagreement exits with 3.
    """
    from policydsl.core.to_json import digest

    expected = None
    if policy is not None:
        program = program_of(policy)
        if program is None:
            return ERRORS
        expected = digest(program.system)

    certificates = _files_of(certificates)

    def died(path: Path) -> Rechecked:
        raise click.ClickException(f"{path}: the worker process was ended by the system (out of memory?)")

    found = dict(in_processes(check_again, certificates, jobs, died))
    results = [found[path] for path in certificates]
    paint = own_paint()
    for path, r in zip(certificates, results, strict=True):
        if expected not in {None, r.digest}:
            r.faults.append(f"it is for a policy with another digest than {policy}: {r.digest or 'none'}")
        symbol = paint("bold red", "✗") if r.faults else paint("green", "✓")
        verdict = "NOT confirmed" if r.faults else "confirmed by cvc5"
        line = f"{symbol} {path}: {r.obligations} obligations of {r.proofs} proofs {verdict}"
        write_out("\n".join([line, *(f"    {f}" for f in (*r.faults, *r.remarks))]) + "\n")
    return REFUTED if any(r.faults for r in results) else OK


def _files_of(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """The certificates among and in `paths`, each once, as `verify --certificates DIR` names them."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = sorted(path.rglob("*.certificate.json")) if path.is_dir() else [path]
        if not inside:
            raise click.UsageError(f"there is no certificate in {path}")
        found |= dict.fromkeys(inside)
    return tuple(found)


@dataclass(slots=True)
class Rechecked:
    """What came of one certificate; no faults means that the second solver agrees with all of it."""

    digest: str = ""
    obligations: int = 0
    proofs: int = 0
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def check_again(path: Path) -> Rechecked:
    """The work on one certificate, in a process of its own."""
    from verifier.certificate import CertificateError, read
    from verifier.recheck import recheck, remarks

    try:
        certificate = read(path.read_text(encoding="utf-8"))
    except (CertificateError, UnicodeDecodeError) as error:
        return Rechecked(faults=[f"this is no certificate: {error}"])
    results = recheck(certificate)
    proofs = [p.obligations for p in certificate.properties if p.obligations]
    obligations = sum(map(len, proofs)) + sum(len(f.obligations) for f in certificate.facts)
    faults = [f"{r.property}: {r.what}: {r.fault}" for r in results if r.fault]
    return Rechecked(certificate.digest, obligations, len(proofs), faults, remarks(certificate))
