"""Another policy on the state there is: what stays, what starts, what is archived, what is refused, and who notices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from enforcing import (
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
    mail,
    memory,
    outbox,
    records,
    same_as_store,
    settings,
    system,
)

from runtime.bundle import BundleError, build, read
from runtime.decision import Code
from runtime.enforcer import Enforcer
from runtime.migrate import MigrationError
from runtime.store import Store

ONE = """
module m
entity Bot
enum Stage { Open, Done }
param MOST : Int[0..100] = 10
state n     : Bot -> Int = 0
state all   : Int = 0
state stage : Bot -> Stage = Open
state gone  : Bot -> Int = 7
state on    : Bot -> Bool = false
action add(principal: Bot, much: Int[0..100]) {
  require n[principal] + much <= MOST else "too much"
  n[principal] += much
  all += much
  gone[principal] := 8
  stage[principal] := Done
}
action switch_on(principal: Bot) { for each b: Bot { on[b] := b != principal } }
invariant bounded: forall b: Bot . n[b] <= 100
"""


@pytest.fixture(params=["memory", "recorded"])
def store(request: pytest.FixtureRequest) -> Store | None:
    return memory() if request.param == "recorded" else None


def begun(store: Store | None, text: str = ONE, **further: Any) -> Enforcer:
    e = enforcer(text, store=store, **further)
    assert e.decide("add", principal="a", much=4).allowed
    assert e.decide("add", principal="b", much=2).allowed
    return e


def looked(e: Enforcer, store: Store | None, *texts: str) -> None:
    if store is not None:
        same_as_store(e, store)
        audit(store, *texts)


def test_what_stays_what_is_new_and_what_is_gone(store: Store | None) -> None:
    e = begun(store)
    two = ONE.replace("state gone  : Bot -> Int = 7\n", "state fresh : Bot -> Int = 3\n")
    two = two.replace("gone[principal] := 8", "fresh[principal] := 9")
    e.reload(bundle(two))
    assert content(e, "n") == {"a": 4, "b": 2}
    assert content(e, "all") == {"": 6}
    assert content(e, "stage") == {"a": "Done", "b": "Done"}
    assert content(e, "fresh") == {}
    assert content(e, "gone") == {}
    assert e.decide("add", principal="a", much=6).allowed
    assert e.decide("add", principal="a", much=1).reason == "too much"
    assert content(e, "fresh") == {"a": 9}
    if store is not None:
        with store.hold() as tx:
            [(name, note)] = tx.notes("archive")
        assert name.startswith("m before record ")
        assert sorted(json.loads(note)) == [["gone", ["a"], 8], ["gone", ["b"], 8]]
        [data] = [dict(r.data) for r in records(store) if not hasattr(r, "action") and r.event == "migrated"]
        assert data == {"system": "m", "new": ["fresh"], "changed": [], "removed": ["gone"], "archived": 2}
    looked(e, store, ONE, two)
    e.roll_back()
    assert content(e, "gone") == {}
    assert content(e, "n") == {"a": 10, "b": 2}
    looked(e, store, ONE, two)
    with pytest.raises(BundleError, match="no bundle to go back to"):
        e.roll_back()


def test_opened_with_a_newer_policy() -> None:
    store = memory()
    begun(store)
    two = ONE.replace("<= MOST else", "<= 5 else")
    e = enforcer(two, store=store)
    assert content(e, "n") == {"a": 4, "b": 2}
    assert e.decide("add", principal="a", much=2).reason == "too much"
    looked(e, store, ONE, two)


def test_the_same_policy_begins_nothing_anew() -> None:
    store = memory()
    begun(store)
    size = len(records(store))
    e = enforcer(ONE, store=store)
    assert len(records(store)) == size
    looked(e, store, ONE)


def test_a_digest_that_differs_begins_anew_in_the_log() -> None:
    """Records name policies by their digests, even if nothing that matters differs."""
    store = memory()
    begun(store)
    two = ONE.replace('"too much"', '"far too much"')
    e = enforcer(two, store=store)
    assert e.decide("add", principal="a", much=90).reason == "far too much"
    assert [r.compared for r in audit(store, ONE, two)] == [2, 1]


def test_refused_when_an_invariant_does_not_hold(store: Store | None) -> None:
    e = begun(store)
    size = len(records(store)) if store else 0
    bad = ONE.replace("n[b] <= 100", "n[b] <= 3")
    with pytest.raises(MigrationError, match="`bounded` of `m` does not hold of the state that is there"):
        e.reload(bundle(bad))
    assert e.fault is None
    assert e.decide("add", principal="a", much=1).allowed
    assert store is None or len(records(store)) == size + 1
    looked(e, store, ONE)


def test_opened_with_a_policy_that_does_not_fit() -> None:
    store = memory()
    begun(store)
    size = len(records(store))
    bad = ONE.replace("n[b] <= 100", "n[b] <= 3")
    e = Enforcer(bundle(bad), store, settings())
    for _ in range(2):
        d = e.decide("add", principal="z", much=1)
        assert (d.effect, d.code) == ("deny", Code.BUNDLE)
        assert "`bounded`" in d.reason
    assert len(records(store)) == size
    e.reload(bundle(ONE))
    assert e.decide("add", principal="z", much=1).allowed
    looked(e, store, ONE)


@pytest.mark.parametrize("expect", ["expect refuted ", "expect unknown "])
def test_what_is_not_promised_is_not_asked_of_the_state(expect: str) -> None:
    e = begun(None)
    text = ONE.replace("invariant bounded: ", f'{expect}invariant bounded because "so": ')
    e.reload(bundle(text.replace("n[b] <= 100", "n[b] <= 3")))
    assert content(e, "n") == {"a": 4, "b": 2}


def test_refused_when_the_rest_would_change(store: Store | None) -> None:
    e = begun(store)
    with pytest.raises(MigrationError, match="`gone` is 7 for all who were never assigned one, and would be 6"):
        e.reload(bundle(ONE.replace("Int = 7", "Int = 6")))
    e.reload(bundle(ONE.replace("all   : Int = 0", "all   : Int = 5")))  # one cell, with a value
    assert content(e, "all") == {"": 6}
    looked(e, store, ONE)


def test_a_scalar_that_was_never_assigned_stays_as_it_was(store: Store | None) -> None:
    e = enforcer(ONE, store=store)
    two = ONE.replace("all   : Int = 0", "all   : Int = 5")
    e.reload(bundle(two))
    assert content(e, "all") == {"": 0}
    assert e.decide("add", principal="a", much=1).allowed
    assert content(e, "all") == {"": 1}
    looked(e, store, ONE, two)


@pytest.mark.parametrize(
    ("cases", "error"),
    [("Open, Done, Late", ""), ("Done, Open", "`stage` is 'Open' for all"), ("Open, Late", "holds `Done`")],
)
def test_other_cases(store: Store | None, cases: str, error: str) -> None:
    e = begun(store)
    two = ONE.replace("{ Open, Done }", f"{{ {cases} }}")
    if error.startswith("holds"):
        two = two.replace(":= Done", ":= Late")
    if error.startswith("`stage`"):
        two = two.replace("= Open", "= Done")
    if error:
        with pytest.raises(MigrationError, match=error):
            e.reload(bundle(two))
    else:
        e.reload(bundle(two))
    assert content(e, "stage") == {"a": "Done", "b": "Done"}
    assert e.decide("add", principal="c", much=1).allowed
    looked(e, store, ONE, two)


def test_a_variable_of_another_type_begins_anew_and_is_archived() -> None:
    store = memory()
    e = begun(store)
    two = ONE.replace("gone  : Bot -> Int = 7", "gone  : Bot -> Bool = false").replace(
        "gone[principal] := 8", "gone[principal] := true"
    )
    e.reload(bundle(two))
    assert content(e, "gone") == {}
    with store.hold() as tx:
        assert len(tx.notes("archive")) == 1
    looked(e, store, ONE, two)


def test_what_was_set_for_everyone_stays_so(store: Store | None) -> None:
    e = begun(store)
    assert e.decide("switch_on", principal="b").allowed
    two = ONE.replace('"too much"', '"more than enough"')
    e.reload(bundle(two))
    read_ = e.policies.running[0].machine.content.read  # type: ignore[union-attr]
    assert [read_("on", who) for who in ("a", "b", "somebody")] == [True, False, True]
    looked(e, store, ONE, two)
    single = ONE.replace("for each b: Bot { on[b] := b != principal }", "on[principal] := true")
    with pytest.raises(MigrationError, match="`on` is True for all"):
        e.reload(bundle(single))
    looked(e, store, ONE, two)


def test_what_nobody_was_given_in_bulk_can_be_now(store: Store | None) -> None:
    single = ONE.replace("for each b: Bot { on[b] := b != principal }", "on[principal] := true")
    e = begun(store, single)
    assert e.decide("switch_on", principal="a").allowed
    e.reload(bundle(ONE))
    assert e.decide("switch_on", principal="b").allowed
    read_ = e.policies.running[0].machine.content.read  # type: ignore[union-attr]
    assert [read_("on", who) for who in ("a", "b", "somebody")] == [True, False, True]
    looked(e, store, ONE, single)


SUMS = """
module m
entity Bot
entity Job
state held : (Bot, Job) -> Int = 0
action take(principal: Bot, job: Job, much: Int[0..9]) { held[principal, job] := much }
"""


def test_running_sums_begin_with_their_true_values(store: Store | None) -> None:
    e = enforcer(SUMS, store=store)
    for job, much in (("j", 3), ("k", 4)):
        assert e.decide("take", principal="a", job=job, much=much).allowed
    two = SUMS + "invariant small: forall a: Bot . sum(j: Job . held[a, j]) <= 12\n"
    two = two.replace("{ held[", '{ require sum(j: Job . held[principal, j]) <= 10 else "enough"  held[')
    e.reload(bundle(two))
    assert e.decide("take", principal="a", job="l", much=4).allowed
    assert e.decide("take", principal="a", job="m", much=1).reason == "enough"
    looked(e, store, SUMS, two)
    e.roll_back()
    e.reload(bundle(two))
    assert e.decide("take", principal="a", job="m", much=1).reason == "enough"
    looked(e, store, SUMS, two)
    with pytest.raises(MigrationError, match="`small`"):
        e.reload(bundle(two.replace("<= 12", "<= 10")))


LIMITED = """
module m
entity Bot
action go(principal: Bot) {}
action stop(principal: Bot) {}
limit rate on go to 2 per 1m for each principal
forbid stopped on go when once within 5m (stop by principal) because "it was stopped"
"""


def test_what_happened_before_is_remembered_as_far_as_it_was(store: Store | None) -> None:
    clock = Clock()
    e = enforcer(LIMITED, store=store, clock=clock)
    assert all_allowed([e.decide("go", principal="a"), e.decide("go", principal="a"), e.decide("stop", principal="b")])
    two = LIMITED.replace("per 1m", "per 2m")
    e.reload(bundle(two))
    clock.now += 90_000
    assert e.decide("go", principal="a").code is Code.LIMITED
    assert e.decide("go", principal="b").reason == "it was stopped"
    clock.now += 40_000
    assert e.decide("go", principal="a").allowed
    looked(e, store, LIMITED, two)


def test_time_begins_where_it_is_first_used(store: Store | None) -> None:
    text = "module m\nentity Bot\naction go(principal: Bot) {}\n"
    clock = Clock(10_000)
    e = enforcer(text, store=store, clock=clock)
    assert e.decide("go", principal="a").allowed
    two = text + "limit rate on go to 1 per 1m for each principal\n"
    e.reload(bundle(two))
    assert e.decide("go", principal="a").allowed
    clock.now -= 5_000
    assert e.decide("go", principal="b").code is Code.CLOCK
    looked(e, store, text, two)
    e.roll_back()
    assert e.decide("go", principal="a").allowed
    looked(e, store, text, two)


# ---- parameters


def test_other_parameters_are_another_beginning() -> None:
    store = memory()
    one = begun(store)
    two = enforcer(ONE, store=store, params={"m": {"MOST": 5}})
    assert content(two, "n") == {"a": 4, "b": 2}
    assert two.decide("add", principal="a", much=2).reason == "too much"
    assert one.decide("add", principal="a", much=2).code is Code.BUNDLE
    audit(store, ONE)
    again = enforcer(ONE, store=store, params={"m": {"MOST": 5}})
    assert len([e for e in events(store) if e == "start"]) == 2
    looked(again, store, ONE)


@pytest.mark.parametrize("params", [{"MOST": 500}, {"MOST": "5"}, {"LEAST": 5}])
def test_parameters_that_do_not_fit(params: dict[str, Any]) -> None:
    e = Enforcer(bundle(ONE), None, settings(params={"m": params}))
    assert e.decide("add", principal="a", much=1).code is Code.BUNDLE


# ---- several enforcers


def test_who_did_not_reload_denies_until_it_does() -> None:
    store = memory()
    one, two = outbox(store), outbox(store)
    newer = OUTBOX.replace("to 3 per 1m", "to 1 per 1m")
    one.reload(bundle(newer))
    assert one.decide("send", **mail()).allowed
    for _ in range(3):
        d = two.decide("send", **mail())
        assert (d.effect, d.code) == ("deny", Code.BUNDLE)
        assert "replaced by another enforcer" in d.reason
    assert two.decide("look", principal="a").code is Code.BUNDLE  # not even what only reads
    two.reload(bundle(newer))
    assert two.decide("send", **mail()).code is Code.LIMITED
    assert two.decide("send", **mail(principal="bob")).allowed
    looked(one, store, OUTBOX, newer)
    looked(two, store, OUTBOX, newer)


def test_who_did_not_reload_goes_on_when_others_go_back() -> None:
    store = memory()
    one, two = outbox(store), outbox(store)
    one.reload(bundle(OUTBOX.replace("to 3 per 1m", "to 1 per 1m")))
    assert one.decide("send", **mail()).allowed
    assert two.decide("send", **mail()).code is Code.BUNDLE
    one.roll_back()
    assert one.decide("send", **mail()).allowed
    assert two.decide("send", **mail()).allowed
    assert two.decide("send", **mail()).code is Code.LIMITED
    looked(one, store, OUTBOX)
    looked(two, store, OUTBOX)


def test_reloaded_in_two_steps_by_two() -> None:
    """Two who go on with different versions take turns, and the log stays one."""
    store = memory()
    versions = [OUTBOX.replace("to 3 per 1m", f"to {n} per 1m") for n in (2, 3, 4)]
    clock = Clock()
    enforcers = [Enforcer(bundle(v), store, settings(clock, given=TRUSTED)) for v in versions]
    for i in range(9):
        clock.now += 61_000
        e = enforcers[i % 3]
        e.reload(bundle(versions[(i + i // 3) % 3]))
        assert e.decide("send", **mail(f"{i}")).allowed
        assert enforcers[(i + 1) % 3].decide("send", **mail("x")).code in (Code.BUNDLE, Code.ALLOWED)
    audit(store, *versions)


def test_only_some_policies_change() -> None:
    store = memory()
    e = enforcer(OUTBOX, ONE, store=store, given=TRUSTED)
    assert all_allowed([e.decide("send", **mail()), e.decide("add", principal="a", much=1)])
    two = ONE.replace("<= MOST else", "<= 5 else")
    e.reload(bundle(OUTBOX, two))
    assert all_allowed([e.decide("send", **mail()), e.decide("add", principal="a", much=1)])
    assert events(store) == ["start", "start", "migrated", "start"]
    e.reload(bundle(two))
    assert e.decide("send", **mail()).code is Code.UNKNOWN_ACTION
    e.reload(bundle(OUTBOX, two))
    assert content(e, "sent") == {"ann": 2}
    looked(e, store, OUTBOX, ONE, two)


def test_a_bundle_that_does_not_verify_changes_nothing(store: Store | None, proved: tuple[str, str]) -> None:
    text, certificate = proved
    own = system_at("m.policy", text)
    e = Enforcer(read(build([(own, certificate)])), store, settings(unproved=False))
    assert e.decide("take", job="j").allowed
    for wrong in (BundleError("torn"), bundle(own), bundle(ONE)):
        with pytest.raises(BundleError):
            e.reload(wrong)
    assert e.decide("finish", job="j").allowed
    assert e.decide("finish", job="j").basis.verified is True  # type: ignore[union-attr]
    with pytest.raises(BundleError, match="no bundle to go back to"):
        e.roll_back()


def test_many_decide_while_another_policy_comes() -> None:
    import threading

    clock = Clock()
    for store in (memory(), None):
        text = OUTBOX.replace("limit rate on send to 3 per 1m for each principal\n", "")
        other = text.replace('"muted"', '"silenced"')
        e = enforcer(text, store=store, clock=clock, given=TRUSTED)
        allowed: list[int] = []

        def work(e: Enforcer = e, allowed: list[int] = allowed) -> None:
            allowed.extend(1 for _ in range(100) if e.decide("send", **mail()).allowed)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for i in range(20):
            e.reload(bundle((text, other)[i % 2]))
        for t in threads:
            t.join()
        assert len(allowed) == 400
        assert content(e, "sent") == {"ann": 400}
        looked(e, store, text, other)


def test_what_was_looked_up_before_a_reload_decides_nothing_after_it() -> None:
    e = outbox(None, officers=["olga"])
    for change in (lambda: e.reload(bundle(OUTBOX)), lambda: e.lock_down("olga")):
        plain = e._plain["look"]
        assert plain({"principal": "a"}) is not None
        change()
        assert plain({"principal": "a"}) is None


def test_a_failed_reload_is_nobody_elses_fault() -> None:
    """What is decided in the meantime, by other threads, is decided as ever."""
    import threading

    e = begun(memory())
    bad = bundle(ONE.replace("n[b] <= 100", "n[b] <= 3"))
    codes: set[Code] = set()

    def work() -> None:
        codes.update(e.decide("switch_on", principal="a").code for _ in range(150))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for _ in range(30):
        with pytest.raises(MigrationError):
            e.reload(bad)
    for t in threads:
        t.join()
    assert codes == {Code.ALLOWED}
    assert e.fault is None


# ---- lemmas


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A policy whose invariant needs a lemma, and its certificate."""
    from policyctl.cli import run

    folder: Path = tmp_path_factory.mktemp("proved")
    text = """
module m
entity Job
enum Stage { Open, Taken, Done }
state stage : Job -> Stage = Open
state paid  : Job -> Int   = 0
action take(job: Job) { require stage[job] == Open  stage[job] := Taken }
action finish(job: Job) { require stage[job] == Taken  stage[job] := Done  paid[job] += 10 }
invariant paid_once: forall j: Job . paid[j] <= 10
"""
    (folder / "m.policy").write_text(text)
    import os

    here = Path.cwd()
    os.chdir(folder)
    try:
        assert run(["verify", "m.policy", "--certificates", "certificates", "--no-cache"]) == 0
        [certificate] = (folder / "certificates").rglob("*.certificate.json")
        found = certificate.read_text()
    finally:
        os.chdir(here)
        shutil.rmtree(folder)
    return text, found


