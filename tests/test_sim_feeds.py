"""What a feed says from outside is heard, weighed by confidence and age, and never alone enough for an alarm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from simulator import goals
from simulator.agents.intelligence_feed import OLD, Tip, worth
from simulator.engine import begin
from simulator.scenario import Scenario, ScenarioError, from_data, to_data, with_settings

FEED = """
[[indicator]]
subject = "link"
number = 300
confidence = 80
valid_from = -50

[[indicator]]
subject = "bot"
number = 7
confidence = 30
valid_until = 90
"""


def quiet(feed: str, *settings: str) -> Scenario:
    return goals.scenario_of("phisher", "malicious=0.0", "bots=100", "ticks=80", f"feed={feed}", *settings)


def test_a_scenario_has_what_its_feed_said_when_it_was_read(tmp_path: Path) -> None:
    toml, plain = tmp_path / "partners.toml", tmp_path / "partners.json"
    toml.write_text(FEED)
    scenario = quiet(str(toml))
    assert [(k.subject, k.number, k.confidence, k.valid_from) for k in scenario.feed] == [
        ("link", 300, 80, -50),
        ("bot", 7, 30, 0),
    ]
    plain.write_text(json.dumps({"indicator": to_data(scenario)["feed"]}))
    assert quiet(str(plain)) == scenario
    # The file is not needed again: a record has all of it.
    toml.unlink()
    assert from_data(json.loads(json.dumps(to_data(scenario)))) == scenario
    assert with_settings(scenario, ["seed=2"]).feed == scenario.feed


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        (FEED.replace("80", "101"), "feed.0.confidence", "less than or equal to 100"),
        (FEED.replace("number = 7", "number = -7"), "feed.1.number", "greater than or equal to 0"),
        (FEED.replace("valid_until = 90", "valid_until = 0"), "feed.1.valid_until", "ends at tick 0"),
        (FEED.replace("confidence = 30", "confidense = 30"), "feed.1.confidense", "did you mean"),
        (FEED.replace('"bot"', '"planet"'), "feed.1.subject", "planet"),
        ("[[indicators]]", "feed", "it has a list `indicator`"),
        ("indicator = [", "feed", "neither TOML nor"),
    ],
)
def test_faults_of_a_feed_are_named(tmp_path: Path, text: str, field: str, said: str) -> None:
    path = tmp_path / "feed.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        quiet(str(path))
    assert field in dict(caught.value.faults), caught.value.faults
    assert said in dict(caught.value.faults)[field]


def test_a_feed_that_is_missing_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"`nowhere\.toml` cannot be read"):
        quiet("nowhere.toml")


def test_what_is_old_is_worth_less() -> None:
    tip = Tip("link", 3, 80, 100, 100 + 2 * OLD)
    assert [worth(tip, t) for t in (99, 100, 100 + OLD, 100 + 2 * OLD)] == [0.0, 0.8, 0.4, 0.0]


def test_a_wrong_feed_alone_raises_no_alarm(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    wrong = [{"subject": s, "number": n, "confidence": 100} for s in ("bot", "link", "skill") for n in range(30)]
    path.write_text(json.dumps({"indicator": [*wrong, {"subject": "bot", "number": 10**6, "confidence": 100}]}))
    engine = begin(quiet(str(path)), 1)
    alarms = sum(engine.step().measures["alarms"] for _ in range(80))
    hunter = engine.state.team.hunter
    assert hunter is not None
    # It was heard, of those that exist.
    assert np.flatnonzero(hunter.risk > 0.5).tolist() == list(range(30))
    assert (hunter.links.risk[:30] > 0.5).all()
    assert alarms == 0


def test_who_is_warned_sees_attackers_earlier(tmp_path: Path) -> None:
    """A feed that knows all of them, but is wrong about as many others."""
    peaceful = goals.scenario_of("spammer", "bots=200", "ticks=120")
    attackers = np.flatnonzero(begin(peaceful, 1).state.world.malicious)
    named = [*attackers.tolist(), *(n for n in range(len(attackers)) if n not in attackers)]
    known = [{"subject": "bot", "number": n, "confidence": 90, "valid_from": 40} for n in named]
    path = tmp_path / "feed.json"
    path.write_text(json.dumps({"indicator": known}))

    def alarms(*settings: str) -> tuple[float, float]:
        """The tick of the median alarm about an attacker, and how many alarms were false."""
        engine = begin(with_settings(peaceful, settings), 1)
        ticks = [engine.step() for _ in range(120)]
        right = [h.tick for t in ticks for h in t.happenings if h.kind == "alarm" and h.number in attackers]
        assert len(right) >= len(attackers)
        return float(np.median(right)), sum(t.measures["alarms_false"] for t in ticks)

    (warned, wrong), (alone, _) = alarms(f"feed={path}"), alarms()
    assert warned < alone
    assert wrong == 0
