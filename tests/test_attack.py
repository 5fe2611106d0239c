"""What should not be believed is not: certificates that claim too much, and policies made to be misunderstood."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from policydsl.core.expr import TRUE, Apply, Op, Ref, Space, conj, disj, forall, implies, le, number, select
from policydsl.core.system import System
from policydsl.core.to_json import digest, to_data
from policydsl.core.types import BOOL, EntityType, MapType
from tests.checked import complaints, failures, program
from verifier.certificate import Certificate, CertificateError, certificate, read, text_digest
from verifier.claims import claims, hoisted
from verifier.finitely import finitely_many
from verifier.induction import entails_obligation, init_obligation, step_obligation
from verifier.recheck import recheck, remarks
from verifier.to_smt import symbol
from verifier.verdict import Outcome, Proved, Refuted, Unknown, Verification
from verifier.verify import Proof, Settings, verify, verify_with_proofs

POLICY = """
entity Bot
entity Job
enum Stage { Open, Taken, Done }
param MOST: Int[1..9] = 3
state stage: Job -> Stage = Open
state paid: Job -> Int = 0
state balance: Bot -> Int = 0
state minted: Int = 0
state other: Int = 0
action take(principal: Bot, job: Job) { require stage[job] == Open  stage[job] := Taken }
action finish(principal: Bot, job: Job) {
  require stage[job] == Taken
  stage[job] := Done
  paid[job] += 10
}
action mint(principal: Bot, n: Int[0..5]) { balance[principal] += n  minted += n }
action pay(principal: Bot, to: Bot, n: Int[0..5]) {
  require balance[principal] >= n
  balance[principal] -= n
  balance[to] += n
}
fair action age(job: Job) { require stage[job] == Taken and paid[job] <= 10  stage[job] := Done }
action count() { require other < MOST  other := other + 1 }
invariant paid_once: forall j: Job . paid[j] <= 10
invariant in_debt: forall b: Bot . balance[b] > -1
invariant kept: sum(b: Bot . balance[b]) == minted
invariant part: forall b: Bot . balance[b] <= minted
invariant few: other <= MOST
assert one_time on finish: stage[job] == Done implies denied
step grows: minted >= old(minted)
reachable done: exists j: Job . paid[j] == 10
reachable twice: exists j: Job . paid[j] == 20
invariant wrong: minted <= 3
eventually ends: forall j: Job . stage[j] == Taken leads to stage[j] == Done
eventually begins: forall j: Job . stage[j] == Open leads to stage[j] == Done
"""


@cache
def system() -> System:
    return program(POLICY).system


@cache
def written() -> str:
    return certificate(system(), *verify_with_proofs(system())).model_dump_json()


def fresh() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written())
    return found


def faults(data: dict[str, Any]) -> list[str]:
    return [f"{r.property}: {r.fault}" for r in recheck(read(json.dumps(data))) if r.fault]


def record(data: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in data["properties"] if p["name"] == name)
    return found


def retext(obligation: dict[str, Any], text: str) -> None:
    obligation["smtlib"], obligation["sha256"] = text, text_digest(text)


def signed(data: dict[str, Any], core: System) -> None:
    data["core"], data["digest"], data["system"] = to_data(core), digest(core), core.name


def test_a_certificate_is_confirmed_and_says_what_it_leaves_open() -> None:
    assert faults(fresh()) == []
    assert {p["name"]: p["verdict"] for p in fresh()["properties"]} == {
        "paid_once": "proved",
        "in_debt": "proved",
        "kept": "proved",
        "part": "proved",
        "few": "proved",
        "one_time": "proved",
        "grows": "proved",
        "done": "proved",
        "twice": "refuted",
        "wrong": "refuted",
        "ends": "proved",
        "begins": "unknown",
    }
    assert record(fresh(), "paid_once")["lemmas"], "a lemma was found"
    assert fresh()["facts"], "a fact about the sum was needed"
    assert remarks(read(written())) == ["unknown: begins"]


# Each takes a certificate, with all digests as they should be, and claims more than was discharged.

Tamper = Callable[[dict[str, Any]], None]


def trivial(data: dict[str, Any]) -> None:
    retext(record(data, "few")["obligations"][-1], "(set-logic QF_UFLIA)\n(assert false)\n")


def trivial_of_a_run(data: dict[str, Any]) -> None:
    for o in record(data, "ends")["obligations"]:
        retext(o, "(set-logic QF_UFLIA)\n(assert false)\n")


def weakened_text(data: dict[str, Any]) -> None:
    o = record(data, "kept")["obligations"][-1]
    retext(o, o["smtlib"] + "(assert false)\n")


def dropped_step(data: dict[str, Any]) -> None:
    obligations = record(data, "few")["obligations"]
    obligations[:] = [o for o in obligations if o["rule"] != "kept"]


def dropped_start(data: dict[str, Any]) -> None:
    obligations = record(data, "few")["obligations"]
    obligations[:] = [o for o in obligations if o["rule"] != "initially"]


def dropped_obligations(data: dict[str, Any]) -> None:
    record(data, "part")["obligations"] = []


def dropped_facts(data: dict[str, Any]) -> None:
    data["facts"] = []


def dropped_of_a_run(data: dict[str, Any]) -> None:
    record(data, "ends")["obligations"].pop()


def dropped_assumptions(data: dict[str, Any]) -> None:
    record(data, "ends")["assumptions"] = []


def added_assumptions(data: dict[str, Any]) -> None:
    record(data, "few")["assumptions"] = ["the moon is full"]


def other_lemma(data: dict[str, Any]) -> None:
    record(data, "paid_once")["lemmas"] = ["nobody is ever paid"]


def weaker_formulas(data: dict[str, Any]) -> None:
    """Goals, lemmas and hypotheses that are all trivial, with obligations that are made just so."""
    names = [p["name"] for p in data["formulas"]["system"]["properties"]]
    core = replace(system(), actions=(), sums=())
    plain = [replace(system().claim("few"), name=n, expr=le(number(0), number(1))) for n in names]
    data["formulas"] = to_data(replace(core, properties=tuple(plain)))
    for r in (*data["properties"], *data["facts"]):
        for o in r["obligations"]:
            if o["rule"] == "initially":
                retext(o, init_obligation(system(), "", TRUE).text)
            elif o["rule"]:
                retext(o, entails_obligation(system(), "", [TRUE] * len(o["given"]), TRUE).text)


def stronger_guard(data: dict[str, Any]) -> None:
    """A core in which nobody counts, so that its texts would be others."""
    actions = tuple(replace(a, guards=()) if a.name == "count" else a for a in system().actions)
    signed(data, replace(system(), actions=actions))


def unkept_sum(data: dict[str, Any]) -> None:
    """A core in which what is called a sum does not follow what it is the sum of."""
    [s] = system().sums
    plain = tuple(replace(a, writes=tuple(w for w in a.writes if w.var != s.var)) for a in system().actions)
    signed(data, replace(system(), actions=plain))


def other_claim(data: dict[str, Any]) -> None:
    """A core that claims more than the obligations are about."""
    claims = tuple(replace(p, expr=le(number(1), number(0))) if p.name == "few" else p for p in system().properties)
    signed(data, replace(system(), properties=claims))


def one_name_twice(data: dict[str, Any]) -> None:
    signed(data, replace(system(), properties=(*system().properties, system().claim("few"))))


def bound_twice(data: dict[str, Any]) -> None:
    b, claim = Ref("b#1", EntityType("Bot"), Space.BOUND), system().claim("few")
    own = le(number(0), select(system().variable("balance").ref, b))
    inside = Apply(Op.FORALL, (b, disj(own, Apply(Op.FORALL, (b, own), BOOL))), BOOL)
    signed(data, replace(system(), properties=(*system().properties, replace(claim, name="bound", expr=inside))))


def digest_of_another(data: dict[str, Any]) -> None:
    data["digest"] = "0" * 64


def called_reachable(data: dict[str, Any]) -> None:
    record(data, "wrong").update(kind="reachable", verdict="proved", trace=None)


def called_proved(data: dict[str, Any]) -> None:
    record(data, "wrong").update(verdict="proved", trace=None)


def called_proved_by_its_run(data: dict[str, Any]) -> None:
    record(data, "wrong")["verdict"] = "proved"


def called_proved_by_another(data: dict[str, Any]) -> None:
    record(data, "wrong").update(verdict="proved", trace=None, obligations=record(data, "few")["obligations"])


def called_refuted(data: dict[str, Any]) -> None:
    record(data, "few").update(verdict="refuted")


def unknown_of_a_run_called_proved(data: dict[str, Any]) -> None:
    ends = record(data, "ends")
    record(data, "begins").update({k: ends[k] for k in ("verdict", "how", "uses", "assumptions", "obligations")})


def other_run(data: dict[str, Any]) -> None:
    record(data, "wrong")["trace"] = record(data, "done")["trace"]


def longer_run(data: dict[str, Any]) -> None:
    steps = record(data, "done")["trace"]["steps"]
    steps.append(steps[-1])


def run_from_elsewhere(data: dict[str, Any]) -> None:
    record(data, "wrong")["trace"].update(start=[{"var": "minted", "keys": [], "value": 9}], steps=[])


def twice_in_it(data: dict[str, Any]) -> None:
    data["properties"].append(record(data, "few"))


def invented(data: dict[str, Any]) -> None:
    data["properties"].append({**record(data, "few"), "name": "invented"})


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (trivial, "few: the text is not the one that the core gives"),
        (trivial_of_a_run, "ends: the argument is not found again with what is discharged"),
        (weakened_text, "kept: the text is not the one that the core gives"),
        (dropped_step, "few: does not follow from what is discharged"),
        (dropped_start, "few: does not follow from what is discharged"),
        (dropped_obligations, "part: does not follow from what is discharged"),
        (dropped_facts, "part: does not follow from what is discharged"),
        (dropped_of_a_run, "ends: the argument is not found again with what is discharged"),
        (dropped_assumptions, "ends: rests on other assumptions: `age` happens if it stays possible"),
        (added_assumptions, "few: states assumptions that are none of the proof's"),
        (other_lemma, "paid_once: states the lemma `nobody is ever paid`, which is not discharged"),
        (weaker_formulas, "few: does not follow from what is discharged"),
        (stronger_guard, "few: the text is not the one that the core gives"),
        (unkept_sum, "core: `mint` does not keep the sum `sum:balance`"),
        (other_claim, "few: does not follow from what is discharged"),
        (one_name_twice, "core: property `few` is declared twice"),
        (bound_twice, "core: `b#1` is bound again where it is bound already"),
        (digest_of_another, "core: the core does not match its digest"),
        (called_reachable, "core: the core has no reachable `wrong`"),
        (called_proved, "wrong: does not follow from what is discharged"),
        (called_proved_by_its_run, "wrong: a run does not show that it is proved"),
        (called_proved_by_another, "wrong: does not follow from what is discharged"),
        (called_refuted, "few: is called refuted without a run"),
        (unknown_of_a_run_called_proved, "begins: the argument is not found again with what is discharged"),
        (other_run, "wrong: its run does not show it"),
        (longer_run, "done: its run: step 3: finish(alice, j1): recorded allow, now deny: "),
        (run_from_elsewhere, "wrong: its run: `minted` starts with 9"),
        (twice_in_it, "core: `few` stands in it twice"),
        (invented, "core: the core has no invariant `invented`"),
    ],
)
def test_a_certificate_that_claims_more_is_not_confirmed(tamper: Tamper, said: str) -> None:
    data = fresh()
    tamper(data)
    found = faults(data)
    assert any(f.startswith(said) for f in found), found


def test_formulas_that_follow_from_each_other_are_not_established() -> None:
    found = program("state x: Int = 0\naction up() { x := x + 1 }\ninvariant a: x <= 3\ninvariant b: x < 4\n").system
    a, b = (found.claim(n).expr for n in "ab")
    circle = {
        "a": Proof("", (entails_obligation(found, "a", [b], a),)),
        "b": Proof("", (entails_obligation(found, "b", [a], b),)),
    }
    outcomes = tuple(Outcome(p, Proved("")) for p in found.properties)
    said = recheck(certificate(found, Verification(found.name, digest(found), outcomes), circle))
    wrong = "does not follow from what is discharged"
    assert [(r.property, r.fault) for r in said if r.fault] == [("a", wrong), ("b", wrong)]


def test_steps_that_rest_on_each_other_are_induction() -> None:
    text = """
