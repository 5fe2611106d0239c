"""The commands that take what others wrote: recorded runs and certificates."""

from __future__ import annotations

from pathlib import Path

import click

from policyctl.cli import commands
from policyctl.exit_codes import ERRORS, OK, REFUTED
from policyctl.loading import program_of
from policyctl.output import own_paint, write_out

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@commands.command()
@click.argument("trace", type=_file)
@click.argument("policy", type=click.Path(exists=True, dir_okay=False))
def replay(trace: Path, policy: str) -> int:
    """Replay the run recorded in TRACE against POLICY, and compare every decision and change.

    Counterexamples (`policyctl verify --traces DIR`), simulations and decision logs share one format.
    Exits with 0 when the policy decides as recorded, 3 when it does not.
    """
    from policyctl.render_text import render_trace
    from policyctl.to_views import trace_view
    from policydsl.core.to_json import digest
    from policydsl.interp import replay as differences
    from policydsl.interp import start_faults, violated
    from policydsl.trace_json import MalformedError, from_json

    program = program_of(policy)
    if program is None:
        return ERRORS
    system = program.system
    try:
        recorded = from_json(trace.read_text(encoding="utf-8"))
    except (MalformedError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{trace}: {error}") from error
    found = [*start_faults(system, recorded), *differences(system, recorded)]
    lines = list(render_trace(trace_view(system, recorded), own_paint()))
    if recorded.digest != digest(system):
        lines.append("the policy is not the one that this was recorded with")
    lines += found
    prop = next((p for p in system.properties if p.name == recorded.property), None)
    if prop is not None:
        at = violated(system, prop, recorded)
        lines.append(f"`{prop.name}` holds all along" if at is None else f"`{prop.name}` is decided after {at} steps")
    lines.append("differs from the record" if found else "every decision and change is as recorded")
    write_out("\n".join(lines) + "\n")
    return REFUTED if found else OK


@commands.command()
@click.argument("certificates", nargs=-1, required=True, type=_file)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False),
    help="Also compare the digest with that of this policy as it is now.",
)
def recheck(certificates: tuple[Path, ...], policy: str | None) -> int:
    """Discharge every obligation in CERTIFICATES again, with the second solver alone.

    Certificates come from `policyctl verify --certificates DIR`. Any disagreement exits with 3.
    """
    from policydsl.core.to_json import digest
    from verifier.certificate import CertificateError, read
    from verifier.certificate import recheck as check_again

    expected = None
    if policy is not None:
        program = program_of(policy)
        if program is None:
            return ERRORS
        expected = digest(program.system)
    paint = own_paint()
    good = True
    for path in certificates:
        try:
            certificate = read(path.read_text(encoding="utf-8"))
        except (CertificateError, UnicodeDecodeError) as error:
            raise click.ClickException(f"{path}: {error}") from error
        results = check_again(certificate)
        faults = [f"{r.property}: {r.what}: {r.fault}" for r in results if r.fault]
        if expected is not None and certificate.digest != expected:
            faults.append(f"the certificate is for digest {certificate.digest}, and {policy} has {expected}")
        proved = sum(p.verdict == "proved" for p in certificate.properties)
        symbol = paint("bold red", "✗") if faults else paint("green", "✓")
        count = f"{len(results)} obligations of {proved} proofs"
        verdict = "NOT confirmed" if faults else "confirmed by cvc5"
        write_out("\n".join([f"{symbol} {path}: {count} {verdict}", *(f"    {f}" for f in faults)]) + "\n")
        good = good and not faults
    return OK if good else REFUTED
