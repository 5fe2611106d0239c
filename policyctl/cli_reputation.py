"""The commands about scores: one root for all of them, and proofs of single ones for whoever has the root."""

from __future__ import annotations

import json
from pathlib import Path

import click

from policyctl.cli import Sections, commands
from policyctl.exit_codes import ERRORS, OK
from policyctl.files import write_atomically
from policyctl.output import own_paint, write_out

_epoch = click.option("--epoch", type=click.IntRange(min=0), help="Which epoch it is, if SCORES does not say.")
_variable = click.option("--variable", default="reputation", show_default=True, help="Where a store has them.")
_HELP = """SCORES is the directory of a recorded run, the store of an enforcer (an SQLite file or a URL of PostgreSQL),
    or a table: JSON such as `{"epoch": 3, "scores": {"alice": 112}}`, or CSV with the columns `bot` and `score`."""


@commands.group("reputation", cls=Sections, short_help="Prove what score a bot has, or that it has none.")
def reputation() -> None:
    """One root for the scores of all bots, and proofs that convince whoever has the root."""


@reputation.command(short_help="The root over all scores.", help=f"Print the root over all scores.\n\n{_HELP}")
@click.argument("where", metavar="SCORES")
@_epoch
@_variable
@click.option("--all", "every", is_flag=True, help="Of a recorded run: the root of each epoch.")
def root(where: str, epoch: int | None, variable: str, every: bool) -> int:
    """Print the root over all scores."""
    from policyctl.score_source import RECORD, read_scores

    if every:
        try:
            roots = json.loads((Path(where) / RECORD).read_text(encoding="utf-8"))["roots"]
        except (OSError, ValueError, KeyError) as error:
            raise click.UsageError(f"`{where}` is no recorded run with roots: {error}") from error
        write_out("".join(f"{number}  {found}\n" for number, found in enumerate(roots, start=1)))
        return OK
    write_out(f"{read_scores(where, epoch, variable).root.hex()}\n")
    return OK


@reputation.command(
    short_help="Prove what a bot has.",
    help=f"""Prove what score BOT has, or that it has none. Nothing is said of other bots but one hash or two.

    {_HELP}

    \b
    Examples:
      policyctl reputation prove alice --scores scores.csv -o alice.json
      policyctl reputation prove 17 --scores runs/security_attack""",
)
@click.argument("bot")
@click.option("--scores", "where", required=True, metavar="SCORES", help="Where the scores are.")
@_epoch
@_variable
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
def prove(bot: str, where: str, epoch: int | None, variable: str, output: Path | None) -> int:
    """Prove what score BOT has."""
    from policyctl.score_source import read_scores
    from runtime.scores import to_json

    text = to_json(read_scores(where, epoch, variable).prove(bot))
    if output is None:
        write_out(text)
    else:
        write_atomically(output, text)
    return OK


@reputation.command(short_help="Check a proof against a root.")
@click.argument("proof", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--root", "root_", required=True, metavar="HEX", help="The root, from somebody whom you trust.")
def verify(proof: Path, root_: str) -> int:
    """Say what PROOF shows of the scores with this root. Exits with 1 if it shows nothing.

    \b
    Examples:
      policyctl reputation verify alice.json --root 5f1c...
    """
    from runtime.scores import ScoreError, check, from_json

    try:
        wanted = bytes.fromhex(root_)
    except ValueError as error:
        raise click.UsageError(f"`{root_}` is no root: {error}") from error
    paint = own_paint()
    try:
        said = check(from_json(proof.read_text(encoding="utf-8", errors="replace")), wanted)
    except ScoreError as error:
        write_out(f"{paint('bold red', '✗')} {proof}: {error}\n")
        return ERRORS
    what = "has no score" if said.score is None else f"has the score {said.score}"
    write_out(f"{paint('green', '✓')} {said.bot} {what} in epoch {said.epoch}\n")
    return OK
