"""Everything at once: what the twin decides is decided alike on a chain, and what was seen is told as it was."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from chains import on_chain

from policyctl.chain.anchors import compare
from policyctl.chain.talk import Chain
from policyctl.integration import mirror as mirrors
from policyctl.integration.mirror import DEFEATED, EXECUTED, Decision, Mirror, Mirrored
from policyctl.integration.plan import INCIDENT, METRICS, NORMAL, plan
from policyctl.integration.run import deployed
from policyctl.main import main
from runtime.merkle import leaf_hash
from simulator import record
from simulator.engine import Engine, begin
from simulator.metrics import BY_NAME
from simulator.scenario import with_settings

SMALL = (
    "bots=60", "ticks=60", "proposal_rate=0.15", "committee_faults=1", "VOTING_PERIOD=8s", "TIMELOCK=4s", "QUORUM=100",
    "attack_begins=100", "skills.new_per_tick=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def chain() -> Chain:
    return on_chain()


@pytest.fixture(scope="module")
def engine() -> Engine:
    """A short run, with proposals that were executed and judged, and some that were defeated."""
    scenario = with_settings(plan(fast=True).scenario, SMALL)
    found = begin(scenario, scenario.seed)
    while found.tick < scenario.ticks:
        found.step()
    outcomes = {d.outcome for d in mirrors.decided(found)}
    assert outcomes == {EXECUTED, DEFEATED}
    return found


@pytest.fixture
def mirror(chain: Chain) -> Mirror:
    small = plan(fast=True)
    return deployed(chain, "here", small)


def test_the_chain_decides_as_the_twin_did(mirror: Mirror, engine: Engine) -> None:
    decided = mirrors.decided(engine)
    mirror.follow(engine)
    assert [m.decision for m in mirror.mirrored] == decided
    assert all(m.is_alike for m in mirror.mirrored)
    contract = mirror.governance.contract
    for m in mirror.mirrored:
        stage = mirror.governance.stage(m.number)
        judged = m.decision.proposal not in mirror.unjudged
        if m.outcome == DEFEATED:
            assert stage == "Archived"
        else:
            assert stage == ("Settled" if judged else "Monitoring")
            assert contract.read("worked", m.number) == (
                judged and bool(engine.gateway.read("worked")[m.decision.proposal])
            )
        assert f"yes {m.decision.yes}, no {m.decision.no}" in mirror.governance.proposal(m.number).text
    before = mirror.transactions
    mirror.follow(engine)
    assert mirror.transactions == before, "nothing new, nothing sent"


def test_traitors_vote_against_and_are_outvoted(
    mirror: Mirror, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "_traitors", lambda _engine, _count: frozenset({2}))
    decided = mirrors.decided(engine)[:2]
    monkeypatch.setattr(mirrors, "decided", lambda _engine: decided)
    mirror.follow(engine)
    assert len(mirror.mirrored) == 2
    for m in mirror.mirrored:
        won, lost = (m.yes, m.no) if m.outcome == EXECUTED else (m.no, m.yes)
        assert won > lost > 0
        assert m.is_alike
    worth = {name: mirror.governance.reputation(name) for name in mirror.seats}
    assert worth["seat-3"] < min(w for name, w in worth.items() if name != "seat-3"), "who votes wrongly loses"


def test_seats_that_lost_their_good_name_go_on_deciding(
    mirror: Mirror, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seat in mirror.seats:
        mirror.governance.act("report_conduct", (seat, "bad"), mirrors.REVIEWER)
    decided = mirrors.decided(engine)[:1]
    monkeypatch.setattr(mirrors, "decided", lambda _engine: decided)
    mirror.follow(engine)
    assert [m.is_alike for m in mirror.mirrored] == [True]
    assert mirror.mirrored[0].yes + mirror.mirrored[0].no == 200


def test_a_chain_that_decides_otherwise_is_not_alike() -> None:
    decision = Decision(3, 17, EXECUTED, 500, 20)
    assert Mirrored(decision, 0, EXECUTED, 300, 100, 9).is_alike
    assert not Mirrored(decision, 0, DEFEATED, 100, 300, 9).is_alike


def test_the_log_of_the_twin_is_anchored(mirror: Mirror, engine: Engine) -> None:
    log = mirrors.leaves(engine)
    mirror.anchor(log[:20])
    mirror.anchor(log[:20])
    mirror.anchor(log)
    found = mirror.check(log)
    assert found.is_whole
    assert [a.size for a in found.anchors] == [20, len(log)]
    assert bytes.fromhex(engine.state.log.root) == found.anchors[-1].root
    for tick in (1, 19, 20, len(log) - 1):
        forged = [*log[:tick], leaf_hash(b"nothing happened"), *log[tick + 1 :]]
        changed = compare(found.anchors, forged).changed
        assert changed is not None
        assert changed.size == (20 if tick < 20 else len(log))


def test_no_skill_is_malicious_before_it_is_time() -> None:
    settings = (*SMALL, "ticks=20", "skills.new_per_tick=2", "skills.malicious=1.0", "skills.malicious_begins=10")
    scenario = with_settings(plan(fast=True).scenario, settings)
    found = begin(scenario, scenario.seed)
    while found.tick < scenario.ticks:
        found.step()
    skills = found.state.world.skills
    new = skills.submitted >= 0
    assert np.array_equal(skills.harmful[new], skills.submitted[new] >= 10)
    assert new.sum() > 30


def test_both_versions_have_the_same_phases() -> None:
    for fast in (False, True):
        found = plan(fast)
        assert [p.name for p in found.phases] == [NORMAL, INCIDENT]
        assert found.scenario.bots == 1000
        assert len(found.scenario.agents) == 7
        assert found.phases[1].begins == found.scenario.attack_begins == found.scenario.skills.malicious_begins
        assert {n for _, names in METRICS for n in names} <= set(BY_NAME)
    assert len(METRICS) == 5
    assert plan(True).scenario.ticks < plan(False).scenario.ticks


def test_its_options_are_for_it_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "skill", "--fast"]) == 2
    assert "are for `integration`" in capsys.readouterr().err


@pytest.mark.slow
def test_the_whole_demonstration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on_chain()
    folder = tmp_path / "run"
    code = main(["demo", "integration", "--fast", "--in-process", "--out", str(folder), "--jobs", "2"])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "✗" not in said
    for phase in ("normal operation", "security incident", "governance optimisation"):
        assert phase in said
    alike = re.search(r"(\d+) of (\d+) proposals that the twin decided were decided alike by the contract", said)
    assert alike is not None
    assert alike[1] == alike[2]
    assert int(alike[1]) >= 10
    assert "an EVM in this process" in said
    assert re.search(r"with tick 120 written anew, it no longer fits the root in block \d+", said)

    found = record.read(folder)
    assert found.header.done == len(found.columns["messages"])
    assert all(np.isfinite(found.metrics[n]) for _, names in METRICS for n in names)
    change = found.header.changes[0]
    assert change.parameters == {"VOTING_PERIOD": 10_000, "TIMELOCK": 5_000}

    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 11
    assert "Five figures" in page
    assert "<script" not in page
    evidence = list((folder / "meta" / "evidence").glob("*.json"))
    assert len(evidence) == 1
    assert evidence[0].stem in page
    assert json.loads(evidence[0].read_text(encoding="utf-8"))["amendment"] == change.parameters
    assert main(["log", "verify", str(folder / "meta" / "governance.db")]) == 0
    assert main(["demo", "integration", "--fast", "--in-process", "--out", str(folder)]) == 2, "nothing is overwritten"
