"""A sidecar for tests: in this process, spoken to as over HTTP; or a real one, on a unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from enforcing import ROOT, system

from hosts.app import application
from hosts.service import Service
from runtime.bundle import build


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to an application in this process. Each request has an event loop of its own."""

    service: Service

    def send(self, method: str, path: str, **sent: Any) -> Reply:
        async def once() -> Reply:
            transport = httpx.ASGITransport(application(self.service), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://sidecar") as client:
                found = await client.request(method, path, **sent)
                return Reply(found.status_code, found.headers, found.text)

        return asyncio.run(once())

    def post(self, path: str, body: Any, **sent: Any) -> Reply:
        return self.send("POST", path, json=body, **sent)

    def get(self, path: str, **sent: Any) -> Reply:
        return self.send("GET", path, **sent)


def bundle_of(path: str, into: Path) -> Path:
    """A bundle, without proofs, of a policy that ships."""
    file = into / "test.bundle"
    file.write_bytes(build([(system(path), "")]))
    return file


@contextlib.contextmanager
def started(directory: Path, bundle: Path, *options: str) -> Iterator[httpx.Client]:
    """A process that serves `bundle` on a unix socket in `directory`, and a client for it."""
    socket = directory / "s.sock"
    command = [sys.executable, "-m", "policyctl", "serve", str(bundle), "--unproved", "--uds", str(socket), *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = []
        while not (line := process.stderr.readline()).startswith("listening"):
            told.append(line)
            if process.poll() is not None:
                raise AssertionError("".join(told) + process.stderr.read())
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://sidecar") as client:
                yield client
        finally:
            process.terminate()
            process.wait(20)


def until(wanted: Any, seconds: float = 10.0) -> bool:
    """Whether `wanted()` becomes true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if wanted():
            return True
        time.sleep(0.02)
    return False
