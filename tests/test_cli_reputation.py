"""`policyctl reputation`: roots and proofs of scores from tables, runs and stores."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from policyctl.cli import run
from policyctl.embed import Enforcer
from runtime.scores import Scores
from simulator.record import write_scores
from tests.twins import course

LEDGER = """
entity Bot
state reputation: Bot -> Int = 100
state last: Int = 0
state rank: Bot -> Bool = false
action raise(principal: Bot) { reputation[principal] += 12  last := 1  rank[principal] := true }
action level() { for each b: Bot { reputation[b] := 50 } }
invariant above: forall b: Bot . reputation[b] >= 50
"""


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(["reputation", *arguments]) == code
    shown = capsys.readouterr()
    return (shown.out + shown.err).strip()


def table(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_tables_of_all_kinds_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = table(tmp_path / "a.json", '{"alice": 112, "bob": 98}')
    whole = table(tmp_path / "b.json", '{"epoch": 3, "scores": {"bob": 98, "alice": 112}}')
    lines = table(tmp_path / "c.csv", "rank,bot,score\n1,alice,112\n2,bob,98\n")
    scores = {"alice": 112, "bob": 98}
    assert printed(capsys, "root", flat) == printed(capsys, "root", lines) == Scores(scores).root.hex()
    assert (
        printed(capsys, "root", whole) == printed(capsys, "root", lines, "--epoch", "3") == Scores(scores, 3).root.hex()
    )


def test_a_proof_convinces_whoever_has_the_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = table(tmp_path / "scores.json", '{"alice": 112, "bob": 98}')
    root = printed(capsys, "root", scores)
    proof = tmp_path / "alice.json"
    assert printed(capsys, "prove", "alice", "--scores", scores, "-o", str(proof)) == ""
    assert printed(capsys, "verify", str(proof), "--root", root) == "✓ alice has the score 112 in epoch 0"
    other = "0" * 64
    assert "does not lead to this root" in printed(capsys, "verify", str(proof), "--root", other, code=1)
    table(proof, proof.read_text(encoding="utf-8").replace("112", "113"))
    assert "does not lead to this root" in printed(capsys, "verify", str(proof), "--root", root, code=1)
    table(proof, printed(capsys, "prove", "mallory", "--scores", scores))
    assert printed(capsys, "verify", str(proof), "--root", root) == "✓ mallory has no score in epoch 0"
    table(proof, "{}")
    assert "fields format, epoch" in printed(capsys, "verify", str(proof), "--root", root, code=1)
    assert "is no root" in printed(capsys, "verify", str(proof), "--root", "root", code=2)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.csv", "name,score\nalice,1\n", "no columns `bot` and `score`"),
        ("a.csv", "", "no columns `bot` and `score`"),
        ("a.csv", "bot,score\nalice,one\n", "line 2: `one` is no score"),
        ("a.csv", "bot,score\nalice\n", "line 2: `None` is no score"),
        ("a.csv", "bot,score\nalice,1\nalice,2\n", "twice"),
        ("a.json", '{"alice": 1, "alice": 2}', "twice"),
        ("a.json", '{"alice": 1.5}', "`1.5` is no score of `alice`"),
        ("a.json", '{"alice": true}', "`True` is no score of `alice`"),
        ("a.json", '{"scores": {}, "epoch": -1}', "`-1` is no epoch"),
        ("a.json", "{", "no table of scores"),
    ],
)
def test_what_is_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, why: str) -> None:
    assert why in printed(capsys, "root", table(tmp_path / name, text), code=1)


def test_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be read" in printed(capsys, "root", str(tmp_path / "none.csv"), code=2)
    assert "no Reputation Tracker took part" in printed(capsys, "root", str(tmp_path), code=2)
    assert "no recorded run" in printed(capsys, "root", str(tmp_path), "--all", code=2)


def test_the_scores_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = course("security_attack").engine
    tracker = engine.state.team.tracker
    assert tracker is not None
    write_scores(tmp_path, engine.reputation())
    assert printed(capsys, "root", str(tmp_path)) == tracker.roots[-1]
    shown = printed(capsys, "root", str(tmp_path), "--all").splitlines()
    assert shown == [f"{i}  {root}" for i, root in enumerate(tracker.roots, start=1)]
    proof = table(tmp_path / "proof.json", printed(capsys, "prove", "17", "--scores", str(tmp_path)))
    said = printed(capsys, "verify", proof, "--root", tracker.roots[-1])
    assert said == f"✓ 17 has the score {tracker.scores[17]} in epoch {len(tracker.roots)}"


@pytest.mark.slow
def test_a_run_keeps_the_scores_of_its_last_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--set", "bots=60", "--ticks", "110", "--no-report"]
    out = str(tmp_path / "run")
    assert run(["simulate", "normal_operation", *small, "--out", out]) == 0
    capsys.readouterr()
    roots = [line.split() for line in printed(capsys, "root", out, "--all").splitlines()]
    assert [number for number, _ in roots] == ["1", "2"]
    proof = table(tmp_path / "proof.json", printed(capsys, "prove", "17", "--scores", out))
    assert "in epoch 2" in printed(capsys, "verify", proof, "--root", roots[-1][1])


def test_the_scores_in_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy, bundle, store = tmp_path / "ledger.policy", tmp_path / "ledger.bundle", tmp_path / "ledger.db"
    table(policy, LEDGER)
    assert run(["build", str(policy), "-o", str(bundle), "--no-cache"]) == 0
    capsys.readouterr()
    with closing(Enforcer.open(bundle, state=str(store))) as enforcer:
        for bot in ("alice", "alice", "bob"):
            assert enforcer.decide("raise", principal=bot).allowed
        assert printed(capsys, "root", str(store)) == Scores({"alice": 124, "bob": 112}).root.hex()
        assert "nothing of a variable `score`" in printed(capsys, "root", str(store), "--variable", "score", code=1)
        assert "no number for each bot" in printed(capsys, "root", str(store), "--variable", "last", code=1)
        assert "no number for each bot" in printed(capsys, "root", str(store), "--variable", "rank", code=1)
        assert enforcer.decide("level").allowed
        assert enforcer.decide("raise", principal="rita").allowed
        assert printed(capsys, "root", str(store)) == Scores({"alice": 50, "bob": 50, "rita": 62}).root.hex()
