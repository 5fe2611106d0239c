"""One text to a committee, and how it was settled: what those do who need a decision now and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from simulator.consensus.byzantine import Fault
from simulator.consensus.outcome import Submission
from simulator.consensus.run import decide
from simulator.consensus.state import settings_for
from simulator.network import Network
from simulator.random_streams import Draw

TIMEOUTS = 8
"""So many time-outs of a leader fit into the patience with a committee: a few changes of views."""


class Settled(NamedTuple):
    """How the committee did."""

    certain: int | None
    """Milliseconds until f+1 correct members had the decision, if they ever did."""
    took: int
    views: int
    messages: int
    violations: tuple[str, ...]


def settle(
    members: Sequence[int],
    network: Network,
    draw: Draw,
    asker: int,
    text: str,
    start: int,
    faults: Mapping[int, Fault],
    patience: int = 0,
) -> Settled:
    """Has a committee decide one text, from the millisecond `start` on.

    `faults` are the traitors, by their places in it; `patience` is in milliseconds, 0 for what suits the network.
    """
    settings = settings_for(network.latency)
    until = start + (patience or TIMEOUTS * settings.timeout)
    asked = [Submission(start, asker, text)]
    found = decide(members, network, draw, asked, faults=faults, settings=settings, until=until)
    certain = found.decisions[0].certain
    correct = [v for m, v in enumerate(found.views) if m not in faults]
    return Settled(
        None if certain is None else certain - start,
        (until if certain is None else certain) - start,
        max(correct, default=0),
        sum(found.messages.values()),
        found.violations,
    )
