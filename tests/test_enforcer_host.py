"""The enforcer in somebody's program: files, guarded functions, reservations as contexts."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from enforcing import MESSAGING, OUTBOX, Clock, audit, system
from test_bundle import files, proved

from policyctl import DeniedError, Enforcer
from runtime.bundle import BundleError, build, pack, read
from runtime.decision import Code
from runtime.heads import from_text, generate_key, private_pem, public_of, public_pem
from runtime.open_store import open_store


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.bundle"
    path.write_bytes(build([(system(OUTBOX), "")]))
    return path


def opened(bundle: Path, state: Any = "memory:", **further: Any) -> Enforcer:
    given = {"given": {"Trusted": ["ann", "bob"]}, "promised": ["alert", "notify", "quarantine"], "clock": Clock()}
    return Enforcer.open(bundle, state, **{"unproved": True, **given, **further})


@pytest.fixture
def e(bundle: Path) -> Enforcer:
    return opened(bundle)


def test_guarded(e: Enforcer) -> None:
    seen: list[Any] = []

    @e.guard("send", principal="ann")
    def send(to: str, text: str, kind: str = "Mail", *, times: int = 1) -> str:
        """Send it."""
        seen.append((to, text, kind, times))
        return text

    assert send("bob", "hello") == "hello"
    assert send(text="sk-abcdef", to="bob", times=2) == "[key]"
    assert (send.__name__, send.__doc__) == ("send", "Send it.")
    with pytest.raises(DeniedError, match=r"denied\.forbid: a hidden link") as caught:
        send("bob", "bit.ly/")
    assert isinstance(caught.value, PermissionError)
    assert caught.value.decision.rules[0].name == "phishing"
    with pytest.raises(DeniedError, match=r"approval\.required"):
        send("stranger", "hello")
    with pytest.raises(DeniedError, match=r"request\.ill_typed"):
        send("bob", 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        send("bob")  # type: ignore[call-arg]
    assert seen == [("bob", "hello", "Mail", 1), ("bob", "[key]", "Mail", 2)]


def test_guarded_and_asynchronous(e: Enforcer) -> None:
    seen: list[str] = []

    @e.guard("send", principal="ann", kind="Chat")
    async def send(to: str, text: str) -> str:
        await asyncio.sleep(0)
        seen.append(text)
        return text

    async def main() -> list[Any]:
        wanted = [send("bob", "one"), send("bob", "sk-abcdef"), send("bob", "bit.ly/"), send("bob", "three")]
        return await asyncio.gather(*wanted, return_exceptions=True)

    found = asyncio.run(main())
    assert sorted(map(str, found)) == ["[key]", "denied.forbid: a hidden link", "one", "three"]
    assert sorted(seen) == ["[key]", "one", "three"]


def test_an_argument_cannot_be_fixed(e: Enforcer) -> None:
    with pytest.raises(TypeError, match="`principal` is fixed, and an argument of `look`"):

        @e.guard("look", principal="ann")
        def look(principal: str) -> None:
            raise AssertionError(principal)


def test_a_guarded_method(e: Enforcer) -> None:
    class Outbox:
        def __init__(self) -> None:
            self.sent: list[str] = []

        @e.guard("send", principal="ann", kind="Mail")
        def send(self, to: str, text: str) -> int:
            self.sent.append(text)
            return len(self.sent)

        @staticmethod
        @e.guard("look")
        def look(principal: str) -> str:
            return principal

    box = Outbox()
    assert (box.send("bob", "one"), box.send("bob", "sk-abcdef")) == (1, 2)
    assert box.sent == ["one", "[key]"]
    assert Outbox.look("ann") == "ann"


def test_what_has_to_be_redacted_and_cannot_be_is_not_done(e: Enforcer) -> None:
    @e.guard("send", principal="ann", kind="Mail", text="sk-abcdef")
    def send(to: str) -> None:
        raise AssertionError(to)

    with pytest.raises(DeniedError):
        send("bob")


def test_arguments_of_a_record_are_not_what_is_redacted_elsewhere(e: Enforcer) -> None:
    """Names that the function hides in `**others` are no inputs, and so the request is not complete."""

    @e.guard("send", principal="ann", kind="Mail")
    def send(to: str, **others: str) -> None:
        raise AssertionError(others)

    with pytest.raises(DeniedError, match=r"request\.missing_input"):
        send("bob", text="sk-abcdef")


def test_a_guard_in_shadow_mode_changes_nothing(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "policyctl"):
        e = opened(bundle, shadow=True)
    assert "shadow mode: decisions are recorded, and nothing is denied" in caplog.text

    @e.guard("send", principal="eve", kind="Mail")
    def send(to: str, text: str) -> str:
        return text

    assert send("bob", "sk-abcdef bit.ly/") == "sk-abcdef bit.ly/"


def test_what_is_announced(bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened(bundle)
    assert "not everything that it promises is proved" in caplog.text
    caplog.clear()
    opened(bundle, unproved=False)
    assert "everything is denied: not proved: outbox: within_budget" in caplog.text
    caplog.clear()
    assert opened(tmp_path / "no.bundle").decide("look", principal="a").code is Code.BUNDLE
    assert "cannot be read" in caplog.text


def test_reserved(e: Enforcer) -> None:
    with e.reserve("call", principal="ann", most=60) as call:
        assert call.commit(cost=50).allowed
    assert e.reserve("call", principal="ann", most=51).decision.reason == "over budget"
    clock = e.settings.clock
    assert isinstance(clock, Clock)
    assert e.reserve("call", key="k", principal="ann", most=50).allowed
    clock.now += 700_000
    assert [name for name, _ in e.sweep()] == ["k"]


@pytest.mark.parametrize("state", ["no such directory/a.db", "", "nothing://x", "postgresql://nobody@127.0.0.1:1/x"])
def test_a_state_that_is_not_there(bundle: Path, tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    e = opened(bundle, state)
    for _ in range(2):
        assert e.decide("look", principal="a").code is Code.STORE
    e.close()


def test_a_state_that_comes_later(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    e = opened(bundle, folder / "a.db")
    assert e.decide("look", principal="a").code is Code.STORE
    folder.mkdir()
    assert e.decide("look", principal="a").code is Code.ALLOWED
    e.close()
    assert e.decide("look", principal="a").code is Code.STORE


def test_a_log_that_is_signed(bundle: Path, tmp_path: Path) -> None:
    key = generate_key(b"k" * 32)
    (tmp_path / "key").write_text(private_pem(key))
    e = opened(bundle, tmp_path / "a.db", sign=tmp_path / "key")
    assert e.decide("look", principal="a").allowed
    e.close()
    store = open_store(str(tmp_path / "a.db"))
    with store.hold() as tx:
        note = tx.get("head", "latest")
    assert note is not None
    assert from_text(note.decode()).size == 2
    audit(store, OUTBOX)
    store.close()
    assert opened(bundle, sign=tmp_path / "none").decide("look", principal="a").code is Code.BUNDLE
    (tmp_path / "public").write_text(public_pem(public_of(key)))
    assert opened(bundle, sign=tmp_path / "public").decide("look", principal="a").code is Code.BUNDLE


def test_deciding_loads_no_parser_and_no_solver(bundle: Path, tmp_path: Path) -> None:
    program = """
