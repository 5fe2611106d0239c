"""Anything that can be done with enforcers, in any order, by two of them on one store that fails now and then: the log
is whole, the interpreter makes every decision again, memory is what the store has, and nothing has happened twice."""

from __future__ import annotations

from typing import Any

import pytest
from enforcing import ALL, OUTBOX, TRUSTED, Clock, audit, bundle, entries, kept, memory, same_as_store, settings, system
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from test_enforcer_faults import Flaky

from policydsl.core.to_json import digest
from policydsl.interp import evaluate, states
from runtime.decision import Code, Decision
from runtime.enforcer import Enforcer
from runtime.records import from_bytes
from runtime.reservations import reserve, sweep
from runtime.store import Store, StoreError
from runtime.to_trace import to_runs

SOFTER = OUTBOX.replace("to 3 per 1m", "to 5 per 2m")
SOFTER = SOFTER.replace("state sent ", "state noted : Bot -> Int = 2\nstate sent ")
SOFTER = SOFTER.replace("sent[principal] += 1\n", "sent[principal] += 1\n  noted[principal] += 1\n", 1)
VERSIONS = (OUTBOX, SOFTER)

who = st.sampled_from(["ann", "bob", "eve", "herald"])
key = st.sampled_from(["", "", "k", "l"])
sends = st.tuples(
    st.just("send"), who, st.sampled_from(["bob", "stranger"]), st.sampled_from(["x", "sk-abcd", "bit.ly/"]), key
)
moves = st.one_of(
    sends,
    sends,
    st.tuples(st.just("reserve"), who, st.integers(1, 60), key),
    st.tuples(st.just("end"), st.sampled_from(["commit", "abort"]), st.integers(0, 60)),
    st.tuples(st.just("mute"), who),
    st.tuples(st.just("answer"), st.booleans(), st.sampled_from(["ann", "carol"])),
    st.tuples(st.sampled_from(["sweep", "lock", "lift", "reload", "roll back", "fault", "open", "many"])),
    st.tuples(st.just("time"), st.sampled_from([-5_000, -500, 1, 20_000, 61_000, 700_000])),
    st.tuples(st.just("fail"), st.integers(1, 12)),
)


class World:
    """Two enforcers, and what they were asked so far."""

    def __init__(self) -> None:
        self.clock = Clock(10_000_000)
        self.store = memory()
        self.flaky = Flaky(self.store)
        self.both = [self.opened(self.flaky), self.opened(self.store)]
        self.tickets = ["none"]
        self.reservations: list[Any] = []

    def opened(self, store: Store, version: int = 0) -> Enforcer:
        further = {"given": TRUSTED, "promised": ALL, "officers": ["olga"], "handlers": {"log": print}}
        return Enforcer(bundle(VERSIONS[version]), store, settings(self.clock, **further))

    def look(self, d: Decision) -> None:
        assert d.code is not Code.INTERNAL, d
        assert d.effect != "allow" or d.code is Code.FAIL_OPEN or kept(self.store, d), d
        if d.ticket:
            self.tickets.append(d.ticket)

    def move(self, n: int, move: tuple[Any, ...]) -> None:
        e = self.both[n]
        match move:
            case "send", principal, to, text, name:
                self.look(e.decide("send", key=name, principal=principal, to=to, kind="Mail", text=text))
            case ("many",):
                requests = [("look", {"principal": f"p{i}"}, "") for i in range(3)]
                for d in e.decide_many([*requests, ("send", {}, "")]):
                    self.look(d)
            case "reserve", principal, most, name:
                self.reservations.append(reserve(e, "call", {"principal": principal, "most": most}, name))
                self.look(self.reservations[-1].decision)
            case "end", how, cost:
                for r in self.reservations[-2:]:
                    r.enforcer = e
                    self.look(r.commit(cost=cost) if how == "commit" else r.abort())
            case "mute", principal:
                self.look(e.decide("mute_all", principal=principal))
            case "answer", yes, by:
                self.look(e.answer(self.tickets[-1], yes, by))
            case ("sweep",):
                e.close_questions()
                for _, d in sweep(e):
                    self.look(d)
            case (("lock" | "lift" | "fault") as what,):
                {"lock": e.lock_down, "lift": e.lift_lockdown, "fault": e.report_fault}[what]("olga")
            case (("reload" | "roll back") as what,):
                self.reload(e, what)
            case ("open",):
                self.both[n] = self.opened(self.flaky if n == 0 else self.store, len(self.tickets) % 2)
            case "time", by:
                self.clock.now += by
            case "fail", after:
                self.flaky.fail = after

    def reload(self, e: Enforcer, what: str) -> None:
        try:
            if what == "roll back" and e._previous:
                e.roll_back()
            else:
                e.reload(bundle(VERSIONS[(len(self.tickets) + len(self.reservations)) % 2]))
        except StoreError:
            pass  # nothing has changed, which is looked at in the end


def once(store: Store) -> None:
    allowed = [r.key for r in entries(store) if r.effect == "allow" and r.key]
    assert len(allowed) == len(set(allowed)), "two answers under one key"


def invariants_hold_all_along(store: Store) -> None:
    with store.hold() as tx:
        raw = [from_bytes(r) for r in tx.since(0)]
    for own in map(system, VERSIONS):
        for run in to_runs(raw, own).runs:
            if run.trace.digest == digest(own):
                for state in states(own, run.trace):
                    assert all(evaluate(p.expr, state) is True for p in own.properties)


@given(st.lists(st.tuples(st.integers(0, 1), moves), max_size=40))
@hypothesis_settings(deadline=None, max_examples=60)
def test_anything_in_any_order(walk: list[tuple[int, tuple[Any, ...]]]) -> None:
    check(walk)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 1), moves), min_size=20, max_size=120))
@hypothesis_settings(deadline=None, max_examples=400)
def test_anything_in_any_order_for_long(walk: list[tuple[int, tuple[Any, ...]]]) -> None:
    check(walk)


def check(walk: list[tuple[int, tuple[Any, ...]]]) -> None:
    world = World()
    for n, move in walk:
        world.move(n, move)
    world.flaky.fail = 0
    world.clock.now += 10_000
    for e in world.both:
        if e.look(lambda _tx: True, False):
            same_as_store(e, world.store)
            assert e.lift_lockdown("olga").effect == "allow" or not e.locked
        else:
            assert e.decide("look", principal="a").code is Code.BUNDLE
    once(world.store)
    audit(world.store, *VERSIONS)
    invariants_hold_all_along(world.store)
