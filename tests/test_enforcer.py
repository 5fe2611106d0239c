"""The enforcer: whatever is asked, an answer with a stable code; what it says happens, once, and is on record."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from enforcing import (
    ALL,
    BUDGETS,
    MESSAGING,
    OUTBOX,
    TRUSTED,
    Clock,
    all_allowed,
    audit,
    bundle,
    content,
    enforcer,
    entries,
    events,
    kept,
    mail,
    memory,
    outbox,
    records,
    same_as_store,
    settings,
)
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from policydsl.interp import Request, step
from policydsl.interp import initial as initially
from runtime.bundle import BundleError
from runtime.decision import Code, Decision, Duty
from runtime.enforcer import Enforcer
from runtime.records import Entry
from runtime.reservations import reserve
from runtime.store import Store
from runtime.store_sqlite import SqliteStore


class Away:
    """A store that can be told to fail."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = False

    def hold(self) -> Any:
        from runtime.store import StoreError

        if self.away:
            raise StoreError("it is away")
        return self.store.hold()

    def close(self) -> None:
        self.store.close()


@pytest.fixture(params=["memory", "recorded"])
def store(request: pytest.FixtureRequest) -> Store | None:
    return memory() if request.param == "recorded" else None


# ---- answers and their codes


class Hostile:
    """Raises whenever it is looked at."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __hash__ = __eq__ = __bool__ = __len__ = __iter__ = __repr__  # type: ignore[assignment]


class Odd(str):  # noqa: PLW1641 it has a hash that raises
    """A text that raises when it is compared or looked up."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = __str__ = __format__ = __len__ = __eq__  # type: ignore[assignment]


DEEP: list[Any] = []
for _ in range(50_000):
    DEEP = [DEEP]

JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    float("nan"),
    "",
    "*",
    "\ud800",
    "\x00",
    "a" * 5000,
    b"x",
    [],
    {},
    set(),
    10**700,
]
JUNK += [object(), Hostile(), [Hostile()], {"has": True}, {1: 2}, lambda: 1, Exception, Odd("send"), DEEP]


@pytest.mark.parametrize("junk", JUNK, ids=lambda j: type(j).__name__)
def test_nothing_that_is_asked_raises(store: Store | None, junk: Any) -> None:
    e = outbox(store)
    wanted: list[tuple[Any, Any, Any]] = [
        (junk, {}, ""),
        ("send", junk, ""),
        ("send", mail(), junk),
        ("send", mail() | {"to": junk}, ""),
        ("send", mail(junk), ""),
        ("send", mail(kind=junk), ""),
        ("send", mail() | {"more": junk}, ""),
        ("reserve", {"principal": junk, "most": junk}, "k"),
    ]
    try:
        wanted.append(("send", mail() | {junk: 1}, ""))
    except (TypeError, RuntimeError):
        pass  # no key of a dict
    for action, inputs, key in wanted:
        d = e.decide_request(action, inputs, key)
        assert isinstance(d, Decision)
        assert d.effect in ("allow", "deny")
        assert e.decide_many([(action, inputs, key)])[0].effect in ("allow", "deny")
    for d in (e.answer(junk, junk, junk), e.answer("t", True, junk), e.lock_down(junk), e.lift_lockdown(junk)):
        assert d.effect == "deny"
    assert not reserve(e, junk, {}, "").allowed
    if store is not None:
        same_as_store(e, store)
        audit(store, OUTBOX)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
near = st.fixed_dictionaries(
    {},
    optional={
        "principal": st.sampled_from(["ann", "bob", "eve"]) | anything,
        "to": st.sampled_from(["bob", "stranger"]) | anything,
        "kind": st.sampled_from(["Mail", "Chat"]) | anything,
        "text": st.sampled_from(["x", "sk-abcd", "bit.ly/"]) | anything,
        "most": st.integers(0, 200) | anything,
        "now": anything,
    },
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["send", "reserve", "outbox.send", "mute_all", "look"]) | anything,
            near | st.dictionaries(st.text(max_size=4), anything, max_size=3) | anything,
            st.sampled_from(["", "k"]) | anything,
        ),
        max_size=6,
    )
)
@hypothesis_settings(deadline=None)
def test_no_junk_raises_and_all_of_it_is_on_record(requests: list[Any]) -> None:
    store = memory()
    e = outbox(store)
    for action, inputs, key in requests:
        d = e.decide_request(action, inputs, key)
        assert d.effect in ("allow", "deny", "approve")
        assert d.code is not Code.STORE
        if d.effect == "allow" and not d.repeated:
            assert kept(store, d)
    same_as_store(e, store)
    audit(store, OUTBOX)


