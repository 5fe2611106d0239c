"""What the enforcer is told about actions: which it may allow when, and which are phases of one effect."""

from __future__ import annotations

import pytest
from checked import check, complaints, failures, program
from shipped import SHIPPED, lockdown_json

from policydsl.core.from_json import from_json
from policydsl.core.system import Phases
from policydsl.core.to_json import to_json
from policydsl.core.well_formed import faults
from policydsl.diagnostics import Diagnostic, Report
from policydsl.load import load
from policydsl.to_text import format_text
from runtime.lockdown import Lockdown, lockdown_system

BASE = """\
entity Bot
entity Call

group Humans of Bot

pattern key = "sk-[a-z]+"

state seen: Bot -> Int = 0
state held: Call -> Int = 0
state paid: Int = 0

action look(principal: Bot) { }
action list(principal: Bot) { require principal in Humans }
action say(principal: Bot, text: String) { }
action mark(principal: Bot) { seen[principal] += 1 }
action join(principal: Bot) { add principal to Humans }
action hold(call: Call, most: Int[1..9]) { require held[call] == 0  held[call] := most }
action settle(call: Call, cost: Int[0..9]) { require cost <= held[call]  held[call] := 0  paid += cost }
action drop(call: Call) { held[call] := 0 }
action lapse(call: Call, most: Int[1..9]) { require held[call] == most  held[call] := 0 }

actions reading = look, list

invariant some: forall b: Bot . seen[b] >= 0 and paid >= 0
"""


def only(text: str) -> Diagnostic:
    """The one thing that is found in `BASE` and `text` together, which need not use all of `BASE`."""
    diagnostics = [d for d in check(BASE + text)[1] if d.code != "W701"]
    assert len(diagnostics) == 1, [(d.code, d.text) for d in diagnostics]
    return diagnostics[0]


def underlined(d: Diagnostic, text: str) -> str:
    return (BASE + text)[d.span.start : d.span.end]


# ---- what comes out


def test_nothing_is_told_where_nothing_is_declared() -> None:
    system = program(BASE).system
    assert (system.fail_open, system.recovery, system.phases) == ((), (), ())


def test_the_core_has_what_is_declared() -> None:
    text = """\
allow reading while unavailable
allow look, mark while locked down
allow join while locked down
two phase call: reserve by hold, commit by settle, abort by drop, expire by lapse
"""
    system = program(BASE + text).system
    assert system.fail_open == ("look", "list")
    assert system.recovery == ("look", "mark", "join")
    assert system.phases == (Phases("call", "hold", "settle", "drop", "lapse"),)
    place = system.phases[0].span
    assert (BASE + text)[place.start : place.end].startswith("two phase call: reserve by hold")
    assert faults(system) == []
    assert from_json(to_json(system)) == system


def test_phases_stand_in_any_order_and_need_no_expiry() -> None:
    system = program(BASE + "two phase call: abort by drop, commit by settle, reserve by hold,\n").system
    assert system.phases == (Phases("call", "hold", "settle", "drop"),)


def test_the_words_are_names_everywhere_else() -> None:
    text = """\
enum while { two, down, locked, unavailable }

state phase : while = two
state commit : Bool = false

actions calls = expire, two, allow, down
actions more  = locked

action two(phase_: Int, allow: Bool) { require allow and phase == two phase := down }
action allow() { require phase == down commit := phase == down phase := locked }
action expire() { require phase == locked phase := unavailable }
action down() { require commit }
action locked() { require phase in {down, locked} }

function reserve(unavailable: while): Bool = unavailable == locked

invariant abort: phase == unavailable implies commit
reachable expire_: reserve(phase)

permit freely on calls, more

allow two, expire while locked down
two phase phase: reserve by two, commit by allow, abort by expire
allow down, locked while unavailable

test "all" {
  down()       expect deny
  two(1, true) expect allow
  allow()      expect allow
  allow()      expect deny
  expire()     expect allow
  locked()     expect deny
  expect phase == unavailable
  down()       expect allow
}
"""
    system = program(text).system
    assert (system.fail_open, system.recovery) == (("down", "locked"), ("two", "expire"))
    assert system.phases == (Phases("phase", "two", "allow", "expire"),)
    assert failures(text) == []
    assert format_text(text) == text


def test_an_import_brings_them_in() -> None:
    files = {
        "a.policy": BASE + "allow look while unavailable\n",
        "b.policy": "import a\n\naction sing() { }\n\nallow sing while unavailable\n",
    }
    report = Report()
    (found,) = load(["b.policy"], files.__getitem__, report)
    assert found.system.fail_open == ("look", "sing")


