"""Signals for gateways: they add up, evaporate and are answered; and none drives a bot outside its policy."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import cache
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from enforcing import bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from policydsl.core.system import CLOCK, System
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.coordination import MOST, Signals, adapted
from runtime.decision import Decision
from runtime.enforcer import Enforcer
from runtime.settings import Settings
from simulator import endpoints
from simulator.agents.base import Name
from simulator.engine import begin
from simulator.policies import ECOSYSTEM, shipped
from simulator.scenario import load as scenario
from simulator.scenario import with_settings

BOTS, TASKS, CHANNELS = ("ann", "bob", "eve"), ("launch", "sweep"), ("alarms", "food")


@cache
def coordination(name: str = "coordination") -> System:
    [program] = load([f"specs/mvg/{name}.policy"], lambda path: Path(path).read_text("utf-8"), Report())
    return program.system


class Time:
    now = 0

    def __call__(self) -> int:
        return self.now


def enforcer(clock: Time, name: str = "coordination", **given_: Any) -> Enforcer:
    members: dict[str, Any] = {"Members": ["ann", "bob"], "Stewards": ["sue"], **given_}
    chosen = {k: v for k, v in members.items() if any(x.name == k for x in coordination(name).state)}
    whole = Settings(clock, str, unproved=True, given={coordination(name).name: chosen})
    return Enforcer(bundle(coordination(name)), None, whole)


class Yes:
    """Allows what `wanted` says."""

    def __init__(self, effect: str = "allow", repeated: bool = False) -> None:
        self.effect, self.repeated, self.asked = effect, repeated, []

    def decide_request(self, action: str, inputs: Any, key: str = "") -> Decision:
        self.asked.append((action, dict(inputs), key))
        return replace(a_decision(), effect=self.effect, repeated=self.repeated)


@cache
def a_decision() -> Decision:
    return enforcer(Time()).decide("follow", principal="ann", channel="food")


def test_what_is_published_adds_up_and_evaporates() -> None:
    clock = Time()
    signals = Signals(Yes(), clock)
    signals.publish("ann", "food", 40)
    assert signals.strength("food") == 40
    clock.now = 1000
    assert signals.strength("food") == pytest.approx(36)
    signals.publish("bob", "food", 10)
    assert signals.strength("food") == pytest.approx(46)
    clock.now = 3000
    assert signals.strength("food") == pytest.approx(46 * 0.81)
    assert signals.strength("dust") == 0
    clock.now = 200_000
    assert signals.strength("food") == 0
    assert signals.heard() == {}


def test_looking_often_evaporates_no_faster() -> None:
    clock = Time()
    signals = Signals(Yes(), clock)
    signals.publish("ann", "food", 80)
    for clock.now in range(0, 5001, 7):
        signals.heard()
    clock.now = 5000
    assert signals.strength("food") == pytest.approx(80 * 0.9**5)


def test_a_clock_that_goes_back_brings_nothing_back() -> None:
    clock = Time()
    signals = Signals(Yes(), clock)
    clock.now = 5000
    signals.publish("ann", "food", 40)
    clock.now = 1000
    assert signals.strength("food") == 40


def test_the_response_is_strength_times_sensitivity() -> None:
    signals = Signals(Yes(), Time())
    signals.publish("ann", "food", 50)
    assert [signals.response("food", s) for s in (0.5, 0.0, 1.0, 3.0, -1.0, nan)] == [0.25, 0.0, 0.5, 1.0, 0.0, 0.0]
    assert signals.response("dust", 1.0) == 0.0


def test_urgency_adapts_strength() -> None:
    assert [adapted(20, u) for u in (0.0, 0.5, 1.0, 7.0, -1.0, nan)] == [20, 30, 40, 40, 20, 20]
    assert [adapted(s, 1.0) for s in (80, inf, -5, nan)] == [MOST, MOST, 0, 0]
    signals = Signals(Yes(), Time())
    signals.publish("ann", "food", 20, urgency=1.0)
    assert signals.strength("food") == 40


@pytest.mark.parametrize("decides", [Yes("deny"), Yes("approve"), Yes("allow", repeated=True)])
def test_what_is_not_allowed_now_leaves_no_trace(decides: Yes) -> None:
    heard: list[tuple[str, float]] = []
    signals = Signals(decides, Time())
    signals.listen(lambda c, s: heard.append((c, s)))
    signals.publish("eve", "food", 40, key="k")
    assert decides.asked == [("signal", {"principal": "eve", "channel": "food", "strength": 40}, "k")]
    assert (signals.strength("food"), heard) == (0, [])


def test_all_who_listen_hear_even_after_one_who_cannot() -> None:
    heard: list[tuple[str, float]] = []
    signals = Signals(Yes(), Time())
    signals.listen(lambda _c, _s: 1 / 0)
    signals.listen(lambda c, s: heard.append((c, s)))
    signals.publish("ann", "food", 40)
    assert heard == [("food", 40.0)]


def test_threads_share_channels() -> None:
    signals = Signals(Yes(), Time())
    threads = [threading.Thread(target=lambda: [signals.publish("ann", "food", 1) for _ in range(10)]) for _ in "abc"]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert signals.strength("food") == 30


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, nan])
def test_evaporation_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Signals(Yes(), Time(), evaporation=share)


def test_the_policy_of_a_gateway_decides_who_is_heard() -> None:
    """The twin's own policy: strangers and the quarantined are not heard."""
    engine = begin(with_settings(scenario("normal_operation"), ["bots=10", "committee_faults=1", "ticks=5"]), 1)
    body = {"principal": 1, "channel": "security", "strength": 30}
    status, told = endpoints.handle(engine, "POST", "/governance/signals", body)
    assert (status, told["strength"]) == (200, 30.0)
    stranger = engine.who.agent(Name.TRACKER)
    status, told = endpoints.handle(engine, "POST", "/governance/signals", {**body, "principal": stranger})
    assert (status, told["error"]) == (403, "not a member")
    assert engine.state.world.swarm.strength[engine.scenario.channels.index("security")] == 30.0


