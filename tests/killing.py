"""Kill processes at moments that nobody chose, and say what they had printed before: for what must survive crashes.

The processes print a line after each thing that must not be lost. Lines that are not complete do not count.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

STARTING = 0.35
"""Seconds in which a process opens what it works on, more or less."""
PATIENCE = 60
"""Lines are waited for, boundedly by the process's own bounds; ending after a kill by this many seconds."""

Commands = Callable[[int], Sequence[Sequence[str | Path]]]
"""From the number of a round to the processes that run at the same time in it."""


def kill_often(commands: Commands, check: Callable[[list[str]], None], rounds: int, seed: int) -> int:
    """Start, kill and `check` what was printed in all rounds so far, again and again; how many lines there were."""
    chance = random.Random(seed)
    printed: list[str] = []
    for number in range(rounds):
        printed += killed(commands(number), chance)
        check(printed)
    return len(printed)


def killed(commands: Sequence[Sequence[str | Path]], chance: random.Random) -> list[str]:
    """Start all, kill all with SIGKILL, at some moment while they start, or between or in the things that they do."""
    # Without a buffer: what is in one when `communicate` begins would be lost, and nothing said of it.
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) for command in commands]
    printed: list[str] = []
    try:
        if chance.random() < 0.25:
            time.sleep(chance.random() * STARTING)
        else:
            for process in running:
                printed += _lines(process, chance.randint(1, 12))
            # Shorter than most holds, longer than some.
            time.sleep(chance.random() * 0.003)
    finally:
        for process in chance.sample(running, len(running)):
            process.send_signal(signal.SIGKILL)
        ends = [process.communicate(timeout=PATIENCE)[0] for process in running]
    assert all(process.returncode == -signal.SIGKILL for process in running)
    for end in ends:
        printed += end.decode().split("\n")[:-1]
    return printed


def _lines(process: subprocess.Popen[bytes], many: int) -> list[str]:
    assert process.stdout is not None
    lines = [process.stdout.readline().decode() for _ in range(many)]
    assert all(line.endswith("\n") for line in lines), "the process ended by itself"
    return [line[:-1] for line in lines]
