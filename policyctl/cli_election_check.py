"""The commands for whoever did not hold the election: is it right, and what does a policy make of its result?"""

from __future__ import annotations

from pathlib import Path

import click

from policyctl.cli import jobs_option
from policyctl.cli_election import VARIABLE, board_argument, clear_errors, election_group, replayed
from policyctl.exit_codes import ERRORS, OK, REFUTED, UNKNOWN
from policyctl.output import own_paint, write_out


@election_group.command(short_help="Check an election, from its first post to its result.")
@board_argument
@click.option("--election", "wanted", metavar="ID", help="It must be this election.")
@click.option("--receipt", "receipts", multiple=True, help="A ballot that must be counted (repeated).")
@click.option("--scores", help="The weights must be these scores: as for `policyctl reputation root`.")
@click.option("--kept", metavar="HASH", help="A hash of the board, from before: this one must go on from there.")
@jobs_option
@clear_errors
def verify(
    board: Path, wanted: str | None, receipts: tuple[str, ...], scores: str | None, kept: str | None, jobs: int
) -> int:
    """Check everything on BULLETIN: who posted what, the trustees' proofs, each ballot and its proofs, one for each
    voter on the roll, the tally, the decryption, and the result. It takes nothing secret.

    Exits with 0 if all is right, 1 if something is wrong, 4 if all is right so far and there is no result yet.

    \b
    Examples:
      policyctl election verify bulletin.json
      policyctl election verify bulletin.json --receipt 5f0c…
    """
    from policyctl.election_processes import in_parallel
    from policyctl.render_election import render_faults, render_report
    from policyctl.score_source import read_scores
    from voting.posts import receipt_of
    from voting.verify import verify as check

    report = check(board.read_bytes(), in_parallel(jobs))
    paint = own_paint()
    election = report.election
    if election is None:
        write_out(render_faults(str(board), [str(f) for f in report.faults], paint))
        return ERRORS
    trouble = []
    if wanted is not None and wanted.lower() != election.id.hex():
        trouble.append("this is another election")
    counted = {receipt_of(c.entry.post).hex() for c in election.ballots.values()}
    trouble += [f"no ballot has the receipt {r}" for r in receipts if r.lower() not in counted]
    if kept is not None and kept.lower() not in {h.hex() for h in election.hashes}:
        trouble.append(f"this does not go on from the board {kept}")
    remarks = []
    if scores is not None:
        table = read_scores(scores, None, VARIABLE)
        for voter in election.roll.values():
            score = table.scores.get(voter.name, 0)
            if score != voter.weight:
                trouble.append(f"{voter.name} has a weight of {voter.weight} on the roll, and a score of {score}")
        remarks.append(("weights", f"the scores of epoch {table.epoch}, with the root {table.root.hex()}"))
    if trouble:
        write_out(render_faults(str(board), trouble, paint))
        return ERRORS
    write_out(render_report(str(board), election, remarks, paint))
    return OK if report.decided else UNKNOWN


@election_group.command(short_help="What a policy makes of a result.")
@board_argument
@click.argument("policy", metavar="POLICY", type=click.Path(exists=True, dir_okay=False))
@click.option("--param", "params", multiple=True, metavar="NAME=NUMBER", help="A parameter of the policy (repeated).")
@jobs_option
@clear_errors
def result(board: Path, policy: str, params: tuple[str, ...], jobs: int) -> int:
    """Check BULLETIN, and say what becomes of the proposal: its totals are put to `close_voting` of POLICY, in the
    reference interpreter. Exits with 0 if it is approved and with 3 if it is defeated.

    \b
    Examples:
      policyctl election result bulletin.json specs/mvg/governance.policy --param QUORUM=300
    """
    from policyctl.election_outcome import outcome
    from policyctl.loading import program_of
    from policydsl.interp import UnfitError
    from voting.faults import Code, refuse

    _, election = replayed(board, jobs)
    if election.result is None:
        raise refuse(Code.STAGE, str(board), f"the election is {election.stage}; there is no result yet")
    program = program_of(policy)
    if program is None:
        return ERRORS
    try:
        stage = outcome(program.system, election.result.yes, election.result.no, dict(_number(p) for p in params))
    except UnfitError as error:
        raise click.UsageError(str(error)) from None
    write_out("yes {yes} · no {no} · abstain {abstain}".format(**election.result.model_dump()) + f": {stage}\n")
    return OK if stage == "Approved" else REFUTED


def _number(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    try:
        return name, int(number)
    except ValueError:
        raise click.UsageError(f"`{text}` is not a parameter with a number, like QUORUM=300") from None
