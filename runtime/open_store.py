"""The words by which a user names a store, to the store."""

from __future__ import annotations

from runtime.store import Store, StoreError


def open_store(where: str, durability: str = "each") -> Store:
    """`memory:`, a URL of PostgreSQL (`postgresql://...`, with `?schema=...` at will), or the path of an SQLite file.

    What is not there yet is made. `durability` is `each`, `group` (the same, for who puts many decisions into one hold)
    or `relaxed`, which may lose the last holds when the machine fails. Raises `StoreError`.
    """
    if where == "memory:":
        from runtime.store_memory import MemoryStore

        return MemoryStore()
    scheme, separator, _ = where.partition("://")
    if separator and scheme in {"postgresql", "postgres"}:
        from runtime.store_postgres import PostgresStore

        return PostgresStore(where, durability)
    if separator or where.startswith(("memory:", ":memory:", "file:", "sqlite:")):
        raise StoreError(f"`{scheme}` is no kind of store; there are `memory:`, `postgresql://...` and paths of files")
    from runtime.store_sqlite import SqliteStore

    return SqliteStore(where, durability)
