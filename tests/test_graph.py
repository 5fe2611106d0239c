"""`policyctl graph`: the machine is the policy's, the lifecycle is the framework's, and the picture is in order."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from dashboard import ROOT, SPECS
from hypothesis import given, settings
from hypothesis import strategies as st

from policyctl.cli import run
from policyctl.graph_layout import Extent, Layout, Point, lay_out
from policyctl.graph_parts import START, parts_of, render_dot, render_mermaid
from policyctl.render_graph_svg import render_svg
from policydsl.core.system import Program, System
from policydsl.diagnostics import Report
from policydsl.load import load
from policydsl.run_tests import run_test
from tests.checked import program
from verifier.stages import Edge, NoMachineError, StageMachine, machine_of

LIFECYCLE = "specs/mvg/lifecycle.policy"

# The diagram of the framework. Votes are cast in `VotingOpen`; `[*]` is where a proposal begins and ends.
DIAGRAM = """
[*] --> Drafted
Drafted --> Submitted
Drafted --> Rejected
Submitted --> VotingOpen
VotingOpen --> VotingOpen
VotingOpen --> Approved
VotingOpen --> Defeated
Approved --> Executing
Executing --> Monitoring
Monitoring --> FeedbackLoop
FeedbackLoop --> ReputationUpdate
ReputationUpdate --> MetaOptimize
MetaOptimize --> [*]
Defeated --> Archived
Defeated --> ReputationUpdate
Rejected --> [*]
Archived --> [*]
"""


def shipped(path: str) -> Program:
    [found] = load([path], lambda p: (ROOT / p).read_text(encoding="utf-8"), Report())
    return found


def machines() -> dict[str, StageMachine]:
    found = {}
    for path in SPECS:
        try:
            found[path] = machine_of(shipped(path).system)
        except NoMachineError:
            continue
    return found


MACHINES = machines()


def small(text: str) -> System:
    return program("entity Job\nenum Stage { New, Open, Done, Lost }\nstate stage: Job -> Stage = New\n" + text).system


def edges(text: str) -> set[str]:
    return {f"{e.source} {e.action} {e.target} {e.condition}".strip() for e in machine_of(small(text)).edges}


# The lifecycle.


def test_the_lifecycle_is_that_of_the_framework() -> None:
    """Stage by stage and edge by edge; that a proposer may take his proposal back is all that we add."""
    wanted = {tuple(line.split(" --> ")) for line in DIAGRAM.split("\n") if line}
    drawn = render_mermaid(parts_of(machine_of(shipped(LIFECYCLE).system, without=frozenset({"withdraw"}))))
    pairs = [tuple(line.strip().partition(" : ")[0].split(" --> ")) for line in drawn.splitlines()[1:]]
    # Where a lesson is learnt has a name of its own.
    assert ("Settled", "[*]") in pairs
    found = {tuple("[*]" if s == "Settled" else s for s in pair) for pair in pairs} - {("[*]", "[*]")}
    assert found == wanted


def test_taking_back_is_what_the_framework_does_not_have() -> None:
    machine = MACHINES[LIFECYCLE]
    taken_back = {(e.source, e.target) for e in machine.edges if e.action == "withdraw"}
    assert taken_back == {(s, "Archived") for s in ("Drafted", "Submitted", "VotingOpen", "Approved")}
    bare = machine_of(shipped(LIFECYCLE).system, without=frozenset({"withdraw"}))
    assert set(machine.edges) - set(bare.edges) == {e for e in machine.edges if e.action == "withdraw"}


def test_who_asks_and_when() -> None:
    found = {(e.source, e.action, e.target): e for e in MACHINES[LIFECYCLE].edges}
    assert found["Drafted", "submit", "Submitted"].condition == "reputation[principal] >= PROPOSE_THRESHOLD"
    assert found["VotingOpen", "close_voting", "Approved"].condition == "yes > no and yes + no >= QUORUM"
    assert found["VotingOpen", "close_voting", "Defeated"].condition == "otherwise"
    assert found["Approved", "execute", "Executing"].condition == ""
    assert found["VotingOpen", "vote_for", "VotingOpen"].asked is True
    assert found["VotingOpen", "close_voting", "Defeated"].asked is False


# The machine of a policy.


@pytest.mark.parametrize("path", MACHINES)
def test_no_run_takes_another_edge(path: str) -> None:
    found = shipped(path)
    machine, moved = MACHINES[path], 0
    drawn = {(e.source, e.action, e.target) for e in machine.edges}
    for test in found.tests:
        trace = run_test(found.system, test).trace
        for step in trace.steps if trace is not None else ():
            changes = [c for c in step.changes if c.var == machine.variable]
            assert {(c.before, step.action, c.after) for c in changes} <= drawn
            moved += len(changes)
    assert moved


FORBIDDEN = """
action go(j: Job) { require stage[j] in {New, Lost}  stage[j] := Open }
action end(j: Job) { require stage[j] == Open  stage[j] := Done }
action redo(j: Job) { stage[j] := New }
forbid over on redo when stage[j] in {Done, New}
"""
ARITHMETIC = """
state n: Job -> Int = 0
param MOST: Int[1..5] = 3
action go(j: Job) { require stage[j] == New  n[j] += 1  stage[j] := if n[j] > MOST then Done else Open }
action lose(j: Job) { require stage[j] == Open and n[j] < MOST and n[j] > 3 and MOST < 4  stage[j] := Lost }
"""
CHOSEN = """
action move(j: Job, to: Stage) { require stage[j] == New and to != Lost and to != New  stage[j] := to }
action end(j: Job, sure: Bool) { require stage[j] == Open  if sure { stage[j] := Done } }
"""
EVERYBODY = """
action all(j: Job) { require stage[j] == New  for each k: Job where stage[k] == New { stage[k] := Open } }
"""
TWO = """
action swap(j: Job, k: Job) {
  require stage[j] == New and stage[k] == New
  stage[j] := Open
  stage[k] := Done
}
"""
WORK = """
state n: Job -> Int = 0
action go(j: Job) { require stage[j] == New  stage[j] := Open }
action work(j: Job) { require stage[j] == Open  n[j] += 1 }
action look(j: Job) { require stage[j] == Open }
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("action go(j: Job) { require stage[j] == New  stage[j] := Open }", {"New go Open"}),
        (FORBIDDEN, {"New go Open", "Open end Done", "Open redo New"}),
        (ARITHMETIC, {"New go Done n + 1 > MOST", "New go Open otherwise"}),
        (
            CHOSEN,
            {"New move Open to == Open", "New move Done to == Done", "Open end Done sure", "Open end Open otherwise"},
        ),
        (EVERYBODY, {"New all Open", "Open all Open"}),
        (TWO, {"New swap Open otherwise", "New swap Done k == j", "New swap Done"}),
        (WORK, {"New go Open", "Open work Open"}),
    ],
)  # fmt: skip
def test_edges(text: str, found: set[str]) -> None:
    assert edges(text) == found


