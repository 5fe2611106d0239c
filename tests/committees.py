"""Runs of the committee for tests: schedules as data go in, outcomes come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from simulator.consensus.byzantine import Fault
from simulator.consensus.outcome import Outcome, Submission
from simulator.consensus.run import Run, advance, begin, outcome, submit
from simulator.consensus.signatures import Notary
from simulator.consensus.state import Settings
from simulator.network import LOW, Latency, Network, partition
from simulator.random_streams import Draw

CLIENTS = 3
QUICK = Settings(timeout=200, resend=100, interval=2, window=4)
"""Checkpoints come often enough that short runs have some."""
STEADY = Latency(base=5.0, median=5.0, sigma=0.0, most=10.0)


class Cut(NamedTuple):
    begin: int
    length: int
    groups: tuple[tuple[int, ...], ...]


class Schedule(NamedTuple):
    n: int
    seed: int
    times: tuple[int, ...]
    """Of requests; clients take turns."""
    latency: Latency = LOW
    cuts: tuple[Cut, ...] = ()
    holds: bool = True
    loss: float = 0.0
    duplicates: float = 0.0
    faults: tuple[tuple[int, Fault], ...] = ()

    @property
    def healed(self) -> int:
        return max([c.begin + c.length for c in self.cuts] + list(self.times), default=0)


def start(s: Schedule, settings: Settings = QUICK, notary: Notary | None = None) -> Run:
    cuts = tuple(partition(c.begin, c.begin + c.length, s.n + CLIENTS, c.groups) for c in s.cuts)
    network = Network(s.latency, s.loss, s.duplicates, cuts, s.holds)
    draw = Draw(s.seed, 0, 0, "committee")
    run = begin(range(s.n), network, draw, faults=dict(s.faults), settings=settings, notary=notary)
    for i, time in enumerate(s.times):
        submit(run, Submission(time, s.n + i % CLIENTS, f"value {i}"))
    return run


def play(s: Schedule, settings: Settings = QUICK, until: int = 10**9, notary: Notary | None = None) -> Outcome:
    run = start(s, settings, notary)
    advance(run, until)
    return outcome(run)


@st.composite
def cuts(draw: st.DrawFn, n: int) -> Cut:
    """Members and clients in up to three groups, for some time."""
    where = draw(st.lists(st.integers(0, 2), min_size=n + CLIENTS, max_size=n + CLIENTS))
    groups = tuple(tuple(i for i, g in enumerate(where) if g == group) for group in (1, 2))
    return Cut(draw(st.integers(0, 1500)), draw(st.integers(0, 3000)), groups)


@st.composite
def schedules(draw: st.DrawFn, faults: Sequence[Fault] = tuple(Fault)) -> Schedule:
    """Up to f traitors of any kind, on a network that heals. `faults` may be empty."""
    f = draw(st.integers(1, 2))
    n = 3 * f + 1
    kinds = draw(st.lists(st.sampled_from(faults), max_size=f)) if faults else []
    members = draw(st.lists(st.integers(0, n - 1), min_size=len(kinds), max_size=len(kinds), unique=True))
    return Schedule(
        n,
        draw(st.integers(0, 2**32)),
        tuple(sorted(draw(st.lists(st.integers(0, 2000), min_size=1, max_size=7)))),
        Latency(1.0, draw(st.sampled_from([5.0, 20.0, 100.0])), draw(st.sampled_from([0.0, 0.5, 1.5])), 1000.0),
        tuple(draw(st.lists(cuts(n), max_size=3))),
        draw(st.booleans()),
        draw(st.sampled_from([0.0, 0.0, 0.1])),
        draw(st.sampled_from([0.0, 0.2])),
        tuple(zip(members, kinds)),
    )
