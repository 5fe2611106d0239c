"""The sidecar: `policyctl serve`, and tokens for it."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any

import click

from policyctl.cli import commands
from policyctl.cli_enforce import given_of
from policyctl.exit_codes import OK

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})")


@commands.command(short_help="Decide for hosts beside it, over a unix socket or HTTP.")
@click.argument("bundle", type=_file)
@click.option("--map", "-m", "mappings", multiple=True, metavar="FILE", help="How calls of a host become requests.")
@click.option("--uds", type=click.Path(path_type=Path), metavar="PATH", help="Listen on a unix socket.")
@click.option("--uds-mode", default="600", show_default=True, metavar="MODE", help="Who may reach it, in octal.")
@click.option("--listen", metavar="HOST:PORT", help="Listen there; needs --token-file.")
@click.option("--token-file", type=_file, help="Who may do what; see `policyctl token`.")
@click.option("--state", default="memory:", show_default=True, help="SQLite file or PostgreSQL URL.")
@click.option("--given", type=click.File(encoding="utf-8"), help="JSON: members of groups, other free variables.")
@click.option("--key", type=_file, help="Take only a bundle signed with this public key (PEM).")
@click.option("--promise", multiple=True, metavar="NAME", help="An obligation that the hosts carry out.")
@click.option("--officer", multiple=True, metavar="NAME", help="May enter and lift lockdown.")
@click.option("--shadow", is_flag=True, help="Decide and record, but deny nothing.")
@click.option("--unproved", is_flag=True, help="Take a bundle that is not fully proved.")
def serve(
    bundle: Path,
    mappings: tuple[str, ...],
    uds: Path | None,
    uds_mode: str,
    listen: str | None,
    token_file: Path | None,
    state: str,
    given: Any,
    key: Path | None,
    promise: tuple[str, ...],
    officer: tuple[str, ...],
    shadow: bool,
    unproved: bool,
) -> int:
    """Decide by BUNDLE for hosts that ask over HTTP: AuthZEN, OPA's Data API, Envoy, LiteLLM, Claude Code, and a plain
    protocol of its own. /openapi.json has all routes.

    SIGHUP reads bundle and mappings again; nothing changes unless they fit and everything is proved.

    \b
    Examples:
      policyctl serve gateway.bundle --map openclaw.toml --uds /run/policyctl.sock --state gateway.db
      policyctl serve gateway.bundle --map authzen.toml --listen 127.0.0.1:8181 --token-file tokens
    """
    _needed()
    from policyctl.serving import Plan, ServeError, on_path, on_port, prepare, run, unlink

    if (uds is None) == (listen is None):
        raise click.UsageError("say where to listen: `--uds PATH` or `--listen HOST:PORT`")
    if listen is not None and token_file is None:
        raise click.UsageError("over TCP anybody on the machine could ask: `--token-file` says who may")
    cells = given_of(given)
    plan = Plan(
        bundle, mappings, state, key, token_file, cells, frozenset(promise), officer, shadow=shadow, unproved=unproved
    )
    base = "http://localhost" if listen is None else f"http://{listen}"
    try:
        service = prepare(plan, base)
        listening = on_path(uds, _mode(uds_mode)) if uds is not None else on_port(*_address(listen or ""))
    except ServeError as error:
        raise click.ClickException(str(error)) from error
    where = str(uds) if uds is not None else base
    try:
        run(service, [listening], lambda: click.echo(f"listening on {where}", err=True))
    finally:
        if uds is not None:
            unlink(uds)
    return OK


@commands.command("mcp-proxy", short_help="Decide every tool call to an MCP server.")
@click.argument("bundle", type=_file)
@click.option("--map", "-m", "mapping", required=True, metavar="FILE", help="How tools become requests; host `mcp`.")
@click.option("--state", default="memory:", show_default=True, help="SQLite file or PostgreSQL URL.")
@click.option("--given", type=click.File(encoding="utf-8"), help="JSON: members of groups, other free variables.")
@click.option("--key", type=_file, help="Take only a bundle signed with this public key (PEM).")
@click.option("--wait", type=click.FloatRange(0, 600), default=0, help="Seconds to wait for people who are asked.")
@click.option("--shadow", is_flag=True, help="Decide and record, but deny nothing.")
@click.option("--unproved", is_flag=True, help="Take a bundle that is not fully proved.")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND…")
def mcp_proxy(
    bundle: Path,
    mapping: str,
    state: str,
    given: Any,
    key: Path | None,
    wait: float,
    shadow: bool,
    unproved: bool,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND, a server of the Model Context Protocol on its standard input and output, and decide by BUNDLE every
    `tools/call` that a client makes of it. Give a client this command in the place of the server's.

    \b
    Example:
      policyctl mcp-proxy gateway.bundle --map tools.toml --state gateway.db -- npx some-mcp-server
    """
    import sys

    from policyctl.mcp_proxy import run
    from policyctl.serving import Plan, ServeError, prepare

    plan = Plan(bundle, (mapping,), state, key, None, given_of(given), shadow=shadow, unproved=unproved)
    try:
        service = prepare(plan, "")
    except ServeError as error:
        raise click.ClickException(str(error)) from error
    return run(service.guard("mcp"), command, wait, sys.stdin.buffer, sys.stdout.buffer)


@commands.command(short_help="Make a token for the sidecar.")
@click.argument("name")
@click.option(
    "--may", multiple=True, type=click.Choice(("ask", "answer", "admin")), default=("ask",), help="What its bearer may."
)
def token(name: str, may: tuple[str, ...]) -> int:
    """Make a token for NAME. The token goes to standard error, once; what belongs into the file to standard output.

    \b
    Examples:
      policyctl token gateway >> tokens
      policyctl token ann --may answer --may admin >> tokens
    """
    from hosts.tokens import line

    if not name or len(name.split()) != 1 or name.startswith("#"):
        raise click.UsageError("a name is one word")
    made = secrets.token_urlsafe(32)
    click.echo(line(name, may, made))
    click.echo(made, err=True)
    return OK


def _needed() -> None:
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise click.ClickException(f"{error.name} is not installed: pip install 'policyctl[serve]'") from error


def _mode(text: str) -> int:
    if not re.fullmatch(r"[0-7]{3}", text):
        raise click.UsageError("`--uds-mode` is three octal digits, like 660")
    return int(text, 8)


def _address(text: str) -> tuple[str, int]:
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise click.UsageError("`--listen` is HOST:PORT, like 127.0.0.1:8181")
    return found["six"] or found["host"], int(found["port"])