GUARDED = """
state busy: Job? = none
state fresh: Job -> Bool = false
action go(j: Job) { require stage[j] == New and busy == none  stage[j] := Open  busy := j }
action end(j: Job) { require busy == j  stage[j] := Done  busy := none }
action mark(j: Job) { require stage[j] == New  fresh[j] := true }
action lose(j: Job) { require fresh[j] and busy != j and stage[j] in {New, Done}  stage[j] := Lost  fresh[j] := false }
invariant the_busy_are_open: forall j: Job . busy == j implies stage[j] == Open
step the_lost_were_not_open: forall j: Job . stage[j] == Lost implies old(stage[j]) != Open
expect refuted step the_lost_were_new because "done": forall j: Job . stage[j] == Lost implies old(stage[j]) == New
"""


def test_what_is_proved_rules_edges_out() -> None:
    def ends(*proved: str) -> set[tuple[str, str]]:
        machine = machine_of(small(GUARDED), proved=frozenset(proved))
        return {(e.source, e.action) for e in machine.edges if e.action in ("end", "lose")}

    lost = {("New", "lose"), ("Done", "lose")}
    assert ends() == lost | {(stage, "end") for stage in ("New", "Open", "Done", "Lost")}
    assert ends("the_busy_are_open") == lost | {("Open", "end")}
    # Whoever calls it says that it is proved; of a step, too.
    assert ends("the_busy_are_open", "the_lost_were_new") == {("Open", "end"), ("New", "lose")}


