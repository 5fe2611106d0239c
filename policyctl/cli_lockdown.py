"""The commands about lockdown, for operators: is there one in a store, begin one, end one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from policyctl.cli import Sections, commands
from policyctl.exit_codes import OK, REFUTED
from policyctl.output import own_paint, write_out

if TYPE_CHECKING:
    from runtime.store import Transaction

T = TypeVar("T")
_where = click.argument("where", metavar="STATE")
_by = click.option("--as", "by", metavar="NAME", required=True, help="Who does it; it is recorded.")
_because = click.option("--because", "reason", default="", help="Why; it is recorded.")


@commands.group("lockdown", cls=Sections, short_help="Lockdown: is there one, begin one, end one.")
def lockdown() -> None:
    """Deny everything but what policies list for emergencies, or end that.

    STATE is the store of enforcers: an SQLite file or a URL of PostgreSQL. Those that run follow with the next request.
    Whoever may write to the store can do this, with or without officers who were named to an enforcer.
    """


@lockdown.command(short_help="Say whether there is a lockdown, and why.")
@_where
def status(where: str) -> int:
    """Say whether there is a lockdown in STATE, and who began or ended one last. Exits with 3 if there is one."""
    from runtime.locking import latest

    found = _held(where, latest)
    paint = own_paint()
    said = paint("bold red", "locked down") if found.locked else paint("green", "no lockdown")
    if found.at:
        when = datetime.fromtimestamp(found.at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        who = f"by `{found.by}`" if found.by else "by a fault"
        said += f" since {when} UTC, {who}{f': {found.reason}' if found.reason else ''}"
    write_out(f"{said}\n")
    return REFUTED if found.locked else OK


@lockdown.command(short_help="Begin a lockdown.")
@_where
@_by
@_because
def enter(where: str, by: str, reason: str) -> int:
    """Deny everything but what policies list for lockdowns, in all enforcers that share STATE."""
    from runtime.lockdown import ENTERED

    return _change(where, ENTERED, by, reason)


@lockdown.command(short_help="End a lockdown.")
@_where
@_by
@_because
def lift(where: str, by: str, reason: str) -> int:
    """Let all enforcers that share STATE go on as before."""
    from runtime.lockdown import LIFTED

    return _change(where, LIFTED, by, reason)


def _change(where: str, event: str, by: str, reason: str) -> int:
    from policyctl.clock import milliseconds
    from runtime.locking import change

    if not by:
        raise click.UsageError("`--as` needs a name")
    decision = _held(where, lambda tx: change(tx, event, by, reason, milliseconds()))
    if decision.effect != "allow":
        raise click.ClickException(f"{where}: {decision.reason}")
    write_out(f"{where}: {event} by `{by}`\n")
    return OK


def _held(where: str, work: Callable[[Transaction], T]) -> T:
    from policydsl.core.read_json import MalformedError
    from runtime.open_store import open_store
    from runtime.store import StoreError

    if "://" not in where and not Path(where).is_file():
        raise click.UsageError(f"there is no file `{where}`")
    try:
        store = open_store(where)
        try:
            with store.hold() as tx:
                return work(tx)
        finally:
            store.close()
    except (StoreError, MalformedError) as error:
        raise click.ClickException(f"{where}: {error}") from error
