"""What the enforcer is told differently by two versions: without the state, in a lockdown, in two phases."""

from __future__ import annotations

import pytest
from checked import program

from verifier.diff import diff

OPERATED = """
entity Job
state held, log : Job -> Int = 0
action look(job: Job) { }
action peek(job: Job) { }
action hold(job: Job) { held[job] := 1 }
action settle(job: Job) { held[job] := 2 }
action drop(job: Job) { held[job] := 0 }
action lapse(job: Job) { held[job] := 0 }
"""
FOUR = "reserve by hold, commit by settle, abort by drop, expire by lapse"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("", "", []),
        (
            "allow look while unavailable",
            "allow peek while unavailable",
            [("newly allowed while unavailable", "peek", ""), ("newly denied while unavailable", "look", "")],
        ),
        ("allow look, peek while unavailable", "allow peek while unavailable allow look while unavailable", []),
        (
            "allow hold while locked down",
            "allow hold, drop while locked down",
            [("newly allowed while locked down", "drop", "")],
        ),
        ("allow drop while locked down", "", [("newly denied while locked down", "drop", "")]),
        (
            "",
            "two phase job: reserve by hold, commit by settle, abort by drop",
            [("newly allowed in two phases", "job", "reserve by hold, commit by settle, abort by drop")],
        ),
        (
            f"two phase job: {FOUR}",
            f"two phase work: {FOUR}",
            [
                (
                    "newly allowed in two phases",
                    "work",
                    "reserve by hold, commit by settle, abort by drop, expire by lapse",
                ),
                (
                    "newly denied in two phases",
                    "job",
                    "reserve by hold, commit by settle, abort by drop, expire by lapse",
                ),
            ],
        ),
        (
            "two phase job: reserve by hold, commit by settle, abort by drop",
            "two phase job: abort by settle, reserve by hold, commit by drop, expire by lapse",
            [
                (
                    "otherwise in two phases",
                    "job",
                    "commit: settle -> drop, abort: drop -> settle, expire: none -> lapse",
                )
            ],
        ),
        (
            "two phase job: reserve by hold, commit by settle, abort by drop",
            "// the same\ntwo phase job: commit by settle, abort by drop, reserve by hold",
            [],
        ),
    ],
)
def test_what_the_enforcer_is_told_differently(old: str, new: str, found: list[tuple[str, str, str]]) -> None:
    d = diff(*(program(f"{OPERATED}{text}").system for text in (old, new)))
    assert [(o.kind, o.name, o.detail) for o in d.operation] == found
    assert d.differences == ()
    assert d.same is not bool(found)