def test_the_house_layout() -> None:
    written = "allow a,b while   locked down\ntwo phase call:reserve by a ,\ncommit by b,\n     abort by c\n"
    assert format_text(written) == (
        "allow a, b while locked down\ntwo phase call: reserve by a,\n  commit by b,\n     abort by c\n"
    )


# ---- names


@pytest.mark.parametrize("text", ["allow loook while unavailable\n", "allow loook while locked down\n"])
def test_an_action_that_is_not_there(text: str) -> None:
    found = only(text)
    assert (found.code, underlined(found, text)) == ("E106", "loook")
    assert found.text == "`allow` names `loook`, which is not an action"
    assert found.help == "did you mean `look`?"


@pytest.mark.parametrize(
    ("part", "is_"),
    [("reading", "a group of actions and not one action"), ("seen", "a state variable and not one action")],
)
def test_a_phase_that_is_no_action(part: str, is_: str) -> None:
    text = f"two phase call: reserve by hold, commit by settle, abort by {part}\n"
    found = only(text)
    assert (found.code, underlined(found, text)) == ("E106", part)
    assert found.text == f"`two phase call` names `{part}`, which is {is_}"


def test_phases_of_one_name() -> None:
    phases = "two phase call: reserve by {}, commit by {}, abort by {}\n"
    again = "action begin() { paid += 1 }\naction stay() { }\naction end() { paid -= 1 }\n"
    text = phases.format("hold", "settle", "drop") + again + phases.format("begin", "stay", "end")
    found = only(text)
    assert (found.code, underlined(found, text)) == ("E104", "call")


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("allow look, look while unavailable\n", "look", "`look` is allowed twice while unavailable"),
        (
            "allow look while locked down\nallow reading while locked down\n",
            "reading",
            "`look`, one of `reading`, is allowed twice while locked down",
        ),
    ],
)
def test_an_action_that_is_named_twice(text: str, name: str, said: str) -> None:
    found = only(text)
    assert (found.code, found.text, underlined(found, text)) == ("E419", said, name)
    (label,) = found.labels
    assert label.span.start < found.span.start


def test_two_situations_are_two() -> None:
    system = program(BASE + "allow look while locked down\nallow look while unavailable\n").system
    assert (system.fail_open, system.recovery) == (("look",), ("look",))


def test_an_action_in_two_phases() -> None:
    text = "two phase call: reserve by hold, commit by settle, abort by drop, expire by drop\n"
    found = only(text)
    assert (found.code, found.text) == ("E420", "`drop` is in `two phase call` twice")
    text = text.replace(", expire by drop", "")
    text += "action stay(call: Call) { }\naction stop(call: Call) { held[call] := 0 }\n"
    text += "two phase other: reserve by hold, commit by stay, abort by stop\n"
    found = only(text)
    assert (found.code, underlined(found, text)) == ("E420", "hold")
    assert found.text == "`hold` is in `two phase other` and in `two phase call`"


# ---- parts


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ("reserve by hold, commit by settle", ("E026", "call")),
        ("reserve by hold, comit by settle, abort by drop", ("E026", "comit")),
        ("reserve by hold, commit by settle, finish by drop, abort by drop", ("E026", "finish")),
        ("reserve by hold, reserve by hold, commit by settle, abort by drop", ("E023", "reserve by hold")),
    ],
)
def test_parts_are_four_each_written_once(parts: str, found: tuple[str, str]) -> None:
    assert complaints(f"{BASE}two phase call: {parts}\n") == [found]


@pytest.mark.parametrize(
    ("text", "code", "help_"),
    [
        ("allow look while unavailabel\n", "E009", "did you mean `unavailable`?"),
        ("allow look on say when true\n", "E009", "did you mean `permit`?"),
        ("two-phase call: reserve by hold\n", "E001", "write `two phase call: reserve by a, commit by b, abort by c`"),
        ("allow look while locked\n", "E001", ""),
    ],
)
def test_slips(text: str, code: str, help_: str) -> None:
    found = check(BASE + text)[1][0]
    assert (found.code, found.help) == (code, help_)


