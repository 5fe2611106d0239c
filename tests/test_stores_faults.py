"""What goes wrong with files, servers and what is in them is a `StoreError` that says what, and never half a hold."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runtime import store_postgres
from runtime.store import Row, Store, StoreError
from runtime.store_hold import Draft
from runtime.store_sqlite import SqliteStore

if TYPE_CHECKING:
    from stores_kinds import Place

pytest_plugins = ("stores_kinds",)

ROOT = Path(__file__).parent.parent


def add(store: Store, many: int = 1) -> int:
    """Append so many records, with a row and a note; how many records there are."""
    with store.hold() as t:
        for n in range(t.size(), t.size() + many):
            t.append(b"%d" % n)
        t.put_rows([Row("s", "v", ("k",), t.size())])
        t.put("kind", "name", b"%d" % t.size())
        return t.size()


def read(store: Store) -> None:
    """Read everything."""
    with store.hold() as t:
        t.since(0)
        list(t.rows())
        t.get("kind", "name")
        t.notes("kind")


def has(store: Store, size: int) -> None:
    """Assert that what `add` put is there, `size` records of it."""
    with store.hold() as t:
        assert list(t.since(0)) == [b"%d" % n for n in range(size)]
        assert list(t.rows()) == ([Row("s", "v", ("k",), size)] if size else [])
        assert list(t.notes("kind")) == ([("name", b"%d" % size)] if size else [])


def beside(place: Place, *statements: str) -> None:
    """Do something to what is in the store, past the store."""
    if place.kind == "sqlite":
        with closing(sqlite3.connect(place.where, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)
        return
    import psycopg

    url, _, schema = place.where.partition("&schema=")
    with psycopg.connect(url, autocommit=True, options=f"-csearch_path={schema}") as connection:
        for statement in statements:
            connection.execute(statement)


DAMAGE = {
    "UPDATE rows SET value = 'null'": "no bool, int or string",
    "UPDATE rows SET value = '1.5'": "no bool, int or string",
    "UPDATE rows SET value = '[1'": "no JSON",
    "UPDATE rows SET keys = '[1]'": "keys of a row",
    "UPDATE rows SET keys = 'null'": "keys of a row",
    "DELETE FROM records WHERE n = 3": "records are missing",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_reported_when_it_is_read(durable: Place, damage: str) -> None:
    store = durable.open()
    assert add(store, 1200) == 1200
    beside(durable, damage)
    with pytest.raises(StoreError, match=DAMAGE[damage]):
        read(store)
    with pytest.raises(StoreError, match=DAMAGE[damage]):
        read(durable.open())


@pytest.mark.parametrize("gone", [0, 1150])
def test_gaps_at_the_ends_are_found_on_opening(durable: Place, gone: int) -> None:
    store = durable.open()
    add(store, 1200)
    store.close()
    beside(durable, f"DELETE FROM records WHERE n = {gone}")
    with pytest.raises(StoreError, match="records are missing"):
        durable.open()


def test_a_store_does_not_go_back(durable: Place) -> None:
    store = durable.open()
    add(store, 3)
    beside(durable, "DELETE FROM records WHERE n = 2")
    if durable.kind == "postgres":
        beside(durable, "UPDATE head SET size = 2")
    with pytest.raises(StoreError, match="went back: it had 3 records, and has 2"):
        add(store)
    assert add(durable.open()) == 3


@pytest.mark.parametrize("opened", [False, True])
def test_tables_of_another_version_are_refused(durable: Place, opened: bool) -> None:
    store = durable.open()
    add(store)
    table = {"sqlite": "meta SET value", "postgres": "head SET version"}[durable.kind]
    beside(durable, f"UPDATE {table} = 2")
    with pytest.raises(StoreError, match="version 2 of the tables; this program knows 1"):
        read(store if opened else durable.open())


def test_who_locks_a_file_is_waited_for_boundedly(file: Place) -> None:
    store = file.open(wait=0.05)
    with closing(sqlite3.connect(file.where, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"):
            add(store)
        with pytest.raises(StoreError, match="database is locked"):
            file.open(wait=0.05)
    assert add(store) == 1


@pytest.mark.parametrize("content", [b"not a database, and long enough to be one" * 200, b"short"])
def test_a_file_of_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"notes.txt.*(not a database|something else)"):
        SqliteStore(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_database_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE records(n INTEGER PRIMARY KEY, record BLOB)")
    content = path.read_bytes()
    with pytest.raises(StoreError, match="something else"):
        SqliteStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("path", ["no/such/folder/store.db", ".", ""])
def test_no_place_for_a_file(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"unable to open database file|is empty"):
        SqliteStore(path)


RESTRICTED = """
import os, resource, sys
from runtime.store import StoreError
from runtime.store_sqlite import SqliteStore
{restrict}
try:
    store = SqliteStore(sys.argv[1])
    for n in range(1000):
        with store.hold() as t:
            t.append(bytes(10_000))
            t.put("n", "", b"%d" % (n + 1))
