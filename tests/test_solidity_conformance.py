"""The contract on an EVM and the reference interpreter agree after every step, reverts and their reasons included."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from evm import GOVERNANCE, artifact, check, deployed, fast_machine, machine, requests, timed
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from policydsl.core.types import Value
from policydsl.interp import Request, decide
from runtime.evm import Evm
from runtime.evm_twin import EvmTwin

NAMES = {"Bot": ("alice", "bob", "judy", "mallory"), "Proposal": ("p1", "p2"), "Payload": ("upgrade", "takeover")}
SOON = {"VOTING_PERIOD": 60_000, "TIMELOCK": 60_000, "DECAY_PERIOD": 5_000}
MADE = artifact("Governance")


def governance(params: dict[str, Value], members: tuple[str, ...], evm: Evm) -> EvmTwin:
    return deployed(GOVERNANCE, MADE, params, {"Members": members, "Auditors": ("judy",)}, NAMES, evm=evm)


@pytest.mark.parametrize("of", [machine, fast_machine])
def test_a_proposal_comes_full_circle(of: Callable[[], Evm]) -> None:
    evm = of()
    twin = governance(SOON | {"QUORUM": 200}, ("alice", "bob"), evm)
    assert twin.differences() == []
    script: list[tuple[int, str, dict[str, Value], str]] = [
        (0, "draft", {"principal": "mallory", "proposal": "p1", "what": "takeover"}, "not a member"),
        (0, "admit", {"principal": "alice", "newcomer": "mallory"}, "only auditors admit members"),
        (0, "admit", {"principal": "judy", "newcomer": "mallory"}, ""),
        (0, "draft", {"principal": "alice", "proposal": "p1", "what": "upgrade"}, ""),
        (0, "submit", {"principal": "alice", "proposal": "p1"}, ""),
        (0, "open_voting", {"proposal": "p1"}, ""),
        (0, "vote", {"principal": "alice", "proposal": "p1", "support": True}, ""),
        (0, "vote", {"principal": "alice", "proposal": "p1", "support": True}, "already voted"),
        (60, "vote", {"principal": "bob", "proposal": "p1", "support": True}, ""),
        (0, "close_voting", {"proposal": "p1"}, "voting has not ended"),
        (1, "vote", {"principal": "mallory", "proposal": "p1", "support": False}, "voting has ended"),
        (0, "close_voting", {"proposal": "p1"}, ""),
        (58, "execute", {"proposal": "p1"}, "the timelock has not run out"),
        (1, "execute", {"proposal": "p1"}, ""),
        (0, "execute", {"proposal": "p1"}, "not approved"),
        (0, "monitor", {"proposal": "p1"}, ""),
        (0, "collect_feedback", {"principal": "judy", "proposal": "p1", "good": True}, ""),
        (0, "update_reputation", {"proposal": "p1"}, ""),
        (0, "optimize", {"proposal": "p1"}, ""),
        (0, "decay", {}, ""),
        (4, "decay", {}, "it is not time yet"),
        (1, "decay", {}, ""),
    ]
    for wait, action, inputs, reason in script:
        assert check(twin, Request(action, inputs), wait) == reason
    assert twin.state.read("reputation", ("alice",)) == 110
    assert twin.state.read("reputation", ("judy",)) == 98


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


class Beside(RuleBasedStateMachine):
    """Any parameters and members, then any requests at any pace."""

    twin: EvmTwin

    @initialize(params=PARAMS, members=GROUPS)
    def deploy(self, params: dict[str, Value], members: tuple[str, ...]) -> None:
        self.twin = governance(params, members, fast_machine())
        self.every = requests(GOVERNANCE, self.twin.people.known)
        assert self.twin.differences() == []

    @rule(wait=st.sampled_from([0, 0, 0, 1, 2, 3, 7]), data=st.data())
    def anything(self, wait: int, data: st.DataObject) -> None:
        check(self.twin, data.draw(st.sampled_from(self.every)), wait)

    @rule(wait=st.sampled_from([0, 0, 0, 1, 2, 3, 7]), data=st.data())
    def something_allowed(self, wait: int, data: st.DataObject) -> None:
        twin = self.twin
        allowed = [r for r in self.every if decide(twin.system, twin.state, timed(twin, r, wait)).effect == "allow"]
        # Each action is as likely as another, however many inputs it has.
        name = data.draw(st.sampled_from(sorted({r.action for r in allowed})), "action")
        assert check(twin, data.draw(st.sampled_from([r for r in allowed if r.action == name])), wait) == ""

    # Twice, so that runs come far.
    something_else_allowed = something_allowed


def campaign(examples: int, steps: int) -> None:
    fast_machine()
    run = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Beside, settings=run)


def test_random_runs_agree() -> None:
    campaign(5, 20)


@pytest.mark.slow
def test_many_random_runs_agree() -> None:
    campaign(100, 50)