state x: Int = 0
state y: Int = 0
action go() { x := y  y := x }
invariant a: x == 0
invariant b: y == 0
"""
    found = program(text).system
    a, b = (found.claim(n).expr for n in "ab")
    steps = {"a": step_obligation(found, "", a, [b]), "b": step_obligation(found, "", b, [a])}
    proofs = {
        n: Proof("", (init_obligation(found, "", e), s)) for n, e in (("a", a), ("b", b)) if (s := steps[n]) is not None
    }
    outcomes = tuple(Outcome(p, Proved("")) for p in found.properties)
    whole = certificate(found, Verification(found.name, digest(found), outcomes), proofs)
    assert [r for r in recheck(whole) if r.fault] == []
    half = whole.model_copy(update={"properties": whole.properties[:1]})
    assert [r.fault for r in recheck(half) if r.fault] == ["does not follow from what is discharged"]


def test_induction_is_not_about_requests() -> None:
    """`x <= n` is kept by a step whose own `n` is the one that is spoken of, and by no other."""
    text = "state x: Int = 0\naction set(n: Int[0..9]) { x := n }\nassert a on set: x <= n\n"
    found = program(text).system
    [claim] = claims(found, found.claim("a"))
    step = step_obligation(found, "", claim.formula, [])
    assert step is not None
    proofs = {"a": Proof("", (init_obligation(found, "", claim.formula), step))}
    outcomes = (Outcome(found.claim("a"), Proved("")),)
    said = recheck(certificate(found, Verification(found.name, digest(found), outcomes), proofs))
    assert {r.fault for r in said if r.fault} >= {"does not follow from what is discharged"}


def test_a_certificate_of_parts_is_confirmed() -> None:
    text = """
