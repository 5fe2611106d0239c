"""The hook command: whatever happens on the way, the call is denied, and the host's user sees why."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from enforcing import ROOT
from sidecar import bundle_of, started

CALL = json.dumps(
    {
        "hook_event_name": "PreToolUse",
        "session_id": "s",
        "tool_name": "WebFetch",
        "tool_input": {"text": "see bit.ly/x"},
        "tool_use_id": "1",
    }
)


def hook(*options: str, given: str = CALL, deadline: str = "1") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "policyctl", "hook", "claude-code", *options, "--deadline", deadline]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=30, check=False)


@contextlib.contextmanager
def pretender(directory: Path, behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something that listens where the sidecar should, and behaves as it likes."""
    path = str(directory / "fake")

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                behave(connection)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(20)


def answers(body: str, status: str = "200 OK", length: int | None = None) -> Callable[[socket.socket], None]:
    size = len(body) if length is None else length
    return lambda c: c.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n{body}".encode())


def drips(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for _ in range(100):
            connection.sendall(b"H")
            time.sleep(0.05)


def decision(word: str) -> str:
    return json.dumps({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": word}})


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        (lambda c: time.sleep(1.5), "has not answered in time"),
        (drips, "has not answered in time"),
        (lambda c: None, "torn"),
        (answers("{}", length=9), "torn"),
        (answers("{}", length=1), "torn"),
        (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}"), "torn"),
        (answers('{"error": "who are you"}', "401 Unauthorized"), "401 Unauthorized"),
        (answers("{}", "500 Internal Server Error"), "500"),
        (answers("<html>"), "is no JSON"),
        (answers("[" * 100_000), "is no JSON"),
        (answers("null"), "none that this hook knows"),
        (answers(decision("yes")), "none that this hook knows"),
        (answers('{"effect": "allow"}'), "none that this hook knows"),
        (answers('{"decision": "approve", "reason": ""}'), "none that this hook knows"),
    ],
)
def test_without_a_proper_answer_it_denies(tmp_path: Path, behave: Callable[[socket.socket], None], why: str) -> None:
    with pretender(tmp_path, behave) as path:
        found = hook("--uds", path)
    assert (found.returncode, found.stdout) == (2, "")
    assert why in found.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "`--uds PATH` says"),
        (("--uds",), "has no value"),
        (("--uds", "nowhere"), "cannot be reached: No such file"),
        (("--uds", "x", "--wait", "1"), "no option `--wait`"),
    ],
)
def test_what_is_wrong_with_the_options_denies(options: tuple[str, ...], why: str) -> None:
    found = hook(*options)
    assert (found.returncode, found.stdout) == (2, "")
    assert why in found.stderr


@pytest.mark.parametrize("deadline", ["0", "-1", "61", "soon", "nan"])
def test_a_deadline_that_is_none_denies(deadline: str) -> None:
    assert hook("--uds", "x", deadline=deadline).returncode == 2


def test_its_answer_is_that_of_the_sidecar(tmp_path: Path) -> None:
    for said in ("{}", decision("deny"), decision("ask"), decision("allow"), '{"decision": "block", "reason": "no"}'):
        with pretender(tmp_path, answers(said)) as path:
            found = hook("--uds", path)
        Path(path).unlink()
        assert (found.returncode, json.loads(found.stdout), found.stderr) == (0, json.loads(said), "")


def test_it_loads_next_to_nothing() -> None:
    code = "import sys; from policyctl.main import main; main(['hook', 'claude-code']); print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in found.stdout.split()}
    assert not loaded & {"z3", "cvc5", "lark", "click", "pydantic", "rich", "policydsl", "runtime", "hosts", "asyncio"}


def test_with_a_real_sidecar(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        """
host = "claude-code"
[[call]]
of = "WebFetch"
action = "post"
inputs = { principal = "$session", channel = "email", text = "$arguments.text" }
""",
        encoding="utf-8",
    )
    promises = [word for name in ("quarantine", "notify", "alert") for word in ("--promise", name)]
    bundle = bundle_of("specs/gateway/messaging.policy", tmp_path)
    with started(tmp_path, bundle, "--map", str(mapping), *promises):
        path = str(tmp_path / "s.sock")
        told = json.loads(hook("--uds", path, deadline="10").stdout)["hookSpecificOutput"]
        assert told["permissionDecision"] == "deny"
        assert told["permissionDecisionReason"].startswith("a shortened or look-alike link hides where it leads")
        for given in ("", "{", "[]", CALL.replace("PreToolUse", "Stop")):
            found = hook("--uds", path, given=given, deadline="10")
            assert (found.returncode, found.stdout) == (2, "")
            assert "400 Bad Request" in found.stderr
