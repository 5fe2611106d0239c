"""Processes are killed at random moments: what a store has answered is in it then, and nothing is there by half."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from killing import Commands, kill_often
from stores_server import started
from stores_worker import complain

pytest_plugins = ("stores_kinds",)

WORKER = Path(__file__).parent / "stores_worker.py"


def appending(where: str, many: int, durability: str = "each") -> Commands:
    def commands(number: int) -> list[list[str | Path]]:
        return [[sys.executable, WORKER, "append", where, str(number * many + i), durability] for i in range(many)]

    return commands


def checked(where: str) -> Callable[[list[str]], None]:
    def check(printed: list[str]) -> None:
        numbers = [int(line) for line in printed]
        assert len(set(numbers)) == len(numbers), "two holds were one"
        complain(where, numbers)

    return check


def whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("durability", ["each", "relaxed"])
def test_killed_with_a_file(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "store.db"
    assert kill_often(appending(str(path), 1, durability), checked(str(path)), 8, seed=1) > 8
    whole(path)


def test_killed_with_a_server(server: str) -> None:
    where = f"{server}&schema=killed"
    assert kill_often(appending(where, 1), checked(where), 15, seed=2) > 15


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["each", "relaxed"])
def test_killed_often_with_a_file(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "store.db"
    assert kill_often(appending(str(path), 1, durability), checked(str(path)), 150, seed=3) > 150
    whole(path)


@pytest.mark.slow
def test_two_killed_often_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    assert kill_often(appending(str(path), 2), checked(str(path)), 100, seed=4) > 100
    whole(path)


@pytest.mark.slow
@pytest.mark.parametrize("many", [1, 3])
def test_killed_often_with_a_server(server: str, many: int) -> None:
    where = f"{server}&schema=killed_often_{many}"
    assert kill_often(appending(where, many), checked(where), 120, seed=5) > 120


@pytest.mark.slow
def test_the_server_is_killed(server: str) -> None:
    """The worker reports faults, connects again when the server has recovered, and has lost nothing."""
    import psycopg

    with started() as url:
        command = [sys.executable, WORKER, "append", url, "0", "each"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as worker:
            assert worker.stdout is not None
            printed: list[int] = []
            for n in range(10):
                alive = 0
                while alive < 20 + 7 * n:
                    printed.append(int(worker.stdout.readline()))
                    alive += printed[-1] >= 0
                with psycopg.connect(url) as connection:
                    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'policyctl'"
                    pids = [pid for (pid,) in connection.execute(query).fetchall()]
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
            while printed[-1] >= 0:
                printed.append(int(worker.stdout.readline()))
            while printed[-1] < 0:
                printed.append(int(worker.stdout.readline()))
            worker.kill()
            printed += [int(line) for line in worker.stdout.read().split(b"\n")[:-1]]
        complain(url, [n for n in printed if n >= 0])
