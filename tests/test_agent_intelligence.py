"""Intelligence: what belongs together is named, who is near it is warned of, and what is to come is forecast."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest

from simulator import snapshot
from simulator.agents import intelligence, threat_hunter
from simulator.agents import intelligence_graph as graphs
from simulator.agents.base import Alert, Happening, Indicator, Name, Request, Subject
from simulator.agents.forecast import DAMPED, forecast
from simulator.agents.intelligence_campaigns import TITLES
from simulator.agents.intelligence_graph import Sort, Tie, Ties
from simulator.agents.intelligence_hear import MEMORY, MOST_CASES
from simulator.agents.intelligence_level import CALM
from simulator.agents.intelligence_risks import FADES
from simulator.agents.intelligence_state import PERIOD
from simulator.agents.patterns import KINDS
from tests.hunted import BENIGN, Town


class Told:
    """Runs Intelligence alone in a town, and keeps what it says."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.state = intelligence.begin(town.members)
        self.indicators: list[Indicator] = []
        self.requests: list[tuple[int, Request]] = []
        self.notes: list[Happening] = []

    def alert(self, number: int, kind: str, *evidence: tuple[str, float], subject: Subject = Subject.BOT) -> None:
        told = Alert(subject, number, kind, 0.9, self.town.tick, evidence)
        self.town.bus.alerts.setdefault(Name.INTELLIGENCE.value, []).append(told)

    def run(self, ticks: int) -> None:
        town = self.town
        for _ in range(ticks):
            town.happens()
            intelligence.tick(self.state, town.view(Name.INTELLIGENCE))
            self.indicators += town.bus.indicators.pop(Name.HUNTER.value, [])
            self.requests += [(town.tick, r) for r in town.bus.requests.pop(Name.ENFORCER.value, [])]
            self.notes += town.bus.happenings
            town.bus.happenings = []
            town.passes()

    def texts(self, kind: str) -> list[str]:
        return [n.text for n in self.notes if n.kind == kind]


RING = [11, 12, 13, 14, 15, 16]


def test_bots_that_send_the_same_links_are_a_campaign() -> None:
    town = Town(400, "phishing", RING, begins=0, links_of=1)
    told = Told(town)
    for bot in RING[:4]:
        told.alert(bot, "phishing")
    told.alert(300, "spam")
    told.run(PERIOD + 1)
    (campaign,) = told.state.campaigns
    assert (campaign.kind, campaign.bots, campaign.links) == ("phishing", RING[:4], [BENIGN])
    (text,) = told.texts("detected")
    assert text.startswith("campaign 1 is 4 bots: phishing; they send link 100; ")
    assert "first seen at tick 0, 4 new in the last 20 ticks" in text


def test_who_is_near_a_campaign_is_warned_of_and_nobody_else() -> None:
    town = Town(400, "phishing", RING, begins=0, links_of=1)
    told = Told(town)
    for bot in RING[:4]:
        told.alert(bot, "phishing")
    told.alert(BENIGN, "phishing", subject=Subject.LINK)
    told.run(PERIOD + 1)
    bots = {i.number: i.risk for i in told.indicators if i.subject is Subject.BOT}
    assert sorted(bots) == RING[4:]
    assert set(bots.values()) == {round(0.9 * FADES, 3)}
    # It is not said again and again.
    told.run(3 * PERIOD)
    assert len(told.indicators) == len(set(told.indicators)) == len(bots)


def test_links_of_suspects_are_warned_of_but_not_those_of_everybody() -> None:
    town = Town(400, "phishing", RING, begins=0, links_of=1)
    told = Told(town)
    for bot in RING:
        told.alert(bot, "phishing")
    # Everybody sends these, suspects too.
    for link in (1, 2):
        graphs.tie(told.state.ties, Tie.SENT, RING * 2, [link] * 12)
        town.observed.link_senders[link] += 200.0
    told.run(PERIOD + 1)
    links = {i.number for i in told.indicators if i.subject is Subject.LINK}
    assert links == {BENIGN}


def test_a_hunter_hears_of_it_and_looks_closer() -> None:
    town = Town(400)
    told, hunter = Told(town), threat_hunter.begin(400)
    town.bus.indicators[Name.HUNTER.value] = [Indicator(Subject.BOT, 3, 0.5), Indicator(Subject.LINK, 7, 0.6)]
    town.happens()
    threat_hunter.tick(hunter, town.view(Name.HUNTER))
    assert (hunter.risk[3], hunter.links.risk[7]) == pytest.approx((0.5, 0.6), rel=0.06)
    assert told.state.cases == []


