"""The sidecar's own protocol: a call as JSON goes in, the answer as JSON comes out.

Hosts for which there is no standard are spoken to in it, by a few lines beside the host that translate.
"""

from __future__ import annotations

from typing import Any

from hosts.call import Answer, Call
from hosts.read_json import BadRequestError, a_text, an_object

FIELDS = frozenset({"host", "tool", "arguments", "id", "session", "agent", "user", "context", "result"})


def call_of(body: Any) -> Call:
    """Raises `BadRequestError`, also for a field that is not known: it may be one that matters."""
    doc = an_object(body, "the body")
    for name in doc.keys() - FIELDS:
        raise BadRequestError(f"there is no field `{name}`")
    texts = {n: a_text(doc.get(n, ""), f"`{n}`") for n in ("id", "session", "agent", "user")}
    return Call(
        tool=a_text(doc.get("tool"), "`tool`"),
        arguments=an_object(doc.get("arguments", {}), "`arguments`"),
        context=an_object(doc.get("context", {}), "`context`"),
        result=doc.get("result"),
        **texts,
    )


def host_of(body: Any) -> str:
    """Whose call it is."""
    return a_text(an_object(body, "the body").get("host"), "`host`")


def to_json(answer: Answer) -> dict[str, Any]:
    """What a host is told: `effect` is "allow", "deny" or "ask"; `arguments`, if any, replace those of the call.

    `obligations` are the host's to carry out, and whoever does not know one has to deny.
    """
    found: dict[str, Any] = {"effect": answer.effect, "code": answer.code, "reason": answer.reason}
    if answer.ticket:
        found["ticket"] = answer.ticket
    if answer.arguments is not None:
        found["arguments"] = answer.arguments
    found |= behind(answer)
    return found


def behind(answer: Answer) -> dict[str, Any]:
    """What an answer rests on: rules with their places, obligations, digests of policy and proof."""
    decisions = answer.decisions
    rules = [{"name": r.name, "place": r.place} for d in decisions if d.effect == _effect(answer) for r in d.rules]
    basis = next((d.basis for d in decisions if d.basis is not None), None)
    found: dict[str, Any] = {}
    if rules:
        found["rules"] = rules
    if answer.duties:
        found["obligations"] = [{"name": duty.name, "args": list(duty.args)} for duty in answer.duties]
    if basis is not None:
        found |= {"policy": basis.policy, "proof": basis.certificate if basis.verified else ""}
    if any(d.shadow for d in decisions):
        found["shadow"] = True
    return found


def _effect(answer: Answer) -> str:
    return "approve" if answer.effect == "ask" else answer.effect
