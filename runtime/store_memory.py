"""A store that lasts as long as the process: for tests, for trials, and for state that is rebuilt at each start."""

from __future__ import annotations

from collections.abc import Iterable

from policydsl.core.types import Value
from runtime.store_hold import WAIT, Draft, HeldStore, Name, Place


class MemoryStore(HeldStore):
    """Records, rows and notes in lists and dicts. Threads may share it; processes cannot."""

    def __init__(self, wait: float = WAIT) -> None:
        super().__init__(_Memory(), wait)


class _Memory:
    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.values: dict[Place, Value] = {}
        self.texts: dict[str, dict[str, bytes]] = {}

    def begin(self) -> int:
        return len(self.kept)

    def records(self, n: int, size: int) -> list[bytes]:
        return self.kept[n:size]

    def rows(self) -> Iterable[tuple[Place, Value]]:
        return self.values.items()

    def note(self, name: Name) -> bytes | None:
        return self.texts.get(name[0], {}).get(name[1])

    def notes(self, kind: str) -> Iterable[tuple[str, bytes]]:
        return self.texts.get(kind, {}).items()

    def commit(self, draft: Draft) -> None:
        self.kept += draft.records
        if draft.cleared:
            self.values = {place: value for place, value in self.values.items() if place[0] not in draft.cleared}
        self.values |= draft.set_rows
        for place in draft.removed_rows:
            self.values.pop(place, None)
        for (kind, name), note in draft.notes.items():
            if note is None:
                self.texts.get(kind, {}).pop(name, None)
            else:
                self.texts.setdefault(kind, {})[name] = note

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        pass
