"""The contract on an EVM and the reference interpreter agree after every step, reverts and their reasons included."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from evm import CONTRACTS, GOVERNANCE, Twin, deploy, on_chain
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from policydsl.core.system import NOW, Action, System
from policydsl.core.types import BoolType, EntityType, EnumType, Scalar, Value
from policydsl.interp import Request, decide
from runtime.solidity import to_solidity

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NAMES = {"Bot": ("alice", "bob", "judy", "mallory"), "Proposal": ("p1", "p2"), "Payload": ("upgrade", "takeover")}
SLOW = {"VOTING_PERIOD": 60_000, "TIMELOCK": 60_000, "DECAY_PERIOD": 5_000}


@pytest.fixture(scope="module")
def chain() -> tuple[Any, Any]:
    return on_chain()


def artifact(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONTRACTS / "artifacts" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def governance(chain: tuple[Any, Any], params: dict[str, Value], members: tuple[str, ...]) -> Twin:
    starts = {"Members": members, "Auditors": ("judy",)}
    return deploy(GOVERNANCE, to_solidity(GOVERNANCE), artifact("Governance"), params, starts, NAMES, chain)


def requests(system: System, people: dict[EntityType, dict[str, Any]]) -> list[Request]:
    """Every request over the known people; nobody asks for nothing."""

    def values(type: Scalar, name: str) -> list[Value]:
        match type:
            case BoolType():
                return [False, True]
            case EnumType():
                return list(type.cases)
            case EntityType():
                return [n for n in people[type] if n or name != "principal"]
            case _:
                return [-7, 0, 1, 5]

    def of(action: Action) -> list[Request]:
        inputs = [i for i in action.inputs if i.name != NOW]
        return [
            Request(action.name, dict(zip((i.name for i in inputs), choice, strict=True)))
            for choice in product(*(values(i.type, i.name) for i in inputs))
        ]

    return [r for a in system.actions for r in of(a)]


def walk(twin: Twin, data: st.DataObject, steps: int) -> set[str]:
    """Random steps, half of them such as are allowed; the reasons that were heard."""
    heard = set()
    every = requests(twin.system, twin.people)
    for _ in range(steps):
        twin.wait(data.draw(st.sampled_from([0, 0, 0, 1, 2, 3, 7]), "wait"))
        chosen = every
        if data.draw(st.integers(0, 3), "helpful"):
            allowed = [
                r for r in every if decide(twin.system, twin.state, Request(r.action, twin.inputs(r))).effect == "allow"
            ]
            # Each action is as likely as another, however many inputs it has.
            name = data.draw(st.sampled_from(sorted({r.action for r in allowed or every})), "action")
            chosen = [r for r in allowed or every if r.action == name]
        heard.add(twin.check(data.draw(st.sampled_from(chosen), "request")))
    return heard


def test_a_proposal_comes_full_circle(chain: tuple[Any, Any]) -> None:
    twin = governance(chain, SLOW | {"QUORUM": 200}, ("alice", "bob"))
    twin.compare()
    script: list[tuple[int, str, dict[str, Value], str]] = [
        (0, "draft", {"principal": "mallory", "proposal": "p1", "what": "takeover"}, "not a member"),
        (0, "admit", {"principal": "alice", "newcomer": "mallory"}, "only auditors admit members"),
        (0, "admit", {"principal": "judy", "newcomer": "mallory"}, ""),
        (0, "draft", {"principal": "alice", "proposal": "p1", "what": "upgrade"}, ""),
        (0, "submit", {"principal": "alice", "proposal": "p1"}, ""),
        (0, "open_voting", {"proposal": "p1"}, ""),
        (0, "vote", {"principal": "alice", "proposal": "p1", "support": True}, ""),
        (0, "vote", {"principal": "alice", "proposal": "p1", "support": True}, "already voted"),
        (0, "vote", {"principal": "bob", "proposal": "p1", "support": True}, ""),
        (0, "close_voting", {"proposal": "p1"}, "voting has not ended"),
        (60, "vote", {"principal": "mallory", "proposal": "p1", "support": False}, "voting has ended"),
        (0, "close_voting", {"proposal": "p1"}, ""),
        (60, "execute", {"proposal": "p1"}, ""),
        (0, "execute", {"proposal": "p1"}, "not approved"),
        (0, "monitor", {"proposal": "p1"}, ""),
        (0, "collect_feedback", {"principal": "judy", "proposal": "p1", "good": True}, ""),
        (0, "update_reputation", {"proposal": "p1"}, ""),
        (0, "optimize", {"proposal": "p1"}, ""),
        (0, "decay", {}, ""),
        (0, "decay", {}, "it is not time yet"),
    ]
    for wait, action, inputs, reason in script:
        twin.wait(wait)
        assert twin.check(Request(action, inputs)) == reason
    assert twin.state.read("reputation", ("alice",)) == 111
    assert twin.state.read("reputation", ("judy",)) == 99


PARAMS = st.fixed_dictionaries(
    {
        "VOTING_PERIOD": st.sampled_from([1_000, 3_000, 4_500]),
        "TIMELOCK": st.sampled_from([1_000, 2_500]),
        "DECAY_PERIOD": st.sampled_from([1_000, 5_000]),
        "QUORUM": st.sampled_from([1, 100, 200, 1_000_000]),
        "PROPOSE_THRESHOLD": st.sampled_from([1, 100, 101]),
        "PROPOSAL_REWARD": st.sampled_from([0, 10, 1_000]),
        "PROPOSAL_PENALTY": st.sampled_from([0, 20, 1_000]),
        "VOTE_REWARD": st.sampled_from([0, 2, 950]),
        "VOTE_PENALTY": st.sampled_from([0, 2, 1_000]),
        "SECURITY_PENALTY": st.sampled_from([0, 50, 100]),
        "DECAY": st.sampled_from([0, 1, 1_000]),
    }
)
GROUPS = st.sampled_from([(), ("alice",), ("alice", "bob"), ("bob", "judy", "mallory"), ("alice", "alice", "")])


@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data(), params=PARAMS, members=GROUPS)
def test_random_runs_agree(
    chain: tuple[Any, Any], data: st.DataObject, params: dict[str, Value], members: tuple[str, ...]
) -> None:
    walk(governance(chain, params, members), data, 12)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), params=PARAMS, members=GROUPS)
def test_many_random_runs_agree(
    chain: tuple[Any, Any], data: st.DataObject, params: dict[str, Value], members: tuple[str, ...]
) -> None:
    walk(governance(chain, params, members), data, 30)
