"""The commands about a chain: a node of one's own, the governance contract on it, and anchors of decision logs."""

from __future__ import annotations

import functools
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from policyctl.cli import Sections, commands
from policyctl.exit_codes import ERRORS, OK, REFUTED
from policyctl.output import own_paint, write_out

if TYPE_CHECKING:
    from policyctl.chain.governance import Governance
    from policyctl.chain.node import Node
    from policyctl.chain.talk import Chain, Sent

F = TypeVar("F", bound=Callable[..., Any])
PORT = 8545
MOST_NUMBER = (1 << 256) - 1

_directory = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="POLICYCTL_CHAIN_DIR",
    default=Path(".policyctl-chain"),
    show_default=True,
    help="Where is noted what was deployed, and where nodes are installed.",
)
_number = click.argument("number", metavar="N", type=click.IntRange(0, MOST_NUMBER))
_who = click.option("--as", "who", metavar="NAME", required=True, help="Who asks: a name of `status`, or an address.")
_anybody = click.option("--as", "who", metavar="NAME", help="Who asks [default: the operator].")
_log = click.argument("log", metavar="LOG")


def _told(command: F) -> F:
    """What is wrong with the chain, and what the contract denies, is told to the user as such."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from policyctl.chain.talk import ChainError, DeniedError
        from policyctl.render_chain import hint, render_denied

        try:
            return command(*args, **kwargs)
        except DeniedError as denied:
            number = kwargs.get("number")
            given = kwargs.get("given", ()) if number is None else (str(number),)
            write_out(render_denied(str(denied), hint(str(denied), given), own_paint()))
            return REFUTED
        except ChainError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            # Among them are those of the connection: a node may end while it is asked.
            raise click.ClickException(f"the chain, or a file, cannot be reached: {error}") from None

    return wrapped  # type: ignore[return-value]


@commands.group("chain", cls=Sections, short_help="The governance contract on a chain, and anchored logs.")
def chain() -> None:
    """Deploy the contract of specs/mvg/governance.policy to a node on this machine, and talk to it.

    Needs the extra `chain`. Accounts are those of the node, which holds their keys: this is for trying things out.

    \b
    A first session:
      policyctl chain up --detach --install
      policyctl chain propose "lower the quorum" --as alice
      policyctl chain vote 0 yes --as bob
      policyctl chain wait 24h
      policyctl chain close 0
      policyctl chain status
      policyctl chain down
    """


@chain.command(short_help="Start a node and deploy.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free one.")
@click.option("--detach", is_flag=True, help="Leave the node running; `policyctl chain down` ends it.")
@click.option("--install", is_flag=True, help="Have npm install a node below the directory, if there is none.")
@click.option("--url", metavar="URL", help="Deploy to the node that runs there, instead of starting one.")
@click.option("--member", "members", multiple=True, metavar="NAME", help="A member (may be repeated).")
@click.option("--auditor", "auditors", multiple=True, metavar="NAME", help="An auditor (may be repeated).")
@click.option(
    "--set", "settings", multiple=True, metavar="PARAMETER=VALUE", help="A parameter of the policy: `QUORUM=200`."
)
@_directory
@_told
def up(
    port: int,
    detach: bool,
    install: bool,
    url: str | None,
    members: tuple[str, ...],
    auditors: tuple[str, ...],
    settings: tuple[str, ...],
    directory: Path,
) -> int:
    """Start a node on 127.0.0.1 and deploy the governance contract and the one for anchors to it.

    The node is Anvil, from npm, or else Hardhat: `--install` has npm install one, and nothing is installed without it.
    Members are alice, bob, carol and dave, and judy is an auditor, unless others are named; eve is a stranger.

    \b
    Examples:
      policyctl chain up --detach --install
      policyctl chain up --port 0 --set VOTING_PERIOD=1h --set QUORUM=200
      policyctl chain up --url http://127.0.0.1:8545 --member ann --member ben --auditor zoe
    """
    from dataclasses import replace

    from policyctl.chain import governance as contracts
    from policyctl.chain import node, state
    from policyctl.chain.talk import ChainError

    parameters = dict(contracts.parameter(s) for s in settings)
    if _running(directory) is not None:
        raise ChainError("contracts are up already: see `policyctl chain status`; `policyctl chain down` ends that")
    started: Node | None = None
    if url is None:
        program = node.find(directory)
        if program is None:
            if not install:
                raise ChainError(node.wanted(directory))
            program = node.install(directory)
        started = node.start(program, port, directory / "node.log")
        url = started.url
    try:
        found = contracts.deploy_all(
            _connect(url), url, members or contracts.MEMBERS, auditors or contracts.AUDITORS, parameters
        )
        if started is not None:
            found = replace(found, node=started.name, process=started.process.pid)
        state.write(directory, found)
        _show_up(directory)
    except BaseException:
        if started is not None:
            started.stop()
        raise
    if started is not None and detach:
        started.leave()
    elif started is not None:
        _stay(started, directory)
    return OK


def _show_up(directory: Path) -> None:
    from policyctl.render_chain import render_where

    governance = _open(directory)
    write_out(render_where(governance, own_paint()))
    people = ", ".join(f"{m.name} ({m.standing})" for m in governance.members())
    write_out(f"{people}\n")


def _stay(started: Node, directory: Path) -> None:
    """Until somebody ends it, one way or the other."""
    from policyctl.chain import state

    def ended(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, ended)
    click.echo("Ctrl-C ends the node", err=True)
    try:
        started.process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        started.stop()
        state.remove(directory)


@chain.command(short_help="End the node, and forget what was deployed.")
@_directory
@_told
def down(directory: Path) -> int:
    """End the node that `policyctl chain up --detach` started. The chain is gone with it."""
    from policyctl.chain import node, state

    found = state.read(directory)
    governance = _running(directory)
    if found.process and governance is not None:
        node.stop(found.process)
        click.echo(f"the node at {found.url} has ended")
    elif found.process:
        # Another process may have its number by now.
        click.echo(f"no node answers at {found.url} with what was deployed; nothing was ended")
    state.remove(directory)
    return OK


@chain.command(short_help="Proposals, votes, who acts.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@_directory
@_told
def status(format_: str, directory: Path) -> int:
    """Show what is on the chain: the contract, all proposals, and those who act with their reputation."""
    from policyctl.render_chain import render_status, status_data

    governance = _open(directory)
    if format_ == "json":
        write_out(f"{json.dumps(status_data(governance), indent=1)}\n")
    else:
        write_out(render_status(governance, own_paint()))
    return OK


@chain.command(short_help="Write a proposal and open it for voting.")
@click.argument("text")
@_who
@_directory
@_told
def propose(text: str, who: str, directory: Path) -> int:
    """Write a proposal down, submit it, and open voting on it."""
    from policyctl.chain.talk import instant

    governance = _open(directory)
    number, sent = governance.propose(text, who)
    ends = governance.proposal(number).voting_ends
    _show(f"proposal {number} by {who}: voting is open until {instant(ends)}", sent)
    return OK


@chain.command(short_help="Vote on a proposal.")
@_number
@click.argument("ballot", type=click.Choice(["yes", "no"]))
@_who
@_directory
@_told
def vote(number: int, ballot: str, who: str, directory: Path) -> int:
    """Vote on proposal N, with the reputation that one had when voting opened."""
    governance = _open(directory)
    sent = governance.act("vote", (str(number), ballot), who)
    found = governance.proposal(number)
    _show(f"{who} votes {ballot} on proposal {number}: yes {found.yes}, no {found.no}", sent)
    return OK


@chain.command(short_help="Close voting that has ended.")
@_number
@_anybody
@_directory
@_told
def close(number: int, who: str | None, directory: Path) -> int:
    """Close voting on proposal N when its time is over: it is approved, or defeated."""
    return _step("close_voting", number, who, directory)


@chain.command(short_help="Execute what was approved.")
@_number
@_anybody
@_directory
@_told
def execute(number: int, who: str | None, directory: Path) -> int:
    """Execute proposal N, which was approved, when its timelock has run out."""
    return _step("execute", number, who, directory)


@chain.command(short_help="Any action of the policy.")
@click.argument("name", metavar="ACTION")
@click.argument("given", metavar="[INPUT]...", nargs=-1)
@_anybody
@_directory
@_told
def act(name: str, given: tuple[str, ...], who: str | None, directory: Path) -> int:
    """Have any ACTION of the policy done, with its inputs in order; bots are named, proposals are numbers.

    \b
    Examples:
      policyctl chain act admit eve --as judy
      policyctl chain act report_conduct bob bad --as judy
      policyctl chain act decay
    """
    from policyctl.chain.governance import action_named

    if action_named(name).asks and who is None:
        raise click.UsageError(f"it matters who asks for `{name}`: say `--as NAME`")
    governance = _open(directory)
    sent = governance.act(name, given, who or governance.found.operator)
    _show(" ".join([name, *given]), sent)
    return OK


@chain.command(short_help="Let time pass on the chain.")
@click.argument("duration")
@_directory
@_told
def wait(duration: str, directory: Path) -> int:
    """Let DURATION (`30s`, `24h`, `7d`) pass on the chain. Works with nodes for trying things out only.

    A second more passes, so that what has to be later than the duration is.
    """
    from policyctl.chain.governance import milliseconds
    from policyctl.chain.talk import instant

    seconds = -(-milliseconds(duration) // 1000)
    now = _open(directory).chain.wait(seconds)
    write_out(f"it is {instant(now)} on the chain\n")
    return OK


@chain.command(short_help="Anchor the root of a decision log.")
@_log
@_directory
@_told
def anchor(log: str, directory: Path) -> int:
    """Write the root of the decision log LOG to the chain: what it has now can never be changed without showing.

    LOG is a file that `policyctl log export` wrote, or the store of an enforcer.
    """
    from policyctl.chain import anchors
    from policyctl.chain.talk import instant

    leaves = _leaves(log)
    if leaves is None:
        return ERRORS
    governance = _open(directory)
    found, new = anchors.anchor(governance.anchor, governance.found.operator, leaves)
    said = "are anchored in" if new else "have been anchored since"
    mark = own_paint()("green", "✓")
    write_out(f"{mark} {log}: {found.size:,} records, root {found.root.hex()[:16]}, {said} block {found.block}, ")
    write_out(f"{instant(found.at)}\n")
    return OK


@chain.command(short_help="Compare a decision log with its anchors.")
@_log
@_directory
@_told
def check(log: str, directory: Path) -> int:
    """Say since which block each record of the decision log LOG cannot have been changed.

    Exits with 1 if it was changed, or if nothing of it is anchored.
    """
    from policyctl.chain import anchors
    from policyctl.render_chain import render_checked

    leaves = _leaves(log)
    if leaves is None:
        return ERRORS
    governance = _open(directory)
    found = anchors.check(governance.anchor, leaves)
    write_out(render_checked(log, found, own_paint()))
    return OK if found.is_whole else ERRORS


def _leaves(where: str) -> list[bytes] | None:
    """The leaf hashes of a log; None, and what is wrong with it is said, if it is not whole by itself."""
    from policyctl.log_source import read_log
    from runtime.merkle import leaf_hash

    source = read_log(where)
    if not source.check().whole:
        click.echo(f"{where} is not as it was written: see `policyctl log verify`", err=True)
        return None
    return [leaf_hash(r) for r in source.records]


def _step(name: str, number: int, who: str | None, directory: Path) -> int:
    governance = _open(directory)
    sent = governance.act(name, (str(number),), who or governance.found.operator)
    _show(f"proposal {number}: {governance.proposal(number).stage}", sent)
    return OK


def _show(what: str, sent: Sent) -> None:
    from policyctl.render_chain import render_sent

    write_out(render_sent(what, sent, own_paint()))


def _open(directory: Path) -> Governance:
    """What was deployed from there. Raises `ChainError`."""
    from policyctl.chain import state
    from policyctl.chain.governance import governance_at

    found = state.read(directory)
    return governance_at(_connect(found.url), found)


def _running(directory: Path) -> Governance | None:
    """The same, or None if it is not there any more."""
    from policyctl.chain import state
    from policyctl.chain.talk import ChainError

    if not state.exists(directory):
        return None
    try:
        return _open(directory)
    except ChainError:
        return None


def _connect(url: str) -> Chain:
    from policyctl.chain import talk

    return talk.over_http(url)
