"""What every kind of store must do: the contract of `runtime/store.py`, one suite for all of them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores_worker import complain

from policydsl.core.types import Value
from runtime.open_store import open_store
from runtime.store import Row, Store, StoreError, Transaction
from runtime.store_hold import MOST_DIGITS

if TYPE_CHECKING:
    from stores_kinds import Place

pytest_plugins = ("stores_kinds",)

ROOT = Path(__file__).parent.parent
WORKER = ROOT / "tests" / "stores_worker.py"
VALUES: tuple[Value, ...] = (
    True, False, 1, 0, -1, 2**63, -(2**64) - 1, 10**MOST_DIGITS - 1, 1 - 10**MOST_DIGITS,
    "", "1", "true", "null", "\0", "a\0b", "'\"\\\n\x1f\x7f", "é漢\U0001f600\uffff", "\\0", "x" * 100_000,
)  # fmt: skip
KEYS = (
    (),
    ("",),
    ("*",),
    ("a", "*"),
    ("a,b",),
    ("a", "b"),
    ('"', "\\"),
    ("\0",),
    ("\\0",),
    ("é", "E\u0301"),
    ("k" * 5000,),
)


class Case(IntEnum):
    ONE = 1


def typed(t: Transaction) -> dict[tuple[str, str, tuple[str, ...]], tuple[type, Value]]:
    return {(r.system, r.var, r.keys): (type(r.value), r.value) for r in t.rows()}


def filled(t: Transaction) -> None:
    t.append(b"first")
    t.put_rows([Row("s", "v", ("k",), 1)])
    t.put("kind", "name", b"note")


def fails(store: Store, act: Callable[[Transaction], object], fault: type[BaseException], text: str = ".*") -> None:
    """Assert that a hold in which `act` is done ends in such a fault."""
    with pytest.raises(fault, match=text), store.hold() as t:
        act(t)


def is_filled(t: Transaction) -> bool:
    seen = t.size(), list(t.since(0)), typed(t), t.get("kind", "name"), list(t.notes("kind"))
    return seen == (1, [b"first"], {("s", "v", ("k",)): (int, 1)}, b"note", [("name", b"note")])


def is_empty(t: Transaction) -> bool:
    return (t.size(), list(t.since(0)), typed(t), t.get("kind", "name"), list(t.notes("kind"))) == (0, [], {}, None, [])


def test_a_new_store_is_empty(anywhere: Place) -> None:
    with anywhere.open().hold() as t:
        assert is_empty(t)


def test_what_is_put_is_seen_at_once_and_later(anywhere: Place) -> None:
    store = anywhere.open()
    with store.hold() as t:
        filled(t)
        assert is_filled(t)
    with store.hold() as t:
        assert is_filled(t)


def test_values_come_back_as_they_were(anywhere: Place) -> None:
    store = anywhere.open()
    expected = {("s", f"v{i}", (str(i),)): (type(value), value) for i, value in enumerate(VALUES)}
    with store.hold() as t:
        t.put_rows([Row(*place, value) for place, (_, value) in expected.items()])
        assert typed(t) == expected
    with store.hold() as t:
        assert typed(t) == expected


def test_a_value_replaces_one_that_is_like_it(anywhere: Place) -> None:
    store = anywhere.open()
    for value in (1, True, "1", "true", 0, False):
        with store.hold() as t:
            t.put_rows([Row("s", "v", (), not value), Row("s", "v", (), value)])
        with store.hold() as t:
            assert typed(t) == {("s", "v", ()): (type(value), value)}


def test_keys_come_back_as_they_were(anywhere: Place) -> None:
    store = anywhere.open()
    with store.hold() as t:
        t.put_rows([Row("s", "v", keys, i) for i, keys in enumerate(KEYS)])
        t.put_rows([Row("s\0", "\\v", ("k",), 0), Row("s", "\0\\v", ("k",), 1)])
    with store.hold() as t:
        assert typed(t) == {("s", "v", keys): (int, i) for i, keys in enumerate(KEYS)} | {
            ("s\0", "\\v", ("k",)): (int, 0),
            ("s", "\0\\v", ("k",)): (int, 1),
        }


def test_records_are_numbered_from_0(anywhere: Place) -> None:
    store = anywhere.open()
    records = [b"", b"\0", b"\xff\xfe", b"a" * 200_000, "é".encode()]
    for i, record in enumerate(records[:3]):
        with store.hold() as t:
            assert t.size() == i
            t.append(record)
            assert t.size() == i + 1
    with store.hold() as t:
        t.append(records[3])
        t.append(records[4])
        for n in range(8):
            assert list(t.since(n)) == records[n:]
    with store.hold() as t:
        assert t.size() == 5
        for n in range(8):
            assert list(t.since(n)) == records[n:]


def test_notes(anywhere: Place) -> None:
    store = anywhere.open()
    names = ["", "Z", "a", "b\0", "b\\0", "\\", "\\\\0", "é", "\uffff", "\U0001f600", "n" * 5000]
    with store.hold() as t:
        for name in reversed(names):
            t.put("k", name, name.encode())
            t.put("K", name, b"other")
        assert list(t.notes("k")) == [(name, name.encode()) for name in sorted(names)]
    with store.hold() as t:
        assert list(t.notes("k")) == [(name, name.encode()) for name in sorted(names)]
        assert [t.get("k", name) for name in names] == [name.encode() for name in names]
        t.put("k", "a", None)
        t.put("k", "b\0", b"")
        t.put("k", "none", None)
        assert t.get("k", "a") is None
        assert t.get("k", "b\0") == b""
    with store.hold() as t:
        assert t.get("k", "a") is None
        assert t.get("k", "b\0") == b""
        assert [name for name, _ in t.notes("k")] == sorted(set(names) - {"a"})
        assert t.get("K", "a") == b"other"
        assert list(t.notes("no such kind")) == []


def test_rows_of_one_system_are_removed(anywhere: Place) -> None:
    store = anywhere.open()
    with store.hold() as t:
        t.put_rows([Row("old", "v", ("1",), 1), Row("old", "w", (), 2), Row("other", "v", ("1",), 3)])
    with store.hold() as t:
        t.put_rows([Row("old", "x", (), 4)])
        t.clear_rows("old")
        assert typed(t) == {("other", "v", ("1",)): (int, 3)}
        t.put_rows([Row("old", "w", (), 5)])
        t.clear_rows("never there")
        assert typed(t) == {("other", "v", ("1",)): (int, 3), ("old", "w", ()): (int, 5)}
    with store.hold() as t:
        assert typed(t) == {("other", "v", ("1",)): (int, 3), ("old", "w", ()): (int, 5)}


def test_a_row_is_removed(anywhere: Place) -> None:
    store = anywhere.open()
    with store.hold() as t:
        t.put_rows([Row("s", "v", (key,), 1) for key in ("a", "b", "c")])
        t.put_rows([Row("s", "v", ("c",), None), Row("s", "v", ("never there",), None)])
        assert set(typed(t)) == {("s", "v", ("a",)), ("s", "v", ("b",))}
    with store.hold() as t:
        t.put_rows([Row("s", "v", ("a",), None), Row("s", "v", ("b",), None), Row("s", "v", ("b",), False)])
        assert typed(t) == {("s", "v", ("b",)): (bool, False)}
    with store.hold() as t:
        assert typed(t) == {("s", "v", ("b",)): (bool, False)}


@pytest.mark.parametrize("fault", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing(anywhere: Place, fault: type[BaseException]) -> None:
    store = anywhere.open()

    def first(t: Transaction) -> None:
        filled(t)
        raise fault

    def second(t: Transaction) -> None:
        t.append(b"second")
        t.put_rows([Row("s", "v", ("k",), 2)])
        t.clear_rows("s")
        t.put("kind", "name", None)
        raise fault

    fails(store, first, fault)
    with store.hold() as t:
        assert is_empty(t)
        filled(t)
    fails(store, second, fault)
    with store.hold() as t:
        assert is_filled(t)


REFUSED: tuple[Callable[[Transaction], object], ...] = (
    *(
        lambda t, v=value: t.put_rows([Row("s", "v", (), v)])
        for value in (1.0, b"", Case.ONE, ["a"], 10**MOST_DIGITS, -(10**MOST_DIGITS), "\ud800", "a\udc80")
    ),
    lambda t: t.put_rows([Row("s", "v", ("\ud83d", "\ude00"), 1)]),
    lambda t: t.put_rows([Row("s", "v", (1,), 1)]),  # type: ignore[arg-type]
    lambda t: t.put_rows([Row("s", "v", ["k"], 1)]),  # type: ignore[arg-type]
    lambda t: t.put_rows([Row("\ud800", "v", (), 1)]),
    lambda t: t.clear_rows("\ud800"),
    lambda t: t.append("text"),  # type: ignore[arg-type]
    lambda t: t.append(bytearray(b"can change")),
    lambda t: t.put("kind", "name", "text"),  # type: ignore[arg-type]
    lambda t: t.put("kind", "\ud800", b""),
    lambda t: t.get("\ud800", "name"),
    lambda t: t.notes("\ud800"),
    lambda t: t.since(-1),
)


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_cannot_be_kept_is_refused_and_nothing_is_kept(anywhere: Place, number: int) -> None:
    store = anywhere.open()
    with store.hold() as t:
        filled(t)

    def refused(t: Transaction) -> None:
        t.append(b"before")
        REFUSED[number](t)

    def swallowed(t: Transaction) -> None:
        t.append(b"before")
        with pytest.raises(StoreError):
            REFUSED[number](t)
        with pytest.raises(StoreError, match="has failed"):
            t.append(b"after")

    fails(store, refused, StoreError)
    fails(store, swallowed, StoreError, "nothing was kept")
    with store.hold() as t:
        assert is_filled(t)


def test_what_was_read_does_not_change(anywhere: Place) -> None:
    store = anywhere.open()
    with store.hold() as t:
        filled(t)
        records, rows, notes = t.since(0), t.rows(), t.notes("kind")
        t.append(b"second")
        t.put_rows([Row("s", "v", ("k",), 2), Row("s", "w", (), 2)])
        t.put("kind", "other", b"")
    assert list(records) == [b"first"]
    assert list(rows) == [Row("s", "v", ("k",), 1)]
    assert list(notes) == [("name", b"note")]


def test_a_hold_is_over_when_it_is_over(anywhere: Place) -> None:
    store = anywhere.open()
    with store.hold() as t:
        filled(t)
    uses: tuple[Callable[[], object], ...] = (
        t.size,
        lambda: t.since(0),
        t.rows,
        lambda: t.append(b"late"),
        lambda: t.put_rows([]),
        lambda: t.clear_rows("s"),
        lambda: t.get("kind", "name"),
        lambda: t.put("kind", "name", None),
        lambda: t.notes("kind"),
    )
    for use in uses:
        with pytest.raises(StoreError, match="is over"):
            use()
    with store.hold() as t:
        assert is_filled(t)


def test_a_thread_does_not_wait_for_itself(anywhere: Place) -> None:
    store = anywhere.open(wait=1000.0)
    with store.hold() as t:
        fails(store, filled, StoreError, "holds the store already")
        filled(t)
    with store.hold() as t:
        assert is_filled(t)


def test_a_closed_store_cannot_be_held(anywhere: Place) -> None:
    store = anywhere.open()
    store.close()
    store.close()
    fails(store, filled, StoreError, "closed")


def test_closing_in_a_hold_loses_the_hold(anywhere: Place) -> None:
    store = anywhere.open()

    def close(t: Transaction) -> None:
        t.append(b"lost")
        store.close()

    def close_and_go_on(t: Transaction) -> None:
        close(t)
        t.append(b"lost too")

    fails(store, close, StoreError, "closed")
    for act in (close, close_and_go_on):
        store = anywhere.open()
        fails(store, act, StoreError, "closed")
    with anywhere.open().hold() as t:
        assert is_empty(t)


def test_a_hold_can_be_taken_again(anywhere: Place) -> None:
    store = anywhere.open()
    hold = store.hold()
    for n in range(3):
        with hold as t:
            assert list(t.since(0)) == [b"%d" % i for i in range(n)]
            t.append(b"%d" % n)
    fails(store, lambda t: t.append(None), StoreError)  # type: ignore[arg-type]
    with hold as t:
        assert t.size() == 3


def test_waiting_for_a_thread_is_bounded(anywhere: Place) -> None:
    store = anywhere.open(wait=0.05)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.hold() as t:
            filled(t)
            held.set()
            done.wait()

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    fails(store, filled, StoreError, "another thread")
    done.set()
    other.join()
    with store.hold() as t:
        assert is_filled(t)


def test_threads_take_turns(anywhere: Place) -> None:
    store = anywhere.open(wait=60.0)

    def add() -> None:
        for _ in range(50):
            with store.hold() as t:
                t.put("n", "", b"%d" % (int(t.get("n", "") or b"0") + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.hold() as t:
        assert t.get("n", "") == b"200"


def test_everything_is_there_after_reopening(durable: Place) -> None:
    store = durable.open()
    with store.hold() as t:
        filled(t)
        t.put_rows([Row("t", f"v{i}", KEYS[i % len(KEYS)], value) for i, value in enumerate(VALUES)])
        expected = typed(t)
    store.close()
    with durable.open().hold() as t:
        assert typed(t) == expected
        assert list(t.since(0)) == [b"first"]
        assert list(t.notes("kind")) == [("name", b"note")]


def test_stores_in_one_place_see_each_other(durable: Place) -> None:
    one, other = durable.open(), durable.open()
    for n in range(20):
        with (one, other)[n % 2].hold() as t:
            assert list(t.since(0)) == [b"%d" % i for i in range(n)]
            assert typed(t) == ({("s", "v", ()): (int, n)} if n else {})
            t.append(b"%d" % n)
            t.put_rows([Row("s", "v", (), n + 1)])


def test_waiting_for_another_store_is_bounded(durable: Place) -> None:
    one, other = durable.open(), durable.open(wait=0.05)
    with one.hold() as t:
        filled(t)
        fails(other, filled, StoreError, "lock")
    with other.hold() as t:
        assert is_filled(t)


def test_processes_share_a_place(durable: Place) -> None:
    many, times = 8, 25
    command = [sys.executable, WORKER, "count", durable.where, str(times)]
    workers = [subprocess.Popen([*command, str(i)], stderr=subprocess.PIPE) for i in range(many)]
    for worker in workers:
        assert (worker.communicate()[1].decode(), worker.returncode) == ("", 0)
    with durable.open().hold() as t:
        assert t.get("counter", "all") == b"%d" % (many * times)
        records = [record.decode().split() for record in t.since(0)]
        assert [int(value) for value, _, _ in records] == list(range(many * times))
        for name in map(str, range(many)):
            assert [int(i) for _, by, i in records if by == name] == list(range(times))
        assert typed(t) == {("s", "mine", (str(i),)): (int, times) for i in range(many)}


def test_a_forked_process_does_not_use_what_it_inherited(durable: Place) -> None:
    program = """
