"""A decision log is a trace: replayed, it gives every decision again, secrets or not, and what was bent is found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from checked import program
from hypothesis import given
from hypothesis import strategies as st
from log_samples import AT, REQUESTS, SYSTEM, record, recorded, send, strike

from policydsl.core.system import System
from policydsl.core.to_json import digest
from policydsl.interp import initial, replay, run
from policydsl.regular import member
from policydsl.trace import Cell, Change
from policydsl.trace_json import from_json, to_json
from runtime.decision import Code
from runtime.records import Entry, Event, Record, Start, entry_bytes, from_bytes, start_bytes, to_bytes
from runtime.stand_in import (
    REDACTED,
    conceal,
    flows_into,
    languages,
    stand_in,
)
from runtime.to_trace import OF_ENFORCER, Replayed, replay_records, to_runs, to_trace

RECORDS = [from_bytes(r) for r in recorded()]
SEND = SYSTEM.action("send")


def entry(n: int) -> Entry:
    found = RECORDS[n]
    assert isinstance(found, Entry)
    return found


def differences(records: Iterable[Record], system: System) -> list[str]:
    return list(replay_records(records, system).faults)


def bent(n: int, **changes: Any) -> list[Record]:
    return [*RECORDS[:n], replace(entry(n), **changes), *RECORDS[n + 1 :]]


# ---- replay


def test_the_sample_has_something_of_everything() -> None:
    codes = [r.code for r in RECORDS if isinstance(r, Entry)]
    assert set(codes) == {
        c.value
        for c in (
            Code.ALLOWED,
            Code.FORBIDDEN,
            Code.APPROVAL,
            Code.LIMITED,
            Code.OUT_OF_RANGE,
            Code.NOT_PERMITTED,
            Code.UNKNOWN_ACTION,
            Code.MISSING_INPUT,
        )
    }


def test_a_log_is_a_trace_that_replays() -> None:
    found = to_runs(RECORDS, SYSTEM)
    assert found.faults == []
    assert found.aside == []
    [only] = found.runs
    assert only.numbers == tuple(range(1, len(RECORDS)))
    assert replay(SYSTEM, only.trace) == []
    assert replay_records(RECORDS, SYSTEM) == Replayed(len(RECORDS) - 1, (), (), ())
    assert to_trace(RECORDS, SYSTEM) == [only.trace]
    assert from_json(to_json(only.trace)) == only.trace


def test_no_secret_is_in_the_log() -> None:
    assert not [r for r in recorded() for secret in (b"sk-abcd9", b"sk-1234", b"sk-zzzz", b"sk-secret") if secret in r]
    second = entry(2)
    assert dict(second.inputs)["text"] == "[key]"
    assert second.replayable


def test_the_trace_is_the_run_but_for_the_secrets() -> None:
    expected, _ = run(SYSTEM, REQUESTS)
    [trace] = to_trace(RECORDS, SYSTEM)
    assert (trace.system, trace.digest, trace.params) == (expected.system, expected.digest, expected.params)
    for i, (got, wanted) in enumerate(zip(trace.steps, expected.steps, strict=True)):
        if i not in (1, 2, 10):
            assert repr(got) == repr(wanted)


@pytest.mark.parametrize(
    ("n", "changes", "found"),
    [
        (1, {"effect": "deny", "code": "denied.default", "changes": ()}, "recorded deny by all, now allow by all"),
        (1, {"rules": ()}, "recorded allow, now allow by all"),
        (1, {"changes": ()}, "what is remembered of the past: recorded no change, now "),
        (3, {"reason": "no"}, "recorded deny by phishing: no, now deny by phishing: it hides its aim (example.policy:"),
        (3, {"effect": "allow"}, "recorded allow by phishing: it hides its aim, now deny by phishing: "),
        (4, {"effect": "allow"}, "recorded allow by shouting: human must approve: shouting, now pending by "),
        (8, {"changes": (Change("strikes", ("s2",), 0, 2),)}, "recorded strikes[s2]: 0 -> 2, now strikes[s2]: 0 -> 1"),
        (11, {"obligations": ()}, 'recorded no obligation, now notify(s2), log("sk-aaaa")'),
        (
            12,
            {"reason": "out of it", "code": "request.missing_input"},
            "recorded deny: out of it, now deny: no rule ",
        ),
        (3, {"changes": (Change("strikes", ("s1",), 0, 1),)}, "it is no permission, and yet something changed"),
        (1, {"code": "lockdown"}, "allowed with the code `lockdown`, which is for denials"),
    ],
)
def test_what_was_bent_is_found_where_it_is(n: int, changes: dict[str, Any], found: str) -> None:
    lines = [line.partition(": ") for line in differences(bent(n, **changes), SYSTEM)]
    told = [re.sub(r"^at \w+ \w+\(.*?\): ", "", text) for where, _, text in lines if where == f"record {n}"]
    assert any(text.startswith(found) for text in told), told


def test_a_record_left_out_shows_later() -> None:
    assert any(line.startswith("record 9: ") for line in differences([*RECORDS[:8], *RECORDS[9:]], SYSTEM))


@pytest.mark.parametrize("code", sorted(OF_ENFORCER))
def test_denials_of_the_enforcer_itself_are_no_steps(code: str) -> None:
    denied = Entry(99, AT, SYSTEM.name, digest(SYSTEM), "send", (), "deny", code)
    found = to_runs([*RECORDS[:5], denied, *RECORDS[5:]], SYSTEM)
    assert found.aside == [99]
    assert found.faults == []
    assert [replay(SYSTEM, r.trace) for r in found.runs] == [[]]


def test_a_request_that_is_not_recorded_whole_is_no_step() -> None:
    """What was unknown about it is no value that a record can hold, and the rest would be allowed."""
    unknown = Code.UNKNOWN_INPUT.value
    denied = replace(entry(1), n=99, effect="deny", code=unknown, reason="no input `more`", rules=(), changes=())
    found = to_runs([*RECORDS, denied], SYSTEM)
    assert found.aside == [99]
    assert differences([*RECORDS, denied], SYSTEM) == []
    assert differences([*RECORDS, replace(denied, inputs=())], SYSTEM) == []
    assert to_runs([*RECORDS, replace(denied, inputs=())], SYSTEM).aside == []


def test_logs_of_several_systems_come_apart() -> None:
    other = program("module other  action tick() {}").system
    ticks = [Entry(i, AT, "other", digest(other), "tick", (), "allow", "allowed") for i in range(20)]
    mixed: list[Record] = [Event(0, AT, "lockdown", {})]
    for mine, theirs in zip(RECORDS, ticks, strict=False):
        mixed += [mine, theirs]
    assert differences(mixed, SYSTEM) == []
    assert len(to_runs(mixed, SYSTEM).runs) == 1
    assert differences(mixed, other) == []
    assert len(to_trace(mixed, other)[0].steps) == len(RECORDS)


def test_a_log_without_a_start_begins_at_the_beginning() -> None:
    assert differences(RECORDS[1:], SYSTEM) == []


def test_a_run_goes_on_from_a_state_that_is_recorded() -> None:
    cells = (Cell("strikes", ("s2",), 2),)
    start = start_bytes(0, AT, Start(SYSTEM.name, digest(SYSTEM), (("MAX_STRIKES", 3),), cells))
    data, _ = record(SYSTEM, initial(SYSTEM, start=cells), 1, strike("s2", 5))
    log = [from_bytes(start), from_bytes(data)]
    assert differences(log, SYSTEM) == []
    assert to_trace(log, SYSTEM)[0].start == cells
    assert differences(log[1:], SYSTEM) != []


def test_parameters_are_those_of_the_start() -> None:
    state = initial(SYSTEM, {"MAX_STRIKES": 1})
    data, _ = record(SYSTEM, state, 1, strike("s2", 5))
    for limit, whole in ((1, True), (2, False)):
        start = start_bytes(0, AT, Start(SYSTEM.name, digest(SYSTEM), (("MAX_STRIKES", limit),), ()))
        assert (differences([from_bytes(start), from_bytes(data)], SYSTEM) == []) is whole


def test_another_policy_of_the_same_name_is_another_run() -> None:
    old = [replace(entry(n), policy="0" * 64) for n in (1, 2)]
    found = to_runs([*old, *RECORDS], SYSTEM)
    assert [r.trace.digest for r in found.runs] == ["0" * 64, digest(SYSTEM)]
    replayed = replay_records([*old, *RECORDS], SYSTEM)
    assert replayed.others == (f"records 1 to 2: decided by another policy, {'0' * 64}",)
    assert replayed.faults == ()
    assert replayed.compared == len(RECORDS) - 1


def test_a_policy_that_changes_without_a_start_is_reported() -> None:
    old = [replace(entry(n), policy="0" * 64) for n in (1, 2)]
    found = to_runs([*old, *RECORDS[1:]], SYSTEM)
    assert found.faults == ["record 1: another policy decides, and no record says from which state"]
    assert len(found.runs) == 1
    assert found.aside == list(range(1, len(RECORDS)))


# ---- stand-ins

PATTERNS = ("a.*", ".*b.*", "[ab]{1,2}", "a\\.b", ".*sk-[a-z0-9]{4,}.*")


@given(st.text(alphabet="absk-.1", max_size=12), st.sets(st.sampled_from(PATTERNS)).map(sorted).map(tuple))
def test_a_stand_in_is_in_the_same_languages_and_says_no_more(text: str, patterns: tuple[str, ...]) -> None:
    found = stand_in(text, patterns)
    assert found is not None
    assert [member(p, found) for p in patterns] == [member(p, text) for p in patterns]
    assert stand_in(found, patterns) == found
    assert stand_in(text, patterns * 2) == found


def test_a_stand_in_is_not_the_secret() -> None:
    assert stand_in("the key is sk-abcd9", PATTERNS[-1:]) == "sk-aaaa"
    assert stand_in("nothing of it", PATTERNS[-1:]) == ""


def test_there_is_no_stand_in_when_there_are_too_many_languages() -> None:
    patterns = tuple(f".*{a}.{{9}}{b}.*" for a in "abcd" for b in "abcd")
    assert stand_in("text", patterns) is None


def test_what_decisions_can_ask_of_a_text() -> None:
    found = languages(SYSTEM, SEND, "text")
    assert found is not None
    assert len(found) == 5
    assert languages(SYSTEM, SEND, "to") == ()


def small(body: str) -> str:
    head = 'module m  entity Bot  state last: String = ""  state copy: Bot -> String = ""  state count: Int = 0\n'
    return head + body + '\nredact keys on send when text contains "sk-" replace with "[key]"'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('action send(text: String) { require text == "a" or text == "b" }', ("a", "b")),
        ('action send(text: String) { require (if count > 0 then text else "x") == "a" }', ("x", "a")),
        ("action send(text: String, other: String) { require text == other }", None),
        ("action send(text: String) { require text != last }", None),
        ("action send(text: String) { last := text }", None),
        ("action send(text: String, bot: Bot) { copy[bot] := if count > 0 then text else last }", None),
        ("action send(text: String, other: String) { last := other }", ()),
    ],
)
def test_what_can_be_asked_decides_whether_there_is_a_stand_in(body: str, expected: tuple[str, ...] | None) -> None:
    system = program(small(body)).system
    found = languages(system, system.action("send"), "text")
    if expected is None:
        assert found is None
    else:
        # The condition of the rule itself is one of them.
        assert found is not None
        assert {p for p in found if "sk" not in p} == set(expected)


def test_what_remembers_a_secret_is_not_recorded() -> None:
    body = """action send(text: String) { last := text }
    action keep(bot: Bot) { copy[bot] := last }
    action note(text: String) { last := text }
    action tick() { count += 1 }"""
    system = program(small(body)).system
    action = system.action("send")
    assert flows_into(system, action, frozenset({"text"})) == {"last", "copy"}
    changes = (Change("count", (), 0, 1), Change("last", (), "", "sk-1"))
    hidden = conceal(system, action, {"text": "sk-1"}, {"text": "[key]"}, (("log", ("sk-1", 1)),), changes)
    assert hidden.inputs == {"text": "[key]"}
    assert hidden.redacted == {"text": None}
    assert list(hidden.changes) == [changes[0], Change("last", (), REDACTED, REDACTED)]
    assert list(hidden.obligations) == [("log", ("[key]", 1))]
    # Without a secret there is nothing to hide.
    plain = conceal(system, action, {"text": "hello"}, {}, (("log", ("hello", 1)),), changes)
    assert (plain.inputs, plain.redacted) == ({"text": "hello"}, {})
    assert (plain.obligations, plain.changes) == ((("log", ("hello", 1)),), changes)


def test_a_run_ends_where_it_can_no_longer_be_followed() -> None:
    body = "action send(text: String) { last := text }  action tick() { count += 1 }"
    system = program(small(body)).system

    def made(n: int, action: str, changes: tuple[Change, ...], **more: Any) -> Entry:
        return Entry(
            n, AT, system.name, digest(system), action, effect="allow", code="allowed", changes=changes, **more
        )

    moved = (Change("last", (), REDACTED, REDACTED),)
    log = [
        made(0, "tick", (Change("count", (), 0, 1),), inputs=()),
        made(1, "send", moved, inputs=(("text", "[key]"),), redacted=(("text", None),)),
        made(2, "tick", (Change("count", (), 1, 2),), inputs=()),
    ]
    found = to_runs(log, system)
    assert [r.numbers for r in found.runs] == [(0,)]
    assert found.aside == [1, 2]
    assert found.faults == ["record 1: it changes the state and cannot be replayed, nor can what follows"]


def test_what_changes_nothing_may_be_past_replaying() -> None:
    hidden = replace(entry(3), redacted=(("text", None),))
    found = to_runs([*RECORDS[:3], hidden, *RECORDS[4:]], SYSTEM)
    assert found.aside == [3]
    assert found.faults == []
    assert [replay(SYSTEM, r.trace) for r in found.runs] == [[]]


def test_the_empty_text_can_stand_for_a_secret() -> None:
    body = "action send(text: String)  permit all on send then log(text)"
    system = program(small(body).replace("redact", "// redact")).system
    action = system.action("send")
    hidden = conceal(system, action, {"text": "sk-1"}, {"text": "[key]"}, (("log", ("sk-1",)),), ())
    assert hidden.redacted == {"text": ""}
    assert list(hidden.obligations) == [("log", ("",))]
    args = ("send", hidden.inputs, "allow", "allowed", "", ("all",), hidden.obligations)
    log = [from_bytes(entry_bytes(0, AT, system.name, digest(system), *args, redacted=hidden.redacted))]
    assert differences(log, system) == []


def test_obligations_on_a_secret_are_replayed_with_what_stands_for_it() -> None:
    found = entry(11)
    assert found.obligations == (("notify", ("s2",)), ("log", (dict(found.redacted)["text"],)))


@given(st.lists(st.sampled_from([*REQUESTS, send("s2", "sk-0000!", 8_500), strike("s1", 8_600)]), max_size=12))
def test_every_log_replays(requests: list[Any]) -> None:
    log = [from_bytes(r) for r in recorded(SYSTEM, requests)]
    assert differences(log, SYSTEM) == []
    assert all(to_bytes(r) for r in log)
