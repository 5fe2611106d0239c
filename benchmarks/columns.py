"""Measures decisions about recorded requests, a table at a time, and plain Python closures beside.

    python benchmarks/columns.py [--rules 1 10 100 1000] [--rows 100000 1000000]

A rule permits or forbids a role an action on what lies below a path, for amounts up to some limit, over three of ten
channels. A forbid wins; what no rule permits is denied. About half of the requests are allowed. Times are nanoseconds
of processor time per decision, the least of several, in one process: to decide a table; to make it, of columns of Arrow
or of a Parquet file; and of closures. Every answer is compared with that of the closures.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from policydsl.core.expr import case, conj, disj, eq, le, matches, negate, number
from policydsl.core.system import Action, Guard, GuardKind, Input, RuleUse, System
from policydsl.core.types import INT, STRING, EnumType
from policydsl.interp import initial
from policydsl.regular import quote
from runtime.columns_decide import decide_table, plan
from runtime.columns_in import from_arrow, from_parquet

T = TypeVar("T")
ROLES = EnumType("Role", tuple(f"role{i}" for i in range(10)))
ACTS = EnumType("Act", tuple(f"act{i}" for i in range(10)))
CHANNELS = EnumType("Channel", tuple(f"channel{i}" for i in range(10)))
PATHS = tuple(f"/srv/area{i}/" for i in range(10))
ROLE, ACT, CHANNEL = Input("role", ROLES), Input("act", ACTS), Input("channel", CHANNELS)
PATH, AMOUNT = Input("path", STRING), Input("amount", INT)
INPUTS = (ROLE, ACT, PATH, AMOUNT, CHANNEL)


@dataclass(frozen=True, slots=True)
class Rule:
    permits: bool
    role: str
    act: str
    path: str
    most: int
    channels: tuple[str, ...]


HEADINGS = ("rules", "rows", "allowed", "decide", "arrow", "parquet", "closures")


def rules(count: int, chance: random.Random) -> list[Rule]:
    """One in five forbids."""
    found = []
    for i in range(count):
        channels = tuple(chance.sample(CHANNELS.cases, 3))
        role, act = chance.choice(ROLES.cases), chance.choice(ACTS.cases)
        found.append(Rule(i % 5 != 4, role, act, chance.choice(PATHS), chance.randrange(100, 1000), channels))
    return found


def system(made: list[Rule]) -> System:
    uses = [
        RuleUse(
            f"r{i}",
            "permit" if r.permits else "forbid",
            conj(
                eq(ROLE.ref, case(ROLES, r.role)),
                eq(ACT.ref, case(ACTS, r.act)),
                matches(PATH.ref, quote(r.path) + ".*"),
                le(AMOUNT.ref, number(r.most)),
                disj(*(eq(CHANNEL.ref, case(CHANNELS, c)) for c in r.channels)),
            ),
        )
        for i, r in enumerate(made)
    ]
    permitted = disj(*(u.condition for u in uses if u.effect == "permit"))
    guards = [Guard(GuardKind.FORBID, negate(u.condition), u.rule, u.rule) for u in uses if u.effect == "forbid"]
    action = Action("ask", INPUTS, (*guards, Guard(GuardKind.PERMIT, permitted, "no rule permits it")), (), tuple(uses))
    return System("benchmark", (), (), (action,), ())


Request = tuple[str, str, str, int, str]


def requests(count: int, made: list[Rule], chance: random.Random) -> list[Request]:
    """Half of them such as some permit is about, the others anything."""
    permits = [r for r in made if r.permits]
    found: list[Request] = []
    for i in range(count):
        if chance.random() < 0.55:
            r = chance.choice(permits)
            path, amount = r.path + f"file{i % 1000}", chance.randrange(r.most)
            found.append((r.role, r.act, path, amount, chance.choice(r.channels)))
        else:
            role, act, channel = chance.choice(ROLES.cases), chance.choice(ACTS.cases), chance.choice(CHANNELS.cases)
            found.append((role, act, chance.choice(PATHS) + f"file{i % 1000}", chance.randrange(1200), channel))
    return found


def closure(made: list[Rule]) -> Callable[[Request], bool]:
    """How one would write it by hand: rules by role and action, then the rest of each."""

    def rest(r: Rule) -> Callable[[str, int, str], bool]:
        path, most, channels = r.path, r.most, frozenset(r.channels)
        return lambda p, a, c: a <= most and c in channels and p.startswith(path)

    forbids: dict[tuple[str, str], list[Callable[[str, int, str], bool]]] = {}
    permits: dict[tuple[str, str], list[Callable[[str, int, str], bool]]] = {}
    for r in made:
        (permits if r.permits else forbids).setdefault((r.role, r.act), []).append(rest(r))

    def allowed(request: Request) -> bool:
        role, act, path, amount, channel = request
        key = role, act
        for f in forbids.get(key, ()):
            if f(path, amount, channel):
                return False
        return any(f(path, amount, channel) for f in permits.get(key, ()))

    return allowed


def timed(run: Callable[[], T], times: int = 1) -> tuple[float, T]:
    """The shortest time in nanoseconds, and what came out."""
    best, found = float("inf"), None
    for _ in range(times):
        start = time.process_time_ns()
        found = run()
        best = min(best, time.process_time_ns() - start)
    assert found is not None
    return best, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    print(" ".join(f"{heading:>9}" for heading in HEADINGS))
    for count in options.rules:
        for rows in options.rows:
            measure(count, rows, options.times)


def measure(count: int, rows: int, times: int) -> None:
    chance = random.Random(count)
    made = rules(count, chance)
    policy = system(made)
    asked = requests(rows, made, chance)
    columns = dict(zip((i.name for i in INPUTS), zip(*asked, strict=True), strict=True))
    recorded = pa.table({name: list(values) for name, values in columns.items()})
    state, how = initial(policy), plan(policy.actions[0])
    reading, traffic = timed(lambda: from_arrow(policy, recorded, action="ask"), times)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests.parquet"
        pq.write_table(recorded, path)
        loading, _ = timed(lambda: from_parquet(policy, path, action="ask"), times)
    (found,) = traffic.tables
    deciding, decisions = timed(lambda: decide_table(policy, state, found, how), times)
    allowed = closure(made)
    asking, expected = timed(lambda: [allowed(r) for r in asked], min(times, 2))
    assert decisions.allowed.tolist() == expected
    per = [t / rows for t in (deciding, reading, loading, asking)]
    share = sum(expected) / rows
    print(f"{count:>9} {rows:>9} {share:>9.0%} " + " ".join(f"{t:>9.1f}" for t in per), flush=True)


if __name__ == "__main__":
    main()
