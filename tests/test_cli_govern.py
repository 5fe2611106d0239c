"""policyctl govern and tune: what a user types, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policyctl import cli_govern
from policyctl.main import main
from runtime import amend
from runtime.bundle import read
from simulator import meta_loop
from simulator.meta_trial import Rehearsal, Trial

POLICY = """
/// Calls are paid for by those who are many enough.
module calls
entity Bot
param QUORUM : Int[100..10_000] = 2_000
state calls : Bot -> Int = 0
action call(principal: Bot) {
  require calls[principal] < QUORUM / 100 else "too many"
  calls[principal] += 1
}
invariant limited: forall b: Bot . 0 <= calls[b] and 100 * calls[b] <= QUORUM
assert everybody_has_a_voice on call: calls[principal] == 0 implies allowed
"""
HOUR = 3_600_000
NOW = 1_700_000_000_000
MANY, FEW = 1000.0, 0.5
"""More, and less, seconds for a decision than the engine of the tests ever takes."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A directory under governance, with the time and the figures of rehearsals."""
    found: dict[str, Any] = {"now": NOW, "promised": MANY}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLICYCTL_ENGINE", "fake_engine:begin")
    monkeypatch.setenv("POLICYCTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cli_govern, "milliseconds", lambda: found["now"])

    def rehearse(rehearsal: Rehearsal, *_rest: Any) -> Trial:
        most = found["promised"]
        return Trial(rehearsal, (2 * most, 2 * most, 2.1 * most, 2 * most), (most, most, 1.01 * most, most))

    monkeypatch.setattr(meta_loop, "rehearse", rehearse)
    Path("calls.policy").write_text(POLICY, encoding="utf-8")
    text = 'name = "tiny"\nbots = 20\nticks = 60\nproposal_rate = 1.0\n'
    text += '[parameters]\nVOTING_PERIOD = "5s"\nTIMELOCK = "1s"\n'
    Path("tiny.toml").write_text(text, encoding="utf-8")
    assert main(["build", "calls.policy", "-o", "calls.bundle"]) == 0
    members = [x for name in ("ann", "bob") for x in ("--member", name)]
    begin = ["govern", "init", "numbers", "--bundle", "calls.bundle", *members, "--auditor", "judy"]
    assert main(begin) == 0
    assert main(begin) == 0  # again, after a crash, say
    return found


def propose(*changes: str) -> int:
    on = ["--scenario", "tiny.toml", "--metric", "decision_p50"]
    return main(["govern", "propose", "numbers", *changes, "--as", "ann", *on, "--jobs", "1"])


def in_force() -> int:
    return amend.numbers(read(Path("numbers/in_force.bundle").read_bytes()).policies)["QUORUM"].value


def approve(place: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert propose("QUORUM=3000") == 0
    told = capsys.readouterr().out
    assert "changes      QUORUM 2000 -> 3000" in told
    assert "a1 is put to the vote" in told
    for who in ("ann", "bob", "judy"):
        assert main(["govern", "vote", "numbers", "a1", "yes", "--as", who]) == 0
    assert main(["govern", "apply", "numbers", "a1"]) == 3
    assert "voting has not ended" in capsys.readouterr().err
    place["now"] += 73 * HOUR
    assert in_force() == 2000
    assert main(["govern", "apply", "numbers", "a1"]) == 0
    assert in_force() == 3000
    place["now"] += 24 * HOUR


def run(*arguments: str) -> int:
    return main(["simulate", "tiny.toml", "--no-report", *arguments])


def test_a_change_is_kept(place: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    approve(place, capsys)
    assert run("--seed", "900", "--set", "QUORUM=3000", "--out", "watched") == 0
    assert main(["govern", "watch", "numbers", "a1", "watched"]) == 0
    assert "a1 is kept" in capsys.readouterr().out
    assert in_force() == 3000
    assert main(["govern", "show", "numbers"]) == 0
    assert "a1        kept, Settled, 300 yes to 0 no" in capsys.readouterr().out


def test_a_change_that_does_not_keep_its_promise_is_rolled_back(
    place: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    place["promised"] = FEW
    approve(place, capsys)
    assert run("--seed", "900", "--set", "QUORUM=3000", "--out", "watched") == 0
    assert main(["govern", "watch", "numbers", "a1", "watched"]) == 3
    assert "a1 is rolled back" in capsys.readouterr().out
    assert in_force() == 2000


def test_runs_that_are_no_watch(place: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    approve(place, capsys)
    runs = {
        "a seed that was rehearsed with": ("--seed", "1", "--set", "QUORUM=3000"),
        "made under another QUORUM": ("--seed", "900"),
        "of another scenario: it differs in bots": ("--seed", "900", "--set", "QUORUM=3000", "--set", "bots=30"),
    }
    for number, (reason, arguments) in enumerate(runs.items()):
        assert run(*arguments, "--out", f"run-{number}") == 0
        assert main(["govern", "watch", "numbers", "a1", f"run-{number}"]) == 3
        assert reason in capsys.readouterr().err
        assert in_force() == 3000
    assert main(["govern", "rollback", "numbers", "a1"]) == 3
    place["now"] += 24 * HOUR
    assert main(["govern", "rollback", "numbers", "a1"]) == 0
    assert in_force() == 2000


def test_what_would_break_a_proof_is_shown(place: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert propose("QUORUM=99") == 3
    told = capsys.readouterr()
    assert "refused: write: outside its bounds" in told.err
    assert "✗ QUORUM = 99 is outside 100..10000" in told.out
    assert "`everybody_has_a_voice` of `calls` would not hold" in told.out
    assert propose("QUORUM=1000") == 3
    told = capsys.readouterr()
    assert "`nobody_decides_alone` of `mvg.parameters` would not hold" in told.out
    assert "start  ceiling = 1000, quorum = 1000" in told.out
    assert main(["govern", "show", "numbers"]) == 0
    assert "a1" not in capsys.readouterr().out
    assert in_force() == 2000


def test_who_may_not(place: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert propose("QUORUM=3000") == 0
    assert main(["govern", "vote", "numbers", "a1", "yes", "--as", "mallory"]) == 3
    assert "had no weight when voting opened" in capsys.readouterr().err
    assert main(["govern", "vote", "numbers", "a9", "yes", "--as", "ann"]) == 3
    assert main(["govern", "show", "elsewhere"]) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["tune", "normal_operation", "--metric", "decision_p50"], "what is to be changed"),
        (["tune", "normal_operation", "--metric", "speed", "--set", "QUORUM=3"], "there is no metric `speed`"),
        (
            ["govern", "propose", "numbers", "x", "--as", "a", "--scenario", "tiny.toml", "--metric", "worst"],
            "field=value",
        ),
    ],
)
def test_usage(place: dict[str, Any], capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str) -> None:
    assert main(arguments) == 2
    assert reason in capsys.readouterr().err


def test_each_proposal_has_a_name_of_its_own(place: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    for number, value in enumerate((3000, 4000, 5000), 1):
        assert propose(f"QUORUM={value}") == 0
        assert f"a{number} is put to the vote" in capsys.readouterr().out
    assert propose("QUORUM=6000", "--id", "a2") == 3
    assert "`a2` is another amendment" in capsys.readouterr().err
    # Given again, the same goes on, and is put to the vote once.
    assert propose("QUORUM=4000", "--id", "a2") == 0
    assert main(["govern", "show", "numbers", "a2"]) == 0
    assert "QUORUM 2000 -> 4000" in capsys.readouterr().out


def test_a_file_that_somebody_changed_is_put_right(place: dict[str, Any]) -> None:
    Path("numbers/in_force.bundle").write_bytes(b"")
    assert main(["govern", "show", "numbers"]) == 0
    assert in_force() == 2000