import os, sys
from runtime.open_store import open_store
from runtime.store import StoreError
store = open_store(sys.argv[1])
with store.hold() as t: t.append(b"parent")
if not os.fork():
    try:
        with store.hold() as t: t.append(b"child")
    except StoreError as fault:
        assert "fork" in str(fault)
        store.close()
        sys.exit(7)
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
with store.hold() as t: t.append(b"parent")
"""
    subprocess.run([sys.executable, "-c", program, durable.where], check=True, cwd=ROOT)
    with durable.open().hold() as t:
        assert list(t.since(0)) == [b"parent", b"parent"]


def test_kinds_are_told_apart_by_their_names(durable: Place) -> None:
    complain(durable.where, [])
    assert (Path(durable.where).exists(), durable.kind) in {(True, "sqlite"), (False, "postgres")}


@pytest.mark.parametrize(
    "where", ["mysql://host/db", "sqlite:///store.db", ":memory:", "memory:x", "file:store.db", ""]
)
def test_what_is_no_kind_of_store(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError):
        open_store(where)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["store.db", "postgresql://", "postgres://"])
def test_durability_is_one_of_three(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="durability"):
        open_store(where, "sometimes")
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_used_is_loaded(tmp_path: Path) -> None:
    program = """
import sys
from runtime.open_store import open_store
open_store("memory:")
assert not {"sqlite3", "psycopg", "z3", "cvc5", "lark", "verifier"} & set(sys.modules)
open_store(sys.argv[1])
assert not {"psycopg", "z3", "cvc5", "lark", "verifier"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, tmp_path / "store.db"], check=True, cwd=ROOT)


