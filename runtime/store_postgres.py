"""A store in a schema of a PostgreSQL database, which enforcers on several machines may share.

A hold locks the one row of `head` (`SELECT ... FOR UPDATE`) and reads at READ COMMITTED. All decisions are in one order
anyway (NOTE(one-order)), so serializable transactions would all conflict, and be repeated, where a row lock lets them
queue. Who waits for the lock sees what was committed before it: each statement has its own snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from multiprocessing import current_process
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from policydsl.core.types import Value
from runtime.store import StoreError
from runtime.store_hold import WAIT, Draft, HeldStore, Name, Place
from runtime.store_text import keys_from_text, keys_to_text, value_from_text, value_to_text

if TYPE_CHECKING:
    import psycopg

VERSION = 1
"""Of the tables below. Another version in a schema is refused."""
SCHEMA = "policyctl"
TURN_OF_MAKERS = 0x504F4C43
"""Key of the advisory lock under which tables are made: `IF NOT EXISTS` fails when two do it at the same time."""
NEWEST = 1000
"""Records that are counted on opening. Older ones are counted when they are read."""
ABANDONED = 60
"""Seconds after which the server ends a hold in which nothing happens, so that one stuck process does not stop all."""

# Keys and names can be long, and an entry of an index cannot (2704 bytes): rows and notes are found by a digest.
TABLES = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE {schema}.head(one bool PRIMARY KEY CHECK (one), version int NOT NULL, size bigint NOT NULL)
  WITH (fillfactor = 10);
CREATE TABLE {schema}.records(n bigint PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE {schema}.rows(id bytea PRIMARY KEY, system text NOT NULL, var text NOT NULL, keys text NOT NULL,
  value text NOT NULL);
CREATE TABLE {schema}.notes(id bytea PRIMARY KEY, kind text NOT NULL, name text NOT NULL, note bytea NOT NULL);
CREATE INDEX notes_by_kind ON {schema}.notes(kind);
INSERT INTO {schema}.head VALUES(true, {version}, 0);
"""
SESSION = """SELECT
  set_config('search_path', %(path)s, false), set_config('lock_timeout', %(lock)s, false),
  set_config('statement_timeout', %(statement)s, false),
  set_config('idle_in_transaction_session_timeout', %(abandoned)s, false),
  set_config('default_transaction_isolation', 'read committed', false),
  set_config('synchronous_commit', CASE WHEN %(relaxed)s::bool THEN 'off'
    ELSE coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on') END, false)"""
# Reads the tables of the catalog: `to_regclass` may answer from a cache of the session.
MADE = """SELECT EXISTS(SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
  WHERE s.nspname = %s AND c.relname = 'head')"""
BEGIN = "BEGIN; SELECT version, size, pg_current_xact_id()::text FROM head WHERE one FOR UPDATE"
CHECK = """SELECT (SELECT min(n) FROM records), (SELECT coalesce(max(n) + 1, 0) FROM records),
  (SELECT count(*) FROM records WHERE n >= %s)"""
INSERT_RECORDS = """INSERT INTO records
  SELECT %s::bigint + i - 1, record FROM unnest(%b::bytea[]) WITH ORDINALITY AS new(record, i)"""
DELETE_ROWS = "DELETE FROM rows WHERE system = ANY(%b::text[])"
REMOVE_ROWS = "DELETE FROM rows WHERE id = ANY(%b::bytea[])"
INSERT_ROWS = """INSERT INTO rows SELECT * FROM unnest(%b::bytea[], %b::text[], %b::text[], %b::text[], %b::text[])
  ON CONFLICT (id) DO UPDATE SET value = excluded.value"""
DELETE_NOTES = "DELETE FROM notes WHERE id = ANY(%b::bytea[])"
INSERT_NOTES = """INSERT INTO notes SELECT * FROM unnest(%b::bytea[], %b::text[], %b::text[], %b::bytea[])
  ON CONFLICT (id) DO UPDATE SET note = excluded.note"""


class PostgresStore(HeldStore):
    """Records, rows and notes in the schema `policyctl` of the database at `url`, or in the one named by its option
    `?schema=...`; made if it is not there. Needs sessions of its own: a pooler must not share them between clients.

    `durability`: after `each` (or `group`) hold the server has it on disk; `relaxed` leaves that to the server's next
    flush. Waiting for other holders, for an answer and for a connection is bounded by a few times `wait` seconds. A
    lost connection fails the hold, and the next hold makes another. When it is lost while a hold ends, the server is
    asked again whether the hold was kept; when that fails too, the error says so, and the next hold will show.
    """

    def __init__(self, url: str, durability: str = "each", wait: float = WAIT) -> None:
        if durability not in {"each", "group", "relaxed"}:
            raise StoreError(f"durability is one of each, group, relaxed, not {durability!r}")
        super().__init__(_Server(url, durability == "relaxed", wait), wait, lambda: current_process().pid)