# ---- types


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("call: Bot", "`call` is `Bot` in `end` and `Call` in `hold`"),
        ("call: Call?", "`call` is `Call?` in `end` and `Call` in `hold`"),
        ("most: Int[1..8]", "`most` is `Int[1..8]` in `end` and `Int[1..9]` in `hold`"),
    ],
)
@pytest.mark.parametrize("part", ["commit", "abort", "expire"])
def test_what_is_shared_has_one_type(part: str, head: str, said: str) -> None:
    actions = {"reserve": "hold", "commit": "settle", "abort": "drop", "expire": "lapse"} | {part: "end"}
    phases = "two phase call: " + ", ".join(f"{p} by {a}" for p, a in actions.items())
    text = f"action end({head}) {{ for each c: Call {{ held[c] := 0 }} }}\n{phases}\n"
    found = only(text)
    assert (found.code, found.text) == ("E421", said)
    assert [(BASE + text)[x.span.start : x.span.end] for x in found.labels] == [
        head,
        "call: Call" if head.startswith("call") else "most: Int[1..9]",
    ]


@pytest.mark.parametrize("part", ["abort", "expire"])
def test_only_a_commit_brings_something_new(part: str) -> None:
    actions = {"reserve": "hold", "commit": "settle", "abort": "drop", "expire": "lapse"} | {part: "end"}
    phases = "two phase call: " + ", ".join(f"{p} by {a}" for p, a in actions.items())
    text = f"action end(call: Call, why: String) {{ held[call] := 0 }}\n{phases}\n"
    found = only(text)
    assert (found.code, found.text) == ("E422", f"`{part}` by `end` needs `why`, which `hold` does not know")


def test_the_time_and_answers_are_no_inputs_of_their_own() -> None:
    rule = "approve late on lapse when held[call] > 5 by human within 10m\n"
    phases = "two phase call: reserve by hold, commit by settle, abort by drop, expire by lapse\n"
    assert len(program(BASE + rule + phases).system.phases) == 1


# ---- only reading

READERS = {
    "mark": ("", "it assigns `seen`", "seen[principal]"),
    "join": ("", "it changes who belongs to `Humans`", "add principal to Humans"),
    "limit": ("limit rate on look to 5 per 1m for each principal\n", "the rule `rate` remembers it", "rate"),
    "many": ("limit rate on look to 500 per 1m for each principal\n", "the rule `rate` remembers it", "rate"),
    "forbid": (
        "forbid leak on say when once within 1h (look by principal)\n",
        "the rule `leak` remembers it",
        "leak",
    ),
    "permit": (
        "permit first on say when once (look by principal)\npermit all on say\n",
        "the rule `first` remembers it",
        "first",
    ),
    "require": (
        "action write(principal: Bot) { require previously (look by principal) }\n",
        "a condition of `write` remembers it",
        "previously (look by principal)",
    ),
    "assume": (
        "assume calm on say: count(look within 1h) < 3\n",
        "a condition of `say` remembers it",
        "",
    ),
    "value": (
        "action write(principal: Bot) { if once (look by principal) { seen[principal] += 1 } }\n",
        "what `write` does remembers it",
        "seen[principal]",
    ),
    "property": (
        "assert quiet on say: allowed implies not once (look by principal)\n",
        "the property `quiet` remembers it",
        "",
    ),
    "state": (
        "forbid past on say when historically paid == 0\n",
        "the rule `past` remembers it",
        "past",
    ),
    "since": (
        "forbid past on say when not (look(principal) since mark(principal))\n",
        "the rule `past` remembers it",
        "past",
    ),
    "approve": ("approve ask on look when true by human within 5m\n", "the rule `ask` asks somebody", "ask"),
    "demand": ("forbid bad on look when paid > 9 then alert(principal)\n", "the rule `bad` demands `alert`", "bad"),
    "redact": (
        'redact keys on say when text contains key replace with "-"\n',
        "the rule `keys` demands `redact`",
        "keys",
    ),
}


@pytest.mark.parametrize("case", READERS)
def test_what_is_allowed_without_state_only_reads(case: str) -> None:
    rule, said, place = READERS[case]
    action = {"mark": "mark", "join": "join", "redact": "say"}.get(case, "look")
    text = f"{rule}allow {action} while unavailable\n"
    before = program(BASE + rule).system
    assert not before.action(action).only_reads
    found = only(text)
    assert (found.code, underlined(found, text)) == ("E418", action)
    assert found.text == f"`{action}` does more than read: {said}"
    (label,) = found.labels
    assert label.text == said
    assert place in (BASE + text)[label.span.start : label.span.end]