param MOST: Int[1..3] = 2
state a: Int = 0
state b: Int = 0
state opened: Int = 0
action up() { require a < MOST  a := a + 1 }
action down() { require b > 0 - MOST  b := b - 1 }
action open() { require once within 5ms up()  opened := 1 }
invariant upper: a <= MOST
invariant lower: b >= 0 - MOST
assert early on open: opened == 1 implies not pending
step same: old(b) >= b
"""
    found = program(text).system
    verification, proofs = verify_with_proofs(found)
    assert [o.status for o in verification.outcomes] == ["proved"] * 4
    assert [r for r in recheck(certificate(found, verification, proofs)) if r.fault] == []


def test_only_some_properties_rest_on_others_that_the_certificate_has() -> None:
    found = certificate(system(), *verify_with_proofs(system(), Settings(only=frozenset({"part"}))))
    assert [r for r in recheck(found) if r.fault] == []
    assert {p.name for p in found.properties} > {"part"}


OPEN = """
entity Bot
state known: Bot -> Bool = false
state points: Bot -> Int = any
state minted: Int = 0
action give(principal: Bot, to: Bot) {
  require points[principal] > 0 and points[to] < 9
  points[principal] -= 1
  points[to] += 1
}
action meet(principal: Bot) { require count(b: Bot where known[b]) < 3  known[principal] := true }
action spend(principal: Bot) { require minted < sum(b: Bot . points[b])  minted += 1 }
invariant more_than_all: minted > 0 implies minted <= sum(b: Bot . points[b])
invariant nobody: minted > 0 implies sum(b: Bot . points[b]) > 0
lemma at_most: minted <= 0 or minted - sum(b: Bot . points[b]) <= 0
invariant follows: minted > 0 implies minted - sum(b: Bot . points[b]) <= 5
invariant few: count(b: Bot where known[b]) <= 3
"""
FINITELY = "at first, `points[b]` is not 0 for finitely many only"


def test_what_a_sum_assumes_of_the_first_state_stands_beside_the_proof() -> None:
    found = program(OPEN).system
    verification, proofs = verify_with_proofs(found)
    assumed = {o.property.name: o.verdict.assumptions for o in verification.outcomes if isinstance(o.verdict, Proved)}
    said = dict.fromkeys(("more_than_all", "nobody", "at_most", "follows"), (FINITELY,))
    assert assumed == {**said, "few": ()}
    data = json.loads(certificate(found, verification, proofs).model_dump_json())
    assert faults(data) == []
    record(data, "more_than_all")["assumptions"] = []
    record(data, "few")["assumptions"] = [FINITELY]
    assert faults(data) == [
        f"more_than_all: rests on other assumptions: {FINITELY}",
        "few: states assumptions that are none of the proof's",
    ]


def test_a_proof_assumes_what_those_do_that_it_rests_on() -> None:
    found = program(OPEN).system
    [sum_of_points] = [s for s in found.sums if found.variable(s.var).init is None]
    text = f"(declare-fun {symbol(found.variable(sum_of_points.var).ref)} () Int)"
    proofs = {"a": ([text], ["c"]), "b": (["nothing"], ["a", "a fact"]), "c": (["nothing"], ["b"]), "d": ([], [])}
    assert {n for n, said in finitely_many(found, proofs).items() if said} == {"a", "b", "c"}


def test_a_certificate_of_an_older_format_is_none() -> None:
    with pytest.raises(CertificateError, match=r"^format: "):
        read(json.dumps({**fresh(), "format": "policyctl-certificate/1"}))
    assert isinstance(read(written()), Certificate)


# Policies.


def test_a_literal_may_look_like_the_name_of_a_pattern() -> None:
    text = """
