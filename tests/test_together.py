"""Requests that are one thing: all or none, in memory alone and with a store."""

from __future__ import annotations

from typing import Any

import pytest
from enforcing import OUTBOX, Clock, audit, content, entries, mail, memory, outbox, same_as_store
from hypothesis import given
from hypothesis import strategies as st

from runtime.decision import Code
from runtime.together import decide_together


def sends(*to: str, **other: Any) -> list[tuple[str, dict[str, Any], str]]:
    return [("send", mail(to=name, **other), "") for name in to]


@pytest.mark.parametrize("recording", [False, True])
def test_all_are_done_when_all_are_allowed(recording: bool) -> None:
    store = memory() if recording else None
    e = outbox(store)
    found = decide_together(e, sends("bob", "cyd"))
    assert [d.effect for d in found] == ["allow", "allow"]
    assert content(e, "sent") == {"ann": 2}
    if store is not None:
        audit(store, OUTBOX)
        same_as_store(e, store)


@pytest.mark.parametrize("recording", [False, True])
def test_nothing_is_done_when_one_is_denied(recording: bool) -> None:
    store = memory() if recording else None
    e = outbox(store)
    found = decide_together(e, [*sends("bob"), *sends("cyd", text="bit.ly/x"), *sends("dan")])
    assert [d.code for d in found] == [Code.TOGETHER, Code.FORBIDDEN, Code.TOGETHER]
    assert not any(d.allowed for d in found)
    assert content(e, "sent") == {}
    if store is not None:
        # The denial is on record, and nothing that would have to be decided again the same way.
        assert [(r.effect, r.code) for r in entries(store)] == [("deny", "denied.forbid")]
        audit(store, OUTBOX)
        same_as_store(e, store)


@pytest.mark.parametrize("recording", [False, True])
def test_each_is_decided_in_the_state_that_the_ones_before_leave(recording: bool) -> None:
    e = outbox(memory() if recording else None)
    assert [d.code for d in decide_together(e, sends("bob", "cyd", "dan", "eve"))] == [
        Code.TOGETHER,
        Code.TOGETHER,
        Code.TOGETHER,
        Code.LIMITED,
    ]
    # SOUND: the fourth is within the limit when it is alone, and it was not done alone.
    assert content(e, "sent") == {}
    assert all(d.allowed for d in decide_together(e, sends("bob", "cyd", "dan")))


def test_what_needs_a_person_is_asked_about_and_then_all_are_done() -> None:
    store, clock = memory(), Clock()
    e = outbox(store, clock)
    wanted = [("send", mail(to="bob"), "k#0"), ("send", mail(to="stranger"), "k#1")]
    first, second = decide_together(e, wanted)
    assert (first.code, second.code) == (Code.TOGETHER, Code.APPROVAL)
    assert content(e, "sent") == {}
    assert [d.ticket for d in decide_together(e, wanted)] == ["", second.ticket]
    assert e.answer(second.ticket, True, "hal").allowed
    assert content(e, "sent") == {"ann": 1}
    found = decide_together(e, wanted)
    assert [(d.effect, d.repeated) for d in found] == [("allow", False), ("allow", True)]
    assert content(e, "sent") == {"ann": 2}
    assert decide_together(e, wanted) == found
    assert content(e, "sent") == {"ann": 2}
    audit(store, OUTBOX)
    same_as_store(e, store)


def test_a_fault_of_the_store_denies_all() -> None:
    store = memory()
    e = outbox(store)
    with store.hold():  # somebody else has it, and does not let go
        found = decide_together(e, sends("bob", "cyd"))
    assert [d.code for d in found] == [Code.STORE, Code.STORE]
    assert decide_together(e, sends("bob", "cyd"))[0].allowed


def test_in_shadow_mode_all_are_decided_and_none_is_stopped() -> None:
    store = memory()
    e = outbox(store, shadow=True)
    found = decide_together(e, [*sends("bob"), *sends("cyd", text="bit.ly/x")])
    assert [(d.effect, d.allowed) for d in found] == [("allow", True), ("deny", True)]
    audit(store, OUTBOX)


def test_an_obligation_that_is_not_done_denies() -> None:
    def fails(*_: object) -> None:
        raise OSError("no line")

    e = outbox(memory(), handlers={"alert": fails}, given={"outbox": {"Trusted": ["herald"]}})
    found = decide_together(e, [("send", mail(principal="herald", to=to), "") for to in ("bob", "cyd")])
    assert [d.code for d in found] == [Code.OBLIGATION, Code.OBLIGATION]


@given(
    st.lists(
        st.tuples(st.sampled_from(["ann", "bob", "eve"]), st.sampled_from(["hi", "bit.ly/", "sk-abcd"])), max_size=5
    )
)
def test_it_is_what_deciding_one_after_the_other_says_or_nothing(wanted: list[tuple[str, str]]) -> None:
    requests = [("send", mail(principal=who, text=text), "") for who, text in wanted]
    one_by_one, together = outbox(), outbox()
    expected = [one_by_one.decide_request(a, i, k) for a, i, k in requests]
    found = decide_together(together, requests)
    if all(d.effect == "allow" for d in expected):
        assert found == expected
        assert content(together, "sent") == content(one_by_one, "sent")
    else:
        assert not all(d.allowed for d in found)
        assert content(together, "sent") == {}
        first = next(i for i, d in enumerate(expected) if d.effect != "allow")
        assert found[first].code is expected[first].code
