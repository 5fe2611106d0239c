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