class _Server:
    def __init__(self, url: str, relaxed: bool, wait: float) -> None:
        try:
            import psycopg
        except ImportError as fault:
            raise StoreError("PostgreSQL needs the extra `postgres`: pip install 'policyctl[postgres]'") from fault
        self.faults = (psycopg.Error, OSError, ValueError, OverflowError, MemoryError)
        self.address, self.schema = _split(url)
        self.relaxed = relaxed
        self.wait = wait
        self.connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self.transaction = ""
        self._connected()

    def begin(self) -> int:
        connection = self._connected()
        try:
            found = _begun(connection)
        except self.faults as fault:
            if not connection.broken:
                raise self._fault(fault) from fault
            # It had died since the last hold, and nothing was done on it: another one is as good.
            self.close()
            try:
                found = _begun(self._connected())
            except self.faults as again:
                raise self._fault(again) from again
        size, self.transaction = self._head(found)
        return size

    def records(self, n: int, size: int) -> list[bytes]:
        found = self._all("SELECT record FROM records WHERE n >= %s ORDER BY n", (n,))
        if len(found) != size - n:
            raise self._fault(f"records are missing between {n} and {size}")
        return [record for (record,) in found]

    def rows(self) -> Iterable[tuple[Place, Value]]:
        found = self._all("SELECT system, var, keys, value FROM rows")
        return [((_full(s), _full(v), keys_from_text(keys)), value_from_text(value)) for s, v, keys, value in found]

    def note(self, name: Name) -> bytes | None:
        found = self._all("SELECT note FROM notes WHERE id = %b", (_id(name),))
        return found[0][0] if found else None

    def notes(self, kind: str) -> Iterable[tuple[str, bytes]]:
        found = self._all("SELECT name, note FROM notes WHERE kind = %s", (_plain(kind),))
        return [(_full(name), note) for name, note in found]

    def commit(self, draft: Draft) -> None:
        connection = self._held()
        try:
            done = _written(connection, draft)
        except self.faults as fault:
            self._settle(connection, fault)
            return
        # SOUND: the server answers the end of a transaction that has failed with ROLLBACK, which is not an error.
        if done != "COMMIT":
            raise self._fault("the server did not keep the hold")

    def rollback(self) -> None:
        if self.connection is None:
            return
        try:
            self.connection.execute("ROLLBACK")
        except self.faults:
            self.close()

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            try:
                connection.close()
            except self.faults:
                pass

    def _settle(self, connection: psycopg.Connection[tuple[Any, ...]], fault: BaseException) -> None:
        """Raise, unless the hold was kept all the same: the connection may be lost after the server did its part."""
        if not connection.broken:
            raise self._fault(fault) from fault
        transaction = self.transaction
        self.close()
        try:
            self.begin()  # which waits until the lost transaction is over
            found = self._all("SELECT pg_xact_status(%s::xid8)", (transaction,))
            self.rollback()
        except StoreError:
            lost = f"the connection was lost while a hold ended; the next hold shows whether it was kept: {fault}"
            raise self._fault(lost) from fault
        if found != [("committed",)]:
            raise self._fault(fault) from fault

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._held().execute(query, values, binary=True).fetchall()
        except self.faults as fault:
            raise self._fault(fault) from fault

    def _held(self) -> psycopg.Connection[tuple[Any, ...]]:
        # SOUND: on a new connection there is no transaction, and each statement would be kept by itself.
        if self.connection is None:
            raise self._fault("the connection is closed")
        return self.connection

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self.connection is None:
            import psycopg

            try:
                self.connection = psycopg.connect(**_with_bounds(self.address, self.wait))
                self._set_up(self.connection)
                self._check(self.connection)
            except (*self.faults, StoreError) as fault:
                self.close()
                raise fault if isinstance(fault, StoreError) else self._fault(fault) from fault
        return self.connection

    def _set_up(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        from psycopg import sql

        connection.execute(
            SESSION,
            {
                "path": sql.Identifier(self.schema).as_string(connection),
                "lock": str(round(self.wait * 1000)),
                "statement": str(round(self.wait * 2000)),
                "abandoned": f"{ABANDONED}s",
                "relaxed": self.relaxed,
            },
        )
        if connection.execute(MADE, (self.schema,)).fetchone() == (True,):
            return
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (TURN_OF_MAKERS,))
            if connection.execute(MADE, (self.schema,)).fetchone() != (True,):
                names = {"schema": sql.Identifier(self.schema), "version": sql.Literal(VERSION)}
                connection.execute(sql.SQL(TABLES).format(**names))

    def _check(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        size, _ = self._head(_begun(connection))
        first = max(0, size - NEWEST)
        low, end, count = connection.execute(CHECK, (first,)).fetchall()[0]
        connection.execute("ROLLBACK")
        if low not in {None, 0} or end != size or count != size - first:
            raise self._fault("records are missing")

    def _head(self, found: list[tuple[Any, ...]]) -> tuple[int, str]:
        if len(found) != 1:
            raise self._fault("its row in `head` is missing")
        ((version, size, transaction),) = found
        if version != VERSION:
            raise self._fault(f"it has version {version} of the tables; this program knows {VERSION}")
        return size, transaction

    def _fault(self, why: BaseException | str) -> StoreError:
        return StoreError(
            f"the store in schema `{self.schema}` of PostgreSQL: {str(why).strip() or type(why).__name__}"
        )


def _begun(connection: psycopg.Connection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    cursor = connection.execute(BEGIN, prepare=False)
    cursor.nextset()
    return cursor.fetchall()


def _written(connection: psycopg.Connection[tuple[Any, ...]], draft: Draft) -> str | None:
    """Write the draft in one round trip; what the server said to COMMIT."""
    with connection.pipeline():
        if draft.cleared:
            connection.execute(DELETE_ROWS, ([_plain(system) for system in draft.cleared],))
        if draft.records:
            connection.execute(INSERT_RECORDS, (draft.size, draft.records))
            connection.execute("UPDATE head SET size = %s WHERE one", (draft.size + len(draft.records),))
        if gone := draft.removed_rows:
            connection.execute(REMOVE_ROWS, ([_id((s, v, *keys)) for s, v, keys in gone],))
        if put_rows := draft.set_rows:
            columns = zip(
                *(
                    (_id((s, v, *keys)), _plain(s), _plain(v), keys_to_text(keys), value_to_text(value))
                    for (s, v, keys), value in put_rows.items()
                )
            )
            connection.execute(INSERT_ROWS, [list(column) for column in columns])
        removed = [_id(name) for name, note in draft.notes.items() if note is None]
        if removed:
            connection.execute(DELETE_NOTES, (removed,))
        put = [(_id(name), *map(_plain, name), note) for name, note in draft.notes.items() if note is not None]
        if put:
            connection.execute(INSERT_NOTES, [list(column) for column in zip(*put)])
        ended = connection.execute("COMMIT")
    return ended.statusmessage


def _split(url: str) -> tuple[dict[str, Any], str]:
    """What libpq is told of `url`, and the name of the schema."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    base, _, query = url.partition("?")
    options = query.split("&") if query else []
    named = [unquote(option.removeprefix("schema=")) for option in options if option.startswith("schema=")]
    schema = named[-1] if named else SCHEMA
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", schema):
        raise StoreError(f"`{schema}` is no name for a schema: letters, digits and `_`, at most 63")
    others = "&".join(option for option in options if not option.startswith("schema="))
    try:
        return conninfo_to_dict(f"{base}?{others}" if others else base), schema
    except (psycopg.Error, ValueError):
        # What libpq says of it may quote the password.
        raise StoreError("the address of the store is not a URL of PostgreSQL") from None


def _with_bounds(address: dict[str, Any], wait: float) -> dict[str, Any]:
    bounds: dict[str, Any] = {
        "application_name": "policyctl",
        "connect_timeout": max(2, round(wait)),
        "tcp_user_timeout": round(wait * 2000),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    return bounds | address | {"autocommit": True, "client_encoding": "utf8"}


def _id(names: tuple[str, ...]) -> bytes:
    return sha256(keys_to_text(names).encode()).digest()


def _plain(name: str) -> str:
    """PostgreSQL has no NUL in texts."""
    return name.replace("\\", "\\\\").replace("\0", "\\0") if "\0" in name or "\\" in name else name


def _full(text: str) -> str:
    """What `_plain` was given."""
    return re.sub(r"\\(.)", lambda found: "\0" if found[1] == "0" else "\\", text) if "\\" in text else text
