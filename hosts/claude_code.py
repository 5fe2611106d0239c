"""Claude Code's hooks: what is sent before and after a tool is used, and what it wants to hear.

The host goes on when a hook fails in any way that is not a proper answer, unless its settings say `onFailure: "block"`;
so the answer is always one that it understands, with exit code 0 over HTTP and for the command.
"""

from __future__ import annotations

from typing import Any

from hosts.call import Answer, Call
from hosts.neutral import behind
from hosts.read_json import BadRequestError, a_text, an_object

BEFORE, AFTER = "PreToolUse", "PostToolUse"


def call_of(body: Any) -> tuple[str, Call]:
    """The event, and the call it is about. Raises `BadRequestError`."""
    doc = an_object(body, "the hook's input")
    event = a_text(doc.get("hook_event_name"), "`hook_event_name`")
    if event not in (BEFORE, AFTER):
        raise BadRequestError(f"`{event}` is none of the hook events {BEFORE} and {AFTER}")
    call = Call(
        tool=a_text(doc.get("tool_name"), "`tool_name`"),
        arguments=an_object(doc.get("tool_input"), "`tool_input`"),
        id=a_text(doc.get("tool_use_id", ""), "`tool_use_id`"),
        session=a_text(doc.get("session_id"), "`session_id`"),
        agent="claude-code",
        context={n: doc[n] for n in ("cwd", "permission_mode", "transcript_path") if n in doc},
        result=doc.get("tool_response"),
    )
    return event, call


def reply(event: str, call: Call, answer: Answer) -> dict[str, Any]:
    """What the hook says. Nothing, when the policy allows the call as it is: the host's own rules go on from there. A
    call that is rewritten is put to whoever sits at the terminal, unless the host asks nobody anyway."""
    if event == AFTER:
        return {} if answer.allowed else {"decision": "block", "reason": _why(answer)}
    if answer.allowed and answer.duties:
        # SOUND: the host carries out nothing of the kind.
        return _before("deny", "the policy obliges to what this host does not do")
    if answer.effect == "ask":
        return _before("deny", f"{_why(answer)}; waiting for an answer to question {answer.ticket}")
    if not answer.allowed:
        return _before("deny", _why(answer))
    if answer.arguments is None:
        return {}
    # SOUND: "allow" would pass over the host's own permissions.
    unasked = call.context.get("permission_mode") == "bypassPermissions"
    found = _before("allow" if unasked else "ask", "the policy has rewritten it")
    found["hookSpecificOutput"]["updatedInput"] = dict(answer.arguments)
    return found


def denied(reason: str) -> dict[str, Any]:
    """What is printed when there is no answer."""
    return _before("deny", reason)


def _before(word: str, reason: str) -> dict[str, Any]:
    told = {"hookEventName": BEFORE, "permissionDecision": word, "permissionDecisionReason": reason}
    return {"hookSpecificOutput": told}


def _why(answer: Answer) -> str:
    rules = [r["name"] for r in behind(answer).get("rules", [])]
    by = f" ({', '.join(rules)})" if rules else ""
    return f"{answer.reason or answer.code}{by}"