import sys
from policyctl import Enforcer
e = Enforcer.open(sys.argv[1], sys.argv[2], unproved=True, given={"Trusted": ["ann"]})
assert e.decide("send", key="k", principal="ann", to="bob", kind="Mail", text="hello").allowed
assert e.reserve("call", principal="ann", most=5).commit(cost=5).allowed
heavy = {"lark", "z3", "cvc5", "verifier", "pydantic", "numpy", "networkx", "click", "rich", "psycopg", "cryptography"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    command: list[str | Path] = [sys.executable, "-c", program, bundle, tmp_path / "state.db"]
    subprocess.run(command, check=True, cwd=Path(__file__).parent.parent)


def test_what_a_decision_rests_on(tmp_path: Path) -> None:
    for name, data in {"proved": proved(), "bare": build([(system(OUTBOX), "")])}.items():
        (tmp_path / name).write_bytes(data)
    e = Enforcer.open(tmp_path / "proved", "memory:")
    d = e.decide("go", principal="a")
    assert d.basis is not None
    assert (d.policy, d.proof) == (d.basis.policy, d.basis.certificate)
    assert len(d.proof) == 64
    d = opened(tmp_path / "bare").decide("look", principal="a")
    assert (len(d.policy), d.proof) == (64, "")
    assert Enforcer.open(tmp_path / "none", "memory:").decide("look").proof == ""


def test_a_bundle_that_has_to_be_signed(tmp_path: Path) -> None:
    key = generate_key(b"k" * 32)
    (tmp_path / "public").write_text(public_pem(public_of(key)))
    (tmp_path / "a").write_bytes(build([(system(OUTBOX), "")], private_pem(key)))
    (tmp_path / "b").write_bytes(build([(system(OUTBOX), "")]))
    assert opened(tmp_path / "a", key=tmp_path / "public").decide("look", principal="a").allowed
    assert opened(tmp_path / "b", key=tmp_path / "public").decide("look", principal="a").code is Code.BUNDLE
    assert opened(tmp_path / "a", key=tmp_path / "none").decide("look", principal="a").code is Code.BUNDLE


def test_a_bundle_that_comes_later_has_to_be_signed_too(tmp_path: Path) -> None:
    key, other = generate_key(b"k" * 32), generate_key(b"o" * 32)
    (tmp_path / "public").write_text(public_pem(public_of(key)))
    more = system(OUTBOX.replace("3 per 1m", "4 per 1m"))
    signed, unsigned = build([(more, "")], private_pem(key)), build([(more, "")])
    (tmp_path / "a").write_bytes(build([(system(OUTBOX), "")], private_pem(key)))
    e = opened(tmp_path / "a", key=tmp_path / "public", officers=["olga"])
    for number, data in enumerate((unsigned, build([(more, "")], private_pem(other)), b"nothing")):
        (tmp_path / f"{number}").write_bytes(data)
        with pytest.raises(BundleError):
            e.reload(tmp_path / f"{number}")
    for data in (signed, unsigned):
        with pytest.raises(BundleError, match="was not read with the key"):
            e.reload(read(data))
    assert e.policies is not None
    assert (e.locked, e.policies.bundle.policies[0].system) == (False, system(OUTBOX))
    (tmp_path / "b").write_bytes(signed)
    e.reload(tmp_path / "b")
    assert e.policies.bundle.policies[0].system == more
    e.roll_back()
    assert e.policies.bundle.policies[0].system == system(OUTBOX)
    bent = pack({**files(signed), "signature.json": files(signed)["signature.json"].replace(b'ture":"', b'ture":"00')})
    (tmp_path / "c").write_bytes(bent)
    with pytest.raises(BundleError):
        e.reload(tmp_path / "c")


def test_given_and_parameters_by_policy_or_without(tmp_path: Path) -> None:
    path = tmp_path / "two.bundle"
    path.write_bytes(build([(system(OUTBOX), ""), (system(MESSAGING), "")]))
    e = Enforcer.open(path, "memory:", unproved=True, given={"outbox": {"Trusted": ["ann"]}}, clock=Clock())
    assert e.decide("mute_all", principal="ann").allowed
    short: dict[str, Any] = {"Trusted": ["ann"], "gateway.messaging": {"Humans": ["h"]}, "Operators": ["o"]}
    e = Enforcer.open(path, "memory:", unproved=True, given=short, clock=Clock())
    assert e.decide("mute_all", principal="ann").allowed
    assert e.decide("lift_lockdown", principal="h").allowed
    assert e.decide("lock_down", principal="o").allowed
    for wrong in ({"Nobodies": ["ann"]}, {"now": ["ann"]}, {"Trusted": 5}, {"outbox": 5}, {"clock": 5}):
        e = Enforcer.open(path, "memory:", unproved=True, given=wrong, clock=Clock())
        assert e.decide("mute_all", principal="ann").code is Code.BUNDLE
    small = tmp_path / "one.bundle"
    small.write_bytes(build([(system(OUTBOX), "")]))
    assert not opened(small, params={"BUDGET": 5}).decide("reserve", principal="a", most=6).allowed