def test_every_reason_is_shown() -> None:
    text = (
        "limit rate on reading to 5 per 1m for each principal\n"
        'forbid past on look when paid == 3 because "no" then log(principal), alert(principal)\n'
        "allow reading while unavailable\n"
    )
    found = [d for d in check(BASE + text)[1] if d.code != "W701"]
    assert [(d.code, underlined(d, text)) for d in found] == [("E418", "reading")] * 2
    assert [[x.text for x in d.labels] for d in found] == [
        ["the rule `rate` remembers it"],
        ["the rule `rate` remembers it", "the rule `past` demands `log`", "the rule `past` demands `alert`"],
    ]


def test_the_clock_is_no_state() -> None:
    """Rules that depend on the time do not make those that only read write."""
    system = program(
        BASE + "limit rate on say to 5 per 1m for each principal\nallow reading while unavailable\n"
    ).system
    assert system.timed
    assert system.fail_open == ("look", "list")


def test_what_is_decided_in_a_lockdown_may_write() -> None:
    assert program(BASE + "allow mark, join while locked down\n").system.recovery == ("mark", "join")


# ---- undoing


def test_an_abort_that_undoes_nothing() -> None:
    text = "two phase call: reserve by hold, commit by settle, abort by end\n"
    text = "action end(call: Call) { paid += 1 }\n" + text
    found = only(text)
    assert (found.code, underlined(found, text)) == ("W714", "end")
    assert found.text == "`end` undoes nothing of what `hold` does"
    assert "`held`" in found.help


@pytest.mark.parametrize(("on", "asked"), [("drop", "drop"), ("settle", ""), ("hold", ""), ("lapse", "lapse")])
def test_an_end_that_waits_for_a_person(on: str, asked: str) -> None:
    text = "two phase call: reserve by hold, commit by settle, abort by drop, expire by lapse\n"
    text += f"approve slow on {on} by human within 10m\n"
    found = [d for d in check(BASE + text)[1] if d.code != "W701"]
    assert [(d.code, underlined(d, text)) for d in found] == [("W715", asked)] * bool(asked)


def test_a_reservation_of_nothing() -> None:
    """What is remembered of the past is no reservation: nothing takes it back."""
    text = "limit rate on begin to 5 per 1m\naction begin(call: Call) { }\n"
    text += "two phase call: reserve by begin, commit by look_, abort by drop\naction look_() { }\n"
    found = only(text)
    assert (found.code, underlined(found, text)) == ("W714", "begin")


def test_an_option_that_is_given_back() -> None:
    text = """\
state owner : Call -> Bot? = none

action take(principal: Bot, call: Call) { require owner[call] == none  owner[call] := principal }
action use(call: Call) { require owner[call] != none }
action give(call: Call) { owner[call] := none }

two phase call: reserve by take, commit by use, abort by give
"""
    assert "W714" not in {code for code, _ in complaints(BASE + text)}


# ---- the lockdown that the enforcer itself runs


def test_the_lockdown_that_ships_is_the_one_that_is_proved() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == lockdown_json(), "run `just update`"
    assert faults(lockdown_system()) == []


def test_requests_are_no_state_of_a_lockdown() -> None:
    """So asking whether a request is let through need not be kept."""
    assert lockdown_system().action("request").writes == ()
    assert not lockdown_system().timed


def test_a_fault_locks_whatever_the_clock_says() -> None:
    lockdown = Lockdown(("ann",))
    for now in (1_000, 5, -3):
        assert lockdown.fault(now).effect == "allow"
        assert lockdown.locked
        assert lockdown.lets(recovery=False, now=now - 1).reason == "the enforcer is locked down"
        assert lockdown.lets(recovery=True, now=now - 1).effect == "allow"
        assert lockdown.lift("bob", now).reason == "only an officer"
        assert lockdown.locked
        assert lockdown.lift("ann", now - 2).effect == "allow"
        assert not lockdown.locked
        assert lockdown.lets(recovery=False, now=now).effect == "allow"


def test_officers_lock_and_others_do_not() -> None:
    lockdown = Lockdown(("ann", "eve"))
    assert lockdown.enter("bob", 1).reason == "only an officer"
    assert not lockdown.locked
    assert lockdown.enter("eve", 2).effect == "allow"
    assert lockdown.locked
    again = Lockdown(("ann",))
    again.from_bytes(lockdown.to_bytes())
    assert again.locked
    assert again.lift("eve", 3).reason == "only an officer"
    assert again.lift("ann", 3).effect == "allow"
