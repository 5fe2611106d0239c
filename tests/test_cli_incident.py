"""`policyctl incident`: what is known of the incidents of a recorded run."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyctl.cli import run
from policyctl.exit_codes import OK, USAGE

SMALL = ["bots=120", "attack_begins=20", "mix.spammer=1", "malicious=0.1", "committee_faults=1"]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs") / "attack"
    settings = [part for setting in SMALL for part in ("--set", setting)]
    assert run(["simulate", "normal_operation", "--ticks", "70", "--no-report", "--out", str(place), *settings]) == OK
    return place


def test_incidents_are_listed(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incident", str(record)]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert lines[1].startswith("    0  tick ")
    assert "spam, bot" in lines[1]


def test_one_is_told_in_order(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incident", str(record), "0"]) == OK
    lines = capsys.readouterr().out.splitlines()
    ticks = [int(line.split()[1]) for line in lines]
    assert ticks == sorted(ticks)
    kinds = [line[33:43].strip() for line in lines]
    assert {"first_harm", "alarm", "contained"} <= set(kinds)
    assert kinds.index("first_harm") < kinds.index("alarm") < kinds.index("contained")


@pytest.mark.parametrize(("arguments", "says"), [(["999"], "there is no incident 999"), (["x"], "not a valid integer")])
def test_what_is_not_there(record: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incident", str(record), *arguments]) == USAGE
    assert says in capsys.readouterr().err


def test_a_directory_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incident", str(tmp_path)]) == USAGE
    assert "Traceback" not in capsys.readouterr().err
