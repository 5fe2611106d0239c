"""The Model Context Protocol: JSON-RPC messages between a client and a server, of which `tools/call` is decided.

Everything else passes as it is. What is decided is written anew, so that the server reads what the policy has read. The
codes of denials are those of the AuthZEN profile for MCP (draft, 2026): -32001 denied, -32602 not to be mapped, -32603
nobody could decide.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hosts.call import Answer, Call
from hosts.guard import Guard
from hosts.neutral import to_json
from hosts.read_json import BadRequestError, parse

CALL = "tools/call"
DENIED, UNMAPPED, UNDECIDED, NO_JSON, NO_REQUEST = -32001, -32602, -32603, -32700, -32600
MOST_OPEN = 10_000
"""Calls without a result that are remembered."""
MOST_BYTES = 1 << 26
"""Bytes that a message may have: files and pictures travel in them."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Messages that go on to the server, and those that go back to the client."""

    to_server: tuple[bytes, ...] = ()
    to_client: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Proxy:
    """Between one client and one server. `session` names the connection; `settle` waits until an answer is no question
    any more, as long as whoever runs this wants to wait."""

    guard: Guard
    session: str
    settle: Callable[[Call, Answer], Answer]
    client: str = ""
    open: dict[str, Call] = field(default_factory=dict)

    def from_client(self, line: bytes) -> Sent:
        """What becomes of a message of the client. Never raises."""
        if not line.strip():
            return Sent()
        try:
            message = parse(line, MOST_BYTES)
        except BadRequestError as error:
            return Sent((), (_error(None, NO_JSON, str(error)),))
        if isinstance(message, list):
            # SOUND: no version of the protocol that is in use has batches, and a server may take one apart or not.
            return Sent((), (_error(None, NO_REQUEST, "batches are not taken"),))
        if not isinstance(message, dict):
            return Sent((), (_error(None, NO_REQUEST, "a message is an object"),))
        method, params = message.get("method"), message.get("params")
        if method == "initialize" and isinstance(params, dict) and isinstance(params.get("clientInfo"), dict):
            name = params["clientInfo"].get("name")
            self.client = name if isinstance(name, str) else ""
        if method != CALL:
            return Sent((_line(message),))
        try:
            return self._call(message, params)
        except Exception as error:  # noqa: BLE001 whatever it is, the server does not get it
            return self._denied(message, UNDECIDED, f"{type(error).__name__}: {error}", {})

    def from_server(self, line: bytes) -> bytes:
        """What the client is given of a message of the server; nothing of what is no message. Never raises."""
        try:
            message = parse(line, MOST_BYTES)
        except BadRequestError:
            # SOUND: the client might read a result in it, which nobody has looked at.
            return b""
        if not isinstance(message, dict) or "method" in message:
            return line if isinstance(message, dict) else b""
        ident = message.get("id")
        call = self.open.pop(_name(ident), None)
        if call is None or "result" not in message:
            return line
        answer = self.guard.after(replace(call, result=message["result"]))
        if answer.allowed:
            return line
        return _error(ident, DENIED, f"the result may not be used: {answer.reason or answer.code}", to_json(answer))

    def _call(self, message: dict[str, Any], params: Any) -> Sent:
        if not isinstance(params, dict) or not isinstance(params.get("name"), str):
            return self._denied(message, UNMAPPED, "`params.name` is no text", {})
        arguments = params.get("arguments", {})
        if not isinstance(arguments, dict):
            return self._denied(message, UNMAPPED, "`params.arguments` is no object", {})
        name = _name(message.get("id"))
        call = Call(params["name"], arguments, id=name, session=self.session, agent=self.client)
        answer = self.guard.before(call)
        if answer.effect == "ask":
            answer = self.settle(call, answer)
        if not answer.allowed:
            return self._denied(message, _code(answer), answer.reason or answer.code, to_json(answer))
        if answer.duties:
            # SOUND: nobody here carries them out.
            return self._denied(message, UNDECIDED, "the policy obliges to what nobody here does", to_json(answer))
        if len(self.open) >= MOST_OPEN:
            return self._denied(message, UNDECIDED, "too many calls have no result yet", {})
        if name:
            self.open[name] = call
        if answer.arguments is not None:
            message = {**message, "params": {**params, "arguments": dict(answer.arguments)}}
        return Sent((_line(message),))

    def _denied(self, message: dict[str, Any], code: int, text: str, data: Any) -> Sent:
        # A notification has nobody who waits for an answer; it is not sent on, and that is all.
        return Sent((), (_error(message["id"], code, text, data),) if message.get("id") is not None else ())


def _code(answer: Answer) -> int:
    if answer.code.startswith(("mapping.", "request.")):
        return UNMAPPED
    return UNDECIDED if answer.code in ("store.unavailable", "internal", "bundle.invalid") else DENIED


def _name(ident: Any) -> str:
    """A name of a request: 1 and "1" are two."""
    return "" if ident is None else json.dumps(ident)


def _line(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def _error(ident: Any, code: int, text: str, data: Any = None) -> bytes:
    error = {"code": code, "message": text} | ({"data": data} if data else {})
    return _line({"jsonrpc": "2.0", "id": ident, "error": error})