@dataclass
class Model:
    """What a store should hold, in the plainest way."""

    records: list[bytes] = field(default_factory=list)
    rows: dict[tuple[str, str, tuple[str, ...]], tuple[type, Value]] = field(default_factory=dict)
    notes: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def copy(self) -> Model:
        return Model(list(self.records), dict(self.rows), dict(self.notes))

    def agrees(self, t: Transaction) -> None:
        assert t.size() == len(self.records)
        middle = len(self.records) // 2
        assert list(t.since(0)) == self.records
        assert list(t.since(middle)) == self.records[middle:]
        assert typed(t) == self.rows
        for kind in WORDS:
            assert list(t.notes(kind)) == sorted((name, note) for (k, name), note in self.notes.items() if k == kind)
            for name in WORDS:
                assert t.get(kind, name) == self.notes.get((kind, name))


WORDS = ("", "a", "\0", "\\", "\\0", "é")
words = st.sampled_from(WORDS)
places_of_rows = st.tuples(words, words, st.lists(words, max_size=2).map(tuple))
ops = st.one_of(
    st.tuples(st.just("append"), st.binary(max_size=8)),
    st.tuples(
        st.just("put_rows"), st.lists(st.tuples(places_of_rows, st.none() | st.sampled_from(VALUES[:-1])), max_size=4)
    ),
    st.tuples(st.just("clear_rows"), words),
    st.tuples(st.just("put"), words, words, st.none() | st.binary(max_size=4)),
    st.tuples(st.just("look")),
)
holds = st.lists(st.tuples(st.sampled_from(["ends", "ends", "ends", "raises", "breaks"]), st.lists(ops, max_size=6)))


