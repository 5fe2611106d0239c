"""Policies of growing size for `benchmarks/verify.py`: copies of a machine, many actions and variables, many rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from copies import bare, copies
from rules import policy_text

MACHINE = Path(__file__).parent.parent / "specs" / "mvg" / "governance.policy"


def same(count: int) -> str:
    """`count` copies of the governance machine, which differ in names only."""
    return copies(bare(MACHINE.read_text(encoding="utf-8")), count)


def different(count: int) -> str:
    """`count` copies of it, each of which suggests another quorum: no two are the same."""
    numbers = iter(range(300, 300 - count, -1))
    return re.sub(r"^(param QUORUM.*= )300$", lambda m: f"{m[1]}{next(numbers)}", same(count), flags=re.MULTILINE)


def tree(count: int) -> str:
    """`count` actions in one machine, each after the one above it, with a variable and an invariant for each."""
    return "\n".join(["module tree", "entity Job", *_nodes(count)])


def _nodes(count: int) -> Iterator[str]:
    for i in range(count):
        above = (i - 1) // 2
        before = f'  require done{above}[job] else "not yet"\n' if i else ""
        yield f"state done{i}: Job -> Bool = false"
        yield f"action do{i}(job: Job) {{\n{before}  done{i}[job] := true\n}}"
        if i:
            yield f"invariant order{i}: forall j: Job . done{i}[j] implies done{above}[j]"
    yield f"reachable last: exists j: Job . done{count - 1}[j]"


def ruled(count: int) -> str:
    """`count` rules on one action, and something to prove of it."""
    return policy_text(count) + "assert within on call: allowed implies amount <= 100_000\n"


SERIES: dict[str, tuple[Callable[[int], str], tuple[int, ...]]] = {
    "same": (same, (1, 4, 12, 23, 70)),
    "different": (different, (1, 4, 12)),
    "rules": (ruled, (10, 30, 100, 300, 1000)),
    "tree": (tree, (10, 20, 40, 80, 160)),
}
"""By name: what makes a policy of some size, and the sizes that are measured."""
