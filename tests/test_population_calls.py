"""What callers of a population hand in and get back, and what they are told when it does not fit."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from policydsl.core.expr import Op
from policydsl.core.system import System
from runtime.columns import words
from runtime.population import EFFECTS, Population, UnsupportedError
from runtime.population_bounds import BOUNDS
from runtime.population_code import COLUMN
from tests.checked import program

TEXT = """
entity Bot { root }
entity Skill
entity Link
enum Level { Low, Middle, High }
group Humans of Bot
param MOST : Int[1..9] = 3
state level : Bot -> Level = Low
state boss : Bot -> Bot? = none
state trust : (Bot, Skill) -> Int = 0
state uses : Int = 0
state blocked : Link -> Bool = false
action send(principal: Bot, skill: Skill, link: Link?, text: String) {
  require trust[principal, skill] >= 0 else "not trusted"
  uses += 1
  if text == "magic" { uses += 1 }
}
action rate(principal: Bot, skill: Skill, by: Int[0..5]) {
  require principal in Humans or principal == root else "not a human"
  trust[principal, skill] += by
}
action promote(principal: Bot, who: Bot, to: Level) { level[who] := to boss[who] := principal }
action install(principal: Bot, skill: Skill) {}
action tick() {}
forbid links on send when link has target and blocked[target] because "blocked"
forbid phishing on send when text like "*bit.ly*" because "phishing"
forbid many on send when uses >= MOST
approve risky on install when trust[principal, skill] < 1 by human within 1h
"""


@pytest.fixture
def p() -> Population:
    return made()


def made(**more: Any) -> Population:
    return Population(program(TEXT).system, sizes={"Bot": 40, "Skill": 3, "Link": 5}, **more)


def sent(p: Population, **more: Any) -> Any:
    rows = {"principal": np.arange(30), "skill": 1, "link": -1, "text": "hello", **more}
    return p.step("send", 5, rows)


def test_every_operator_has_a_row() -> None:
    assert COLUMN.keys() == set(Op)
    made_of_numbers = {Op.ADD, Op.SUB, Op.MUL, Op.DIV, Op.MOD, Op.MIN, Op.MAX, Op.ITE}
    assert BOUNDS.keys() == made_of_numbers


def test_arrays_and_plain_values(p: Population) -> None:
    found = sent(p)
    assert found.guard.tolist() == [-1] * 3 + [4] * 27
    assert found.effects.dtype == np.uint8
    assert found.guard.dtype == np.int16
    assert found.allowed.tolist() == [True] * 3 + [False] * 27
    assert len(found) == 30
    assert p.state["uses"].tolist() == 3
    assert p.reason("send", 4) == p.reason("send", int(found.guard[5]))
    assert p.rules("send", 4) == ("many",)
    assert (p.reason("send", -1), p.rules("send", -1)) == ("", ())


def test_optional_individuals_are_one_column(p: Population) -> None:
    p = made(start={"blocked": np.array([False, True, False, False, False])})
    link = np.arange(30) % 6 - 1
    rows = {"principal": np.arange(30), "skill": 1, "text": "x"}
    for given in ({"link": link}, {"link.has": link >= 0, "link.value": link}):
        found = p.step("send", 5, {**rows, **given})
        assert [p.reason("send", g) for g in found.guard[link == 1]] == ["blocked"] * 5
        assert not any(p.reason("send", g) == "blocked" for g in found.guard[link != 1])
    assert p.reason("send", p.one("send", 5, {"principal": 0, "skill": 1, "link": 1, "text": "x"})[1]) == "blocked"
    assert p.one("send", 5, {"principal": 0, "skill": 1, "link": -1, "text": "x"})[1] == 4


def test_texts_are_words(p: Population) -> None:
    texts = words(["hi", "see bit.ly/x"] * 15, 30)
    found = sent(p, text=texts)
    assert [p.rules("send", g) for g in found.guard[:8].tolist()] == [(), ("phishing",)] * 3 + [
        ("many",),
        ("phishing",),
    ]
    assert p.rules("send", p.one("send", 5, {"principal": 0, "skill": 1, "link": -1, "text": "a bit.ly"})[1]) == (
        "phishing",
    )
    assert p.rules("send", int(sent(p, text="a bit.ly").guard[0])) == ("phishing",)


def test_people_are_asked(p: Population) -> None:
    rows = {"principal": np.arange(30), "skill": 0}
    assert [EFFECTS[e].value for e in p.step("install", 5, rows).effects] == ["pending"] * 30
    answered = {**rows, "approved_risky": np.arange(30) < 10, "asked_risky": 1}
    assert [EFFECTS[e].value for e in p.step("install", 5, answered).effects] == ["allow"] * 10 + ["pending"] * 20


def test_no_rows_one_row_and_no_inputs(p: Population) -> None:
    none = np.zeros(0, np.int64)
    assert len(p.step("install", 5, {"principal": none, "skill": none})) == 0
    assert len(p.step("rate", 5, {"principal": none, "skill": 1, "by": none})) == 0
    assert p.step("tick", 6).guard.tolist() == [-1]
    assert p.one("tick", 5) == (1, 0)
    assert p.reason("tick", 0) == "the clock went back"
    assert p.step("rate", 6, {"principal": np.array([0]), "skill": 1, "by": 2}).allowed.tolist() == [True]


def test_state_as_callers_know_it(p: Population) -> None:
    rows = {"principal": np.arange(30), "who": np.arange(30)[::-1], "to": np.arange(30) % 3}
    p.step("promote", 1, rows)
    assert p.state["level"].tolist() == [(29 - i) % 3 for i in range(30)] + [0] * 10
    assert p.state["boss.value"].tolist() == [*range(29, -1, -1)] + [-1] * 10
    assert p.state["boss.has"].dtype == np.bool_
    assert p.state["trust"].shape == (40, 3)
    assert p.state["uses"].shape == ()
    with pytest.raises(ValueError, match="read-only"):
        p.state["trust"][0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        p.state["uses"][...] = 1
    assert set(p.state) >= {"level", "boss.has", "trust", "uses", "clock"}
    assert len(p.state) == len(p.system.state)
    p.grow("Bot", 100)
    assert p.size("Bot") == 100
    assert p.state["boss.value"].tolist() == [*range(29, -1, -1)] + [-1] * 70
    assert p.state["trust"].shape == (100, 3)


def test_named_individuals_come_first(p: Population) -> None:
    allowed = p.step("rate", 0, {"principal": np.arange(30), "skill": 0, "by": 1}).allowed
    assert allowed.tolist() == [True] + [False] * 29
    assert {keys for name, keys, value in p.rows() if name == "trust" and value == 1} == {("root", "#0")}


def test_a_start(p: Population) -> None:
    arrays = {
        "Humans": np.arange(40) < 2,
        "level": {"root": "High", 3: 1},
        "trust": {(1, 2): 70_000, ("root", 0): -1},
        "boss.value": {5: 0, 6: "root", 7: -1},
        "uses": 2,
    }
    p = made(start=arrays, params={"MOST": 5})
    assert p.state["level"].tolist()[:5] == [2, 0, 0, 1, 0]
    assert p.state["trust"][1].tolist() == [0, 0, 70_000]
    assert p.state["trust"][0].tolist() == [-1, 0, 0]
    assert p.state["boss.value"].tolist()[4:9] == [-1, 0, 0, -1, -1]
    assert (
        p.step("rate", 0, {"principal": np.arange(30), "skill": 0, "by": 1}).allowed.tolist()
        == [True] * 2 + [False] * 28
    )
    assert sent(p).allowed.sum() == 3


WRONG = {
    "a number that nobody has": {"principal": np.arange(30) + 11},
    "nobody at all": {"principal": np.full(30, -2)},
    "a plain number that nobody has": {"skill": 3},
    "numbers for a text": {"text": np.arange(30)},
    "a text for a number": {"skill": "root"},
    "words for individuals": {"principal": words(["a"] * 30, 30)},
    "floats": {"principal": np.arange(30) * 1.0},
    "a truth": {"skill": True},
    "other lengths": {"skill": np.zeros(29, np.int64)},
    "a table": {"skill": np.zeros((30, 1), np.int64)},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(name: str, p: Population) -> None:
    with pytest.raises(ValueError, match=r"type|there is|rows|row"):
        sent(p, **WRONG[name])
    assert p.state["uses"] == 0


def test_inputs_that_are_missing_or_unknown(p: Population) -> None:
    with pytest.raises(KeyError, match="text"):
        p.step("send", 0, {"principal": 1, "skill": 1, "link": 0})
    with pytest.raises(KeyError, match="odd"):
        p.step("tick", 0, {"odd": 1})
    with pytest.raises(KeyError, match="fly"):
        p.step("fly", 0, {})
    with pytest.raises(KeyError, match="now"):
        p.step("tick", 0, {"now": 1})
    with pytest.raises(ValueError, match="columns"):
        p.one("install", 0, {"principal": np.arange(3), "skill": 1})
    with pytest.raises(ValueError, match="time"):
        p.step("tick", True)
    with pytest.raises(OverflowError, match="time"):
        p.step("tick", 2**60)
    with pytest.raises(OverflowError, match="by"):
        p.step("rate", 0, {"principal": 0, "skill": 0, "by": 2**60})


def test_sizes_and_starts_that_do_not_fit() -> None:
    system = program(TEXT).system
    with pytest.raises(ValueError, match="Dog"):
        Population(system, sizes={"Dog": 1})
    with pytest.raises(ValueError, match="named"):
        Population(system, sizes={"Bot": 0})
    assert Population(system).size("Bot") == 1
    assert Population(system).size("Skill") == 0
    for start in (
        {"level": np.array([3] * 40)},
        {"Humans": np.arange(40)},
        {"boss.value": {0: 40}},
        {"uses": 1.5},
        {"level": "Top"},
    ):
        with pytest.raises(ValueError, match="does not hold"):
            made(start=start)
    for start in ({"Humans": {40: True}}, {"Humans": {"#40": True}}, {"boss.value": "#40"}, {"uses": {}}):
        with pytest.raises(ValueError, match="there is no") if start != {"uses": {}} else nullcontext():
            made(start=start)
    with pytest.raises(ValueError, match="shape"):
        made(start={"level": np.zeros(39, np.int64)})
    with pytest.raises(KeyError):
        made(start={"odd": 1})
    with pytest.raises(OverflowError):
        made(start={"uses": 2**53 + 1})


def test_other_parameters(p: Population) -> None:
    sent(p)
    p.choose({"MOST": 5})
    assert sent(p).allowed.sum() == 2
    p.choose({})
    assert sent(p).allowed.sum() == 0
    with pytest.raises(ValueError, match="MOST"):
        p.choose({"MOST": 10})
    assert Population(p.system, sizes={"Bot": 3}, params={"MOST": 9}).cells.params == {"MOST": 9}
    assert p.cells.params == {"MOST": 3}


def test_growing_and_loading_what_does_not_fit(p: Population) -> None:
    with pytest.raises(ValueError, match="already"):
        p.grow("Bot", 39)
    with pytest.raises(KeyError):
        p.grow("Dog", 3)
    with pytest.raises(KeyError):
        p.load({"level": np.zeros(3)})


def test_policies_that_are_not_taken() -> None:
    texts = program(
        'entity Bot state note : Bot -> String = "" action set(principal: Bot, t: String) { note[principal] := t }'
    )
    with pytest.raises(UnsupportedError, match="`note`"):
        Population(texts.system, sizes={"Bot": 3})


def test_tables_stay_narrow() -> None:
    found = program("""