@pytest.mark.parametrize(
    ("action", "inputs", "code"),
    [
        ("nope", {}, Code.UNKNOWN_ACTION),
        ("", {}, Code.UNKNOWN_ACTION),
        ("send", {"principal": "ann"}, Code.MISSING_INPUT),
        ("send", mail() | {"cc": "x"}, Code.UNKNOWN_INPUT),
        ("send", mail() | {"now": 5}, Code.UNKNOWN_INPUT),
        ("send", mail() | {"approved_strangers": True}, Code.UNKNOWN_INPUT),
        ("send", mail(kind="Fax"), Code.ILL_TYPED),
        ("send", mail("\ud800"), Code.ILL_TYPED),
        ("send", mail("a" * 1_000_001), Code.ILL_TYPED),
        ("send", [], Code.ILL_TYPED),
        ("reserve", {"principal": "ann", "most": 1.0}, Code.ILL_TYPED),
        ("reserve", {"principal": "ann", "most": True}, Code.ILL_TYPED),
        ("reserve", {"principal": "ann", "most": 10**700}, Code.ILL_TYPED),
        ("reserve", {"principal": "ann", "most": 0}, Code.OUT_OF_RANGE),
        ("reserve", {"principal": "ann", "most": 10**500}, Code.OUT_OF_RANGE),
        ("reserve", {"principal": "ann", "most": 101}, Code.REQUIRED),
        ("send", mail(principal="eve"), Code.NOT_PERMITTED),
        ("send", mail("bit.ly/x"), Code.FORBIDDEN),
        ("send", mail(), Code.ALLOWED),
    ],
)
def test_codes_are_stable(action: str, inputs: Any, code: Code) -> None:
    store = memory()
    e = outbox(store)
    d = e.decide_request(action, inputs)
    assert d.code is code
    assert (d.effect == "allow") == (code is Code.ALLOWED)
    last = records(store)[-1]
    assert isinstance(last, Entry)
    assert (last.n, last.code, last.effect) == (d.serial, code.value, d.effect)
    audit(store, OUTBOX)


def test_what_is_denied_does_not_fill_the_disk() -> None:
    store = memory()
    e = outbox(store)
    e.decide_request("a" * 10_000, {})
    e.decide_request("send", {**mail("a" * 10_000), **{f"more {i}": i for i in range(1_000)}})
    e.decide_request("send", mail(), "k" * 10_000)
    with store.hold() as tx:
        assert max(map(len, tx.since(0))) < 10_000


def test_without_an_action() -> None:
    assert outbox().decide().code is Code.UNKNOWN_ACTION


def test_a_decision_says_all_that_it_rests_on() -> None:
    d = outbox(memory()).decide("send", **mail("bit.ly/"))
    assert (d.effect, d.reason, [r.name for r in d.rules]) == ("deny", "a hidden link", ["phishing"])
    assert d.rules[0].place.startswith("m.policy:")
    assert d.obligations == (Duty("quarantine", ("ann",)),)
    assert d.basis is not None
    assert (d.basis.system, d.basis.policy, d.basis.verified) == ("outbox", bundle(OUTBOX).policies[0].digest, False)


def test_a_clock_that_goes_back(store: Store | None) -> None:
    clock = Clock(10_000)
    e = outbox(store, clock)
    assert e.decide("look", principal="a").allowed
    clock.now = 9_000  # as far as it is tolerated: time stands still
    assert e.decide("look", principal="a").code is Code.ALLOWED
    clock.now = 8_999
    assert e.decide("look", principal="a").code is Code.CLOCK
    clock.now = 10_001
    assert e.decide("look", principal="a").code is Code.ALLOWED
    if store is not None:
        audit(store, OUTBOX)


@pytest.mark.parametrize("now", [None, "x", 1.5, True])
def test_a_clock_that_tells_no_time(store: Store | None, now: Any) -> None:
    clock = Clock()
    e = outbox(store, clock)
    clock.now = now
    assert e.decide("send", **mail()).effect == "deny"
    clock.now = 2_000
    assert e.decide("send", **mail()).effect == "allow"
    if store is not None:
        same_as_store(e, store)
        audit(store, OUTBOX)


def test_a_name_that_two_policies_have() -> None:
    one = "module one\naction go() {}\naction here() {}\n"
    other = "module other\naction go() {}\n"
    e = enforcer(one, other)
    assert e.decide("go").code is Code.UNKNOWN_ACTION
    assert all_allowed([e.decide("one.go"), e.decide("other.go"), e.decide("here"), e.decide("one.here")])


