"""The bytes of a bulletin board to a report: is everything on it as it must be? Nothing secret is needed."""

from __future__ import annotations

from dataclasses import dataclass

from voting.ballots import faults_of
from voting.board import read_board
from voting.election import CheckBallots, Election, Stage, replay
from voting.faults import Fault, RefusedError


@dataclass(frozen=True, slots=True)
class Report:
    """`election` is there if there are no faults."""

    faults: tuple[Fault, ...]
    election: Election | None

    @property
    def decided(self) -> bool:
        """Whether everything is right, and there is a result. A board that was cut off has none."""
        return self.election is not None and self.election.stage is Stage.DECIDED


def verify(data: bytes, check_ballots: CheckBallots = faults_of) -> Report:
    """Check everything on a board from its bytes."""
    try:
        election = replay(read_board(data), check_ballots)
        if election.stage is Stage.OPEN:
            election.check_pending()
    except RefusedError as error:
        return Report(error.faults, None)
    return Report((), election)