def test_only_what_is_proved_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "entity Job\nenum Stage { New, Open, Done, Lost }\nstate stage: Job -> Stage = New\n" + GUARDED
    (tmp_path / "jobs.policy").write_text(text, encoding="utf-8")
    for more, wanted in (((), 4), (("--proved", "--no-cache"), 1)):
        assert run(["graph", str(tmp_path / "jobs.policy"), *more]) == 0
        drawn = capsys.readouterr().out.splitlines()
        assert sum(line.endswith(": end") for line in drawn) == wanted
        assert sum(line.endswith(": lose") for line in drawn) == 2


def test_nobody_comes_where_nothing_leads() -> None:
    with pytest.raises(NoMachineError, match="no action of example changes"):
        machine_of(small("action go(j: Job) { require stage[j] != New  stage[j] := Open }"))


def test_where_individuals_begin() -> None:
    anywhere = "enum Lamp { On, Off }\nstate lamp: Lamp = any\naction press() { require lamp == On  lamp := Off }"
    machine = machine_of(program(anywhere).system)
    assert (machine.initial, machine.final, machine.entities) == (("On", "Off"), ("Off",), ())
    assert parts_of(machine).boxes == ("On", "Off")
    chosen = "enum Lamp { On, Off }\nstate lamp: Lamp = Off\naction press() { lamp := if lamp == On then Off else On }"
    parts = parts_of(machine_of(program(chosen).system))
    assert (parts.boxes, parts.final) == ((START, "On", "Off"), frozenset())
    assert [(a.source, a.target) for a in parts.arrows] == [(START, "Off"), ("On", "Off"), ("Off", "On")]


def test_the_machine_is_what_most_actions_depend_on() -> None:
    text = (
        "enum Mood { Calm, Alert }\nstate mood: Mood = Calm\naction set(to: Mood) { mood := to }\n"
        "action go(j: Job) { require stage[j] == New  stage[j] := Open }"
    )
    assert machine_of(small(text)).variable == "stage"
    assert machine_of(small(text), "mood").variable == "mood"
    with pytest.raises(NoMachineError, match="no state variable `moods`"):
        machine_of(small(text), "moods")
    with pytest.raises(NoMachineError, match="no action `gone`"):
        machine_of(small(text), without=frozenset({"gone"}))
    with pytest.raises(NoMachineError, match="no action of"):
        machine_of(small(text), "stage", frozenset({"go"}))


# The picture.


def apart(layout: Layout, things: list[tuple[Point, Extent]]) -> None:
    for (p, a), (q, b) in combinations(things, 2):
        beside = p.x + a.right <= q.x - b.left + 0.2 or q.x + b.right <= p.x - a.left + 0.2
        assert beside or abs(p.y - q.y) >= (a.height + b.height) / 2 - 0.2, (p, a, q, b)
    for p, e in things:
        assert p.x - e.left >= -0.2
        assert p.x + e.right <= layout.width + 0.2
        assert p.y - e.height / 2 >= -0.2
        assert p.y + e.height / 2 <= layout.height + 0.2


@settings(deadline=None)
@given(st.data())
def test_nothing_is_drawn_over_anything_else(data: st.DataObject) -> None:
    names = [f"s{i}" for i in range(data.draw(st.integers(2, 9)))]
    size = st.integers(1, 60)
    boxes = {n: Extent(data.draw(size), data.draw(size), data.draw(size)) for n in names}
    some = [(a, b) for a in names for b in names if a != b]
    pairs = data.draw(st.lists(st.sampled_from(some), unique=True, max_size=12))
    arrows = [(a, b, Extent(*[data.draw(size)] * 2, data.draw(size))) for a, b in pairs]
    layout = lay_out(boxes, arrows)
    assert layout == lay_out(boxes, arrows)
    apart(layout, [(layout.boxes[n], boxes[n]) for n in names])
    apart(
        layout,
        [*((layout.boxes[n], boxes[n]) for n in names), *zip(layout.labels, (a[2] for a in arrows), strict=True)],
    )
    for (source, target, _), route, label in zip(arrows, layout.routes, layout.labels, strict=True):
        assert (route[0], route[-1]) == (layout.boxes[source], layout.boxes[target])
        assert label in route[1:-1]
        heights = [p.y for p in route]
        assert heights in (sorted(heights), sorted(heights, reverse=True))


