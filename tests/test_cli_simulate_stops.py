"""Runs that are stopped from outside: by Ctrl-C, or killed. What was recorded is there, and the run goes on from it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import BEGIN, begin

from policyctl.exit_codes import INTERRUPTED
from simulator import carry_out, record
from simulator.carry_out import Order
from simulator.scenario import load, with_settings

HERE = Path(__file__).parent
SETTINGS = ["bots=20", "attack_begins=20", "ticks=4000", "checkpoint_every=50"]
PATIENCE = 120.0

pytestmark = pytest.mark.slow


def started(place: Path, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    environment = {**os.environ, "POLICYCTL_ENGINE": BEGIN, "PYTHONPATH": path}
    command = [sys.executable, "-m", "policyctl", *arguments]
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(there: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    settings = [part for s in SETTINGS for part in ("--set", s)]
    running = started(tmp_path, "simulate", "normal_operation", *settings, "--out", "a", "--no-report")
    until(lambda: record.last_checkpoint(tmp_path / "a"))
    running.send_signal(how)
    out, _ = running.communicate(timeout=PATIENCE)
    header = record.read_header(tmp_path / "a")
    if how is signal.SIGINT:
        assert running.returncode == INTERRUPTED
        assert f"stopped at tick {header.done:,} of 4,000" in out
        assert 0 < header.done < 4000
    else:
        assert header.done == 0
    assert len(record.read(tmp_path / "a").columns["alarms"]) > 0
    resumed = carry_out.resume(tmp_path / "a", begin)
    whole = carry_out.carry_out(Order(with_settings(load("normal_operation"), SETTINGS), 1, tmp_path / "b"), begin)
    assert resumed.header.final == whole.header.final
    assert list(resumed.happenings) == list(whole.happenings)


def test_a_sweep_that_was_killed_goes_on(tmp_path: Path) -> None:
    settings = [part for s in [*SETTINGS, "ticks=300"] for part in ("--set", s)]
    command = ["sweep", "normal_operation", *settings, "--vary", "quorum=200..600", "--samples", "8", "--jobs", "2"]
    command += ["--out", "s", "--no-report"]
    results = tmp_path / "s" / "results"
    running = started(tmp_path, *command)
    until(lambda: len(list(results.glob("*.json"))) >= 2)
    running.kill()
    running.communicate(timeout=PATIENCE)
    before = {p.name: p.stat().st_mtime_ns for p in results.glob("*.json")}
    assert len(before) < 8, "the sweep was done before it was killed"
    again = started(tmp_path, *command)
    out, err = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, err
    assert f"{len(before)} of 8 runs are in s already" in err
    assert "8 points, 8 of 8 runs" in out
    assert {n: p for n, p in ((p.name, p.stat().st_mtime_ns) for p in results.glob("*.json")) if n in before} == before
