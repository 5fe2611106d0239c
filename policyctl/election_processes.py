"""Ballots to what is wrong with them, found in worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click

from policyctl.in_processes import in_processes
from voting.ballots import Booth, Cast, faults_of
from voting.election import CheckBallots
from voting.faults import Fault

CHUNK = 100


def in_parallel(jobs: int) -> CheckBallots:
    """How to check ballots in so many processes."""

    def check(booth: Booth, casts: Sequence[Cast]) -> list[Fault]:
        chunks = [(number, casts[number : number + CHUNK]) for number in range(0, len(casts), CHUNK)]
        if jobs == 1 or len(chunks) < 2:
            return faults_of(booth, casts)
        found: dict[int, list[Fault]] = {}
        for (number, _), faults in in_processes(partial(_checked, booth), chunks, jobs, _died):
            found[number] = faults
        return [fault for number in sorted(found) for fault in found[number]]

    return check


def _checked(booth: Booth, chunk: tuple[int, Sequence[Cast]]) -> list[Fault]:
    return faults_of(booth, chunk[1])


def _died(chunk: tuple[int, Sequence[Cast]]) -> list[Fault]:
    raise click.ClickException(f"the process that checked the ballots from {chunk[0] + 1} on was ended by the system")
