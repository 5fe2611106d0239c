"""Records and heads: written in one way only, read strictly, signed by whom they say."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policydsl.core.to_json import dumps
from policydsl.trace import Cell, Change
from runtime import heads, proofs
from runtime.decision import Code
from runtime.heads import Head, SigningError
from runtime.merkle import EMPTY, Frontier, leaf_hash
from runtime.records import (
    EFFECTS,
    MODES,
    Entry,
    Event,
    MalformedError,
    Record,
    Start,
    entry_bytes,
    event_bytes,
    from_bytes,
    start_bytes,
    start_of,
    to_bytes,
)

TEXTS = st.text(max_size=8)
VALUES = st.booleans() | st.integers(-(10**20), 10**20) | TEXTS
CHANGES = st.builds(Change, TEXTS, st.lists(TEXTS, max_size=2).map(tuple), VALUES, VALUES)
NUMBERS = st.integers(0, 10**13)


def by_name(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(TEXTS, values, max_size=3).map(lambda d: tuple(sorted(d.items())))


ENTRIES = st.builds(
    Entry,
    n=NUMBERS,
    at=NUMBERS,
    system=TEXTS,
    policy=TEXTS,
    action=TEXTS,
    inputs=by_name(VALUES),
    effect=st.sampled_from(EFFECTS),
    code=st.sampled_from([c.value for c in Code]),
    reason=TEXTS,
    rules=st.lists(TEXTS, max_size=2).map(tuple),
    obligations=st.lists(st.tuples(TEXTS, st.lists(VALUES, max_size=2).map(tuple)), max_size=2).map(tuple),
    changes=st.lists(CHANGES, max_size=3).map(tuple),
    key=TEXTS,
    mode=st.sampled_from(MODES),
    redacted=by_name(st.none() | TEXTS),
)
ENTRY = Entry(
    7,
    1_000,
    "gateway",
    "d" * 64,
    "send",
    (("amount", 3), ("text", 'sk-"[key]'), ("urgent", True)),
    "deny",
    "denied.forbid",
    "the skill is muted",
    ("muzzled",),
    (("notify", ("ann", 1, False)),),
    (Change("trust", ("ann",), 100, 70),),
    "k-1",
    "shadow",
    (("text", None),),
)
START = Start("gateway", "d" * 64, (("MAX", 3),), (Cell("trust", ("ann",), 40), Cell("muted", ("ann",), True)))


def exactly(value: object) -> str:
    """`repr` tells `True` from `1`."""
    return repr(value)


@given(ENTRIES)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    data = to_bytes(entry)
    assert exactly(from_bytes(data)) == exactly(entry)


@given(ENTRIES)
def test_writing_by_hand_is_canonical_json(entry: Entry) -> None:
    data = to_bytes(entry)
    assert data == dumps(json.loads(data)).encode("ascii")
    assert b"\n" not in data


def test_the_order_in_which_names_are_given_is_no_matter() -> None:
    inputs: dict[str, Any] = {"b": 1, "a": 2}
    redacted = {"d": "x", "c": None}
    again = [dict(reversed(d.items())) for d in (inputs, redacted)]
    args = (0, 0, "s", "p", "a")
    one = entry_bytes(*args, inputs, "allow", "allowed", redacted=redacted)
    assert entry_bytes(*args, again[0], "allow", "allowed", redacted=again[1]) == one
    assert from_bytes(one).n == 0


def test_what_an_entry_looks_like() -> None:
    assert json.loads(to_bytes(ENTRY)) == {
        "format": "policyctl-record/1",
        "n": 7,
        "at": 1000,
        "system": "gateway",
        "policy": "d" * 64,
        "action": "send",
        "inputs": {"amount": 3, "text": 'sk-"[key]', "urgent": True},
        "decision": {
            "effect": "deny",
            "code": "denied.forbid",
            "reason": "the skill is muted",
            "rules": ["muzzled"],
            "obligations": [["notify", ["ann", 1, False]]],
        },
        "changes": [["trust", ["ann"], 100, 70]],
        "key": "k-1",
        "mode": "shadow",
        "redacted": {"text": None},
    }
    assert not ENTRY.replayable
    assert replace(ENTRY, redacted=(("text", "aa"),)).replayable
    assert replace(ENTRY, redacted=()).replayable


@pytest.mark.parametrize("value", [1.5, None, ["a"], 2.0])
def test_what_is_no_value_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        entry_bytes(0, 0, "s", "p", "a", {"x": value}, "allow", "allowed")


@given(NUMBERS, NUMBERS, TEXTS, st.dictionaries(st.sampled_from("abc"), st.lists(VALUES, max_size=2)))
def test_an_event_comes_back_as_it_was(n: int, at: int, event: str, data: dict[str, Any]) -> None:
    read = from_bytes(event_bytes(n, at, event, data))
    assert exactly(read) == exactly(Event(n, at, event, dict(sorted(data.items()))))
    assert to_bytes(read) == event_bytes(n, at, event, data)


def test_an_event_cannot_shadow_what_every_record_has() -> None:
    for name in ("n", "at", "event", "format"):
        with pytest.raises(ValueError, match="already"):
            event_bytes(0, 0, "lockdown", {name: 1})


def test_a_start_comes_back_as_it_was() -> None:
    read = from_bytes(start_bytes(3, 5, START))
    assert isinstance(read, Event)
    assert (read.n, read.at, read.event) == (3, 5, "start")
    assert exactly(start_of(read)) == exactly(START)
    assert start_of(Event(0, 0, "lockdown", {})) is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"system": "s", "policy": "p", "params": {}, "cells": [["x", ["a"]]]},
        {"system": "s", "policy": "p", "params": {}, "cells": [["x", ["a"], None]]},
        {"system": "s", "policy": "p", "params": {"x": []}, "cells": []},
        {"system": 1, "policy": "p", "params": {}, "cells": []},
        {"system": "s", "policy": "p", "params": {}, "cells": [], "more": 1},
    ],
)
def test_a_start_that_is_none_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        start_of(Event(4, 0, "start", data))


def changed(path: str, value: Any) -> bytes:
    """`ENTRY` as bytes, with another value at a place; `...` removes it."""
    data = json.loads(to_bytes(ENTRY))
    *above, last = path.split(".")
    at = data
    for name in above:
        at = at[name]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return dumps(data).encode("ascii")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((name, ...) for name in json.loads(to_bytes(ENTRY))),
        ("format", "policyctl-record/2"),
        ("n", -1),
        ("n", True),
        ("n", "7"),
        ("at", 1.0),
        ("mode", "off"),
        ("inputs", []),
        ("inputs.amount", None),
        ("decision.effect", "pending"),
        ("decision.code", "because"),
        ("decision.rules", ["a", 1]),
        ("decision.obligations", [["notify"]]),
        ("decision.obligations", [["notify", [None]]]),
        ("changes", [["trust", ["ann"], 100]]),
        ("changes", [["trust", [1], 100, 70]]),
        ("redacted", {"text": 1}),
        ("more", 1),
    ],
)
def test_a_record_that_is_none_is_refused(path: str, value: Any) -> None:
    with pytest.raises(MalformedError):
        from_bytes(changed(path, value))


@pytest.mark.parametrize(
    "data",
    [
        to_bytes(ENTRY) + b"\n",
        to_bytes(ENTRY).replace(b'"n":7', b'"n": 7'),
        to_bytes(ENTRY).replace(b"ann", b"\\u0061nn"),
        to_bytes(ENTRY).replace(b'"key":"k-1",', b"")[:-1] + b',"key":"k-1"}',
        to_bytes(ENTRY).replace(b'"key":"k-1",', b'"key":"k-1","key":"k-1",'),
        to_bytes(replace(ENTRY, reason="ä")).replace(b"\\u00e4", "ä".encode()),
        b"",
        b"[]",
        b"7",
        b"[" * 100_000,
        b'{"at":0,"event":"e","format":"policyctl-record/1","n":0,"x":1e999}',
        b'{"at":0,"event":"e","format":"policyctl-record/1","n":0,"x":NaN}',
        b'{"at":0,"event":"e","format":"policyctl-record/1","n":0,"x":' + b"[" * 900 + b"]" * 900 + b"} ",
    ],
)
def test_another_way_to_write_the_same_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        from_bytes(data)


# ---- heads

KEY = heads.generate_key(b"k" * 32)
OTHER = heads.generate_key(b"o" * 32)
HEAD = Head(2, leaf_hash(b"x"), 1_234)
SIGNED = heads.sign(HEAD, KEY)


def test_a_head_comes_back_as_it_was() -> None:
    for head in (HEAD, SIGNED, Head(0, EMPTY, 0)):
        assert heads.from_text(heads.to_text(head)) == head
        assert heads.to_text(head) == dumps(json.loads(heads.to_text(head)))
    assert not HEAD.signed
    assert SIGNED.signed


def test_a_signature_holds_for_its_key_alone() -> None:
    assert heads.signature_fault(SIGNED, heads.public_of(KEY)) is None
    assert "another key" in str(heads.signature_fault(SIGNED, heads.public_of(OTHER)))
    assert "unsigned" in str(heads.signature_fault(HEAD, heads.public_of(KEY)))
    named = replace(heads.sign(HEAD, OTHER), key=heads.key_id(heads.public_of(KEY)))
    assert "does not hold" in str(heads.signature_fault(named, heads.public_of(KEY)))


@pytest.mark.parametrize("changes", [{"size": 3}, {"root": leaf_hash(b"y")}, {"at": 1_235}, {"signature": b"s" * 64}])
def test_a_changed_head_is_not_signed(changes: dict[str, Any]) -> None:
    assert "does not hold" in str(heads.signature_fault(replace(SIGNED, **changes), heads.public_of(KEY)))


def test_signing_again_replaces_the_signature() -> None:
    again = heads.sign(SIGNED, OTHER)
    assert again == heads.sign(HEAD, OTHER)
    assert heads.signature_fault(again, heads.public_of(OTHER)) is None


def test_the_signature_is_ed25519_of_canonical_json() -> None:
    """What somebody else's program has to do to check a head."""
    data = json.loads(heads.to_text(SIGNED))
    signature = bytes.fromhex(data.pop("signature"))
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    heads.public_of(KEY).verify(signature, text.encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "policyctl-head/2"),
        ("size", -1),
        ("size", True),
        ("root", "ab"),
        ("root", HEAD.root.hex().upper()),
        ("root", "zz" * 32),
        ("at", "now"),
        ("key", ""),
        ("signature", ""),
        ("signature", "ab"),
        ("more", 1),
    ],
)
def test_a_head_that_is_none_is_refused(field: str, value: Any) -> None:
    with pytest.raises(MalformedError):
        heads.from_text(dumps({**json.loads(heads.to_text(SIGNED)), field: value}))