except StoreError as fault:
    print(fault)
    sys.exit(7)
"""


def restricted(path: Path, restrict: str) -> str:
    """What the fault is when records are added until there is one, in a process that may do less."""
    program = RESTRICTED.format(restrict=restrict)
    done = subprocess.run([sys.executable, "-c", program, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 7)
    return done.stdout


def test_a_file_that_cannot_grow(file: Place) -> None:
    """As on a full disk: what was answered is there, what failed is not, and with room it goes on."""
    path = Path(file.where)
    said = restricted(path, "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))")
    assert "disk" in said
    with file.open().hold() as t:
        size = t.size()
        assert 5 < size < 30
        assert t.get("n", "") == b"%d" % size
        t.append(b"more")
    with file.open().hold() as t:
        assert list(t.since(size - 1)) == [bytes(10_000), b"more"]


def test_a_full_database(file: Place) -> None:
    store = file.open()
    add(store)
    store.medium.connection.execute("PRAGMA max_page_count = 12")

    def overfill() -> None:
        with store.hold() as t:
            t.put("kind", "name", b"lost")
            t.append(bytes(100_000))

    with pytest.raises(StoreError, match="full"):
        overfill()
    assert add(store) == 2
    has(store, 2)


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_that_is_read_only(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "store.db"
    if exists:
        store = SqliteStore(path)
        add(store)
        store.close()
        path.chmod(0o444)
    tmp_path.chmod(0o555)
    for parent in list(tmp_path.parents)[:2]:
        parent.chmod(0o755)
    try:
        said = restricted(path, "if not os.getuid(): os.setuid(65534)")
    finally:
        tmp_path.chmod(0o755)
    assert "readonly" in said or "unable to open" in said


def test_a_file_that_is_removed_while_open(file: Place) -> None:
    store = file.open()
    add(store)
    Path(file.where).unlink()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"removed|No such file"):
            add(store)
    assert not Path(file.where).exists()


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_file_that_is_replaced_while_open(file: Place, suffix: str) -> None:
    store = file.open()
    add(store)
    path = Path(file.where + suffix)
    content = path.read_bytes()
    path.rename(path.with_suffix(".aside"))
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreError, match="removed or replaced"):
            add(store)


def test_a_file_that_is_damaged(file: Place) -> None:
    store = file.open()
    add(store, 2000)
    store.close()
    path = Path(file.where)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"malformed|not a database"):
        add(file.open())


@pytest.mark.parametrize(("durability", "level"), [("each", 2), ("group", 2), ("relaxed", 1)])
def test_how_a_file_is_synchronised(file: Place, durability: str, level: int) -> None:
    connection = file.open(durability=durability).medium.connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("setting", ["on", "off", "remote_write"])
@pytest.mark.parametrize("durability", ["each", "group", "relaxed"])
def test_how_a_server_is_synchronised(database: Place, durability: str, setting: str) -> None:
    """A server that does not wait for its disk is told to; one that waits for more is left as it is."""
    database.where += f"&options=-csynchronous_commit%3D{setting}"
    found = database.open(durability=durability).medium.connection.execute("SHOW synchronous_commit").fetchone()
    assert found == ("off" if durability == "relaxed" else "on" if setting == "off" else setting,)


def test_schemas_are_apart(database: Place) -> None:
    assert add(database.open(), 3) == 3
    database.where += "b"
    assert add(database.open()) == 1


@pytest.mark.parametrize("schema", ["", "a b", "a%22b", "1a", "pg_catalog.x", "x" * 64])
def test_names_of_schemas(database: Place, schema: str) -> None:
    database.where = f"{database.where.partition('&schema=')[0]}&schema={schema}"
    with pytest.raises(StoreError, match="no name for a schema"):
        database.open()


def test_a_schema_of_something_else(database: Place) -> None:
    schema = database.where.partition("&schema=")[2]
    beside(database, f"CREATE SCHEMA {schema}", f"CREATE TABLE {schema}.records(text text)")
    with pytest.raises(StoreError, match="already exists"):
        database.open()
    beside(database, f"CREATE TABLE {schema}.head(text text)")
    with pytest.raises(StoreError, match="does not exist"):
        database.open()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@/db?host=/no/such/folder",
        "postgresql://user:secret@/db?no_such_option=1",
        "postgresql://user:sec/ret@host/db",
        "postgresql://user:secret@127.0.0.1:1/db",
        "postgresql://user:secret@[::1/db",
        "postgresql://user:sec\0ret@host/db",
    ],
)
def test_no_server_there_and_passwords_are_kept(url: str) -> None:
    with pytest.raises(StoreError) as raised:
        store_postgres.PostgresStore(url, wait=1)
    assert "sec" not in str(raised.value)


def test_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"policyctl\[postgres\]"):
        store_postgres.PostgresStore("postgresql://")


def cut(place: Place, store: Any) -> None:
    """End the store's connection, at the server."""
    pid = store.medium.connection.info.backend_pid
    beside(place, f"SELECT pg_terminate_backend({pid}, 10000)")


