"""AuthZEN Authorization API 1.0 (OpenID Foundation, 2026): evaluation and evaluations.

An evaluation is a request like any other: one that is allowed has happened, as far as the policy remembers. Its
subject, action, resource and context are the arguments of the call; `action.name` is what is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hosts.call import Answer, Call
from hosts.guard import Guard
from hosts.neutral import behind
from hosts.read_json import BadRequestError, a_text, an_object

REQUIRED: Mapping[str, tuple[str, ...]] = {"subject": ("type", "id"), "action": ("name",), "resource": ("type", "id")}
SEMANTICS = ("execute_all", "deny_on_first_deny", "permit_on_first_permit")
MOST = 1_000
"""Evaluations in one request."""


def call_of(body: Any, required: Mapping[str, tuple[str, ...]] = REQUIRED) -> Call:
    """Raises `BadRequestError`. Fields that the standard does not know are left out, as it wants it."""
    doc = an_object(body, "the body")
    found: dict[str, Any] = {}
    for name, fields in required.items():
        entity = an_object(doc.get(name), f"`{name}`") if name in doc else None
        if entity is None:
            raise BadRequestError(f"`{name}` is missing")
        for field in fields:
            a_text(entity.get(field), f"`{name}.{field}`")
        found[name] = {**entity, "properties": an_object(entity.get("properties", {}), f"`{name}.properties`")}
    found["context"] = an_object(doc.get("context", {}), "`context`")
    action, subject = found.get("action", {}), found.get("subject", {})
    return Call(tool=action.get("name", ""), arguments=found, user=subject.get("id", ""), context=found["context"])


def evaluation(guard: Guard, body: Any) -> dict[str, Any]:
    """The answer to `/access/v1/evaluation`. Raises `BadRequestError`."""
    return decision(guard.before(call_of(body)))


def evaluations(guard: Guard, body: Any) -> dict[str, Any]:
    """The answer to `/access/v1/evaluations`: each item falls back to what is said for all of them. What is wrong with
    one item is a denial of that one. Raises `BadRequestError` for what is wrong with all."""
    doc = an_object(body, "the body")
    items = doc.get("evaluations", [])
    if not isinstance(items, list):
        raise BadRequestError("`evaluations` is no list")
    if len(items) > MOST:
        raise BadRequestError(f"`evaluations` has more than {MOST} items")
    options = an_object(doc.get("options", {}), "`options`")
    semantic = options.get("evaluations_semantic", SEMANTICS[0])
    if semantic not in SEMANTICS:
        raise BadRequestError(f"`options.evaluations_semantic` is none of {', '.join(SEMANTICS)}")
    if not items:
        return evaluation(guard, doc)
    stop = {"deny_on_first_deny": False, "permit_on_first_permit": True}.get(semantic)
    found: list[dict[str, Any]] = []
    for item in items:
        try:
            found.append(evaluation(guard, _with_defaults(doc, item)))
        except BadRequestError as error:
            found.append({"decision": False, "context": {"error": {"status": 400, "message": str(error)}}})
        if found[-1]["decision"] is stop:
            break
    return {"evaluations": found}


def decision(answer: Answer) -> dict[str, Any]:
    """An answer in the words of the standard. What has to be rewritten is an obligation; a question is a denial that
    says where the answer will be found, since the standard knows yes and no only."""
    context: dict[str, Any] = {"code": answer.code}
    if answer.reason:
        context["reason"] = answer.reason
    if answer.effect == "ask":
        context["access_request"] = {"ticket": answer.ticket}
    more = behind(answer)
    duties = [
        {"id": f"{i}", "type": o["name"], "properties": {"args": o["args"]}}
        for i, o in enumerate(more.pop("obligations", []))
    ]
    if answer.arguments is not None:
        duties.append({"id": f"{len(duties)}", "type": "rewrite", "properties": dict(answer.arguments)})
    if duties:
        context["obligations"] = duties
    return {"decision": answer.allowed, "context": {**context, **more}}


def _with_defaults(doc: Mapping[str, Any], item: Any) -> dict[str, Any]:
    """An item with what it leaves out: an entity as a whole, and of one that it names, what is required."""
    own = an_object(item, "an evaluation")
    found: dict[str, Any] = {n: own.get(n, doc.get(n)) for n in (*REQUIRED, "context") if n in own or n in doc}
    for name, fields in REQUIRED.items():
        outer, inner = doc.get(name), own.get(name)
        if isinstance(outer, dict) and isinstance(inner, dict):
            found[name] = {**{f: outer[f] for f in fields if f in outer}, **inner}
    return found


def metadata(base: str) -> dict[str, Any]:
    """What `/.well-known/authzen-configuration` says, of a decision point that is reached under `base`."""
    return {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        "search_subject_endpoint": f"{base}/access/v1/search/subject",
        "search_resource_endpoint": f"{base}/access/v1/search/resource",
        "search_action_endpoint": f"{base}/access/v1/search/action",
    }
