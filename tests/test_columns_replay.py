"""Recorded traffic as columns: in its order, with the answers that the reference interpreter would have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policydsl.core.expr import TRUE, ZERO, add, le, number
from policydsl.core.system import (
    CLOCK,
    NOW,
    Action,
    Effect,
    Guard,
    GuardKind,
    Input,
    Obligation,
    Origin,
    RuleUse,
    StateVar,
    System,
    Write,
)
from policydsl.core.types import INT, EntityType, EnumType, Value
from policydsl.interp import Request, decide, initial, run
from policydsl.trace import Cell, Decision
from runtime import columns_replay
from runtime.columns import traffic
from runtime.columns_compiled import compiled
from runtime.columns_decide import EFFECTS
from runtime.columns_replay import Begin, Replayed, Stepper, decide_traffic, interpreted, replay_table
from tests.checked import program
from tests.families import policies
from tests.strategies import requests, systems
from tests.test_columns import broken


def agree(system: System, asked: Sequence[Request], start: Sequence[Cell] = (), begin: Begin = interpreted) -> Replayed:
    found = replay_table(system, {}, start, traffic(system, asked), begin)
    expected = [s.decision for s in run(system, asked, start=start)[0].steps]
    assert [repr(d) for d in found] == [repr(d) for d in expected]
    assert [repr(found[i]) for i in range(len(found))] == [repr(d) for d in expected]
    assert [EFFECTS[e].value for e in found.effects] == [d.effect for d in expected]
    return found


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_replaying_is_running(data: st.DataObject) -> None:
    system = data.draw(systems())
    agree(
        system, [data.draw(st.composite(lambda draw, r=r: broken(draw, r))()) for r in data.draw(requests(system, 10))]
    )


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_one_state_for_all(data: st.DataObject) -> None:
    system = data.draw(systems())
    asked = data.draw(requests(system, 8))
    state = initial(system)
    found = decide_traffic(system, state, traffic(system, asked))
    assert [repr(d) for d in found] == [repr(decide(system, state, r)) for r in asked]


def some(draw: st.DrawFn, type: Any, now: int) -> Value:
    match type:
        case EntityType():
            return draw(st.sampled_from(("root", "a", "b")))
        case EnumType(cases=cases):
            return draw(st.sampled_from(cases))
        case _ if str(type) == "Bool":
            return draw(st.booleans())
        case _ if str(type) == "String":
            return draw(st.sampled_from(("a", "home", "k-a", "ab")))
        case _:
            return draw(st.integers(-1, 4) | st.just(now))


@st.composite
def recordings(draw: st.DrawFn, system: System, ordered: bool) -> list[Request]:
    now, found = 0, []
    for _ in range(draw(st.integers(0, 14))):
        action = draw(st.sampled_from(system.actions))
        now = now + draw(st.integers(0, 6)) if ordered else draw(st.integers(0, 20))
        inputs = {i.name: now if i.name == NOW else some(draw, i.type, now) for i in action.inputs}
        found.append(broken(draw, Request(action.name, inputs)))
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_policies_with_time_texts_and_groups(data: st.DataObject) -> None:
    _, text = data.draw(policies())
    system = program(text).system
    asked = data.draw(recordings(system, ordered=data.draw(st.booleans())))
    agree(system, asked, begin=data.draw(st.sampled_from((interpreted, compiled))))


TIMED = """
entity Bot
state total: Int = 0
state said: Bot -> Int = 0
action look(principal: Bot, x: Int) { require x < 3 }
action count(principal: Bot) { total += 1 }
action send(principal: Bot) { said[principal] += 1 }
action check(principal: Bot) { require said[principal] > 0 }
limit rate on send to 2 per 10ms
approve big on look when x > 1 by human within 5ms
"""


def timed(*rows: tuple[str, int], **more: Value) -> list[Request]:
    extra: dict[str, dict[str, Value]] = {"look": {"x": 2, "approved_big": True, "asked_big": 0}}
    return [Request(a, {"principal": "p", **extra.get(a, {}), "now": n, **more}) for a, n in rows]


def test_only_what_depends_on_others_is_stepped_through() -> None:
    system = program(TIMED).system
    found = agree(
        system, timed(("look", 1), ("send", 1), ("count", 2), ("send", 2), ("send", 3), ("look", 9), ("check", 9))
    )
    assert found.stepped == {"send", "check"}
    assert agree(system, timed(("look", 1), ("count", 2), ("check", 3))).stepped == frozenset()
    assert agree(system, timed(("send", 3))).stepped == {"send"}


def test_what_is_stepped_through_finds_the_state_that_others_leave() -> None:
    text = """
    entity Bot
    state a: Int = 0
    state b: Int = 0
    action first(principal: Bot) { a += 1 }
    action next(principal: Bot) { b := a }
    action last(principal: Bot) { require b > 0 }
    """
    asked = [Request(n, {"principal": "p"}) for n in ("last", "first", "last", "next", "last")]
    found = agree(program(text).system, asked)
    assert found.stepped == {"first", "next", "last"}
    assert [d.effect for d in found] == ["deny", "allow", "deny", "allow", "allow"]


def test_rules_and_duties_are_part_of_an_answer() -> None:
    n = StateVar("n", (), INT, ZERO)
    some, whose = le(number(1), n.ref), Guard(GuardKind.REQUIRE, TRUE, "")
    count = Action("count", (), (), (Write("n", (), add(n.ref, number(1))),))
    for rules, duties in (
        ((RuleUse("r", "permit", some),), ()),
        ((), (Obligation("log", (), some, Effect.ALLOW),)),
        ((), (Obligation("log", (n.ref,), TRUE, Effect.ALLOW),)),
    ):
        ask = Action("ask", (), (whose,), (), rules, duties)
        system = System("s", (), (n,), (count, ask), ())
        agree(system, [Request(name) for name in ("ask", "count", "ask", "count", "ask")])


def test_a_clock_that_is_set_to_something_else_is_a_dependence() -> None:
    clock = StateVar(CLOCK, (), INT, ZERO, Origin.CLOCK)
    now = Input(NOW, INT)
    back = Guard(GuardKind.ASSUME, le(clock.ref, now.ref), "the clock went back")
    ahead = Action("ahead", (now,), (back,), (Write(CLOCK, (), add(now.ref, number(5))),))
    found = agree(System("s", (), (clock,), (ahead,), ()), [Request("ahead", {NOW: t}) for t in (1, 2, 7)])
    assert [d.effect for d in found] == ["allow", "deny", "allow"]


def test_a_clock_that_goes_back_is_a_dependence() -> None:
    system = program(TIMED).system
    found = agree(system, timed(("look", 5), ("count", 4), ("look", 6)))
    assert found.stepped == {"look", "count"}
    assert [d.effect for d in found] == ["allow", "deny", "pending"]
    late = [Cell("clock", (), 5)]
    assert agree(system, timed(("count", 4), ("count", 6)), late).stepped == {"count"}
    assert agree(system, timed(("count", 5), ("count", 6)), late).stepped == frozenset()
    # A request that is none has no time.
    odd = timed(("count", 9), odd=1) + timed(("count", 4))
    assert agree(system, odd).stepped == frozenset()


def test_time_that_is_taken_to_go_on_where_it_does_not_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_replay, "_time_goes_on", lambda *_: True)
    with pytest.raises(AssertionError):
        agree(program(TIMED).system, timed(("look", 5), ("count", 4)))


def test_a_dependence_that_is_missed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns_replay, "_stepped", lambda _: frozenset())
    with pytest.raises(AssertionError):
        agree(program(TIMED).system, timed(("send", 1), ("send", 2), ("send", 3)))


def test_whoever_steps_is_asked_in_order() -> None:
    system = program(TIMED).system
    asked = timed(("send", 1), ("look", 1), ("check", 2), ("send", 2))
    seen: list[Request] = []

    def begin(system: System, params: Mapping[str, Value], start: Sequence[Cell]) -> Stepper:
        go = interpreted(system, params, start)

        def step(request: Request) -> Decision:
            seen.append(request)
            return go(request)

        return step

    found = replay_table(system, {}, (), traffic(system, asked), begin)
    assert [d.effect for d in found] == ["allow"] * 4
    assert [repr(r) for r in seen] == [repr(asked[i]) for i in (0, 2, 3)]


@pytest.mark.parametrize("begin", [interpreted, compiled])
def test_a_start_that_is_not_the_declared_one(begin: Begin) -> None:
    system = program(TIMED).system
    asked = timed(("check", 1), ("send", 2), ("check", 2))
    for start, effects in (
        ([], ["deny", "allow", "allow"]),
        ([Cell("said", ("p",), 2)], ["allow"] * 3),
        ([Cell("said", ("*",), 2)], ["allow"] * 3),
        ([Cell("said", ("q",), 2), Cell("clock", (), 2)], ["deny", "allow", "allow"]),
    ):
        assert [d.effect for d in agree(system, asked, start, begin)] == effects


def test_no_traffic() -> None:
    system = program(TIMED).system
    assert list(agree(system, [])) == []
    assert [d.reason for d in agree(system, [Request("fly", {})])] == ["unknown action"]
