"""`verify --deep`: the guards that a proof needs are named, and no others.

The judge is the verifier itself: a policy is verified again without each of its `require`s.
"""

from __future__ import annotations

import pytest

from policyctl.results import PropertyView
from policyctl.to_reasons import with_reasons
from policyctl.to_views import properties_of
from policydsl.core.system import System
from tests.checked import program
from verifier.solvers import Solvers
from verifier.verify import verify


def explained(text: str) -> dict[str, PropertyView]:
    system: System = program(text).system
    verification = verify(system)
    views = with_reasons(properties_of(system, verification), system, verification, Solvers())
    return {v.name: v for v in views}


def needed(text: str) -> dict[str, set[str]]:
    """For each property that is proved, the reasons of the guards that it needs, or that what it uses needs."""
    views = explained(text)
    assert {v.status for v in views.values()} == {"proved"}, views

    def own(name: str, seen: frozenset[str]) -> set[str]:
        more = [own(u, seen | {name}) for u in views[name].uses if u not in seen]
        return {g.split('"')[1] for g in views[name].guards}.union(*more)

    return {name: own(name, frozenset()) for name in views}


SAFETY = """
entity Bot
entity Job
enum Stage {{ Open, Taken, Done }}
group Staff of Bot

state stage  : Job -> Stage = Open
state worker : Job -> Bot?  = none
state paid   : Job -> Int   = 0
state spoken : Bot -> Bool  = false
state day    : Time         = 0

action take(principal: Bot, job: Job) {{
  require principal in Staff                   else "not of the staff"
  require stage[job] == Open                   else "taken"
  require not spoken[principal]                else "has spoken"
  stage[job] := Taken  worker[job] := principal
}}
action finish(principal: Bot, job: Job, amount: Int) {{
  require stage[job] == Taken                  else "not in work"
  require worker[job] == principal             else "not yours"
  require amount >= 0 and amount <= 10         else "too much"
  require now >= day + 1h                      else "too early"
  stage[job] := Done  paid[job] += amount  day := now
}}
action speak(principal: Bot) {{
  require not spoken[principal]                else "enough"
  spoken[principal] := true
}}
{claims}
"""

