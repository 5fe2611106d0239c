"""What the verifier answers, by hand-made policies each of which once was, or could be, answered wrongly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.checked import program
from verifier.verdict import Refuted, Verdict, Witnessed
from verifier.verify import verify


def verdicts(text: str) -> dict[str, Verdict]:
    return {o.property.name: o.verdict for o in verify(program(text).system).outcomes}


def statuses(text: str) -> dict[str, str]:
    return {o.property.name: o.status for o in verify(program(text).system).outcomes}


# Names: solvers have functions, sorts and definitions of their own, some called as policies call theirs.

NAMED = """
entity {sort}
state {scalar}: Int = 0
state {map}: {sort} -> Int = 0
action go(principal: {sort}, n: Int[0..5]) {{
  require {map}[principal] + n <= 10
  {map}[principal] += n
  {scalar} := min(n, {scalar} + n)
}}
invariant kept: forall b: {sort} . {map}[b] <= 10
invariant small: {scalar} <= 5
invariant wrong: forall b: {sort} . {map}[b] <= 9
reachable full: exists b: {sort} . {map}[b] == 10 and {scalar} == 5
"""


@pytest.mark.parametrize(
    ("sort", "scalar", "map_"),
    [
        ("Bot", "act", "select"),
        ("Set", "t0", "store"),
        ("Table", "divisible", "t1"),
        ("Array", "tuple", "exp"),
        ("String_", "concat", "is_int"),
        ("Real", "inv", "x0"),
        ("Relation", "t1", "t0"),
    ],
)
def test_any_name_may_be_given_to_anything(sort: str, scalar: str, map_: str) -> None:
    found = statuses(NAMED.format(sort=sort, scalar=scalar, map=map_))
    assert found == {"kept": "proved", "small": "proved", "wrong": "refuted", "full": "proved"}


def test_an_action_may_be_called_as_an_option() -> None:
    system = program("""
entity Bot
state poll: Bot? = none
state count: Int = 0
action ask(principal: Bot, value: Bot) { poll := principal }
action tell(value: Int[0..3]) { count := value }
invariant nobody: poll == none
reachable three: count == 3 and poll != none
""").system
    system = replace(system, actions=tuple(replace(a, name="poll") if a.name == "tell" else a for a in system.actions))
    nobody, three = (o.verdict for o in verify(system).outcomes)
    assert isinstance(nobody, Refuted)
    assert len(nobody.trace.steps) == 1
    assert isinstance(three, Witnessed)
    assert len(three.trace.steps) == 2


# Quantified conditions inside numbers, keys and comparisons.

INSIDE = """
entity Bot
entity Item
state held: (Item, Bot) -> Bool = false
state worth: Item -> Int = 0
state top: Int = 0
action take(principal: Bot, item: Item, n: Int[0..5]) {{
  held[item, principal] := true
  worth[item] := n
}}
action raise_(n: Int[0..1]) {{ top := min(top + n, 3) }}
invariant helper: top <= 3
{property}
"""


NESTED = "(if (exists b: Bot . held[i, b]) then 5 else 0)"


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        (f"invariant p: forall i: Item . worth[i] <= {NESTED}", ""),
        ("invariant p: forall i: Item . worth[i] <= (if (exists b: Bot . held[i, b]) then 4 else 0)", "refuted"),
        # True because there are infinitely many bots, which only the interpreter knows.
        ("invariant p: forall i: Item . worth[i] <= (if (forall b: Bot . held[i, b]) then 0 else 5)", ""),
        (f"invariant p: top <= (if (exists i: Item . worth[i] <= {NESTED}) then 3 else 2)", ""),
        (f"invariant p: top <= (if (exists i: Item . 0 < {NESTED}) then 3 else 2)", "refuted"),
        (f"invariant p: top <= (if (forall i: Item . 0 < {NESTED}) then 0 else 3)", ""),
        (f"invariant p: top <= (if (forall i: Item . 0 < {NESTED}) then 4 else 3)", "proved"),
        (f"reachable p: exists i: Item . worth[i] + 1 == {NESTED}", "proved"),
    ],
)
def test_a_quantified_condition_may_stand_anywhere(claim: str, status: str) -> None:
    found = statuses(INSIDE.format(property=claim))["p"]
    assert found == status if status else found in ("proved", "unknown")


def test_more_cases_than_are_worth_it_are_left_out() -> None:
    many = " + ".join(f"(if (exists b: Bot . held[i, b] and worth[i] > {n}) then 1 else 0)" for n in range(9))
    text = INSIDE.format(property=f"invariant p: forall i: Item . 0 <= {many}\ninvariant q: top <= 3")
    assert statuses(text)["q"] == "proved"
    assert statuses(text)["p"] in ("proved", "unknown")


WAITS = """
param PATIENCE: Duration[1h..48h] = 4h
state pause: Duration[0s..2h] = 5m
action wait(time: Duration[1m..{longest}]) {{ pause := time }}
invariant never_long: pause <= 2h
invariant patient: pause <= PATIENCE
reachable longest: pause == 1h
"""


@pytest.mark.parametrize(("longest", "status"), [("1h", "proved"), ("7_200_001ms", "refuted")])
def test_ranges_of_durations_are_proved_and_assumed(longest: str, status: str) -> None:
    claims = ("range_of_pause", "never_long", "patient")
    assert statuses(WAITS.format(longest=longest)) == {**dict.fromkeys(claims, status), "longest": "proved"}


# The bounded search must find what there is to find: what it misses is called unknown, or never to matter.


def test_parameters_of_every_type_are_chosen_by_the_search() -> None:
    found = verdicts("""
