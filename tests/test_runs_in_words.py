"""Verdicts to what people read: where a run starts, what broke, and what is left out because it tells nothing."""

from __future__ import annotations

import pytest
from checked import program

from policyctl import to_views
from policyctl.render_text import render_property, render_run
from policyctl.render_trace import WIDTH, render_trace
from policyctl.results import FileResult, PropertyView, Run, StepView, TraceView
from policyctl.results_json import file_from_json, file_to_json
from policyctl.to_advice import COUNT, advice
from policyctl.to_diagnostics import property_diagnostic
from policyctl.to_diff_views import diff_view
from policydsl.interp import initial
from policydsl.start_words import describe_start
from policydsl.state import default_value
from policydsl.to_words import describe_changes, words
from policydsl.trace import Cell, Change, Decision, Step, Trace
from verifier.diff import diff
from verifier.verify import verify

BOARD = """
entity Player
entity Season
param PATIENCE: Duration[1h..48h] = 4h
state score  : (Season, Player) -> Int = 0
state season : Season? = none
state rep    : Player -> Int = 50
state since_ : Player -> Time? = none
action open(s: Season) { require season == none  season := s }
action report(principal: Player, points: Int[1..100]) {
  require season has s
  score[s, principal] += points
  since_[principal]   := now
}
action lose(who: Player) { rep[who] -= 1 }
action wait(principal: Player) {
  require since_[principal] has t and now - t >= PATIENCE
}
"""


def views(text: str) -> dict[str, PropertyView]:
    system = program(text).system
    return {v.name: v for v in to_views.properties_of(system, verify(system))}


def start(system_text: str, claim: str, cells: tuple[Cell, ...], action: str, **inputs: object) -> tuple[str, ...]:
    """The words of a step from anywhere that loses the property called `claim`."""
    system = program(system_text).system
    action_ = system.action(action)
    values = tuple((i.name, inputs.get(i.name, default_value(i.type))) for i in action_.inputs)
    steps = (Step(action, values, Decision("allow"), ()),)  # type: ignore[arg-type]
    params = tuple((p.name, p.default.value) for p in system.params)
    return describe_start(system, Trace(system.name, "", params, cells, steps), system.claim(claim))


CLAIMS = """
invariant p: forall s: Season . forall q: Player . season == s implies score[s, q] >= 0
invariant r: forall q: Player . rep[q] >= 50
"""


def test_a_step_from_anywhere_tells_what_matters_and_nothing_else() -> None:
    cells = (
        Cell("season.value", (), "s2"),
        Cell("score", ("s1", "ann"), -5),
        Cell("rep", ("ann",), 7),
        Cell("since_.has", ("ann",), True),
    )
    # The season is none, whatever value lies behind that; neither `rep` nor `since_` has to do with it.
    assert start(BOARD + CLAIMS, "p", cells, "open", s="s1") == ("score[s1, ann] = -5",)


def test_a_step_from_anywhere_is_compared_with_the_declared_start() -> None:
    """The cells of such a step leave out what is 0, but 50 is what people expect of `rep`."""
    assert start(BOARD + CLAIMS, "r", (), "lose", who="ann") == ("rep[ann] = 0",)
    assert start(BOARD + CLAIMS, "r", (Cell("rep", ("ann",), 50),), "lose", who="ann") == ()


@pytest.mark.parametrize(("there", "words"), [(True, ("best = some", "best.age = 3", "best.boss = ann")), (False, ())])
def test_the_fields_of_an_absent_record_are_nothing_to_speak_of(there: bool, words: tuple[str, ...]) -> None:
    cells = (Cell("best.has", (), there), Cell("best.value.age", (), 3))
    cells += (Cell("best.value.boss.has", (), True), Cell("best.value.boss.value", (), "ann"))
    text = PARTS + "action go() { }\ninvariant p: best has x implies x.age > 3 and x.boss == none"
    assert start(text, "p", cells, "go") == words


def test_an_option_of_a_start_has_a_value_though_no_cell_says_it() -> None:
    system = program(BOARD).system
    trace = Trace(system.name, "", (("PATIENCE", 7_200_000),), (Cell("since_.has", ("ann",), True),), ())
    assert describe_start(system, trace) == ("PATIENCE = 2h", "since_[ann] = 0s")


def test_a_sum_is_told_by_what_it_is_a_sum_of() -> None:
    text = "entity A\nstate n: A -> Int = 0\nstate all: Int = 0\naction go(a: A) { all += 1 }\n"
    text += "invariant p: sum(a: A . n[a]) >= all"
    assert start(text, "p", (Cell("n", ("x",), 3),), "go", a="x") == ("n[x] = 3",)


def test_the_step_of_an_unknown_is_told_so() -> None:
    text = BOARD + "invariant p: season has s implies forall q: Player . score[s, q] >= 0"
    view = views(text)["p"]
    if view.status == "unknown":  # a better prover leaves nothing to show
        assert view.cti is not None
        assert not any("season" in x or "rep" in x for x in view.cti.start)


