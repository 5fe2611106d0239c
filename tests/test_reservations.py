"""Actions in two phases: what is reserved counts, is ended once, and expires as the policy says; none of it twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from enforcing import (
    OUTBOX,
    Clock,
    audit,
    bundle,
    content,
    enforcer,
    entries,
    events,
    mail,
    memory,
    outbox,
    records,
    same_as_store,
    settings,
    system,
)

from policydsl.core.system import Phases
from runtime.decision import Code, Decision
from runtime.enforcer import Enforcer
from runtime.reservations import Reservation, end, open_reservations, reserve, sweep
from runtime.store import Store


@pytest.fixture(params=["memory", "recorded"])
def store(request: pytest.FixtureRequest) -> Store | None:
    return memory() if request.param == "recorded" else None


def call(e: Enforcer, key: str = "", who: str = "ann", most: Any = 60, name: str = "call") -> Reservation:
    return reserve(e, name, {"principal": who, "most": most}, key)


def test_a_promise_counts_until_it_is_kept(store: Store | None) -> None:
    e = outbox(store)
    with call(e) as r:
        assert r.allowed
        assert not r.again
        assert call(e).decision.reason == "one at a time"
        assert r.commit(cost=25).allowed
    assert (content(e, "spent"), content(e, "held")) == ({"ann": 25}, {})
    second = call(e, most=76)
    assert (second.allowed, second.decision.reason) == (False, "over budget")
    assert second.commit(cost=1) == second.decision
    assert call(e, most=75).allowed
    if store is not None:
        same_as_store(e, store)
        audit(store, OUTBOX)


def test_what_is_not_committed_is_given_up(store: Store | None) -> None:
    e = outbox(store)
    with call(e):
        pass
    assert (content(e, "spent"), content(e, "held")) == ({}, {})
    with pytest.raises(ZeroDivisionError), call(e):
        _ = 1 // 0
    assert content(e, "held") == {}
    with call(e) as r:
        assert r.commit(cost=61).reason == "too much"  # not ended, and so given up
    assert (content(e, "spent"), content(e, "held")) == ({}, {})


def test_what_is_ended_stays_ended(store: Store | None) -> None:
    e = outbox(store)
    r = call(e, "k")
    done = r.commit(cost=10)
    assert r.commit(cost=10) == done
    assert r.commit(cost=20) == done
    assert (r.abort().code, r.abort().reason) == (Code.RESERVATION, "it was ended before, by commit")
    assert end(e, "k", "expire", {}).code is Code.RESERVATION
    assert content(e, "spent") == {"ann": 10}
    again = call(e, "k")
    assert (again.allowed, again.again) == (True, True)
    assert again.commit(cost=10) == done
    assert content(e, "spent") == {"ann": 10}


def test_a_reservation_is_found_again_by_its_key_after_a_crash() -> None:
    store = memory()
    assert call(outbox(store), "k").allowed
    e = outbox(store)
    r = call(e, "k")
    assert (r.allowed, r.again) == (True, True)
    assert content(e, "held") == {"ann": 60}
    assert call(e, "k", most=61).decision.code is Code.KEY_REUSED
    assert r.commit(cost=60).allowed
    audit(store, OUTBOX)


def test_what_it_was_reserved_with_cannot_be_changed() -> None:
    e = outbox(memory())
    r = call(e, "k")
    other = call(e, "l", who="bob")
    assert r.commit(cost=1, principal="bob").code is Code.RESERVATION
    assert content(e, "held") == {"ann": 60, "bob": 60}
    assert other.commit(cost=1).allowed
    assert r.commit(cost=1).allowed


@pytest.mark.parametrize("name", ["call", "reserve", "outbox.call", "outbox.reserve"])
def test_by_which_names(name: str) -> None:
    assert call(outbox(memory()), name=name).allowed


@pytest.mark.parametrize("name", ["send", "settle", "", None, 3, [], "\ud800"])
def test_what_is_not_done_in_two_phases(name: Any) -> None:
    r = call(outbox(memory()), name=name)
    assert (r.allowed, r.decision.code) == (False, Code.UNKNOWN_ACTION)
    assert r.abort() == r.decision


def test_a_name_that_two_policies_have() -> None:
    e = enforcer(OUTBOX, OUTBOX.replace("module outbox", "module other"))
    assert call(e).decision.code is Code.UNKNOWN_ACTION
    assert call(e, name="other.call").allowed


@pytest.mark.parametrize("key", ["\ud800", 3, [1]])
def test_keys_that_are_none(key: Any) -> None:
    r = call(outbox(memory()), key)
    assert r.decision.effect == "deny"
    assert r.commit(cost=1).effect == "deny"


def test_no_such_reservation() -> None:
    e = outbox(memory())
    names: list[Any] = ["k", None, "\ud800", 3, []]
    for name in names:
        d = end(e, name, "commit", {"cost": 1})
        assert (d.effect, d.code) == ("deny", Code.RESERVATION)


def test_a_store_that_is_away_at_the_end() -> None:
    from test_enforcer import Away

    away = Away(memory())
    e = outbox(away)
    with call(e, "k") as r:
        away.away = True
        assert r.commit(cost=3).code is Code.STORE
        away.away = False
        assert r.commit(cost=3).allowed
    assert content(e, "spent") == {"ann": 3}


def test_nobody_comes_back(store: Store | None) -> None:
    clock = Clock()
    e = outbox(store, clock)
    r = call(e, "k")
    size = len(records(store)) if store else 0
    assert sweep(e) == []
    assert store is None or len(records(store)) == size  # asking leaves no trace
    clock.now += 600_001
    [(name, decision)] = sweep(e)
    assert (name, decision.effect) == ("k", "allow")
    assert sweep(e) == []
    assert r.commit(cost=5).reason == "it was ended before, by expire"
    assert (content(e, "spent"), content(e, "held")) == ({"ann": 60}, {})
    assert open_reservations(e) == []
    if store is not None:
        audit(store, OUTBOX)


def test_without_an_end_for_those_who_do_not_come_back() -> None:
    text = OUTBOX.replace(", expire by expire", "")
    e = enforcer(text, store=memory(), clock=(clock := Clock()))
    assert call(e, "k").allowed
    clock.now += 10_000_000
    assert sweep(e) == []
    assert end(e, "k", "expire", {}).reason == "there is no way to expire `call`"
    assert [h.name for h in open_reservations(e)] == ["k"]


def test_in_a_lockdown_nothing_expires() -> None:
    clock = Clock()
    e = outbox(memory(), clock, officers=["olga"])
    call(e, "k")
    clock.now += 700_000
    e.lock_down("olga")
    assert sweep(e) == []
    e.lift_lockdown("olga")
    assert [name for name, _ in sweep(e)] == ["k"]


APPROVED = OUTBOX + "\napprove large on reserve when most > 50 by human within 10m\n"


def test_a_reservation_that_people_must_allow(store: Store | None) -> None:
    e = enforcer(APPROVED, store=store, clock=(clock := Clock()))
    r = call(e, "k")
    assert (r.decision.effect, r.allowed) == ("approve", False)
    assert r.commit(cost=1).effect == "approve"
    assert e.answer(r.decision.ticket, True, "carol").allowed
    assert [h.name for h in open_reservations(e)] == ["k"]
    later = call(e, "k")
    assert later.allowed
    assert later.commit(cost=5).allowed
    second = call(e, "l", most=51)
    assert e.answer(second.decision.ticket, True, "carol").allowed
    clock.now += 700_000
    assert [name for name, _ in sweep(e)] == ["l"]
    assert content(e, "spent") == {"ann": 56}
    if store is not None:
        audit(store, APPROVED)


def test_an_end_that_people_must_allow() -> None:
    text = OUTBOX + "\napprove costly on settle when cost > 5 by human within 10m\n"
    e = enforcer(text, store=memory())
    r = call(e, "k")
    d = r.commit(cost=6)
    assert d.effect == "approve"
    assert e.answer(d.ticket, True, "carol").allowed
    assert open_reservations(e) == []
    assert r.abort().reason == "it was ended before, by commit"


def test_secrets_are_not_kept_with_a_reservation() -> None:
    text = """
