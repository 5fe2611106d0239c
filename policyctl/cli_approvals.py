"""The commands for people who are asked: what waits for an answer, and the answer."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyctl.cli import Sections, commands
from policyctl.cli_enforce import obligations
from policyctl.exit_codes import OK, REFUTED
from policyctl.output import own_paint, write_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policyctl.embed import Enforcer
    from policyctl.paint import Paint
    from policydsl.core.system import System
    from runtime.tickets import Question

_bundle = click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_state = click.argument("state")
_ticket = click.argument("ticket")
_by = click.option("--as", "by", metavar="NAME", required=True, help="Who answers; it is recorded.")
_key = click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take only a bundle signed with this public key (PEM).",
)
_unproved = click.option("--unproved", is_flag=True, help="Take a bundle that is not fully proved.")


@commands.group("approvals", cls=Sections, short_help="What waits for people, and their answers.")
def approvals() -> None:
    """See what waits for an answer, and answer it.

    BUNDLE and STATE are those of the enforcers that ask: an SQLite file or a URL of PostgreSQL. What is approved is
    decided again, now; if it is allowed, whoever asked gets that answer when they ask again.

    \b
    Examples:
      policyctl approvals list gateway.bundle gateway.db
      policyctl approvals approve gateway.bundle gateway.db 5f0c2a --as ann
    """


@approvals.command("list", short_help="What waits for an answer.")
@_bundle
@_state
@_key
@_unproved
@click.option(
    "--format", "format_", type=click.Choice(("text", "json")), default="text", show_default=True, help="How to answer."
)
def list_(bundle: Path, state: str, key: Path | None, unproved: bool, format_: str) -> int:
    """List what waits for an answer, the oldest first. A ticket may be shortened where that is clear."""
    with _opened(bundle, state, key, unproved) as enforcer:
        found = enforcer.questions()
        systems = [p.policy.system for p in enforcer.policies.running] if enforcer.policies else []
    if format_ == "json":
        from hosts.people import to_json

        write_out(json.dumps([to_json(q) for q in found], indent=2, ensure_ascii=False) + "\n")
    elif not found:
        write_out("nothing waits for an answer\n")
    else:
        paint = own_paint()
        write_out("\n".join(line for q in found for line in _lines(q, systems, paint)) + "\n")
    return OK


@approvals.command(short_help="Say yes.")
@_bundle
@_state
@_ticket
@_by
@_key
@_unproved
def approve(bundle: Path, state: str, ticket: str, by: str, key: Path | None, unproved: bool) -> int:
    """Approve what TICKET asks. Exits with 3 if it is denied all the same: too late, or in the meantime forbidden."""
    return _answer(bundle, state, ticket, by, key, unproved, approved=True)


@approvals.command(short_help="Say no.")
@_bundle
@_state
@_ticket
@_by
@_key
@_unproved
def deny(bundle: Path, state: str, ticket: str, by: str, key: Path | None, unproved: bool) -> int:
    """Refuse what TICKET asks."""
    return _answer(bundle, state, ticket, by, key, unproved, approved=False)


def _answer(bundle: Path, state: str, ticket: str, by: str, key: Path | None, unproved: bool, *, approved: bool) -> int:
    with _opened(bundle, state, key, unproved) as enforcer:
        meant = [q for q in enforcer.questions() if q.ticket.startswith(ticket)]
        if len(meant) != 1:
            raise click.ClickException(f"{len(meant) or 'no'} questions begin with `{ticket}`")
        decision = enforcer.answer(meant[0].ticket, approved, by)
    paint = own_paint()
    style = "green" if decision.effect == "allow" else "bold red"
    write_out(f"{paint(style, decision.effect)}  {decision.code.value}")
    write_out(f": {decision.reason}\n" if decision.reason else "\n")
    return OK if (decision.effect == "allow") is approved else REFUTED


@contextmanager
def _opened(bundle: Path, state: str, key: Path | None, unproved: bool) -> Iterator[Enforcer]:
    from policyctl.embed import MEMORY, Enforcer

    if state == MEMORY:
        raise click.UsageError("what is in the memory of another process cannot be answered from here")
    enforcer = Enforcer.open(bundle, state, key=key, unproved=unproved, promised=obligations(bundle))
    if enforcer.fault is not None:
        raise click.ClickException(f"{bundle}: {enforcer.fault[1]}")
    try:
        yield enforcer
    finally:
        enforcer.close()


def _lines(q: Question, systems: Sequence[System], paint: Paint) -> list[str]:
    from policyctl.call_words import call_words

    until = datetime.fromtimestamp(q.until / 1000, UTC).strftime("%H:%M:%S UTC")
    asked = call_words(q.action.removeprefix(f"{q.system}."), dict(q.inputs), systems)
    who = ", ".join(f"{rule} asks {by}" for rule, by in q.rules)
    return [f"{paint('bold', q.ticket)}  {asked}", f"  {who}; until {until}"]
