"""Carrying runs out: a scenario, and where it starts from, go in; a record on the disk comes out.

The engine is what `begin(scenario, seed, run)` gives; see `Engine`. Nothing here knows how it works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

from simulator import record
from simulator.compliance import Compliance
from simulator.record import Change, Header, History, Record, RecordError
from simulator.scenario import Scenario, to_data
from simulator.snapshot import SnapshotError

ENGINE = "simulator.engine:begin"
"""Where the engine is, as a text that travels to other processes."""


class Engine(Protocol):
    """What can be stepped. Equal (scenario, seed, run) have equal futures, and so have a state and its copy."""

    @property
    def tick(self) -> int:
        """So many ticks have passed."""
        ...

    def step(self) -> Any:
        """A tick passes: `measures` (all of `MEASURES`), `happenings`, `decided` (proposal, submitted, executed)."""
        ...

    def save(self, folder: Path) -> None: ...
    def load(self, folder: Path) -> None: ...

    def digest(self) -> str:
        """Equal exactly for equal states."""
        ...

    def reparameterise(self, parameters: Mapping[str, int]) -> None:
        """The policy has these parameters from now on. Raises `ScenarioError` for what it may not have."""
        ...


Begin = Callable[[Scenario, int, int], Engine]
Told = Callable[[int, int], bool]
"""Is told after each tick how many of how many are done, and says whether to go on."""


def engine_named(name: str = ENGINE) -> Begin:
    """The function `module:function`."""
    module, _, function = name.partition(":")
    found: Begin = getattr(import_module(module), function)
    return found


def on(_done: int, _total: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Order:
    """One run that is to be made. It travels to other processes."""

    scenario: Scenario
    seed: int
    folder: Path
    run: int = 0
    keep_state: bool = True
    """Whether the last state is kept, from which one can go on."""


def carry_out(order: Order, begin: Begin, told: Told = on) -> Record:
    """Makes a run from its beginning, in a directory in which there is none yet."""
    if record.is_record(order.folder):
        raise RecordError(f"there is a run in `{order.folder}` already")
    engine = begin(order.scenario, order.seed, order.run)
    header = Header(order.scenario, order.seed, order.run, policies=policies(engine))
    record.write_header(order.folder, header)
    return _go_on(order.folder, header, engine, History(), told, order.keep_state)


def resume(folder: Path, begin: Begin, ticks: int | None = None, told: Told = on) -> Record:
    """Goes on with a run from its last checkpoint, or its beginning, up to `ticks` or as far as its scenario says."""
    header = record.read_header(folder)
    if ticks is not None:
        header = replace(header, scenario=header.scenario.model_copy(update={"ticks": ticks}))
        if ticks < header.done:
            raise RecordError(f"the run in `{folder}` has {header.done} ticks already; `--ticks` cannot take them back")
    engine, history = state(folder, header, begin)
    check_policies(folder, header, engine)
    return _go_on(folder, replace(header, policies=policies(engine)), engine, history, told, True)


def fork(
    parent: Path,
    at: int,
    parameters: Mapping[str, int],
    folder: Path,
    begin: Begin,
    ticks: int | None = None,
    told: Told = on,
) -> Record:
    """What if: the run in `parent` up to tick `at`, and from there on with other parameters, in a new directory."""
    if record.is_record(folder):
        raise RecordError(f"there is a run in `{folder}` already")
    header = record.read_header(parent)
    total = header.scenario.ticks if ticks is None else ticks
    if not 0 <= at < total:
        raise RecordError(f"there is no tick {at} to fork at: the run has the ticks 0 to {total - 1}")
    scenario = header.scenario.model_copy(update={"ticks": total})
    # What the fork sets comes last, so it wins over what the parent sets before the same tick.
    changes = tuple(c for c in header.changes if c.tick <= at)
    if parameters:
        changes += (Change(at, dict(parameters)),)
    engine, history = state(parent, header, begin, at)
    check_policies(parent, header, engine)
    while engine.tick < at:
        _tick(engine, header.changes, history)
    forked = Header(scenario, header.seed, header.run, policies=policies(engine), changes=changes, parent=str(parent))
    record.write_header(folder, forked)
    return _go_on(folder, forked, engine, history, told, True)


def replay(folder: Path, begin: Begin, told: Told = on) -> tuple[str, str]:
    """Makes a recorded run again, from its beginning: the recorded hash of the last state, and the one reached now."""
    header = record.read_header(folder)
    if not header.final:
        raise RecordError(f"the run in `{folder}` did not come to its end; there is no hash to compare with")
    engine = begin(header.scenario, header.seed, header.run)
    check_policies(folder, header, engine)
    history = History()
    while engine.tick < header.done and told(engine.tick, header.done):
        _tick(engine, header.changes, history)
    return header.final, engine.digest()


def state(folder: Path, header: Header, begin: Begin, until: int | None = None) -> tuple[Engine, History]:
    """The engine as it was at the last checkpoint (that is not after tick `until`), with what was recorded."""
    engine = begin(header.scenario, header.seed, header.run)
    place = record.last_checkpoint(folder, until)
    if place is None:
        return engine, History()
    history = record.read_history(place)
    try:
        engine.load(place / "engine")
    except SnapshotError as error:
        raise RecordError(f"`{place}` cannot be read as a state: {error}") from None
    except (OSError, EOFError, TypeError, ValueError, KeyError, BadZipFile):
        raise RecordError(f"`{place}` cannot be read as a state: what is in it is no state of this engine") from None
    if engine.tick != record.tick_of(place) or len(history.rows) != engine.tick:
        raise RecordError(f"`{place}` is not the state after {record.tick_of(place)} ticks")
    return engine, history


def policies(engine: Engine) -> dict[str, str]:
    """The digest of each policy that governs, as far as the engine tells."""
    found: Mapping[str, str] = getattr(engine, "policies", {})
    return dict(found)


def compliance(engine: Engine) -> Compliance | None:
    """The Auditor's report, as far as there is one."""
    report: Callable[[], Compliance | None] = getattr(engine, "compliance", lambda: None)
    return report()


def check_policies(folder: Path, header: Header, engine: Engine) -> None:
    """A run under another policy is another run. Raises `RecordError`."""
    now = policies(engine)
    other = sorted(n for n in header.policies.keys() | now.keys() if header.policies.get(n) != now.get(n))
    if header.policies and other:
        raise RecordError(f"the run in `{folder}` was governed by another version of {', '.join(other)}")


def differences(one: Scenario, other: Scenario) -> list[str]:
    """The fields in which scenarios differ, but for how long they run and how often they are kept."""
    a, b = to_data(one), to_data(other)
    return [k for k in a if a[k] != b[k] and k not in ("ticks", "checkpoint_every", "seed")]


def _tick(engine: Engine, changes: tuple[Change, ...], history: History) -> None:
    for change in changes:
        if change.tick == engine.tick:
            engine.reparameterise(change.parameters)
    history.add(engine.step())


def _go_on(folder: Path, header: Header, engine: Engine, history: History, told: Told, keep_state: bool) -> Record:
    total, every = header.scenario.ticks, header.scenario.checkpoint_every
    going = True
    while engine.tick < total and going:
        _tick(engine, header.changes, history)
        going = told(engine.tick, total)
        if keep_state and (not going or engine.tick == total or (every and engine.tick % every == 0)):
            record.checkpoint(folder, engine.tick, engine, history)
    done = replace(header, done=engine.tick, final=engine.digest())
    scores: Callable[[], Mapping[str, Any] | None] = getattr(engine, "reputation", lambda: None)
    record.write_scores(folder, scores())
    return record.finish(folder, done, history, compliance(engine))
