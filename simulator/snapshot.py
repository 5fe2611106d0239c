"""Plain data to a tree of JSON and arrays, and back: what checkpoints, forks and state hashes are made of.

NOTE(plain-state): whatever the future of a run depends on is made of dataclasses whose fields are arrays, `bool`,
`int`, `float`, `str`, `None`, enumerations, named tuples, tuples, lists and dictionaries of such, or more such
dataclasses.
What can be worked out again is a field with the metadata `derived`: it is not saved, and has its default afterwards.
Nothing is ever unpickled, so a checkpoint of a stranger is data, not a program.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")

DERIVED: Mapping[str, bool] = {"derived": True}
"""The metadata of a field that is not saved."""


class SnapshotError(ValueError):
    """What is there does not fit the type."""


def save(value: Any) -> tuple[Any, Arrays]:
    """A tree of JSON, in which `{"@": name}` stands for an array, and the arrays by name."""
    arrays: Arrays = {}
    return _save(value, "", arrays), arrays


def restore(kind: type[T], tree: Any, arrays: Mapping[str, NDArray[Any]]) -> T:
    """What was saved, as a value of `kind`. Raises `SnapshotError` where it does not fit."""
    found: T = _restore(kind, tree, arrays, kind.__name__)
    return found


def read_arrays(path: Path) -> Arrays:
    """The arrays in a file. Raises `SnapshotError` where there are none, or not all of what was written."""
    try:
        with np.load(path, allow_pickle=False) as found:
            return dict(found)
    except FileNotFoundError:
        raise SnapshotError(f"`{path.name}` is missing") from None
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, BadZipFile, zlib.error):
        # NumPy raises whatever the parts it is made of raise; its words are for those who wrote the file.
        raise SnapshotError(f"`{path.name}` is damaged") from None


def read_json(path: Path) -> Any:
    """The tree in a file. Raises `SnapshotError` where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SnapshotError(f"`{path.name}` is missing") from None
    except (OSError, ValueError):
        raise SnapshotError(f"`{path.name}` is damaged") from None


def digest(value: Any) -> str:
    """A hash of all that is saved: equal exactly for equal states, type and value, on every machine."""
    tree, arrays = save(value)
    hashed = hashlib.blake2b(json.dumps(tree, sort_keys=True).encode(), digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        order = array.dtype.newbyteorder("<")
        hashed.update(f"{name}:{order.str}:{array.shape}".encode())
        hashed.update(array.astype(order, copy=False).tobytes())
    return hashed.hexdigest()


def saved_fields(kind: Any) -> list[Field[Any]]:
    return [f for f in fields(kind) if not f.metadata.get("derived")]


def _save(value: Any, at: str, arrays: Arrays) -> Any:
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case np.ndarray():
            arrays[at] = value.copy()
            return {"@": at}
        case dict():
            return [[_save(k, f"{at}/{k}", arrays), _save(v, f"{at}/{k}", arrays)] for k, v in value.items()]
        case list() | tuple():
            return [_save(v, f"{at}/{i}", arrays) for i, v in enumerate(value)]
        case _ if is_dataclass(value):
            return {f.name: _save(getattr(value, f.name), f"{at}/{f.name}", arrays) for f in saved_fields(value)}
        case _:
            raise SnapshotError(f"{at}: {type(value).__name__} is no plain data")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _restore(kind: Any, tree: Any, arrays: Mapping[str, NDArray[Any]], at: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if tree is None and NoneType in args:
            return None
        chosen = [a for a in args if a is not NoneType]
        if len(chosen) != 1:
            raise SnapshotError(f"{at}: more than one kind of value")
        return _restore(chosen[0], tree, arrays, at)
    if kind is np.ndarray or origin is np.ndarray:
        if not isinstance(tree, dict) or tree.get("@") not in arrays:
            raise SnapshotError(f"{at}: an array is missing")
        return np.array(arrays[tree["@"]])
    if origin is dict:
        key, item = args
        return {_restore(key, k, arrays, at): _restore(item, v, arrays, f"{at}/{k}") for k, v in _items(tree, at)}
    if origin is list:
        return [_restore(args[0], v, arrays, f"{at}/{i}") for i, v in enumerate(_list(tree, at))]
    if origin is tuple:
        parts = _list(tree, at)
        kinds = [args[0]] * len(parts) if len(args) == 2 and args[1] is Ellipsis else list(args)
        if len(kinds) != len(parts):
            raise SnapshotError(f"{at}: {len(parts)} values where {len(kinds)} belong")
        return tuple(_restore(k, v, arrays, f"{at}/{i}") for i, (k, v) in enumerate(zip(kinds, parts, strict=True)))
    if isinstance(kind, type):
        return _one(kind, tree, arrays, at)
    raise SnapshotError(f"{at}: {kind} is no kind of plain data")


def _one(kind: type, tree: Any, arrays: Mapping[str, NDArray[Any]], at: str) -> Any:
    if issubclass(kind, Enum):
        try:
            return kind(tree)
        except ValueError as error:
            raise SnapshotError(f"{at}: {error}") from None
    if is_dataclass(kind):
        names = [f.name for f in saved_fields(kind)]
        if not isinstance(tree, dict) or set(tree) != set(names):
            raise SnapshotError(f"{at}: the fields are not those of {kind.__name__}")
        hints = _hints(kind)
        return kind(**{n: _restore(hints[n], tree[n], arrays, f"{at}/{n}") for n in names})
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        hints = _hints(kind)
        parts = zip(kind._fields, _list(tree, at), strict=True)
        return kind(*(_restore(hints[n], v, arrays, f"{at}/{n}") for n, v in parts))
    if kind is float and type(tree) is int:
        return float(tree)
    if type(tree) is not kind:
        raise SnapshotError(f"{at}: expected {kind.__name__}")
    return tree


def _list(tree: Any, at: str) -> list[Any]:
    if not isinstance(tree, list):
        raise SnapshotError(f"{at}: expected a list")
    return tree


def _items(tree: Any, at: str) -> list[list[Any]]:
    items = _list(tree, at)
    if any(not isinstance(i, list) or len(i) != 2 for i in items):
        raise SnapshotError(f"{at}: expected pairs")
    return items
