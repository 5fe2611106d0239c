"""A directory and a port to a node in a process of its own: Anvil if it is there, else Hardhat.

Both come from npm. Anvil is a program of its own, so Node.js is needed to install it and not to run it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from policyctl.chain.talk import Chain, ChainError, over_http

HOST = "127.0.0.1"
ANVIL = "@foundry-rs/anvil@1.7.1"
HARDHAT = "hardhat@2.29.1"
PEOPLE = 20
"""Accounts that a node has."""
_PATIENCE = 60.0
_LOG_LINES = 8
_HARDHAT_CONFIG = 'module.exports = { solidity: "0.8.24" };\n'


@dataclass(frozen=True, slots=True)
class Program:
    """A node that can be started."""

    name: str
    command: tuple[str, ...]
    """Without host and port."""
    host_option: str
    folder: Path | None = None
    """Where it has to be started."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that runs, as a process of ours."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    chain: Chain

    def leave(self) -> None:
        """Lets it run on without us."""
        # Nobody will wait for it, which is meant: without this, Python warns when it forgets the process.
        self.process.returncode = 0

    def stop(self) -> None:
        stop(self.process.pid)
        self.process.wait()


def packages(directory: Path) -> Path:
    """Where npm installs for us."""
    return directory / "npm"


def find(directory: Path) -> Program | None:
    """A node that is installed: Anvil below the directory or on the PATH, else Hardhat below the directory."""
    place = packages(directory).absolute()
    anvil = next(iter(sorted(place.glob("node_modules/@foundry-rs/anvil-*/bin/anvil*"))), None)
    on_path = shutil.which("anvil") if anvil is None else str(anvil)
    if on_path is not None:
        return Program("anvil", (on_path, "--accounts", str(PEOPLE)), "--host")
    hardhat = place / "node_modules" / "hardhat" / "internal" / "cli" / "bootstrap.js"
    node = shutil.which("node")
    if node is not None and hardhat.exists():
        return Program("hardhat", (node, str(hardhat), "node"), "--hostname", place)
    return None


def install(directory: Path) -> Program:
    """Installs Anvil below the directory, or Hardhat where there is no Anvil for this machine. Raises `ChainError`."""
    npm = shutil.which("npm")
    if npm is None:
        raise ChainError("a node is installed with npm, which is not there: it comes with Node.js 20 or newer")
    place = packages(directory)
    place.mkdir(parents=True, exist_ok=True)
    (place / "package.json").write_text('{ "private": true }\n', encoding="utf-8")
    (place / "hardhat.config.js").write_text(_HARDHAT_CONFIG, encoding="utf-8")
    said = ""
    for package in (ANVIL, HARDHAT):
        command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", package]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        found = find(directory)
        if done.returncode == 0 and found is not None:
            return found
        said = (done.stderr.strip() or done.stdout.strip() or said)[-500:]
    raise ChainError(f"npm could install neither {ANVIL} nor {HARDHAT}:\n{said}")


def wanted(directory: Path) -> str:
    """What to do when no node is installed."""
    return (
        f"no node is installed. `--install` has npm install {ANVIL} into {packages(directory)} (43 MB), "
        "or put `anvil` on the PATH, or give the `--url` of a node that runs"
    )


def start(program: Program, port: int, log: Path) -> Node:
    """Starts a node on this port of 127.0.0.1; 0 is one that is free. Raises `ChainError`."""
    port = port or free_port()
    if _answers(port):
        raise ChainError(f"port {port} of {HOST} is taken: `--port` takes another, `--url` the node that runs there")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*program.command, program.host_option, HOST, "--port", str(port)]
    with log.open("wb") as out:
        # A session of its own: Ctrl-C is for us, and a node that is to stay outlives us.
        process = subprocess.Popen(
            command, cwd=program.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    url = f"http://{HOST}:{port}"
    try:
        return Node(program.name, url, process, _ready(process, url, log))
    except BaseException:
        stop(process.pid)
        process.wait()
        raise


def stop(process: int) -> None:
    """Ends a process that `start` began, by its number; one that has gone is left alone."""
    try:
        os.kill(process, signal.SIGTERM)
    except ProcessLookupError:
        pass


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex((HOST, port)) == 0


def _ready(process: subprocess.Popen[bytes], url: str, log: Path) -> Chain:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            told = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])
            raise ChainError(f"the node ended at once:\n{told}")
        if _answers(int(url.rpartition(":")[2])):
            try:
                return over_http(url)
            except ChainError:
                pass
        time.sleep(0.05)
    raise ChainError(f"the node does not answer at {url} after {_PATIENCE:.0f} seconds; see {log}")
