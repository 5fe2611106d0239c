"""Meta-governance as a closed loop in a run of the twin."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from policyctl.main import main
from policyctl.reprove import Reprove
from runtime.bundle import read
from simulator import meta_loop
from simulator.engine import Engine, begin
from simulator.executor import Here
from simulator.meta_books import relations
from simulator.meta_proof import Broken, Proof
from simulator.meta_trial import Rehearsal, Trial
from simulator.meta_twin import Plan, Story, improve
from simulator.policies import data_of
from simulator.record import History
from simulator.scenario import load, with_settings


class Once:
    """The proofs of the twin take a few seconds, so they are found once for all tests."""

    def __call__(self, bundle: Any, now: Mapping[str, int], amendment: Mapping[str, int]) -> Proof:
        return proved(tuple(sorted({**now, **amendment}.items())))

    def relations(self, now: Mapping[str, int], amendment: Mapping[str, int]) -> tuple[Broken, ...]:
        return Reprove(relations()).relations(now, amendment)


@cache
def proved(numbers: tuple[tuple[str, int], ...]) -> Proof:
    return Reprove(relations())(read(data_of("")), {}, dict(numbers))


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, amendment: dict[str, int], promised: float = 80.0, **settings: Any
) -> tuple[Engine, History, Story]:
    """A small twin, and rehearsals that promise so many seconds at most."""

    def rehearse(rehearsal: Rehearsal, *_rest: Any) -> Trial:
        few, many = (promised,) * 4, (promised + 10, promised + 11, promised + 10, promised + 10)
        return Trial(rehearsal, many, (few[0] - 0.001, *few[1:]))

    monkeypatch.setattr(meta_loop, "rehearse", rehearse)
    chosen = [
        f"{k}={v}"
        for k, v in {"bots": 60, "committee_faults": 1, "proposal_rate": 0.2, "QUORUM": 1100, **settings}.items()
    ]
    engine, history = begin(with_settings(load("normal_operation"), chosen), 3), History()
    for _ in range(10):
        history.add(engine.step())
    plan = Plan(amendment, "decision_p50", pairs=4, watch=100, warm_up=10)
    return engine, history, improve(engine, history, plan, folder, data_of(""), Once(), Here())


def kinds(story: Story) -> list[str]:
    return [n.kind for n in story.notes]


def test_a_change_that_keeps_its_promise_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, history, story = run(tmp_path, monkeypatch, {"TIMELOCK": 5000}, promised=84.0)
    assert kinds(story) == ["propose", "simulate", "verify", "vote", "vote", "apply", "watch", "keep"]
    assert story.outcome == "kept"
    assert story.figure <= 84.0
    assert engine.gateway.parameter("TIMELOCK") == 5000
    assert len(history.rows) == engine.tick
    assert (tmp_path / "evidence" / f"{story.evidence}.json").is_file()
    ballots, yes, no = story.votes
    assert ballots >= 10
    assert yes > no
    assert main(["log", "verify", str(tmp_path / "governance.db")]) == 0
    assert main(["log", "replay", str(tmp_path / "governance.db"), "specs/mvg/meta.policy"]) == 0


def test_a_promise_that_does_not_come_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, history, story = run(tmp_path, monkeypatch, {"TIMELOCK": 5000}, promised=20.0)
    assert story.notes[0].text.startswith("decision latency, half has no value so far; bot")
    assert kinds(story)[-2:] == ["watch", "rollback"]
    assert story.outcome == "rolled back"
    assert engine.gateway.parameter("TIMELOCK") == 20_000
    texts = [h["text"] for h in history.happenings if h["who"] == "meta" and h["kind"] == "amendment"]
    assert texts[-2:] == ["TIMELOCK is 5000", "rolled back: TIMELOCK is 20000 again"]


def test_what_breaks_a_relation_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _, story = run(tmp_path, monkeypatch, {"QUORUM": 1000})
    assert kinds(story) == ["propose", "refuse"]
    assert [b.property for b in story.broken] == ["nobody_decides_alone"]
    assert story.outcome == "refused"
    assert engine.tick == 10
    assert engine.gateway.parameter("QUORUM") == 1100


def test_what_the_bots_vote_down_is_not_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _, story = run(tmp_path, monkeypatch, {"TIMELOCK": 5000}, **{"community.accuracy": 0.0})
    assert story.outcome == "not approved"
    assert "apply" not in kinds(story)
    assert engine.gateway.parameter("TIMELOCK") == 20_000


def test_a_second_amendment_in_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, history, story = run(tmp_path, monkeypatch, {"TIMELOCK": 5000}, promised=84.0)
    again = improve(
        engine, history, Plan({"QUORUM": 1000}, "decision_p50", 4, 100, 10), tmp_path, data_of(""), Once(), Here()
    )
    assert story.proposal != again.proposal
    assert again.outcome == "refused"
    assert engine.gateway.parameter("TIMELOCK") == 5000