state n: Int = 0
action say(text: String) { require text == "~sk" or text matches "sk"  n := 1 }
invariant one: n <= 1
assert never_both on say: allowed implies not (text matches "sk" and text == "~sk")
assert either on say: allowed implies text == "~sk"
"""
    found = {o.property.name: type(o.verdict) for o in verify(program(text).system).outcomes}
    assert found == {"one": Proved, "never_both": Proved, "either": Refuted}


BOUND_BEFORE = """
entity Job
entity Bot { root }
state worker: Job -> Bot? = none
state done: Bot -> Bool = false
action take(principal: Bot, j: Job) { require worker[j] == none  worker[j] := principal }
fair action reassign(j: Job) { require worker[j] != none  worker[j] := root  done[root] := true }
eventually e: forall j: Job . worker[j] has w leads to done[w]
"""


def test_who_is_named_before_leads_to_is_the_same_after() -> None:
    """`take(ann, j)  reassign(j)`, and nothing is ever done by ann."""
    found = program(BOUND_BEFORE).system
    assert all(isinstance(o.verdict, Unknown | Refuted) for o in verify(found).outcomes)


def test_who_is_named_before_leads_to_need_not_be_there_after() -> None:
    text = """
entity Job
entity Bot
state worker: Job -> Bot? = none
state done: Bot -> Bool = false
action take(principal: Bot, j: Job) { require worker[j] == none  worker[j] := principal }
fair action finish(j: Job) { require worker[j] has w  worker[j] := none  done[w] := true }
eventually named: forall j: Job . worker[j] has w leads to done[w]
eventually bound: forall j: Job, w: Bot . worker[j] == w leads to done[w]
"""
    found = verify(program(text).system)
    assert {o.property.name: type(o.verdict) for o in found.outcomes} == {"named": Proved, "bound": Proved}
    assert complaints(text + "eventually e: forall j: Job . worker[j] != none leads to done[worker[j]]\n") == [
        ("E301", "worker[j]")
    ]
    assert complaints(text + "eventually e: forall j: Job . worker[j] has w leads to exists v: Bot . done[v]\n") == []


@pytest.mark.parametrize(
    ("condition", "goal", "said"),
    [
        ("due[j] has n", "paid[j] == n", [("E555", "n")]),
        ("due[j] has n and n > 3", "paid[j] > 3", []),
        ("mood[j] has m", "last[j] == m", [("E555", "m")]),
        ("pals[j] has p", "p.n == 3", [("E555", "p")]),
        ("pals[j] has p", "done[p.who]", []),
    ],
)
def test_only_individuals_are_followed_to_the_goal(condition: str, goal: str, said: list[tuple[str, str]]) -> None:
    text = f"""
