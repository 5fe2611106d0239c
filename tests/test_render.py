"""Results to reports: each format, on made-up results that show every kind of thing."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest

from policyctl.exit_codes import ERRORS, INTERNAL, OK, REFUTED, UNKNOWN, exit_code
from policyctl.output import FORMATS, render
from policyctl.paint import PLAIN, Paint, wants_colour
from policyctl.render_diagnostics import render_diagnostic
from policyctl.render_text import render_run, summary
from policyctl.results import FileResult, PropertyView, Remark, Run, StepView, TestView, TraceView
from policyctl.results_json import file_from_json, file_to_json
from policydsl.diagnostics import Diagnostic, Label, Severity
from policydsl.source import Span

PATH = "specs/mvg/seed_contract.policy"
PROVED = PropertyView(
    "bounded_reputation",
    "invariant",
    "proved",
    scope="for any number of bots and steps",
    how="1-inductive + 2 lemmas found",
    lemmas=("yes[p] >= 0",),
    span=Span(PATH, 10, 20, 12, 3),
)
DOUBLE_VOTE = TraceView(
    ("QUORUM = 1",),
    (
        StepView("submit(alice, p1)", "allow", changes=("stage[p1]: Drafted -> VotingOpen",)),
        StepView("vote(bob, p1, true)", "allow", changes=("yes[p1]: 0 -> 100",)),
        StepView("vote(carol, p1, true)", "deny", "already voted"),
        StepView("vote(bob, p1, true)", "allow", changes=("yes[p1]: 100 -> 200",)),
    ),
    '{"format": "policyctl-trace/1"}',
)
REFUTED_VIEW = PropertyView(
    "one_ballot_per_voter",
    "invariant",
    "refuted",
    expected="refuted",
    because="the same ballot twice",
    trace=DOUBLE_VOTE,
    span=Span(PATH, 400, 420, 41, 1),
)
UNKNOWN_VIEW = PropertyView("hard", "invariant", "unknown", how="no invariant found to depth 8", cti=DOUBLE_VOTE)
REACHED = PropertyView("somebody_wins", "reachable", "proved", trace=DOUBLE_VOTE)
FAILURE = Diagnostic("R805", Severity.ERROR, "test `t`: expected deny, got allow", Span(PATH, 9, 12, 1, 9))
GOOD = FileResult(PATH, "mvg.seed", "d1", properties=(PROVED, REFUTED_VIEW, REACHED))


def of(*files: FileResult) -> Run:
    return Run("verify", files, 2.94)


def with_property(view: PropertyView) -> Run:
    return of(FileResult(PATH, properties=(view,)))


def test_the_report_reads_as_the_documentation_shows_it() -> None:
    assert render_run(of(GOOD), {}) == (
        "specs/mvg/seed_contract.policy\n"
        "  ✓ bounded_reputation     proved    for any number of bots and steps (1-inductive + 2 lemmas found)\n"
        "  ✗ one_ballot_per_voter   refuted   in 4 steps  (expected)\n"
        "      start  QUORUM = 1\n"
        "       1  submit(alice, p1)       stage[p1]: Drafted -> VotingOpen\n"
        "       2  vote(bob, p1, true)     yes[p1]: 0 -> 100\n"
        "       3  vote(carol, p1, true)   deny: already voted\n"
        "       4  vote(bob, p1, true)     yes[p1]: 100 -> 200    <- the same ballot twice: seed_contract.policy:41\n"
        "  ✓ somebody_wins          reached   in 4 steps\n"
        "2 proved · 1 refuted as expected · 0 unknown · 2.9 s\n"
    )


def test_verbose_adds_witnesses_and_lemmas() -> None:
    text = render_run(of(GOOD), {}, verbose=True)
    assert "lemma yes[p] >= 0" in text
    assert text.count("submit(alice, p1)") == 2


def test_an_unknown_shows_its_cti_and_says_that_it_is_no_bug() -> None:
    text = render_run(with_property(UNKNOWN_VIEW), {})
    assert "? hard   unknown   no invariant found to depth 8" in text
    assert "induction fails at this step" in text
    assert "vote(bob, p1, true)" in text


def test_many_changes_go_on_lines_of_their_own() -> None:
    changes = tuple(f"balance[account_number_{i}]: 0 -> 1_000_000" for i in range(4))
    trace = TraceView((), (StepView("pay(all)", "allow", changes=changes),))
    text = render_run(with_property(replace(REFUTED_VIEW, trace=trace)), {})
    lines = [line for line in text.splitlines() if "balance" in line]
    assert len(lines) == 4
    assert len({line.index("balance") for line in lines}) == 1
    assert [line for line in lines if "<-" in line] == lines[:1]


def test_a_run_of_no_steps_is_the_initial_state() -> None:
    view = replace(REFUTED_VIEW, expected="proved", trace=TraceView((), ()))
    text = render_run(with_property(view), {})
    assert "refuted   in the initial state\n" in text
    assert "<- the same ballot twice: seed_contract.policy:41" in text


def test_the_summary_counts_what_is_from_the_cache() -> None:
    assert summary(of(GOOD.as_cached())) == "2 proved · 1 refuted as expected · 0 unknown · 2.9 s (3 from cache)"


def test_the_summary_says_that_nothing_is_claimed_unless_the_text_is_wrong() -> None:
    wrong = Diagnostic("E101", Severity.ERROR, "there is nothing called `x`", Span(PATH, 0, 1, 1, 1))
    assert "no policy here claims anything" in summary(of(FileResult(PATH)))
    for known in (GOOD, FileResult(PATH, diagnostics=(wrong,)), FileResult(PATH, crash="boom")):
        assert "claims anything" not in summary(of(known))


def test_the_summary_names_every_surprise() -> None:
    views = (
        replace(PROVED, expected="refuted"),
        replace(REFUTED_VIEW, expected="proved"),
        replace(UNKNOWN_VIEW, expected="unknown"),
        UNKNOWN_VIEW,
    )
    assert summary(of(FileResult(PATH, properties=views))) == (
        "0 proved · 1 proved against expectation · 1 refuted · 1 unknown as expected · 1 unknown · 2.9 s"
    )


def test_colour_is_asked_for_and_wraps_whole_words() -> None:
    assert "\x1b[" not in render_run(of(GOOD), {})
    coloured = render_run(of(GOOD), {}, Paint(colour=True))
    assert "\x1b[32m✓\x1b[0m" in coloured


@pytest.mark.parametrize(
    ("terminal", "environment", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_no_colour_off_terminals_or_against_the_users_will(
    terminal: bool, environment: dict[str, str], expected: bool
) -> None:
    assert wants_colour(terminal, environment) is expected


# ---- diagnostics

SOURCE = "entity Bot\nstate rank : Bot -> Int = 0\n\trequire rank[b] == 日本 or x\n"


def span(text: str) -> Span:
    start = SOURCE.index(text)
    line = SOURCE.count("\n", 0, start) + 1
    return Span("a.policy", start, start + len(text), line, start - (SOURCE.rfind("\n", 0, start) + 1) + 1)


def test_a_diagnostic_underlines_its_source() -> None:
    d = Diagnostic(
        "E101",
        Severity.ERROR,
        "unknown name `rank`",
        span("rank[b]"),
        (Label(span("state rank"), "this is what there is"),),
        "did you mean `bank`?\nor declare it",
    )
    assert render_diagnostic(d, {"a.policy": SOURCE}) == (
        "error[E101]: unknown name `rank`\n"
        " --> a.policy:3:10\n"
        "  |\n"
        "3 |     require rank[b] == 日本 or x\n"
        "  |             ^^^^^^^\n"
        " ::: a.policy:2:1\n"
        "  |\n"
        "2 | state rank : Bot -> Int = 0\n"
        "  | ---------- this is what there is\n"
        "  = help: did you mean `bank`?\n"
        "          or declare it"
    )


@pytest.mark.parametrize(("text", "column", "width"), [("日本", 23, 4), ("x\n", 31, 1)])
def test_underlines_stand_below_wide_characters(text: str, column: int, width: int) -> None:
    d = Diagnostic("E101", Severity.WARNING, "what", span(text))
    under = render_diagnostic(d, {"a.policy": SOURCE}).splitlines()[-1]
    assert under == "  | " + " " * column + "^" * width


def test_a_place_outside_any_text_still_renders() -> None:
    d = Diagnostic("I950", Severity.ERROR, "no file", Span("gone.policy", 0, 0, 0, 0))
    assert render_diagnostic(d, {}) == "error[I950]: no file\n --> gone.policy"


def test_source_cannot_steer_the_terminal() -> None:
    d = Diagnostic("E001", Severity.ERROR, "what", Span("a", 0, 3, 1, 1))
    assert "\x1b" not in render_diagnostic(d, {"a": "\x1b[2J boo"})


# ---- exit codes


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (GOOD, OK),
        (FileResult(PATH, properties=(UNKNOWN_VIEW,)), UNKNOWN),
        (FileResult(PATH, properties=(UNKNOWN_VIEW, replace(REFUTED_VIEW, expected="proved"))), REFUTED),
        (FileResult(PATH, properties=(replace(PROVED, expected="refuted"),)), REFUTED),
        (FileResult(PATH, properties=(replace(UNKNOWN_VIEW, expected="unknown"),)), OK),
        (FileResult(PATH, properties=(replace(PROVED, expected="unknown"),)), REFUTED),
        (FileResult(PATH, diagnostics=(Diagnostic("E101", Severity.ERROR, "no", Span(PATH, 0, 1, 1, 1)),)), ERRORS),
        (FileResult(PATH, diagnostics=(Diagnostic("W701", Severity.WARNING, "hm", Span(PATH, 0, 1, 1, 1)),)), OK),
        (FileResult(PATH, tests=(TestView("t", (FAILURE,)),)), ERRORS),
        (FileResult(PATH, crash="Traceback"), INTERNAL),
    ],
)
def test_exit_codes(file: FileResult, expected: int) -> None:
    assert exit_code(of(file)) == expected
    assert exit_code(of(file, GOOD)) == expected, "a good file hides no bad one"


# ---- every format, on every kind of result

NASTY = 'a < b & "c" ]]> \x00\x1b % \n two'
THERE = Span("specs/a b.policy", 5, 9, 2, 3)
EVERYTHING = of(
    GOOD,
    FileResult(
        "specs/a b.policy",
        diagnostics=(
            Diagnostic("E101", Severity.ERROR, NASTY, THERE, help="try `x`"),
            Diagnostic(
                "W701",
                Severity.WARNING,
                "unused",
                Span("specs/a b.policy", 15, 19, 3, 1),
                (Label(Span(PATH, 1, 2, 1, 2), ""),),
            ),
        ),
        properties=(replace(REFUTED_VIEW, expected="proved"), UNKNOWN_VIEW, replace(PROVED, expected="refuted")),
        remarks=(Remark("R811", "rule `r` decides nothing", False), Remark("R813", "they meet", witness=DOUBLE_VOTE)),
        tests=(TestView("good"), TestView(NASTY, (FAILURE,), DOUBLE_VOTE, THERE)),
    ),
    FileResult("crashed.policy", crash="Traceback\nZeroDivisionError: no"),
)


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_renders_everything_and_an_empty_run(format_: str) -> None:
    assert render(EVERYTHING, format_)
    assert render(of(), format_)


def test_json_says_it_all_and_reads_back() -> None:
    data = json.loads(render(EVERYTHING, "json"))
    assert data["exit_code"] == INTERNAL
    assert data["summary"]["proved"] == 3
    assert data["summary"]["unexpected"] == 3
    assert tuple(map(file_from_json, data["files"])) == EVERYTHING.files
    assert data["files"][0]["properties"][1]["trace"]["record"] == {"format": "policyctl-trace/1"}


@pytest.mark.parametrize("file", EVERYTHING.files, ids=lambda f: f.path)
def test_results_survive_json(file: FileResult) -> None:
    assert file_from_json(json.loads(json.dumps(file_to_json(file)))) == file


def test_junit_is_xml_with_a_case_per_property_and_test() -> None:
    root = ET.fromstring(render(EVERYTHING, "junit"))
    assert [s.get("name") for s in root] == [PATH, "specs/a b.policy", "crashed.policy"]
    assert [(s.get("tests"), s.get("failures"), s.get("errors")) for s in root] == [
        ("3", "0", "0"),
        ("6", "4", "1"),
        ("1", "0", "1"),
    ]
    for suite in root:
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors", "")) == len(suite.findall("testcase/error"))


def test_github_annotations_are_one_line_each() -> None:
    *annotations, last = render(EVERYTHING, "github").splitlines()
    assert last == summary(EVERYTHING)
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in annotations)
    assert annotations[0].startswith("::error file=specs/a b.policy,line=2,col=3,title=E101::a < b")
    assert "%0A two" in annotations[0]
    assert "%25" in annotations[0]


def test_sarif_has_the_required_structure() -> None:
    log = json.loads(render(EVERYTHING, "sarif"))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "policyctl"
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert run["invocations"] == [{"executionSuccessful": False}]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        for place in (*result["locations"], *result.get("relatedLocations", ())):
            _assert_place(place)
    by_rule: dict[str, Any] = {result["ruleId"]: result for result in run["results"]}
    [flow] = by_rule["R801"]["codeFlows"]
    [thread] = flow["threadFlows"]
    texts = [step["location"]["message"]["text"] for step in thread["locations"]]
    assert texts[0] == "submit(alice, p1): allow; stage[p1]: Drafted -> VotingOpen"
    assert texts[2] == "vote(carol, p1, true): deny (already voted)"
    assert by_rule["W701"]["relatedLocations"][0]["id"] == 1
    assert by_rule["E101"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "specs/a%20b.policy"


def _assert_place(place: dict[str, Any]) -> None:
    region = place["physicalLocation"].get("region")
    assert place["physicalLocation"]["artifactLocation"]["uri"]
    if region is not None:
        assert region["startLine"] >= 1
        assert region["startColumn"] >= 1
        assert region["charOffset"] >= 0
        assert region["charLength"] >= 0


def test_expected_verdicts_are_no_findings() -> None:
    assert json.loads(render(of(GOOD), "sarif"))["runs"][0]["results"] == []
    assert render(of(GOOD), "github", PLAIN) == summary(of(GOOD)) + "\n"
