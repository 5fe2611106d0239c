"""The humans: late, sometimes wrong, the gravest first, and the only ones who know what really happened."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import humans
from simulator.agents.base import Name, Request, Subject
from simulator.agents.incident_responder_book import Phase
from simulator.snapshot import digest, restore, save
from tests.responding import Ecosystem, ecosystem


def escalated(
    bots: range, harmful: range, *, median: float = 3000.0, sigma: float = 0.5, error: float = 0.0, batch: int = 25
) -> Ecosystem:
    """Incidents about bots whose quarantine was refused, for there was no alarm."""
    eco = ecosystem(60, harmful=harmful)
    eco.humans = humans.begin(eco.humans.operators, median=median, sigma=sigma, error=error, batch=batch)
    for bot in bots:
        eco.alert(Subject.BOT, bot, "byzantine", 0.8)
    return eco


def verdicts(eco: Ecosystem) -> list[int]:
    book = eco.responder.book
    found: list[int] = book.verdict[: book.count].tolist()
    return found


def test_decisions_take_their_time() -> None:
    eco = escalated(range(5), range(5), median=10_000.0, sigma=0.0, batch=1)
    eco.run(10)
    assert verdicts(eco) == [-1] * 5
    # Three operators have looked at one each, and then at what is left.
    eco.run(2)
    assert verdicts(eco).count(1) == 3
    eco.run(10)
    assert verdicts(eco) == [1] * 5


def test_like_cases_are_looked_at_together() -> None:
    eco = escalated(range(40), range(20), median=5000.0, sigma=0.0, batch=40)
    eco.run(30)
    assert verdicts(eco) == [1] * 20 + [0] * 20
    assert eco.humans.decided == 40


def test_humans_err_at_their_rate() -> None:
    eco = escalated(range(60), range(60), error=0.25)
    eco.run(120)
    wrong = verdicts(eco).count(0)
    assert 6 <= wrong <= 26
    assert eco.humans.wrong >= wrong
    eco = escalated(range(10), range(5), error=1.0)
    eco.run(60)
    assert verdicts(eco) == [0] * 5 + [1] * 5


def test_the_gravest_are_first() -> None:
    eco = escalated(range(10), range(10), batch=1, sigma=0.0, median=5000.0)
    eco.humans = humans.begin(eco.humans.operators[:1], batch=1, sigma=0.0, median=5000.0, error=0.0)
    eco.alarm(20)
    eco.alert(Subject.BOT, 20, "exfiltration", 0.99)
    eco.run(6)
    # The one that was there first was taken up; then comes the grave one, which had to be checked before.
    assert eco.responder.book.phase[10] == Phase.ESCALATED
    eco.run(6)
    assert eco.responder.book.phase[10] == Phase.CLOSED
    assert verdicts(eco)[:10].count(-1) >= 8


def test_a_taken_over_agent_is_suspended() -> None:
    eco = ecosystem(30)
    hunter = eco.view(Name.HUNTER).me
    eco.harmful[Subject.BOT] = {hunter}
    eco.alert(Subject.BOT, hunter, "byzantine", 0.8)
    eco.run(30)
    assert eco.is_on("suspended", hunter)
    assert not eco.view(Name.HUNTER).ask("raise_alarm", suspect=1).allowed.any()


def test_a_lockdown_comes_before_all_incidents() -> None:
    eco = escalated(range(40), range(40), batch=1, median=5000.0, sigma=0.0)
    eco.valid = False
    eco.run(13)
    assert not eco.is_on("lockdown")
    assert verdicts(eco).count(-1) > 30


def test_quarantines_without_incidents_are_reviewed() -> None:
    eco = ecosystem(30, harmful=[1, 2])
    eco.alarm(1, 2, 3, 4)
    eco.view(Name.RESPONDER).ask("quarantine", suspect=np.arange(1, 5))
    eco.run(30)
    assert np.flatnonzero(eco.gateway.read("quarantined")).tolist() == [1, 2]
    assert int(eco.gateway.read("in_quarantine")) == 0


def test_with_no_responder_humans_still_review() -> None:
    eco = ecosystem(30, harmful=[1])
    eco.alarm(1, 2)
    eco.view(Name.RESPONDER).ask("quarantine", suspect=np.array([1, 2]))
    for _ in range(20):
        eco.begin_tick()
        humans.tick(eco.humans, eco.view(Name.AUDITOR), None, eco.truth, eco.repair)
        eco.end_tick()
    assert np.flatnonzero(eco.gateway.read("quarantined")).tolist() == [1]


def test_what_is_urgent_is_taken_up_once() -> None:
    eco = ecosystem(30)
    for _ in range(5):
        humans.tell_humans(eco.view(Name.COORDINATION), Request("emergency"))
        humans.tell_humans(eco.view(Name.COORDINATION), Request("dance"))
        eco.run(1)
    jobs = [j.what for j in eco.humans.jobs] + eco.humans.urgent
    assert jobs == ["emergency"] or eco.is_on("in_emergency")
    eco.run(20)
    assert eco.texts().count("a human declares an emergency") == 1


def test_a_snapshot_goes_on_alike() -> None:
    one, other = (escalated(range(40), range(20), sigma=1.0, error=0.2, batch=3) for _ in range(2))
    one.run(10)
    other.run(10)
    assert one.humans.jobs
    other.humans = restore(humans.State, *save(other.humans))
    one.run(60)
    other.run(60)
    assert digest(one.humans) == digest(other.humans)
    assert one.happenings == other.happenings


@pytest.mark.parametrize("bad", [{"median": -1.0}, {"sigma": 6.0}, {"error": 1.5}, {"batch": 0}])
def test_numbers_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="there is an operator"):
        humans.begin([1], **bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there is an operator"):
        humans.begin([])


def test_the_least_certain_quarantines_are_reviewed_first() -> None:
    eco = ecosystem(60)
    eco.humans = humans.begin(eco.humans.operators[:1], median=1000.0, sigma=0.0, error=0.0, batch=1)
    eco.alarm(*range(5))
    for bot, score in enumerate((0.9, 0.8, 0.72, 0.85, 0.7)):
        eco.alert(Subject.BOT, bot, "byzantine", score)
    freed: list[int] = []
    before = np.zeros(5, dtype=np.bool_)
    for _ in range(90):
        eco.run(1)
        now = eco.gateway.read("quarantined")[:5].copy()
        freed += np.flatnonzero(before & ~now).tolist()
        before = now
    assert freed == [4, 2, 1, 3, 0]
