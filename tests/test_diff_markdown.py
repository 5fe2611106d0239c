"""A diff as a comment on a pull request: readable, unbreakable, and never too long."""

from __future__ import annotations

import json

from policyctl.render_diff import DifferenceView, DiffView, EditView, OperationView, diffs_to_json, render_diffs
from policyctl.render_diff_markdown import LONGEST, diffs_to_markdown
from policyctl.results import StepView, TraceView


def run(effect: str, why: str = "", start: tuple[str, ...] = (), call: str = "vote(alice, p1)") -> TraceView:
    return TraceView(start, (StepView("open(p1)", "allow"), StepView(call, effect, why)))


ALLOWED = DifferenceView("vote", "newly allowed", "", run("deny", "already voted"), run("allow"))
DENIED = DifferenceView("close", "newly denied", "", run("allow"), run("deny", "too early"))


def test_what_is_newly_allowed_comes_first_and_open() -> None:
    text = diffs_to_markdown([DiffView("a.policy", (EditView("rule", "r on vote", "changed"),), (DENIED, ALLOWED))])
    assert text == (
        "## What this change of policy means\n\n"
        "**1 newly denied · 1 newly allowed**\n\n"
        "### `a.policy`\n\n"
        "- rule changed: r (vote)\n\n"
        "**Newly allowed: `vote`**\n\n"
        "```diff\n"
        "  1  open(p1)   allow\n"
        "- 2  vote(alice, p1)   deny: already voted\n"
        "+ 2  vote(alice, p1)   allow\n"
        "```\n\n"
        "<details><summary>Newly denied: <code>close</code></summary>\n\n"
        "```diff\n"
        "  1  open(p1)   allow\n"
        "- 2  vote(alice, p1)   allow\n"
        "+ 2  vote(alice, p1)   deny: too early\n"
        "```\n\n"
        "</details>\n"
    )


def test_starts_that_differ_are_both_shown() -> None:
    d = DifferenceView("vote", "newly denied", "in doubt", run("allow"), run("deny", start=("yes[p1] = 3",)))
    view = DiffView("a.policy", (), (d,))
    assert "- start  as declared\n+ start  yes[p1] = 3\n" in diffs_to_markdown([view])
    assert "- start  as declared\n    + start  yes[p1] = 3\n" in render_diffs([view])
    assert render_diffs([view]).endswith("\n1 perhaps newly denied\n")


def test_that_nothing_differs_is_only_said_when_it_is_certain() -> None:
    same = DiffView("a.policy", (EditView("rule", "r", "changed"),), same=True)
    skipped = DiffView("b.policy", (EditView("input", "x on act", "changed"),), skipped=("act",))
    assert "**no request is answered differently**" in diffs_to_markdown([same])
    assert "Every run of requests is answered alike." in diffs_to_markdown([same])
    text = diffs_to_markdown([same, skipped])
    assert "**nothing that can be compared is answered differently**" in text
    assert "`act`: its inputs are others now" in text
    assert render_diffs([skipped]).endswith("nothing that can be compared is answered differently\n")


def test_unchanged_policies_are_left_out() -> None:
    assert "a.policy" not in diffs_to_markdown([DiffView("a.policy", same=True), DiffView("b.policy", (), (ALLOWED,))])


def test_texts_of_a_policy_cannot_break_out() -> None:
    nasty = 'say("```\n</details> <script> @everyone")'
    d = DifferenceView("a`b|c", "newly denied", "<b>*x*", run("allow", call=nasty), run("deny", "``", call=nasty))
    text = diffs_to_markdown([DiffView("p`q.policy", (EditView("rule", "x_[y](z)|", "changed", "<i> @me"),), (d,))])
    assert "````diff\n" in text
    assert text.count("\n````\n") == 1
    assert "<summary>Newly denied: <code>a`b|c</code> (&lt;b&gt;*x*)</summary>" in text
    assert "### ``p`q.policy``" in text
    assert r"x\_\[y\](z)\|: \<i\> \@me" in text
    inside = text.split("````diff\n")[1].split("\n````\n")[0]
    assert "</details> <script> @everyone" in inside


def test_verdicts_are_a_table() -> None:
    verdicts = (("bou|nded", "unknown", "proved"), ("fresh", "", "refuted"), ("old", "proved", ""))
    text = diffs_to_markdown([DiffView("a.policy", verdicts=verdicts)])
    assert (
        "| `bou\\|nded` | unknown | proved |\n| `fresh` | new | **refuted** |\n| `old` | proved | **gone** |\n" in text
    )


def test_a_comment_is_never_too_long() -> None:
    many = DiffView("a.policy", (), (ALLOWED,) * 2_000)
    text = diffs_to_markdown([many])
    assert LONGEST * 0.9 < len(text) < 65_536
    assert text.endswith("_The rest is too long for a comment: run `policyctl diff`._\n")
    assert text.count("```diff") == text.count("\n```\n")


def test_what_is_only_named_is_one_line() -> None:
    named = [DifferenceView(a, "newly denied", "perhaps") for a in ("vote", "close")]
    view = DiffView("a.policy", (), (named[0], ALLOWED, named[1]))
    assert render_diffs([view]).endswith(
        "  newly denied: vote, close   perhaps\n2 neither shown nor ruled out · 1 newly allowed\n"
    )
    assert diffs_to_markdown([view]).endswith("**Newly denied: `vote, close` (perhaps)**\n\n")


def test_what_the_enforcer_is_told_differently_is_said_in_every_form() -> None:
    told = (
        OperationView("newly allowed while unavailable", "read_status"),
        OperationView("newly allowed while unavailable", "read_log"),
        OperationView("newly denied while locked down", "audit"),
        OperationView("otherwise in two phases", "call", "commit: settle -> done"),
    )
    view = DiffView("a.policy", operation=told)
    assert render_diffs([view]) == (
        "a.policy\n"
        "  newly allowed while unavailable: read_status, read_log\n"
        "  newly denied while locked down: audit\n"
        "  otherwise in two phases: call (commit: settle -> done)\n"
        "2 newly allowed while unavailable · 1 newly denied while locked down · 1 otherwise in two phases\n"
    )
    assert diffs_to_markdown([view]) == (
        "## What this change of policy means\n\n"
        "**2 newly allowed while unavailable · 1 newly denied while locked down · 1 otherwise in two phases**\n\n"
        "### `a.policy`\n\n"
        "**Newly allowed while unavailable: `read_status`, `read_log`**\n\n"
        "Newly denied while locked down: `audit`\n\n"
        "Otherwise in two phases: `call` (commit: settle -\\> done)\n"
    )
    assert [o["name"] for o in json.loads(diffs_to_json([view]))["files"][0]["operation"]] == [o.name for o in told]
