"""A `Service` to an ASGI application: the routes of the sidecar, who may use them, and what goes wrong.

NOTE(sidecar): an answer is given with status 200, whatever it says; 400 is for what is no request, 401 and 403 for who
may not ask. A host that gets anything but a proper answer denies.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from hosts import authzen, authzen_search, claude_code, envoy, litellm, neutral, opa, people
from hosts.guard import Guard
from hosts.openapi import document
from hosts.prometheus import CONTENT_TYPE, exposition
from hosts.read_json import MOST, BadRequestError, parse
from hosts.service import Service
from hosts.tokens import Bearer, bearer

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
Answers: TypeAlias = Callable[[Service, Request, Any, Bearer | None], Awaitable[Any]]

log = logging.getLogger("policyctl.sidecar")
REQUEST_ID = "x-request-id"


class ForbiddenError(Exception):
    """Who asks may not. `status` is 401 when nobody knows who asks."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def application(service: Service) -> Starlette:
    """The sidecar."""

    def route(path: str, method: str, role: str, answers: Answers) -> Route:
        return Route(path, _endpoint(service, role, answers), methods=[method])

    return Starlette(
        routes=[
            route("/v1/calls", "POST", "ask", _call),
            route("/v1/results", "POST", "ask", _result),
            route("/access/v1/evaluation", "POST", "ask", _by("authzen", authzen.evaluation)),
            route("/access/v1/evaluations", "POST", "ask", _by("authzen", authzen.evaluations)),
            route("/access/v1/search/subject", "POST", "ask", _by("authzen", authzen_search.subjects)),
            route("/access/v1/search/resource", "POST", "ask", _by("authzen", authzen_search.resources)),
            route("/access/v1/search/action", "POST", "ask", _by("authzen", authzen_search.actions)),
            route("/.well-known/authzen-configuration", "GET", "", _metadata),
            route("/v1/data/{path:path}", "POST", "ask", _opa),
            route(litellm.PATH, "POST", "ask", _by("litellm", litellm.guardrail)),
            route("/hooks/claude-code", "POST", "ask", _claude_code),
            Route(envoy.PREFIX + "/{path:path}", _Envoy(service)),
            Route(envoy.PREFIX, _Envoy(service)),
            route("/v1/approvals", "GET", "answer", people.open_questions),
            route("/v1/approvals/{ticket}", "POST", "answer", people.answer),
            route("/v1/lockdown", "GET", "ask", people.lockdown),
            route("/v1/lockdown", "POST", "admin", people.lock_down),
            route("/v1/lockdown", "DELETE", "admin", people.lift_lockdown),
            route("/v1/reload", "POST", "admin", people.reload),
            route("/healthz", "GET", "", _alive),
            Route("/readyz", _ready(service), methods=["GET"]),
            Route("/metrics", _metrics(service), methods=["GET"]),
            route("/openapi.json", "GET", "", _openapi),
        ]
    )


def _endpoint(service: Service, role: str, answers: Answers) -> Endpoint:
    """An endpoint that answers in JSON. What goes wrong never lets anything pass."""

    async def endpoint(request: Request) -> Response:
        status, said = 200, None
        try:
            who = may(service, request, role)
            body = await read(request) if request.method in ("POST", "DELETE") else None
            said = await answers(service, request, body, who)
        except BadRequestError as error:
            status, said = 400, {"error": str(error)}
        except ForbiddenError as error:
            status, said = error.status, {"error": str(error)}
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            log.exception("%s %s", request.method, request.url.path)
            status, said = 500, {"error": "internal error; nothing is allowed"}
        return _json(request, said, status)

    return endpoint


def _json(request: Request, said: Any, status: int) -> Response:
    headers = {REQUEST_ID: request.headers[REQUEST_ID]} if REQUEST_ID in request.headers else None
    try:
        return JSONResponse(said, status, headers)
    except ValueError:  # half of a surrogate pair, say, in what the host itself has sent
        return JSONResponse({"error": "the answer cannot be written as JSON"}, 400, headers)