DEAD = """
entity Job
enum Stage { Idle, Busy, Lost, Done }
state stage: Job -> Stage = Idle
action begin(job: Job) { require stage[job] == Idle  stage[job] := Busy }
action lose(job: Job)  { require stage[job] == Busy  stage[job] := Lost }
fair action finish(job: Job) { require stage[job] == Busy  stage[job] := Done }
eventually done: forall j: Job . stage[j] == Busy leads to stage[j] == Done
"""


def test_a_refuted_leads_to_says_why_nothing_helps() -> None:
    view = views(DEAD)["done"]
    assert view.status == "refuted"
    assert "Lost" in view.how
    lines = list(render_property(view, 4))
    assert lines[-1] == f"      from then on: {view.how}"


def test_a_failed_test_marks_the_request_that_it_is_about() -> None:
    text = BOARD + 'test "t" {\n open(s1) expect allow\n open(s2) expect allow\n lose(ann)\n expect rep[ann] == 48\n}'
    (view,) = to_views.tests_of(program(text))
    assert view.trace is not None
    assert [s.note for s in view.trace.steps] == [
        "",
        "expected allow, got deny: requires season == none",
        "expected rep[ann] == 48, but rep[ann] is 49",
    ]


def test_an_edit_speaks_of_options_and_rules_not_of_their_parts() -> None:
    old = program(BOARD).system
    new = program(
        BOARD.replace("state rep ", "state owner : Player? = none\nstate rep ").replace(
            "action lose(who: Player) {", "action lose(who: Player) { owner := who "
        )
        + "approve big on lose when rep[who] > 9 by human within 10m"
    ).system
    edits = diff_view("x", old, new, diff(old, new)).edits
    assert {(e.what, e.name) for e in edits} == {
        ("state", "owner"),
        ("effect", "owner on lose"),
        ("rule", "big on lose"),
    }


LONG = StepView(
    "report(a_player_with_a_very_long_name_indeed, 100, 200)", "allow", changes=("n[a]: 0 -> 1", "m[a]: 0 -> 2")
)


def test_a_long_request_does_not_push_the_others_away() -> None:
    lines = list(render_trace(TraceView((), (StepView("open(s1)", "allow", changes=("x: 0 -> 1",)), LONG))))
    assert lines == [
        "       1  open(s1)   x: 0 -> 1",
        "       2  report(a_player_with_a_very_long_name_indeed, 100, 200)",
        "                     n[a]: 0 -> 1",
        "                     m[a]: 0 -> 2",
    ]


def test_a_long_start_is_wrapped_between_its_parts() -> None:
    parts = tuple(f"balance[account number {i}] = {i}" for i in range(20))
    lines = list(render_trace(TraceView(parts, ())))
    assert all(len(line) <= WIDTH for line in lines)
    assert len(lines) > 2
    assert all(line.count("[") == line.count("]") == line.count("=") for line in lines)
    assert ", ".join(parts) == " ".join(line[13:] for line in lines)


def test_what_is_due_beside_is_shown() -> None:
    step = StepView("send(a)", "pending", "human must agree", (), ("approve(r, human, within 10m)",))
    assert list(render_trace(TraceView((), (step,)))) == [
        "       1  send(a)   pending: human must agree, then approve(r, human, within 10m)"
    ]


@pytest.mark.parametrize(("before", "after"), [("ann", ""), ("", "ann")])
def test_what_lies_behind_an_absent_option_is_no_change(before: str, after: str) -> None:
    system = program("entity A\nstate boss: A? = none\naction go() { }").system
    assert describe_changes((Change("boss.value", (), before, after),), system, initial(system)) == []


def test_a_very_long_name_has_its_verdict_on_the_next_line() -> None:
    names = ("short", "x@send_message", "n" * 56, "m" * 57)
    views = tuple(PropertyView(n, "invariant", "proved", scope="for any number of steps") for n in names)
    lines = render_run(Run("verify", (FileResult("a.policy", properties=views),)), {}).splitlines()
    assert lines[4] == f"  ✓ {'m' * 57}"
    verdicts = [line.index("proved") for line in lines[1:] if "proved   " in line]
    assert verdicts == [63] * 4


