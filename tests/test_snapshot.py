"""Plain state: saved, restored and hashed, type and value; nothing else can be saved."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulator.snapshot import DERIVED, SnapshotError, digest, restore, save


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


class Place(NamedTuple):
    x: int
    name: str


@dataclass(slots=True)
class Inner:
    values: NDArray[np.int16]
    colour: Colour = Colour.RED


@dataclass(slots=True)
class Whole:
    inner: Inner
    count: int
    share: float
    name: str
    yes: bool
    maybe: Inner | None = None
    pairs: dict[int, str] = field(default_factory=dict)
    many: list[Inner] = field(default_factory=list)
    place: Place = field(default_factory=lambda: Place(1, "here"))
    mixed: tuple[int, str] = (1, "a")
    level: Level = Level.LOW
    cache: Any = field(default=None, metadata=DERIVED)


def whole(**given: Any) -> Whole:
    return Whole(Inner(np.array([1, 2, 3], np.int16)), 5, 0.1, "x", True, **given)


def back(value: Whole) -> Whole:
    tree, arrays = save(value)
    return restore(Whole, json.loads(json.dumps(tree)), arrays)


def test_everything_comes_back() -> None:
    there = whole(
        maybe=Inner(np.zeros(0, np.int16), Colour.BLUE),
        pairs={3: "three", -1: "none"},
        many=[Inner(np.ones(2, np.int16))],
        place=Place(7, "there"),
        cache=object(),
    )
    here = back(there)
    assert repr(here).replace("cache=None", "") == repr(there).split("cache=")[0] + ")"
    assert here.inner.values.dtype == np.int16
    assert type(here.place) is Place
    assert here.level is Level.LOW
    assert here.cache is None
    assert digest(here) == digest(there)


@given(st.floats(allow_nan=False), st.integers(), st.text(), st.dictionaries(st.integers(), st.text()))
def test_scalars_come_back_exactly(share: float, count: int, name: str, pairs: dict[int, str]) -> None:
    there = whole(pairs=pairs)
    there.share, there.count, there.name = share, count, name
    here = back(there)
    assert repr((here.share, here.count, here.name, here.pairs)) == repr((share, count, name, pairs))


def test_what_comes_back_is_another_array() -> None:
    there = whole()
    here = back(there)
    there.inner.values[0] = 9
    assert here.inner.values[0] == 1


def test_the_digest_sees_every_difference() -> None:
    digests = {digest(whole())}
    for change in (
        {"maybe": Inner(np.zeros(1, np.int16))},
        {"maybe": Inner(np.zeros(2, np.int16))},
        {"pairs": {1: "a"}},
        {"many": [Inner(np.zeros(1, np.int16))]},
        {"place": Place(1, "")},
        {"mixed": (1, "b")},
    ):
        digests.add(digest(whole(**change)))
    wider = whole()
    wider.inner.values = wider.inner.values.astype(np.int32)
    digests.add(digest(wider))
    assert len(digests) == 8


def test_what_is_derived_is_not_hashed() -> None:
    assert digest(whole(cache=1)) == digest(whole())


@pytest.mark.parametrize("value", [object(), lambda: 0, {1, 2}, b"bytes", np.float32])
def test_other_things_cannot_be_saved(value: Any) -> None:
    with pytest.raises(SnapshotError, match="no plain data"):
        save(whole(pairs={1: value}))


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("count",), "five", "expected int"),
        (("count",), True, "expected int"),
        (("yes",), 1, "expected bool"),
        (("inner", "colour"), "green", "green"),
        (("inner", "values"), {"@": "elsewhere"}, "array is missing"),
        (("inner",), {"values": 1}, "fields"),
        (("many",), {"a": 1}, "expected a list"),
        (("pairs",), [[1]], "expected pairs"),
        (("mixed",), [1], "1 values where 2 belong"),
    ],
)
def test_what_does_not_fit_is_refused(path: tuple[str, ...], value: Any, says: str) -> None:
    tree, arrays = save(whole())
    at = tree
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    with pytest.raises(SnapshotError, match=says):
        restore(Whole, tree, arrays)
