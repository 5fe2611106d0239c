"""The sidecar over its unix socket, from another process, beside a bare ASGI echo in the same run.

python benchmarks/sidecar.py [--requests 3000] [--connections 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BODY = json.dumps(
    {
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"},
    }
).encode()
ECHO = """
import sys, uvicorn
async def app(scope, receive, send):
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(app, uds=sys.argv[1], log_level="error", access_log=False, lifespan="off", backlog=4096)
"""


def request(path: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    return head.encode() + BODY


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> bool:
    """One request on a connection; whether it was answered with 200."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200")


@contextlib.asynccontextmanager
async def connected(path: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.close()


async def one_by_one(path: str, route: str, count: int) -> list[float]:
    """Microseconds of each of `count` requests on one connection."""
    sent, took = request(route), []
    async with connected(path) as (reader, writer):
        for _ in range(200):
            await ask(reader, writer, sent)
        for _ in range(count):
            begun = time.perf_counter()
            assert await ask(reader, writer, sent)
            took.append((time.perf_counter() - begun) * 1e6)
    return took


async def all_at_once(path: str, route: str, connections: int) -> tuple[int, float]:
    """How many of `connections` that all ask at once get no answer, and how long it takes until all have one."""
    sent = request(route)

    async def once() -> bool:
        async with connected(path) as (reader, writer):
            return await ask(reader, writer, sent)

    begun = time.perf_counter()
    answered = await asyncio.gather(*(once() for _ in range(connections)), return_exceptions=True)
    return sum(a is not True for a in answered), time.perf_counter() - begun


@contextlib.contextmanager
def running(command: list[str], socket: Path) -> Iterator[str]:
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            while not socket.exists():
                assert process.poll() is None
                time.sleep(0.05)
            time.sleep(0.3)
            yield str(socket)
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--connections", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        bundle, groups, echo = folder / "records.bundle", folder / "given.json", folder / "echo.py"
        policyctl = [sys.executable, "-m", "policyctl"]
        subprocess.run([*policyctl, "build", "specs/gateway/records.policy", "-o", bundle], cwd=ROOT, check=True)
        groups.write_text(json.dumps({"Users": ["alice"], "Records": ["record-1"]}), encoding="utf-8")
        echo.write_text(ECHO, encoding="utf-8")
        serve = [*policyctl, "serve", str(bundle), "--map", "authzen_records", "--given", str(groups), "--uds"]
        rows = {
            "bare echo": ([sys.executable, str(echo), str(folder / "echo")], folder / "echo"),
            "sidecar, state in memory": ([*serve, str(folder / "memory")], folder / "memory"),
            "sidecar, state in SQLite": (
                [*serve, str(folder / "disk"), "--state", str(folder / "s.db")],
                folder / "disk",
            ),
        }
        print(f"{'':26} {'p50 µs':>8} {'p99 µs':>8} {'all at once':>22}")
        for name, (command, socket) in rows.items():
            with running(command, socket) as path:
                took = asyncio.run(one_by_one(path, "/access/v1/evaluation", given.requests))
                failed, seconds = asyncio.run(all_at_once(path, "/access/v1/evaluation", given.connections))
            cuts = statistics.quantiles(took, n=100)
            print(f"{name:26} {cuts[49]:8.0f} {cuts[98]:8.0f} {failed:6} errors in {seconds:5.2f} s")


if __name__ == "__main__":
    main()