enum Mode { A, B, C }
param mode: Mode = A
param domain: String = "x"
param on: Bool = true
state n: Int = 0
state last: String = "q"
action go(text: String) {
  require text == domain or mode == B
  last := text
  n := if mode == C then 5 else n + 1
}
action stop() { require not on  n := 9 }
invariant known: last == domain or last == "q" or mode == B
invariant domain_only: last == domain or last == "q"
invariant low: n <= 4
invariant words: last matches "[a-z]*"
invariant never: n <= 8
invariant modes: mode == A or mode == B or mode == C
reachable hello: last == "hello"
reachable six: mode == C and n == 6
""")
    assert {n: type(v).__name__ for n, v in found.items()} == {
        "known": "Proved",
        "domain_only": "Refuted",
        "low": "Refuted",
        "words": "Refuted",
        "never": "Refuted",
        "modes": "Proved",
        "hello": "Witnessed",
        "six": "Proved",
    }
    assert all(len(v.trace.steps) == 1 for v in found.values() if isinstance(v, Refuted))


NAMED_ONES = """
entity Bot { root, guest }
state m: Bot -> Int = 0
state boss: Bot -> Bot = root
action pay(principal: Bot) { require boss[guest] == root  m[root] += 1 }
action rise(principal: Bot) {
  require exists b: Bot . b != root and m[b] == 0
  require forall b: Bot . b == root or m[b] <= 0
  boss[guest] := principal
}
"""


@pytest.mark.parametrize(
    ("claim", "steps"),
    [
        ("invariant p: m[root] <= 1", 2),
        ("invariant p: forall b: Bot . b == root or m[root] <= 1", 2),
        ("invariant p: boss[guest] != guest", 1),
        ("invariant p: forall b: Bot . b == guest or boss[guest] != b or m[root] == 0", 1),
        ("reachable p: exists b: Bot . boss[guest] == b and b != root and b != guest", 1),
    ],
)
def test_named_individuals_are_found_by_the_search(claim: str, steps: int) -> None:
    found = verdicts(NAMED_ONES + claim)["p"]
    assert isinstance(found, Refuted | Witnessed)
    assert len(found.trace.steps) == steps


def test_a_free_string_that_nothing_reads_does_no_harm() -> None:
    found = statuses("""
entity Bot
state note: Bot -> String = any
state last: String = any
state n: Int = 0
action go() { n := min(n + 1, 2) }
invariant low: n <= 2
""")
    assert found == {"low": "proved"}


def test_a_string_unlike_all_literals_is_found() -> None:
    found = verdicts("""
state last: String = "b"
action go(text: String) { require text ends with "b" and text != "a"  last := text }
invariant one: last == "b"
invariant two: last == "b" or last == "1b" or last == "bb" or last matches "[^b]*b.+"
""")
    assert all(isinstance(v, Refuted) and len(v.trace.steps) == 1 for v in found.values())


def test_two_strings_that_differ_stay_different() -> None:
    found = verdicts("""
param domain: String = "x"
state last: String = ""
state first: String = ""
action go(text: String, other: String) {
  require text != other and text != domain and other != domain
  last := text
  first := other
}
invariant same: last == "" or first == domain
""")
    assert isinstance(found["same"], Refuted)


def test_the_search_knows_which_strings_there_are() -> None:
    found = verdicts("""
pattern key = "k-[a-c]+"
state last: String = ""
state leaks: Int = 0
action say(text: String) {
  last := text
  if text like "*k-a*" { leaks := min(leaks + 1, 2) }
}
invariant dry: leaks == 0
invariant clean: not (last contains key)
invariant exact: not (last matches key) or last ends with "b" or last like "??"
invariant both: not (last like "a*" and last ends with "b" and last like "??")
""")
    assert {n: len(v.trace.steps) for n, v in found.items() if isinstance(v, Refuted)} == dict.fromkeys(found, 1)


def test_everybody_else_may_start_differently() -> None:
    found = verdicts("""
entity Bot { root }
entity Item { thing }
state owner: Item -> Bot = any
state bal: Bot -> Int = any
state other: Bot -> Int = any
state n: Int = 0
state m: Int = 0
action a(principal: Bot) { require forall i: Item . owner[i] != principal   n := 1 }
action b(principal: Bot) { require forall b: Bot . other[b] == 2 require sum(b: Bot . bal[b]) == 3  m := 1 }
invariant nobodys: forall i: Item . owner[i] != root
invariant never_a: n == 0
invariant never_b: m == 0
invariant small: sum(b: Bot . bal[b]) <= 5
""")
    lengths = {n: len(v.trace.steps) for n, v in found.items() if isinstance(v, Refuted)}
    assert lengths == {"nobodys": 0, "never_a": 1, "never_b": 1, "small": 0}
