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
from typing import TYPE_CHECKING

from peers.stateless import bundle
from peers.workload import Request, policy, requests, rules

if TYPE_CHECKING:
    from policyctl.embed import Enforcer

PAGE = 4096
ROUNDS = 5

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
    for suffix in ("", "-wal", "-shm"):
        (folder / f"alone.db{suffix}").unlink(missing_ok=True)
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


@dataclass(frozen=True, slots=True)
class Setting:
    """An enforcer with its store in a file, and what it is asked."""

    enforcer: Enforcer
    asked: list[Request]

    def ask(self, q: Request) -> bool:
        decision = self.enforcer.decide(q.action, role=q.role, path=q.path, amount=q.amount, channel=q.channel)
        if decision.serial < 0:
            raise RuntimeError(f"not recorded: {decision.reason}")
        return decision.allowed

    def ask_many(self, lot: list[Request]) -> int:
        """How many of them are allowed, all kept at once."""
        many = [(q.action, {"role": q.role, "path": q.path, "amount": q.amount, "channel": q.channel}, "") for q in lot]
        decisions = self.enforcer.decide_many(many)
        if any(d.serial < 0 for d in decisions):
            raise RuntimeError("not recorded")
        return sum(d.allowed for d in decisions)


def setting(folder: Path, count: int, state: str, durability: str = "each") -> Setting:
    """Decides under so many rules, with its store in a file of the folder."""
    from policyctl.embed import Enforcer

    chance = random.Random(count)
    made = rules(count, chance)
    path = folder / f"bench{count}.bundle"
    path.write_bytes(bundle(policy(made)))
    enforcer = Enforcer.open(path, folder / state, durability=durability, unproved=True)
    return Setting(enforcer, requests(1000, made, chance))


def in_lots(s: Setting, seconds: float, lot: int = 100) -> float:
    """How many decisions one thread gets in a second when it asks for so many at once."""
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        s.ask_many([s.asked[(done + i) % len(s.asked)] for i in range(lot)])
        done += lot
    return done / (time.perf_counter() - begun)


def per_second(ask: Ask, asked: list[Request], threads: int, seconds: float) -> float:
    """How many decisions so many threads get in a second, together."""
    done, over, faults = [0] * threads, threading.Event(), list[Exception]()
    ready = threading.Barrier(threads + 1)

    def work(number: int) -> None:
        ready.wait()
        i = number
        try:
            while not over.is_set():
                ask(asked[i % len(asked)])
                i += threads
                done[number] += 1
        except Exception as error:  # noqa: BLE001 raised again by who waits
            faults.append(error)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for w in workers:
        w.start()
    ready.wait()
    begun = time.perf_counter()
    time.sleep(seconds)
    over.set()
    for w in workers:
        w.join()
    if faults:
        raise faults[0]
    return sum(done) / (time.perf_counter() - begun)


def measure(folder: Path, sizes: list[int], count: int, seconds: float) -> dict[str, object]:
    """Everything. Rounds of the kinds are interleaved, as the speed of a disk changes over time."""
    one_by_one: dict[str, list[Cost]] = {}
    settings = {n: setting(folder, n, f"state{n}.db") for n in sizes}
    kinds: dict[str, Callable[[], Cost]] = {
        "disk": lambda: disk(folder, count),
        "SQLite": lambda: sqlite(folder, count),
    }
    for n, s in settings.items():
        kinds[f"{n} rules"] = lambda s=s: cost(lambda i: s.ask(s.asked[i % len(s.asked)]), count)
    for _ in range(ROUNDS):
        for name, run in kinds.items():
            one_by_one.setdefault(name, []).append(run())
    best = {name: asdict(min(found, key=lambda c: c.wall)) for name, found in one_by_one.items()}
    together = {}
    for n in sizes:
        s = setting(folder, n, f"group{n}.db", "group")
        row = {str(t): per_second(s.ask, s.asked, t, seconds) for t in (1, 8, 64)}
        together[f"{n} rules"] = {**row, "1, in lots of 100": in_lots(s, seconds)}
    return {"one by one": best, "per second": together}
