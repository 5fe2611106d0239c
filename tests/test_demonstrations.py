"""The demonstrations: the steps come in order, and the attack gets what it is after only without the agents."""

from __future__ import annotations

from typing import Any

import pytest

from policyctl.cli import run
from policyctl.cli_demo import NAMES, render
from policyctl.exit_codes import OK
from policyctl.paint import PLAIN
from simulator.demonstrations import DEMOS, Shown, Step, follow, metric, scenario_of, show
from simulator.metrics import METRICS

A, B = Step("first", ("x",), ("seen",)), Step("second", ("x", "y"), ("done", "helped"), ("fine", "good"))


def event(now: int, who: str, kind: str, text: str = "fine") -> dict[str, Any]:
    return {"tick": now // 1000, "now": now, "who": who, "kind": kind, "text": text}


def test_a_step_is_what_the_right_one_says_of_the_right_thing() -> None:
    assert B.is_it(event(0, "y", "helped", "all is good"))
    for other in (event(0, "z", "helped"), event(0, "y", "seen"), event(0, "y", "helped", "bad")):
        assert not B.is_it(other)


def test_steps_come_one_after_the_other() -> None:
    events = [event(1000, "y", "done"), event(2000, "x", "seen"), event(2000, "y", "done"), event(9000, "x", "done")]
    first, second = follow([A, B], events)
    assert (first.event, first.after_ms) == (events[1], 0)
    assert (second.event, second.after_ms) == (events[2], 0)
    first, second = follow([A, B], events[:2] + events[3:])
    assert (second.event, second.after_ms) == (events[3], 7000)


def test_what_comes_too_early_does_not_count() -> None:
    first, second = follow([A, B], [event(1000, "y", "done"), event(2000, "x", "seen")])
    assert first.event is not None
    assert second.event is None
    assert [s.event for s in follow([A, B], [])] == [None, None]


def test_what_is_not_seen_is_said() -> None:
    scenario = scenario_of("phishing")
    demo = DEMOS["phishing"]
    figures = dict.fromkeys([m.name for m in METRICS] + list(demo.metrics), 1.0)
    shown = Shown(demo, scenario, follow(demo.steps, []), figures, {**figures, "taken_over": 60.0})
    assert not shown.is_complete
    assert shown.makes_the_difference
    text = render(shown, PLAIN)
    assert text.count("not seen") == 5
    assert "With the agents it does not get it; without them it gets it." in text


@pytest.mark.parametrize("name", NAMES)
def test_each_has_five_steps_and_a_scenario(name: str) -> None:
    assert name in DEMOS
    assert len(DEMOS[name].steps) == 5
    assert scenario_of(name).title.startswith("Demonstration")
    assert [metric(m).name for m in DEMOS[name].metrics] == list(DEMOS[name].metrics)


def test_steps_of_one_tick_are_numbered_in_their_order() -> None:
    demo = DEMOS["phishing"]
    made = [event(1000, s.who[0], s.kinds[0], s.words[0]) for s in demo.steps[:1]]
    made += [event(3000, s.who[0], s.kinds[0], s.words[0]) for s in demo.steps[1:4]]
    made += [event(4000, s.who[0], s.kinds[0], s.words[0]) for s in demo.steps[4:]]
    figures = dict.fromkeys([m.name for m in METRICS] + list(demo.metrics), 1.0)
    text = render(Shown(demo, scenario_of("phishing"), follow(demo.steps, made), figures, figures), PLAIN)
    told = [line.rpartition("  ")[2] for line in text.splitlines() if line.startswith("✓")]
    assert told == [
        "tick 1",
        "tick 3, 2 s later, 1 of 3 in this tick",
        "tick 3, 2 s later, 2 of 3 in this tick",
        "tick 3, 2 s later, 3 of 3 in this tick",
        "tick 4, 3 s later",
    ]


FEW = {
    "phishing": ("bots=150", "ticks=170", "attack_begins=30"),
    "byzantine": ("bots=200", "ticks=130", "attack_begins=30"),
    "skill": ("bots=150", "ticks=240"),
}
"""Populations in which a demonstration takes a second or two."""


@pytest.mark.parametrize("name", NAMES)
def test_in_a_small_population_the_steps_happen_in_order(name: str) -> None:
    shown, _ = show(name, settings=FEW[name])
    assert [s.step.text for s in shown.seen if s.event is None] == []
    times = [s.event["now"] for s in shown.seen if s.event is not None]
    assert times == sorted(times)
    assert shown.makes_the_difference, (shown.with_agents, shown.without)
    assert shown.with_agents["violations"] == shown.without["violations"] == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_steps_happen_in_order_and_the_agents_make_the_difference(name: str, seed: int) -> None:
    shown, _ = show(name, seed)
    assert [s.step.text for s in shown.seen if s.event is None] == []
    assert shown.makes_the_difference, (shown.with_agents, shown.without)
    assert shown.with_agents["violations"] == 0.0
    assert shown.without["violations"] == 0.0


@pytest.mark.slow
def test_the_command_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "byzantine"]) == OK
    shown = capsys.readouterr().out
    assert shown.count("✓") == 5
    assert "without them it gets it" in shown
