"""The record of a run: what the engine reports goes into a directory, and comes out of it again.

NOTE(record): a file is written beside its place and then moved there, a checkpoint is a directory that is moved there
when it is complete, and `run.json`, written last, says what is finished. So whenever a process dies, what stands there
can be read, and the run goes on from its last checkpoint.

    run.json          format, scenario, seed, policies, what was changed on the way, hash of the last state
    metrics.parquet   a row for each tick, a column for each measure, with units
    decisions.parquet proposal, submitted_ms, executed_ms of each executed proposal
    happenings.jsonl  what people should be able to read afterwards
    summary.json      the metrics
    compliance.json   the Auditor's report, if there is an Auditor
    reputation.json   the scores of the last epoch and the roots of all, if there is a Reputation Tracker
    checkpoints/      a state of the engine each, with what was recorded until then
    report.html, plots/
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from simulator.compliance import Compliance
from simulator.measures import BY_NAME, NAMES, Columns, columns, row
from simulator.metrics import evaluate
from simulator.scenario import Scenario, ScenarioError, from_data, to_data

FORMAT = "policyctl.run/1"
HEADER = "run.json"
COMPLIANCE = "compliance.json"
SCORES = "reputation.json"
CHECKPOINTS = "checkpoints"


class RecordError(ValueError):
    """What is in a directory is no record of a run, or not the one that is asked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """Parameters of the policy that were changed before a tick."""

    tick: int
    parameters: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Header:
    scenario: Scenario
    seed: int
    run: int = 0
    """Which of the runs with this seed; another number is another draw of everything."""
    done: int = 0
    """Ticks that are recorded."""
    final: str = ""
    """The hash of the state after them."""
    policies: Mapping[str, str] = field(default_factory=dict)
    """The digest of each policy that governed it."""
    changes: tuple[Change, ...] = ()
    parent: str = ""
    """The run from which it was forked, if it was."""

    @property
    def complete(self) -> bool:
        return self.done >= self.scenario.ticks


@dataclass(slots=True)
class History:
    """What a run has reported so far."""

    rows: list[NDArray[np.float64]] = field(default_factory=list)
    decided: list[tuple[int, int, int]] = field(default_factory=list)
    happenings: list[dict[str, Any]] = field(default_factory=list)

    def add(self, ticked: Any) -> None:
        """A tick, as the engine reports it."""
        self.rows.append(row(ticked.measures))
        self.decided += [(int(p), int(s), int(e)) for p, s, e in ticked.decided]
        self.happenings += [plain(h) for h in ticked.happenings]

    @property
    def columns(self) -> dict[str, NDArray[np.float64]]:
        return columns(self.rows)


def plain(happening: Any) -> dict[str, Any]:
    """A happening as JSON knows it, of a `Happening` or a mapping with its fields."""
    get = happening.__getitem__ if isinstance(happening, Mapping) else partial(getattr, happening)
    found: dict[str, Any] = {name: int(get(name)) for name in ("tick", "now", "incident", "number")}
    return found | {name: str(get(name)) for name in ("who", "kind", "text", "subject")}


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A run as it was read from its directory."""

    path: Path
    header: Header
    columns: Columns
    decided: NDArray[np.int64]
    happenings: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, float]
    compliance: Compliance | None = None

    @property
    def name(self) -> str:
        return self.path.name


def write_text(path: Path, text: str) -> None:
    """The whole text stands at `path` afterwards, or what stood there before."""
    write(path, lambda beside: beside.write_bytes(text.encode()))


def write(path: Path, to: Callable[[Path], object]) -> None:
    """What `to` writes to the path that it is given stands at `path` when it is complete, and not before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    to(beside)
    beside.replace(path)


def write_history(folder: Path, history: History) -> None:
    """Columns, decisions and happenings of a run."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    fields = [pa.field("tick", pa.int64(), metadata={"unit": "ticks", "meaning": "since the run began"})]
    arrays = [pa.array(np.arange(len(history.rows)), pa.int64())]
    for name, values in history.columns.items():
        measure = BY_NAME[name]
        fields.append(pa.field(name, pa.float64(), metadata={"unit": measure.unit, "meaning": measure.meaning}))
        arrays.append(pa.array(values, pa.float64()))
    ticks = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    write(folder / "metrics.parquet", lambda p: pq.write_table(ticks, p))
    table = np.array(history.decided, dtype=np.int64).reshape(-1, 3)
    names = ("proposal", "submitted_ms", "executed_ms")
    decided = pa.table({n: pa.array(table[:, i], pa.int64()) for i, n in enumerate(names)})
    write(folder / "decisions.parquet", lambda p: pq.write_table(decided, p))
    write_text(folder / "happenings.jsonl", "".join(f"{json.dumps(h)}\n" for h in history.happenings))


def read_history(folder: Path) -> History:
    """The same again. Raises `RecordError`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        ticks = pq.read_table(folder / "metrics.parquet")
        decided = pq.read_table(folder / "decisions.parquet")
        lines = (folder / "happenings.jsonl").read_text("utf-8").splitlines()
        table = np.column_stack([ticks[n].to_numpy() for n in NAMES]).reshape(-1, len(NAMES))
        rows = [np.asarray(r, dtype=np.float64) for r in table]
        what = [decided[n].to_pylist() for n in ("proposal", "submitted_ms", "executed_ms")]
        return History(rows, list(zip(*what, strict=True)), [json.loads(line) for line in lines])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise RecordError(f"`{folder}` cannot be read as a record: {error}") from None