Op = tuple[Any, ...]


def act(t: Transaction, model: Model, op: Op) -> None:
    match op:
        case "append", record:
            t.append(record)
            model.records.append(record)
        case "put_rows", rows:
            t.put_rows([Row(*place, value) for place, value in rows])
            for place, value in rows:
                model.rows.pop(place, None)
                if value is not None:
                    model.rows[place] = type(value), value
        case "clear_rows", system:
            t.clear_rows(system)
            model.rows = {place: value for place, value in model.rows.items() if place[0] != system}
        case "put", kind, name, None:
            t.put(kind, name, None)
            model.notes.pop((kind, name), None)
        case "put", kind, name, note:
            t.put(kind, name, note)
            model.notes[kind, name] = note
        case _:
            model.agrees(t)


def agree(anywhere: Place, examples: int) -> None:
    """Holds that end, that raise, and that go wrong unseen; with stores that are opened again, and with two at once."""

    @settings(max_examples=examples, deadline=None, database=None)
    @given(plan=holds, reopened=st.sets(st.integers(0, 8)), swapped=st.sets(st.integers(0, 8)))
    def run(plan: list[tuple[str, list[Op]]], reopened: set[int], swapped: set[int]) -> None:
        one_plan(anywhere, plan, reopened, swapped)

    run()