entity Job
enum Mood {{ Good, Bad }}
record Pal {{ who: Job, n: Int }}
state due: Job -> Int? = none
state paid: Job -> Int = 0
state mood: Job -> Mood? = none
state last: Job -> Mood = Good
state pals: Job -> Pal? = none
state done: Job -> Bool = false
action go(j: Job) {{
  due[j] := 3  paid[j] := 3  mood[j] := Bad  last[j] := Bad  pals[j] := Pal(j, 3)  done[j] := true
}}
eventually e: forall j: Job . {condition} leads to {goal}
"""
    assert [c for c in complaints(text) if c[0].startswith("E")] == said


NAMED_NOW = """
entity Bot
entity Job { desk }
state worker: Job -> Bot? = none
state tired: Bot -> Bool = false
state seen: Int = 0
action take(principal: Bot, j: Job) { worker[j] := principal }
action tire(principal: Bot) { tired[principal] := true }
action rest(principal: Bot) { tired[principal] := false }
action check(j: Job) { require worker[j] has w and once tired[w] else "never"  seen += 1 }
step fresh on take: worker[j] has w and not once tired[w] implies not old(tired[w])
"""


def test_who_is_named_now_is_the_same_in_the_past() -> None:
    """Whether ann was ever tired is asked when she works, and not whether whoever worked then was."""
    text = (
        NAMED_NOW
        + """
