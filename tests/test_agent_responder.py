"""The Incident Responder on the real policies: playbooks from the alert to the end, fallbacks, humans, and bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.agents import incident_responder
from simulator.agents.base import Name, Request, Subject
from simulator.agents.incident_responder_book import Done, Phase
from simulator.agents.incident_responder_steps import UTMOST, helped
from simulator.agents.playbooks import KINDS, OBSERVABLES, Do, shipped
from simulator.consensus.byzantine import Fault
from simulator.snapshot import digest, restore, save
from tests.responding import Ecosystem, ecosystem, sending

CLOSED, ESCALATED = Phase.CLOSED, Phase.ESCALATED


def attacked(
    kind: str, score: float = 0.75, subject: Subject = Subject.BOT, number: int = 3, **evidence: float
) -> Ecosystem:
    """Bot 3 sends bad messages with link 5 by skill 2; after some time, an alarm and an alert."""
    eco = ecosystem(30, harmful=[3])
    eco.harmful[Subject.SKILL] = {2}
    eco.harmful[Subject.LINK] = {5}
    eco.sends = sending([3, 8], skill=2, link=5)
    eco.run(20)
    eco.alarm(3)
    eco.alert(subject, number, kind, score, **evidence)
    return eco


@pytest.mark.parametrize(
    ("observable", "before", "now", "at_most", "good"),
    [
        ("messages", 10.0, 5.0, 0.0, True),
        ("messages", 10.0, 5.1, 0.0, False),
        ("messages", 10.0, 5.9, 0.2, True),
        ("messages", 10.0, 6.1, 0.2, False),
        ("messages", 0.0, 0.0, 0.0, True),
        ("messages", 0.0, 0.1, 1.0, False),
        ("link_complaints", 10.0, 5.1, 0.0, False),
        ("disabled", 0.0, 1.0, 0.0, True),
        ("blocked", 0.0, 0.0, 0.0, False),
        ("threat_level", 2.0, 1.0, 0.0, True),
        ("in_emergency", 1.0, 0.0, 0.0, False),
        ("reputation", -20.0, -21.0, 0.0, True),
        ("reputation", -20.0, -20.0, 0.0, False),
        ("reputation", float(UTMOST), float(UTMOST), 0.0, True),
        ("distrust", 70.0, 60.0, 0.0, True),
        ("distrust", 70.0, 70.0, 0.0, False),
        ("distrust", 70.0, float(UTMOST), 0.0, True),
    ],
)
def test_whether_a_step_has_helped(observable: str, before: float, now: float, at_most: float, good: bool) -> None:
    """After 30 ticks, a half-life, half of a count is left when nothing is added, and the other half is new at most."""
    seen = np.array([OBSERVABLES.index(observable)])
    found = helped(seen, np.array([before]), np.array([now]), np.array([30]), np.array([at_most]))
    assert found.tolist() == [good]


REMEDIES: dict[str, tuple[Any, ...]] = {
    "phishing": (0.9, Subject.BOT, 3, {"link": 5.0, "skill": 2.0}),
    "spam": (0.75, Subject.BOT, 3, {}),
    "exfiltration": (0.9, Subject.BOT, 3, {"skill": 2.0}),
    "sybil": (0.75, Subject.BOT, 3, {}),
    "collusion": (0.9, Subject.BOT, 3, {}),
    "byzantine": (0.75, Subject.BOT, 3, {}),
    "vulnerable_skill": (0.75, Subject.SKILL, 2, {}),
    "anomaly": (0.9, Subject.BOT, 3, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_playbook_from_the_alert_to_the_end(kind: str) -> None:
    score, subject, number, evidence = REMEDIES[kind]
    eco = attacked(kind, score, subject, number, **evidence)
    eco.run(110)
    book = eco.responder.book
    assert eco.phases() == [CLOSED]
    assert book.phase[0] == CLOSED
    assert book.live.size == 0
    # A skill is in the end a human's, for nobody else can enable it again.
    graver = ["escalated", "human"] if kind == "vulnerable_skill" else []
    assert eco.kinds(0) == ["contained", "verified", *graver]
    steps = [Do(int(d)) for d, done in zip(eco.responder.plans.do[book.kind[0]], book.done[0]) if done != Done.LEFT_OUT]
    done = [int(d) for d in book.done[0] if d != Done.LEFT_OUT]
    assert done == [Done.HELPED] * len(steps)
    assert (Do.QUARANTINE in steps) == eco.is_on("quarantined", 3)
    assert (Do.DISABLE_SKILL in steps) == eco.is_on("disabled", 2)
    assert (Do.BLOCK_LINK in steps) == eco.is_on("blocked", 5)
    assert (Do.TIGHTEN in steps) == (int(eco.gateway.read("threat_level")) > 0 or "relaxed" in " ".join(eco.texts()))
    if kind == "vulnerable_skill":
        assert book.target[0].tolist() == [2, 2, -1]
        assert Do.LOWER_REPUTATION in steps
    punished = 2 if kind == "vulnerable_skill" else 3  # the developer of a skill has its number
    assert (Do.LOWER_REPUTATION in steps) == (int(eco.gateway.read("reputation")[punished]) < 100)


def test_what_the_bot_sends_tells_which_link_is_meant() -> None:
    eco = attacked("phishing", 0.6)
    eco.observed.link_complaints[5] = 4.0
    eco.run(3)
    assert eco.responder.book.target[0].tolist() == [3, -1, 5]
    assert eco.is_on("blocked", 5)


def test_the_same_subject_is_one_incident_and_after_it_there_is_a_rest() -> None:
    eco = attacked("sybil", 0.5)
    eco.alert(Subject.BOT, 3, "spam", 0.9)
    eco.run(1)
    eco.alert(Subject.BOT, 3, "sybil", 0.6)
    eco.run(5)
    book = eco.responder.book
    assert (book.count, book.alerts[0], book.phase[0]) == (1, 3, CLOSED)
    eco.alert(Subject.BOT, 3, "sybil", 0.6)
    eco.run(1)
    assert book.count == 1
    assert eco.responder.left_alone == 1
    eco.run(incident_responder.REST)
    eco.alert(Subject.BOT, 3, "sybil", 0.6)
    eco.run(1)
    assert book.count == 2


def test_alerts_about_nobody_or_of_no_kind_are_left_alone() -> None:
    eco = ecosystem()
    eco.alert(Subject.BOT, 10**6, "spam")
    eco.alert(Subject.LINK, -1, "phishing")
    eco.alert(Subject.BOT, 3, "rudeness")
    eco.alert(Subject.BOT, 4, "phishing", link=10.0**6, skill=-7.0)
    eco.run(1)
    assert eco.responder.left_alone == 3
    assert eco.responder.book.count == 1
    assert eco.responder.book.target[0].tolist() == [4, -1, -1]


def test_without_an_alarm_the_quarantine_is_refused_and_a_human_decides() -> None:
    eco = ecosystem(30, harmful=[3])
    eco.alert(Subject.BOT, 3, "byzantine", 0.8)
    eco.run(1)
    assert eco.kinds(0) == ["contained", "fell_back", "escalated"]
    assert eco.phases() == [ESCALATED]
    assert "quarantine was refused" in " ".join(eco.texts())
    # The reputation is lowered by what the playbook says, and at once by the fallback.
    assert int(eco.gateway.read("reputation")[3]) == 100 - 40 - 10
    eco.run(40)
    assert eco.phases() == [CLOSED]
    assert eco.responder.book.verdict[0] == 1
    assert bool(eco.gateway.enforcers[1].state["human_word"][0]) is True


def test_a_step_that_does_not_help_falls_back_and_goes_to_a_human() -> None:
    eco = attacked("vulnerable_skill", 0.75, Subject.SKILL, 2)
    eco.run(1)
    assert eco.is_on("disabled", 2)
    # Somebody goes on using it, wherever that may be.
    for _ in range(8):
        eco.observed.skill_uses[2] += 5
        eco.run(1)
    assert eco.kinds(0)[:3] == ["contained", "fell_back", "escalated"]
    assert "disable_skill did not help" in " ".join(eco.texts())
    eco.run(60)
    assert eco.phases() == [CLOSED]
    assert eco.is_on("disabled", 2)
    # Its fallback was to be more careful everywhere.
    assert any("tightened" in text for text in eco.texts())


def test_the_fallback_of_a_link_that_still_passes_is_an_emergency() -> None:
    eco = attacked("phishing", 0.6, Subject.LINK, 5)
    for _ in range(8):
        eco.observed.link_senders[5] += 5
        eco.run(1)
    assert eco.kinds(0)[:3] == ["contained", "fell_back", "escalated"]
    assert "block_link did not help" in " ".join(eco.texts())
    assert eco.is_on("in_emergency")


@pytest.mark.parametrize("thing", ["quarantine", "lower_reputation", "disable_skill"])
def test_a_fallback_whose_target_is_not_known_is_left_out(thing: str) -> None:
    eco = attacked("phishing", 0.6, Subject.LINK, 5)
    text = shipped().replace('within = 4, otherwise = "emergency"', f'within = 4, otherwise = "{thing}"')
    assert text != shipped()
    eco.responder = incident_responder.begin(30, text)
    before = eco.gateway.read("reputation").tolist()
    for _ in range(8):
        eco.observed.link_senders[5] += 5
        eco.run(1)
    assert eco.kinds(0)[:3] == ["contained", "fell_back", "escalated"]
    assert not eco.gateway.read("quarantined").any()
    assert not eco.gateway.read("disabled").any()
    assert eco.gateway.read("reputation").tolist() == before


def test_a_reputation_that_nobody_lowers_is_noticed() -> None:
    eco = attacked("sybil", 0.5)
    eco.tracks = False
    eco.run(59)
    assert eco.kinds(0) == ["contained"]
    eco.run(2)
    assert eco.kinds(0)[:3] == ["contained", "fell_back", "escalated"]


def test_a_reputation_that_rises_less_than_others_has_fallen() -> None:
    for bot_rises, verified in ((40, True), (60, False)):
        eco = attacked("sybil", 0.5)
        eco.tracks = False
        eco.run(2)
        others = np.delete(np.arange(30), 3)
        tracker = eco.view(Name.TRACKER)
        tracker.ask("score", about=others, change=50)
        for change in (bot_rises // 2, bot_rises // 2):
            tracker.ask("score", about=3, change=change)
        eco.run(8)
        assert ("verified" in eco.kinds(0)) is verified


def test_grave_incidents_are_closed_by_humans_alone() -> None:
    eco = attacked("exfiltration", 0.99)
    eco.run(10)
    assert eco.kinds(0)[:3] == ["contained", "verified", "escalated"]
    eco.run(40)
    assert eco.phases() == [CLOSED]
    assert eco.responder.book.verdict[0] == 1
    assert bool(eco.gateway.enforcers[1].state["human_word"][0]) is True
    # The human has taken the responsibility, which makes room for others.
    assert eco.is_on("by_human", 3)
    assert int(eco.gateway.read("in_quarantine")) == 0


def test_what_is_grave_does_not_wait_for_what_does_not_matter_to_it() -> None:
    eco = attacked("exfiltration", 0.99)
    eco.tracks = False  # so its reputation stays as it is
    eco.run(10)
    assert eco.kinds(0)[:3] == ["contained", "verified", "escalated"]
    eco = attacked("exfiltration", 0.9)
    eco.tracks = False
    eco.run(58)
    assert eco.kinds(0) == ["contained"]
    eco.run(10)
    assert eco.kinds(0) == ["contained", "verified"]


def test_a_false_alarm_is_undone_and_forgiven() -> None:
    eco = attacked("exfiltration", 0.99, skill=2.0)
    for innocent in eco.harmful.values():
        innocent.clear()
    eco.run(5)
    assert eco.is_on("quarantined", 3)
    assert eco.is_on("disabled", 2)
    eco.run(40)
    assert eco.phases() == [CLOSED]
    assert eco.responder.book.verdict[0] == 0
    assert not eco.is_on("quarantined", 3)
    assert not eco.is_on("disabled", 2)
    eco.alert(Subject.BOT, 3, "exfiltration", 0.99)
    eco.run(1)
    assert eco.responder.book.count == 1


def flood(members: int, humans_at_work: bool) -> Ecosystem:
    """Alarms about everybody, all of them false."""
    eco = ecosystem(members)
    if not humans_at_work:
        eco.humans.median = 10.0**9
    everybody = range(members)
    eco.alarm(*everybody)
    for bot in everybody:
        eco.alert(Subject.BOT, bot, "byzantine", 0.8)
    return eco


def test_a_flood_of_false_alarms_stops_at_a_third() -> None:
    eco = flood(90, humans_at_work=False)
    for _ in range(10):
        eco.run(1)
        assert 3 * int(np.count_nonzero(eco.gateway.read("quarantined"))) <= 90 + 1  # the auditor counts as a member
    assert int(np.count_nonzero(eco.gateway.read("quarantined"))) == 30
    assert eco.phases().count(ESCALATED) == 60
    assert "emergency" in eco.kinds()
    assert eco.is_on("in_emergency")


def test_humans_undo_a_flood_of_false_alarms() -> None:
    eco = flood(90, humans_at_work=True)
    most = 0
    for _ in range(150):
        eco.run(1)
        most = max(most, int(np.count_nonzero(eco.gateway.read("quarantined"))))
    assert most == 30
    assert not eco.gateway.read("quarantined").any()
    assert set(eco.phases()) == {CLOSED}
    assert eco.responder.book.live.size == 0
    assert not eco.is_on("in_emergency")
    assert "recovered" in eco.kinds()


def test_real_attackers_get_their_room_by_the_word_of_humans() -> None:
    eco = ecosystem(30, harmful=range(20))
    eco.alarm(*range(20))
    for bot in range(20):
        eco.alert(Subject.BOT, bot, "byzantine", 0.8)
    eco.run(1)
    assert int(np.count_nonzero(eco.gateway.read("quarantined"))) == 10
    eco.run(120)
    assert np.flatnonzero(eco.gateway.read("quarantined")).tolist() == list(range(20))
    assert int(eco.gateway.read("in_quarantine")) <= 10
    assert eco.responder.orders == {}


def test_a_suspended_responder_does_nothing_and_humans_see_it() -> None:
    eco = attacked("byzantine", 0.8)
    eco.gateway.ask("suspend", principal=int(eco.humans.operators[0]), agent=eco.view(Name.RESPONDER).me)
    eco.run(1)
    assert not eco.is_on("quarantined", 3)
    assert eco.phases() == [ESCALATED]


def many(eco: Ecosystem) -> Ecosystem:
    """Alarms about 30 of 120 bots, the last of them the worst."""
    eco.alarm(*range(30))
    for bot in range(30):
        eco.alert(Subject.BOT, bot, "byzantine", 0.7 + bot / 1000)
    return eco


def in_quarantine(eco: Ecosystem) -> list[int]:
    found: list[int] = np.flatnonzero(eco.gateway.read("quarantined")).tolist()
    return found


def test_many_quarantines_at_once_need_the_committee() -> None:
    eco = many(ecosystem(120, harmful=range(30)))
    eco.run(1)
    assert in_quarantine(eco) == list(range(14, 30))
    assert eco.phases() == [Phase.OPEN] * 14 + [Phase.CONTAINED] * 16
    assert eco.coordination.decisions == 1
    eco.run(2)
    assert in_quarantine(eco) == list(range(30))
    assert eco.phases() == [Phase.CONTAINED] * 30
    eco.run(10)
    assert not np.isin(eco.responder.book.done, [Done.FAILED, Done.REFUSED]).any()
    assert eco.responder.orders == {}


def test_without_the_committee_humans_decide_about_many_quarantines() -> None:
    eco = many(ecosystem(120, harmful=range(30), traitors={0: Fault.SILENT, 1: Fault.SILENT}))
    eco.humans.median = 10.0**9
    eco.run(20)
    assert in_quarantine(eco) == list(range(14, 30))
    assert eco.phases()[:14] == [Phase.OPEN] * 14
    eco.run(1)
    assert eco.phases()[:14] == [ESCALATED] * 14
    assert in_quarantine(eco) == list(range(14, 30))


def test_the_policy_grows_with_the_incidents() -> None:
    eco = ecosystem(60)
    for bot in range(60):
        eco.alert(Subject.BOT, bot, "sybil", 0.5)
    eco.run(1)
    assert len(eco.gateway.enforcers[1].state["phase"]) >= 60
    assert eco.phases() == [Phase.CONTAINED] * 60


def test_moves_of_a_kind_are_one_column() -> None:
    eco = ecosystem(60)
    eco.alarm(*range(10))
    for bot in range(60):
        eco.alert(Subject.BOT, bot, "byzantine", 0.8)
    eco.begin_tick()
    incident_responder.tick(eco.responder, eco.view(Name.RESPONDER))
    asked = [a.action for a in eco.gateway.asked]
    assert asked == ["report", "quarantine", "contain", "verify", "escalate"]
    assert eco.gateway.asked[1].size == 16  # the others wait for the committee


def test_half_way_a_snapshot_goes_on_alike() -> None:
    def make() -> Ecosystem:
        eco = flood(45, humans_at_work=True)
        eco.sends = sending(range(10), skill=2, link=5)
        eco.run(7)
        return eco

    one, other = make(), make()
    for name in ("responder", "coordination", "enforcer", "humans"):
        state = getattr(other, name)
        found = restore(type(state), *save(state))
        assert digest(found) == digest(state)
        setattr(other, name, found)
    one.run(40)
    other.run(40)
    for name in ("responder", "coordination", "enforcer", "humans"):
        assert digest(getattr(one, name)) == digest(getattr(other, name)), name
    assert one.happenings == other.happenings


def test_another_playbook_is_followed() -> None:
    text = shipped().replace(
        '[spam]\nabout = "more messages than anybody wants"\nsteps = [', '[spam]\nsteps = [\n  { do = "human" },'
    )
    assert text != shipped()
    eco = attacked("spam", 0.1)
    eco.responder = incident_responder.begin(30, text)
    eco.run(70)
    assert eco.kinds(0)[:3] == ["contained", "verified", "escalated"]
    assert eco.responder.book.grave[0]


def test_unknown_words_are_no_orders() -> None:
    eco = ecosystem(30, tracks=False)
    eco.alert(Subject.BOT, 3, "sybil", 0.5)
    eco.run(1)
    for what, number in (("decided", 7), ("decided", -1), ("quarantine", 10**6), ("dance", 1)):
        eco.view(Name.HUNTER).tell(Name.RESPONDER, Request(what, number=number))
    # Not even this one: the policy knows of no human's decision.
    eco.view(Name.HUNTER).tell(Name.RESPONDER, Request("decided", number=0, level=1))
    eco.begin_tick()
    incident_responder.tick(eco.responder, eco.view(Name.RESPONDER))
    assert eco.responder.book.phase[0] == eco.phases()[0] == Phase.CONTAINED
    assert eco.responder.book.verdict[0] == -1
    eco.end_tick()
    eco.run(5)
    assert eco.responder.orders == {}
    assert not eco.gateway.read("quarantined").any()
