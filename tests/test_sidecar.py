"""The routes of the sidecar: what each host is told, who may do what, and a real process on a unix socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from enforcing import MESSAGING, memory, outbox
from hypothesis import given, settings
from hypothesis import strategies as st
from sidecar import Client, bundle_of, started, until
from test_mapping import JSON

from hosts.app import application
from hosts.guard import Guard
from hosts.mapping import read
from hosts.mapping_check import check
from hosts.openapi import OPERATIONS, document
from hosts.service import Service
from hosts.tokens import TokenError, bearer, line
from hosts.tokens import read as read_tokens
from policyctl.serving import ServeError, on_path
from runtime.bundle import BundleError
from runtime.enforcer import Enforcer
from runtime.meter import Totals

MAIL = """
[[call]]
of = ["mail", "chat.allow", "chat.decision", "Mail"]
action = "send"
inputs = { principal = "ann", to = { at = "$arguments.to", default = "bob" }, kind = "Mail", text = "$arguments.text" }

[[call]]
of = ["llm.request", "llm.response"]
action = "send"
inputs = { principal = "ann", to = "bob", kind = "Chat", text = "$arguments.text" }

[[call]]
of = "http"
where = { "$arguments.method" = "GET" }
action = "send"
inputs = { principal = "ann", to = "bob", kind = "Chat", text = "$arguments.path" }

[[call]]
of = "idle"
unasked = "it does nothing"

