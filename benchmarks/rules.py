"""Measures questions about rules: static analysis, one invariant, the diff of one edited rule, and csl-core beside it.

    python benchmarks/rules.py [--rules 10 100 1000] [--csl PYTHON --csl-rules 10 30]

PYTHON is the interpreter of a virtual environment with csl-core in it. Rules are synthetic: ten attributes, of which
each rule tests four. Times are CPU seconds of one process.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from policydsl.core.expr import Expr, conj, disj, eq, implies, le, lt, matches, negate, number
from policydsl.core.expr import case as case_
from policydsl.core.system import Action, Guard, GuardKind, Input, Property, PropertyKind, RuleUse, System
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType
from verifier.diff import diff
from verifier.rules import FindingKind, analyse
from verifier.verify import Settings, verify

BOT = EntityType("Bot")
ROLE = EnumType("Role", ("Admin", "Treasurer", "Member", "Auditor", "Guest"))
ZONE = EnumType("Zone", ("Inside", "Partner", "Outside"))
ACTIONS = ("spend", "read_file", "write_file", "send_mail", "run_tool", "install", "delete", "share", "login", "export")
PATHS = ("/home/.*", "/etc/.*", "/var/log/.*", "/srv/data/.*", ".*[.]key", ".*[.]csv")
INPUTS = (
    Input("principal", BOT),
    Input("role", ROLE),
    Input("zone", ZONE),
    Input("amount", INT),
    Input("hour", INT),
    Input("trust", INT),
    Input("size", INT),
    Input("path", STRING),
    Input("encrypted", BOOL),
    Input("weekend", BOOL),
)
INPUT = {i.name: i.ref for i in INPUTS}
CAP = 1_700


def condition(chance: random.Random) -> Expr:
    """One rule: a role and three more tests."""
    tests = [
        lambda: le(INPUT["amount"], number(chance.randrange(100, CAP))),
        lambda: conj(
            le(number(chance.randrange(0, 12)), INPUT["hour"]), lt(INPUT["hour"], number(12 + chance.randrange(12)))
        ),
        lambda: le(number(chance.randrange(0, 100)), INPUT["trust"]),
        lambda: le(INPUT["size"], number(chance.randrange(1, 10_000))),
        lambda: matches(INPUT["path"], chance.choice(PATHS)),
        lambda: eq(INPUT["zone"], case_(ZONE, chance.choice(ZONE.cases))),
        lambda: INPUT["encrypted"],
        lambda: negate(INPUT["weekend"]),
    ]
    role = eq(INPUT["role"], case_(ROLE, chance.choice(ROLE.cases)))
    return conj(role, *(test() for test in chance.sample(tests, 3)))


def rules(count: int, seed: int = 1) -> dict[str, list[RuleUse]]:
    """`count` rules spread over the actions, one in five a forbid."""
    chance = random.Random(seed)
    names = ACTIONS[: max(1, min(len(ACTIONS), count // 10))]
    found: dict[str, list[RuleUse]] = {a: [] for a in names}
    for i in range(count):
        action = names[i % len(names)]
        effect = "forbid" if len(found[action]) % 5 == 4 else "permit"
        whole = condition(chance)
        if effect == "permit":
            whole = conj(whole, le(INPUT["amount"], number(CAP)))
        found[action].append(RuleUse(f"r{i}", effect, whole, f"rule {i} says so"))
    return found


def action(name: str, uses: list[RuleUse]) -> Action:
    ranges = [("amount", 1_000_000), ("hour", 23), ("trust", 100), ("size", 1_000_000)]
    guards = [
        Guard(GuardKind.ASSUME, conj(le(number(0), INPUT[n]), le(INPUT[n], number(high))), f"`{n}` is out of range")
        for n, high in ranges
    ]
    guards += [Guard(GuardKind.FORBID, negate(u.condition), u.reason, u.rule) for u in uses if u.effect == "forbid"]
    permits = [u for u in uses if u.effect == "permit"]
    names = ", ".join(u.rule for u in permits)
    guards.append(Guard(GuardKind.PERMIT, disj(*(u.condition for u in permits)), "no rule permits it", names))
    return Action(name, INPUTS, tuple(guards), (), tuple(uses))


def system(count: int, seed: int = 1) -> System:
    actions = tuple(action(name, uses) for name, uses in rules(count, seed).items())
    capped = Property(
        "capped",
        PropertyKind.ASSERT,
        implies(conj(*(g.expr for g in actions[0].guards)), le(INPUT["amount"], number(CAP))),
        action=actions[0].name,
    )
    return System(f"synthetic{count}", (), (), actions, (capped,))


def edited(s: System) -> System:
    """`s` with one limit of one rule raised by one."""
    first = s.actions[0]
    uses = list(first.rules)
    k = next(i for i, u in enumerate(uses) if u.effect == "permit")
    old = uses[k].condition
    uses[k] = replace(
        uses[k],
        condition=conj(
            *(p for p in old.args if p is not le(INPUT["amount"], number(CAP))), le(INPUT["amount"], number(CAP + 1))
        ),
    )
    return replace(s, actions=(action(first.name, uses), *s.actions[1:]))


def measure(what: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = what()
    return time.process_time() - start, result


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rules", type=int, nargs="*", default=[10, 100, 1_000])
    arguments.add_argument("--csl", help="Python interpreter that has csl-core")
    arguments.add_argument("--csl-rules", type=int, nargs="*", default=[10, 30])
    chosen = arguments.parse_args()
    print(f"{'rules':>6} {'analyse':>9} {'invariant':>9} {'diff':>9}   findings")
    for count in chosen.rules:
        s = system(count)
        analysed, findings = measure(lambda: analyse(s))
        proved, outcome = measure(lambda: verify(s, Settings(vacuity=False)))
        compared, difference = measure(lambda: diff(s, edited(s)))
        kinds = {k: sum(f.kind is k for f in findings) for k in FindingKind}
        words = ", ".join(f"{n} {k.name.lower()}" for k, n in kinds.items() if n)
        print(
            f"{count:>6} {analysed:>8.3f}s {proved:>8.3f}s {compared:>8.3f}s   {words}; {[o.status for o in outcome.outcomes]}; {len(difference.differences)} difference(s)"
        )


if __name__ == "__main__":
    main()
