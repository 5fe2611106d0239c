"""AuthZEN searches: who may, on what, what may be done. Candidates are those whom the policy's state knows.

Nothing is asked that would change anything: each candidate is only looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from hosts import requests
from hosts.authzen import call_of
from hosts.call import Call
from hosts.guard import Guard
from hosts.mapping import From
from hosts.requests import UnmappedError
from policydsl.core.types import EntityType
from runtime.policies import Policies

MOST = 1_000
"""Results in one answer."""


def subjects(guard: Guard, body: Any) -> dict[str, Any]:
    """Raises `BadRequestError`."""
    call = call_of(body, {"subject": ("type",), "action": ("name",), "resource": ("type", "id")})
    return _individuals(guard, call, "subject")


def resources(guard: Guard, body: Any) -> dict[str, Any]:
    """Raises `BadRequestError`."""
    call = call_of(body, {"subject": ("type", "id"), "action": ("name",), "resource": ("type",)})
    return _individuals(guard, call, "resource")


def actions(guard: Guard, body: Any) -> dict[str, Any]:
    """Raises `BadRequestError`."""
    call = call_of(body, {"subject": ("type", "id"), "resource": ("type", "id")})
    named = sorted({name for e in guard.mapping.call if e.action for name in e.of if "*" not in name})
    calls = ((name, _with(replace(call, tool=name), "action", {"name": name, "properties": {}})) for name in named)
    return {"results": [{"name": name} for name, c in calls if _may(guard, c)]}


def _individuals(guard: Guard, call: Call, what: str) -> dict[str, Any]:
    policies, kind = guard.enforcer.policies, call.arguments[what]["type"]
    found: list[dict[str, str]] = []
    if policies is None:
        return {"results": found}
    sorts = set(_sorts(guard, policies, call.tool, f"$arguments.{what}.id"))
    nobody: set[str] = set()
    for name in sorted(guard.enforcer.look(lambda _tx: set(_known(policies, sorts)), nobody)):
        asked = _with(call, what, {**call.arguments[what], "id": name})
        if _may(guard, replace(asked, user=name) if what == "subject" else asked):
            found.append({"type": kind, "id": name})
    return {"results": found[:MOST]}


def _with(call: Call, what: str, entity: dict[str, Any]) -> Call:
    return replace(call, arguments={**call.arguments, what: entity})


def _may(guard: Guard, call: Call) -> bool:
    try:
        asked = requests.before(guard.mapping, call)
    except UnmappedError:
        return False
    return all(guard.enforcer.would_allow(r.action, r.inputs) for r in asked)


def _sorts(guard: Guard, policies: Policies, tool: str, path: str) -> Iterator[EntityType]:
    """The sorts of the inputs that are taken from `path`, for calls of `tool`."""
    for entry in guard.mapping.call:
        way = policies.way(guard.mapping.named(entry.action)) if entry.action and entry.names(tool) else None
        for name, source in entry.inputs.items() if way else ():
            if way and isinstance(source, From) and source.at in (path, "$user"):
                below = way.shape.get(name)
                if isinstance(below, EntityType):
                    yield below


def _known(policies: Policies, wanted: Collection[EntityType]) -> Iterator[str]:
    """Everybody of these sorts who is named in a policy, or of whom its state says anything."""
    for running in policies.running:
        system = running.policy.system
        yield from (c.value for c in system.individuals if c.type in wanted and isinstance(c.value, str) and c.value)
        variables = {v.name: v for v in system.state}
        for name, keys, value in running.machine.content.rows():
            var = variables[name]
            yield from (str(k) for k, sort in zip(keys, var.keys, strict=True) if sort in wanted)
            if var.type in wanted and value:
                yield str(value)