test "ann was tired, at a time when bob worked" {
  take(bob, desk)
  tire(ann)
  rest(ann)
  check(desk)  expect deny "never"
  take(ann, desk)
  check(desk)  expect allow
}
test "the desk was held by somebody who was tired" {
  tire(bob)
  take(bob, desk)
  rest(bob)
  take(ann, desk)
  check(desk)  expect deny "never"
}
"""
    )
    assert failures(text) == []


@pytest.mark.parametrize(
    ("condition", "code", "words"),
    [
        ("let n = seen  require once (seen > n)", "E553", "once (seen > n)"),
        ("let t = now  require historically (clock < t)", "E553", "historically (clock < t)"),
        ("require worker[j] != none and once tired[worker[j]]", "E301", "worker[j]"),
    ],
)
def test_what_may_have_been_otherwise_is_not_read_again_in_the_past(condition: str, code: str, words: str) -> None:
    assert (code, words) in complaints(NAMED_NOW + f"action ask(j: Job) {{ {condition}  seen := 9 }}\n")


@pytest.mark.parametrize(
    "text",
    [
        "state x: Int[0..5] = 0\ninvariant range_of_x: true\naction up() { x := x + 1 }\n",
        "state x: Int[0..5] = 0\nassert range_of_x on up: allowed\naction up() { require x < 5  x := x + 1 }\n",
        "state x: Int[0..5]? = none\nstep range_of_x: true\naction up() { x := 4 }\n",
    ],
)
def test_what_is_proved_anyway_has_a_name_of_its_own(text: str) -> None:
    """Verdicts are kept by name, so one on the property would be given to the range as well."""
    assert ("E105", "range_of_x") in complaints(text)


def test_a_name_is_taken_only_where_something_has_it() -> None:
    text = "state x: Int = 0\ninvariant range_of_x: x <= 5\naction up() { require x < 5  x := x + 1 }\n"
    assert {o.property.name: type(o.verdict) for o in verify(program(text).system).outcomes} == {"range_of_x": Proved}


def test_what_is_false_is_not_proved_under_the_name_of_something_true() -> None:
    text = """