def test_several_policies_in_one_log() -> None:
    store, clock = memory(), Clock()
    e = enforcer(
        MESSAGING, BUDGETS, OUTBOX, store=store, clock=clock, given={"outbox": {"Trusted": ["ann"]}}, promised=ALL
    )
    for i in range(6):
        clock.now += 1_000
        e.decide("outbox.send", **mail(f"hello {i}"))
        e.decide("gateway.budgets.reserve", principal="ann", call=f"c{i}", most=3_000)
        e.decide("audit", principal="ann", skill="s", security=1, quality=2, developer=3)
    found = audit(store, MESSAGING, BUDGETS, OUTBOX)
    assert [r.compared for r in found] == [6, 6, 6]
    same_as_store(e, store)


# ---- the bundle


def test_what_is_not_proved_is_not_enforced_unless_one_says_so() -> None:
    e = Enforcer(bundle(OUTBOX), memory(), settings(unproved=False))
    d = e.decide("send", **mail())
    assert (d.effect, d.code) == ("deny", Code.UNPROVED)
    assert "within_budget" in d.reason
    assert e.fault == (Code.UNPROVED, d.reason)
    assert outbox().decide("look", principal="a").basis.verified is False  # type: ignore[union-attr]


def test_no_bundle_no_decision() -> None:
    store = memory()
    e = Enforcer(BundleError("torn"), store, settings())
    assert (e.decide("send", **mail()).code, e.decide("send").reason) == (Code.BUNDLE, "torn")
    assert e.questions() == []
    assert e.answer("t", True, "ann").code is Code.BUNDLE
    assert e.lock_down("ann").effect == "deny"
    assert e.decide_many([("send", mail(), "")])[0].code is Code.BUNDLE
    assert records(store) == []
    with pytest.raises(BundleError, match="torn"):
        e.reload(BundleError("torn"))
    e.reload(bundle(OUTBOX))
    assert e.fault is None
    assert e.decide("look", principal="a").allowed
    audit(store, OUTBOX)


@pytest.mark.parametrize("given", [{"outbox": {"sent": {}}}, {"nope": {}}, {"outbox": {"Trusted": [1]}}])
def test_what_is_given_and_does_not_fit(given: Any) -> None:
    e = Enforcer(bundle(OUTBOX), None, settings(given=given))
    assert e.decide("look", principal="a").code is Code.BUNDLE


# ---- keys


def test_the_same_key_the_same_answer_and_once(store: Store | None) -> None:
    e = outbox(store)
    first = e.decide("send", key="k", **mail())
    again = e.decide("send", key="k", **mail())
    assert first == again
    assert (first.repeated, again.repeated) == (False, True)
    assert e.decide("outbox.send", key="k", **mail()) == first
    assert content(e, "sent") == {"ann": 1}
    other = e.decide("send", key="k", **mail("another"))
    assert (other.code, content(e, "sent")) == (Code.KEY_REUSED, {"ann": 1})
    denied = e.decide("send", key="d", **mail("bit.ly/"))
    assert e.decide("send", key="d", **mail("bit.ly/")) == denied
    if store is not None:
        assert len(entries(store)) == 3  # two answers, and the key that was used again
        audit(store, OUTBOX)


def test_a_denial_is_kept_under_a_key_even_if_it_would_be_allowed_now() -> None:
    clock = Clock()
    e = outbox(memory(), clock)
    assert all_allowed(e.decide("send", **mail()) for _ in range(3))
    assert e.decide("send", key="k", **mail()).code is Code.LIMITED
    clock.now += 60_000
    assert e.decide("send", key="k", **mail()).code is Code.LIMITED
    assert e.decide("send", **mail()).allowed


def test_a_fault_is_not_an_answer_to_keep() -> None:
    away = Away(memory())
    e = outbox(away)
    away.away = True
    assert e.decide("send", key="k", **mail()).code is Code.STORE
    away.away = False
    assert e.decide("send", key="k", **mail()).code is Code.ALLOWED


def test_one_key_in_many_threads() -> None:
    store = memory()
    e = outbox(store)
    answers: list[Decision] = []

    def ask() -> None:
        answers.extend(e.decide("send", key=f"k{i % 2}", **mail()) for i in range(10))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 80
    assert all_allowed(answers)
    assert sorted(not a.repeated for a in answers) == [False] * 78 + [True] * 2
    assert content(e, "sent") == {"ann": 2}
    audit(store, OUTBOX)


