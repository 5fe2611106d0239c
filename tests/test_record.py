"""Records of runs: what was written can be read, goes on, forks and replays to the same state, and survives a crash."""

from __future__ import annotations

import gc
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from fake_engine import begin

from simulator import carry_out, record
from simulator.carry_out import Order
from simulator.measures import NAMES
from simulator.record import Record, RecordError
from simulator.scenario import Scenario, ScenarioError

SCENARIO = Scenario(name="small", bots=20, ticks=60, attack_begins=20, checkpoint_every=20, malicious=0.3)


def made(folder: Path, scenario: Scenario = SCENARIO, **more: object) -> Record:
    return carry_out.carry_out(Order(scenario, 7, folder, **more), begin)  # type: ignore[arg-type]


def same(one: Record, other: Record) -> bool:
    return (
        one.header.final == other.header.final
        and all(np.array_equal(one.columns[n], other.columns[n], equal_nan=True) for n in NAMES)
        and np.array_equal(one.decided, other.decided)
        and list(one.happenings) == list(other.happenings)
    )


def test_what_was_written_can_be_read(tmp_path: Path) -> None:
    run = made(tmp_path / "a")
    again = record.read(tmp_path / "a")
    assert again.header == run.header
    assert same(again, run)
    np.testing.assert_equal(dict(again.metrics), dict(run.metrics))
    assert run.header.complete
    assert run.header.policies == {"twin.ecosystem": "0" * 16}
    assert len(run.header.final) == 32


def test_figures_have_units_in_the_file(tmp_path: Path) -> None:
    made(tmp_path / "a")
    schema = pq.read_schema(tmp_path / "a" / "metrics.parquet")
    assert schema.names == ["tick", *NAMES]
    assert schema.field("consensus_ms").metadata[b"unit"] == b"ms"


def test_the_summary_is_json(tmp_path: Path) -> None:
    run = made(tmp_path / "a")
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert summary["resilience"] == run.metrics["resilience"]
    assert summary["false_quarantine"] is None


def test_replay_reaches_the_same_state(tmp_path: Path) -> None:
    run = made(tmp_path / "a")
    assert carry_out.replay(tmp_path / "a", begin) == (run.header.final, run.header.final)


def test_replay_notices_another_future(tmp_path: Path) -> None:
    made(tmp_path / "a")
    header = record.read_header(tmp_path / "a")
    record.write_header(tmp_path / "a", replace(header, seed=8))
    recorded, reached = carry_out.replay(tmp_path / "a", begin)
    assert recorded != reached


@pytest.mark.parametrize("stop", [1, 19, 20, 21, 59])
def test_a_run_that_was_stopped_goes_on(tmp_path: Path, stop: int) -> None:
    whole = made(tmp_path / "whole")
    part = carry_out.carry_out(Order(SCENARIO, 7, tmp_path / "part"), begin, lambda done, _: done < stop)
    assert (part.header.done, part.header.complete) == (stop, False)
    assert same(carry_out.resume(tmp_path / "part", begin), whole)


@pytest.mark.parametrize("stop", [5, 20, 45])
def test_a_run_that_died_goes_on(tmp_path: Path, stop: int) -> None:
    whole = made(tmp_path / "whole")

    class Killed(BaseException):
        pass

    def kill(done: int, _: int) -> bool:
        if done == stop:
            raise Killed
        return True

    with pytest.raises(Killed):
        carry_out.carry_out(Order(SCENARIO, 7, tmp_path / "part"), begin, kill)
    assert record.read_header(tmp_path / "part").done == 0
    assert same(carry_out.resume(tmp_path / "part", begin), whole)


def test_half_a_checkpoint_is_none(tmp_path: Path) -> None:
    whole = made(tmp_path / "a")
    shutil.copytree(tmp_path / "a" / "checkpoints" / "tick-40", tmp_path / "a" / "checkpoints" / ".tick-50.partial")
    (tmp_path / "a" / "checkpoints" / ".tick-50.partial" / "engine" / "state.npz").unlink()
    assert list(record.checkpoints(tmp_path / "a")) == [20, 40, 60]
    assert same(carry_out.resume(tmp_path / "a", begin), whole)


def test_a_longer_run_is_the_same_run(tmp_path: Path) -> None:
    made(tmp_path / "short")
    longer = made(tmp_path / "long", SCENARIO.model_copy(update={"ticks": 90}))
    assert same(carry_out.resume(tmp_path / "short", begin, ticks=90), longer)
    with pytest.raises(RecordError, match="cannot take them back"):
        carry_out.resume(tmp_path / "short", begin, ticks=30)


@pytest.mark.parametrize("at", [0, 20, 33, 59])
def test_a_fork_without_a_change_is_no_fork(tmp_path: Path, at: int) -> None:
    whole = made(tmp_path / "a")
    assert same(carry_out.fork(tmp_path / "a", at, {}, tmp_path / "b", begin), whole)


def test_a_fork_changes_the_future_alone(tmp_path: Path) -> None:
    whole = made(tmp_path / "a")
    other = carry_out.fork(tmp_path / "a", 30, {"QUORUM": 900}, tmp_path / "b", begin)
    assert other.header.final != whole.header.final
    kept = "service_kept"
    assert np.array_equal(other.columns[kept][:30], whole.columns[kept][:30])
    assert not np.array_equal(other.columns[kept][30:], whole.columns[kept][30:])
    assert carry_out.replay(tmp_path / "b", begin)[1] == other.header.final
    assert same(record.read(tmp_path / "a"), whole)


