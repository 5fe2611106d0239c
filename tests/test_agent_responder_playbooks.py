"""Playbooks as data: what ships fits its schema, and what does not fit is named by its field."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from simulator.agents.incident_responder_steps import LONGEST
from simulator.agents.playbooks import KINDS, MOST_STEPS, OBSERVABLES, Do, Plans, PlaybookError, checked, plans, shipped
from simulator.snapshot import restore, save


def tree() -> dict[str, Any]:
    return tomllib.loads(shipped())


def test_every_kind_of_alert_has_a_playbook_with_a_remedy_that_is_checked() -> None:
    found = checked(tree())
    assert tuple(found) == KINDS
    for kind, book in found.items():
        assert any(s.do != "human" for s in book.steps), kind
        assert all(s.observe in OBSERVABLES for s in book.steps if s.do != "human"), kind
        assert book.about


def test_tables_say_what_the_file_says() -> None:
    found, books = plans(), checked(tree())
    for row, kind in enumerate(KINDS):
        steps = books[kind].steps
        assert [Do(d).name.lower() for d in found.do[row, : len(steps)].tolist()] == [s.do for s in steps]
        assert found.do[row, len(steps) :].tolist() == [0] * (MOST_STEPS - len(steps))
        assert found.within[row, : len(steps)].tolist() == [s.settle + s.within for s in steps]
        assert found.settle[row, : len(steps)].tolist() == [s.settle for s in steps]
        assert found.level[row, : len(steps)].tolist() == [s.level for s in steps]
        assert found.at_most[row, : len(steps)].tolist() == [s.at_most for s in steps]
        for step in steps:
            assert found.looks[row, [step.settle, step.settle + step.within]].all()
        assert found.from_score[row, : len(steps)].tolist() == [s.from_score for s in steps]
        assert [Do(d).name.lower() for d in found.otherwise[row, : len(steps)].tolist()] == [s.otherwise for s in steps]
    assert found.within.max() < LONGEST


def test_plans_are_plain_state() -> None:
    found = plans()
    again = restore(Plans, *save(found))
    assert (again.do == found.do).all()
    assert again.at_most.dtype == found.at_most.dtype


STEP = {"do": "quarantine", "to": "bot", "observe": "messages"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"do": "quarantin"}, "spam.steps.1.do: input should be 'quarantine', "),
        ({"to": "link"}, "spam.steps.1: `to`: `quarantine` is done to a bot"),
        ({"do": "tighten"}, "spam.steps.1: `to`: `tighten` is done to nobody in particular"),
        ({"observe": "mesages"}, "spam.steps.1: `observe`: choose one of messages, "),
        ({"observe": "blocked"}, "spam.steps.1: `observe`: `blocked` is of a link, which `quarantine` is not done to"),
        ({"do": "block_link", "to": "link"}, "spam.steps.1: `observe`: `messages` is of a bot, which `block_link` is "),
        (
            {"do": "audit", "to": "skill", "observe": "reputation"},
            "spam.steps.1: `observe`: `reputation` is of a bot",
        ),
        ({"observe": "distrust"}, "spam.steps.1: `observe`: `distrust` is of a skill, "),
        ({"observe": "link_senders"}, "spam.steps.1: `observe`: `link_senders` is of a link, "),
        ({"observe": "skill_uses"}, "spam.steps.1: `observe`: `skill_uses` is of a skill, "),
        ({"do": "human", "to": ""}, "spam.steps.1: `observe`: a human judges himself"),
        ({"from_score": 1.5}, "spam.steps.1.from_score: input should be less than or equal to 1"),
        ({"within": 0}, "spam.steps.1.within: input should be greater than or equal to 1"),
        ({"within": "soon"}, "spam.steps.1.within: input should be a valid integer"),
        ({"otherwise": "audit"}, "spam.steps.1.otherwise: input should be 'nothing', 'human', "),
        ({"whithin": 3}, "spam.steps.1.whithin: is no field"),
    ],
)
def test_a_step_that_does_not_fit_is_named(change: dict[str, Any], fault: str) -> None:
    broken = tree()
    broken["spam"]["steps"] = [STEP | change]
    with pytest.raises(PlaybookError) as error:
        checked(broken)
    assert str(error.value).startswith(fault), str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_missing_and_unknown_playbooks_are_named() -> None:
    broken = tree()
    del broken["sybil"]
    broken["sibyl"] = broken["spam"]
    with pytest.raises(PlaybookError) as error:
        checked(broken)
    lines = str(error.value).splitlines()
    assert lines == [
        "sybil: a playbook for `sybil` is missing",
        f"sibyl: there are no alerts of this kind; there are {', '.join(KINDS)}",
    ]


def test_a_playbook_without_steps_or_with_too_many_is_refused() -> None:
    for steps in ([], [STEP] * (MOST_STEPS + 1)):
        broken = tree()
        broken["spam"]["steps"] = steps
        with pytest.raises(PlaybookError, match=r"^spam\.steps: tuple should have at "):
            checked(broken)


def test_what_is_no_toml_is_said_to_be_none() -> None:
    with pytest.raises(PlaybookError, match=r"^this is no TOML: Unclosed array"):
        plans("spam = [ 1 2")