def test_the_same_key_after_another_process_has_answered() -> None:
    store = memory()
    one, two = outbox(store), outbox(store)
    first = one.decide("send", key="k", **mail())
    assert two.decide("send", key="k", **mail()) == first
    assert content(two, "sent") == {"ann": 1}


# ---- many at once


def test_many_at_once_are_as_one_by_one() -> None:
    one, other = memory(), memory()
    wanted: list[tuple[str, dict[str, Any], str]] = [
        ("send", mail(f"{i}"), "k" if i in (1, 4) else "") for i in range(7)
    ]
    wanted += [("nope", {}, ""), ("send", mail("sk-abcd"), ""), ("look", {"principal": "a"}, "")]
    together = outbox(one).decide_many(wanted)
    by_one = [outbox_ for e in [outbox(other)] for outbox_ in [e.decide_request(a, i, k) for a, i, k in wanted]]
    assert together == by_one
    with one.hold() as a, other.hold() as b:
        assert list(a.since(0)) == list(b.since(0))


def test_one_of_many_that_cannot_be_decided() -> None:
    store = memory()
    e = outbox(store)
    found = e.decide_many([("look", {"principal": "a"}, ""), ("look", Hostile(), ""), ("look", {"principal": "b"}, "")])  # type: ignore[list-item]
    assert [d.effect for d in found] == ["allow", "deny", "allow"]
    audit(store, OUTBOX)


# ---- people


def test_a_person_answers(store: Store | None) -> None:
    clock = Clock()
    e = outbox(store, clock)
    d = e.decide("send", key="k", **mail(to="stranger"))
    assert (d.effect, d.code, d.allowed) == ("approve", Code.APPROVAL, False)
    assert [q.ticket for q in e.questions()] == [d.ticket]
    assert e.answer(d.ticket, True, "ann").reason == "who asks cannot answer"
    assert e.answer("another", True, "carol").code is Code.REFUSED
    assert content(e, "sent") == {}
    clock.now += 600_000
    assert e.answer(d.ticket, True, "carol").code is Code.ALLOWED
    assert content(e, "sent") == {"ann": 1}
    assert e.answer(d.ticket, True, "carol").code is Code.REFUSED
    again = e.decide("send", key="k", **mail(to="stranger"))
    assert (again.effect, again.repeated) == ("allow", True)
    assert content(e, "sent") == {"ann": 1}
    assert e.questions() == []
    if store is not None:
        audit(store, OUTBOX)


@pytest.mark.parametrize("approved", [False, None, "yes", 1, object()])
def test_what_is_not_a_yes_is_a_no(approved: Any) -> None:
    e = outbox(memory())
    d = e.decide("send", key="k", **mail(to="stranger"))
    assert e.answer(d.ticket, approved, "carol").code is Code.REFUSED
    assert e.decide("send", key="k", **mail(to="stranger")).code is Code.REFUSED
    assert content(e, "sent") == {}


def test_an_answer_that_is_late(store: Store | None) -> None:
    clock = Clock()
    e = outbox(store, clock)
    d = e.decide("send", key="k", **mail(to="stranger"))
    clock.now += 600_001
    assert e.questions() == []
    assert e.answer(d.ticket, True, "carol").code is Code.APPROVAL_LATE
    assert e.decide("send", key="k", **mail(to="stranger")).code is Code.APPROVAL_LATE
    assert content(e, "sent") == {}


def test_no_answer_is_a_denial(store: Store | None) -> None:
    clock = Clock()
    e = outbox(store, clock)
    d = e.decide("send", key="k", **mail(to="stranger"))
    clock.now += 600_001
    late = e.decide("send", key="k", **mail(to="stranger"))
    assert (late.effect, late.code) == ("deny", Code.APPROVAL_LATE)
    assert e.answer(d.ticket, True, "carol").code is Code.REFUSED
    other = e.decide("send", **mail("other", to="stranger"))
    clock.now += 600_001
    e.close_questions()
    assert e.answer(other.ticket, True, "carol").reason == "there is no such question, or it was answered already"
    if store is not None:
        assert events(store).count("unanswered") == 2


def test_nobody_to_ask_is_a_denial() -> None:
    d = outbox(memory(), approvals=False).decide("send", **mail(to="stranger"))
    assert (d.effect, d.code, d.ticket) == ("deny", Code.NO_ROUTE, "")


@pytest.mark.parametrize(("may", "code"), [(True, Code.ALLOWED), (False, Code.REFUSED), ("yes", Code.REFUSED)])
def test_who_may_answer(may: Any, code: Code) -> None:
    seen = []

    def may_approve(by: str, who: str, inputs: Any) -> Any:
        seen.append((by, who, inputs["to"]))
        return may

    e = outbox(memory(), may_approve=may_approve)
    d = e.decide("send", **mail(to="stranger"))
    assert e.answer(d.ticket, True, "carol").code is code
    assert seen == [("carol", "human", "stranger")]
    assert (len(e.questions()) == 1) == (code is Code.REFUSED)