def test_a_fork_of_a_fork(tmp_path: Path) -> None:
    made(tmp_path / "a")
    carry_out.fork(tmp_path / "a", 30, {"QUORUM": 900}, tmp_path / "b", begin)
    third = carry_out.fork(tmp_path / "b", 40, {"QUORUM": 100}, tmp_path / "c", begin)
    assert [(c.tick, dict(c.parameters)) for c in third.header.changes] == [
        (30, {"QUORUM": 900}),
        (40, {"QUORUM": 100}),
    ]
    assert carry_out.replay(tmp_path / "c", begin)[1] == third.header.final
    early = carry_out.fork(tmp_path / "b", 20, {}, tmp_path / "d", begin)
    assert early.header.final == record.read_header(tmp_path / "a").final


def test_a_fork_of_what_stopped_early_goes_further(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole")
    carry_out.carry_out(Order(SCENARIO, 7, tmp_path / "part"), begin, lambda done, _: done < 10)
    assert same(carry_out.fork(tmp_path / "part", 40, {}, tmp_path / "b", begin), whole)


@pytest.mark.parametrize("at", [60, 1000])
def test_there_must_be_a_tick_to_fork_at(tmp_path: Path, at: int) -> None:
    made(tmp_path / "a")
    with pytest.raises(RecordError, match=f"no tick {at} to fork at"):
        carry_out.fork(tmp_path / "a", at, {}, tmp_path / "b", begin)
    assert not (tmp_path / "b").exists()


def test_a_fork_takes_what_the_policy_allows(tmp_path: Path) -> None:
    made(tmp_path / "a")
    with pytest.raises(ScenarioError, match="for which the policy was proved"):
        carry_out.fork(tmp_path / "a", 30, {"QUORUM": 0}, tmp_path / "b", begin)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    made(tmp_path / "a")
    with pytest.raises(RecordError, match="already"):
        made(tmp_path / "a")
    with pytest.raises(RecordError, match="already"):
        carry_out.fork(tmp_path / "a", 3, {}, tmp_path / "a", begin)


def test_another_policy_is_another_run(tmp_path: Path) -> None:
    made(tmp_path / "a")
    header = record.read_header(tmp_path / "a")
    record.write_header(tmp_path / "a", replace(header, policies={"twin.ecosystem": "1" * 16}))
    for act in (carry_out.replay, carry_out.resume):
        with pytest.raises(RecordError, match=r"another version of twin\.ecosystem"):
            act(tmp_path / "a", begin)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": "other/1"}', "[1]", '{"format": "policyctl.run/1", "scenario": {}}']
)
def test_what_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RecordError):
        record.read_header(tmp_path)


def test_a_damaged_record_is_told_as_such(tmp_path: Path) -> None:
    made(tmp_path / "a")
    (tmp_path / "a" / "metrics.parquet").write_bytes(b"PAR1nonsense")
    with pytest.raises(RecordError, match="cannot be read"):
        record.read(tmp_path / "a")


@pytest.mark.parametrize("done", [61, 10**9, -1])
def test_a_header_that_cannot_be_true_is_refused(tmp_path: Path, done: int) -> None:
    made(tmp_path / "a")
    header = tmp_path / "a" / "run.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), "done": done}))
    with pytest.raises(RecordError, match=f"cannot be true: {done} ticks are recorded, and the scenario has 60"):
        record.read(tmp_path / "a")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # NumPy leaves the file open
@pytest.mark.parametrize("harm", ["cut", "nonsense", "other"])
def test_a_damaged_state_is_told_as_such(tmp_path: Path, harm: str) -> None:
    made(tmp_path / "a")
    engine = tmp_path / "a" / "checkpoints" / "tick-60" / "engine"
    match harm:
        case "cut":
            whole = (engine / "state.npz").read_bytes()
            (engine / "state.npz").write_bytes(whole[: len(whole) // 2])
        case "nonsense":
            (engine / "state.json").write_text("{")
        case _:
            (engine / "state.json").write_text('{"tick": 60}')
    with pytest.raises(RecordError, match="cannot be read as a state"):
        carry_out.resume(tmp_path / "a", begin)
    gc.collect()


def test_without_state_there_is_still_a_record(tmp_path: Path) -> None:
    run = made(tmp_path / "a", keep_state=False)
    assert not (tmp_path / "a" / "checkpoints").exists()
    assert same(record.read(tmp_path / "a"), run)


def test_runs_with_one_seed_differ_by_their_number(tmp_path: Path) -> None:
    assert made(tmp_path / "a").header.final != made(tmp_path / "b", run=1).header.final


def test_writing_leaves_what_was_there_when_it_fails(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    record.write_text(file, "before")

    def fail(place: Path) -> None:
        place.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        record.write(file, fail)
    assert file.read_text() == "before"


def test_numbers_of_numpy_are_numbers() -> None:
    given = {"tick": np.int64(3), "now": np.int32(4), "incident": -1, "number": np.uint8(2)}
    found = record.plain({**given, "who": "x", "kind": "y", "text": "z", "subject": ""})
    assert json.loads(json.dumps(found)) == found
    assert {type(found[k]) for k in given} == {int}
