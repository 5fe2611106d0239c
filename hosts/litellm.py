"""LiteLLM's generic guardrail: what a model is asked and what it answers, as calls.

Each call of a tool that the model wants is a call of that tool. Texts that go to the model are calls of `llm.request`,
texts that come back are calls of `llm.response`, with the model as `context.model`.
"""

from __future__ import annotations

import json
from typing import Any

from hosts.call import Answer, Call
from hosts.guard import Guard
from hosts.read_json import BadRequestError, a_text, an_object

PATH = "/beta/litellm_basic_guardrail_api"


def guardrail(guard: Guard, body: Any) -> dict[str, Any]:
    """The answer to the guardrail's request. Raises `BadRequestError`."""
    doc = an_object(body, "the body")
    kind = a_text(doc.get("input_type"), "`input_type`")
    if kind not in ("request", "response"):
        raise BadRequestError("`input_type` is neither `request` nor `response`")
    texts = _texts(doc.get("texts"))
    about = an_object(doc.get("request_data") or {}, "`request_data`")
    context = {"model": doc.get("model"), **about}
    common: dict[str, Any] = {
        "session": _said(doc.get("litellm_trace_id")),
        "user": _said(about.get("user_api_key_user_id")) or _said(about.get("user_api_key_hash")),
        "agent": _said(about.get("user_api_key_alias")),
        "context": context,
    }
    new = list(texts)
    for i, text in enumerate(texts):
        answer = guard.before(Call(f"llm.{kind}", {"text": text}, **common))
        if not answer.allowed or answer.duties:
            return _blocked(answer)
        if answer.arguments is not None:
            new[i] = a_text(answer.arguments.get("text"), "the rewritten text")
    for name, arguments in _tools(doc.get("tool_calls")):
        answer = guard.before(Call(name, arguments, **common))
        if not answer.plain:
            return _blocked(answer)
    return {"action": "GUARDRAIL_INTERVENED", "texts": new} if new != texts else {"action": "NONE"}


def _blocked(answer: Answer) -> dict[str, Any]:
    if answer.allowed:
        # SOUND: the guardrail gives back texts: neither the arguments of a tool, nor what else is to be done.
        what = ", ".join(duty.name for duty in answer.duties) or "other arguments"
        return {"action": "BLOCKED", "blocked_reason": f"it is allowed only with what this host does not do: {what}"}
    waits = f" (question {answer.ticket})" if answer.ticket else ""
    return {"action": "BLOCKED", "blocked_reason": f"{answer.code}: {answer.reason}{waits}"}


def _texts(given: Any) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise BadRequestError("`texts` is no list")
    return [a_text(t, "a text") for t in given]


def _tools(given: Any) -> list[tuple[str, dict[str, Any]]]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise BadRequestError("`tool_calls` is no list")
    found = []
    for call in given:
        function = an_object(an_object(call, "a tool call").get("function"), "`function`")
        try:
            arguments = json.loads(a_text(function.get("arguments", "{}"), "`arguments`") or "{}")
        except (ValueError, RecursionError) as error:
            raise BadRequestError("the arguments of a tool call are no JSON") from error
        found.append((a_text(function.get("name"), "`name`"), an_object(arguments, "`arguments`")))
    return found


def _said(value: Any) -> str:
    return value if isinstance(value, str) else ""