def test_those_who_vote_as_one_are_a_campaign() -> None:
    told = Told(Town(100))
    for bot in (3, 4, 5):
        told.alert(bot, "collusion", *(("with", float(other)) for other in (3, 4, 5) if other != bot))
    told.run(PERIOD + 1)
    (text,) = told.texts("detected")
    assert "campaign 1 is 3 bots: votes by agreement; they vote as one" in text


def test_the_same_at_the_same_time_is_a_campaign_too() -> None:
    told = Told(Town(100))
    for bot in range(5):
        told.alert(bot, "byzantine")
    told.run(PERIOD + 1)
    for bot in range(10, 14):
        told.alert(bot, "byzantine")
    told.run(PERIOD)
    texts = told.texts("detected")
    assert len(texts) == 2
    assert "campaign 1 is 5 bots: Byzantine bots; they do the same at the same time" in texts[0]
    assert "campaign 1 has grown to 9 bots" in texts[1]
    assert "4 new in the last 20 ticks" in texts[1]


def test_two_are_no_campaign() -> None:
    told = Told(Town(100))
    told.alert(1, "spam")
    told.alert(2, "spam")
    told.run(3 * PERIOD)
    assert told.state.campaigns == []
    assert told.texts("detected") == []


def test_a_campaign_is_over_when_all_its_bots_are_in_quarantine() -> None:
    town = Town(100)
    told = Told(town)
    for bot in range(4):
        told.alert(bot, "exfiltration")
    told.run(2)
    town.doors.state["quarantined"][:3] = True
    told.run(5 * PERIOD)
    assert len(told.texts("detected")) == 1
    town.doors.state["quarantined"][3] = True
    told.run(2 * PERIOD)
    assert told.texts("detected")[1:] == ["campaign 1 is over: all its 4 bots are in quarantine"]


def test_campaigns_that_turn_out_to_be_one() -> None:
    town = Town(200)
    told = Told(town)
    for group, link in (((1, 2, 3), 50), ((4, 5, 6, 7), 60)):
        for bot in group:
            told.alert(bot, "phishing", ("link", float(link)))
    told.run(PERIOD + 1)
    assert sorted(c.bots for c in told.state.campaigns) == [[1, 2, 3], [4, 5, 6, 7]]
    told.alert(8, "phishing", ("link", 50.0))
    told.alert(8, "phishing", ("link", 60.0))
    told.run(PERIOD)
    (campaign,) = told.state.campaigns
    assert campaign.bots == [1, 2, 3, 4, 5, 6, 7, 8]
    assert any("is part of campaign" in text for text in told.texts("detected"))


def test_the_graph_has_human_size() -> None:
    town = Town(3000, "phishing", np.arange(0, 3000, 2), begins=0)
    told = Told(town)
    for bot in range(0, 3000, 2):
        told.alert(bot, "phishing")
    told.run(PERIOD + 1)
    found = intelligence.graph(told.state)
    assert len(told.state.cases) == MOST_CASES
    assert found.number_of_edges() <= graphs.MOST_DRAWN
    assert {node[0] for node in found} <= {int(s) for s in Sort}
    told.run(MEMORY + PERIOD)
    assert told.state.cases == []
    assert not told.state.known.any()


def test_ties_are_counted_and_the_rarest_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    ties = Ties()
    graphs.tie(ties, Tie.SENT, [1, 1, 2], [7, 7, 7])
    graphs.tie(ties, Tie.WROTE, [9, 4], [4, 9])
    graphs.settle(ties)
    graphs.tie(ties, Tie.SENT, [1], [7])
    graphs.settle(ties)
    assert ties.keys.tolist() == [(1 << 24) | 7, (2 << 24) | 7, (int(Tie.WROTE) << 48) | (4 << 24) | 9]
    assert ties.counts.tolist() == pytest.approx([2 * graphs.OLD + 1, 1.0, 2 * graphs.OLD])
    monkeypatch.setattr(graphs, "MOST_TIES", 1)
    graphs.settle(ties)
    assert ties.keys.tolist() == [(1 << 24) | 7]


def test_risks_fall_with_each_tie() -> None:
    found = nx.Graph()
    for number, suspect in ((0, 0.9), (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.5), (5, 0.0)):
        found.add_node((0, number), suspect=suspect)
    nx.add_path(found, [(0, n) for n in range(5)])
    risk = graphs.risks(found, 0.5, 2)
    # Bot 3 is next to the lesser suspect, and three ties away from the greater.
    assert risk == {(0, 1): 0.45, (0, 2): 0.225, (0, 3): 0.25}


@pytest.mark.parametrize("rate", [0.5, 4.0, 30.0])
def test_nine_of_ten_forecasts_hold(rate: float) -> None:
    rng = np.random.default_rng(4)
    held, made = 0, 0
    for _ in range(20):
        counts = [float(c) for c in rng.poisson(rate, 50)]
        for at in range(10, 50):
            found = forecast(counts[:at])
            held += found.low <= counts[at] <= found.high
            made += 1
    assert 0.85 <= held / made <= 0.99


