"""Messages on their way to bots: columns with the tick of arrival go in, the messages of each tick come out.

A struct of arrays for each tick. Those of one tick come out in the order in which they were put in, so a run does not
depend on how its messages were grouped, and a mailbox that was saved and restored goes on exactly as the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
DUE, TAKEN = "due", "taken"
"""Names of arrays that a saved mailbox has beside its columns."""


@dataclass(slots=True)
class Mailbox:
    kinds: dict[str, str]
    """The columns of a message, and NumPy's names of their types."""
    taken: int = -1
    """The last tick whose messages were taken."""
    buckets: dict[int, list[Columns]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if {DUE, TAKEN} & set(self.kinds):
            raise ValueError(f"`{DUE}` and `{TAKEN}` are no names for columns")


def put(box: Mailbox, due: Any, columns: Mapping[str, Any]) -> None:
    """Adds messages that arrive at the ticks `due`, all of them later than what was taken."""
    due = np.asarray(due, dtype=np.int64)
    if set(columns) != set(box.kinds):
        raise ValueError(f"expected the columns {', '.join(sorted(box.kinds))}")
    if not due.size:
        return
    if due.min() <= box.taken:
        raise ValueError(f"a message is due at tick {due.min()}, but tick {box.taken} was taken")
    # Arrays are copied here, for their owner may change them before they are taken.
    values = {name: np.array(np.broadcast_to(columns[name], due.shape), dtype=kind) for name, kind in box.kinds.items()}
    first, last = int(due.min()), int(due.max())
    if first == last:
        box.buckets.setdefault(first, []).append(values)
        return
    # NumPy sorts numbers of 16 bits, and no wider ones, in time that grows with their count alone.
    offset = (due - first).astype(np.uint16) if last - first < 1 << 16 else due - first
    order = np.argsort(offset, kind="stable")
    ordered = due[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ticks = ordered[starts]
    values = {name: column[order] for name, column in values.items()}
    for tick, start, end in zip(ticks.tolist(), starts.tolist(), [*starts[1:].tolist(), due.size]):
        part = {name: column[start:end] for name, column in values.items()}
        box.buckets.setdefault(tick, []).append(part)


def take(box: Mailbox, tick: int) -> Columns:
    """Removes and returns the messages of a tick; ticks are taken one after the other."""
    if tick != box.taken + 1:
        raise ValueError(f"tick {tick} does not follow tick {box.taken}")
    box.taken = tick
    return _joined(box, box.buckets.pop(tick, []))


def waiting(box: Mailbox) -> int:
    """How many messages are on their way."""
    return sum(next(iter(part.values())).size for parts in box.buckets.values() for part in parts)


def save(box: Mailbox) -> Columns:
    """Plain arrays, from which `restore` makes the same mailbox."""
    ticks = sorted(box.buckets)
    parts = [part for tick in ticks for part in box.buckets[tick]]
    due = [np.full(next(iter(p.values())).size, tick, dtype=np.int64) for tick in ticks for p in box.buckets[tick]]
    found = _joined(box, parts)
    found[DUE] = np.concatenate([*due, np.zeros(0, dtype=np.int64)])
    found[TAKEN] = np.array([box.taken], dtype=np.int64)
    return found


def restore(saved: Mapping[str, NDArray[Any]]) -> Mailbox:
    columns = {name: column for name, column in saved.items() if name not in {DUE, TAKEN}}
    box = Mailbox({name: column.dtype.str for name, column in columns.items()}, int(saved[TAKEN][0]))
    put(box, saved[DUE], columns)
    return box


def _joined(box: Mailbox, parts: list[Columns]) -> Columns:
    empty = {name: np.zeros(0, dtype=kind) for name, kind in box.kinds.items()}
    return {name: np.concatenate([part[name] for part in parts] or [none]) for name, none in empty.items()}