@pytest.mark.parametrize("path", MACHINES)
def test_every_stage_and_action_is_in_the_picture(path: str) -> None:
    machine = MACHINES[path]
    parts = parts_of(machine)
    svg = ET.fromstring(render_svg(parts))
    texts = ["".join(t.itertext()) for t in svg.iter("{http://www.w3.org/2000/svg}text")]
    marks = list(svg.iter("{http://www.w3.org/2000/svg}path"))
    for stage in machine.stages:
        assert texts.count(stage) == (stage in parts.boxes)
    for action in {e.action for e in machine.edges}:
        assert texts.count(action) == sum(e.action == action for e in machine.edges)
    # One for each arrow, and one for the tip of them all.
    assert len(marks) == len(parts.arrows) + 1
    dot = render_dot(parts)
    assert dot.count(" -> ") == len(parts.arrows)
    assert dot.count("peripheries=2") == len(machine.final)
    assert render_mermaid(parts).count(" --> ") == max(len(machine.edges), 1) + len(machine.final) + (
        len(machine.initial) if parts.boxes[0] == START and machine.initial[0] in parts.boxes else 0
    )


def test_words_that_mermaid_takes_for_its_own() -> None:
    edge = Edge("New", "Open", "go", 'n < 3; t == "a:b#"')
    machine = StageMachine("m", "stage", ("Job",), ("New",), ("New", "Open"), (edge,))
    assert 'go [n #60; 3#59; t == "a#58;b#35;"]' in render_mermaid(parts_of(machine))
    assert ET.fromstring(render_svg(parts_of(machine)))
    assert '"go [n < 3; t == \\"a:b#\\"]"' in render_dot(parts_of(machine))


def test_stages_that_are_called_like_words_of_mermaid() -> None:
    edges = (Edge("New", "Note", "go"), Edge("Note", "End", "end"))
    machine = StageMachine("m", "stage", ("Job",), ("New",), ("New", "Note", "End"), edges)
    assert render_mermaid(parts_of(machine)).splitlines()[1:] == [
        '    state "Note" as s_Note',
        '    state "End" as s_End',
        "    [*] --> s_Note : go",
        "    s_Note --> s_End : end",
        "    s_End --> [*]",
    ]


def test_the_picture_in_the_documents_is_the_one_that_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    file = tmp_path / "lifecycle.svg"
    assert run(["graph", LIFECYCLE, "-o", str(file)]) == 0
    assert file.read_text(encoding="utf-8") == (ROOT / "docs" / "lifecycle.svg").read_text(encoding="utf-8")


def test_the_format_is_what_the_file_is_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lamp = tmp_path / "lamp.policy"
    lamp.write_text("enum Lamp { On, Off }\nstate lamp: Lamp = Off\naction press() { lamp := On }\n", encoding="utf-8")
    for name, start in (("a.svg", "<svg"), ("a.gv", "digraph"), ("a.json", "{"), ("a.txt", "stateDiagram-v2")):
        assert run(["graph", str(lamp), "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
    assert run(["graph", str(lamp), "--format", "json", "-o", str(tmp_path / "b.svg")]) == 0
    assert json.loads((tmp_path / "b.svg").read_text(encoding="utf-8")) == {
        "policy": "lamp",
        "variable": "lamp",
        "entities": [],
        "initial": ["Off"],
        "stages": ["On", "Off"],
        "edges": [
            {"source": "On", "target": "On", "action": "press", "asked": False},
            {"source": "Off", "target": "On", "action": "press", "asked": False},
        ],
        "final": ["On"],
    }
    assert capsys.readouterr().out == ""
    assert run(["graph", str(lamp)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "    [*] --> On : press"
    assert run(["graph", str(lamp), "--state", "lump"]) == 1
    assert "no state variable `lump`" in capsys.readouterr().err
