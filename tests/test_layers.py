"""The layers of the twin: proposals, delegation, the first committee, signals, amendments; and what hindsight says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policydsl.to_words import words
from simulator.agents.base import Happening, Name
from simulator.engine import Engine, begin
from simulator.governing import Layers, govern
from simulator.hindsight import Ledger, area, of_happenings
from simulator.layers import meta, protocol, swarm
from simulator.layers.meta import Figures, Meta, consider, is_over
from simulator.layers.meta_figures import HIGHEST, LOWEST, TOO_MANY, UNTRUSTED, figures
from simulator.network import HIGH, LOW, Network
from simulator.random_streams import Draw
from simulator.recovery import repair
from simulator.surroundings import Surroundings, look
from simulator.world import NOBODY, Kind
from tests.twins import course, small


def around(engine: Engine) -> Surroundings:
    engine.gateway.begin(engine.tick * engine.scenario.tick_ms)
    return look(engine.scenario, engine.state.world, engine.gateway, engine.tick, engine._draw)


def ran(ticks: int, *settings: str) -> Engine:
    scenario = small("normal_operation", *settings)
    engine = begin(scenario, scenario.seed)
    for _ in range(ticks):
        engine.step()
    return engine


def test_every_proposal_takes_the_way_of_the_lifecycle() -> None:
    run = course("normal_operation", "proposal_rate=0.5")
    gateway, box = run.engine.gateway, run.engine.state.layers.community
    stage = gateway.read("stage")[: len(run.engine.state.world.proposals.proposer)]
    names = next(v.type for v in gateway.enforcers[0].system.state if v.name == "stage").cases  # type: ignore[union-attr]
    found = {names[s] for s in np.unique(stage).tolist()}
    assert {"VotingOpen", "Settled"} <= found
    assert "Unwritten" not in found
    # What the community thinks of each is what the policy says.
    assert {names[s] for s in stage[box.voting].tolist()} == {"VotingOpen"}
    assert {names[s] for s in stage[box.waiting].tolist()} <= {"Approved"}
    assert {names[s] for s in stage[box.watched].tolist()} <= {"Monitoring"}
    everywhere = [*box.voting, *box.waiting, *box.watched]
    assert len(set(everywhere)) == len(everywhere)


def test_decisions_are_later_than_the_vote_and_the_timelock() -> None:
    run = course("normal_operation", "proposal_rate=0.5")
    decided = [d for t in run.ticks for d in t.decided]
    assert len(decided) > 10
    params = run.engine.gateway.params
    least = int(params["VOTING_PERIOD"]) + int(params["TIMELOCK"])
    assert all(executed - submitted >= least for _, submitted, executed in decided)
    assert len({number for number, *_ in decided}) == len(decided)


def test_delegated_votes_are_counted_once_and_can_be_taken_back() -> None:
    run = course("normal_operation", "community.delegation=0.5", "proposal_rate=0.5")
    tallies = run.engine.gateway.tallies
    assert tallies["vote_for"][0] > 100
    assert tallies["revoke"][0] > 0
    assert tallies["delegate"][0] > 100
    counted = run.engine.gateway.read("counted")
    assert counted.max() == 1
    # Who has a representative does not vote in person.
    chosen = run.engine.gateway.read("representative.value")[:300]
    assert (run.engine.state.world.bots.favourite[chosen != NOBODY] == chosen[chosen != NOBODY]).all()


@pytest.mark.parametrize("traitors", [0, 1, 2])
def test_the_first_committee_bears_a_third(traitors: int) -> None:
    members = list(range(7))
    byzantine = np.arange(7) < traitors
    found = protocol.agree(members, Network(LOW), Draw(1, 0, 0, "x"), ["execute 1", "set QUORUM 5"], byzantine, 4000)
    assert found.violations == 0
    assert found.took is not None
    assert found.took > 0


def test_a_committee_of_traitors_decides_nothing_good() -> None:
    found = protocol.agree(list(range(4)), Network(HIGH), Draw(1, 0, 0, "x"), ["execute 1"], np.ones(4, np.bool_), 0)
    assert found.took is None
    assert protocol.agree([], Network(LOW), Draw(1, 0, 0, "x"), ["a"], np.ones(0, np.bool_), 0).took is None


def test_whoever_has_no_reputation_is_not_elected() -> None:
    reputation = np.array([0, 5, 5, 5, 5, 0, 5, 5, 5])
    chosen = protocol.elected(Draw(1, 0, 0, "x"), np.arange(9), reputation, 2)
    assert sorted(chosen) == [1, 2, 3, 4, 6, 7, 8]
    fewer = protocol.elected(Draw(1, 0, 0, "x"), np.arange(5), np.array([1, 1, 1, 1, 0]), 2)
    assert sorted(fewer) == [0, 1, 2, 3]
    assert protocol.elected(Draw(1, 0, 0, "x"), np.arange(3), np.ones(3, np.int64), 1) == []


def test_without_coordination_the_first_committee_decides() -> None:
    run = course("normal_operation", "agents=[]", "proposal_rate=0.5")
    found = run.engine.state.layers.protocol
    assert len(found.committee) == run.engine.scenario.committee
    assert run.total("executed") > 0
    assert run.total("consensus_decisions") > 0
    assert run.total("consensus_ms") > 0


def test_bots_go_where_the_work_is() -> None:
    """With signals nearly everything is served, without them nothing."""
    loud = course("normal_operation", "malicious=0.0")
    mute = course("normal_operation", "malicious=0.0", "activity.signal=0.0")
    assert loud.total("demand") > 100
    assert loud.total("demand_served") > 0.8 * loud.total("demand")
    assert mute.total("demand_served") == 0


def test_signals_are_bounded_and_evaporate() -> None:
    engine = ran(5)
    here = around(engine)
    found = engine.state.world.swarm
    channel = np.zeros(10_000, np.int64)
    swarm.deposit(found, here, channel, np.full(10_000, 100))
    assert found.strength[0] == 100
    for _ in range(200):
        swarm.respond(found, here, np.ones(300), np.zeros(300, np.bool_))
    assert not found.strength.any()


def test_agents_signals_are_heard_and_those_of_bots_counted_once() -> None:
    engine = ran(5)
    here, gateway, found = around(engine), engine.gateway, engine.state.world.swarm
    found.strength[:] = 0
    gateway.begin(gateway.now + 1000)
    coordinator = engine.who.agent(Name.COORDINATION)
    gateway.ask("signal", principal=np.array([0, 1]), channel=np.array([0, 1]), strength=np.array([30, 30]))
    gateway.ask("signal", principal=np.array([coordinator, coordinator - 1]), channel=2, strength=np.array([40, 50]))
    swarm.listen(found, gateway, replace(here, alertness=0), engine.scenario.bots)
    # No other agent is let: the gateway denied it.
    assert found.strength.tolist() == [0, 0, 40, 0]


def test_no_more_is_served_than_is_asked_for() -> None:
    engine = ran(5)
    here, found = around(engine), engine.state.world.swarm
    found.demand[:] = [3, 0, 0, 5]
    found.strength[:] = [100, 0, 0, 100]
    work = swarm.respond(found, here, np.ones(300), np.ones(300, np.bool_))
    assert (work.demand, work.served) == (8, 8)
    found.strength[:] = [0, 100, 0, 0]
    assert swarm.respond(found, here, np.ones(300), np.ones(300, np.bool_)).served == 0


def test_urgency_makes_signals_stronger() -> None:
    engine = ran(5)
    here, found = around(engine), engine.state.world.swarm
    one = np.zeros(1, np.int64)
    swarm.deposit(found, replace(here, alertness=0), one, np.array([20]))
    calm = found.strength[0]
    swarm.deposit(found, replace(here, alertness=3), one + 1, np.array([20]))
    assert (calm, found.strength[1]) == (20, 40)


RANGES = {"QUORUM": (1, 1_000)}


@pytest.mark.parametrize(
    ("seen", "quorum", "expected"),
    [
        ((10, 0, 2, 4), 400, 800),  # four of six executed proposals did harm: more have to agree
        ((10, 0, 2, 4), 700, 1_000),  # but never beyond what is proved
        ((10, 0, 2, 4), 1_000, None),
        ((0, 10, 0, 0), 400, 200),  # nothing passes
        ((0, 10, 0, 0), 1, None),
        ((10, 0, 6, 0), 400, None),  # all is well
        ((0, 3, 0, 0), 400, None),  # too little to tell
    ],
)
def test_what_the_meta_layer_proposes(seen: tuple[int, int, int, int], quorum: int, expected: int | None) -> None:
    found = Meta()
    assert not is_over(found, meta.WINDOW - 1)
    assert is_over(found, meta.WINDOW)
    amendment = consider(found, meta.WINDOW, Figures(*seen), {"QUORUM": quorum}, RANGES)
    assert (amendment.value if amendment else None) == expected
    assert not is_over(found, 2 * meta.WINDOW - 1)


ALL = {"QUORUM": (1, 1_000), "SEND_LIMIT": (4, 1_000), "DECAY": (0, 100), "MIN_TRUST": (1, 100)}
NOW = {"QUORUM": 300, "SEND_LIMIT": 60, "DECAY": 1, "MIN_TRUST": 98}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Figures(), None),
        (Figures(limited=0.3), ("SEND_LIMIT", 120)),
        (Figures(complaints=0.06, sent=3), ("SEND_LIMIT", 30)),
        (Figures(complaints=0.06, sent=4), None),  # most members would not be left enough
        (Figures(highest=0.3), ("DECAY", 3)),
        (Figures(lowest=0.3), ("DECAY", 0)),
        (Figures(skill_complaints=0.06), ("MIN_TRUST", 100)),  # and not 103, which nobody has proved
        (Figures(untrusted=0.3), ("MIN_TRUST", 93)),
        (Figures(untrusted=0.3, skill_complaints=0.02), None),
    ],
)
def test_what_else_it_proposes(seen: Figures, expected: tuple[str, int] | None) -> None:
    amendment = consider(Meta(), meta.WINDOW, seen, NOW, ALL)
    assert ((amendment.parameter, amendment.value) if amendment else None) == expected
    assert amendment is None or amendment.why
    # What the policy declares no range for is left alone.
    assert consider(Meta(), meta.WINDOW, seen, NOW, {"TIMELOCK": (1, 9)}) is None


def test_of_several_it_proposes_one_after_the_other() -> None:
    found, seen = Meta(), Figures(good=2, bad=4, limited=0.3, highest=0.3, skill_complaints=0.06)
    proposed = [consider(found, i * meta.WINDOW, seen, NOW, ALL) for i in range(1, 6)]
    assert [a.parameter for a in proposed if a] == ["QUORUM", "SEND_LIMIT", "DECAY", "MIN_TRUST", "QUORUM"]
    other = consider(Meta(), meta.WINDOW, seen, NOW, ALL, pending={"QUORUM"})
    assert other is not None
    assert other.parameter == "SEND_LIMIT"


def test_what_it_watches() -> None:
    """Requests, what is seen of bots and skills, and what people say; and the same numbers that the policy has."""
    engine = ran(40, "SEND_LIMIT=4", "activity.act=1.0", "malicious=0.0")
    meta_state = engine.state.layers.meta
    assert np.count_nonzero(meta_state.limited) > 100
    assert meta_state.used > 1000
    assert meta_state.untrusted == 0
    found = figures(meta_state, engine.state.world.observed, engine.gateway, 300)
    assert found.limited == np.count_nonzero(meta_state.limited) / 300 > 0.3
    assert 1 <= found.sent <= 4
    assert (found.highest, found.lowest) == (0.0, 0.0)
    system = engine.gateway.enforcers[0].system
    (bounded,) = [p for p in system.properties if p.name == "bounded_reputation"]
    assert words(bounded.expr).endswith(f"{LOWEST} <= reputation[b] and reputation[b] <= {HIGHEST:_}")
    assert engine.gateway.guard("send", TOO_MANY) >= 0
    assert engine.gateway.guard("use_skill", UNTRUSTED) >= 0
    assert engine.gateway.guard("send", "no such reason") == -2


def test_a_limit_that_is_too_tight_is_raised_when_all_agree() -> None:
    engine = ran(20, "SEND_LIMIT=4", "activity.act=1.0", "malicious=0.0", "community.accuracy=0.95")
    engine.state.layers.meta.since = 25 - meta.WINDOW
    ticks = [engine.step() for _ in range(120)]
    told = [h.text for t in ticks for h in t.happenings if h.kind == "amendment"]
    assert told[0].startswith("proposes SEND_LIMIT = 8: ")
    assert told[1] == "SEND_LIMIT is 8 from now on"
    assert engine.gateway.parameter("SEND_LIMIT") == 8
    assert engine.gateway.read("sent").max() > 4


def test_an_amendment_comes_into_force_when_all_agree() -> None:
    """The community by its vote, and the committee."""
    engine = ran(20, "malicious=0.0", "QUORUM=400", "community.accuracy=0.95")
    layers = engine.state.layers
    layers.meta.since, layers.meta.bad = -meta.WINDOW, 10
    ticks = [engine.step() for _ in range(40)]
    assert list(layers.amendments.values()) == [("QUORUM", 800)]
    (number,) = layers.amendments
    assert engine.gateway.read("payload.value")[number] == 1
    assert engine.gateway.parameter("QUORUM") == 400
    ticks += [engine.step() for _ in range(80)]
    assert not layers.amendments
    assert engine.gateway.parameter("QUORUM") == 800
    assert sum(t.measures["amendments"] for t in ticks) == 1
    told = [h.text for t in ticks for h in t.happenings if h.kind == "amendment"]
    assert told == [
        "proposes QUORUM = 800: 10 of 10 proposals that were executed did harm: more have to agree",
        "QUORUM is 800 from now on",
    ]


def test_an_amendment_that_the_community_turns_down_does_not() -> None:
    engine = ran(20, "malicious=0.0", "QUORUM=400", "community.accuracy=0.1")
    layers = engine.state.layers
    layers.meta.since, layers.meta.bad = -meta.WINDOW, 10
    for _ in range(120):
        engine.step()
    assert engine.gateway.parameter("QUORUM") == 400


def test_nothing_is_executed_that_nobody_asked_for() -> None:
    engine = ran(30, "agents=[]")
    here, layers = around(engine), Layers()
    layers.protocol.waiting = ["execute 999999", "set QUORUM 5"]  # the second is no request at all
    engine.gateway.grow("Proposal", 1_000_064)
    none = np.full(1_000_000, -1, np.int64)
    proposals = engine.state.world.proposals
    for name in ("ready", "executed", "submitted"):
        kept = getattr(proposals, name)
        setattr(proposals, name, np.concatenate([kept, none]))
    proposals.good = np.concatenate([proposals.good, none < 0])
    args = engine.scenario, layers, engine.state.world, engine.gateway, engine.network
    honest = np.zeros(300, np.bool_)
    decided = govern(*args, replace(here, tick=40), Ledger(), engine.who.reviewer, None, honest)
    assert decided.executed == ()
    assert decided.amendments == ()


def test_owners_repair_what_humans_have_confirmed() -> None:
    engine = ran(5)
    gateway, world = engine.gateway, engine.state.world
    world.bots.taken_over[[3, 4]] = True
    world.bots.kind[[3, 4]] = Kind.HONEST
    hunter, responder, human = 300 + 1, 300 + 2, engine.who.reviewer
    here = around(engine)
    assert not len(repair(world, gateway, here, human))
    for bot in (3, 4):
        assert gateway.may("raise_alarm", principal=hunter, suspect=bot)
        assert gateway.may("quarantine", principal=responder, suspect=bot)
    assert gateway.may("confirm", principal=human, suspect=3)
    repaired = {
        b
        for n in range(2_000)
        for b in repair(world, gateway, replace(here, draw=lambda s, n=n: Draw(n, 0, 0, s)), human)
    }
    assert repaired == {3}
    assert gateway.read("quarantined")[[3, 4]].tolist() == [False, True]
    assert world.bots.taken_over[[3, 4]].tolist() == [False, True]


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=40))
def test_area_is_the_share_of_pairs_in_the_right_order(scored: list[tuple[int, bool]]) -> None:
    score, bad = np.array([s for s, _ in scored]), np.array([b for _, b in scored])
    pairs = [(g > b) + (g == b) / 2 for g in score[~bad] for b in score[bad]]
    found = area(score, bad)
    assert np.isnan(found) if not pairs else found == pytest.approx(sum(pairs) / len(pairs))


def test_false_alarms_are_those_about_the_harmless() -> None:
    engine = ran(2, "malicious=0.1")
    bad = int(np.flatnonzero(engine.state.world.malicious)[0])
    good = int(np.flatnonzero(~engine.state.world.malicious)[0])
    link = engine.state.world.links.benign

    def alarm(subject: str, number: int, kind: str = "alarm") -> Happening:
        return Happening(1, 1000, "x", kind, "", -1, subject, number)

    told = [
        alarm("bot", bad),
        alarm("bot", good),
        alarm("link", link, "detected"),
        alarm("link", link - 1, "detected"),
        alarm("campaign", 3, "detected"),
        alarm("bot", good, "policy"),
    ]
    ledger = Ledger()
    of_happenings(ledger, engine.state.world, told, engine.gateway)
    assert (ledger.counts["alarms"], ledger.counts["alarms_false"]) == (4, 2)
