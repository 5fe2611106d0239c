"""Arrow tables, Parquet files and lines of JSON: what is read is what the interpreter would be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policydsl.core.expr import Const, conj, eq, lt, matches, number
from policydsl.core.read_json import MalformedError
from policydsl.core.system import Action, Effect, Guard, GuardKind, Input, Obligation, System
from policydsl.core.types import BOOL, INT, STRING
from policydsl.interp import Request, decide, initial
from runtime.columns import Traffic
from runtime.columns_decide import decide_table
from runtime.columns_in import from_arrow, from_json_lines, from_parquet
from tests.strategies import BOT, STAGE

WHO, X, STAGE_, TEXT, OK = (
    Input("principal", BOT), Input("x", INT), Input("stage", STAGE), Input("text", STRING), Input("ok", BOOL)
)  # fmt: skip


def action(name: str, *inputs: Input) -> Action:
    small = lt(X.ref, number(3))
    tell = Obligation("tell", tuple(i.ref for i in inputs), conj(), Effect.ALLOW)
    deny = Obligation("deny", tuple(i.ref for i in inputs), conj(), Effect.DENY)
    guards = [Guard(GuardKind.REQUIRE, small, "big")] if X in inputs else []
    if TEXT in inputs:
        guards.append(Guard(GuardKind.REQUIRE, matches(TEXT.ref, "a.*"), "no a"))
    return Action(name, inputs, tuple(guards), (), (), (tell, deny))


SYSTEM = System(
    "in", (), (), (action("all", WHO, X, STAGE_, TEXT, OK), action("some", WHO, X), action("none")), ()
)  # fmt: skip


def same(found: Traffic, asked: list[Request]) -> None:
    """Each row is answered as its request is, and says what its inputs are."""
    assert found.size == len(asked)
    state = initial(SYSTEM)
    seen = found.unknown.tolist()
    assert [i for i, r in enumerate(asked) if r.action not in ("all", "some", "none")] == seen
    for t in found.tables:
        for position, decision in zip(t.positions.tolist(), decide_table(SYSTEM, state, t), strict=True):
            assert asked[position].action == t.action
            assert repr(decision) == repr(decide(SYSTEM, state, asked[position]))
            seen.append(position)
    assert sorted(seen) == list(range(len(asked)))


names = st.sampled_from(("ann", "bob", "", "*", "Draft", "a\0", "a\U0001f600"))
COLUMNS: dict[str, list[tuple[pa.DataType, st.SearchStrategy[Any]]]] = {
    "action": [(pa.string(), st.sampled_from(("all", "some", "none", "other")))],
    "principal": [(pa.string(), names), (pa.large_string(), names), (pa.int64(), st.integers(0, 3))],
    "x": [
        (pa.int64(), st.sampled_from((1, 5, -(2**63), 2**63 - 1))),
        (pa.int8(), st.integers(-3, 5)),
        (pa.uint64(), st.sampled_from((0, 2**63, 2**64 - 1))),
        (pa.float64(), st.sampled_from((1.0, 2.5))),
        (pa.bool_(), st.booleans()),
    ],
    "stage": [(pa.string(), st.sampled_from((*STAGE.cases, "Odd"))), (pa.string(), st.sampled_from(STAGE.cases))],
    "text": [(pa.string(), names), (pa.binary(), st.just(b"a"))],
    "ok": [(pa.bool_(), st.booleans()), (pa.int8(), st.integers(0, 1)), (pa.null(), st.none())],
    "odd": [(pa.int64(), st.just(1)), (pa.null(), st.none())],
}


@st.composite
def arrow(draw: st.DrawFn) -> pa.Table:
    size = draw(st.integers(0, 6))
    columns = {}
    for name, kinds in COLUMNS.items():
        if name != "action" and not draw(st.integers(0, 6)):
            continue
        kind, values = draw(st.sampled_from([*[kinds[0]] * 3, *kinds]))
        nulls = draw(st.sampled_from((0, 0, 1))) or name == "odd"
        column = pa.array([draw(values | st.none() if nulls else values) for _ in range(size)], kind)
        if draw(st.booleans()) and kind != pa.null():
            column = column.dictionary_encode()
        cut = draw(st.integers(0, size))
        columns[name] = pa.chunked_array([column[:cut], column[cut:]])
    return pa.table(columns)


def there(row: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in row.items() if v is not None}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(arrow())
def test_rows_of_arrow_tables(rows: pa.Table) -> None:
    asked = [there(r) for r in rows.to_pylist()]
    requests = [Request(r.pop("action", ""), r) for r in asked]
    same(from_arrow(SYSTEM, rows), requests)
    alone = rows.drop_columns("action")
    same(from_arrow(SYSTEM, alone, "all"), [Request("all", r.inputs) for r in requests])
    nested = pa.StructArray.from_arrays([c.combine_chunks() for c in alone.columns], alone.column_names)
    if alone.num_columns:
        both = pa.table({"action": rows["action"], "inputs": nested, "decision": ["allow"] * len(requests)})
        same(from_arrow(SYSTEM, both), requests)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_parquet_files(tmp_path: Path, compression: str) -> None:
    rows = [{"principal": f"bot{i % 5}", "x": i % 7} for i in range(50)]
    path = tmp_path / "some.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, compression=compression, row_group_size=7)
    same(from_parquet(SYSTEM, path, "some"), [Request("some", r) for r in rows])


def test_dictionaries_may_be_odd() -> None:
    """A text twice among the words, or null."""
    words = pa.array(["ann", "bob", "ann", None])
    who = pa.DictionaryArray.from_arrays(pa.array([0, 2, 3, None, 1]), words)
    rows = pa.table({"principal": who, "x": [1, 2, 3, 4, 5]})
    asked = [Request("some", there(r)) for r in rows.to_pylist()]
    same(from_arrow(SYSTEM, rows, "some"), asked)
    state = initial(SYSTEM)
    same_as = conj(eq(WHO.ref, Input("b", BOT).ref), eq(WHO.ref, Const("ann", BOT)))
    action = Action("some", (WHO, Input("b", BOT)), (Guard(GuardKind.REQUIRE, same_as, "differ"),), ())
    twice = System("t", (), (), (action,), ())
    (found,) = from_arrow(twice, pa.table({"principal": who[:2], "b": ["ann", "ann"]}), "some").tables
    assert decide_table(twice, state, found).allowed.tolist() == [True, True]


def test_tables_that_are_none() -> None:
    with pytest.raises(MalformedError, match="`action`"):
        from_arrow(SYSTEM, pa.table({"x": [1]}))
    with pytest.raises(MalformedError, match="two columns"):
        from_arrow(SYSTEM, pa.table([pa.array([1]), pa.array([2])], ["x", "x"]), "some")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("all", "some", "none", "other")),
            st.dictionaries(
                st.sampled_from(("principal", "x", "stage", "text", "ok", "odd")),
                st.one_of(
                    st.none(), st.booleans(), st.integers(-3, 3), st.just(2**70), st.just(1.0), names,
                    st.just("\ud800"), st.just([1]),
                ),
            ),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_lines_of_json(rows: list[tuple[str, dict[str, Any]]]) -> None:
    lines = [json.dumps({"action": a, "inputs": r, "decision": {"effect": "allow"}}) for a, r in rows]
    same(from_json_lines(SYSTEM, lines), [Request(a, r) for a, r in rows])


@pytest.mark.parametrize(
    "line", ["", "[]", '{"action": 1, "inputs": {}}', '{"action": "all"}', '{"action": "a", "inputs": 3}']
)
def test_lines_that_are_no_requests(line: str) -> None:
    with pytest.raises(MalformedError, match="line 2"):
        from_json_lines(SYSTEM, ['{"action": "none", "inputs": {}}', line])
