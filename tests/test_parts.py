"""Parts of a system: what may be verified apart and what may not; a verdict about a part is one about the whole."""

from __future__ import annotations

from policydsl.interp import replay
from tests.checked import program
from verifier import verify as module
from verifier.parts import ELSEWHERE, alone, parts
from verifier.verdict import Proved, Refuted, Unknown, Verdict, Witnessed
from verifier.verify import verify

TWO = """
entity Bot
param CAP: Int[1..9] = 3
param OTHER: Int[1..9] = 4
state left, right: Bot -> Int = 0
action add_left(principal: Bot) {
  require left[principal] < CAP
  left[principal] += 1
}
action add_right(principal: Bot) {
  require right[principal] < OTHER
  right[principal] += 1
}
"""

TIMED = """
state epoch: Time = 0
state opened: Time = 0
state shut: Bool = false
state noise: Int = 0
action open() {
  require now >= epoch + 10ms
  opened := now
}
fair action close() {
  require now >= opened + 5ms
  shut := true
}
action shout() { noise += 1 }
"""


def verdicts(text: str) -> dict[str, Verdict]:
    return {o.property.name: o.verdict for o in verify(program(text).system).outcomes}


def whole(text: str, monkeypatch) -> dict[str, Verdict]:
    with monkeypatch.context() as patch:
        patch.setattr(module, "parts", lambda system: (system,))
        return verdicts(text)


def names(text: str) -> list[list[str]]:
    return [[x.name for x in (*p.actions, *p.properties)] for p in parts(program(text).system)]


def test_what_shares_nothing_but_parameters_and_time_is_apart() -> None:
    text = TWO + "invariant l: forall b: Bot . left[b] <= CAP\ninvariant r: forall b: Bot . right[b] <= OTHER"
    assert names(text) == [["add_left", "l"], ["add_right", "r"]]
    first, second = parts(program(text).system)
    assert [v.name for v in first.state] == ["left"]
    assert [p.name for p in first.params] == ["CAP"]
    assert [p.name for p in second.params] == ["OTHER"]
    assert names(TIMED) == [["open", "close", ELSEWHERE], ["shout", ELSEWHERE]]
    assert [a.name for a in alone(parts(program(TIMED).system)[0]).actions] == ["open", "close"]


def test_one_property_about_both_keeps_them_together() -> None:
    text = TWO + "invariant both: forall b: Bot . left[b] + right[b] <= CAP + OTHER"
    assert len(names(text)) == 1


def test_a_guard_that_looks_at_the_other_keeps_them_together() -> None:
    text = TWO.replace("left[principal] < CAP", "left[principal] < CAP and right[principal] == 0")
    assert len(names(text)) == 1


def test_a_sum_over_both_keeps_them_together() -> None:
    text = TWO + "invariant all: sum(b: Bot . left[b] + right[b]) >= 0"
    assert len(names(text)) == 1


def test_a_step_property_that_others_break_is_asked_of_all(monkeypatch) -> None:
    text = TWO + "step moves: forall b: Bot . left[b] > old(left[b])"
    assert len(names(text)) == 1
    assert isinstance(verdicts(text)["moves"], Refuted)
    text = TWO + "step grows: forall b: Bot . left[b] >= old(left[b])"
    assert len(names(text)) == 2
    assert isinstance(verdicts(text)["grows"], Proved)


def test_runs_are_those_of_the_whole() -> None:
    text = (
        TWO
        + """
    invariant r: forall b: Bot . right[b] < 2
    reachable l: exists b: Bot . left[b] == 2
    """
    )
    system = program(text).system
    assert len(parts(system)) == 2
    found = {o.property.name: o.verdict for o in verify(system).outcomes}
    assert list(found) == ["r", "l"]
    broken, reached = found["r"], found["l"]
    assert isinstance(broken, Refuted)
    assert isinstance(reached, Witnessed)
    for trace in (broken.trace, reached.trace):
        assert replay(system, trace) == []
        assert [p for p, _ in trace.params] == ["CAP", "OTHER"]
        assert len(trace.steps) == 2


def test_time_passes_elsewhere() -> None:
    # Nothing of this part moves the clock beyond 0 but what happens elsewhere.
    text = """
    state epoch: Time = 0
    state done: Bool = false
    state noise: Int = 0
    action early() {
      require now == epoch
      done := true
    }
    action shout() { noise += 1 }
    invariant at_the_start: done implies clock == epoch
    reachable late: done and clock == epoch + 7ms
    """
    found = verdicts(text)
    assert isinstance(found["at_the_start"], Refuted)
    assert isinstance(found["late"], Witnessed)


def test_what_is_claimed_of_the_clock_must_survive_what_happens_elsewhere(monkeypatch) -> None:
    text = (
        TIMED
        + """
    invariant past: opened <= clock
    invariant present: opened == epoch or opened == clock
    eventually closes: true leads to shut
    invariant quiet: noise >= 0
    """
    )
    found = verdicts(text)
    assert {n: type(v) for n, v in found.items()} == {n: type(v) for n, v in whole(text, monkeypatch).items()}
    assert isinstance(found["past"], Proved)
    assert isinstance(found["present"], Refuted)
    assert isinstance(found["quiet"], Proved)


def test_only_those_asked_for_are_answered() -> None:
    text = TWO + "invariant l: forall b: Bot . left[b] <= CAP\ninvariant r: forall b: Bot . right[b] <= OTHER"
    settings = module.Settings(only=frozenset({"r"}))
    assert [o.property.name for o in verify(program(text).system, settings).outcomes] == ["r"]


def test_a_part_says_what_never_happens() -> None:
    text = TWO.replace("right[principal] < OTHER", "right[principal] < 0")
    found = verify(program(text).system)
    assert [(v.subject, v.certain) for v in found.vacuities] == [("action `add_right`", False)]
    assert not any(isinstance(o.verdict, Unknown) for o in found.outcomes)
