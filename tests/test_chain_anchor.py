"""Roots of decision logs on a chain: who may anchor, and what shows when a log is changed afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import on_chain
from documents import ROOT
from log_samples import SAMPLE, lines_of

from policyctl import cli_chain
from policyctl.chain import anchors
from policyctl.chain.contracts import ANCHOR, shipped
from policyctl.chain.talk import Chain, ChainError, Contract, DeniedError, deploy
from policyctl.main import main
from runtime.merkle import leaf_hash, root_of

LEAVES = [leaf_hash(bytes([i])) for i in range(40)]


@pytest.fixture(scope="module")
def chain() -> Chain:
    return on_chain()


@pytest.fixture
def contract(chain: Chain) -> Contract:
    return deploy(chain, shipped().contracts[ANCHOR], chain.w3.eth.accounts[0])


def anchor(contract: Contract, leaves: list[bytes]) -> anchors.Anchor:
    found, new = anchors.anchor(contract, contract.chain.w3.eth.accounts[0], leaves)
    assert new
    return found


def test_only_the_operator_anchors_and_sizes_only_grow(contract: Contract) -> None:
    operator, other = contract.chain.w3.eth.accounts[:2]
    log, root = LEAVES[0], bytes(32)
    with pytest.raises(DeniedError, match=r"^only the operator anchors$"):
        contract.send(other, "anchor", log, 5, root)
    sent = contract.send(operator, "anchor", log, 5, root)
    assert [(name, dict(values)) for name, values in sent.events] == [
        ("Anchored", {"log": log, "size": 5, "root": root, "previous": 0})
    ]
    for size in (0, 4, 5):
        with pytest.raises(DeniedError, match=r"^a root that covers as much is there already \(5\)$"):
            contract.send(operator, "anchor", log, size, LEAVES[1])
    assert (contract.read("sizeOf", log), bytes(contract.read("rootOf", log))) == (5, root)
    contract.send(operator, "anchor", LEAVES[1], 1, root)
    contract.send(operator, "anchor", log, 6, LEAVES[2])
    assert (contract.read("sizeOf", log), bytes(contract.read("rootOf", log))) == (6, LEAVES[2])
    with pytest.raises(DeniedError, match=r"\(0\)"):
        contract.send(operator, "anchor", LEAVES[5], 0, root)
    assert contract.read("OPERATOR") == operator


def test_a_log_that_grows_keeps_its_anchors(contract: Contract) -> None:
    first, second = anchor(contract, LEAVES[:7]), anchor(contract, LEAVES[:20])
    assert (first.size, first.root, second.root) == (7, root_of(LEAVES[:7]), root_of(LEAVES[:20]))
    found = anchors.check(contract, LEAVES)
    assert found.is_whole
    assert found.since() == [(0, 7, first), (7, 20, second)]
    assert anchors.anchor(contract, contract.chain.w3.eth.accounts[0], LEAVES[:20]) == (second, False)


def test_the_document_says_what_it_costs(contract: Contract) -> None:
    operator = contract.chain.w3.eth.accounts[0]
    first, *later = (round(anchors.write(contract, operator, LEAVES[:n]).gas, -3) for n in (5, 20, 40))
    assert later[0] == later[1]
    text = (ROOT / "docs" / "chain.md").read_text(encoding="utf-8")
    assert f"The first root of a log costs {first:,} gas, each later one {later[0]:,}." in text


def test_every_change_of_what_is_anchored_shows(contract: Contract) -> None:
    first, second = anchor(contract, LEAVES[:7]), anchor(contract, LEAVES[:20])
    for at in range(1, 25):
        changed = [*LEAVES[:at], leaf_hash(b"forged"), *LEAVES[at + 1 :]]
        shows = anchors.check(contract, changed).changed
        assert shows == (first if at < 7 else second if at < 20 else None), at
    assert anchors.check(contract, [leaf_hash(b"forged"), *LEAVES[1:]]).anchors == ()
    for cut in range(1, 20):
        assert anchors.check(contract, LEAVES[:cut]).changed == (first if cut < 7 else second)
    swapped = [*LEAVES[:3], LEAVES[4], LEAVES[3], *LEAVES[5:]]
    assert anchors.check(contract, swapped).changed == first


def test_a_changed_log_is_not_anchored_anew(contract: Contract) -> None:
    anchor(contract, LEAVES[:7])
    forged = [*LEAVES[:3], leaf_hash(b"forged"), *LEAVES[4:]]
    with pytest.raises(ChainError, match="the first 7 records are not those that were anchored in block"):
        anchor(contract, forged)
    with pytest.raises(ChainError, match="an empty log"):
        anchor(contract, [])
    assert contract.read("sizeOf", LEAVES[0]) == 7


def test_two_histories_of_one_log_cannot_both_be_whole(contract: Contract) -> None:
    """An operator who anchors another history by hand is found out with either."""
    anchor(contract, LEAVES[:7])
    other = [*LEAVES[:3], leaf_hash(b"other"), *LEAVES[4:20]]
    contract.send(contract.chain.w3.eth.accounts[0], "anchor", LEAVES[0], 20, root_of(other))
    assert anchors.check(contract, LEAVES).changed is not None
    assert anchors.check(contract, other).changed is not None


# ---- the commands


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["chain", *arguments]) == code
    found = capsys.readouterr()
    return found.out + found.err


def test_a_log_is_anchored_and_checked(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_chain, "_connect", lambda _url: chain)
    log, many = Path("decisions.log"), len(SAMPLE)
    log.write_bytes(b"".join(lines_of(SAMPLE[:3])))
    said(capsys, "up", "--url", "here")
    assert "nothing is anchored of a log that begins as this one" in said(capsys, "check", "decisions.log", code=1)
    assert "✓ decisions.log: 3 records, root " in said(capsys, "anchor", "decisions.log")
    assert "3 records, root " in said(capsys, "anchor", "decisions.log")
    log.write_bytes(b"".join(lines_of(SAMPLE)))
    shown = said(capsys, "check", "decisions.log").splitlines()
    assert shown[0] == f"✓ decisions.log: {many} records"
    assert shown[1].startswith("    records 0 to 2 cannot have been changed since block ")
    assert shown[2] == f"    records 3 to {many - 1} not anchored yet"
    # Written anew, with new hashes: by itself the file is as whole as before.
    log.write_bytes(b"".join(lines_of([SAMPLE[0], SAMPLE[1]])))
    assert main(["log", "verify", "decisions.log"]) == 0
    shown = said(capsys, "check", "decisions.log", code=1)
    assert shown.startswith("✗ decisions.log: the first 3 records are not those that were anchored in block ")
    assert "a log that was changed is not anchored anew" in said(capsys, "anchor", "decisions.log", code=1)
    log.write_bytes(log.read_bytes().replace(b'"n":1', b'"n":7', 1))
    assert "is not as it was written: see `policyctl log verify`" in said(capsys, "check", "decisions.log", code=1)
