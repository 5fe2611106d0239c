"""A server of the Model Context Protocol as a process of its own, with a policy between it and whoever started this."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import BinaryIO

from hosts.call import Answer, Call
from hosts.guard import Guard
from hosts.mcp import Proxy

EVERY = 0.25
"""Seconds between looks whether somebody has answered."""


def patient(guard: Guard, seconds: float) -> Callable[[Call, Answer], Answer]:
    """Waits for the answer of a person, that long."""

    def settle(call: Call, answer: Answer) -> Answer:
        end = time.monotonic() + seconds
        while answer.effect == "ask" and time.monotonic() < end:
            time.sleep(min(EVERY, max(0.0, end - time.monotonic())))
            answer = guard.before(call)
        return answer

    return settle


def run(guard: Guard, command: Sequence[str], wait: float, given: BinaryIO, told: BinaryIO) -> int:
    """Run `command`, and carry messages between it and `given` and `told`. Its exit code; 127 if it cannot be run."""
    try:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as error:
        os.write(2, f"policyctl: {command[0]}: {error.strerror or error}\n".encode())
        return 127
    assert server.stdin is not None
    assert server.stdout is not None
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    proxy = Proxy(guard, os.urandom(12).hex(), patient(guard, wait))
    lock = threading.Lock()

    def tell(line: bytes) -> None:
        with lock:
            told.write(line)
            told.flush()

    client = threading.Thread(target=_from_client, args=(proxy, given, server.stdin, tell), daemon=True)
    client.start()
    for line in server.stdout:
        tell(proxy.from_server(line))
    return server.wait()


def _from_client(proxy: Proxy, given: BinaryIO, to_server: BinaryIO, tell: Callable[[bytes], None]) -> None:
    try:
        for line in given:
            sent = proxy.from_client(line)
            for back in sent.to_client:
                tell(back)
            for on in sent.to_server:
                to_server.write(on)
                to_server.flush()
    except (BrokenPipeError, ValueError):
        pass  # the server has ended
    except Exception as error:  # noqa: BLE001 nothing is let through any more
        sys.stderr.write(f"policyctl: {type(error).__name__}: {error}\n")
    finally:
        to_server.close()
