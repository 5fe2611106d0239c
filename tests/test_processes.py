"""Worker processes: results, lost workers, and interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policyctl.in_processes import in_processes


def double(n: int) -> int:
    return 2 * n


def die_on_three(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * n


def fail(n: int) -> int:
    raise ValueError(n)


def lost(n: int) -> int:
    return -n


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_every_argument_gets_its_result(jobs: int) -> None:
    assert dict(in_processes(double, range(7), jobs, lost)) == {n: 2 * n for n in range(7)}


def test_nothing_to_do_starts_nothing() -> None:
    assert list(in_processes(double, [], 4, lost)) == []


def test_a_lost_process_costs_only_its_own_argument() -> None:
    assert dict(in_processes(die_on_three, range(6), 2, lost)) == {n: -3 if n == 3 else 2 * n for n in range(6)}


def test_an_exception_of_the_work_comes_through() -> None:
    with pytest.raises(ValueError, match=r"^1$"):
        list(in_processes(fail, [1], 1, lost))


WAITING = """
import os, sys, time
from pathlib import Path
from policyctl.in_processes import in_processes

def wait(directory):
    (Path(directory) / str(os.getpid())).touch()
    time.sleep(600)

list(in_processes(wait, [sys.argv[1]] * 2, 2, wait))
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interruption_ends_the_workers_at_once(tmp_path: Path, sign: signal.Signals) -> None:
    workers = tmp_path / "workers"
    workers.mkdir()
    script = tmp_path / "waiting.py"
    script.write_text(WAITING, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, str(script), str(workers)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as parent:
        while len(list(workers.iterdir())) < 2:
            assert parent.poll() is None
            time.sleep(0.01)
        parent.send_signal(sign)
        parent.wait(timeout=60)
    for worker in workers.iterdir():
        assert ended(int(worker.name))


def ended(process: int) -> bool:
    """Whether it goes away; long before it would on its own."""
    for _ in range(500):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False
