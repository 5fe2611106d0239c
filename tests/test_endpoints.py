"""The endpoints of the simulated gateway: the framework's own, and nothing through them that the policy denies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.endpoints import MESSAGES, handle, messages
from simulator.engine import Engine, begin
from tests.twins import course, small


@pytest.fixture
def engine() -> Engine:
    scenario = small("normal_operation", "malicious=0.0", "proposal_rate=0.0", "community.delegation=0.0")
    found = begin(scenario, 1)
    for _ in range(5):
        found.step()
    return found


def test_every_action_of_governance_travels_in_one_type_of_message() -> None:
    actions = {a.name for a in course("normal_operation").engine.gateway.enforcers[0].system.actions}
    listed = [a for names in MESSAGES.values() for a in names]
    assert len(listed) == len(set(listed))
    assert set(listed) == actions - {"send", "use_skill", "submit_skill"}
    assert list(MESSAGES) == [
        "gov_proposal",
        "gov_vote",
        "gov_decision",
        "gov_reputation",
        "gov_signal",
        "gov_security",
        "gov_policy",
    ]


def test_messages_are_counted() -> None:
    run = course("security_attack")
    counted = messages(run.engine)
    assert all(counted.values())
    assert counted["gov_vote"] >= run.total("votes") > 0


def test_a_proposal_is_made_voted_on_and_executed(engine: Engine) -> None:
    status, made = handle(engine, "POST", "/governance/proposals", {"principal": 7})
    assert status == 201
    assert (made["id"], made["proposer"], made["stage"], made["yes"]) == (0, 7, "VotingOpen", 0)
    seen: dict[str, Any] = {}
    for bot in range(50):
        status, seen = handle(engine, "POST", "/governance/proposals/0/vote", {"principal": bot, "support": True})
        assert status == 200
    assert seen["yes"] == 50 * 100
    # The others find it good, too.
    engine.state.world.proposals.good[0] = True
    assert handle(engine, "POST", "/governance/proposals/0/vote", {"principal": 3, "support": True}) == (
        403,
        {"error": "already voted", "action": "vote"},
    )
    for _ in range(100):
        engine.step()
    assert handle(engine, "GET", "/governance/proposals/0")[1]["executedAt"] > 0
    assert handle(engine, "GET", "/governance/proposals")[1]["proposals"][0]["stage"] in {"Monitoring", "Settled"}


def test_strangers_are_turned_away_with_the_reason(engine: Engine) -> None:
    agent = 300
    assert handle(engine, "POST", "/governance/proposals", {"principal": agent}) == (
        403,
        {"error": "not a member", "action": "draft"},
    )
    status, told = handle(
        engine, "POST", "/governance/signals", {"principal": agent, "channel": "security", "strength": 5}
    )
    assert (status, told["error"]) == (403, "not a member")


def test_signals_reputations_alerts_and_metrics(engine: Engine) -> None:
    before = engine.state.world.swarm.strength[1]
    status, told = handle(
        engine, "POST", "/governance/signals", {"principal": 3, "channel": "security", "strength": 30}
    )
    assert (status, told) == (200, {"channel": "security", "strength": before + 30})
    status, told = handle(engine, "GET", "/governance/reputation/3")
    assert (status, told["reputation"], told["quarantined"]) == (200, 100, False)
    assert engine.gateway.may("raise_alarm", principal=301, suspect=9)
    assert handle(engine, "GET", "/governance/security/alerts") == (200, {"alerts": [{"bot": 9, "raisedBy": 301}]})
    status, told = handle(engine, "GET", "/governance/metrics")
    assert status == 200
    assert (told["tick"], told["members"], told["lockdown"]) == (5, 300, False)
    assert told["messages"]["gov_signal"] > 0
    assert told["logRoot"] == engine.state.log.root


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/governance/proposals/5", None, 404),
        ("POST", "/governance/proposals/5/vote", {"principal": 1, "support": True}, 404),
        ("GET", "/governance/reputation/99999", None, 404),
        ("GET", "/elsewhere", None, 404),
        ("DELETE", "/governance/proposals", None, 404),
        ("POST", "/governance/proposals", {}, 400),
        ("POST", "/governance/proposals", {"principal": -1}, 400),
        ("POST", "/governance/proposals", {"principal": True}, 400),
        ("POST", "/governance/signals", {"principal": 1, "channel": "nowhere", "strength": 1}, 400),
        ("POST", "/governance/signals", {"principal": 1, "channel": "security", "strength": 1.5}, 400),
        ("POST", "/governance/signals", {"principal": 1, "channel": "security", "strength": 101}, 403),
        ("POST", "/governance/signals", {"principal": 1, "channel": "security", "strength": 10**30}, 400),
    ],
)
def test_what_makes_no_sense(engine: Engine, method: str, path: str, body: Any, status: int) -> None:
    found, told = handle(engine, method, path, body)
    assert found == status
    assert told["error"]


@given(
    st.sampled_from(["proposals", "proposals/0/vote", "signals"]),
    st.dictionaries(
        st.sampled_from(["principal", "support", "channel", "strength"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats() | st.lists(st.integers()),
    ),
)
def test_nothing_raises(path: str, body: dict[str, Any]) -> None:
    engine = course("normal_operation", "ticks=3").engine
    status, _ = handle(engine, "POST", f"/governance/{path}", body)
    assert status in {200, 201, 400, 403, 404}
