"""How many ballots a result gives away, where weights are spread evenly and everybody votes by chance.

`python benchmarks/exposure.py [ELECTIONS]`: so many elections of each size, always the same ones.
"""

from __future__ import annotations

import random
import sys

from voting.ballots import Choice
from voting.exposure import given_away

SIZES = (5, 8, 10, 12, 15, 20)
STEPS = (1, 10, 50)
MOST = 1000


def share(size: int, step: int, elections: int) -> float:
    """The part of the ballots that is given away, with weights that are multiples of `step`."""
    numbers = random.Random(f"{size} {step}")
    found = 0
    for _ in range(elections):
        weights = {f"v{n}": numbers.randint(1, MOST // step) * step for n in range(size)}
        choices = {name: numbers.choice(list(Choice)) for name in weights}
        yes, no = (sum(w for n, w in weights.items() if choices[n] is c) for c in (Choice.YES, Choice.NO))
        found += len(given_away(weights, yes, no) or {})
    return found / size / elections


def main() -> None:
    elections = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"{'voters':<26}" + "".join(f"{size:>8}" for size in SIZES))
    for step in STEPS:
        row = "".join(f"{share(size, step, elections):>8.0%}" for size in SIZES)
        print(f"weights {step:>4} to {MOST}, by {step:<5}{row}", flush=True)


if __name__ == "__main__":
    main()
