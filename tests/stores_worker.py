"""What the tests of stores let other processes do to a store, and what must then be in it.

As a script: `append WHERE SEED DURABILITY`, forever, or `count WHERE TIMES NAME`. A line is printed after each hold.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from runtime.open_store import open_store
from runtime.store import Row, Store, StoreError, Transaction

LANES = 7


def content(n: int) -> bytes:
    """Record number `n`; some span several pages of a file."""
    return b"%d:" % n + bytes([n % 251]) * (n * 37 % (9000 if n % 5 == 0 else 200))


def rows_at(size: int) -> dict[tuple[str, str, tuple[str, ...]], int | bool]:
    """The rows that belong to `size` records."""
    lanes = {("s", "lane", (str(n % LANES), "*")): n for n in range(size)}
    return lanes | {("s", "count", ()): size, ("s", "even", ("x",)): size % 2 == 0} if size else {}


def append(t: Transaction, many: int) -> int:
    """`many` more records with what belongs to them; the number of the last."""
    size = t.size()
    for n in range(size, size + many):
        t.append(content(n))
        t.put_rows([Row("s", "lane", (str(n % LANES), "*"), n), Row("s", "count", (), n + 1)])
        t.put_rows([Row("s", "even", ("x",), n % 2 == 1)])
    t.put("end", "of hold", b"%d" % t.size())
    t.put("hold", str(t.size()), b"")
    return t.size() - 1


def complain(where: str, printed: list[int]) -> None:
    """Assert that all of `printed` is in the store, that nothing is there by half, and that one can go on."""
    store = open_store(where)
    try:
        with store.hold() as t:
            size = t.size()
            assert max(printed, default=-1) < size
            assert list(t.since(0)) == [content(n) for n in range(size)]
            assert {(r.system, r.var, r.keys): (r.value, type(r.value)) for r in t.rows()} == {
                place: (value, type(value)) for place, value in rows_at(size).items()
            }
            assert t.get("end", "of hold") == (b"%d" % size if size else None)
            ends = {int(name) - 1 for name, _ in t.notes("hold")}
            assert ends >= set(printed)
            assert max(ends, default=-1) == size - 1
    finally:
        store.close()


def keep_appending(where: str, seed: int, durability: str) -> None:
    """Append until killed; a fault is printed as -1."""
    chance = random.Random(seed)
    store: Store | None = None
    while True:
        try:
            store = store or open_store(where, durability)
            with store.hold() as t:
                last = append(t, chance.randint(1, 4))
        except StoreError as fault:
            last = -1
            os.write(2, f"{fault}\n".encode())
            time.sleep(0.05)
        os.write(1, b"%d\n" % last)


def count(where: str, times: int, name: str) -> None:
    """Add 1 to a shared counter, `times` times, each in a hold of its own."""
    store = open_store(where)
    for i in range(times):
        with store.hold() as t:
            value = int(t.get("counter", "all") or b"0")
            t.put("counter", "all", b"%d" % (value + 1))
            t.append(f"{value} {name} {i}".encode())
            t.put_rows([Row("s", "mine", (name,), i + 1)])
    store.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["append", where, seed, durability]:
            keep_appending(where, int(seed), durability)
        case ["count", where, times, name]:
            count(where, int(times), name)
        case _:
            sys.exit(__doc__)
