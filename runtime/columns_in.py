"""Recorded requests in Arrow tables, Parquet files or lines of JSON become tables of columns.

A row of an Arrow table is a request: its action stands in the column `action`, unless one is given for all rows, and
its inputs in the fields of the column `inputs`, or, where there is none, in all other columns. What is null is not
there. A line of JSON is an object with `action` and `inputs`, as in a decision log; whatever else it has is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.system import Action, System
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar
from policydsl.interp import Request
from policydsl.state import EVERYONE_ELSE, default_value
from runtime.columns import (
    Bools,
    Column,
    Ints,
    Table,
    Traffic,
    Vocabulary,
    Words,
    code_type,
    column,
    traffic,
)

MISSING, ILL_TYPED, ODD = "missing input", "ill-typed input", "unknown input"
"""What the interpreter says of requests that it does not know."""


def from_arrow(system: System, rows: Any, action: str = "") -> Traffic:
    """The requests of an Arrow table, a `pyarrow.Table`; raises `MalformedError` for one that says no actions."""
    size = rows.num_rows
    if len(set(rows.column_names)) < len(rows.column_names):
        raise MalformedError("", "two columns have one name")
    columns = {name: rows.column(name) for name in rows.column_names}
    if not action and "action" not in columns:
        raise MalformedError("", "there is no column `action`")
    places = {action: np.arange(size)} if action else _by_action(columns.pop("action"))
    if "inputs" in columns and pa.types.is_struct(columns["inputs"].type):
        columns = _fields(columns["inputs"])
    known = {a.name: a for a in system.actions}
    tables = tuple(
        _table(known[name], {n: _taken(c, at, size) for n, c in columns.items()}, at)
        for name, at in places.items()
        if name in known and len(at)
    )
    strange = [at for name, at in places.items() if name not in known]
    return Traffic(size, tables, np.sort(np.concatenate([np.zeros(0, np.intp), *strange])))


def from_parquet(system: System, path: Path, action: str = "") -> Traffic:
    """The requests of a Parquet file."""
    return from_arrow(system, pq.read_table(path), action)


def from_json_lines(system: System, lines: Iterable[str]) -> Traffic:
    """The requests of lines of JSON; raises `MalformedError` for one that is none."""
    return traffic(system, [_request(line, number) for number, line in enumerate(lines, start=1)])


def _request(line: str, number: int) -> Request:
    try:
        found = Reader(parse(line))
        inputs = found["inputs"]
        return Request(found["action"].text(), {name: inputs[name].value for name in inputs.names()})
    except MalformedError as error:
        raise MalformedError(f"line {number}", str(error)) from error


def _fields(inputs: Any) -> dict[str, Any]:
    chunk = _whole(inputs)
    return {chunk.type.field(i).name: f for i, f in enumerate(chunk.flatten())}


def _by_action(names: Any) -> dict[str, NDArray[np.intp]]:
    """The rows of each action."""
    encoded = _whole(pc.dictionary_encode(names.cast(pa.string()), null_encoding="encode"))
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    # No action has the empty name.
    return {name or "": np.flatnonzero(codes == i) for i, name in enumerate(encoded.dictionary.to_pylist())}


def _whole(chunks: Any) -> Any:
    """One array of the chunks of a column."""
    found = chunks.combine_chunks() if isinstance(chunks, pa.ChunkedArray) else chunks
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def _taken(found: Any, at: NDArray[np.intp], size: int) -> Any:
    return _plain(_whole(found if len(at) == size else found.take(pa.array(at))))


def _plain(found: Any) -> Any:
    """The same values, with codes only for distinct texts of which none is null."""
    kind = found.type
    if pa.types.is_dictionary(kind):
        texts = found.dictionary
        distinct = len(texts.unique()) == len(texts) and not texts.null_count
        return found if _is_text(kind.value_type) and distinct else _plain(found.cast(kind.value_type))
    return found.cast(pa.string()) if str(kind) == "string_view" else found


def _table(action: Action, columns: Mapping[str, Any], at: NDArray[np.intp]) -> Table:
    size = len(at)
    reasons = np.zeros(size, np.uint8)  # a fault that comes first stays
    made: dict[str, Column] = {}
    for declared in action.inputs:
        found = columns.get(declared.name)
        if found is None:
            found = pa.nulls(size)
        made[declared.name], fits = _column(declared.type, found)
        absent = found.is_null().to_numpy(zero_copy_only=False)
        reasons[(reasons == 0) & absent] = 1
        reasons[(reasons == 0) & ~fits] = 2
    for name in columns.keys() - made.keys():
        there = columns[name].is_valid().to_numpy(zero_copy_only=False)
        reasons[(reasons == 0) & there] = 3
    texts = (MISSING, ILL_TYPED, ODD)
    faults = {row: texts[reasons[row] - 1] for row in np.flatnonzero(reasons).tolist()}
    return Table(action.name, size, made, faults, at)


def _column(type: Scalar, found: Any) -> tuple[Column, Bools]:
    """The column, and where its values are of the type; elsewhere it has anything."""
    kind = found.type
    fits: Bools = found.is_valid().to_numpy(zero_copy_only=False)
    match type:
        case BoolType() if pa.types.is_boolean(kind):
            return found.fill_null(False).to_numpy(zero_copy_only=False), fits
        case IntType() if pa.types.is_integer(kind):
            return _ints(found), fits
        case BoolType() | IntType():
            return column(type, [default_value(type)] * len(found)), np.zeros(len(found), np.bool_)
        case _ if _is_text(kind) or pa.types.is_dictionary(kind):
            words = _words(found)
            return words, fits & _fitting(type, words)
        case _:
            return column(type, [default_value(type)] * len(found)), np.zeros(len(found), np.bool_)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _ints(found: Any) -> Ints:
    filled = found.fill_null(0)
    if pa.types.is_uint64(found.type):
        made = column(IntType(), filled.to_pylist())
        assert isinstance(made, Ints)
        return made
    values = filled.to_numpy(zero_copy_only=False).astype(np.int64)
    return Ints(values, int(values.min(initial=0)), int(values.max(initial=0)))


def _words(found: Any) -> Words:
    encoded = found if pa.types.is_dictionary(found.type) else found.dictionary_encode()
    words = encoded.dictionary.to_pylist() or [""]
    codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    return Words(codes.astype(code_type(len(words))), Vocabulary(tuple(words)))


def _fitting(type: Scalar, words: Words) -> Bools:
    """Where a word is one of the type."""
    match type:
        case EnumType():
            known = frozenset(type.cases)
            table = np.array([w in known for w in words.vocabulary.words])
        case EntityType():
            table = np.array([w != EVERYONE_ELSE for w in words.vocabulary.words])
        case _:
            return np.ones(len(words), np.bool_)
    found: Bools = table[words.codes]
    return found
