"""The command that adds up public votes exactly, and compares with totals that somebody has published."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyctl.cli import commands
from policyctl.exit_codes import ERRORS, OK, REFUTED
from policyctl.output import own_paint, write_out

if TYPE_CHECKING:
    from voting.public_tally import Agreement, Count, Published, Vote

MOST_FAULTS = 20
_table = click.Path(exists=True, dir_okay=False, path_type=Path)


@commands.command(short_help="Add up public votes exactly.")
@click.argument("votes", type=_table)
@click.option("--published", type=_table, help="A table to compare with: proposal_id, scores_total, perhaps votes.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to answer."
)
def tally(votes: Path, published: Path | None, format_: str) -> int:
    """Add up VOTES: a table with the columns proposal_id, voter, voting_power and choice, as Snapshot exports them; it
    may be compressed (.gz, .xz). A choice is a number, or parts like {'1': 2, '3': 1}. Sums are exact: no power is ever
    rounded. Whoever votes twice on a proposal is refused.

    Exits with 3 if a published total is further from the sum than rounding can bring it, or the number of votes is
    another.

    \b
    Examples:
      policyctl tally votes.csv
      policyctl tally votes.csv.gz --published proposals.csv
    """
    from voting.faults import RefusedError
    from voting.public_tally import Agreement, agreement, count

    try:
        counts = count(_votes(votes))
        said = {} if published is None else _published(published)
    except RefusedError as error:
        faults = [f"refused: {f}" for f in error.faults[:MOST_FAULTS]]
        more = len(error.faults) - MOST_FAULTS
        click.echo("\n".join([*faults, *([f"and {more} more"] if more > 0 else [])]), err=True)
        return ERRORS
    found = {p: agreement(c, said[p]) if p in said else None for p, c in counts.items()}
    write_out(_as_json(counts, found) if format_ == "json" else _as_text(counts, found, said))
    return REFUTED if Agreement.DIFFERENT in found.values() else OK


def _votes(path: Path) -> Iterator[tuple[str, Vote]]:
    from voting.public_tally import vote_of

    for place, row in _rows(path):
        yield place, vote_of(row, place)


def _published(path: Path) -> dict[str, Published]:
    from voting.faults import Code, refuse
    from voting.public_tally import Published, power_of

    found: dict[str, Published] = {}
    for place, row in _rows(path):
        proposal, total = row.get("proposal_id"), row.get("scores_total")
        if not proposal or not total:
            raise refuse(Code.SHAPE, place, "a row has a proposal_id and a scores_total")
        if proposal in found:
            raise refuse(Code.DUPLICATE, place, f"{proposal} stands here twice")
        votes = row.get("votes") or ""
        found[proposal] = Published(power_of(total, place), int(power_of(votes, place)) if votes else None)
    return found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str | None]]]:
    from voting.faults import Code, refuse

    readers = {".gz": gzip.decompress, ".xz": lzma.decompress}
    try:
        data = readers.get(path.suffix, bytes)(path.read_bytes())
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        for row in rows:
            yield f"{path.name}, line {rows.line_num}", row
    except (csv.Error, UnicodeDecodeError, EOFError, OSError, lzma.LZMAError) as error:
        raise refuse(Code.SHAPE, path.name, f"this table cannot be read: {error}") from None


def _as_text(counts: dict[str, Count], found: dict[str, Agreement | None], said: dict[str, Published]) -> str:
    from voting.public_tally import Agreement, decimal

    paint = own_paint()
    marks = {Agreement.DIFFERENT: paint("red", "✗"), None: " "}
    width = max((len(p) for p in counts), default=0)
    lines = []
    for proposal, counted in counts.items():
        top = max(counted.scores, key=lambda choice: counted.scores[choice])
        share = decimal(100 * counted.scores[top] / counted.total, 1) if counted.total else "-"
        mark = marks.get(found[proposal], paint("green", "✓"))
        line = f"{mark} {proposal:<{width}} {counted.votes:>6} votes {decimal(counted.total, 9):>22}   {top}: {share} %"
        if found[proposal] is Agreement.DIFFERENT:
            line += f"   published: {decimal(said[proposal].total, 9)}"
        lines.append(line)
    summary = f"{len(counts)} proposals, {sum(c.votes for c in counts.values())} votes"
    compared = {p: a for p, a in found.items() if a is not None}
    if said:
        good = [p for p, a in compared.items() if a is not Agreement.DIFFERENT]
        nearest = sum(a is Agreement.NEAREST for a in compared.values())
        off = max((abs(said[p].total - counts[p].total) for p in good), default=Fraction(0))
        summary += (
            f" · {len(good)} of {len(compared)} totals are as published: {nearest} to the last bit, the others within "
            f"the rounding of such a sum, at most {decimal(off, 9)} off"
        )
    return "\n".join([*lines, summary]) + "\n"


def _as_json(counts: dict[str, Count], found: dict[str, Agreement | None]) -> str:
    value = [
        {
            "proposal_id": proposal,
            "votes": counted.votes,
            "total": str(counted.total),
            "scores": {choice: str(score) for choice, score in sorted(counted.scores.items())},
            "published": None if found[proposal] is None else found[proposal].name.lower(),  # type: ignore[union-attr]
        }
        for proposal, counted in counts.items()
    ]
    return json.dumps(value, indent=1) + "\n"