CLAIMS = {
    "paid_once": (
        "invariant paid_once: forall j: Job . paid[j] <= 10",
        "taken, not in work, too much",
    ),
    "who": ("assert who on take: allowed implies principal in Staff", "not of the staff"),
    "refusal": ("assert refusal on take: spoken[principal] implies denied", "has spoken"),
    "when_": ("assert when_ on finish: principal != principal or now < day + 1h implies not allowed", "too early"),
    "two": ("assert two on finish: allowed implies amount <= 10 and worker[job] == principal", "not yours, too much"),
    "either": ("assert either on finish: allowed iff allowed and amount < 11", "too much"),
    "step_": ("step step_ on finish: old(stage[job]) == Taken and stage[job] == Done", "not in work"),
    "order": (
        "step order: forall j: Job . stage[j] != old(stage[j]) implies old(stage[j]) == Open or stage[j] == Done",
        "taken",
    ),
    "slow": ("step slow on finish: day >= old(day) + 1h", "too early"),
    "nobody": ("expect refuted reachable nobody: exists j: Job . paid[j] < 0", "too much"),
    "said": ("step said: forall b: Bot . old(spoken[b]) implies spoken[b]", ""),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_of_safety_the_guards_that_are_needed_are_named(name: str) -> None:
    claim, wanted = CLAIMS[name]
    text = SAFETY.format(claims=claim)
    views = explained(text)
    assert [v.as_expected for v in views.values()] == [True]
    named = {g.split('"')[1] for g in views[name].guards}
    assert named == {w for w in wanted.split(", ") if w}
    for line in text.splitlines():
        if "require" in line:
            status = explained(text.replace(line, ""))[name].as_expected
            assert status is not (line.split('"')[1] in named), line


def test_what_a_lemma_needs_is_named_too() -> None:
    text = SAFETY.format(claims="assert mine on finish: allowed implies worker[job] in Staff")
    view = explained(text)["mine"]
    assert view.lemmas or view.uses
    assert '"not of the staff" of take' in view.guards


def test_an_invariant_that_helps_is_named_with_the_guards_that_are_left() -> None:
    text = SAFETY.format(
        claims="""
        invariant workers: forall j: Job, b: Bot . worker[j] == b implies b in Staff
        assert mine on finish: allowed implies principal in Staff"""
    )
    views = explained(text)
    assert (views["mine"].uses, views["mine"].guards) == (("workers",), ('"not yours" of finish',))
    assert (views["workers"].uses, views["workers"].guards) == ((), ('"not of the staff" of take',))
    assert needed(text)["mine"] == {"not yours", "not of the staff"}


def test_actions_that_need_one_guard_share_a_line() -> None:
    text = """
    state n: Int = 0
    action up() { require n < 3 else "full"  n += 1 }
    action leap() { require n < 2 else "full"  n += 2 }
    step few: n <= 3
    """
    assert explained(text)["few"].guards == ('"full" of up, leap',)


RULES = """
entity Bot
state muted: Bot -> Bool = false
state trust: Bot -> Int = 100
action mute(principal: Bot, bot: Bot) { muted[bot] := true }
action send(principal: Bot, size: Int[0..9])
permit trusted on send when trust[principal] >= 50
forbid muzzled on send when muted[principal]
forbid big on send when size > 5
limit rate on send to 3 per 1m for each principal
assert silent on send: muted[principal] implies denied
assert trusty on send: allowed implies trust[principal] >= 50
assert small on send: size > 5 implies not allowed
assert ranged on send: allowed implies size >= 0
assert few on send: allowed implies count(send by principal within 1m) < 3
assert both on send: forbid big overrides permit trusted
"""


def test_rules_limits_and_ranges_are_guards_like_others() -> None:
    assert {n: v.guards for n, v in explained(RULES).items()} == {
        "silent": ("`muzzled` of send",),
        "trusty": ("`trusted` of send",),
        "small": ("`big` of send",),
        "ranged": ('"size must be between 0 and 9" of send',),
        "few": ("`rate` of send",),
        "both": ("`big` of send",),
    }


SUMS = """
entity Job
state held : Job -> Int = 0
state total : Int = 0
action hold(job: Job, n: Int) {
  require n >= 0           else "negative"
  require held[job] == 0   else "held already"
  require total + n <= 100 else "more than there is"
  held[job] := n  total += n
}
invariant adds_up: total == sum(j: Job . held[j])
invariant enough: forall j: Job . held[j] <= 100
"""


def test_what_follows_of_a_sum_needs_what_its_terms_need() -> None:
    found = needed(SUMS)
    assert found["adds_up"] == {"held already"}
    assert found["enough"] >= {"more than there is"}
    for line in SUMS.splitlines():
        if "require" in line and line.split('"')[1] in found["enough"]:
            assert {v.status for n, v in explained(SUMS.replace(line, "")).items()} != {"proved"}, line


LEADS = """
entity Job
enum Stage {{ Open, Taken, Done, Lost }}
state stage : Job -> Stage = Open
state since_ : Job -> Time = 0
state calls : Job -> Int = 0
action open(job: Job) {{
  require stage[job] == Lost       else "not lost"
  stage[job] := Open
}}
action take(job: Job) {{
  require stage[job] == Open       else "taken"
  stage[job] := Taken  since_[job] := now
}}
fair action finish(job: Job) {{
  require stage[job] == Taken      else "not in work"
  require now >= since_[job] + 1h  else "too early"
  stage[job] := Done
}}
action call(job: Job) {{
  require calls[job] < 9           else "too many"
  calls[job] += 1
}}
eventually ends: forall j: Job . stage[j] == Taken leads to stage[j] == Done
"""


def test_of_promises_the_guards_that_keep_order_are_named() -> None:
    text = LEADS.format()
    named = {g.split('"')[1] for g in explained(text)["ends"].guards}
    assert named == {"not lost", "taken"}
    for line in text.splitlines():
        if "require" in line:
            status = explained(text.replace(line, ""))["ends"].status
            assert (status != "proved") is (line.split('"')[1] in named), line


def test_a_guard_that_is_claimed_is_not_taken_out_of_the_claim() -> None:
    text = """
    state open: Bool = false
    state paid: Bool = false
    action enter() { require open else "closed"  require paid else "unpaid" }
    action look() { require open else "closed" }
    action leave() { }
    assert inside on enter: allowed implies open
    assert always on leave: allowed
    assert outside on enter: not open implies denied
    assert seen on look: allowed implies open
    assert late on look: not open and paid implies denied
    """
    assert {n: v.guards for n, v in explained(text).items()} == {
        "inside": ('"closed" of enter',),
        "always": (),
        "outside": ('"closed" of enter',),
        "seen": (),  # with no other guard `allowed` is `open`, and nothing is left to prove
        "late": ('"closed" of look',),
    }
