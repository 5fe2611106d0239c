"""Bundles: the same policies make the same bytes, and any other bytes are refused, with what is wrong with them."""

from __future__ import annotations

import io
import json
import zipfile
from hashlib import sha256
from typing import Any

import pytest
from enforcing import BUDGETS, MESSAGING, OUTBOX, settings, system
from hypothesis import given
from hypothesis import strategies as st

from policydsl.core.system import Property, PropertyKind, System
from policydsl.core.to_json import digest, to_data
from runtime.bundle import BundleError, ForgedError, build, pack, read
from runtime.decision import Code
from runtime.enforcer import Enforcer
from runtime.heads import generate_key, private_pem, public_of, public_pem

ONE = """
module one
entity Bot
state n : Int = 0
action go(principal: Bot) { require n < 3  n += 1 }
invariant few: n <= 3
assert some on go: allowed implies n < 3
expect unknown invariant perhaps because "nobody knows": n <= 2
"""


def certificate(of: System, **changes: Any) -> str:
    """A certificate that says that all is proved, whatever the truth."""
    data = {
        "format": "policyctl-certificate/2",
        "system": of.name,
        "digest": digest(of),
        "solvers": {},
        "properties": [{"name": p.name, "verdict": "proved", "obligations": []} for p in of.properties],
        "facts": [],
        "formulas": to_data(System(of.name, of.params, of.state, (), ())),
        "core": to_data(of),
    }
    return json.dumps(data | changes)


def proved(text: str = ONE) -> bytes:
    return build([(system(text), certificate(system(text)))])


def without(name: str, text: str = ONE, **how: str) -> bytes:
    """A certificate in which one property has another verdict, or none."""
    own = system(text)
    properties = [
        {"name": p.name, "verdict": how.get(p.name, "proved"), "obligations": []}
        for p in own.properties
        if p.name != name
    ]
    return build([(own, certificate(own, properties=properties))])


