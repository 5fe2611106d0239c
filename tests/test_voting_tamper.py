"""A board of which anything was changed is not accepted: a byte, a field, an order, by outsiders and by insiders."""

from __future__ import annotations

import functools
import itertools
import json
from typing import Any

import pytest
from elections import Held, changed, fields, instead, other, resigned, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from voting.board import read_board, write_board
from voting.faults import Code, RefusedError
from voting.verify import verify


@functools.cache
def held() -> Held:
    return whole()


@functools.cache
def board() -> bytes:
    return held().board


def test_what_is_read_is_what_was_written() -> None:
    entries = read_board(board())
    assert write_board(e.post for e in entries) == board()
    assert [e.number for e in entries] == list(range(1, len(held().posts) + 1))
    assert json.loads(board())[0]["hash"] == entries[0].hash.hex()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_changed_byte_shows(data: st.DataObject) -> None:
    original = board()
    place = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != original[place]))
    report = verify(original[:place] + bytes([byte]) + original[place + 1 :])
    assert report.faults
    assert not report.decided


@pytest.mark.slow
def test_every_changed_byte_shows() -> None:
    original = board()
    for place in range(len(original)):
        for bit in (1, 32):
            changed = bytearray(original)
            changed[place] ^= bit
            assert verify(bytes(changed)).faults, place


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_bytes_added_or_taken_away_show(data: st.DataObject) -> None:
    original = board()
    start = data.draw(st.integers(0, len(original)))
    end = data.draw(st.integers(start, min(start + 200, len(original))))
    added = data.draw(st.binary(max_size=10))
    changed = original[:start] + added + original[end:]
    if changed != original:
        assert not verify(changed).decided


@pytest.mark.parametrize("length", range(0, 17, 3))
def test_a_board_that_was_cut_off_is_not_decided(length: int) -> None:
    posts = held().posts
    assert not verify(write_board(posts[:length])).decided
    assert len(posts) == 16


FIELDS = fields()


def test_there_are_fields_to_change() -> None:
    assert {number for number, _ in FIELDS} == set(range(16))
    assert len(FIELDS) > 150


@pytest.mark.parametrize(("number", "path"), FIELDS, ids=str)
def test_a_changed_field_shows_when_the_keeper_makes_all_hashes_anew(number: int, path: tuple[Any, ...]) -> None:
    post = held().posts[number]
    forged = post.model_copy(update={"body": changed(post, path)})
    report = verify(instead(held().posts, number, forged))
    assert report.faults
    assert not report.decided


@pytest.mark.parametrize(("number", "path"), FIELDS, ids=str)
def test_a_changed_field_shows_even_when_its_author_signs_it(number: int, path: tuple[Any, ...]) -> None:
    post = held().posts[number]
    forged = resigned(post, body=changed(post, path))
    report = verify(instead(held().posts, number, forged))
    assert report.faults
    assert Code.SIGNATURE not in {f.code for f in report.faults} or path[-1] == "sign" or post.kind == "manifest"


@pytest.mark.parametrize("field", ["author", "election", "kind", "signature"])
@pytest.mark.parametrize("number", range(16))
def test_a_changed_envelope_shows(number: int, field: str) -> None:
    post = held().posts[number]
    value: Any = {"kind": "share" if post.kind != "share" else "deal", "author": "dave"}.get(field)
    forged = post.model_copy(update={field: other(getattr(post, field)) if value is None else value})
    assert verify(instead(held().posts, number, forged)).faults


def test_changed_orders_show() -> None:
    posts = held().posts
    for first, second in itertools.combinations(range(len(posts)), 2):
        swapped = list(posts)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        assert verify(write_board(swapped)).faults, (first, second)


@pytest.mark.parametrize("number", range(15))
def test_a_missing_post_shows(number: int) -> None:
    posts = held().posts
    assert not verify(write_board([*posts[:number], *posts[number + 1 :]])).decided


GARBAGE = {
    "nothing": b"",
    "no list": b"{}\n",
    "an empty list": b"[]\n",
    "a list without entries": b"[\n]\n",
    "a list of nothing": b"[\n\n]\n",
    "words": b"hello\n",
    "not ASCII": '[\n"ä"\n]\n'.encode(),
    "not even UTF-8": b"[\n\xff\xfe\n]\n",
    "a number": b"[\n7\n]\n",
    "not a number": b"[\nNaN\n]\n",
    "endless": b"[\nInfinity\n]\n",
    "a number of many digits": b"[\n" + 10_000 * b"9" + b"\n]\n",
    "a float beyond floats": b"[\n1e999\n]\n",
    "deep": b"[\n" + 100_000 * b"[" + b"\n]\n",
    "half a string": b'[\n{"hash":"\n]\n',
    "an entry of nothing": b"[\n{}\n]\n",
    "a hash of the wrong kind": b'[\n{"hash":1,"post":{}}\n]\n',
    "a post of the wrong kind": b'[\n{"hash":"","post":[]}\n]\n',
    "keys twice": b'[\n{"hash":"","hash":"","post":{}}\n]\n',
    "half a character": b'[\n{"hash":"\\ud800","post":{}}\n]\n',
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=list(GARBAGE))
def test_garbage_is_refused_with_a_code(data: bytes) -> None:
    report = verify(data)
    if data == GARBAGE["a list without entries"]:
        assert report.faults == ()
    else:
        assert report.faults
    assert not report.decided


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda t: f"[\n{json.dumps(t)}\n]\n".encode()))
def test_no_bytes_are_too_odd_to_be_refused(data: bytes) -> None:
    assert not verify(data).decided


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FIELDS), json_values)
def test_no_value_is_too_odd_to_be_refused(field: tuple[int, tuple[Any, ...]], value: Any) -> None:
    number, path = field
    post = held().posts[number]
    body = json.loads(json.dumps(post.body))
    cut = path[: len(path) - len(str(value)) % len(path)]
    functools.reduce(lambda found, key: found[key], cut[:-1], body)[cut[-1]] = value
    if body != post.body or repr(body) != repr(post.body):
        assert verify(instead(held().posts, number, resigned(post, body=body))).faults


def test_what_is_said_of_a_field_does_not_write_on_the_screen() -> None:
    post = held().posts[0]
    [fault] = verify(instead(held().posts, 0, resigned(post, body={**post.body, "\x1b[2J\u202e": 1}))).faults
    assert fault.place == "entry 1 (manifest of clerk), \x1b[2J\u202e"
    assert str(fault).startswith("entry 1 (manifest of clerk), ?[2J?: ")


@pytest.mark.parametrize("end", ["", "\n\n", "\r\n", " \n", "\n{}", "\ufeff\n"])
def test_there_is_one_way_to_end(end: str) -> None:
    with pytest.raises(RefusedError):
        read_board(board()[:-1] + end.encode())


@pytest.mark.parametrize(
    "text",
    [
        board().replace(b",\n", b", \n", 1),
        board().replace(b":", b": ", 1),
        board().replace(b'"hash"', b'"h\\u0061sh"', 1),
        board().replace(b",\n", b"\n", 1),
        board().replace(b"[\n", b"[\n\n", 1),
        b"\xef\xbb\xbf" + board(),
        board().replace(b"\n", b"\r\n"),
    ],
)
def test_there_is_one_way_to_write_it(text: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        read_board(text)
    assert caught.value.faults[0].code in {Code.CANONICAL, Code.JSON}
