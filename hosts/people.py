"""The routes of the sidecar for people: questions, lockdown, another bundle. Who answers is whose token it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hosts.read_json import BadRequestError, a_text, an_object
from runtime.decision import Decision
from runtime.tickets import Question

if TYPE_CHECKING:
    from starlette.requests import Request

    from hosts.service import Service
    from hosts.tokens import Bearer


async def open_questions(service: Service, _request: Request, _body: Any, _who: Bearer | None) -> Any:
    """What waits for an answer, the oldest first."""
    return {"approvals": [to_json(q) for q in await service.work(service.enforcer.questions)]}


async def answer(service: Service, request: Request, body: Any, who: Bearer | None) -> Any:
    """`{"approved": true}` or false; what is decided then."""
    approved = an_object(body, "the body").get("approved")
    if not isinstance(approved, bool):
        raise BadRequestError("`approved` is neither true nor false")
    # SOUND: the name is that of the token, so that nobody answers in the name of somebody else.
    name = who.name if who is not None else ""
    return _said(await service.work(service.enforcer.answer, request.path_params["ticket"], approved, name))


async def lockdown(service: Service, _request: Request, _body: Any, _who: Bearer | None) -> Any:
    """Whether there is one."""
    return {"locked": service.enforcer.locked}


async def lock_down(service: Service, _request: Request, body: Any, who: Bearer | None) -> Any:
    """`{"reason": "…"}`: deny everything but recovery. The bearer has to be an officer."""
    reason = a_text(an_object(body, "the body").get("reason", ""), "`reason`")
    return _said(await service.work(service.enforcer.lock_down, who.name if who is not None else "", reason))


async def lift_lockdown(service: Service, _request: Request, _body: Any, who: Bearer | None) -> Any:
    """Go on as before. The bearer has to be an officer."""
    return _said(await service.work(service.enforcer.lift_lockdown, who.name if who is not None else ""))


async def reload(service: Service, _request: Request, _body: Any, _who: Bearer | None) -> Any:
    """Go on under the bundle and the mappings that are in their files now. Nothing changes unless they fit."""
    if service.reload is None:
        raise BadRequestError("there is nothing to reload")
    try:
        await service.work(service.reload)
    except (ValueError, OSError) as error:
        raise BadRequestError(f"nothing has changed: {error}") from error
    return {"reloaded": True}


def to_json(q: Question) -> dict[str, Any]:
    """What people see of a question. Times are milliseconds since 1970."""
    return {
        "ticket": q.ticket,
        "policy": q.system,
        "action": q.action,
        "inputs": dict(q.inputs),
        "rules": [{"name": rule, "by": who} for rule, who in q.rules],
        "asked": q.asked,
        "until": q.until,
    }


def _said(decision: Decision) -> dict[str, Any]:
    return {"effect": decision.effect, "code": decision.code.value, "reason": decision.reason}