def test_who_may_answer_must_not_ask_itself() -> None:
    def may_approve(by: str, who: str, inputs: Any) -> bool:
        return e.decide("look", principal=by).allowed

    e = outbox(memory(), may_approve=may_approve)
    d = e.decide("send", **mail(to="stranger"))
    assert e.answer(d.ticket, True, "carol").effect == "deny"
    assert e.decide("look", principal="a").allowed


def test_an_answer_finds_another_state() -> None:
    e = outbox(memory())
    d = e.decide("send", key="k", **mail(to="stranger"))
    assert e.decide("mute_all", principal="bob").allowed
    answer = e.answer(d.ticket, True, "carol")
    assert (answer.code, answer.reason) == (Code.FORBIDDEN, "muted")
    assert e.decide("send", key="k", **mail(to="stranger")) == answer


def test_a_question_outlives_the_process() -> None:
    store = memory()
    ticket = outbox(store).decide("send", key="k", **mail(to="stranger")).ticket
    e = outbox(store)
    assert [q.ticket for q in e.questions()] == [ticket]
    assert e.answer(ticket, True, "carol").allowed
    audit(store, OUTBOX)


# ---- redaction and duties


def test_a_secret_does_not_get_out(store: Store | None) -> None:
    e = outbox(store)
    d = e.decide("send", key="k", **mail("it is sk-abcdef, and sk-ghijkl"))
    assert (d.effect, d.transform) == ("allow", (("text", "it is [key], and [key]"),))
    assert e.decide("send", key="k", **mail("it is sk-abcdef, and sk-ghijkl")) == d
    denied = e.decide("send", **mail("bit.ly/ sk-abcdef"))
    assert denied.effect == "deny"
    e.decide("send", **mail("sk-abcdef", kind="Fax"))
    e.decide("send", **mail("sk-abcdef") | {"txt": "sk-abcdef"})
    if store is not None:
        with store.hold() as tx:
            assert not any(b"abcdef" in r for r in tx.since(0))
            assert not any(b"abcdef" in note for kind in ("key", "reservation") for _, note in tx.notes(kind))
        audit(store, OUTBOX)


SECRET = "sk-abcdefgh"


