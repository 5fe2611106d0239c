"""A store, from the few things that a medium must do: what is put in a hold is drafted here, and written at its end.

NOTE(draft): nothing reaches the medium before the hold ends. So an exception costs nothing to undo, many decisions in
one hold are written together, and a medium has one moment at which it may fail instead of many. Reads see the medium
with the draft laid over it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from policydsl.core.types import Value
from runtime.store import Row, StoreError

WAIT = 5.0
"""Seconds to wait for a store that another one holds."""
MOST_DIGITS = 600
"""Python turns no longer a number into text under every setting of its limit on digits."""
_NUMBER = 10**MOST_DIGITS

Place = tuple[str, str, tuple[str, ...]]
"""System, variable and keys: what has one value."""
Name = tuple[str, str]
"""Kind and name of a note."""


@dataclass(slots=True)
class Draft:
    """What one hold is about to write: first remove `cleared`, then set `rows`; None removes a row or a note."""

    size: int
    records: list[bytes] = field(default_factory=list)
    cleared: set[str] = field(default_factory=set)
    rows: dict[Place, Value | None] = field(default_factory=dict)
    notes: dict[Name, bytes | None] = field(default_factory=dict)

    @property
    def set_rows(self) -> dict[Place, Value]:
        """The rows that get a value."""
        return {place: value for place, value in self.rows.items() if value is not None}

    @property
    def removed_rows(self) -> list[Place]:
        """The rows that are removed one by one."""
        return [place for place, value in self.rows.items() if value is None]

    def __bool__(self) -> bool:
        return bool(self.records or self.cleared or self.rows or self.notes)


class Medium(Protocol):
    """What a kind of store has to do. Every fault is a `StoreError`; after one, `rollback` is called."""

    def begin(self) -> int:
        """Wait for the exclusive hold, boundedly; the number of records."""

    def records(self, n: int, size: int) -> list[bytes]:
        """The records from `n` up to `size`, 0 <= n < size; a gap among them is a fault."""

    def rows(self) -> Iterable[tuple[Place, Value]]:
        """All rows."""

    def note(self, name: Name) -> bytes | None:
        """One note."""

    def notes(self, kind: str) -> Iterable[tuple[str, bytes]]:
        """All notes of a kind."""

    def commit(self, draft: Draft) -> None:
        """Write all of it, durably, and let go."""

    def rollback(self) -> None:
        """Write nothing and let go. Raises nothing."""

    def close(self) -> None:
        """Let go of everything. Raises nothing."""


class HeldStore:
    """A `Store` on a medium. `process` says which process asks, when it matters that a medium stays in one."""

    def __init__(self, medium: Medium, wait: float = WAIT, process: Callable[[], object] = lambda: None) -> None:
        self.medium = medium
        self.wait = wait
        self.turn = threading.Lock()
        self.holder = 0
        self.process = process
        self.opener = process()
        self.seen = 0
        self.closed = False

    def hold(self) -> Hold:
        """Hold the store exclusively; see `Store.hold`."""
        return Hold(self)

    def close(self) -> None:
        """Let go of everything; see `Store.close`."""
        if not self.closed:
            self.closed = True
            if self.process() == self.opener:  # otherwise it is in use where it was opened
                self.medium.close()


class Hold:
    """One hold, which is its own `Transaction`. Once anything failed in it, it can only end, in a `StoreError`."""

    __slots__ = ("_draft", "_failed", "_medium", "_open", "_store")

    def __init__(self, store: HeldStore) -> None:
        self._store = store
        self._medium = store.medium
        self._draft = Draft(0)
        self._open = False
        self._failed: StoreError | None = None

    def __enter__(self) -> Hold:
        store = self._store
        _take_turn(store)
        try:
            size = self._medium.begin()
            if size < store.seen:
                raise StoreError(f"the store went back: it had {store.seen} records, and has {size}")
        except BaseException:
            self._medium.rollback()
            _pass_turn(store)
            raise
        store.seen = size
        self._draft, self._failed, self._open = Draft(size), None, True
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._open = False
        store, draft = self._store, self._draft
        if store.closed and self._failed is None:
            self._fail("the store was closed")
        try:
            if kind is None and self._failed is None and draft:
                self._medium.commit(draft)
                store.seen = draft.size + len(draft.records)
            else:
                self._medium.rollback()
                if kind is None and self._failed is not None:
                    raise StoreError(f"nothing was kept: {self._failed}") from self._failed
        except BaseException:
            self._medium.rollback()
            raise
        finally:
            _pass_turn(store)

    def size(self) -> int:
        """See `Transaction.size`."""
        self._check()
        return self._draft.size + len(self._draft.records)

    def since(self, n: int) -> Sequence[bytes]:
        """See `Transaction.since`."""
        self._check()
        size, drafted = self._draft.size, self._draft.records
        if n < 0:
            raise self._fail("records are numbered from 0")
        if n >= size:
            return drafted[n - size :]
        try:
            return [*self._medium.records(n, size), *drafted]
        except StoreError as fault:
            raise self._fail(fault) from fault

    def rows(self) -> Iterator[Row]:
        """See `Transaction.rows`."""
        self._check()
        draft = self._draft
        try:
            found = dict(self._medium.rows())
        except StoreError as fault:
            raise self._fail(fault) from fault
        if draft.cleared:
            found = {place: value for place, value in found.items() if place[0] not in draft.cleared}
        found = {place: value for place, value in {**found, **draft.rows}.items() if value is not None}
        return iter([Row(*place, value) for place, value in found.items()])

    def append(self, record: bytes) -> None:
        """See `Transaction.append`."""
        self._check()
        if type(record) is not bytes:
            raise self._fail(f"a record is bytes, not {type(record).__name__}")
        self._draft.records.append(record)

    def put_rows(self, rows: Sequence[Row]) -> None:
        """See `Transaction.put_rows`."""
        self._check()
        drafted = self._draft.rows
        for row in rows:
            why = "" if row.value is None else not_kept(row.value)
            why = why or names_not_kept((row.system, row.var, *row.keys))
            if why or type(row.keys) is not tuple:
                raise self._fail(why or "the keys of a row are a tuple")
            drafted[row.system, row.var, row.keys] = row.value

    def clear_rows(self, system: str) -> None:
        """See `Transaction.clear_rows`."""
        self._check()
        draft = self._draft
        if why := names_not_kept((system,)):
            raise self._fail(why)
        draft.cleared.add(system)
        for place in [place for place in draft.rows if place[0] == system]:
            del draft.rows[place]

    def get(self, kind: str, name: str) -> bytes | None:
        """See `Transaction.get`."""
        self._check()
        if (kind, name) in self._draft.notes:
            return self._draft.notes[kind, name]
        if why := names_not_kept((kind, name)):
            raise self._fail(why)
        try:
            return self._medium.note((kind, name))
        except StoreError as fault:
            raise self._fail(fault) from fault

    def put(self, kind: str, name: str, note: bytes | None) -> None:
        """See `Transaction.put`."""
        self._check()
        if why := names_not_kept((kind, name)):
            raise self._fail(why)
        if note is not None and type(note) is not bytes:
            raise self._fail(f"a note is bytes, not {type(note).__name__}")
        self._draft.notes[kind, name] = note

    def notes(self, kind: str) -> Sequence[tuple[str, bytes]]:
        """See `Transaction.notes`."""
        self._check()
        if why := names_not_kept((kind,)):
            raise self._fail(why)
        found: dict[str, bytes | None]
        try:
            found = dict(self._medium.notes(kind))
        except StoreError as fault:
            raise self._fail(fault) from fault
        found |= {name: note for (k, name), note in self._draft.notes.items() if k == kind}
        return sorted((name, note) for name, note in found.items() if note is not None)

    def _check(self) -> None:
        if not self._open:
            raise StoreError("the hold of the store is over")
        if self._failed is not None:
            raise StoreError(f"the hold of the store has failed: {self._failed}")

    def _fail(self, fault: StoreError | str) -> StoreError:
        # SOUND: a caller that swallows a fault must not end up with half of what it meant to write.
        self._failed = fault if isinstance(fault, StoreError) else StoreError(fault)
        return self._failed


def not_kept(value: object) -> str:
    """Why a value cannot be kept so that the same one comes back, or ""."""
    # SOUND: types are compared, not asked: what is like a number (True, a case of an enum) must not become one.
    if type(value) is bool:
        return ""
    if type(value) is int:
        return "" if -_NUMBER < value < _NUMBER else f"a number of more than {MOST_DIGITS} digits cannot be kept"
    if type(value) is str:
        return names_not_kept((value,))
    return f"a value is a bool, an int or a str, not {type(value).__name__}"


def names_not_kept(names: Iterable[object]) -> str:
    """Why texts cannot be kept, or "". Halves of surrogate pairs are no text: two of them would come back as one."""
    for name in names:
        if type(name) is not str:
            return f"a name is a str, not {type(name).__name__}"
        if not name.isascii():
            try:
                name.encode()
            except UnicodeEncodeError:
                return "text with half of a surrogate pair cannot be kept"
    return ""


def _take_turn(store: HeldStore) -> None:
    if store.closed:
        raise StoreError("the store is closed")
    # A connection that two processes inherit would mix up what both of them say.
    if store.process() != store.opener:
        raise StoreError("the store was opened before this process was forked; open it in each process")
    me = threading.get_ident()
    if store.holder == me:
        raise StoreError("this thread holds the store already")
    if not store.turn.acquire(timeout=store.wait):
        raise StoreError(f"another thread has held the store for {store.wait:g} s")
    store.holder = me


def _pass_turn(store: HeldStore) -> None:
    store.holder = 0
    store.turn.release()