def test_keys_come_back_from_pem() -> None:
    private = heads.read_private(heads.private_pem(KEY))
    public = heads.read_public(heads.public_pem(heads.public_of(KEY)))
    assert heads.key_id(public) == heads.key_id(heads.public_of(private)) != heads.key_id(heads.public_of(OTHER))
    assert heads.sign(HEAD, private) == SIGNED
    assert heads.signature_fault(SIGNED, public) is None


def test_what_is_no_key_is_refused() -> None:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    curve = generate_private_key(SECP256R1())
    private = curve.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode()
    public = curve.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode()
    locked = KEY.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"p")).decode()
    for text in ("", "nonsense", heads.public_pem(heads.public_of(KEY)), private, locked):
        with pytest.raises(SigningError):
            heads.read_private(text)
    for text in ("", "nonsense", heads.private_pem(KEY), public):
        with pytest.raises(SigningError):
            heads.read_public(text)


def test_nothing_but_signing_loads_the_library_for_it() -> None:
    code = (
        "import sys, runtime.log_file, runtime.to_trace, runtime.proofs, runtime.heads as h;"
        "h.from_text(h.to_text(h.Head(0, bytes(32), 0)));"
        "print([m for m in ('cryptography', 'z3', 'cvc5', 'lark', 'verifier') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- proofs as text


def five() -> tuple[list[bytes], Head]:
    found: list[Record] = [replace(ENTRY, n=i) for i in range(4)]
    found.append(Event(4, 9, "lockdown", {"by": "ann"}))
    data = [to_bytes(r) for r in found]
    tree = Frontier()
    for r in data:
        tree.append(r)
    return data, Head(tree.size, tree.root(), 0)


@pytest.mark.parametrize("n", range(5))
def test_a_proof_survives_being_text_and_holds(n: int) -> None:
    records, head = five()
    proof = proofs.from_text(proofs.to_text(proofs.prove(records, n, 5)))
    assert proof == proofs.prove(records, n, 5)
    assert proofs.fault(proof, head) is None
    assert "head of 5" in str(proofs.fault(proof, replace(head, size=6)))
    assert "does not lead" in str(proofs.fault(proof, replace(head, root=EMPTY)))
    assert "does not lead" in str(proofs.fault(replace(proof, record=records[n - 1]), head))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "policyctl-proof/2"),
        ("n", 2),
        ("n", "1"),
        ("size", None),
        ("path", ["zz"]),
        ("path", [1]),
        ("record", {}),
        ("record", {"at": 0, "event": "e", "format": "policyctl-record/1", "n": 1, "x": 1e999}),
        ("record", 1),
        ("more", 1),
    ],
)
def test_a_proof_that_is_none_is_refused(field: str, value: Any) -> None:
    records, _ = five()
    data = {**json.loads(proofs.to_text(proofs.prove(records, 1, 5))), field: value}
    with pytest.raises(MalformedError):
        proofs.from_text(json.dumps(data))


def test_a_proof_is_for_what_is_there() -> None:
    records, _ = five()
    for n, size in ((5, 5), (3, 3), (-1, 5)):
        with pytest.raises(ValueError, match="no record"):
            proofs.prove(records, n, size)
