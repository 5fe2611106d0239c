"""Lemmas that have to be found, by policies each of which once stayed unknown; a false neighbour of each is refuted."""

from __future__ import annotations

import pytest

from tests.checked import program
from tests.test_verifier import statuses
from verifier.verdict import Unknown
from verifier.verify import Settings, verify

FREEZE = """
entity Person
entity Bot {{ deployer, reserve }}
state frozen_until : Time? = none
action start(principal: Bot) {{
  require {who} else "only the deployer deploys"
  if frozen_until has t {{ require now > t else "freeze" }}
}}
action freeze(principal: Person) {{ frozen_until := now + 2h }}
assert no_start_in_freeze on start: once within {within} freeze implies denied
"""


@pytest.mark.parametrize("who", ["principal == deployer", "principal == deployer or principal == reserve"])
def test_a_lemma_about_nobody_helps_whoever_has_a_name(who: str) -> None:
    assert statuses(FREEZE.format(who=who, within="2h")) == {"no_start_in_freeze": "proved"}


def test_a_lemma_about_nobody_is_not_more_than_is_true() -> None:
    assert statuses(FREEZE.format(who="principal == deployer", within="3h")) == {"no_start_in_freeze": "refuted"}


ROOT = """
entity Bot { root }
state cleared: Bot -> Bool = false
state trusted: Bot -> Bool = false
action clear(principal: Bot, bot: Bot) { require principal == root  cleared[bot] := true }
action trust(principal: Bot, bot: Bot) {
  require principal == root and cleared[bot]
  trusted[bot] := true
}
action forget(principal: Bot, bot: Bot) {
  require principal == root and not trusted[bot]
  cleared[bot] := false
}
step for_good: forall b: Bot . old(trusted[b]) implies trusted[b] and cleared[b]
step for_nothing: forall b: Bot . old(cleared[b]) implies cleared[b]
"""


def test_a_lemma_about_everybody_is_one_about_those_with_names() -> None:
    assert statuses(ROOT) == {"for_good": "proved", "for_nothing": "refuted"}


SEASONS = """
entity Player
entity Season
state score: (Season, Player) -> Int = 0
state season: Season? = none
action open(s: Season) {{ require season == none  season := s }}
action close() {{ season := none }}
action report(p: Player, n: Int[1..100]) {{ require season has s  score[s, p] += n }}
invariant scored: season has s implies forall p: Player . score[s, p] >= {least}
"""


@pytest.mark.parametrize(("least", "status"), [(0, "proved"), (1, "refuted")])
def test_what_is_said_of_one_that_is_read_needs_a_lemma_about_all(least: int, status: str) -> None:
    assert statuses(SEASONS.format(least=least))["scored"] == status


VOTING = """
entity Member
entity Proposal
state open: Proposal -> Bool = false
state decided: Proposal -> Bool = false
action begin(p: Proposal) {{ require not open[p] and not decided[p]  open[p] := true }}
action vote(principal: Member, p: Proposal) {{ require open[p] }}
action close(p: Proposal) {{ require open[p]  open[p] := false  decided[p] := true }}
step held_once: forall p: Proposal . old({before}[p]) implies decided[p] and not open[p]
"""


@pytest.mark.parametrize(("before", "status"), [("decided", "proved"), ("open", "refuted")])
def test_a_lemma_about_one_holds_of_two_that_are_distinguished(before: str, status: str) -> None:
    assert statuses(VOTING.format(before=before)) == {"held_once": status}


QUARANTINE = """
entity Bot
enum Role { Plain, Hunter, Responder }
group Humans of Bot
state role: Bot -> Role = any
state member: Bot -> Bool = false
state members: Int = 0
state alarm: Bot -> Bot? = none
state quarantined: Bot -> Bool = false
state by_human: Bot -> Bool = false
state in_quarantine: Int = 0
action appoint(principal: Bot, bot: Bot, as: Role) { require principal in Humans  role[bot] := as }
action join(bot: Bot) { require not member[bot]  member[bot] := true  members += 1 }
action raise_alarm(principal: Bot, suspect: Bot) {
  require role[principal] == Hunter and principal != suspect
  alarm[suspect] := principal
}
action quarantine(principal: Bot, suspect: Bot) {
  require role[principal] == Responder
  require alarm[suspect] has hunter
  require hunter != principal and member[suspect] and not quarantined[suspect]
  require 3 * (in_quarantine + 1) <= members
  quarantined[suspect] := true
  in_quarantine += 1
}
action confirm(principal: Bot, suspect: Bot) {
  require principal in Humans and quarantined[suspect] and not by_human[suspect]
  by_human[suspect] := true
  in_quarantine -= 1
}
action let_out(principal: Bot, suspect: Bot) {
  require principal in Humans and quarantined[suspect]
  if not by_human[suspect] { in_quarantine -= 1 }
  quarantined[suspect] := false
  by_human[suspect] := false
  alarm[suspect] := none
}
limit alarms on raise_alarm to 10 per 1h for each principal
invariant counted: in_quarantine == count(b: Bot where quarantined[b] and not by_human[b])
"""


def test_a_count_rests_on_what_decides_how_it_changes() -> None:
    system = program(QUARANTINE).system
    (outcome,) = verify(system, Settings(spacer_rlimit=500_000, spacer_rlimit_last=500_000)).outcomes
    assert outcome.status == "proved"


# What is said when none is found.


def test_reasons_speak_of_variables_as_the_policy_does() -> None:
    system = program(FREEZE.format(who="principal == deployer", within="2h")).system
    (outcome,) = verify(system, Settings(spacer_rlimit=1, spacer_rlimit_last=1)).outcomes
    assert isinstance(outcome.verdict, Unknown)
    tracked = "tracking frozen_until, the time, what is remembered of the past: the resource limit was reached"
    assert outcome.verdict.reason.endswith(f"breaks it; {tracked}")


HARD = """
entity Bot
state a: Bot -> Int = 0
state x: Int = 1
state y: Int = 1
action turn(principal: Bot) { x := (3 * x + 2 * y) % 11  y := (x + 5 * y) % 11 }
action go(principal: Bot) { a[principal] := x }
assert never on go: allowed implies not (x == 0 and y == 0)
step grows on go: a[principal] != 0 or y != 0
reachable both: x == 0 and y == 0
"""


def test_unknown_shows_where_induction_fails() -> None:
    """For every kind of property about states and requests, and in the state that no lemma excludes."""
    system = program(HARD).system
    outcomes = verify(system, Settings().within(20_000)).outcomes
    for outcome in outcomes:
        assert isinstance(outcome.verdict, Unknown)
        step = outcome.verdict.cti
        assert step is not None
        assert len(step.steps) == 1
        assert step.steps[0].action == ("turn" if outcome.property.name == "both" else "go")
