"""An election of many voters: casting, counting and checking, with one process and with all cores.

`python benchmarks/election.py [VOTERS]`. Ballots are made here by one process; in life each voter makes one.
The columns are seconds on the wall, CPU seconds of all processes, and CPU time for each ballot. Weights are from 1 to
1000, like reputations.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from policyctl.election_processes import in_parallel
from voting import acts
from voting.ballots import Choice
from voting.board import read_board, write_board
from voting.election import Election
from voting.keys import Secret
from voting.posts import Envelope, Person, Trustee, Voter
from voting.verify import verify

T = TypeVar("T")
TRUSTEES, THRESHOLD = 5, 3


def timed(what: str, act: Callable[[], T], per: int = 1) -> T:
    begun, worked = time.perf_counter(), _worked()
    result = act()
    wall, cpu = time.perf_counter() - begun, _worked() - worked
    each = f"{1000 * cpu / per:9.2f} ms" if per > 1 else ""
    print(f"{what:<44}{wall:8.2f} s{cpu:9.2f} s{each}", flush=True)
    return result


def _worked() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


class Bench:
    def __init__(self, count: int) -> None:
        numbers = random.Random(7)
        self.clerk = Secret(secrets.token_bytes(32))
        self.trustees = {f"t{n}": Secret(secrets.token_bytes(32)) for n in range(TRUSTEES)}
        self.voters = {f"v{n:06}": Secret(secrets.token_bytes(32)) for n in range(count)}
        self.weights = {name: numbers.randint(1, 1000) for name in self.voters}
        self.choices = {name: numbers.choice(list(Choice)) for name in self.voters}
        self.election = Election()
        self.posts: list[Envelope] = []

    def put(self, *posts: Envelope) -> None:
        for post in posts:
            self.election.accept(acts.entry_after(self.election, post))
            self.posts.append(post)

    def announce(self) -> None:
        self.put(
            *acts.announce(
                secrets.token_bytes,
                "Shall we?",
                Person.model_construct(name="clerk", sign=self.clerk.sign_key),
                self.clerk,
                [Trustee.model_construct(name=n, sign=s.sign_key, box=s.box_key) for n, s in self.trustees.items()],
                THRESHOLD,
                [
                    Voter.model_construct(name=n, sign=s.sign_key, weight=self.weights[n])
                    for n, s in self.voters.items()
                ],
            )
        )

    def make_key(self) -> None:
        for _ in range(2):
            for name, secret in self.trustees.items():
                self.put(*acts.next_of_trustee(secrets.token_bytes, self.election, name, secret))
        self.put(acts.open_voting(self.election, self.clerk))

    def cast(self) -> None:
        for name, choice in self.choices.items():
            self.put(acts.cast(secrets.token_bytes, self.election, name, self.voters[name], choice))

    def close(self) -> None:
        self.put(acts.close_voting(self.election, self.clerk))

    def decrypt(self) -> None:
        for name in list(self.trustees)[:THRESHOLD]:
            self.put(acts.contribute(secrets.token_bytes, self.election, name, self.trustees[name]))
        self.put(acts.decide(self.election, "t0", self.trustees["t0"]))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    cores = os.cpu_count() or 1
    print(f"{count} voters, {THRESHOLD} of {TRUSTEES} trustees, {cores} cores")
    print(f"{'':<44}{'wall':>10}{'CPU':>11}{'each':>12}")
    bench = Bench(count)
    timed("announce, with the roll", bench.announce)
    timed("the trustees make the key", bench.make_key)
    timed("make the ballots, 3 proofs each", bench.cast, count)
    bench.election.check_ballots = lambda _booth, _casts: []
    timed("close: add up, ballots not checked again", bench.close)
    timed("decrypt: 3 contributions and the logarithms", bench.decrypt)
    sums = {c: sum(w for n, w in bench.weights.items() if bench.choices[n] is c) for c in Choice}
    result = bench.election.result
    assert result is not None
    assert (result.yes, result.no, result.abstain) == (sums[Choice.YES], sums[Choice.NO], sums[Choice.ABSTAIN])
    board = write_board(bench.posts)
    print(f"{'the board':<44}{len(board) / 1e6:8.1f} MB{len(board) / count:21.0f} B")
    timed("read the board and its hashes", lambda: read_board(board))
    for jobs in sorted({1, cores}):
        report = timed(f"verify, --jobs {jobs}", partial(verify, board, in_parallel(jobs)), count)
        assert report.decided


if __name__ == "__main__":
    main()
