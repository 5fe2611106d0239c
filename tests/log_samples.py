"""A small policy with secrets in it, and logs of what an enforcer of it would record, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checked import program

from policydsl.core.system import GuardKind, System
from policydsl.core.to_json import digest
from policydsl.core.types import Value
from policydsl.interp import Request, State, initial, request_fault, step
from policydsl.trace import Decision
from runtime.decision import Code
from runtime.heads import Head
from runtime.log_file import to_lines
from runtime.merkle import Frontier
from runtime.records import Start, entry_bytes, start_bytes
from runtime.stand_in import conceal

POLICY = """
module gateway
entity Skill
entity Address
param MAX_STRIKES: Int[1..10] = 3
state strikes : Skill -> Int  = 0
state muted   : Skill -> Bool = false
pattern key = "sk-[a-z0-9]{4,}"
action strike(principal: Skill, skill: Skill) {
  strikes[skill] += 1
  if strikes[skill] >= MAX_STRIKES { muted[skill] := true }
}
action send(principal: Skill, to: Address, text: String)
permit all on send when not (text contains "forbidden")
forbid muzzled on send when muted[principal] because "the skill is muted" then notify(principal), log(text)
forbid phishing on send when text like "*bit.ly/*" or text matches ".*wallet-?verify.*" because "it hides its aim"
limit rate on send to 3 per 1m for each principal
approve shouting on send when text ends with "!" by human within 10m
redact keys on send when text contains key replace with "[key]"
"""
SYSTEM = program(POLICY).system
CODES = {
    GuardKind.ASSUME: Code.OUT_OF_RANGE,
    GuardKind.REQUIRE: Code.REQUIRED,
    GuardKind.FORBID: Code.FORBIDDEN,
    GuardKind.LIMIT: Code.LIMITED,
    GuardKind.PERMIT: Code.NOT_PERMITTED,
    GuardKind.APPROVE: Code.APPROVAL,
}
AT = 1_700_000_000_000


def send(skill: str, text: str, now: int, approved: bool = False) -> Request:
    asked = {"approved_shouting": approved, "asked_shouting": now if approved else 0}
    return Request("send", {"principal": skill, "to": "carol", "text": text, "now": now, **asked})


def strike(skill: str, now: int) -> Request:
    return Request("strike", {"principal": "ann", "skill": skill, "now": now})


REQUESTS = (
    send("s1", "hello", 1_000),
    send("s1", "the key is sk-abcd9 and sk-1234", 2_000),
    send("s1", "see bit.ly/sk-zzzz", 3_000),
    send("s1", "now!", 4_000),
    send("s1", "now!", 5_000, approved=True),
    send("s1", "one too many", 6_000),
    send("s1", "back in time", 1_500),
    strike("s2", 7_000),
    strike("s2", 7_000),
    strike("s2", 7_000),
    send("s2", "may I? sk-secret", 8_000),
    send("s3", "a forbidden word", 9_000),
    Request("sing", {"now": 9_000}),
    Request("strike", {"principal": "ann", "now": 9_000}),
)


def code_of(system: System, request: Request, decision: Decision) -> Code:
    if request_fault(system, request) is not None:
        return Code.UNKNOWN_ACTION if request.action == "sing" else Code.MISSING_INPUT
    if decision.effect == "allow":
        return Code.ALLOWED
    guards = system.action(request.action).guards
    return next(CODES[g.kind] for g in sorted(guards, key=lambda g: list(GuardKind).index(g.kind)) if fits(g, decision))


def fits(guard: object, decision: Decision) -> bool:
    return getattr(guard, "reason", None) == decision.reason


def record(
    system: System, state: State, n: int, request: Request, transform: Mapping[str, Value] | None = None
) -> tuple[bytes, State]:
    """What an enforcer records of a request, and the state that it leads to."""
    result = step(system, state, request)
    d = result.decision
    effect = "approve" if d.effect == "pending" else d.effect
    inputs, obligations, changes = dict(request.inputs), d.obligations, result.changes
    redacted: Mapping[str, str | None] = {}
    if transform:
        action = system.action(request.action)
        hidden = conceal(system, action, inputs, transform, obligations, changes)
        inputs, redacted = dict(hidden.inputs), hidden.redacted
        obligations, changes = tuple(hidden.obligations), tuple(hidden.changes)
    code = code_of(system, request, d).value
    args = (request.action, inputs, effect, code, d.reason, d.rules, obligations, changes)
    return entry_bytes(n, AT + n, system.name, digest(system), *args, redacted=redacted), result.state


def recorded(system: System = SYSTEM, requests: Sequence[Request] = REQUESTS) -> list[bytes]:
    """The records of a run of `system`, secrets of `SYSTEM` redacted."""
    state = initial(system)
    found = [start_bytes(0, AT, Start(system.name, digest(system), tuple(state.params.items()), ()))]
    for request in requests:
        text = str(request.inputs.get("text", ""))
        hidden = {"text": "[key]"} if "sk-" in text else None
        data, state = record(system, state, len(found), request, hidden)
        found.append(data)
    return found


def head_of(records: Sequence[bytes], at: int = AT) -> Head:
    tree = tree_of(records)
    return Head(tree.size, tree.root(), at)


def tree_of(records: Sequence[bytes]) -> Frontier:
    tree = Frontier()
    for r in records:
        tree.append(r)
    return tree


def lines_of(records: Sequence[bytes]) -> list[bytes]:
    """A whole log file, with an unsigned head."""
    return list(to_lines(records, head_of(records)))


SAMPLE = recorded()
