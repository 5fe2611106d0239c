"""Recorded requests to what the policies of a bundle would have decided, in order; allowed ones change the state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.system import NOW
from runtime.decision import Code, Decision
from runtime.desk import read_inputs, settle
from runtime.inputs import InputError, by_enforcer, told_apart
from runtime.policies import Policies

_OWN = ("action", "inputs", "at", "key")
"""What stands in a line beside the inputs of a request."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it was recorded. `at` is its time in milliseconds, None when none was recorded."""

    line: int
    action: str
    inputs: Mapping[str, Any]
    at: int | None


def read_line(line: str, number: int) -> Recorded | None:
    """The request in a line of JSON; None for a line of a decision log that is none. Raises `MalformedError`.

    A request is `{"action": …, "inputs": {…}}`, with the time as the input `now` or beside, as `at`. The inputs may
    stand beside the action, too. A line of a decision log has it one level deeper.
    """
    try:
        r = Reader(parse(line), f"line {number}")
        beside: list[str] = []
        if r.has("record"):
            r = r["record"]
        elif not r.has("format"):
            beside = [n for n in r.names() if n not in _OWN]
        if not r.has("action"):
            if r.has("head") or r.has("event"):
                return None
            raise r.malformed("there is no action")
        inputs = {n: r[n].value for n in beside}
        if r.has("inputs"):
            inputs |= {n: r["inputs"][n].value for n in r["inputs"].names()}
        at = r["at"].whole() if r.has("at") else None
        return Recorded(number, r["action"].text(), inputs, at)
    except MalformedError as error:
        raise MalformedError(f"line {number}", str(error).removeprefix(f"line {number}: ")) from error


def replay_traffic(policies: Policies, requests: Iterable[Recorded]) -> Iterator[tuple[Recorded, Decision]]:
    """Each request with what would have been decided, if whatever has to be done beside is done. Where no time was
    recorded, it stands still."""
    systems = [p.policy.system for p in policies.running]
    known = frozenset(o.name for s in systems for a in s.actions for o in a.obligations)
    own: dict[str, frozenset[str]] = {}
    for request in requests:
        way = policies.way(request.action)
        if way is None:
            yield request, Decision("deny", Code.UNKNOWN_ACTION, f"there is no action `{request.action}`")
            continue
        policy = way.policy
        if request.action not in own:
            own[request.action] = by_enforcer(way.action)
        given, granted = told_apart(own[request.action], request.inputs)
        now = request.inputs.get(NOW, request.at)
        if now.__class__ is not int:
            now = policy.clock.get((), 0) if policy.clock is not None else 0
        try:
            settled = settle(way, read_inputs(way, given), now, granted, known)
        except InputError as error:
            yield request, Decision("deny", error.code, str(error), basis=policy.machine.basis)
            continue
        if settled.assignments:
            policy.machine.content.do(settled.assignments)
        yield request, settled.decision