def anywhere(folder: Path) -> bool:
    return any(SECRET.encode() in file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("how", ["answered", "refused", "too late"])
def test_a_secret_that_people_are_asked_about_is_gone_when_they_have_answered(tmp_path: Path, how: str) -> None:
    clock = Clock()
    store, other = SqliteStore(tmp_path / "x.db"), SqliteStore(tmp_path / "x.db")
    e, second = outbox(store, clock), outbox(other, clock)
    long = "long " * 5_000  # on pages of its own, which are left alone when they are free
    d = e.decide("send", key="k", **mail(f"{long} {SECRET}", to="stranger"))
    assert second.decide("look", principal="a").allowed
    assert (d.effect, anywhere(tmp_path)) == ("approve", True)
    match how:
        case "answered":
            assert second.answer(d.ticket, True, "carol").transform == (("text", f"{long} [key]"),)
        case "refused":
            assert second.answer(d.ticket, False, "carol").effect == "deny"
        case _:
            clock.now += 700_000
            second.close_questions()
    assert e.questions() == []
    assert not anywhere(tmp_path)
    audit(store, OUTBOX)
    store.close()
    other.close()
    assert not anywhere(tmp_path)


def test_what_redaction_makes_is_decided_again() -> None:
    text = (
        "module r\nentity Bot\naction say(principal: Bot, text: String) {{}}\n"
        'redact one on say when text contains "bb" replace with "{0}"\n'
        'forbid two on say when text contains "a-a" because "no"\n'
    )
    e = enforcer(text.format("-"), store=(store := memory()))
    assert e.decide("say", principal="x", text="xbbx").transform == (("text", "x-x"),)
    d = e.decide("say", principal="x", text="abba")
    assert (d.effect, d.reason) == ("deny", "no")
    audit(store, text.format("-"))
    endless = enforcer(text.format("bbb"))
    assert endless.decide("say", principal="x", text="bb").code is Code.TRANSFORM
    thrice = enforcer(text.format("b"))
    assert thrice.decide("say", principal="x", text="b" * 8).transform == (("text", "b"),)


def test_a_duty_that_nobody_does_is_a_denial() -> None:
    herald = mail(principal="herald")
    d = outbox(memory(), promised=frozenset()).decide("send", **herald)
    assert (d.effect, d.code) == ("deny", Code.OBLIGATION)
    assert "alert" in d.reason
    d = outbox(memory(), promised=frozenset({"alert"})).decide("send", **herald)
    assert (d.effect, d.obligations) == ("allow", (Duty("alert", ("bob",)),))


def test_handlers_do_it(store: Store | None) -> None:
    done: list[Any] = []
    e = outbox(store, handlers={"alert": done.append, "quarantine": lambda who: done.append(f"quarantine {who}")})
    assert e.decide("send", key="k", **mail(principal="herald")).allowed
    assert e.decide("send", key="k", **mail(principal="herald")).allowed
    assert done == ["bob"]
    assert e.decide("send", **mail("bit.ly/")).effect == "deny"
    assert done == ["bob", "quarantine ann"]


async def _asynchronous(_who: str) -> None:
    raise AssertionError("nobody awaits this")


def _fails(_who: str) -> None:
    raise RuntimeError("the pager is broken")


@pytest.mark.parametrize(
    ("handler", "why"), [(_fails, "the pager is broken"), (_asynchronous, "nobody would await it")]
)
def test_a_handler_that_fails_is_a_denial(store: Store | None, handler: Any, why: str) -> None:
    e = outbox(store, handlers={"alert": handler})
    d = e.decide("send", key="k", **mail(principal="herald"))
    assert (d.effect, d.code) == ("deny", Code.OBLIGATION)
    assert why in d.reason
    assert e.decide("send", key="k", **mail(principal="herald")) == d
    if store is not None:
        assert events(store)[-1] == "undischarged"
        audit(store, OUTBOX)


def test_a_duty_is_not_lost_with_the_process_that_had_to_do_it() -> None:
    store = memory()
    done: list[str] = []

    def dies(_who: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outbox(store, handlers={"alert": dies}).decide("send", key="k", **mail(principal="herald"))
    e = outbox(store, handlers={"alert": done.append})
    for _ in range(2):
        d = e.decide("send", key="k", **mail(principal="herald"))
        assert (d.effect, d.repeated) == ("allow", True)
    assert done == ["bob"]
    assert content(e, "sent") == {"herald": 1}


def test_a_duty_that_is_done_again_can_be_told_from_another(store: Store | None) -> None:
    told: list[tuple[str, str]] = []

    def note(who: str, *, once: str) -> None:
        told.append((who, once))
        if len(told) == 1:
            raise KeyboardInterrupt

    e = outbox(store, handlers={"alert": note})
    with pytest.raises(KeyboardInterrupt):
        e.decide("send", key="k", **mail(principal="herald"))
    for key in ("k", "k", "l", "", ""):
        assert e.decide("send", key=key, **mail(principal="ann" if key == "" else "herald")).allowed
    e.decide("send", **mail(principal="herald"))
    assert [who for who, _ in told] == ["bob"] * 4
    first, again, *others = [once for _, once in told]
    assert first == again
    assert len({first, *others}) == 3


@pytest.mark.parametrize("handler", [lambda once: None, print, lambda *args, **further: further["once"]])
def test_handlers_that_do_not_ask_are_not_told(handler: Any) -> None:
    e = outbox(handlers={"alert": handler})
    d = e.decide("send", **mail(principal="herald"))
    assert d.allowed == (handler is print or "further" not in handler.__code__.co_varnames)


# ---- the store is away


def test_a_store_that_is_away() -> None:
    inner = memory()
    away = Away(inner)
    e = outbox(away, officers=["olga"])
    assert e.decide("send", **mail()).allowed
    before = content(e, "sent")
    away.away = True
    d = e.decide("send", **mail())
    assert (d.effect, d.code) == ("deny", Code.STORE)
    look = e.decide("look", principal="a")
    assert (look.effect, look.code, look.reason) == ("allow", Code.FAIL_OPEN, "it only reads, and it is away")
    assert e.decide("look", principal=1).code is Code.ILL_TYPED
    assert e.decide("look", key="k", principal="a").code is Code.FAIL_OPEN
    assert content(e, "sent") == before
    away.away = False
    assert e.decide("send", **mail()).allowed
    same_as_store(e, inner)
    audit(inner, OUTBOX)


def test_a_store_that_was_never_there() -> None:
    away = Away(memory())
    away.away = True
    e = Enforcer(bundle(OUTBOX), away, settings(given=TRUSTED, promised=ALL))
    assert e.fault is None
    assert e.decide("look", principal="a").code is Code.STORE  # nobody knows in what state
    away.away = False
    assert e.decide("send", **mail()).allowed


def test_a_lockdown_without_a_store_holds_and_is_written_down_later() -> None:
    inner = memory()
    away = Away(inner)
    e, other = outbox(away, officers=["olga"]), outbox(inner, officers=["olga"])
    away.away = True
    d = e.lock_down("olga")
    assert (d.effect, d.reason) == ("allow", "in this enforcer only: it is away")
    assert e.decide("look", principal="a").effect == "deny"
    assert other.decide("look", principal="a").allowed
    away.away = False
    assert e.decide("look", principal="a").code is Code.LOCKDOWN
    assert other.decide("look", principal="a").code is Code.LOCKDOWN
    assert other.lift_lockdown("olga").allowed
    assert e.decide("look", principal="a").allowed
    assert events(inner).count("lockdown.entered") == 1
    audit(inner, OUTBOX)


def test_a_closed_enforcer(store: Store | None) -> None:
    e = outbox(store)
    e.close()
    assert e.decide("look", principal="a").code is Code.STORE
    assert e.lock_down("ann").effect == "deny"
    e.close()


# ---- lockdown


def test_lockdown(store: Store | None) -> None:
    e = outbox(store, officers=["olga", "otto"])
    assert e.lock_down("ann").effect == "deny"
    assert not e.locked
    assert e.lock_down("olga").allowed
    assert e.decide("send", **mail()).code is Code.LOCKDOWN
    assert e.decide("send", bad=1).code is Code.LOCKDOWN
    assert e.decide("mute_all", principal="bob").allowed
    assert e.lift_lockdown("ann").effect == "deny"
    assert e.locked
    assert e.lift_lockdown("otto").allowed
    assert e.decide("send", **mail()).code is Code.FORBIDDEN  # muted, by now
    assert e.report_fault("a proof does not hold").allowed
    assert e.decide("look", principal="a").code is Code.LOCKDOWN
    assert e.lift_lockdown("olga").allowed
    assert e.decide("look", principal="a").allowed
    if store is not None:
        audit(store, OUTBOX)


def test_a_lockdown_is_for_all_who_share_the_store() -> None:
    store = memory()
    one, two = outbox(store, officers=["olga"]), outbox(store, officers=["olga"])
    assert one.lock_down("olga").allowed
    assert two.decide("send", **mail()).code is Code.LOCKDOWN
    assert outbox(store).decide("send", **mail()).code is Code.LOCKDOWN
    assert two.lift_lockdown("olga").allowed
    assert one.decide("send", **mail()).allowed


def test_a_lockdown_by_others_is_not_lost_when_a_hold_fails() -> None:
    """Seen in a hold that is not kept, it must be seen again."""
    from runtime.store import StoreError

    inner = memory()
    fails = [False]

    class Failing(Away):
        def hold(self) -> Any:
            return _Failing(self.store.hold(), fails)

    class _Failing:
        def __init__(self, hold: Any, fails: list[bool]) -> None:
            self.hold, self.fails = hold, fails

        def __enter__(self) -> Any:
            return self.hold.__enter__()

        def __exit__(self, kind: Any, fault: Any, at: Any) -> None:
            if self.fails[0]:
                error = StoreError("the disk is full")
                self.hold.__exit__(StoreError, error, None)
                raise error
            self.hold.__exit__(kind, fault, at)

    one, two = outbox(inner, officers=["olga"]), outbox(Failing(inner))
    assert one.lock_down("olga").allowed
    fails[0] = True
    assert two.decide("send", **mail()).code is Code.STORE
    fails[0] = False
    assert two.decide("send", **mail()).code is Code.LOCKDOWN


def test_a_question_waits_for_the_end_of_a_lockdown() -> None:
    e = outbox(memory(), officers=["olga"])
    d = e.decide("send", **mail(to="stranger"))
    e.lock_down("olga")
    assert e.answer(d.ticket, True, "carol").code is Code.LOCKDOWN
    e.lift_lockdown("olga")
    assert e.answer(d.ticket, True, "carol").allowed


# ---- shadow


def test_shadow_never_blocks_and_says_so(store: Store | None) -> None:
    done: list[str] = []
    e = outbox(store, shadow=True, handlers={"quarantine": done.append})
    for inputs in (mail(), mail("bit.ly/"), mail(to="stranger"), {"x": 1}):
        d = e.decide_request("send", inputs)
        assert (d.allowed, d.shadow) == (True, True)
    assert e.decide("send", **mail("bit.ly/")).effect == "deny"
    assert e.questions() == []
    assert done == []
    if store is not None:
        assert {r.mode for r in entries(store)} == {"shadow"}
        audit(store, OUTBOX)


# ---- the log


def test_the_interpreter_says_the_same_of_each_step() -> None:
    from enforcing import system

    store, clock = memory(), Clock()
    e = outbox(store, clock)
    s = system(OUTBOX)
    state = initially(s, None, e.policies.running[0].cells)  # type: ignore[union-attr]
    for i in range(12):
        clock.now += 7_000
        to = "stranger" if i % 4 == 3 else "bob"
        d = e.decide("send", **mail(f"text {i}", to=to))
        inputs = mail(f"text {i}", to=to) | {"now": clock.now, "approved_strangers": False, "asked_strangers": 0}
        expected = step(s, state, Request("send", inputs))
        state = expected.state
        assert {"approve": "pending"}.get(d.effect, d.effect) == expected.decision.effect
    same_as_store(e, store)
    [found] = audit(store, OUTBOX)
    assert found.compared == 12


def test_bulk_writes_are_followed_by_others() -> None:
    store = memory()
    one, two = outbox(store), outbox(store)
    assert one.decide("mute_all", principal="ann").allowed
    assert two.decide("send", **mail(principal="bob")).reason == "muted"
    assert two.decide("send", **mail()).allowed
    assert two.decide("mute_all", principal="bob").allowed
    assert one.decide("send", **mail()).reason == "muted"
    same_as_store(one, store)
    same_as_store(two, store)
    audit(store, OUTBOX)


def test_rows_that_change_nothing_go_with_the_next_bulk_write() -> None:
    """Others have to know of them, or they outlive what is assigned to everybody."""
    text = """
module b
entity Bot
state m : Bot -> Int = 0
action touch(principal: Bot) { m[principal] := 0 }
action set_all(to: Int[0..9]) { for each b: Bot { m[b] := to } }
"""
    store = memory()
    one, two = enforcer(text, store=store), enforcer(text, store=store)
    assert all_allowed([one.decide("touch", principal="a"), two.decide("set_all", to=5)])
    for e in (one, two, enforcer(text, store=store)):
        assert e.decide("nothing").effect == "deny"
        assert e.policies is not None
        assert e.policies.running[0].machine.content.read("m", "a") == 5
        same_as_store(e, store)
    audit(store, text)


def test_a_bulk_write_is_undone_where_patterns_meet() -> None:
    from policydsl.core.expr import ZERO
    from policydsl.core.system import StateVar
    from policydsl.core.types import INT, EntityType
    from runtime.rows import PatternRows

    bot = EntityType("Bot")
    rows = PatternRows(StateVar("m", (bot, bot), INT, ZERO), 0)
    undo: list[Any] = []
    for pattern, value in ((("*", "b"), 1), (("a", "b"), 2), (("c", "*"), 3)):
        rows.write(pattern, value, 0, [])
    before = dict(rows.rows)
    rows.write(("a", "*"), 4, 0, undo)
    assert (rows.read("a", "b"), rows.read("x", "b"), rows.read("c", "b")) == (4, 1, 3)
    for _, key, was in reversed(undo):
        if was is None:
            rows.rows.pop(key, None)
        else:
            rows.rows[key] = was
    assert rows.rows == before


def test_a_record_that_is_none_is_not_followed() -> None:
    store = memory()
    one = outbox(store)
    with store.hold() as tx:
        tx.append(b"{}")
    for _ in range(3):
        assert one.decide("send", **mail()).code is Code.STORE
    assert content(one, "sent") == {}


def test_a_signed_head() -> None:
    from runtime.heads import from_text, generate_key, private_pem, signature_fault

    key = generate_key(b"k" * 32)
    store = memory()
    e = outbox(store, sign=private_pem(key), sign_every=4)
    sizes = set()
    for _ in range(12):
        e.decide("look", principal="a")
        with store.hold() as tx:
            note = tx.get("head", "latest")
        if note is not None:
            head = from_text(note.decode())
            assert signature_fault(head, key.public_key()) is None
            sizes.add(head.size)
    assert sizes == {4, 8, 12}
    audit(store, OUTBOX)
    store.close = lambda: None  # type: ignore[method-assign]  # to look into it afterwards
    e.close()
    with store.hold() as tx:
        note = tx.get("head", "latest")
        assert note is not None
        assert from_text(note.decode()).size == tx.size() == 13
    bad = Enforcer(bundle(OUTBOX), memory(), settings(sign="no key"))
    assert bad.decide("look", principal="a").code is Code.BUNDLE
