"""A verified election, or what is wrong with one, to text."""

from __future__ import annotations

from collections.abc import Sequence

from policyctl.paint import Paint
from voting.election import Election, Stage
from voting.exposure import given_away

MOST_FAULTS = 20
MOST_NAMES = 5


def render_faults(board: str, faults: Sequence[str], paint: Paint) -> str:
    lines = [f"{paint('bold red', '✗')} {board} is NOT as it must be", *(f"    {f}" for f in faults[:MOST_FAULTS])]
    if len(faults) > MOST_FAULTS:
        lines.append(f"    and {len(faults) - MOST_FAULTS} more")
    return "\n".join(lines) + "\n"


def render_report(board: str, election: Election, remarks: Sequence[tuple[str, str]], paint: Paint) -> str:
    if election.stage is Stage.DECIDED:
        lines = [f"{paint('green', '✓')} {board}: all {len(election.hashes)} posts are right"]
    else:
        state = f"{election.stage}; there is no result yet"
        lines = [f"{paint('yellow', '?')} {board}: all {len(election.hashes)} posts are right so far; it is {state}"]
    if election.manifest is not None:
        lines += [f"    {name:<10}{value}" for name, value in [*_facts(election), *remarks]]
    return "\n".join(lines) + "\n"


def _facts(election: Election) -> list[tuple[str, str]]:
    manifest = election.announced
    names = ", ".join(t.name for t in manifest.trustees)
    facts = [
        ("question", manifest.question),
        ("election", election.id.hex()),
        ("board", election.head.hex()),
        ("authority", manifest.authority.name),
        ("roll", f"{manifest.roll.voters} voters with a weight of {manifest.roll.weight}"),
        ("trustees", f"any {manifest.threshold} of {names}; {len(election.confirmed)} hold a share of the key"),
    ]
    facts += [("out", f"{dealer} dealt a wrong share to {to}") for dealer, to in election.disqualified.items()]
    if election.totals is not None:
        count, weight = len(election.ballots), election.totals.weight
        facts.append(("ballots", f"{count} with a weight of {weight}, {3 * count} proofs"))
        facts.append(("decrypted", ", ".join(election.shares) or "by nobody yet"))
    if election.result is not None:
        result = election.result
        facts.append(("result", f"yes {result.yes} · no {result.no} · abstain {result.abstain}"))
        weights = {name: election.roll[name].weight for name in election.ballots}
        exposed = given_away(weights, result.yes, result.no)
        if exposed is None:
            facts.append(("exposed", "not looked into: there are too many totals to go through"))
        elif exposed:
            facts.append(("exposed", f"the weights and this result give away how {_some(list(exposed))} voted"))
    return facts


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    shown = [*names[:MOST_NAMES], *more]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
