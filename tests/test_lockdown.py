"""Lockdown: bundles that claim what is not so begin one, operators begin and end it beside the enforcers that run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from enforcing import OUTBOX, Clock, audit, bundle, events, mail, memory, outbox, settings, system
from test_bundle import certificate, files, proved

from policyctl.cli import run
from policyctl.embed import Enforcer as Opened
from runtime.bundle import BundleError, ForgedError, build, pack, read
from runtime.decision import Code
from runtime.enforcer import Enforcer
from runtime.lockdown import ENTERED, LIFTED
from runtime.reservations import reserve
from runtime.store import Store
from runtime.store_sqlite import SqliteStore

if TYPE_CHECKING:
    from stores_kinds import Place

pytest_plugins = ("stores_kinds",)


def forged() -> ForgedError:
    """What comes of a certificate beside a core that it is not about."""
    with pytest.raises(ForgedError) as error:
        read(build([(system(OUTBOX), certificate(system(OUTBOX.replace("3 per 1m", "4 per 1m"))))]))
    return error.value


def changed() -> ForgedError:
    """What comes of a core that was changed after all, with a new archive around it."""
    with pytest.raises(ForgedError) as error:
        read(pack(files(proved()) | {"core/one.json": b"{}"}))
    return error.value


def old() -> BundleError:
    """A certificate of another version claims nothing."""
    with pytest.raises(BundleError) as error:
        read(build([(system(OUTBOX), certificate(system(OUTBOX), format="policyctl-certificate/1"))]))
    return error.value


@pytest.fixture(params=["memory", "recorded"])
def store(request: pytest.FixtureRequest) -> Store | None:
    return memory() if request.param == "recorded" else None


@pytest.mark.parametrize("make", [forged, changed])
def test_a_forged_bundle_that_comes_while_others_decide_begins_a_lockdown(store: Store | None, make: Any) -> None:
    e = outbox(store, officers=["olga"])
    with pytest.raises(ForgedError):
        e.reload(make())
    assert e.locked
    assert e.decide("send", **mail()).code is Code.LOCKDOWN
    assert e.decide("mute_all", principal="ann").allowed  # what the policy lists for it
    assert e.lift_lockdown("ann").effect == "deny"
    assert e.lift_lockdown("olga").effect == "allow"
    assert e.decide("send", **mail(principal="bob")).code is Code.FORBIDDEN
    if store is not None:
        assert events(store) == ["start", ENTERED, LIFTED]
        audit(store, OUTBOX)


@pytest.mark.parametrize("error", [BundleError("it cannot be read"), old()])
def test_a_bundle_that_only_cannot_be_used_is_refused(store: Store | None, error: BundleError) -> None:
    e = outbox(store, officers=["olga"])
    with pytest.raises(BundleError):
        e.reload(error)
    assert not e.locked
    assert e.decide("send", **mail()).allowed


def test_what_is_not_proved_and_does_not_say_so_otherwise_is_refused() -> None:
    e = Enforcer(read(proved()), memory(), settings(unproved=False))
    with pytest.raises(BundleError, match="not proved"):
        e.reload(bundle(OUTBOX))
    assert not e.locked
    assert e.decide("go", principal="a").allowed


def test_a_forged_bundle_that_is_opened_locks_those_who_decide() -> None:
    store = memory()
    running = outbox(store, officers=["olga"])
    assert running.decide("send", **mail()).allowed
    e = Enforcer(forged(), store, settings())
    assert (e.decide("send", **mail()).code, e.locked) == (Code.BUNDLE, True)
    assert running.decide("send", **mail()).code is Code.LOCKDOWN
    e.reload(bundle(OUTBOX))
    assert e.decide("send", **mail()).code is Code.LOCKDOWN
    assert running.lift_lockdown("olga").effect == "allow"
    assert e.decide("look", principal="ann").allowed
    audit(store, OUTBOX)


def test_a_forged_bundle_where_nothing_was_decided_is_denied_and_no_more() -> None:
    store = memory()
    e = Enforcer(forged(), store, settings())
    assert (e.decide("send", **mail()).code, e.locked) == (Code.BUNDLE, False)
    assert events(store) == []


def test_a_forged_bundle_without_a_store_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "x.bundle").write_bytes(
        build([(system(OUTBOX), certificate(system(OUTBOX.replace("3 per", "4 per"))))])
    )
    e = Opened.open(tmp_path / "x.bundle", tmp_path / "nowhere" / "x.db")
    assert e.fault is not None
    assert "could not be locked down" in e.fault[1]
    assert e.decide("send", **mail()).code is Code.BUNDLE


# ---- operators


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return re.sub(r"since .* UTC", "since then", capsys.readouterr().out)


def test_operators_need_no_enforcer(durable: Place, capsys: pytest.CaptureFixture[str]) -> None:
    where = durable.where
    e = outbox(durable.open())  # nobody is an officer
    assert e.decide("send", **mail()).allowed
    assert run(["lockdown", "status", where]) == 0
    assert said(capsys) == "no lockdown\n"
    e.report_fault("a proof does not hold")
    assert e.lift_lockdown("ann").effect == "deny"
    assert run(["lockdown", "status", where]) == 3
    assert said(capsys) == "locked down since then, by a fault: a proof does not hold\n"
    assert run(["lockdown", "lift", where, "--as", "olga", "--because", "checked"]) == 0
    assert run(["lockdown", "status", where]) == 0
    assert said(capsys).endswith("no lockdown since then, by `olga`: checked\n")
    assert e.decide("send", **mail()).allowed
    assert run(["lockdown", "enter", where, "--as", "olga"]) == 0
    assert e.decide("send", **mail()).code is Code.LOCKDOWN
    assert events(durable.open()) == ["start", ENTERED, LIFTED, ENTERED]
    assert run(["log", "verify", where]) == 0
    audit(durable.open(), OUTBOX)


def test_locked_down_before_anything_was_decided(tmp_path: Path) -> None:
    where = str(tmp_path / "x.db")
    SqliteStore(where).close()
    assert run(["lockdown", "enter", where, "--as", "olga"]) == 0
    store = SqliteStore(where)
    e = outbox(store, officers=["otto"])
    assert e.decide("send", **mail()).code is Code.LOCKDOWN
    assert e.lift_lockdown("otto").effect == "allow"
    assert e.decide("send", **mail()).allowed
    assert events(store) == [ENTERED, "start", LIFTED]
    audit(store, OUTBOX)


def test_nothing_to_lift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(tmp_path / "x.db")
    outbox(SqliteStore(where))
    assert run(["lockdown", "lift", where, "--as", "olga"]) == 1
    assert "there is no lockdown" in capsys.readouterr().err
    assert run(["lockdown", "lift", where]) == 2
    assert run(["lockdown", "lift", where, "--as", ""]) == 2
    assert run(["lockdown", "status", str(tmp_path / "y.db")]) == 2
    assert not (tmp_path / "y.db").exists()
    (tmp_path / "z.db").write_text("no store")
    assert run(["lockdown", "status", str(tmp_path / "z.db")]) == 1


# ---- what denials rest on


def test_denials_of_the_enforcer_itself_rest_on_what_is_in_force() -> None:
    one = read(proved())
    both = read(build([(system(OUTBOX), ""), (one.policies[0].system, certificate(one.policies[0].system))]))
    e = Enforcer(both, memory(), settings(Clock()))
    known = e.decide("go", principal="a").basis
    for d in (e.decide("nope"), e.answer("t", True, "x"), e.answer("", True, "x"), reserve(e, "nope", {}, "").decision):
        assert d.basis is not None
        assert (d.basis.system, d.basis.verified) == ("one, outbox", False)
        assert d.basis.policy.split(", ") == [p.digest for p in both.policies]
        assert d.basis.certificate.split(", ") == [p.certificate for p in both.policies]
    assert known is not None
    assert (known.system, known.verified) == ("one", True)
    assert e.decide("go", key="k", principal="a").basis == known
    assert e.decide("go", key="k", principal="b").basis == known  # the key is another request's
    alone = Enforcer(one, memory(), settings())
    assert alone.decide("nope").basis == alone.decide("go", principal="a").basis


def test_what_was_refused_says_what_it_was() -> None:
    e = Enforcer(bundle(OUTBOX), memory(), settings(unproved=False))
    d = e.decide("send", **mail())
    assert d.code is Code.UNPROVED
    assert d.basis is not None
    assert (d.basis.system, d.basis.verified) == ("outbox", False)
    assert Enforcer(forged(), None, settings()).decide("send", **mail()).basis is None


def test_several_policies_are_shown_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.bundle").write_bytes(build([(system(OUTBOX), ""), (system("module b\nentity B\n"), "")]))
    (tmp_path / "r.json").write_text(json.dumps({"action": "nope"}))
    assert run(["decide", str(tmp_path / "x.bundle"), "-r", str(tmp_path / "r.json"), "--unproved"]) == 3
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines() if "policy " in line] == ["b", "outbox"]
