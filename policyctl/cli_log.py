"""The commands about decision logs: is it whole, what does it say, and proofs of it for others."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyctl.cli import Sections, commands
from policyctl.exit_codes import ERRORS, OK, REFUTED
from policyctl.files import write_atomically
from policyctl.loading import program_of
from policyctl.output import own_paint, write_out

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from policyctl.log_source import LogSource
    from runtime.heads import Head
    from runtime.log_file import LogReport
    from runtime.records import Record

MOST_FAULTS = 20
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_new_file = click.Path(dir_okay=False, path_type=Path)
_where = click.argument("where", metavar="LOG")
_head = click.option("--head", "kept", type=_file, help="A head that was kept elsewhere.")
_key = click.option("--key", type=_file, help="The public key to trust, as PEM: heads must be signed with it.")
_sign = click.option("--sign", type=_file, metavar="KEY", help="Sign a new head with this private key.")
_output = click.option("--output", "-o", type=_new_file, help="Write it to a file.")


@commands.group("log", cls=Sections, short_help="Decision logs: verify, show, prove.")
def log() -> None:
    """What enforcers have decided, and evidence that nobody changed it since.

    LOG is a file that `policyctl log export` wrote, or the store of an enforcer: an SQLite file or a URL of PostgreSQL.
    """


@log.command(short_help="Report every sign of tampering.")
@_where
@_head
@_key
def verify(where: str, kept: Path | None, key: Path | None) -> int:
    """Check that no record of LOG was changed, removed, added or put elsewhere. Exits with 1 if one was.

    A head kept elsewhere (`policyctl log head`) shows that nothing up to it was rewritten or cut off. Without one, and
    without a key to trust, damage shows, but not the work of somebody who wrote the whole log anew.

    \b
    Examples:
      policyctl log verify decisions.log
      policyctl log verify store.db --head kept.head --key signer.pub
    """
    from policyctl.log_source import read_head, read_log

    source = read_log(where)
    report = source.check(None if kept is None else read_head(kept), _trusted(key))
    _show(where, report)
    return OK if report.whole else ERRORS


def _show(where: str, report: LogReport) -> None:
    paint = own_paint()
    if report.whole:
        signed = f", signed with `{report.head.key}`" if report.head is not None and report.head.signed else ""
        lines = [f"{paint('green', '✓')} {where}: {report.size} records, root {report.root.hex()[:16]}{signed}"]
    else:
        lines = [f"{paint('bold red', '✗')} {where}: {report.size} records, and they are NOT as they were written"]
        lines += [f"    {fault}" for fault in report.faults[:MOST_FAULTS]]
        if len(report.faults) > MOST_FAULTS:
            lines.append(f"    and {len(report.faults) - MOST_FAULTS} more")
    lines += [paint("dim", f"    note: {remark}") for remark in report.remarks]
    write_out("\n".join(lines) + "\n")


def _trusted(key: Path | None) -> Ed25519PublicKey | None:
    from runtime.heads import SigningError, read_public

    if key is None:
        return None
    try:
        return read_public(key.read_text(encoding="utf-8", errors="replace"))
    except SigningError as error:
        raise click.ClickException(f"{key}: {error}") from error


@log.command(short_help="Show what was decided.")
@_where
@click.option("--last", type=click.IntRange(min=1), help="Only so many, the latest.")
@click.option("--denied", is_flag=True, help="Only what was denied.")
@click.option("--action", help="Only requests for this action.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A table, or the records as they are, one on each line.",
)
def show(where: str, last: int | None, denied: bool, action: str | None, format_: str) -> int:
    """Show the records of LOG: decisions and what else happened. Times are UTC.

    Exits with 1 if the log is not as it was written: `policyctl log verify` says more.
    """
    from policyctl.log_source import read_log
    from policyctl.render_log import render_record
    from runtime.records import to_bytes

    source = read_log(where)
    chosen = [r for r in _records(source) if _wanted(r, denied, action)]
    paint = own_paint()
    for record in chosen[-last:] if last is not None else chosen:
        write_out((render_record(record, paint) if format_ == "text" else to_bytes(record).decode("ascii")) + "\n")
    report = source.check()
    if not report.whole:
        click.echo(f"{where} is not as it was written: see `policyctl log verify`", err=True)
    return OK if report.whole else ERRORS


def _records(source: LogSource) -> Iterator[Record]:
    """Those that can be read."""
    from runtime.records import MalformedError, from_bytes

    for text in source.records:
        try:
            yield from_bytes(text)
        except MalformedError:
            continue


def _wanted(record: Record, denied: bool, action: str | None) -> bool:
    from runtime.records import Event

    if isinstance(record, Event):
        return not denied and action is None
    return (not denied or record.effect == "deny") and action in {None, record.action}


@log.command(short_help="Decide everything again, and compare.")
@_where
@click.argument("policy", type=click.Path(exists=True, dir_okay=False))
def replay(where: str, policy: str) -> int:
    """Let the reference interpreter decide again what LOG says that POLICY has decided, and compare each decision.

    Secrets are no obstacle: beside a redacted text, the log has one that the policy cannot tell from it. Exits with 0
    when every decision is as recorded, 1 when the log was tampered with or has no such decision, 3 when one differs.
    """
    return replay_log(where, policy)


def replay_log(where: str, policy: str) -> int:
    """What `replay` does."""
    from policyctl.log_source import read_log
    from runtime.records import MalformedError
    from runtime.to_trace import replay_records

    program = program_of(policy)
    source = read_log(where)
    if program is None or _whole(source) is None:
        return ERRORS
    try:
        found = replay_records(_records(source), program.system)
    except MalformedError as error:
        raise click.ClickException(f"{where}: {error}") from error
    lines = [*found.faults, *found.others]
    if found.aside:
        lines.append(f"{len(found.aside)} records are no decisions of the policy, or not recorded whole")
    if found.faults:
        lines.append("differs from the record")
    elif found.compared:
        lines.append(f"{found.compared} decisions and what they changed are as recorded")
    else:
        lines.append(f"no decision here was made by this policy, `{program.system.name}`")
    write_out("\n".join(lines) + "\n")
    return REFUTED if found.faults else OK if found.compared else ERRORS


@log.command(short_help="Prove that a record is in the log.")
@_where
@click.argument("number", type=click.IntRange(min=0), metavar="N")
@_head
@_output
def prove(where: str, number: int, kept: Path | None, output: Path | None) -> int:
    """Write a proof that record N is in LOG, for somebody who has a head of it: `policyctl log check` checks it.

    The proof is for the head that is given, or else for the one that `policyctl log head` prints.
    """
    from policyctl.log_source import read_head, read_log
    from runtime import proofs

    source = read_log(where)
    if kept is not None:
        head = read_head(kept)
    else:
        report = _whole(source)
        if report is None:
            return ERRORS
        head = _present_head(report)
    if number >= min(head.size, len(source.records)):
        raise click.UsageError(f"there is no record {number} among the first {head.size}")
    try:
        proof = proofs.prove(source.records, number, head.size)
        text = proofs.to_text(proof)
    except ValueError as error:
        raise click.ClickException(f"record {number} cannot be proved: {error}") from error
    wrong = proofs.fault(proof, head)
    if wrong is not None:
        raise click.ClickException(f"{where} is not what the head says: {wrong}")
    _write(text, output)
    return OK


@log.command(short_help="Check the proof of a record.")
@click.argument("proof", type=_file)
@click.option("--head", "kept", type=_file, required=True, help="The head to check against.")
@_key
def check(proof: Path, kept: Path, key: Path | None) -> int:
    """Check that PROOF shows its record to be in the log with the given head. The log itself is not needed."""
    from policyctl.log_source import read_head
    from policyctl.render_log import render_record
    from runtime import heads, proofs
    from runtime.records import from_bytes

    head = read_head(kept)
    try:
        found = proofs.from_text(proof.read_text(encoding="ascii"))
    except (proofs.MalformedError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{proof} is no proof: {error}") from error
    trusted = _trusted(key)
    wrong = proofs.fault(found, head)
    if wrong is None and trusted is not None:
        wrong = heads.signature_fault(head, trusted)
    paint = own_paint()
    if wrong is not None:
        write_out(f"{paint('bold red', '✗')} {proof}: {wrong}\n")
        return ERRORS
    write_out(f"{paint('green', '✓')} {proof}: record {found.n} of {found.size}\n")
    write_out(render_record(from_bytes(found.record), paint) + "\n")
    return OK


@log.command(short_help="Print the head, to be kept elsewhere.")
@_where
@_sign
@_output
def head(where: str, sign: Path | None, output: Path | None) -> int:
    """Print the head of LOG: its size and root. Whoever keeps it can later tell that nothing before it was changed."""
    from policyctl.log_source import read_log
    from runtime import heads

    report = _whole(read_log(where))
    if report is None:
        return ERRORS
    _write(heads.to_text(_present_head(report, sign)), output)
    return OK


@log.command(short_help="Write the log to a file.")
@_where
@click.argument("file", type=_new_file)
@_sign
def export(where: str, file: Path, sign: Path | None) -> int:
    """Write LOG to FILE: one record on each line, and at the end a head, which makes changes to the file show."""
    from policyctl.log_source import read_log
    from runtime.log_file import to_lines

    source = read_log(where)
    report = _whole(source)
    if report is None:
        return ERRORS
    lines = to_lines(source.records, _present_head(report, sign))
    write_atomically(file, b"".join(lines).decode("ascii"))
    click.echo(f"wrote {len(source.records)} records to {file}", err=True)
    return OK


def _whole(source: LogSource) -> LogReport | None:
    """What is not whole must not get a new head, or a proof of its own: it would pass for whole."""
    report = source.check()
    if report.whole:
        return report
    _show(source.where, report)
    return None


def _present_head(report: LogReport, sign: Path | None = None) -> Head:
    """The head that comes with the log if it covers all of it, and no new signature is asked for; else a new one."""
    from runtime import heads

    if sign is None and report.head is not None and report.head.size == report.size:
        return report.head
    new = heads.Head(report.size, report.root, time.time_ns() // 1_000_000)
    if sign is None:
        return new
    try:
        return heads.sign(new, heads.read_private(sign.read_text(encoding="utf-8", errors="replace")))
    except heads.SigningError as error:
        raise click.ClickException(f"{sign}: {error}") from error


@log.command(short_help="Make a pair of keys for signing heads.")
@click.argument("file", type=_new_file)
def keygen(file: Path) -> int:
    """Make a pair of Ed25519 keys: the private one in FILE, for its owner's eyes only, the public one in FILE.pub."""
    from runtime import heads

    public = file.with_name(f"{file.name}.pub")
    for path in (file, public):
        if path.exists():
            raise click.UsageError(f"`{path}` is there already, and keys are not overwritten")
    try:
        key = heads.generate_key(secrets.token_bytes(heads.SEED_SIZE))
    except heads.SigningError as error:
        raise click.ClickException(str(error)) from error
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(heads.private_pem(key))
    write_atomically(public, heads.public_pem(heads.public_of(key)))
    write_out(f"key `{heads.key_id(heads.public_of(key))}`: private in {file}, public in {public}\n")
    return OK


def _write(text: str, output: Path | None) -> None:
    if output is None:
        write_out(f"{text}\n")
    else:
        write_atomically(output, f"{text}\n")