def test_a_long_reason_ends_after_a_clause_unless_all_is_asked_for() -> None:
    clauses = [
        "no run of up to 6 steps breaks it",
        *(f"tracking {', '.join(f'variable{i}' for i in range(n))}" for n in (9, 30, 3)),
    ]
    view = PropertyView("p", "invariant", "unknown", how="; ".join(clauses))
    short = [line.strip() for line in render_property(view, 1)][1:]
    assert " ".join(short) == "; ".join(clauses[:2]) + " ... (`-v` has the rest)"
    assert " ".join(line.strip() for line in list(render_property(view, 1, verbose=True))[1:]) == "; ".join(clauses)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("forall s: Season . exists p: Player . score[s, p] > 0", True),
        ("forall s: Season . season == s implies not (forall p: Player . score[s, p] == 0)", True),
        ("forall s: Season . (forall p: Player . score[s, p] > 0) implies season == s", True),
        ("forall s: Season, p: Player . score[s, p] >= 0", False),
        ("forall s: Season . (exists p: Player . score[s, p] > 0) implies season == s", False),
        ("not (exists s: Season . forall p: Player . score[s, p] > 0)", True),
        ("not (exists s: Season . exists p: Player . score[s, p] > 0)", False),
        ("(exists p: Player . rep[p] > 0) iff season == none", True),
    ],
)
def test_an_existence_that_stays_unknown_could_be_counted(claim: str, expected: bool) -> None:
    system = program(BOARD + f"invariant p: {claim}").system
    assert (advice(system.claim("p")) == COUNT) is expected
    reachable = program(BOARD + f"reachable p: {claim}").system
    assert advice(reachable.claim("p")) == ""


def test_advice_and_reasons_reach_the_other_formats() -> None:
    unknown = PropertyView("p", "invariant", "unknown", how="no", advice=COUNT)
    assert [line.strip() for line in render_property(unknown, 1)][1].startswith("= help: a count")
    found = property_diagnostic(unknown)
    assert found is not None
    assert found.help == COUNT
    refuted = PropertyView("e", "eventually", "refuted", how="nothing helps", trace=TraceView((), (LONG,)))
    found = property_diagnostic(refuted)
    assert found is not None
    assert found.text == "`e` is refuted in 1 step; from then on, nothing helps"
    both = FileResult("a.policy", properties=(unknown, refuted))
    assert file_from_json(file_to_json(both)) == both


PARTS = """
entity Bot
entity Chan
enum Domain { Code, Ops }
record Profile { age: Int, boss: Bot?, tags: Set<Domain> }
state trust   : (Bot, Domain) -> Int = 5
state by      : Domain -> Bot? = none
state open    : (Chan, Domain) -> Bool = true
state members : Chan -> Set<Bot> = {}
state best    : Profile? = none
state tags    : Set<Domain> = {}
state of_bot  : Bot -> Profile = Profile(0, none, {})
"""


@pytest.mark.parametrize(
    "claim",
    [
        "forall b: Bot . 5 <= trust[b, Code]",
        "by[Code] == none",
        "forall b: Bot . by[Ops] == b implies trust[b, Ops] < 9",
        "forall c: Chan . open[c, Code] or not open[c, Ops]",
        "forall b: Bot, c: Chan . b in members[c] implies not open[c, Code]",
        "Code in tags",
        "forall b: Bot . Ops in of_bot[b].tags and of_bot[b].boss == none and of_bot[b].age < 3",
    ],
)
def test_parts_are_written_as_the_author_writes_them(claim: str) -> None:
    system = program(PARTS + f"action go() {{ }}\ninvariant p: {claim}").system
    assert words(system.claim("p").expr, system=system) == claim


def test_a_step_property_reads_parts_of_the_state_before() -> None:
    claim = (
        "forall b: Bot, c: Chan . b in old(members[c]) and open[c, Code] implies old(trust[b, Code]) <= trust[b, Code]"
    )
    system = program(PARTS + f"action go() {{ }}\nstep p: {claim}").system
    assert words(system.claim("p").expr, system=system, step=True) == claim


def test_the_parts_of_a_run_are_put_together() -> None:
    text = (
        PARTS
        + """
action go(principal: Bot, d: Domain, c: Chan, p: Profile) {
  require p.age > 0  else "too young"
  trust[principal, d] += 1
  by[d] := principal
  open[c, d] := false
  add principal to members[c]
  best := p
  tags := p.tags
  of_bot[principal] := p
}
test "t" {
  given trust[ann, Ops] = 7
  given by[Ops] = bob
  given bob in members[web]
  given of_bot[ann].age = 2
  go(ann, Code, web, Profile(3, bob, {Ops})) expect allow
  go(ann, Code, web, Profile(0, none, {})) expect pending
}
"""
    )
    (view,) = to_views.tests_of(program(text))
    assert view.trace is not None
    assert view.trace.start == ("trust[ann, Ops] = 7", "by[Ops] = bob", "bob in members[web]", "of_bot[ann].age = 2")
    first, second = view.trace.steps
    assert first.call == "go(ann, Code, web, (age: 3, boss: bob, tags: {Ops}))"
    assert second.call == "go(ann, Code, web, (age: 0, boss: none, tags: {}))"
    assert set(first.changes) == {
        "trust[ann, Code]: 5 -> 6",
        "by[Code]: none -> ann",
        "open[web, Code]: true -> false",
        "ann in members[web]: false -> true",
        "best: none -> some",
        "best.age: 0 -> 3",
        "best.boss: none -> bob",
        "Ops in best.tags: false -> true",
        "Ops in tags: false -> true",
        "of_bot[ann].age: 2 -> 3",
        "of_bot[ann].boss: none -> bob",
        "Ops in of_bot[ann].tags: false -> true",
    }
