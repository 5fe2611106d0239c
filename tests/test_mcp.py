"""The proxy for the Model Context Protocol: what passes, what is denied with which code, and a server behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from enforcing import MESSAGING, ROOT, memory, outbox
from hypothesis import given
from hypothesis import strategies as st
from sidecar import bundle_of
from test_mapping import JSON

from hosts.call import Answer, Call
from hosts.guard import Guard
from hosts.mapping import read
from hosts.mcp import Proxy, Sent
from runtime.enforcer import Enforcer

MAIL = """
host = "mcp"
[[call]]
of = "mail"
action = "send"
inputs = { principal = "ann", to = { at = "$arguments.to", default = "bob" }, kind = "Mail", text = "$arguments.text" }
[[call]]
of = "idle"
unasked = "it does nothing"
[[result]]
of = "mail"
action = "look"
inputs.principal = "$result.by"
"""


def proxy(e: Enforcer | None = None) -> Proxy:
    return Proxy(Guard(e or outbox(), read(MAIL, "m")), "s", lambda _call, answer: answer)


def message(method: str, ident: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}


def line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def mail(text: str = "hi", ident: Any = 1, **arguments: Any) -> bytes:
    return line(message("tools/call", ident, name="mail", arguments={"text": text, **arguments}))


def error(sent: Sent) -> Any:
    assert sent.to_server == ()
    (back,) = sent.to_client
    return json.loads(back)["error"]


def result(ident: Any = 1, **fields: Any) -> bytes:
    return line({"jsonrpc": "2.0", "id": ident, "result": fields})


def test_what_is_no_call_passes() -> None:
    p = proxy()
    for wanted in (
        message("initialize", clientInfo={"name": "c"}),
        message("tools/list"),
        {"id": 4, "result": {"x": 1}},
    ):
        sent = p.from_client(line(wanted))
        assert json.loads(sent.to_server[0]) == wanted
        assert sent.to_client == ()
    assert p.client == "c"
    assert p.from_client(b"\n") == Sent()


def test_a_call_is_decided() -> None:
    p = proxy()
    sent = p.from_client(mail("hi"))
    assert json.loads(sent.to_server[0])["params"] == {"name": "mail", "arguments": {"text": "hi"}}
    denied = error(p.from_client(mail("bit.ly/", 2)))
    assert (denied["code"], denied["message"]) == (-32001, "a hidden link")
    assert denied["data"]["rules"][0]["name"] == "phishing"
    rewritten = p.from_client(mail("use sk-abcd", 3)).to_server[0]
    assert json.loads(rewritten)["params"]["arguments"] == {"text": "use [key]"}


def test_codes() -> None:
    assert error(proxy().from_client(line(message("tools/call", name="rm"))))["code"] == -32602
    assert error(proxy().from_client(line(message("tools/call", name="mail"))))["code"] == -32602
    assert error(proxy().from_client(line(message("tools/call", name=7))))["code"] == -32602
    assert error(proxy().from_client(line(message("tools/call", name="mail", arguments=[]))))["code"] == -32602
    assert error(proxy().from_client(line({"id": 1, "method": "tools/call"})))["code"] == -32602
    store = memory()
    e = outbox(store)
    with store.hold():
        assert error(proxy(e).from_client(mail()))["code"] == -32603
    for wrong in (b"{", b"7", b'[{"method": "tools/call"}]', b'{"method": "a", "method": "tools/call"}', b"\xff"):
        assert error(proxy().from_client(wrong))["code"] in (-32700, -32600)


def test_a_call_that_nobody_waits_for_is_not_sent_on_either() -> None:
    wanted = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "rm"}}
    assert proxy().from_client(line(wanted)) == Sent()


def test_the_same_request_is_not_done_twice() -> None:
    e = outbox()
    p = proxy(e)
    for _ in range(5):
        assert p.from_client(mail(ident=1)).to_server
    assert p.from_client(mail(ident="1")).to_server  # another one
    assert p.from_client(mail(ident=2)).to_server
    assert error(p.from_client(mail(ident=3)))["data"]["code"] == "denied.limit"
    assert error(p.from_client(mail("other", ident=1)))["data"]["code"] == "request.key_reused"


def test_results_are_told_to_the_policy() -> None:
    p = proxy()
    p.from_client(mail())
    assert p.from_server(result(by="ann", content=[])) == result(by="ann", content=[])
    p.from_client(mail(ident=2))
    withheld = json.loads(p.from_server(result(2, by=7)))
    assert (withheld["id"], withheld["error"]["code"]) == (2, -32001)
    assert p.from_server(result(2, by=7)) == result(2, by=7)  # of no call that was made
    p.from_client(mail(ident=3))
    failed = line({"jsonrpc": "2.0", "id": 3, "error": {"code": 1, "message": "no"}})
    assert p.from_server(failed) == failed
    assert p.open == {}


def test_what_the_server_says_besides() -> None:
    p = proxy()
    for said in (message("sampling/createMessage"), {"method": "notifications/progress"}):
        assert p.from_server(line(said)) == line(said)
    for noise in (b"starting up...\n", b"[]", b'{"id": 1, "id": 2, "result": {}}'):
        assert p.from_server(noise) == b""
    large = result(9, content="x" * (1 << 21))
    assert p.from_server(large) == large


def test_people_are_waited_for() -> None:
    e = outbox(memory())

    def settle(call: Call, answer: Answer) -> Answer:
        assert e.answer(answer.ticket, True, "hal").allowed
        return p.guard.before(call)

    p = Proxy(Guard(e, read(MAIL, "m")), "s", settle)
    assert p.from_client(mail(to="stranger")).to_server
    patient = proxy(outbox(memory()))
    asked = error(patient.from_client(mail(to="stranger")))
    assert asked["code"] == -32001
    assert asked["data"]["ticket"]


@given(JSON, JSON, st.sampled_from(["tools/call", "x", None]))
def test_nothing_that_is_sent_raises(params: Any, ident: Any, method: Any) -> None:
    p = proxy()
    sent = p.from_client(line({"id": ident, "method": method, "params": params}))
    if method == "tools/call":
        assert sent.to_server == () or params["name"] in ("mail", "idle")
    p.from_server(line({"id": ident, "result": params}))


SERVER = """
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    made = {"content": [{"type": "text", "text": m["params"]["arguments"]["text"]}], "by": "s1"}
    print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": made}), flush=True)