record R { b: Int[0..9] }
state a_b: Int[0..5] = 0
state a: R = R(0)
action up() { a_b := a_b + 1 }
"""
    found = {o.property.name: type(o.verdict) for o in verify(program(text).system).outcomes}
    assert found == {"range_of_a_b": Refuted, "range_of_a.b": Proved}


def twice(what: str) -> System:
    found = system()
    match what:
        case "parameter":
            return replace(found, params=(*found.params, *found.params))
        case "state variable":
            return replace(found, state=(*found.state, found.variable("other")))
        case "action":
            return replace(found, actions=(*found.actions, found.action("count")))
        case "property":
            return replace(found, properties=(*found.properties, replace(found.claim("few"), expr=TRUE)))
        case _:
            mint = found.action("mint")
            again = replace(mint, inputs=(*mint.inputs, mint.inputs[1]))
            return replace(found, actions=tuple(again if a is mint else a for a in found.actions))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("parameter", "parameter `MOST` is declared twice"),
        ("state variable", "state variable `other` is declared twice"),
        ("action", "action `count` is declared twice"),
        ("property", "property `few` is declared twice"),
        ("input", "action `mint`: an input is declared twice"),
    ],
)
def test_nothing_is_said_of_a_system_in_which_names_are_mixed_up(what: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        verify(twice(what))


BOUND_IN_BOTH = """
entity Bot { root }
state m: Bot -> Bool = true
state q: Bool = false
state ph: Bool = false
state boss: Bot -> Bot = root
function late(p: Bool): Bool = not p and q implies p
action set(a: Bot) { require not ph  m[boss[a]] := false }
action move(a: Bot, b: Bot) { boss[a] := b }
action start() { require forall b: Bot . m[b]  ph := true }
action go() { require ph and forall b: Bot . m[b]  q := true }
invariant i: late(forall b: Bot . m[b])
"""


def test_one_quantifier_in_two_places_of_an_invariant() -> None:
    found = verify(program(BOUND_IN_BOTH).system)
    assert not any(isinstance(o.verdict, Refuted) for o in found.outcomes)


@pytest.mark.parametrize(
    "claim",
    [
        "assert a on go: forbid r implies (c implies forbid r)",
        "assert a on go: (forall b: Bot . on[b]) implies (c implies forbid r)",
        "assert a on go: agree(forall b: Bot . on[b])",
        "invariant a: agree(forall b: Bot . on[b])",
        "invariant a: agree(forall b: Bot . forall d: Bot . on[b] or on[d])",
    ],
)
def test_what_follows_from_itself_is_proved(claim: str) -> None:
    """One condition twice, so that the names that it binds are the same."""
    text = f"""