def test_a_connection_lost_between_holds_is_replaced(database: Place) -> None:
    store = database.open()
    add(store)
    cut(database, store)
    assert add(store) == 2
    has(store, 2)


LOSSES: dict[str, Callable[[Any], object]] = {
    "reading": lambda t: t.get("kind", "name"),
    "writing": lambda t: t.append(b"lost"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_connection_lost_in_a_hold_loses_the_hold(database: Place, loss: str) -> None:
    store = database.open()
    add(store)

    def lose() -> None:
        with store.hold() as t:
            t.append(b"lost")
            cut(database, store)
            LOSSES[loss](t)

    with pytest.raises(StoreError, match=r"connection|terminating"):
        lose()
    has(store, 1)
    assert add(store) == 2


WRITTEN = store_postgres._written


@pytest.mark.parametrize("answered", [False, True])
def test_a_connection_lost_while_a_hold_ends(database: Place, monkeypatch: pytest.MonkeyPatch, answered: bool) -> None:
    """Lost when the server had kept it already. If it can be asked, the hold was kept; if not, the fault says so."""
    store = database.open()
    add(store)

    def kept_and_cut(connection: Any, draft: Any) -> str | None:
        monkeypatch.undo()
        WRITTEN(connection, draft)
        cut(database, store)
        if not answered:
            monkeypatch.setattr(store.medium, "address", {"host": "/no/such/folder"})
        return WRITTEN(connection, draft)

    monkeypatch.setattr(store_postgres, "_written", kept_and_cut)
    if answered:
        assert add(store) == 2
    else:
        with pytest.raises(StoreError, match="the next hold shows whether it was kept"):
            add(store)
        monkeypatch.undo()
    has(store, 2)
    assert add(store) == 3


def test_the_end_of_a_failed_transaction_is_no_success(database: Place) -> None:
    store = database.open()
    add(store)

    def spoil() -> None:
        with store.hold() as t:
            t.append(b"lost")
            with pytest.raises(Exception, match="division"):
                store.medium.connection.execute("SELECT 1 / 0")

    with pytest.raises(StoreError, match=r"aborted|did not keep"):
        spoil()
    has(store, 1)
    assert add(store) == 2


def test_a_commit_that_is_answered_with_rollback_is_a_fault(database: Place) -> None:
    """COMMIT alone, after a transaction has failed, is answered with ROLLBACK and no fault."""
    medium = database.open().medium
    medium.begin()
    with pytest.raises(Exception, match="division"):
        medium.connection.execute("SELECT 1 / 0")
    with pytest.raises(StoreError, match="did not keep"):
        medium.commit(Draft(0))


def test_what_began_on_a_connection_does_not_end_on_another(database: Place) -> None:
    medium = database.open().medium
    for act in (lambda: medium.commit(Draft(0, [b"lost"])), lambda: medium.note(("kind", "name"))):
        medium.begin()
        medium.close()
        with pytest.raises(StoreError, match="connection is closed"):
            act()
    has(database.open(), 0)


def test_a_hold_in_which_nothing_happens_is_ended_by_the_server(
    database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_postgres, "ABANDONED", 1)
    stuck, other = database.open(), database.open(wait=30.0)

    def hang() -> None:
        with stuck.hold() as t:
            t.append(b"lost")
            assert add(other) == 1

    with pytest.raises(StoreError, match=r"idle|closed"):
        hang()
    has(other, 1)
    assert add(stuck) == 2
