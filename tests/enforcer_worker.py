"""What the tests of crashes let other processes do with an enforcer, and what must then be true of its store.

As a script: `WHERE BUNDLE EFFECTS SEED MANY KEYS`: MANY things (0: forever) with keys among so many. Effects on the
outside are lines of the file EFFECTS. A line is printed after each answer: key, kind, effect, number of the record.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from policyctl.embed import Enforcer
from policydsl.core.system import System
from runtime.decision import Decision
from runtime.log_file import verify_records
from runtime.open_store import open_store
from runtime.records import Entry, from_bytes
from runtime.reservations import Reservation
from runtime.to_trace import replay_records

RUNS = """
module runs
entity Bot { slow }
entity Call { c13 }
state done : Call -> Int = 0
state last : Bot -> Call? = none
state all  : Int = 0
action run(principal: Bot, call: Call) { done[call] += 1  last[principal] := call  all += 1 }
forbid unlucky on run when call == c13 because "unlucky"
approve careful on run when principal == slow by human within 10m
"""
"""Nothing in it keeps a call from being made twice: only keys do."""


def report(key: str, kind: str, d: Decision) -> None:
    os.write(1, f"{key} {kind} {d.effect} {d.serial} {d.code.value}\n".encode())


def work(e: Enforcer, effects: int, chance: random.Random, many: int, keys: int) -> None:
    done = 0
    while not many or done < many:
        done += 1
        call, who = f"c{chance.randrange(keys)}", f"a{chance.randrange(5)}"
        match chance.randrange(6):
            case 0 | 1:
                d = e.decide("run", key=f"run {call}", principal="a", call=call)
                if d.effect == "allow" and not d.repeated:
                    os.write(effects, f"run {call}\n".encode())
                report(f"run {call}", "run", d)
            case 2 | 3:
                # Who makes a call is part of the request, and so the same for the same key.
                r = e.reserve("call", key=f"call {call}", principal=f"a{len(call)}", call=call, most=20)
                report(f"call {call}", "reserve", r.decision)
                if r.allowed:
                    finish(r, effects, chance, call)
            case 4:
                d = e.decide("run", key=f"slow {call}", principal="slow", call=f"s{call}")
                if d.effect == "approve":
                    d = e.answer(d.ticket, True, "carol")
                    if d.effect == "allow":
                        os.write(effects, f"slow {call}\n".encode())
                report(f"slow {call}", "run", d)
            case _:
                if chance.random() < 0.2:
                    for name, d in e.sweep():
                        report(name, "expire", d)
                else:
                    report("", "none", e.decide("run", principal=who, call="c13"))


def finish(r: Reservation, effects: int, chance: random.Random, call: str) -> None:
    if not r.again:
        os.write(effects, f"call {call}\n".encode())
    if r.again or chance.random() < 0.9:
        report(r.name, "commit", r.commit(cost=chance.randint(0, 20)))
    elif chance.random() < 0.5:
        report(r.name, "abort", r.abort())


def complain(where: str, effects: Path, printed: list[str], systems: list[System], replay: bool) -> int:
    """Assert that all is well, whatever was killed; the number of records."""
    store = open_store(where)
    try:
        with store.hold() as tx:
            raw = list(tx.since(0))
            verified = verify_records(raw, tx.get("head", "latest"), tx.get("tree", "frontier"))
            rows = {(r.system, r.var, r.keys): r.value for r in tx.rows()}
    finally:
        store.close()
    assert verified.whole, verified.faults
    records = [from_bytes(r) for r in raw]
    answered(printed, [r if isinstance(r, Entry) else None for r in records])
    lines = effects.read_text().splitlines() if effects.exists() else []
    assert max(Counter(lines).values(), default=0) <= 1, "done twice on the outside"
    for (_, var, _), value in rows.items():
        assert var not in ("done", "settlements") or value == 1, "done twice"
    for system in systems if replay else ():
        replayed = replay_records(records, system)
        assert replayed.faults == ()
        assert replayed.others == ()
    return len(records)


def answered(printed: list[str], records: list[Entry | None]) -> None:
    allowed = Counter(r.key for r in records if r is not None and r.key and r.effect == "allow")
    assert max(allowed.values(), default=0) <= 1, "two answers under one key"
    for line in printed:
        *key, kind, effect, serial, code = line.split(" ")
        if effect != "allow":
            # Nothing else than these can be wrong here, and then nothing was kept, as far as was answered.
            assert code not in ("internal", "bundle.invalid", "lockdown"), line
            continue
        record = records[int(serial)] if int(serial) < len(records) else None
        assert record is not None, f"an answer was lost: {line}"
        assert (record.effect, record.action) == ("allow", {"commit": "settle"}.get(kind, kind)), line
        if kind in ("run", "reserve"):
            assert record.key == " ".join(key), line


if __name__ == "__main__":
    place, bundle, file, seed, times, among = sys.argv[1:]
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    logging.disable()
    e = Enforcer.open(bundle, place, unproved=True)
    while e.decide("run", principal="z", call="c13").code.value == "store.unavailable":
        time.sleep(0.05)
    work(e, descriptor, random.Random(int(seed)), int(times), int(among))
    e.close()
