"""One run among many: what is to be simulated goes to another process or machine, and the figures come back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simulator.carry_out import Order, carry_out, engine_named, resume
from simulator.metrics import evaluate
from simulator.record import History, RecordError, is_record, read_header
from simulator.scenario import Scenario

PRELOAD = ("simulator.sweep_work", "simulator.engine")
"""What processes that make runs load beforehand."""


@dataclass(frozen=True, slots=True)
class Work:
    """A run; `folder` is where its whole record goes, or None if the figures are enough."""

    scenario: Scenario
    seed: int
    folder: Path | None
    engine: str
    number: int = 0
    run: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    metrics: dict[str, float]
    final: str


def make(work: Work) -> Made:
    """Makes the run. One whose complete record stands there is not made again."""
    begin = engine_named(work.engine)
    if work.folder is None:
        engine, history = begin(work.scenario, work.seed, work.run), History()
        while engine.tick < work.scenario.ticks:
            history.add(engine.step())
        return Made(evaluate(work.scenario, history.columns, history.decided, history.happenings), engine.digest())
    if is_record(work.folder):
        if read_header(work.folder).scenario != work.scenario:
            raise RecordError(f"the run in `{work.folder}` is of another scenario, or has other settings")
        found = resume(work.folder, begin)
        return Made(dict(found.metrics), found.header.final)
    found = carry_out(Order(work.scenario, work.seed, work.folder, work.run, keep_state=False), begin)
    return Made(dict(found.metrics), found.header.final)
