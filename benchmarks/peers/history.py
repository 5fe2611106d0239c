"""Decisions about what came before, by several engines: an approval before each tool, and so many calls an hour.

There are pairs of an approval and a tool. A tool may be called when its approval was given before, and at most `MOST`
times an hour. Each engine is first told a history, of which everything happened within the hour, and then asked. Half
of what is asked is allowed, and what is asked does not change the answers to the rest, however it is recorded.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from peers.stateless import opened

MOST = 5
HOUR = 3_600_000

Event = tuple[str, int, str]
"""An approval (`approve`) or a call (`tool`), of which pair, and both as one name."""


def event(kind: str, pair: int) -> Event:
    return kind, pair, f"{kind}{pair}"


@dataclass(frozen=True, slots=True)
class Course:
    """`past` is what has happened; then `asked`, with the answers that are right."""

    pairs: int
    most: int
    past: list[Event]
    asked: list[Event]
    right: list[bool]


def course(pairs: int, length: int, chance: random.Random, most: int = MOST, count: int = 100) -> Course:
    """Four in ten tools were never approved, one in ten has had all its calls, the others have had one."""
    approved = list(range(pairs * 4 // 10, pairs))
    spent, open_ = approved[: pairs // 10], approved[pairs // 10 :]
    never = list(range(pairs * 4 // 10))
    past = [event("approve", p) for p in approved]
    past += [event("tool", p) for p in spent for _ in range(most)]
    past += [event("tool", p) for p in open_]
    if len(past) > length:
        raise ValueError(f"a history of {pairs} pairs has at least {len(past)} events")
    past += [event("approve", chance.choice(approved)) for _ in range(length - len(past))]
    calls = [event("tool", p) for p in open_ for _ in range(most - 1)]
    chance.shuffle(calls)
    yes = calls[: count // 4]
    yes += [event("approve", chance.choice(approved)) for _ in range(count // 2 - len(yes))]
    no = [event("tool", chance.choice(never if i % 2 else spent)) for i in range(count - len(yes))]
    asked = [(e, True) for e in yes] + [(e, False) for e in no]
    chance.shuffle(asked)
    return Course(pairs, most, past, [e for e, _ in asked], [a for _, a in asked])


Ask = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class Engine:
    """`begin` tells an engine the past. `only_allowed`: after one denial it denies everything, so it is timed with what
    it allows, and each denial is asked of one that has just been told the past."""

    name: str
    package: str
    begin: Callable[[Course], Ask]
    only_allowed: bool = False


def by_hand(c: Course) -> Ask:
    approved: set[int] = set()
    calls: dict[int, deque[int]] = {p: deque() for p in range(c.pairs)}
    most = c.most

    def ask(what: Event) -> bool:
        kind, pair, _ = what
        if kind == "approve":
            approved.add(pair)
            return True
        if pair not in approved:
            return False
        now, of = time.time_ns() // 1_000_000, calls[pair]
        while of and now - of[0] >= HOUR:
            of.popleft()
        if len(of) >= most:
            return False
        of.append(now)
        return True

    for what in c.past:
        ask(what)
    return ask


def policy(c: Course) -> str:
    lines = ["module bench"]
    for i in range(c.pairs):
        lines += [
            f"action approve{i}() {{ }}",
            f"action tool{i}() {{ }}",
            f"forbid unapproved{i} on tool{i} unless once approve{i}",
            f"limit hourly{i} on tool{i} to {c.most} per 1h",
        ]
    return "\n".join([*lines, ""])


def policyctl(c: Course) -> Ask:
    decide = opened(policy(c)).decide

    def ask(what: Event) -> bool:
        return decide(what[2]).allowed

    for what in c.past:
        ask(what)
    return ask


def acel(c: Course) -> Ask:
    from acel import Session, must_precede, rate_limit

    session = Session(halt_on_violation=False)
    for i in range(c.pairs):
        session.add_contract(must_precede(f"approve{i}", f"tool{i}"))
        session.add_contract(rate_limit(f"tool{i}", c.most, HOUR / 1000))

    def ask(what: Event) -> bool:
        gate = session.precheck(what[2])
        if gate.allowed:
            session.postcheck(what[2], gate, None)
        return gate.allowed

    for what in c.past:
        ask(what)
    return ask


def agentltl(c: Course) -> Ask:
    """It knows no time: what is counted is counted for ever, which is the same within the hour."""
    from agentltl import Constraint, ConstraintSeverity, CountBefore, Enforcer, Globally, Implies, Now, Once

    logging.getLogger("agentltl").setLevel(logging.ERROR)
    found = []
    for i in range(c.pairs):
        tool = Now(f"tool{i}")
        found.append(Constraint(f"approved{i}", Globally(Implies(tool, Once(Now(f"approve{i}"))))))
        found.append(Constraint(f"hourly{i}", Globally(Implies(tool, CountBefore(tool, c.most, "<")))))
    enforcer = Enforcer(found, default_severity=ConstraintSeverity.PERSISTENT_BLOCK)
    for _, _, name in c.past:
        enforcer.record_completed(name)

    def ask(what: Event) -> bool:
        name = what[2]
        allowed = enforcer.check(name).allowed
        if allowed:
            enforcer.record_completed(name)
        return bool(allowed)

    return ask


DOGWOOD_ACTION = "action {name} appliesTo {{ principal: [User], resource: [Gateway], context: {{ input: Args }} }};"
DOGWOOD_RULES = """
permit (principal, action == Agent::Action::"approve{i}", resource);
permit (principal, action == Agent::Action::"tool{i}", resource)
when temporal {{ formerly within 1h (Agent::Action::"approve{i}"::request{{ input.status: "done" }}) }}
when temporal {{ exists (n: Long). ((count for (t: Timepoint). where (formerly within 1h (
  Agent::Action::"tool{i}"::request{{ input.status: "done" }} && tp(t)))) == n && n < {most}) }};
"""


def dogwood(c: Course) -> Ask:
    """It remembers what was asked, allowed or not, so what was done is told apart by a field, as its examples do it."""
    from dogwood.native import NativeAuthorizer

    names = [f"{kind}{i}" for i in range(c.pairs) for kind in ("approve", "tool")]
    actions = "\n".join(DOGWOOD_ACTION.format(name=f'"{n}"') for n in names)
    schema = f"namespace Agent {{ type Args = {{ status: String }}; entity Gateway; entity User;\n{actions} }}"
    rules = "\n".join(DOGWOOD_RULES.format(i=i, most=c.most) for i in range(c.pairs))
    authorizer = NativeAuthorizer(rules, schema)

    def ask(what: Event, status: str = "asked") -> bool:
        who, where = 'Agent::User::"bot"', 'Agent::Gateway::"it"'
        given = {"status": status}
        return bool(authorizer.authorize_request(f"Agent::Action::{what[2]}", who, where, given) == "Allow")

    for what in c.past:
        ask(what, "done")
    return ask


ENGINES = (
    Engine("by hand", "", by_hand),
    Engine("policyctl", "", policyctl),
    Engine("acel-core", "acel-core", acel, only_allowed=True),
    Engine("agentltl", "agentltl", agentltl),
    Engine("dogwood-py", "dogwood-py", dogwood),
)