def test_forecasts_follow_levels_and_trends() -> None:
    assert forecast([]).mean == 0.0
    assert forecast([0.0] * 20).high == pytest.approx(0.82, abs=0.01)
    assert forecast([5.0] * 20).mean == pytest.approx(5.0)
    line = [float(3 * i) for i in range(30)]
    near, far = forecast(line), forecast(line, ahead=5)
    assert near.mean == pytest.approx(90.0, rel=0.05)
    # The trend is damped, and what is further away is less certain.
    assert near.mean < far.mean <= line[-1] + 3 * (DAMPED * (1 - DAMPED**5)) / (1 - DAMPED) * 1.5
    assert far.high - far.low > near.high - near.low
    falling = [float(30 - i) for i in range(30)]
    assert 0.0 <= forecast(falling, ahead=20).mean < 1.5


def test_the_threat_level_rises_at_once_and_falls_slowly() -> None:
    told = Told(Town(1000))
    for bot in range(30):
        told.alert(bot, "spam")
    told.run(PERIOD + 1)
    (tick, first), (later, second) = told.requests
    # Nobody waits for the end of the period, in which it is said again, with a forecast.
    assert (tick, first.what, first.level, first.why) == (0, "tighten", 3, "30 incidents in less than 20 ticks")
    assert (later, second.what, second.level) == (PERIOD, "tighten", 3)
    assert "expects" in second.why
    told.run(20 * PERIOD)
    levels = [(r.what, r.level) for _, r in told.requests]
    falls = [tick for tick, r in told.requests if r.what == "relax"]
    assert [r.level for _, r in told.requests if r.what == "relax"] == [2, 1, 0]
    assert np.diff(falls).min() >= CALM * PERIOD
    # What is not said again is forgotten, so it is; and at last nothing is asked for.
    assert levels.count(("tighten", 3)) >= CALM
    assert levels[-1] == ("relax", 0)
    assert told.state.level == 0
    assert any("recommends threat level 3, until now 0" in t for t in told.texts("forecast"))


def test_a_few_incidents_wait_for_the_end_of_the_period() -> None:
    told = Told(Town(1000))
    for bot in range(4):
        told.alert(bot, "spam")
    told.run(PERIOD - 1)
    assert told.requests == []
    told.alert(4, "spam")
    told.run(1)
    assert [(tick, r.level) for tick, r in told.requests] == [(PERIOD - 1, 2)]


def test_a_single_incident_among_few_does_not_alarm_everybody() -> None:
    told = Told(Town(20))
    told.alert(1, "spam")
    told.run(PERIOD + 1)
    assert told.state.level <= 1


def both(town: Town, ticks: int, state: Any, hunter: Any) -> list[Happening]:
    notes = []
    for _ in range(ticks):
        town.happens()
        intelligence.tick(state, town.view(Name.INTELLIGENCE))
        threat_hunter.tick(hunter, town.view(Name.HUNTER))
        town.contain()
        town.bus.requests.clear()
        notes += town.bus.happenings
        town.bus.happenings = []
        town.passes()
    return notes


def test_a_run_that_was_saved_goes_on_bit_for_bit() -> None:
    one, other = (Town(500, "phishing", np.arange(3, 500, 25), contains=True) for _ in range(2))
    other.parts = 3
    state, hunter = intelligence.begin(500), threat_hunter.begin(500)
    notes = both(one, 110, state, hunter)
    resumed, hunted = intelligence.begin(500), threat_hunter.begin(500)
    again = both(other, 85, resumed, hunted)
    assert resumed.ties.fresh
    assert resumed.campaigns
    resumed = snapshot.restore(intelligence.State, *snapshot.save(resumed))
    hunted = snapshot.restore(threat_hunter.State, *snapshot.save(hunted))
    again += both(other, 25, resumed, hunted)
    assert snapshot.digest(resumed) == snapshot.digest(state)
    assert snapshot.digest(hunted) == snapshot.digest(hunter)
    assert again == notes


def test_a_phishing_campaign_is_named_as_it_spreads() -> None:
    town = Town(500, "phishing", np.arange(3, 500, 25), contains=True)
    notes = both(town, 140, intelligence.begin(500), threat_hunter.begin(500))
    campaigns = [n.text for n in notes if n.subject == "campaign"]
    assert "phishing" in campaigns[0]
    assert campaigns[0].startswith("campaign 1 is")


def test_all_kinds_of_attacks_have_a_title() -> None:
    assert set(TITLES) == set(KINDS)
