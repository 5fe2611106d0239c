"""Recorded traffic in Parquet or Arrow files to what a bundle decides about it, by columns where that is exact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policyctl.call_words import call_words
from policyctl.embed import policies_for_trial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from policydsl.trace import Decision
    from runtime.columns_replay import Replayed

SUFFIXES = frozenset({".parquet", ".arrow", ".feather"})
SHOWN = ("allow", "deny", "approve")
"""The words for the codes of `columns_decide.EFFECTS`."""
MOST_REASONS = 100_000
"""Reasons are spelled out for this many denials at most; counts are of all."""


class Answers:
    """The decisions of all policies of a bundle about one table of requests, `effects` by row."""

    def __init__(self, bundle: Path, rows: Any, given: Any) -> None:
        import numpy as np

        from runtime.columns_compiled import compiled
        from runtime.columns_decide import EFFECTS
        from runtime.columns_in import from_arrow
        from runtime.columns_replay import replay_table

        order = {"allow": 0, "deny": 1, "pending": 2}
        codes = np.array([order[e.value] for e in EFFECTS], np.uint8)
        self.effects: NDArray[np.uint8] = np.full(rows.num_rows, order["deny"], np.uint8)
        self._owner: NDArray[np.int16] = np.full(rows.num_rows, -1, np.int16)
        self._parts: list[Replayed] = []
        running = policies_for_trial(bundle, given).running
        self._systems = [policy.policy.system for policy in running]
        for number, policy in enumerate(running):
            traffic = from_arrow(policy.policy.system, rows)
            found = replay_table(policy.policy.system, policy.machine.content.params, policy.cells, traffic, compiled)
            own = found.part >= 0
            self.effects[own], self._owner[own] = codes[found.effects[own]], number
            self._parts.append(found)

    def __getitem__(self, row: int) -> Decision | None:
        """The decision about a row; None where no policy has its action."""
        owner = int(self._owner[row])
        return None if owner < 0 else self._parts[owner][row]

    def call(self, row: dict[str, Any]) -> str:
        """The request in a row, which has null in the columns of other actions."""
        inputs = {name: value for name, value in row.items() if name != "action" and value is not None}
        return call_words(str(row["action"]), inputs, self._systems)


def replay_tables(
    bundle: Path, traffic: Path, against: Path | None, given: Any, examples: int
) -> tuple[list[str], bool]:
    """What to print, and whether another bundle decides anything otherwise."""
    import numpy as np

    rows = _read(traffic)
    found = Answers(bundle, rows, given)
    lines = [f"{traffic}: {rows.num_rows:,} requests under {bundle}", f"  {_counts(found.effects)}", *_reasons(found)]
    if against is None:
        return lines, False
    before = Answers(against, rows, given)
    changed = np.flatnonzero(found.effects != before.effects)
    lines += ["", f"against {against}: {len(changed):,} decisions differ"]
    for (was, now), count in Counter(
        zip(before.effects[changed].tolist(), found.effects[changed].tolist())
    ).most_common():
        lines.append(f"  {SHOWN[was]} -> {SHOWN[now]}  {count:,}")
        alike = changed[(before.effects[changed] == was) & (found.effects[changed] == now)][:examples]
        for row in alike.tolist():
            lines.append(f"    row {row}: {found.call(rows.slice(row, 1).to_pylist()[0])}")
            lines.append(f"      was {_short(before[row])}, is {_short(found[row])}")
    return lines, len(changed) > 0


def _read(path: Path) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]

    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq  # type: ignore[import-untyped]

            return pq.read_table(path)
        from pyarrow import feather

        return feather.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise click.ClickException(f"{path}: {error}") from error


def _counts(effects: NDArray[np.uint8]) -> str:
    import numpy as np

    found = np.bincount(effects, minlength=len(SHOWN))
    return "  ".join(f"{word} {count:,}" for word, count in zip(SHOWN, found.tolist(), strict=True))


def _reasons(found: Answers) -> list[str]:
    import numpy as np

    denied = np.flatnonzero(found.effects == SHOWN.index("deny"))
    some = denied[:MOST_REASONS]
    why = Counter(_why(found[row]) for row in some.tolist())
    lines = [f"    denied {count:,}: {reason}" for reason, count in why.most_common(10)]
    if len(some) < len(denied):
        lines.append(f"    (of the first {len(some):,} of {len(denied):,} denials)")
    return lines


def _why(d: Decision | None) -> str:
    return "unknown action" if d is None else ", ".join(d.rules) or d.reason or "nothing permits it"


def _short(d: Decision | None) -> str:
    if d is None:
        return "deny (unknown action)"
    rules = f" by {', '.join(d.rules)}" if d.rules else ""
    return f"{'approve' if d.effect == 'pending' else d.effect}{rules}{f' ({d.reason})' if d.reason else ''}"