def may(service: Service, request: Request, role: str) -> Bearer | None:
    """Who asks. Raises `ForbiddenError` unless they have the role; "" is for everybody."""
    if not role:
        return None
    if not service.bearers:
        # SOUND: whoever reaches the sidecar may ask, since asking gives nothing that was not there without it.
        if role == "ask":
            return None
        raise ForbiddenError(403, "only who has a token may, and the sidecar was started without any")
    who = bearer(service.bearers, request.headers.get("authorization", ""))
    if who is None:
        raise ForbiddenError(401, "there is no token, or one that nobody has")
    if role not in who.roles:
        raise ForbiddenError(403, f"`{who.name}` may not `{role}`")
    return who


async def read(request: Request) -> Any:
    """The body as JSON; None for a DELETE without one. Raises `BadRequestError`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST:
            raise BadRequestError(f"the body has more than {MOST} bytes")
    if not body and request.method == "DELETE":
        return None
    if kind != "application/json":
        raise BadRequestError("the content type is not application/json")
    return parse(bytes(body))


async def _call(service: Service, _request: Request, body: Any, _who: Bearer | None) -> Any:
    call, host = neutral.call_of(body), neutral.host_of(body)
    return neutral.to_json(await service.work(service.guard(host).before, call))


async def _result(service: Service, _request: Request, body: Any, _who: Bearer | None) -> Any:
    call, host = neutral.call_of(body), neutral.host_of(body)
    return neutral.to_json(await service.work(service.guard(host).after, call))


def _by(host: str, answer: Callable[[Guard, Any], dict[str, Any]]) -> Answers:
    """What a function makes of the body, by the guard of a host."""

    async def answers(service: Service, _request: Request, body: Any, _who: Bearer | None) -> Any:
        return await service.work(answer, service.guard(host), body)

    return answers


async def _metadata(service: Service, _request: Request, _body: Any, _who: Bearer | None) -> Any:
    return authzen.metadata(service.base)


async def _opa(service: Service, request: Request, body: Any, _who: Bearer | None) -> Any:
    path = request.path_params["path"]
    return opa.result(path, await service.work(service.guard("opa").before, opa.call_of(path, body)))


async def _claude_code(service: Service, _request: Request, body: Any, _who: Bearer | None) -> Any:
    event, call = claude_code.call_of(body)
    guard = service.guard("claude-code")
    answer = await service.work(guard.before if event == claude_code.BEFORE else guard.after, call)
    return claude_code.reply(event, call, answer)


async def _alive(_service: Service, _request: Request, _body: Any, _who: Bearer | None) -> Any:
    return {"alive": True}


async def _openapi(service: Service, _request: Request, _body: Any, _who: Bearer | None) -> Any:
    return document(service.base)


class _Envoy:
    """The endpoint that Envoy asks, with any method."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            may(self._service, request, "ask")
            raw = request.scope.get("raw_path", b"").decode("latin-1")
            call = envoy.call_of(request.method, raw, request.url.query, request.headers)
            status, headers = envoy.reply(await self._service.work(self._service.guard("envoy").before, call))
            return PlainTextResponse("" if status == 200 else headers["x-policyctl-reason"], status, headers)
        except ForbiddenError as error:
            return PlainTextResponse(str(error), error.status)
        except ValueError as error:
            return PlainTextResponse(str(error), 403)
        except Exception:
            log.exception("%s %s", request.method, request.url.path)
            return PlainTextResponse("internal error", 403)


def _ready(service: Service) -> Endpoint:
    async def ready(request: Request) -> Response:
        fault = service.enforcer.fault
        said: dict[str, Any] = {"ready": fault is None, "locked": service.enforcer.locked}
        if fault is not None:
            said |= {"code": fault[0].value, "reason": fault[1]}
        return _json(request, said, 200 if fault is None else 503)

    return ready


def _metrics(service: Service) -> Endpoint:
    async def metrics(_request: Request) -> Response:
        return Response(
            exposition(service.enforcer, service.totals() if service.totals else None), media_type=CONTENT_TYPE
        )

    return metrics
