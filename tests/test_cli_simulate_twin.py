"""The commands that simulate, with the simulator itself: what it has to offer to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policyctl.cli import run
from policyctl.cli_sweep import defaults, ranges
from policyctl.exit_codes import OK
from simulator import record

SMALL = ["--set", "bots=60", "--set", "attack_begins=10", "--set", "malicious=0.2", "--ticks", "40", "--no-report"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POLICYCTL_ENGINE", raising=False)
    return tmp_path


def test_parameters_are_those_of_the_policy() -> None:
    assert ranges()["QUORUM"] == (1, 1_000_000)
    assert defaults()["QUORUM"] == 300
    assert defaults().keys() == ranges().keys()


@pytest.mark.slow
def test_a_run_goes_on_forks_and_replays(place: Path) -> None:
    assert run(["simulate", "normal_operation", *SMALL, "--checkpoint-every", "15", "--out", "a"]) == OK
    assert run(["simulate", "normal_operation", *SMALL, "--ticks", "20", "--out", "b"]) == OK
    assert run(["simulate", "--resume", "b", "--ticks", "40", "--no-report"]) == OK
    assert run(["simulate", "--resume", "a", "--fork-at", "20", "--out", "same", "--no-report"]) == OK
    assert (
        run(["simulate", "--resume", "a", "--fork-at", "20", "--out", "c", "--set", "SEND_LIMIT=4", "--no-report"])
        == OK
    )
    finals = {n: record.read_header(place / n).final for n in ("a", "b", "c", "same")}
    assert finals["a"] == finals["b"] == finals["same"] != finals["c"]
    assert [run(["replay", n]) for n in finals] == [OK] * 4
    assert set(record.read_header(place / "a").policies) == {"twin.ecosystem", "agents.incidents"}


@pytest.mark.slow
def test_runs_do_not_depend_on_the_number_of_workers(place: Path) -> None:
    for jobs in ("1", "2"):
        assert run(["simulate", "normal_operation", *SMALL, "--runs", "2", "--jobs", jobs, "--out", jobs]) == OK
    for seed in ("seed-1", "seed-2"):
        assert record.read_header(place / "1" / seed).final == record.read_header(place / "2" / seed).final


@pytest.mark.slow
def test_a_sweep(place: Path) -> None:
    command = ["sweep", "normal_operation", *SMALL, "--vary", "quorum=200..600", "--vary", "malicious=0..0.5"]
    assert run([*command, "--samples", "4", "--jobs", "2", "--out", "s"]) == OK
    assert len(list((place / "s" / "results").glob("*.json"))) == 4


@pytest.mark.slow
def test_a_search_inside_what_is_proved(place: Path) -> None:
    pytest.importorskip("optuna", reason="optuna is missing: `policyctl optimize` is NOT tested")
    policy = str(Path(__file__).parent.parent / "specs" / "mvg" / "parameters.policy")
    command = ["optimize", "normal_operation", *SMALL[:-1], "--maximize", "coordination", "--within", policy]
    assert run([*command, "--samples", "4", "--seeds", "1", "--jobs", "2", "--out", "o"]) == OK
    found = json.loads((place / "o" / "optimum.json").read_text())
    assert all(t["parameters"]["QUORUM"] > 1000 for t in found["trials"])
