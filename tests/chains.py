"""Chains for tests: in this process by default, and a node of its own where one can be installed.

Run as a program, it rewrites what the commands in docs/chain.md print.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest
from documents import ROOT, as_run, printed, timeless

from policyctl.chain import node, state
from policyctl.chain.talk import Chain, ChainError, in_process

INSTALLED = ROOT / state.DIRECTORY
DOCUMENT = ROOT / "docs" / "chain.md"
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
_PORT = re.compile(r"127\.0\.0\.1:\d+")
_ROOT = re.compile(r"root [0-9a-f]{16}")


def on_chain() -> Chain:
    """A fresh chain in this process. Skips the test where the extra `chain` is not installed."""
    for module in ("web3", "eth_tester", "eth"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed: the extra `chain`")
    return in_process()


def program() -> node.Program:
    """A node that can be started; it is installed when it is not there. Skips the test where npm cannot do that."""
    INSTALLED.mkdir(exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes, and one of them installs
        found = node.find(INSTALLED)
        if found is not None:
            return found
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed: no node of a chain can be")
        try:
            return node.install(INSTALLED)
        except ChainError as error:
            pytest.skip(f"npm cannot install a node: {error}")


def prepared(directory: Path) -> None:
    """Makes it one in which a node is installed, and nothing deployed."""
    program()
    place = directory / state.DIRECTORY
    place.mkdir()
    if node.packages(INSTALLED).exists():
        node.packages(place).symlink_to(node.packages(INSTALLED))


def ended(directory: Path) -> None:
    """Ends what a failed run has left behind."""
    if state.exists(directory / state.DIRECTORY):
        process = state.read(directory / state.DIRECTORY).process
        if process:
            node.stop(process)


def document(directory: Path) -> str:
    """The document with what its commands really print, on a node of their own."""

    def on_a_free_port(command: str) -> str:
        return printed(command.replace("chain up --detach", "chain up --detach --port 0"))

    with mock.patch("documents.printed", on_a_free_port):
        return _PORT.sub("127.0.0.1:8545", as_run(DOCUMENT, directory))


def alike(text: str) -> str:
    """Without times, and what depends on when a record was made."""
    return timeless(_ROOT.sub("root 0", _TIME.sub("TIME", text)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        prepared(Path(place))
        try:
            shown, made = DOCUMENT.read_text(encoding="utf-8"), document(Path(place))
        finally:
            ended(Path(place))
    if alike(shown) != alike(made):
        DOCUMENT.write_text(made, encoding="utf-8")