entity Bot
state on: Bot -> Bool = true
state c: Bool = false
function agree(p: Bool): Bool = p and not c implies (c or p implies p)
action go(a: Bot) {{}}
action off(a: Bot) {{ on[a] := false  c := not c }}
forbid r on go when forall b: Bot . on[b]
{claim}
"""
    found = program(text).system
    verification, proofs = verify_with_proofs(found)
    assert [type(o.verdict) for o in verification.outcomes] == [Proved]
    assert [r for r in recheck(certificate(found, verification, proofs)) if r.fault] == []


def test_a_condition_that_is_moved_over_another_binds_a_name_of_its_own() -> None:
    b, p, q = (Ref("b#1", EntityType("Bot"), Space.BOUND), Ref("p", BOOL, Space.STATE), Ref("q", BOOL, Space.STATE))
    on = Ref("on", MapType((EntityType("Bot"),), BOOL), Space.STATE)
    everybody, other = forall(b, select(on, b)), Ref("b#1'", EntityType("Bot"), Space.BOUND)
    moved = forall(other, implies(conj(everybody, q), select(on, other)))
    assert hoisted(implies(conj(everybody, q), everybody)) is moved
    assert hoisted(implies(p, implies(conj(everybody, q), everybody))) is forall(
        other, implies(p, implies(conj(everybody, q), select(on, other)))
    )
    assert hoisted(implies(p, everybody)) is forall(b, implies(p, select(on, b)))


ESTIMATED = """
entity Bot
state n: Int = 0
action spend(principal: Bot, amount: Int[0..10]) {}
action check(principal: Bot) { require sum(spend.amount within 100ms) >= 5  n := 1 }
action ask(principal: Bot) { n := 2 }
forbid poor on ask when sum(spend.amount within 100ms) < 3
approve rich on ask when not (sum(spend.amount within 100ms) <= 7) by human within 1m
assert enough on check: allowed implies sum(spend.amount within 100ms) >= 5
assert some on check: allowed implies count(spend within 100ms) >= 1
assert too_poor on ask: sum(spend.amount within 100ms) < 3 implies denied
assert too_rich on ask: sum(spend.amount within 100ms) > 7 and not approved_rich implies not allowed
assert known on ask: denied implies forbid poor
expect refuted assert few on check: sum(spend.amount within 100ms) >= 5 implies allowed
expect refuted assert exact on ask: denied implies sum(spend.amount within 100ms) < 3
reachable five: sum(spend.amount within 100ms) >= 5
"""


def test_what_is_decided_and_proved_holds_of_the_exact_sum() -> None:
    found = verify(program(ESTIMATED).system)
    assert [o.property.name for o in found.outcomes if not o.as_expected] == []
    shown = {o.property.name: o.verdict for o in found.outcomes}
    assert {n: type(v) for n, v in shown.items() if n in ("few", "exact")} == {"few": Refuted, "exact": Refuted}


def test_a_sum_is_at_its_least_where_much_is_asked_for_and_at_its_most_where_little_is() -> None:
    text = (
        ESTIMATED
        + """
test "it counts for three quarters of the window at least, and for five quarters at most" {
  at 199ms  ask(ann)       expect deny by poor
  at 199ms  spend(ann, 9)
  at 200ms  check(ann)     expect allow
  at 200ms  ask(ann)       expect pending
  at 274ms  check(ann)     expect allow
  at 274ms  ask(ann)       expect pending
  at 275ms  check(ann)     expect deny
  at 275ms  ask(ann)       expect deny by poor
}
test "it is not more than it was" {
  at 100ms  spend(ann, 5)
  at 199ms  check(ann)     expect allow
  at 200ms  check(ann)     expect deny
}
"""
    )
    assert failures(text) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("action a() { n := sum(spend.amount within 1h) }", "n"),
        ("action a() { if sum(spend.amount within 1h) > 3 { n := 1 } }", "n"),
        ("action a() { require sum(spend.amount within 1h) % 2 == 0 }", "require sum(spend.amount within 1h) % 2 == 0"),
        (
            "invariant i: once (sum(spend.amount within 1h) > 3) implies n == 1",
            "sum(spend.amount within 1h) > 3",
        ),
        (
            "forbid f on ask when n > 3 then log(sum(spend.amount within 1h))",
            "forbid f on ask when n > 3 then log(sum(spend.amount within 1h))",
        ),
    ],
)
def test_where_only_an_exact_number_would_do_there_is_no_estimate(line: str, words: str) -> None:
    assert [c for c in complaints(f"{ESTIMATED}{line}\n") if c[0].startswith("E")] == [("E556", words)]