def files(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {n: archive.read(n) for n in archive.namelist()}


def test_the_same_policies_make_the_same_bytes() -> None:
    assert build([(system(BUDGETS), ""), (system(ONE), "")]) == build([(system(ONE), ""), (system(BUDGETS), "")])
    assert (
        sha256(pack({"b": b"2", "a": b"1"})).hexdigest()
        == "100e613e9f92b52579e9b25a23af73709dfae16aaa136f8fd6ab6d67781970e3"
    )


def test_what_is_built_is_what_is_read() -> None:
    found = read(build([(system(MESSAGING), ""), (system(BUDGETS), ""), (system(ONE), certificate(system(ONE)))]))
    assert [p.system for p in found.policies] == [system(BUDGETS), system(MESSAGING), system(ONE)]
    assert [p.digest for p in found.policies] == [digest(p.system) for p in found.policies]
    assert (found.verified, found.policies[2].unproved, found.signer) == (False, (), "")
    assert len(found.policies[2].certificate) == 64
    assert read(proved()).verified


def test_places_of_rules_survive() -> None:
    [policy] = read(build([(system(OUTBOX), "")])).policies
    [action] = [a for a in policy.system.actions if a.name == "send"]
    assert [g.span.line for g in action.guards if g.rule == "phishing"] != [0]


@pytest.mark.parametrize(
    ("data", "unproved"),
    [
        (build([(system(ONE), "")]), ("few", "some")),
        (without("few"), ("few",)),
        (without("", few="unknown"), ("few",)),
        (without("", few="refuted"), ("few",)),
        (without("perhaps"), ()),
        (without("", perhaps="refuted"), ()),
        (without("", ONE.replace("expect unknown", "expect refuted")), ("perhaps",)),
    ],
)
def test_what_is_not_proved(data: bytes, unproved: tuple[str, ...]) -> None:
    found = read(data)
    assert found.policies[0].unproved == unproved
    assert found.verified == (unproved == ())
    d = Enforcer(found, None, settings(unproved=False)).decide("go", principal="a")
    assert (d.code is Code.ALLOWED) == (unproved == ())
    assert d.code in (Code.ALLOWED, Code.UNPROVED)
    d = Enforcer(found, None, settings(unproved=True)).decide("go", principal="a")
    assert d.basis is not None
    assert d.basis.verified == (unproved == ())


TWICE = {"name": "few", "verdict": "proved", "obligations": []}
WRONG: dict[str, Any] = {
    "no bundle": b"",
    "no zip": b"PK\x03\x04 and so on",
    "empty": pack({}),
    "no manifest": pack({k: v for k, v in files(proved()).items() if k != "bundle.json"}),
    "another format": pack(files(proved()) | {"bundle.json": b'{"files":{},"format":"policyctl-bundle/9"}'}),
    "nothing in it": pack({"bundle.json": b'{"files":{},"format":"policyctl-bundle/1"}'}),
    "list": pack({"bundle.json": b"[]"}),
    "deep": pack({"bundle.json": b"[" * 100_000}),
    "not UTF-8": pack({"bundle.json": b"\xff"}),
    "a core is missing": pack({k: v for k, v in files(proved()).items() if not k.startswith("core/")}),
    "a core was changed": pack(files(proved()) | {"core/one.json": b"{}"}),
    "no certificate": pack({k: v for k, v in files(proved()).items() if not k.startswith("certificate/")}),
    "one more": pack(files(proved()) | {"core/two.json": b"{}"}),
    "of another policy": build([(system(ONE), certificate(system(BUDGETS)))]),
    "no JSON": build([(system(ONE), "{")]),
    "a certificate that is a list": build([(system(ONE), "[]")]),
    "an old certificate": build([(system(ONE), certificate(system(ONE), format="policyctl-certificate/1"))]),
    "properties that are none": build([(system(ONE), certificate(system(ONE), properties=[1]))]),
    "a property twice": build([(system(ONE), certificate(system(ONE), properties=[TWICE, TWICE]))]),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_bundle_is_refused(what: str) -> None:
    with pytest.raises(BundleError):
        read(WRONG[what])


def test_a_core_that_was_exchanged_is_refused_even_with_a_new_manifest() -> None:
    """The digest in the certificate is that of the core which was proved."""
    loose = system(ONE.replace("require n < 3  ", ""))
    with pytest.raises(ForgedError, match=r"certificate/one\.json is not one of the policy beside it"):
        read(build([(loose, certificate(system(ONE)))]))


@given(st.data())
def test_any_byte_that_is_changed_is_noticed(data: st.DataObject) -> None:
    whole = proved()
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    with pytest.raises(BundleError):
        read(changed)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(BundleError):
        read(data)


def test_two_policies_of_one_name() -> None:
    with pytest.raises(BundleError, match="two policies called `one`"):
        build([(system(ONE), ""), (system(ONE), "")])
    with pytest.raises(BundleError, match="no policy"):
        build([])


def test_a_name_that_is_not_that_of_the_core() -> None:
    content = files(build([(system(ONE), "")]))
    core = content.pop("core/one.json")
    sums = {"core/two.json": sha256(core).hexdigest()}
    manifest = json.dumps({"files": sums, "format": "policyctl-bundle/1"}).encode()
    with pytest.raises(BundleError, match="is the policy `one`"):
        read(pack({"bundle.json": manifest, "core/two.json": core}))


# ---- signatures

KEY, OTHER = generate_key(b"a" * 32), generate_key(b"b" * 32)
PUBLIC = public_pem(public_of(KEY))


def test_a_signed_bundle() -> None:
    signed = build([(system(ONE), "")], private_pem(KEY))
    assert read(signed, PUBLIC).signer
    assert read(signed).signer == ""
    with pytest.raises(BundleError, match="the trusted one is"):
        read(signed, public_pem(public_of(OTHER)))
    with pytest.raises(BundleError, match="it is not signed"):
        read(build([(system(ONE), "")]), PUBLIC)
    with pytest.raises(BundleError):
        read(signed, "no key")
    with pytest.raises(BundleError):
        build([(system(ONE), "")], "no key")


def test_a_signature_of_something_else() -> None:
    signed, other = files(build([(system(ONE), "")], private_pem(KEY))), files(proved())
    with pytest.raises(ForgedError, match="the signature does not hold"):
        read(pack(other | {"signature.json": signed["signature.json"]}), PUBLIC)
    cut = json.loads(signed["signature.json"]) | {"signature": "00"}
    with pytest.raises(BundleError):
        read(pack(signed | {"signature.json": json.dumps(cut).encode()}), PUBLIC)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.bundle.MOST_BYTES", 100)
    with pytest.raises(BundleError, match="more than 100 bytes"):
        read(proved())


def test_every_kind_of_property_is_promised() -> None:
    kinds = {p.kind for p in system(ONE).properties}
    assert kinds == {PropertyKind.INVARIANT, PropertyKind.ASSERT}
    assert all(isinstance(p, Property) for p in system(ONE).properties)
