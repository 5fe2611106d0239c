"""Something goes wrong at each line that a decision runs through: never an allow that is not kept, and never a state in
memory that the store does not have."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from enforcing import OUTBOX, Clock, audit, bundle, content, kept, mail, memory, outbox, same_as_store
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from machines import machines
from strategies import requests, systems

from policydsl.core.system import NOW, System
from runtime.decision import Code, Decision
from runtime.enforcer import Enforcer
from runtime.group import Group
from runtime.inputs import by_enforcer, told_apart
from runtime.reservations import reserve
from runtime.store import Store, StoreError
from runtime.store_sqlite import SqliteStore

RUNTIME = str(Path(__file__).parent.parent / "runtime")
SPARED = {
    # Ends of things that began: what fails here as well cannot be mended from within.
    *("back", "undo", "rollback", "close", "_fail", "_leave", "_pass_on", "_hold", "_lead", "run", "__exit__"),
    *("_pass_turn", "_take_turn", "__enter__"),
    # The frame around all that may fail.
    *("decide", "decide_request", "_decide", "decide_within", "reserve", "phases_of", "shown", "refusal", "about"),
    *("_discharged", "_note_denial", "_without_store", "__init__", "decision", "policies", "name"),
}


class _InjectedError(Exception):
    pass


@contextmanager
def failing_at(line: int, error: type[Exception]) -> Iterator[list[str]]:
    """The `line`-th line that is run in the package `runtime` raises. Where that was, if it was reached."""
    left, where = line, list[str]()

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal left
        code = frame.f_code
        inner = frame.f_back if code.co_name.startswith("<") and frame.f_back is not None else frame
        if not code.co_filename.startswith((RUNTIME, "<outbox")) or inner.f_code.co_name in SPARED:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                where.append(f"{code.co_filename}:{frame.f_lineno} {code.co_name}")
                raise error("injected")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield where
    finally:
        sys.settrace(before)


def everywhere(ask: Callable[[Enforcer, int], Decision], e: Enforcer, store: Store, error: type[Exception]) -> int:
    """`ask` with a fault at each line in turn, until there are no more; how many there were."""
    for line in range(1, 5_000):
        with failing_at(line, error) as where:
            d = ask(e, line)
        if not where:
            assert d.effect == "allow"
            return line
        assert isinstance(d, Decision), where
        if d.effect == "allow":
            assert kept(store, d), where
        else:
            assert d.code in (Code.INTERNAL, Code.STORE), (d, where)
        same_as_store(e, store)
    raise AssertionError("it does not end")


def send(e: Enforcer, n: int) -> Decision:
    assert isinstance(e.settings.clock, Clock)
    e.settings.clock.now += 60_000
    return e.decide("send", key=f"k{n}", **mail(f"sk-abcd {n}"))


def mute(e: Enforcer, n: int) -> Decision:
    return e.decide("mute_all", principal=("ann", "bob")[n % 2])


def call(e: Enforcer, n: int) -> Decision:
    return reserve(e, "call", {"principal": f"p{n}", "most": 10}, f"k{n}").decision


@pytest.mark.parametrize("ask", [send, mute, call])
@pytest.mark.parametrize("error", [_InjectedError, StoreError])
def test_a_fault_at_each_line(tmp_path: Path, ask: Callable[[Enforcer, int], Decision], error: type[Exception]) -> None:
    store = SqliteStore(tmp_path / "a.db", "relaxed")
    e = outbox(store, Clock())
    assert everywhere(ask, e, store, error) > 100
    audit(store, OUTBOX)
    store.close()


def test_a_fault_at_each_line_of_two(tmp_path: Path) -> None:
    """While one fails, another goes on; and each follows the other."""
    store = SqliteStore(tmp_path / "a.db", "relaxed")
    one, two = outbox(store, clock := Clock()), outbox(store, clock)

    def ask(e: Enforcer, n: int) -> Decision:
        return send(e, n)

    for line in range(1, 5_000, 3):
        assert send(two, -line).effect == "allow"
        with failing_at(line, _InjectedError) as where:
            d = ask(one, line)
        assert d.effect != "allow" or kept(store, d), where
        if line % 10 == 0:
            same_as_store(one, store)
            same_as_store(two, store)
        if not where:
            break
    same_as_store(one, store)
    same_as_store(two, store)
    audit(store, OUTBOX)
    store.close()


# ---- the store fails at any operation


class Flaky:
    """A store whose holds fail at an operation that is chosen: `fail` counts down to it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.fail = 0

    def tick(self) -> None:
        self.fail -= 1
        if self.fail == 0:
            raise StoreError("it failed")

    @contextmanager
    def hold(self) -> Iterator[Any]:
        self.tick()
        with self.store.hold() as tx:
            yield _Ticking(tx, self.tick)
            self.tick()
        if self.fail == -1_000_001:
            raise StoreError("kept, and yet it seems that it was not")

    def close(self) -> None:
        self.store.close()


class _Ticking:
    def __init__(self, tx: Any, tick: Callable[[], None]) -> None:
        self._tx = tx
        self._tick = tick

    def __getattr__(self, name: str) -> Any:
        self._tick()
        return getattr(self._tx, name)


