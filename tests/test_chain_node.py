"""The walk through docs/chain.md, on a node of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chains import DOCUMENT, ROOT, alike, document, ended, on_chain, prepared, program

from policyctl.chain import anchors, node, state
from policyctl.chain.contracts import ANCHOR, shipped
from policyctl.chain.talk import ChainError, deploy, over_http
from policyctl.main import main
from runtime.merkle import leaf_hash, root_of


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which a node is installed, and nothing deployed."""
    on_chain()
    prepared(tmp_path)
    monkeypatch.delenv("POLICYCTL_CACHE_DIR", raising=False)
    monkeypatch.delenv("POLICYCTL_CHAIN_DIR", raising=False)
    return tmp_path


def test_the_walk_of_the_document(installed: Path) -> None:
    shown = DOCUMENT.read_text(encoding="utf-8")
    try:
        made = document(installed)
        assert not state.exists(installed / state.DIRECTORY), "`down` has ended it"
    finally:
        ended(installed)
    assert alike(made) == alike(shown), "run `python tests/chains.py` if this is right"


def test_a_node_that_died_is_noticed_and_another_one_begun(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(installed)
    try:
        assert main(["chain", "up", "--detach", "--port", "0"]) == 0
        first = state.read(Path(state.DIRECTORY))
        assert main(["chain", "propose", "x", "--as", "alice"]) == 0
        node.stop(first.process)
        os.waitpid(first.process, 0)
        begun = int(time.time())
        while int(time.time()) == begun:
            time.sleep(0.05)  # the first block of a node says the second in which it began, and nothing else
        capsys.readouterr()
        assert main(["chain", "status"]) == 1
        assert f"no node answers at {first.url}: `policyctl chain up` starts one" in capsys.readouterr().err
        assert main(["chain", "up", "--detach", "--port", first.url.rpartition(":")[2]]) == 0
        second = state.read(Path(state.DIRECTORY))
        assert second.genesis != first.genesis
        # The file of the first run beside the chain of the second: the same port, and yet another chain.
        state.write(Path(state.DIRECTORY), first)
        capsys.readouterr()
        assert main(["chain", "status"]) == 1
        assert "was begun anew" in capsys.readouterr().err
        assert main(["chain", "down"]) == 0
        assert "nothing was ended" in capsys.readouterr().out
        assert over_http(second.url).id == second.chain, "nobody's node is ended by mistake"
        state.write(Path(state.DIRECTORY), second)
        assert main(["chain", "down"]) == 0
        os.waitpid(second.process, 0)
        with pytest.raises(ChainError, match="no node answers"):
            over_http(second.url)
    finally:
        ended(installed)


def test_anchors_of_one_block_are_all_found(tmp_path: Path) -> None:
    on_chain()
    started = node.start(program(), 0, tmp_path / "node.log")
    try:
        chain = started.chain
        w3, operator = chain.w3, chain.w3.eth.accounts[0]
        contract = deploy(chain, shipped().contracts[ANCHOR], operator)
        leaves = [leaf_hash(bytes([i])) for i in range(30)]
        anchors.write(contract, operator, leaves[:7])
        w3.provider.make_request("evm_setAutomine", [False])
        for size in (9, 12):
            call = contract.at.functions.anchor(leaves[0], size, root_of(leaves[:size]))
            call.transact({"from": operator, "gas": 200_000})
        w3.provider.make_request("evm_mine", [])
        w3.provider.make_request("evm_setAutomine", [True])
        anchors.write(contract, operator, leaves)
        found = anchors.anchors_of(contract, leaves[0])
        assert [a.size for a in found] == [7, 9, 12, 30]
        assert found[0].block < found[1].block == found[2].block < found[3].block
        assert anchors.check(contract, leaves).is_whole
    finally:
        started.stop()


def test_ctrl_c_ends_a_node_that_was_not_to_stay(installed: Path) -> None:
    place = installed / state.DIRECTORY
    command = [sys.executable, "-m", "policyctl", "chain", "up", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(
            command, cwd=installed, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "Ctrl-C ends the node\n"
            found = state.read(place)
            assert over_http(found.url).id == found.chain
            process.send_signal(number)
            assert process.wait() == 0
        assert not state.exists(place)
        with pytest.raises(ChainError, match="no node answers"):
            over_http(found.url)