def write_header(folder: Path, header: Header) -> None:
    data = {
        "format": FORMAT,
        "scenario": to_data(header.scenario),
        "seed": header.seed,
        "run": header.run,
        "done": header.done,
        "final": header.final,
        "policies": dict(header.policies),
        "changes": [{"tick": c.tick, "parameters": dict(c.parameters)} for c in header.changes],
        "parent": header.parent,
    }
    write_text(folder / HEADER, f"{json.dumps(data, indent=2)}\n")


def read_header(folder: Path) -> Header:
    """Raises `RecordError` where there is no run."""
    try:
        data = json.loads((folder / HEADER).read_text("utf-8"))
        if data["format"] != FORMAT:
            raise RecordError(f"`{folder}` has the format `{data['format']}`, and this is `{FORMAT}`")
        scenario, done = from_data(data["scenario"]), int(data["done"])
        if not 0 <= done <= scenario.ticks:
            text = f"{done} ticks are recorded, and the scenario has {scenario.ticks}"
            raise RecordError(f"`{folder / HEADER}` cannot be true: {text}")
        return Header(
            scenario,
            int(data["seed"]),
            int(data["run"]),
            done,
            str(data["final"]),
            {str(k): str(v) for k, v in data["policies"].items()},
            tuple(
                Change(int(c["tick"]), {str(k): int(v) for k, v in c["parameters"].items()}) for c in data["changes"]
            ),
            str(data["parent"]),
        )
    except FileNotFoundError:
        raise RecordError(f"`{folder}` is no record of a run: there is no `{HEADER}` in it") from None
    except ScenarioError as error:
        raise RecordError(f"`{folder / HEADER}` has a scenario that is none: {error}") from None
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"`{folder / HEADER}` cannot be read: {error}") from None


def is_record(folder: Path) -> bool:
    return (folder / HEADER).is_file()


def finish(folder: Path, header: Header, history: History, compliance: Compliance | None = None) -> Record:
    """Writes everything but reports and checkpoints; the header comes last."""
    write_history(folder, history)
    figures = evaluate(header.scenario, history.columns, history.decided, history.happenings)
    write_text(folder / "summary.json", f"{json.dumps(_plain(figures), indent=2)}\n")
    if compliance is not None:
        write_text(folder / COMPLIANCE, f"{compliance.model_dump_json(indent=2)}\n")
    write_header(folder, header)
    decided = np.array(history.decided, dtype=np.int64).reshape(-1, 3)
    return Record(folder, header, history.columns, decided, history.happenings, figures, compliance)


def write_scores(folder: Path, scores: Mapping[str, Any] | None) -> None:
    """The reputations of the last epoch and the roots of all, if a Reputation Tracker took part."""
    if scores is not None:
        write_text(folder / SCORES, f"{json.dumps(scores)}\n")


def read(folder: Path) -> Record:
    """A run, complete or as far as it was recorded. Raises `RecordError`."""
    header = read_header(folder)
    place = folder if header.done else last_checkpoint(folder)
    if place is None:
        raise RecordError(f"nothing of the run in `{folder}` was recorded yet")
    history = read_history(place)
    figures = evaluate(header.scenario, history.columns, history.decided, history.happenings)
    decided = np.array(history.decided, dtype=np.int64).reshape(-1, 3)
    return Record(folder, header, history.columns, decided, history.happenings, figures, _compliance(folder))


def _compliance(folder: Path) -> Compliance | None:
    try:
        return Compliance.model_validate_json((folder / COMPLIANCE).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(f"`{folder / COMPLIANCE}` cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RecordError(f"`{folder / COMPLIANCE}` is no report of compliance: {place}: {first['msg']}") from None


def checkpoint(folder: Path, tick: int, engine: Any, history: History) -> Path:
    """Keeps the state after `tick` ticks, with what was recorded until then."""
    place = folder / CHECKPOINTS / f"tick-{tick}"
    beside = place.with_name(f".{place.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    (beside / "engine").mkdir(parents=True)
    engine.save(beside / "engine")
    write_history(beside, history)
    if place.is_dir():
        # The same tick of the same run: what stands there is as good, and a directory cannot be replaced in one step.
        shutil.rmtree(beside)
    else:
        beside.replace(place)
    return place


def checkpoints(folder: Path) -> dict[int, Path]:
    """The complete checkpoints of a run by tick, in order."""
    found = {}
    for place in (folder / CHECKPOINTS).glob("tick-*"):
        number = place.name.removeprefix("tick-")
        if number.isdecimal():
            found[int(number)] = place
    return dict(sorted(found.items()))


def last_checkpoint(folder: Path, until: int | None = None) -> Path | None:
    """The last checkpoint, or the last one that is not after tick `until`."""
    usable = [place for tick, place in checkpoints(folder).items() if until is None or tick <= until]
    return usable[-1] if usable else None


def tick_of(place: Path) -> int:
    return int(place.name.removeprefix("tick-"))


def _plain(figures: Mapping[str, float]) -> dict[str, Any]:
    """JSON knows neither `nan` nor infinity: null is what does not apply, and `never` what is infinite."""
    return {k: v if isfinite(v) else None if isnan(v) else "never" for k, v in figures.items()}