def test_lemmas_that_were_found_must_hold_of_the_state(proved: tuple[str, str]) -> None:
    """The invariant holds of this state, and the next step would break it: the proof rests on a lemma that does not."""
    text, certificate = proved
    new = read(build([(system_at("m.policy", text), certificate)]))
    assert new.verified
    assert new.policies[0].lemmas
    loose = text.replace("require stage[job] == Taken  ", "").replace(
        "invariant paid_once: forall j: Job . paid[j] <= 10", ""
    )
    loose = loose.replace("stage[job] := Done  paid", "paid")
    store = memory()
    e = enforcer(loose, store=store)
    e.reload(new)
    assert e.decide("take", job="j").allowed
    assert e.decide("finish", job="j").allowed
    assert e.decide("finish", job="j").effect == "deny"
    e.roll_back()
    assert e.decide("finish", job="k").allowed  # paid, and still open
    with pytest.raises(MigrationError, match="a lemma of the proofs of `m`"):
        e.reload(new)
    audit(store, loose)
    assert all(r.effect for r in entries(store))


def system_at(path: str, text: str) -> Any:
    from policydsl.diagnostics import Report
    from policydsl.load import load

    [found] = load([path], lambda _: text, Report())
    return found.system


def test_the_lemmas_of_a_policy_hold_at_first(proved: tuple[str, str]) -> None:
    text, certificate = proved
    new = read(build([(system_at("m.policy", text), certificate)]))
    e = Enforcer(new, None, settings(unproved=False))
    [running] = e.policies.running  # type: ignore[union-attr]
    assert all(running.machine.holds(lemma) for lemma in new.policies[0].lemmas)
    assert system(ONE).name == "m"
