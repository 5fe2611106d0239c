"""The compiled step: on every request it does what the reference interpreter does, answer, changes and state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from dashboard import SPECS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machines import machines
from strategies import requests, systems
from test_specs import program
from walk import Walker

from policydsl import regular
from policydsl.core.expr import Op
from policydsl.core.system import NOW, System
from policydsl.core.types import Value
from policydsl.diagnostics import Report
from policydsl.interp import Request, State, StepResult, initial, step
from policydsl.load import load
from policydsl.state import EVERYONE_ELSE
from runtime.action_code import MANY
from runtime.answers import Answers
from runtime.content import Undo
from runtime.decision import Code
from runtime.inputs import by_enforcer, told_apart
from runtime.machine import Machine
from runtime.strings import literals, recogniser
from runtime.to_python import TEXT


def agree(system: System, wanted: Sequence[Request], params: Mapping[str, Value] | None = None) -> int:
    """Both step through `wanted` and agree at each; how many were allowed."""
    machine, state = Machine(system, params), initial(system, params)
    allowed = 0
    for request in wanted:
        expected = step(system, state, request)
        before = list(machine.content.rows())
        undo = one(machine, system, request, expected)
        compare_states(machine, expected.state)
        if undo is not None:
            allowed += 1
            machine.content.undo(undo)
            assert sorted(map(repr, machine.content.rows())) == sorted(map(repr, before)), "undone"
            one(machine, system, request, expected)
        state = expected.state
    again = Machine(system, params)
    again.content.load(machine.content.rows())
    compare_states(again, state)
    return allowed


def one(machine: Machine, system: System, request: Request, expected: StepResult) -> Undo | None:
    """The machine does one request; its answer, duties and changes are the expected ones."""
    action = system.action(request.action)
    asked, granted = told_apart(by_enforcer(action), request.inputs)
    now = request.inputs.get(NOW, 0)
    assert isinstance(now, int)
    answer, assignments, duties = machine.decide(request.action, asked, now, granted)
    wanted = expected.decision
    effect = "pending" if answer.effect == "approve" else answer.effect
    assert (effect, answer.reason, tuple(r.name for r in answer.rules)) == (wanted.effect, wanted.reason, wanted.rules)
    assert repr(duties) == repr(wanted.obligations)
    assert (answer.code is Code.ALLOWED) == (wanted.effect == "allow")
    if wanted.effect != "allow":
        assert assignments is None
        return None
    undo = machine.content.apply(assignments or ())
    assert repr(machine.content.changes(undo)) == repr(expected.changes)
    return undo


def compare_states(machine: Machine, state: State) -> None:
    """Every cell that either knows of has the same value, of the same type."""
    for var in state.system.state:
        rows = {k for name, k, _ in machine.content.rows() if name == var.name} | set(state.rows(var.name))
        fresh = "somebody nobody knows"
        for keys in rows:
            named = tuple(fresh if k == EVERYONE_ELSE else k for k in keys)
            assert repr(machine.content.read(var.name, *named)) == repr(state.read(var.name, named)), (var.name, named)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_generated_systems(data: st.DataObject) -> None:
    system = data.draw(systems())
    agree(system, data.draw(requests(system)))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # drawing a system takes a while
@given(st.data())
def test_generated_systems_with_maps_of_two_keys(data: st.DataObject) -> None:
    system = data.draw(machines())
    agree(system, data.draw(requests(system)))


@pytest.mark.parametrize("path", SPECS)
def test_shipped_policies(path: str) -> None:
    system = program(path).system
    walker = Walker(system, seed=1)
    time, wanted = 0, []
    for _ in range(120):
        if system.timed and walker.random.random() < 0.3:
            time += walker.random.choice(walker.durations)
        wanted.append(walker.request(time))
    agree(system, wanted)


@pytest.mark.parametrize("path", SPECS)
def test_the_tests_of_shipped_policies(path: str) -> None:
    from policydsl.run_tests import run_test

    loaded = program(path)
    for t in loaded.tests:
        trace = run_test(loaded.system, t).trace
        if trace is not None and not trace.start:
            assert (
                agree(loaded.system, [Request(s.action, dict(s.inputs)) for s in trace.steps], dict(trace.params)) >= 0
            )


def test_every_operator_has_a_text() -> None:
    assert TEXT.keys() | {Op.SELECT, Op.MATCHES} == set(Op)


def many(rules: int) -> System:
    """A policy with many rules on one action: deny by default, forbid wins."""
    report = Report()
    lines = ["entity Bot", "enum Role { A, B, C, D }", "enum Channel { X, Y, Z }"]
    lines.append("action use(principal: Bot, role: Role, channel: Channel, path: String, amount: Int)")
    for i in range(rules):
        effect = "forbid" if i % 3 == 2 else "permit"
        role, channels = "ABCD"[i % 4], ("X, Y", "Y, Z", "X, Z")[i % 3]
        when = f'role == {role} and channel in {{{channels}}} and path like "/p{i % 5}/*" and amount <= {i}'
        lines.append(f"{effect} r{i} on use when {when}")
    [found] = load(["m.policy"], lambda _: "module m\n" + "\n".join(lines) + "\n", report)
    assert not [d for d in report.sorted() if d.severity.value == "error"]
    return found.system


@settings(deadline=None)  # compiling sixty rules takes longer than a decision
@given(st.sampled_from([many(3), many(MANY * 3 + 1), many(60)]), st.data())
def test_many_rules_are_told_apart(system: System, data: st.DataObject) -> None:
    inputs = st.fixed_dictionaries(
        {
            "principal": st.just("b"),
            "role": st.sampled_from("ABCD"),
            "channel": st.sampled_from("XYZ"),
            "path": st.sampled_from(["/p0/a", "/p1/", "/p2/x", "/p3/x", "/p4/y", "/p5", ""]),
            "amount": st.integers(-1, 70),
        }
    )
    agree(system, data.draw(st.lists(st.builds(Request, st.just("use"), inputs), max_size=5)))


PIECES = st.text(alphabet="ab.*-/\\()?", max_size=4)


@given(st.lists(PIECES, min_size=1, max_size=4), st.text(alphabet="ab.*-/\\()?", max_size=12))
def test_literal_patterns(pieces: list[str], text: str) -> None:
    pattern = ".*".join(map(regular.quote, pieces))
    assert literals(pattern) is not None
    assert recogniser(pattern)(text) == regular.member(pattern, text)
    near = "ab".join(pieces)
    assert recogniser(pattern)(near) == regular.member(pattern, near)


@given(
    st.text(alphabet="ab.*-\\(?:)|+[]{}2", max_size=10), st.lists(st.text(alphabet="ab.*-(", max_size=6), max_size=5)
)
@settings(max_examples=500)
def test_any_pattern(pattern: str, texts: list[str]) -> None:
    try:
        regular.check(pattern)
    except regular.PatternError:
        return
    for text in texts:
        assert recogniser(pattern)(text) == regular.member(pattern, text)


@pytest.mark.parametrize(
    ("action", "given_", "code"),
    [
        ("nope", {}, Code.UNKNOWN_ACTION),
        ("reserve", {}, Code.MISSING_INPUT),
        ("reserve", {"principal": "a", "call": "c", "most": 1, "now": 5}, Code.UNKNOWN_INPUT),
        ("reserve", {"principal": "a", "call": "c", "most": True}, Code.ILL_TYPED),
        ("reserve", {"principal": "a", "call": "c", "most": "1"}, Code.ILL_TYPED),
        ("reserve", {"principal": "*", "call": "c", "most": 1}, Code.ILL_TYPED),
        ("reserve", {"principal": None, "call": "c", "most": 1}, Code.ILL_TYPED),
        ("reserve", {"principal": "a", "call": "c", "most": 0}, Code.OUT_OF_RANGE),
        ("reserve", {"principal": "a", "call": "c", "most": 10**30}, Code.OUT_OF_RANGE),
        ("reserve", {"principal": "a", "call": "c", "most": 10_001}, Code.REQUIRED),
        ("reserve", {"principal": "a", "call": "c", "most": 10_000}, Code.ALLOWED),
    ],
)
def test_codes(action: str, given_: dict[str, object], code: Code) -> None:
    machine = Machine(program("specs/gateway/budgets.policy").system)
    assert machine.decide(action, given_, 10)[0].code is code


def test_a_clock_that_goes_back() -> None:
    machine = Machine(program("specs/gateway/budgets.policy").system)
    call = {"principal": "a", "call": "c", "most": 1}
    assignments = machine.decide("reserve", call, 10)[1]
    assert assignments is not None
    machine.content.apply(assignments)
    assert machine.decide("reserve", call | {"call": "d"}, 9)[0].code is Code.CLOCK
    assert machine.decide("reserve", call | {"call": "d"}, 10)[0].code is Code.ALLOWED


def test_sets_options_and_approvals() -> None:
    machine = Machine(program("specs/gateway/messaging.policy").system)
    install = {"principal": "ann", "skill": "s"}
    answer, _, duties = machine.decide("install_skill", install | {"findings": ["Shell"]}, 1)
    assert (answer.effect, answer.code, answer.rules[0].name) == ("approve", Code.APPROVAL, "risky_install")
    assert answer.rules[0].place.startswith("specs/gateway/messaging.policy:")
    assert duties == (("approve", ("risky_install", "human", 600_000)),)
    granted = {"approved_risky_install": True, "asked_risky_install": 1}
    assert machine.decide("install_skill", install | {"findings": {"Shell"}}, 2, granted)[0].allowed
    assert machine.decide("install_skill", install | {"findings": []}, 600_002, granted)[0].effect == "approve"
    assert machine.decide("install_skill", install | {"findings": ["Nope"]}, 1)[0].code is Code.ILL_TYPED
    assert machine.decide("install_skill", install | {"findings": []} | granted, 1)[0].code is Code.UNKNOWN_INPUT


def test_what_is_as_at_first_takes_no_room() -> None:
    machine = Machine(program("specs/gateway/budgets.policy").system)
    held = machine.content.numbers["held"]
    for i in range(50):
        for action, more in (("reserve", {"most": 5}), ("abort", {})):
            assignments = machine.decide(action, {"principal": "a", "call": f"c{i}", **more}, i)[1]
            assert assignments is not None
            machine.content.apply(assignments)
    assert len(machine.content.cells[held]) == 0


def test_answers_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.answers.MOST", 3)
    action = next(a for a in many(9).actions if a.name == "use")
    rules = [r.rule for r in action.rules if r.effect == "permit"]
    answers = Answers(None, action, None)
    for _ in range(2):
        for which in ((0,), (1,), (0, 1), (2,), (0, 2), (1, 2), ()):
            assert [r.name for r in answers[which].rules] == [rules[i] for i in which]
            assert len(answers) <= 3