"""


def test_a_server_behind_it(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        'host = "mcp"\n[[call]]\nof = "say"\naction = "post"\n'
        'inputs = { principal = "$agent", channel = "email", text = "$arguments.text" }\n'
        '[[call]]\nof = "echo"\nunasked = "it only says it again"\n',
        encoding="utf-8",
    )
    bundle = bundle_of(MESSAGING, tmp_path)
    server = tmp_path / "server.py"
    server.write_text(SERVER, encoding="utf-8")
    command = [sys.executable, "-m", "policyctl", "mcp-proxy", str(bundle), "--map", str(mapping), "--unproved"]
    calls = [message("tools/call", i, name=n, arguments={"text": "hi"}) for i, n in enumerate(("echo", "say", "echo"))]
    found = subprocess.run(
        [*command, "--", sys.executable, str(server)],
        cwd=ROOT,
        input=b"".join(map(line, calls)),
        capture_output=True,
        timeout=60,
        check=True,
    )
    said = {m["id"]: m for m in map(json.loads, found.stdout.splitlines())}
    assert sorted(said) == [0, 1, 2]
    assert [said[i]["result"]["content"][0]["text"] for i in (0, 2)] == ["hi", "hi"]
    assert said[1]["error"]["code"] == -32602  # the agent did not introduce itself


def test_a_server_that_cannot_be_run(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text('host = "mcp"\n', encoding="utf-8")
    bundle = bundle_of(MESSAGING, tmp_path)
    command = [sys.executable, "-m", "policyctl", "mcp-proxy", str(bundle), "--map", str(mapping), "--unproved"]
    found = subprocess.run([*command, "--", "no-such-program"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 127
    assert "no-such-program: No such file" in found.stderr
