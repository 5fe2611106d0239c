"""The OpenAPI document of the sidecar, as data. A test compares it with the routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
ANYTHING: Schema = {}
OBJECT: Schema = {"type": "object"}
CODE: Schema = {"type": "string", "description": "why, in a word that programs may depend on"}


def _object(
    required: Mapping[str, Schema], more: Mapping[str, Schema] | None = None, *, closed: bool = False
) -> Schema:
    found = {"type": "object", "properties": {**required, **(more or {})}, "required": list(required)}
    return {**found, "additionalProperties": False} if closed else found


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: Mapping[str, Schema] = {
    "Error": _object({"error": TEXT}),
    "Call": _object(
        {"host": TEXT, "tool": TEXT},
        {
            "arguments": OBJECT,
            "id": TEXT,
            "session": TEXT,
            "agent": TEXT,
            "user": TEXT,
            "context": OBJECT,
            "result": ANYTHING,
        },
        closed=True,
    ),
    "Answer": _object(
        {"effect": {"enum": ["allow", "deny", "ask"]}, "code": CODE, "reason": TEXT},
        {
            "ticket": {**TEXT, "description": "the question that a person has to answer first"},
            "arguments": {**OBJECT, "description": "the call has to be made with these instead"},
            "rules": _list(_object({"name": TEXT, "place": TEXT})),
            "obligations": _list(_object({"name": TEXT, "args": _list(ANYTHING)})),
            "policy": {**TEXT, "description": "digest"},
            "proof": {**TEXT, "description": "digest of the certificate; empty when not all is proved"},
            "shadow": FLAG,
        },
    ),
    "Subject": _object({"type": TEXT, "id": TEXT}, {"properties": OBJECT}),
    "Action": _object({"name": TEXT}, {"properties": OBJECT}),
    "Resource": _object({"type": TEXT, "id": TEXT}, {"properties": OBJECT}),
    "Evaluation": _object(
        {"subject": _ref("Subject"), "action": _ref("Action"), "resource": _ref("Resource")}, {"context": OBJECT}
    ),
    "Decision": _object({"decision": FLAG}, {"context": OBJECT}),
    "Evaluations": _object(
        {},
        {
            "subject": OBJECT,
            "action": OBJECT,
            "resource": OBJECT,
            "context": OBJECT,
            "evaluations": {**_list(OBJECT), "maxItems": 1000},
            "options": _object(
                {},
                {"evaluations_semantic": {"enum": ["execute_all", "deny_on_first_deny", "permit_on_first_permit"]}},
            ),
        },
    ),
    "Decisions": {"anyOf": [_ref("Decision"), _object({"evaluations": _list(_ref("Decision"))})]},
    "Results": _object({"results": _list(OBJECT)}),
    "SubjectSearch": _object(
        {"subject": _object({"type": TEXT}), "action": _ref("Action"), "resource": _ref("Resource")}
    ),
    "ResourceSearch": _object(
        {"subject": _ref("Subject"), "action": _ref("Action"), "resource": _object({"type": TEXT})}
    ),
    "ActionSearch": _object({"subject": _ref("Subject"), "resource": _ref("Resource")}),
    "OpaInput": _object({}, {"input": OBJECT}),
    "OpaResult": _object({"result": {"anyOf": [FLAG, OBJECT]}}),
    "Guardrail": _object({"input_type": {"enum": ["request", "response"]}}),
    "GuardrailAnswer": _object({"action": {"enum": ["NONE", "BLOCKED", "GUARDRAIL_INTERVENED"]}}),
    "Hook": _object(
        {
            "hook_event_name": {"enum": ["PreToolUse", "PostToolUse"]},
            "session_id": TEXT,
            "tool_name": TEXT,
            "tool_input": OBJECT,
        }
    ),
    "Approved": _object({"approved": FLAG}),
    "Questions": _object({"approvals": _list(OBJECT)}),
    "Outcome": _object({"effect": {"enum": ["allow", "deny", "approve"]}, "code": CODE, "reason": TEXT}),
    "Reason": _object({}, {"reason": TEXT}),
}

# method, path, who may, what it is, body, answer
OPERATIONS: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("post", "/v1/calls", "ask", "May this call be made?", "Call", "Answer"),
    ("post", "/v1/results", "ask", "Tell what a call gave back; may it be used?", "Call", "Answer"),
    ("post", "/access/v1/evaluation", "ask", "AuthZEN 1.0: one evaluation", "Evaluation", "Decision"),
    ("post", "/access/v1/evaluations", "ask", "AuthZEN 1.0: several evaluations", "Evaluations", "Decisions"),
    ("post", "/access/v1/search/subject", "ask", "AuthZEN 1.0: who may", "SubjectSearch", "Results"),
    ("post", "/access/v1/search/resource", "ask", "AuthZEN 1.0: on what", "ResourceSearch", "Results"),
    ("post", "/access/v1/search/action", "ask", "AuthZEN 1.0: what may be done", "ActionSearch", "Results"),
    ("get", "/.well-known/authzen-configuration", "", "AuthZEN 1.0: where everything is", "", ""),
    ("post", "/v1/data/{path}", "ask", "The Data API of Open Policy Agent", "OpaInput", "OpaResult"),
    ("post", "/beta/litellm_basic_guardrail_api", "ask", "LiteLLM's generic guardrail", "Guardrail", "GuardrailAnswer"),
    ("post", "/hooks/claude-code", "ask", "Claude Code's hooks for tools", "Hook", ""),
    ("get", "/v1/approvals", "answer", "What waits for people", "", "Questions"),
    ("post", "/v1/approvals/{ticket}", "answer", "Approve or refuse", "Approved", "Outcome"),
    ("get", "/v1/lockdown", "ask", "Whether there is a lockdown", "", ""),
    ("post", "/v1/lockdown", "admin", "Deny everything but recovery", "Reason", "Outcome"),
    ("delete", "/v1/lockdown", "admin", "Go on as before", "", "Outcome"),
    ("post", "/v1/reload", "admin", "Take bundle and mappings from their files again", "Reason", ""),
    ("get", "/healthz", "", "The process is there", "", ""),
    ("get", "/readyz", "", "Decisions are made", "", ""),
)


def document(base: str) -> dict[str, Any]:
    """The document, of a sidecar that is reached under `base`."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, role, what, body, answer in OPERATIONS:
        paths.setdefault(path, {})[method] = _operation(path, role, what, body, answer)
    return {
        "openapi": "3.1.0",
        "info": {"title": "policyctl", "version": "1", "description": "Decisions of an enforcer."},
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: str, role: str, what: str, body: str, answer: str) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": what, "responses": _responses(path, role, body, answer)}
    if role:
        found["security"] = [{"token": []}]
    if body:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    if names:
        found["parameters"] = [{"name": n, "in": "path", "required": True, "schema": TEXT} for n in names]
    return found


def _responses(path: str, role: str, body: str, answer: str) -> dict[str, Any]:
    good = {
        "description": "the answer",
        "content": {"application/json": {"schema": _ref(answer) if answer else OBJECT}},
    }
    bad = {"content": {"application/json": {"schema": _ref("Error")}}}
    found: dict[str, Any] = {"200": good}
    if path == "/readyz":
        found["503"] = {**good, "description": "nothing is allowed, and why"}
    if body:
        found["400"] = {"description": "this is no request", **bad}
    if role:
        found["401"] = {"description": "there is no token, or one that nobody has", **bad}
        found["403"] = {"description": "who has the token may not", **bad}
    return found
