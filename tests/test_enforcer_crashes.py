"""Processes with an enforcer are killed at random moments: no answer is lost, nothing done twice, the log whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from enforcer_worker import RUNS, complain
from enforcing import BUDGETS, ROOT, Clock, content, enforcer, system
from killing import Commands, kill_often

from policyctl.clock import milliseconds
from policydsl.core.system import System
from runtime.bundle import build
from runtime.open_store import open_store

pytest_plugins = ("stores_kinds",)

WORKER = Path(__file__).parent / "enforcer_worker.py"
SHORT = (ROOT / BUDGETS).read_text(encoding="utf-8").replace("PATIENCE = 10m", "PATIENCE = 100ms")


def systems() -> list[System]:
    return [system(RUNS), system(SHORT)]


def commands(where: str, folder: Path, processes: int, many: int = 0) -> Commands:
    bundle = folder / "calls.bundle"
    bundle.write_bytes(build([(s, "") for s in systems()]))

    def at(number: int) -> list[list[str | Path]]:
        shared: list[str | Path] = [sys.executable, WORKER, where, bundle, folder / "effects"]
        return [[*shared, str(number * processes + i), str(many), str(20 + 6 * number)] for i in range(processes)]

    return at


def checked(where: str, folder: Path, every: int) -> Callable[[list[str]], None]:
    rounds = 0

    def check(printed: list[str]) -> None:
        nonlocal rounds
        rounds += 1
        complain(where, folder / "effects", printed, systems(), rounds % every == 0)

    return check


def killed(where: str, folder: Path, rounds: int, seed: int, processes: int = 1) -> tuple[int, int]:
    """So many answers were printed, and so many records made: fewer, when many ask again under the same keys."""
    every = max(1, rounds // 4)
    answers = kill_often(commands(where, folder, processes), checked(where, folder, every), rounds, seed)
    size = complain(where, folder / "effects", [], systems(), replay=True)
    goes_on(where)
    return answers, size


def goes_on(where: str) -> None:
    """A new enforcer has the state that the store has, and decides."""
    store = open_store(where)
    e = enforcer(RUNS, SHORT, store=store, clock=Clock(milliseconds()))
    with_rows = content(e, "all")
    assert e.decide("run", principal="x", call="last").effect == "allow"
    assert content(e, "all")[""] == int(str(with_rows[""])) + 1
    store.close()


def test_killed_with_a_file(tmp_path: Path) -> None:
    answers, size = killed(str(tmp_path / "store.db"), tmp_path, 6, seed=1)
    assert answers > 6
    assert size > 6


def test_killed_with_a_server(server: str, tmp_path: Path) -> None:
    answers, _ = killed(f"{server}&schema=enforcer_killed", tmp_path, 6, seed=2, processes=2)
    assert answers > 6


def test_several_processes_on_one_server(server: str, tmp_path: Path) -> None:
    """Nobody is killed, and all of them get answers."""
    where = f"{server}&schema=enforcer_together"
    running = [subprocess.Popen(c, stdout=subprocess.PIPE) for c in commands(where, tmp_path, 8, many=12)(2)]
    printed = [line for p in running for line in p.communicate(timeout=120)[0].decode().splitlines()]
    assert [p.returncode for p in running] == [0] * 8
    assert not [line for line in printed if "store.unavailable" in line]
    assert complain(where, tmp_path / "effects", printed, systems(), replay=True) > 40
    goes_on(where)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_often_with_a_file(tmp_path: Path, processes: int) -> None:
    answers, size = killed(str(tmp_path / "store.db"), tmp_path, 200, seed=3, processes=processes)
    assert answers > 200
    assert size > 200


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_killed_often_with_a_server(server: str, tmp_path: Path, processes: int) -> None:
    where = f"{server}&schema=enforcer_often_{processes}"
    answers, size = killed(where, tmp_path, 150, seed=4, processes=processes)
    assert answers > 150
    assert size > 150
