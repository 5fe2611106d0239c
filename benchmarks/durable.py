"""Decisions that are on the disk before they are answered: what they cost beside the disk, and how many a second.

Everything is measured in one run in one folder: the disk (append a page to a file and `fdatasync`), SQLite alone
(insert one record of the same length and commit), and our enforcer with its store beside them. Times of the disk are
times of the wall; so is what they are compared with.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from peers.workload import Request, policy, requests, rules

PAGE = 4096

Ask = Callable[[Request], bool]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one decision: on the wall (the median), and of the processor (the mean)."""

    wall: float
    cpu: float


def cost(ask: Callable[[int], object], count: int) -> Cost:
    times = []
    begun = time.thread_time_ns()
    for i in range(count):
        start = time.perf_counter_ns()
        ask(i)
        times.append(time.perf_counter_ns() - start)
    return Cost(statistics.median(times) / 1000, (time.thread_time_ns() - begun) / count / 1000)


def disk(folder: Path, count: int) -> Cost:
    file = os.open(folder / "page", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    page = os.urandom(PAGE)
    wait = getattr(os, "fdatasync", os.fsync)
    try:
        return cost(lambda _: (os.write(file, page), wait(file)), count)
    finally:
        os.close(file)


def sqlite(folder: Path, count: int, length: int = 600) -> Cost:
    connection = sqlite3.connect(folder / "alone.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE records(n INTEGER PRIMARY KEY, record BLOB NOT NULL)")

    def insert(i: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO records VALUES(?, ?)", (i, os.urandom(length)))
        connection.execute("COMMIT")

    try:
        return cost(insert, count)
    finally:
        connection.close()


def enforcer(folder: Path, count: int, state: str, durability: str = "each") -> tuple[Ask, list[Request]]:
    """Decides under so many rules, with its store in a file of the folder; and requests for it."""
    from policyctl.embed import Enforcer
    from policydsl.diagnostics import Report
    from policydsl.load import load
    from runtime.bundle import build

    chance = random.Random(count)
    made = rules(count, chance)
    (program,) = load(["bench.policy"], lambda _: policy(made), Report())
    path = folder / f"bench{count}.bundle"
    path.write_bytes(build([(program.system, "")]))
    decide = Enforcer.open(path, folder / state, durability=durability, unproved=True).decide

    def ask(q: Request) -> bool:
        decision = decide(q.action, role=q.role, path=q.path, amount=q.amount, channel=q.channel)
        if decision.serial < 0:
            raise RuntimeError(f"not recorded: {decision.reason}")
        return decision.allowed

    return ask, requests(1000, made, chance)


def per_second(ask: Ask, asked: list[Request], threads: int, seconds: float) -> float:
    """How many decisions so many threads get in a second, together."""
    done, over = [0] * threads, threading.Event()
    ready = threading.Barrier(threads + 1)

    def work(number: int) -> None:
        ready.wait()
        i = number
        while not over.is_set():
            ask(asked[i % len(asked)])
            i += threads
            done[number] += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for w in workers:
        w.start()
    ready.wait()
    begun = time.perf_counter()
    time.sleep(seconds)
    over.set()
    for w in workers:
        w.join()
    return sum(done) / (time.perf_counter() - begun)


def measure(folder: Path, sizes: list[int], count: int, seconds: float) -> dict[str, object]:
    """Everything. Rounds of the kinds are interleaved, as the speed of a disk changes over time."""
    one_by_one: dict[str, list[Cost]] = {}
    asks = {n: enforcer(folder, n, f"state{n}.db") for n in sizes}
    for round_ in range(3):
        kinds: dict[str, Callable[[], Cost]] = {"disk": lambda: disk(folder, count)}
        kinds["SQLite"] = lambda: _fresh(folder, "alone.db") or sqlite(folder, count)
        for n, (ask, asked) in asks.items():
            kinds[f"{n} rules"] = lambda ask=ask, asked=asked: cost(lambda i: ask(asked[i % len(asked)]), count)
        for name, run in kinds.items():
            if round_ == 0:
                one_by_one[name] = []
            one_by_one[name].append(run())
    best = {name: asdict(min(found, key=lambda c: c.wall)) for name, found in one_by_one.items()}
    together = {}
    for n in sizes:
        ask, asked = enforcer(folder, n, f"group{n}.db", "group")
        together[str(n)] = {str(t): per_second(ask, asked, t, seconds) for t in (1, 8, 64)}
    return {"one by one": best, "per second": together}


def _fresh(folder: Path, name: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        (folder / f"{name}{suffix}").unlink(missing_ok=True)