# No signal can drive a bot outside its policy

rights = st.one_of(
    st.tuples(st.sampled_from(("grant", "take_back")), st.sampled_from(BOTS), st.sampled_from(TASKS)),
    st.tuples(st.sampled_from(("confine",)), st.sampled_from(BOTS), st.none()),
    st.tuples(st.sampled_from(("mark",)), st.none(), st.sampled_from(TASKS)),
)
acts = st.tuples(st.just("act"), st.sampled_from(BOTS), st.sampled_from(TASKS))
loud = st.one_of(
    st.tuples(st.just("signal"), st.sampled_from(BOTS), st.sampled_from(CHANNELS), st.integers(0, 100),
              st.sampled_from(("Calm", "Alert", "Urgent"))),
    st.tuples(st.just("follow"), st.sampled_from(BOTS), st.sampled_from(CHANNELS)),
    st.tuples(st.just("evaporate"), st.sampled_from(CHANNELS)),
)  # fmt: skip


def asked(e: Enforcer, request: tuple[Any, ...]) -> bool:
    match request:
        case ("grant", bot, task):
            inputs = {"principal": "sue", "to": bot, "task": task}
        case ("take_back", bot, task):
            inputs = {"principal": "sue", "from": bot, "task": task}
        case ("confine", bot, _):
            inputs = {"principal": "sue", "suspect": bot}
        case ("mark", _, task):
            inputs = {"principal": "sue", "task": task}
        case ("act", bot, task):
            inputs = {"principal": bot, "task": task}
        case ("signal", bot, channel, amount, urgency):
            inputs = {"principal": bot, "channel": channel, "amount": amount, "urgency": urgency}
        case ("follow", bot, channel):
            inputs = {"principal": bot, "channel": channel}
        case (_, channel):
            inputs = {"channel": channel}
    decision = e.decide_request(request[0], inputs)
    assert decision.code.value in ("allowed", "denied.require", "denied.forbid", "denied.limit"), decision
    return decision.effect == "allow"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.one_of(rights, acts, acts, loud, loud), st.integers(0, 2000)), max_size=40))
def test_what_is_allowed_with_signals_is_allowed_in_silence(requests: list[tuple[Any, int]]) -> None:
    clock = Time()
    noisy, silent = enforcer(clock), enforcer(clock)
    risky = set()
    for request, pause in requests:
        clock.now += pause
        if request[0] in ("signal", "follow", "evaporate"):
            asked(noisy, request)
            continue
        with_signals, in_silence = asked(noisy, request), asked(silent, request)
        risky |= {request[2]} if request[0] == "mark" else set()
        assert in_silence or not with_signals
        if request[0] != "act" or request[2] not in risky:
            assert with_signals == in_silence


def test_this_notices_a_policy_that_obeys_signals() -> None:
    e = enforcer(Time(), "coordination_flawed")
    e.decide("signal", principal="eve", channel="food", amount=100)
    e.decide("follow", principal="bob", channel="food")
    silent = enforcer(Time(), "coordination_flawed")
    assert e.decide("act", principal="bob", task="launch").allowed
    assert not silent.decide("act", principal="bob", task="launch").allowed


def test_in_the_twin_a_signal_changes_nothing_that_is_ever_decided_by() -> None:
    system = next(p.system for p in shipped().policies if p.system.name == ECOSYSTEM)
    assert [w.var for w in system.action("signal").writes if w.var != CLOCK] == []


def test_an_alert_gateway_makes_signals_stronger() -> None:
    engine = begin(with_settings(scenario("normal_operation"), ["bots=10", "committee_faults=1", "ticks=5"]), 1)
    assert engine.gateway.may("emergency", principal=engine.who.agent(Name.COORDINATION))
    body = {"principal": 1, "channel": "security", "strength": 30}
    status, told = endpoints.handle(engine, "POST", "/governance/signals", body)
    assert (status, told["strength"]) == (200, 60.0)
