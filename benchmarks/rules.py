"""Measures questions about rules: static analysis, one invariant, the diff of one edited rule, and csl-core beside it.

    python benchmarks/rules.py [--rules 10 100 1000] [--csl PYTHON --csl-rules 10 30]

PYTHON is the interpreter of a virtual environment with csl-core in it. Rules are synthetic: ten attributes, of which
each rule tests four. Times are CPU seconds of one process.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ParamSpec, TypeVar

from policydsl.core.expr import Expr, conj, disj, eq, implies, le, lt, matches, negate, number
from policydsl.core.expr import case as case_
from policydsl.core.system import Action, Guard, GuardKind, Input, Property, PropertyKind, RuleUse, System
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType
from policydsl.diagnostics import Report
from policydsl.load import load
from verifier.diff import diff
from verifier.rules import Finding, FindingKind, analyse
from verifier.verify import Settings, verify

T = TypeVar("T")
P = ParamSpec("P")

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
    """`s` with one rule that no longer asks for anything but the role and the cap."""
    first = s.actions[0]
    uses = list(first.rules)
    whole = uses[0].condition
    kept = [p for p in getattr(whole, "args", ()) if INPUT["role"] in getattr(p, "args", ())]
    uses[0] = replace(uses[0], condition=conj(*kept, le(INPUT["amount"], number(CAP))))
    return replace(s, actions=(action(first.name, uses), *s.actions[1:]))


# The same in texts, for csl-core beside it

THENS = (("approval", "approval == No"), ("zone", "zone == Outside"), ("amount", "amount > 5_000"))


def csl_text(count: int, seed: int = 1) -> str:
    """Constraints as csl-core writes them: WHEN role, tool and amount THEN something must be."""
    chance = random.Random(seed)
    lines = [
        "CONFIG { ENFORCEMENT_MODE: BLOCK CHECK_LOGICAL_CONSISTENCY: TRUE }",
        "DOMAIN Synthetic {",
        "  VARIABLES {",
        f"    role: {_quoted(ROLE.cases)}",
        f"    tool: {_quoted(ACTIONS)}",
        "    amount: 0..100000",
        '    approval: {"YES", "NO"}',
        '    zone: {"Inside", "Partner", "Outside"}',
        "  }",
    ]
    for i in range(count):
        role, tool, least, then = _constraint(chance)
        must = {"approval": 'approval MUST BE "YES"', "zone": 'zone MUST NOT BE "Outside"', "amount": "amount <= 5000"}
        lines.append(
            f'  STATE_CONSTRAINT r{i} {{ WHEN role == "{role}" AND tool == "{tool}" AND amount > {least} '
            f"THEN {must[then]} }}"
        )
    return "\n".join([*lines, "}", ""])


def _quoted(names: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{n}"' for n in names) + "}"


def policy_text(count: int, seed: int = 1) -> str:
    """The same as forbids."""
    chance = random.Random(seed)
    lines = [
        "module synthetic",
        f"enum Role {{ {', '.join(ROLE.cases)} }}",
        f"enum Tool {{ {', '.join(ACTIONS)} }}",
        "enum Answer { Yes, No }",
        "enum Zone { Inside, Partner, Outside }",
        "action call(role: Role, tool: Tool, amount: Int[0..100_000], approval: Answer, zone: Zone)",
        "permit anything on call",
    ]
    for i in range(count):
        role, tool, least, then = _constraint(chance)
        broken = dict(THENS)[then]
        lines.append(f"forbid r{i} on call when role == {role} and tool == {tool} and amount > {least} and {broken}")
    return "\n".join([*lines, ""])


def _constraint(chance: random.Random) -> tuple[str, str, int, str]:
    role, tool = chance.choice(ROLE.cases), chance.choice(ACTIONS)
    return role, tool, chance.randrange(0, 4_000), chance.choice(THENS)[0]


CSL_SCRIPT = """
import contextlib, io, sys, time
from chimera_core.factory import create_guard_from_string
text = sys.stdin.read()
start = time.process_time()
with contextlib.redirect_stdout(io.StringIO()):
    create_guard_from_string(text)
print(time.process_time() - start)
"""


def csl_seconds(python: str, count: int) -> str:
    """CPU seconds that csl-core takes to load and check its own text, or why it does not."""
    done = subprocess.run(
        [python, "-c", CSL_SCRIPT], input=csl_text(count), capture_output=True, text=True, check=False
    )
    last = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return f"{float(last[-1]):.3f} s" if done.returncode == 0 else f"failed: {last[-1] if last else '?'}"


def load_and_analyse(text: str) -> tuple[Finding, ...]:
    report = Report()
    (program,) = load(["synthetic.policy"], lambda _: text, report)
    return analyse(program.system)


def measure(what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[float, T]:
    start = time.process_time()
    result = what(*args, **kwargs)
    return time.process_time() - start, result


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rules", type=int, nargs="*", default=[10, 100, 1_000])
    arguments.add_argument("--csl", help="Python interpreter that has csl-core")
    arguments.add_argument("--csl-rules", type=int, nargs="*", default=[10, 30])
    chosen = arguments.parse_args()
    print(f"{'rules':>6} {'analyse':>9} {'invariant':>9} {'diff':>9}   findings")
    for count in chosen.rules:
        s = system(count)
        analysed, findings = measure(analyse, s)
        proved, outcome = measure(verify, s, Settings(vacuity=False))
        compared, difference = measure(diff, s, edited(s))
        kinds = {k: sum(f.kind is k for f in findings) for k in FindingKind}
        words = [f"{n} {k.name.lower()}" for k, n in kinds.items() if n]
        words += [o.status for o in outcome.outcomes]
        words += [d.kind.value for d in difference.differences] or ["no difference"]
        print(f"{count:>6} {analysed:>8.3f}s {proved:>8.3f}s {compared:>8.3f}s   {', '.join(words)}")
    print(f"{'rules':>6} {'policyctl':>11} {'csl-core':>11}   from text, every question about rules")
    load_and_analyse(policy_text(1))
    for count in chosen.csl_rules:
        ours, findings = measure(load_and_analyse, policy_text(count))
        theirs = csl_seconds(chosen.csl, count) if chosen.csl else "not given"
        print(f"{count:>6} {ours:>10.3f}s {theirs:>12}   {len(findings)} findings")


if __name__ == "__main__":
    main()
