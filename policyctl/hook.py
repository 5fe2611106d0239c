"""`policyctl hook claude-code`: what the host says on standard input to the sidecar, and its answer to standard output.

It runs before every tool call, so it loads the standard library alone, and not much of it. Whatever goes wrong, it ends
with 2 and a reason on standard error, which the host takes for a denial; with any other failure it would go on.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any

HOOKS = {"claude-code": "/hooks/claude-code"}
DEADLINE = 2.0
"""Seconds that the sidecar has. The host's own limit has to be longer."""
MOST = 1 << 20
DENY = 2
WORDS = ("allow", "deny", "ask")

USAGE = """Usage: policyctl hook claude-code --uds PATH [--deadline SECONDS]

  Put a call of a tool to the sidecar that listens at PATH (`policyctl serve … --uds PATH`). The host gives the call on
  standard input, and reads the answer from standard output. `policyctl init claude-code` writes the host's settings.

  Exits with 0 when there is an answer, and with 2, which denies, when there is none.
"""


class HookError(Exception):
    """There is no answer."""


def main(arguments: list[str]) -> int:
    """The arguments after `hook`. Never raises, and never ends with anything but 0 and 2."""
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(USAGE)
        return 0
    try:
        host, path, deadline = _options(arguments)
        # A signal, since a sidecar that sends one byte at a time would keep every single read busy.
        signal.signal(signal.SIGALRM, _late)
        signal.setitimer(signal.ITIMER_REAL, deadline)
        answer = _checked(_post(path, HOOKS[host], sys.stdin.buffer.read(MOST + 1)))
        signal.setitimer(signal.ITIMER_REAL, 0)
        # SOUND: last, and at once: half an answer is none that the host would take for a denial.
        sys.stdout.write(answer)
        sys.stdout.flush()
        return 0
    except BaseException as error:  # noqa: BLE001 whatever it is, the call must not be made
        text = str(error) if isinstance(error, HookError) else f"{type(error).__name__}: {error}"
        os.write(2, f"policyctl denies: {text}\n".encode(errors="replace"))
        return DENY


def _options(arguments: list[str]) -> tuple[str, str, float]:
    host, *rest = arguments or [""]
    if host not in HOOKS:
        raise HookError(f"there is no hook `{host}`; there are: {', '.join(HOOKS)}")
    if len(rest) % 2:
        raise HookError(f"`{rest[-1]}` has no value")
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    if unknown := given.keys() - {"--uds", "--deadline"}:
        raise HookError(f"there is no option `{min(unknown)}`")
    if "--uds" not in given:
        raise HookError("`--uds PATH` says where the sidecar listens")
    deadline = float(given.get("--deadline", DEADLINE))
    if not 0 < deadline <= 60:
        raise HookError("`--deadline` is more than nothing, and 60 seconds at most")
    return host, given["--uds"], deadline


def _late(*_: object) -> None:
    raise HookError("the sidecar has not answered in time")


def _post(path: str, route: str, body: bytes) -> bytes:
    if len(body) > MOST:
        raise HookError(f"the call has more than {MOST} bytes")
    head = (
        f"POST {route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(path)
            sock.sendall(head.encode("ascii") + body)
            raw = b"".join(iter(lambda: sock.recv(65536), b""))
        except OSError as error:
            raise HookError(f"the sidecar at {path} cannot be reached: {error.strerror or error}") from error
    return _body(raw)


def _body(raw: bytes) -> bytes:
    """What an answer of status 200 says, all of it."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not gap or headers.get("content-length") != str(len(body)):
        raise HookError("the sidecar's answer is torn")
    if first.split(" ")[1:2] != ["200"]:
        raise HookError(f"the sidecar says: {first}; {body[:500].decode('utf-8', 'replace')}")
    return body


def _checked(body: bytes) -> str:
    """The answer, if it is one that the host understands."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HookError("the sidecar's answer is no JSON") from error
    if said == {} or (isinstance(said, dict) and said.keys() == {"decision", "reason"} and said["decision"] == "block"):
        return json.dumps(said)
    told = said.get("hookSpecificOutput") if isinstance(said, dict) and len(said) == 1 else None
    if not isinstance(told, dict) or told.get("permissionDecision") not in WORDS:
        raise HookError("the sidecar's answer is none that this hook knows")
    return json.dumps(said)
