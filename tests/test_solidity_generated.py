"""Contracts of generated systems, and a wrong one of a system that ships: the EVM and the interpreter are compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import strategies
from evm import CONTRACTS, GOVERNANCE, check, compiled, deployed, fast_machine, requests
from hypothesis import HealthCheck, Phase, given, seed, settings
from test_solidity_conformance import NAMES, SOON

from policydsl.core.system import Action, System
from policydsl.core.types import Value
from policydsl.interp import Request
from runtime.evm_twin import EvmTwin
from runtime.solidity import to_solidity
from runtime.solidity_check import gaps_of

pytestmark = pytest.mark.slow
SHAPE = strategies.Shape(strings=False, quantifiers=0, free_start=False, approvals=False)
PEOPLE = {"Bot": ("alice", "bob", "root"), "Item": ("i1", "i2")}


def supported(system: System, action: Action) -> Action:
    """The action without what has no counterpart, so that more systems have one."""
    bare = replace(action, obligations=())
    kept = [
        w for w in bare.writes if not w.binders or not gaps_of(replace(system, actions=(replace(bare, writes=(w,)),)))
    ]
    return replace(bare, writes=tuple(kept))


def generated(most: int, number: int) -> list[System]:
    found: list[System] = []

    @seed(number)
    @settings(
        max_examples=most,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(strategies.systems(SHAPE))
    def collect(system: System) -> None:
        system = replace(
            system, name=f"random{len(found)}", actions=tuple(supported(system, a) for a in system.actions)
        )
        if not gaps_of(system):
            found.append(system)

    collect()
    return found


def test_contracts_of_generated_systems_agree(tmp_path: Path) -> None:
    systems = generated(20, 7)
    assert len(systems) > 8
    sources = tmp_path / "sources"
    sources.mkdir()
    for system in systems:
        contract = to_solidity(system)
        (sources / f"{contract.name}.sol").write_text(contract.text, encoding="utf-8")
    artifacts = compiled(sources, tmp_path / "out")
    random = Random(7)
    heard = set()
    for system in systems:
        twin = deployed(system, artifacts[to_solidity(system).name], {}, {}, PEOPLE, evm=fast_machine())
        assert twin.differences() == []
        every = requests(system, twin.people.known)
        heard |= {check(twin, random.choice(every)) for _ in range(30)}
    assert "" in heard
    assert len(heard) > 1


WRONG = [
    ("return _botNow(bot_).reputation + 100;", "return _botNow(bot_).reputation + 101;"),
    ("if (proposalRow.stage != Stage.Unwritten) revert AlreadyWritten();", ""),
    ("revert NotAMember();", "revert AlreadyAMember();"),
    ("proposalRow.standing = _int128(principalRow.reputation + 100);", ""),
]


@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_a_contract_that_is_wrong_is_found_out(tmp_path: Path, right: str, wrong: str) -> None:
    text = (CONTRACTS / "Governance.sol").read_text(encoding="utf-8")
    assert right in text
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "Governance.sol").write_text(text.replace(right, wrong), encoding="utf-8")
    artifact: dict[str, Any] = compiled(sources, tmp_path / "out")["Governance"]
    starts = {"Members": ("alice",), "Auditors": ("judy",)}
    twin = deployed(GOVERNANCE, artifact, SOON, starts, NAMES)
    with pytest.raises(AssertionError):
        _walk(twin)


def _walk(twin: EvmTwin) -> None:
    assert twin.differences() == []
    draft: dict[str, Value] = {"proposal": "p1", "what": "upgrade"}
    for action, inputs in [
        ("draft", {"principal": "mallory", **draft}),
        ("draft", {"principal": "alice", **draft}),
        ("draft", {"principal": "alice", **draft}),
        ("submit", {"principal": "alice", "proposal": "p1"}),
    ]:
        check(twin, Request(action, inputs))