module r
entity Bot
state held : Bot -> Bool = false
action hold(principal: Bot, text: String) { require not held[principal]  held[principal] := true }
action settle(principal: Bot, text: String) { held[principal] := false }
action drop(principal: Bot) { held[principal] := false }
two phase call: reserve by hold, commit by settle, abort by drop
redact keys on hold when text contains "sk-[a-z]+" replace with "[key]"
"""
    text = text.replace('"sk-[a-z]+"', "api_key").replace(
        "entity Bot\n", 'entity Bot\npattern api_key = "sk-[a-z]+"\n', 1
    )
    store = memory()
    e = enforcer(text, store=store)
    r = reserve(e, "call", {"principal": "a", "text": "sk-abcdef"}, "k")
    assert r.decision.transform == (("text", "[key]"),)
    assert r.commit().allowed
    with store.hold() as tx:
        notes = [note for kind in ("key", "reservation", "ticket") for _, note in tx.notes(kind)]
        assert not any(b"abcdef" in x for x in [*notes, *tx.since(0)])
    audit(store, text)


def test_shadow_does_not_stand_in_the_way() -> None:
    store = memory()
    e = outbox(store, shadow=True)
    with call(e, most=5_000) as r:
        assert (r.decision.effect, r.allowed) == ("deny", True)
        assert r.commit(cost=5_000).allowed
    assert call(e, name="nope").allowed
    with call(e) as r:
        assert r.commit(cost=70).allowed
    audit(store, OUTBOX)


def test_many_threads_and_one_reservation() -> None:
    store = memory()
    e = outbox(store)
    made: list[Reservation] = []
    ends: list[Decision] = []

    def work() -> None:
        r = call(e, "k")
        made.append(r)
        ends.append(r.commit(cost=7))

    threads = [threading.Thread(target=work) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(r.again for r in made) == [False] + [True] * 11
    assert {d.serial for d in ends} == {ends[0].serial}
    assert content(e, "spent") == {"ann": 7}
    assert [r.effect for r in entries(store)] == ["allow", "allow"]
    audit(store, OUTBOX)


def test_the_phases_of_the_shipped_budgets() -> None:
    assert system("specs/gateway/budgets.policy").phases == (Phases("call", "reserve", "settle", "abort", "expire"),)
    store, clock = memory(), Clock()
    e = enforcer("specs/gateway/budgets.policy", store=store, clock=clock)
    with reserve(e, "call", {"principal": "a", "call": "c1", "most": 6_000}, "") as one:
        two = reserve(e, "call", {"principal": "a", "call": "c2", "most": 5_000}, "")
        assert two.decision.reason == "over budget"
        assert one.commit(cost=100).allowed
    assert reserve(e, "call", {"principal": "a", "call": "c3", "most": 9_900}, "").allowed
    clock.now += 600_001
    assert len(sweep(e)) == 1
    assert content(e, "spent") == {"a": 10_000}
    audit(store, "specs/gateway/budgets.policy")


def test_what_was_reserved_under_another_policy() -> None:
    from enforcing import bundle

    store = memory()
    e = outbox(store)
    r = call(e, "k")
    e.reload(bundle(OUTBOX.replace("1_000] = 100", "1_000] = 200")))
    assert r.commit(cost=1).allowed
    gone = OUTBOX.replace("two phase call", "two phase other").replace("action give_up", "action let_go")
    second = call(e, "l")
    e.reload(bundle(gone.replace("abort by give_up", "abort by let_go")))
    assert second.abort().code is Code.UNKNOWN_ACTION
    assert second.commit(cost=1).allowed
    assert "migrated" in events(store)
    audit(store)


def test_what_is_over_is_forgotten_after_a_while(store: Store | None) -> None:
    clock = Clock()
    e = outbox(store, clock, retention=1_000)
    assert call(e, "ended", most=5).commit(cost=5).allowed
    assert call(e, "open", most=5).allowed
    assert e.decide("send", key="bill", **mail()).allowed
    asked = e.decide("send", key="asked", **mail(to="stranger"))
    clock.now += 1_000
    assert e.decide("send", key="late", **mail()).allowed
    assert e.forget() == 0
    clock.now += 1
    assert e.forget() == 2
    assert e.decide("send", key="bill", **mail()).repeated is False  # another request, then
    assert e.decide("send", key="late", **mail()).repeated
    assert e.decide("send", key="asked", **mail(to="stranger")).ticket == asked.ticket
    assert call(e, "open", most=5).again
    assert call(e, "open", most=5).commit(cost=1).allowed
    assert end(e, "ended", "commit", {}).reason == "there is no reservation `ended`"
    clock.now += 900
    assert e.forget() == 0
    assert call(e, "open", most=5).again  # it has ended just now
    if store is not None:
        audit(store, OUTBOX)


def test_what_is_forgotten_meanwhile_is_not_ended_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    e = outbox(memory(), clock, retention=1_000)
    first = call(e, "first", most=5)
    assert first.abort().allowed
    clock.now += 2_000
    look = e.attempt

    def forgets(at: Any) -> Any:
        found = look(at)
        assert e.forget() == 1
        assert call(e, "second", most=50).allowed  # by the same, and it would be ended instead
        return found

    monkeypatch.setattr(e, "attempt", forgets)
    assert first.commit(cost=5).reason == "there is no reservation `first`"
    assert content(e, "held") == {"ann": 50}


def test_nothing_is_forgotten_unasked(store: Store | None) -> None:
    clock = Clock()
    e = outbox(store, clock)
    assert call(e, "k", most=5).commit(cost=5).allowed
    clock.now += 10**12
    assert e.forget() == 0
    assert call(e, "k", most=5).again
    assert Enforcer(bundle(OUTBOX), store, settings(retention=0)).decide("look", principal="a").code is Code.BUNDLE