[[result]]
of = "Mail"
action = "look"
inputs.principal = "$result"
"""
HOSTS = ("mailer", "opa", "envoy", "litellm", "claude-code", "authzen")


def service(e: Enforcer | None = None, **further: Any) -> Service:
    e = e or outbox()
    assert e.policies is not None
    guards = {}
    for host in HOSTS:
        mapping = read(f'host = "{host}"\n{MAIL}', host)
        check(mapping, e.policies, host)
        guards[host] = Guard(e, mapping)
    return Service(e, guards, base="http://sidecar", **further)


def client(e: Enforcer | None = None, **further: Any) -> Client:
    return Client(service(e, **further))


# The plain protocol


def call(text: str = "hello", **other: Any) -> dict[str, Any]:
    return {"host": "mailer", "tool": "mail", "arguments": {"text": text}, **other}


def test_a_call_is_answered() -> None:
    c = client()
    found = c.post("/v1/calls", call())
    assert (found.status, found.json["effect"], found.json["code"]) == (200, "allow", "allowed")
    assert "arguments" not in found.json
    assert c.post("/v1/calls", call("use sk-abcd")).json["arguments"] == {"text": "use [key]"}
    found = c.post("/v1/calls", call("bit.ly/"))
    assert (found.json["effect"], found.json["reason"]) == ("deny", "a hidden link")
    assert found.json["rules"][0]["name"] == "phishing"
    assert found.json["obligations"] == [{"name": "quarantine", "args": ["ann"]}]
    assert c.post("/v1/calls", call(tool="rm")).json["code"] == "mapping.unmapped"
    assert c.post("/v1/calls", call(host="else")).json["code"] == "mapping.unmapped"
    assert c.post("/v1/results", call(tool="Mail", result="ann")).json["effect"] == "allow"
    assert c.post("/v1/results", call(tool="Mail", result=7)).json["effect"] == "deny"


def test_a_handler_of_the_enforcer_leaves_nothing_to_the_host() -> None:
    seen: list[object] = []
    found = client(outbox(handlers={"quarantine": seen.append})).post("/v1/calls", call("bit.ly/"))
    assert "obligations" not in found.json
    assert seen == ["ann"]


@pytest.mark.parametrize(
    "body",
    [{}, [], call(tool=7), call(arguments=[]), call(user=None), call(extra=1), {**call(), "host": None}],
)
def test_what_is_no_call(body: Any) -> None:
    for path in ("/v1/calls", "/v1/results"):
        assert client().post(path, body).status == 400


# Others' protocols


def test_opa() -> None:
    c = client()
    assert c.post("/v1/data/chat/allow", {"input": {"text": "hi"}}).json == {"result": True}
    assert c.post("/v1/data/chat/allow", {"input": {"text": "bit.ly/"}}).json == {"result": False}
    # What has to be rewritten cannot be told by a truth value.
    assert c.post("/v1/data/chat/allow", {"input": {"text": "sk-abcd"}}).json == {"result": False}
    found = c.post("/v1/data/chat/decision", {"input": {"text": "bit.ly/"}}).json["result"]
    assert (found["allow"], found["code"]) == (False, "denied.forbid")
    assert c.post("/v1/data/other/allow", {}).json == {"result": False}
    assert c.post("/v1/data/chat/allow", {"input": []}).status == 400


def test_envoy() -> None:
    c = client()
    assert c.send("GET", "/ext_authz/a/b?x=1").status == 200
    found = c.send("GET", "/ext_authz/x/../bit.ly/x")
    assert (found.status, found.headers["x-policyctl-reason"]) == (403, "a hidden link")
    assert c.send("GET", "/ext_authz/%62it.ly/x").headers["x-policyctl-code"] == "denied.forbid"
    assert c.send("POST", "/ext_authz/a").headers["x-policyctl-code"] == "mapping.unmapped"
    assert c.send("GET", "/ext_authz/%ff").status == 403
    assert c.send("GET", "/ext_authz").status == 200


def test_litellm() -> None:
    c, path = client(outbox(promised=frozenset({"quarantine", "notify"}))), "/beta/litellm_basic_guardrail_api"

    def ask(**body: Any) -> Any:
        return c.post(path, {"input_type": "request", **body}).json

    assert ask(texts=["hi"], tool_calls=None, structured_messages=[], model="m") == {"action": "NONE"}
    assert ask(texts=["one", "use sk-abcd"]) == {"action": "GUARDRAIL_INTERVENED", "texts": ["one", "use [key]"]}
    blocked = ask(texts=["see bit.ly/x"])
    assert blocked == {"action": "BLOCKED", "blocked_reason": "denied.forbid: a hidden link"}


def test_litellm_tools() -> None:
    def ask(name: str, arguments: str) -> Any:
        body = {"input_type": "response", "tool_calls": [{"function": {"name": name, "arguments": arguments}}]}
        return client().post("/beta/litellm_basic_guardrail_api", body)

    assert ask("mail", '{"text": "hi"}').json == {"action": "NONE"}
    assert ask("mail", '{"text": "bit.ly/"}').json["action"] == "BLOCKED"
    assert ask("mail", '{"text": "sk-abcd"}').json["action"] == "BLOCKED"  # which cannot be rewritten there
    assert ask("rm", "{}").json["action"] == "BLOCKED"
    assert ask("mail", "{").status == 400


def test_what_else_has_to_be_done_is_more_than_some_hosts_can() -> None:
    e = outbox(given={"outbox": {"Trusted": ["herald"]}})
    c = client(e)
    for host in ("opa", "litellm", "claude-code", "envoy"):
        mapping = read(f'host = "{host}"\n{MAIL}'.replace('"ann"', '"herald"'), host)
        guards = {**c.service.guards, host: Guard(e, mapping)}
        c = Client(replace(c.service, guards=guards))
    assert c.post("/v1/data/chat/allow", {"input": {"text": "hi"}}).json == {"result": False}
    assert c.post("/beta/litellm_basic_guardrail_api", {"input_type": "request", "texts": ["hi"]}).json == {
        "action": "BLOCKED",
        "blocked_reason": "it is allowed only with what this host does not do: alert",
    }
    assert c.post("/hooks/claude-code", hook()).json["hookSpecificOutput"]["permissionDecision"] == "deny"


def hook(event: str = "PreToolUse", **tool: Any) -> dict[str, Any]:
    more = {"tool_name": "Mail", "tool_input": {"text": "hi"}, **tool}
    return {"hook_event_name": event, "session_id": "s", "tool_use_id": os.urandom(4).hex(), "cwd": "/", **more}


def test_claude_code() -> None:
    c = client(outbox(memory()))

    def ask(body: Any) -> Any:
        return c.post("/hooks/claude-code", body).json

    # It takes away, and gives nothing: what is allowed is left to the host's own rules.
    assert ask(hook()) == {}
    told = ask(hook(tool_input={"text": "bit.ly/"}))["hookSpecificOutput"]
    assert told["hookEventName"] == "PreToolUse"
    assert (told["permissionDecision"], told["permissionDecisionReason"]) == ("deny", "a hidden link (phishing)")
    rewritten = ask(hook(tool_input={"text": "sk-abcd"}))["hookSpecificOutput"]
    assert (rewritten["permissionDecision"], rewritten["updatedInput"]) == ("ask", {"text": "[key]"})
    unasked = ask(hook(tool_input={"text": "sk-abcd"}, permission_mode="bypassPermissions"))["hookSpecificOutput"]
    assert unasked["permissionDecision"] == "allow"


def test_claude_code_asks_people_elsewhere() -> None:
    e = outbox(memory())
    told = client(e).post("/hooks/claude-code", hook(tool_input={"text": "hi", "to": "stranger"})).json
    assert told["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert e.questions()[0].ticket in told["hookSpecificOutput"]["permissionDecisionReason"]


def test_claude_code_afterwards() -> None:
    c = client()
    assert c.post("/hooks/claude-code", hook("PostToolUse", tool_response="ann")).json == {}
    assert c.post("/hooks/claude-code", hook("PostToolUse", tool_response=7)).json["decision"] == "block"
    assert c.post("/hooks/claude-code", hook("Stop")).status == 400


# People


TOKENS = "\n".join(
    line(name, roles, f"{name}-secret") for name, roles in [("gw", ["ask"]), ("hal", ["answer", "admin"])]
)


def by(name: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {name}-secret"}}


def test_who_may_do_what() -> None:
    c = client(bearers=read_tokens(TOKENS))
    assert c.post("/v1/calls", call()).status == 401
    assert c.post("/v1/calls", call(), **by("eve")).status == 401
    assert c.post("/v1/calls", call(), **by("hal")).status == 403
    assert c.post("/v1/calls", call(), **by("gw")).status == 200
    assert c.get("/v1/approvals", **by("gw")).status == 403
    assert c.send("GET", "/ext_authz/x").status == 401
    assert c.get("/healthz").status == 200
    # Without tokens nobody does more than ask.
    assert client().get("/v1/approvals").status == 403
    assert client().send("DELETE", "/v1/lockdown").status == 403


def test_people_answer() -> None:
    e = outbox(memory())
    c = client(e, bearers=read_tokens(TOKENS))
    wanted = call(arguments={"text": "hi", "to": "stranger"}, id="1")
    first = c.post("/v1/calls", wanted, **by("gw")).json
    assert first["effect"] == "ask"
    (question,) = c.get("/v1/approvals", **by("hal")).json["approvals"]
    assert (question["ticket"], question["inputs"]["to"]) == (first["ticket"], "stranger")
    assert [r["name"] for r in question["rules"]] == ["strangers"]
    path = f"/v1/approvals/{first['ticket']}"
    assert c.post(path, {"approved": 1}, **by("hal")).status == 400
    assert c.post(path, {"approved": True}, **by("hal")).json["effect"] == "allow"
    assert c.post(path, {"approved": True}, **by("hal")).json["code"] == "approval.refused"
    assert c.post("/v1/calls", wanted, **by("gw")).json["effect"] == "allow"
    assert c.get("/v1/approvals", **by("hal")).json == {"approvals": []}


def test_lockdown() -> None:
    e = outbox(memory(), officers=("hal",))
    c = client(e, bearers=read_tokens(TOKENS))
    assert c.get("/v1/lockdown", **by("gw")).json == {"locked": False}
    assert c.post("/v1/lockdown", {"reason": "drill"}, **by("hal")).json["effect"] == "allow"
    assert c.post("/v1/calls", call(), **by("gw")).json["code"] == "lockdown"
    assert c.get("/readyz").json == {"ready": True, "locked": True}
    assert c.send("DELETE", "/v1/lockdown", **by("hal")).json["effect"] == "allow"
    assert c.post("/v1/calls", call(), **by("gw")).json["effect"] == "allow"


@pytest.mark.parametrize("text", ["", "ann", "ann ask", "ann fly " + "0" * 64, "ann ask " + "0" * 63])
def test_what_is_no_file_of_tokens(text: str) -> None:
    with pytest.raises(TokenError):
        read_tokens(text)


def test_tokens() -> None:
    found = read_tokens("# who may\n\n" + TOKENS)
    assert [b.name for b in found] == ["gw", "hal"]
    ann = bearer(found, "bearer  hal-secret")
    assert ann is not None
    assert (ann.name, ann.roles) == ("hal", frozenset({"answer", "admin"}))
    for header in ("", "hal-secret", "Basic hal-secret", "Bearer ", "Bearer hal-secret2"):
        assert bearer(found, header) is None


# What is the same everywhere


def test_what_is_not_there() -> None:
    c = client()
    assert c.get("/").status == 404
    assert c.get("/v1/calls").status == 405


def test_not_ready() -> None:
    from enforcing import settings

    e = Enforcer(BundleError("torn"), None, settings())
    found = Client(Service(e, {})).get("/readyz")
    assert (found.status, found.json) == (
        503,
        {"ready": False, "locked": False, "code": "bundle.invalid", "reason": "torn"},
    )
    assert Client(Service(e, {})).post("/v1/calls", call()).json["effect"] == "deny"


def test_numbers() -> None:
    totals = Totals()
    totals.decisions["send", "deny", "denied.forbid"] = 3
    totals.denials["outbox", "phi\nshing"] = 3
    totals.latencies[0] = 2
    text = client(totals=lambda: totals).get("/metrics").text
    assert 'policyctl_decisions_total{action="send",code="denied.forbid",effect="deny"} 3.0' in text
    assert 'policyctl_denials_total{policy="outbox",rule="phi\\nshing"} 3.0' in text
    assert 'policyctl_decision_seconds_bucket{le="1e-06"} 2.0' in text
    assert "policyctl_ready 1.0" in text


def test_a_fault_of_ours_is_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("hosts.neutral.to_json", broken)
    found = client().post("/v1/calls", call())
    assert (found.status, found.json) == (500, {"error": "internal error; nothing is allowed"})


def test_the_document_has_all_routes() -> None:
    routes = {
        (method.lower(), route.path.replace(":path}", "}"))
        for route in application(service()).routes
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    described = {(method, path) for method, path, *_ in OPERATIONS}
    assert routes - described == {("get", "/metrics"), ("get", "/openapi.json")}
    assert described <= routes
    found = client().get("/openapi.json").json
    assert found == json.loads(json.dumps(document("http://sidecar")))


PATHS = [path.replace("{path}", "chat/allow").replace("{ticket}", "t") for m, path, *_ in OPERATIONS if m == "post"]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(PATHS), JSON)
def test_whatever_is_sent_it_answers(path: str, body: Any) -> None:
    content = json.dumps(body).encode()
    found = client().send("POST", path, content=content, headers={"content-type": "application/json"})
    assert found.status in (200, 400, 403)


# A real one


def test_a_process_on_a_unix_socket(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    text = """
host = "mailer"
[[call]]
of = "say"
action = "post"
inputs = { principal = "$agent", channel = "email", text = "$arguments.text" }
"""
    mapping.write_text(text, encoding="utf-8")
    bundle = bundle_of(MESSAGING, tmp_path)
    options = (
        "--map",
        str(mapping),
        "--state",
        str(tmp_path / "s.db"),
        "--promise",
        "quarantine",
        "--promise",
        "notify",
    )
    with started(tmp_path, bundle, *options, "--promise", "alert") as c:
        assert stat.S_IMODE((tmp_path / "s.sock").stat().st_mode) == 0o600
        body = {"host": "mailer", "tool": "say", "arguments": {"text": "hi"}, "agent": "s1"}
        assert c.post("/v1/calls", json=body).json()["code"] == "denied.default"
        assert c.get("/readyz").json()["ready"] is True
        assert "policyctl_decisions_total" in c.get("/metrics").text
        # A mapping that does not fit changes nothing; one that does is in force at once.
        pid = _listener(tmp_path / "s.sock")
        mapping.write_text(text.replace('"post"', '"pots"'), encoding="utf-8")
        os.kill(pid, signal.SIGHUP)
        assert c.post("/v1/calls", json=body).json()["code"] == "denied.default"
        mapping.write_text(text.replace('"say"', '"tell"'), encoding="utf-8")
        os.kill(pid, signal.SIGHUP)
        assert until(lambda: c.post("/v1/calls", json=body).json()["code"] == "mapping.unmapped")
    assert not (tmp_path / "s.sock").exists()


def _listener(path: Path) -> int:
    import struct

    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        pid, _, _ = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def test_a_socket_that_is_left_behind_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = on_path(path, 0o600)
    with pytest.raises(ServeError, match="somebody listens"):
        on_path(path, 0o600)
    first.close()
    second = on_path(path, 0o660)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    second.close()
    (tmp_path / "f").write_text("not a socket", encoding="utf-8")
    with pytest.raises(ServeError):
        on_path(tmp_path / "f", 0o600)