entity Bot
entity Proposal
enum Ballot { None, Yes, No }
state ballot : (Proposal, Bot) -> Ballot = None
state counted : (Proposal, Bot) -> Int = 0
state weight : (Proposal, Bot) -> Int = 0
state worth : Bot -> Int = 1_000
action vote(principal: Bot, proposal: Proposal) {
  require ballot[proposal, principal] == None else "voted"
  ballot[proposal, principal] := Yes
  counted[proposal, principal] += 1
  weight[proposal, principal] := worth[principal]
}
""").system
    p = Population(found, sizes={"Bot": 300, "Proposal": 20})
    for i in range(20):
        p.step("vote", 0, {"principal": np.arange(300), "proposal": i})
    assert {n: p.state[n].dtype.itemsize for n in ("ballot", "counted", "weight")} == {
        "ballot": 1,
        "counted": 1,
        "weight": 2,
    }
    assert p.state["weight"].min() == 1_000


def test_a_sum_of_a_start_is_what_its_terms_say() -> None:
    text = """
entity Bot
state held : Bot -> Int = 0
state total : Int = any
action give(principal: Bot, n: Int[0..5]) { held[principal] += n }
invariant counted: sum(b: Bot where true . held[b]) >= 0
"""
    system: System = program(text).system
    (s,) = system.sums
    p = Population(system, sizes={"Bot": 1000}, start={"held": np.full(1000, 200), s.var: 5})
    assert p.state[s.var] == 200_000
    p.step("give", 0, {"principal": np.arange(1000), "n": 2})
    assert p.state[s.var] == 202_000