@pytest.mark.parametrize("lines", ["send", "reload", "lock", "answer"])
def test_the_store_fails_at_each_operation(lines: str) -> None:
    inner = memory()
    flaky = Flaky(inner)
    clock = Clock()
    e = outbox(flaky, clock, officers=["olga"])
    other = outbox(inner, clock, officers=["olga"])
    versions = [bundle(OUTBOX), bundle(OUTBOX.replace('"muted"', '"silent"'))]
    over = False
    for n in range(1, 80):
        clock.now += 60_000
        ticket = e.decide("send", **mail(f"{n}", to="stranger")).ticket
        if lines != "reload":
            assert other.decide("send", **mail(principal="bob")).code is not Code.INTERNAL
        flaky.fail = n
        match lines:
            case "send":
                d = e.decide("send", key=f"{n}", **mail(f"{n}"))
                assert d.effect != "allow" or kept(inner, d)
            case "reload":
                before = content(e, "sent")
                try:
                    e.reload(versions[n % 2])
                except StoreError:
                    assert flaky.fail <= 0
                assert content(e, "sent") == before
            case "lock":
                assert e.lock_down("olga").effect == "allow"
                assert e.decide("send", **mail()).code is not Code.ALLOWED
            case _:
                d = e.answer(ticket, True, "carol")
                assert d.effect != "allow" or kept(inner, d)
        over = flaky.fail > 0
        flaky.fail = 0
        if lines == "lock":
            assert e.decide("send", **mail()).code is Code.LOCKDOWN
            assert e.lift_lockdown("olga").effect == "allow"
        same_as_store(e, inner)
        if over:
            break
    assert over
    audit(inner, OUTBOX, OUTBOX.replace('"muted"', '"silent"'))


def test_kept_although_it_seemed_not() -> None:
    inner = memory()
    flaky = Flaky(inner)
    e = outbox(flaky)

    @contextmanager
    def hold() -> Iterator[Any]:
        with inner.hold() as tx:
            yield tx
        raise StoreError("the connection was lost")

    flaky.hold = hold  # type: ignore[method-assign]  # for one request
    d = e.decide("send", key="k", **mail())
    assert d.code is Code.STORE
    del flaky.hold
    again = e.decide("send", key="k", **mail())
    assert (again.effect, again.repeated) == ("allow", True)
    assert content(e, "sent") == {"ann": 1}
    same_as_store(e, inner)
    audit(inner, OUTBOX)


# ---- threads


class _Quiet:
    def begin(self, tx: object) -> None: ...
    def end(self, tx: object) -> None: ...
    def back(self) -> None: ...


def test_who_is_interrupted_while_waiting_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody would lead any more, and all would wait for ever."""
    group, around = Group(memory()), _Quiet()
    inside, go_on = threading.Event(), threading.Event()

    def slow(_tx: object) -> None:
        inside.set()
        go_on.wait(10)

    first = threading.Thread(target=lambda: group.run(slow, around))
    first.start()
    assert inside.wait(10)

    def interrupted(self: threading.Event, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            group.run(lambda _tx: None, around)
    done = threading.Event()
    third = threading.Thread(target=lambda: group.run(lambda _tx: done.set(), around))
    third.start()
    go_on.set()
    assert done.wait(10)
    first.join(10)
    third.join(10)


def test_the_fault_of_one_is_not_that_of_others() -> None:
    group, around = Group(memory()), _Quiet()
    inside, go_on = threading.Event(), threading.Event()
    found: dict[int, object] = {}

    def slow(_tx: object) -> None:
        inside.set()
        go_on.wait(10)

    def ask(n: int) -> None:
        def work(_tx: object) -> int:
            if n % 3 == 0:
                raise (StoreError if n % 2 else ValueError)(f"{n}")
            return n

        try:
            found[n] = group.run(work, around)
        except (StoreError, ValueError) as error:
            found[n] = str(error)

    first = threading.Thread(target=lambda: group.run(slow, around))
    first.start()
    inside.wait(10)
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for t in threads:
        t.start()
    while len(group._waiting) < 12:
        pass
    go_on.set()
    for t in (first, *threads):
        t.join(10)
    assert found == {n: n if n % 3 else f"{n}" for n in range(12)}


# ---- any policy, any requests, two enforcers


@st.composite
def runs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[System, list[Any]]:
    system = draw(st.one_of(systems(), machines()))
    return system, draw(requests(system, most=8))


@given(runs(), st.data())
@hypothesis_settings(deadline=None)
def test_any_policy_on_two_enforcers(run: tuple[System, list[Any]], data: st.DataObject) -> None:
    from enforcing import enforcer

    system, wanted = run
    inner = memory()
    flaky = Flaky(inner)
    clock = Clock()
    both = [enforcer(system, store=flaky, clock=clock), enforcer(system, store=inner, clock=clock)]
    for request in wanted:
        inputs, _ = told_apart(by_enforcer(system.action(request.action)), request.inputs)
        clock.now += data.draw(st.integers(0, 3))
        flaky.fail = data.draw(st.sampled_from((0, 0, 0, 1, 2, 3, 4, 5, 6, 8)))
        e = both[data.draw(st.integers(0, 1))]
        d = e.decide_request(request.action, inputs, data.draw(st.sampled_from(("", "", "k"))))
        assert d.effect != "allow" or kept(inner, d)
        assert d.code is not Code.INTERNAL, d
        flaky.fail = 0
    for e in both:
        same_as_store(e, inner)
    [found] = audit(inner, system)
    assert found.others == ()
    assert NOW == "now"
