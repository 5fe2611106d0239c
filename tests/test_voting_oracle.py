"""Two verifiers that share no line agree about boards: those that are right, and those that somebody changed."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from election_oracle import G, L, Oracle, h, mul, pack, point, signed
from elections import CHOICES, Held, changed, cheated, fields, instead, resigned, secret_of, whole
from hypothesis import given, settings
from hypothesis import strategies as st

from voting import acts
from voting.ballots import Choice
from voting.group import base_times
from voting.transcript import digest_of
from voting.verify import verify

REFUSALS = (AssertionError, ValueError, KeyError, TypeError)


@functools.cache
def held() -> Held:
    return whole()


def oracle_says(board: bytes) -> tuple[int, int, int] | None:
    """The result, or nothing."""
    try:
        return Oracle().read(board).result
    except REFUSALS:
        return None


def test_the_oracle_counts_as_the_verifier_does() -> None:
    assert Oracle().read(held().board).result == held().result == (120, 100, 100)


def test_with_a_dealer_who_cheats() -> None:
    other = Held().announce()
    other.say("rita", cheated(other, "rita", "tess"))
    other.round(["sam", "tess"]).round(["tess"]).round()
    other.put(acts.open_voting(other.election, secret_of("clerk")))
    other.cast({"dave": Choice.NO, **CHOICES}).close().contribute("rita", "tess", "sam").decide()
    oracle = Oracle().read(other.board)
    assert oracle.out == {"rita"}
    assert oracle.result == other.result == (120, 170, 100)


@pytest.mark.parametrize("threshold", [1, 3])
def test_with_other_thresholds(threshold: int) -> None:
    other = Held(threshold=threshold).open().cast(CHOICES).close()
    other.contribute("tess", "rita", "sam").decide("tess")
    assert Oracle().read(other.board).result == (120, 100, 100)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(fields()), st.booleans())
def test_they_refuse_the_same(field: tuple[int, tuple[Any, ...]], sign: bool) -> None:
    number, path = field
    post = held().posts[number]
    body = changed(post, path)
    forged = resigned(post, body) if sign else post.model_copy(update={"body": body})
    board = instead(held().posts, number, forged)
    assert verify(board).faults
    assert oracle_says(board) is None


@settings(deadline=None)
@given(st.integers(0, L - 1))
def test_they_compute_the_same(value: int) -> None:
    assert pack(mul(value, G)) == base_times(value)
    assert h("x", "a", b"b", value) == digest_of("x", "a", b"b", value)


def test_they_check_the_same_signatures() -> None:
    secret = secret_of("alice")
    key = secret.sign_key
    assert signed(point(key.hex()), b"hello", secret.sign(b"hello"))
    assert not signed(point(key.hex()), b"hullo", secret.sign(b"hello"))