def test_a_store_does_what_lists_and_dicts_do(anywhere: Place) -> None:
    agree(anywhere, {"memory": 60, "sqlite": 40, "postgres": 12}[anywhere.kind])


@pytest.mark.slow
def test_a_store_does_what_lists_and_dicts_do_at_length(anywhere: Place) -> None:
    agree(anywhere, {"memory": 2000, "sqlite": 600, "postgres": 200}[anywhere.kind])


def one_plan(anywhere: Place, plan: list[tuple[str, list[Op]]], reopened: set[int], swapped: set[int]) -> None:
    """Start from nothing but the records that are there, and do what is planned."""
    model, store = Model(), anywhere.open()
    with store.hold() as t:
        for system in {row.system for row in t.rows()}:
            t.clear_rows(system)
        for kind in WORDS:
            for name, _ in t.notes(kind):
                t.put(kind, name, None)
        model.records += t.since(0)
    stores = [store, store if anywhere.kind == "memory" else anywhere.open()]
    for number, (end, acts) in enumerate(plan):
        if number in reopened and anywhere.kind != "memory":
            stores[0].close()
            stores[0] = anywhere.open()
        draft = model.copy()
        try:
            with stores[number in swapped].hold() as t:
                draft.agrees(t)
                for op in acts:
                    act(t, draft, op)
                draft.agrees(t)
                if end == "raises":
                    raise ZeroDivisionError
                if end == "breaks":
                    with pytest.raises(StoreError):
                        t.append(None)  # type: ignore[arg-type]
            assert end == "ends"
            model = draft
        except ZeroDivisionError:
            assert end == "raises"
        except StoreError:
            assert end == "breaks"
    with stores[0].hold() as t:
        model.agrees(t)
    anywhere.close()
