"""The Auditor's report of a run: in its record, on the page and in the terminal; and playbooks of one's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policyctl.paint import PLAIN
from policyctl.render_simulation import render_run
from simulator import record
from simulator.agents.playbooks import shipped as shipped_playbooks
from simulator.carry_out import Order, carry_out
from simulator.compliance import Compliance
from simulator.engine import begin
from simulator.record import Record, RecordError
from simulator.report_compliance import incidents, rows
from simulator.report_html import page
from simulator.report_words import story
from simulator.scenario import ScenarioError
from tests.twins import small

SABOTAGE = 'sabotage=[{at = 15, rule = "quarantine_holds"}, {at = 25, what = "skill"}]'
SETTINGS = ("bots=60", "ticks=50", "attack_begins=5", "committee_faults=1", "humans.reaction_ticks=3", SABOTAGE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("run") / "a"
    return carry_out(Order(small("security_attack", *SETTINGS), 1, folder), begin)


def test_the_report_is_in_the_record(made: Record) -> None:
    again = record.read(made.path)
    assert isinstance(made.compliance, Compliance)
    assert again.compliance == made.compliance
    assert (again.compliance.lockdowns, again.compliance.log_leaves) == (1, 50)
    assert len(again.compliance.swapped) == 1


def test_the_report_in_words(made: Record) -> None:
    assert made.compliance is not None
    told = dict(rows(made.compliance))
    assert "compared by their digests, by no second solver" in told["proofs"]
    assert "DID NOT HOLD" in told["proofs"]
    assert "1 lockdown" in told["proofs"]
    assert told["decision log"].startswith(f"50 leaves, root {made.compliance.log_root[:16]}")
    assert f"not what was audited: {made.compliance.swapped[0]}" in told["skills"]
    in_order = made.compliance.model_copy(update={"verifier": "cvc5 9", "proof_faults": 0, "alarms": 0, "wrong": ()})
    told = dict(rows(in_order))
    assert "confirmed by cvc5 9" in told["proofs"]
    assert "DID NOT HOLD" not in told["proofs"]
    assert told["not in order"] == "nothing"


def test_the_page_and_the_terminal_show_it(made: Record) -> None:
    assert made.compliance is not None
    shown = render_run(made, PLAIN)
    assert "\ncompliance\n" in shown
    assert all(len(line) <= 100 for line in shown.splitlines())
    html = page(made)
    assert "<h2>Compliance</h2>" in html
    assert "<h2>The longest incidents</h2>" in html
    assert html.count("<summary>incident ") == len(incidents(made, 12)) > 0
    without = replace(made, compliance=None)
    assert "Compliance" not in page(without)
    assert "\ncompliance\n" not in render_run(without, PLAIN)
    # Whatever stands in the file is escaped.
    wild = made.compliance.model_copy(update={"alarms": 1, "wrong": ("<script>alert(1)</script>",)})
    assert "<script>" not in page(replace(made, compliance=wild))


def test_the_story_tells_the_sabotage(made: Record) -> None:
    policy, skill = [s for s in story(made) if s.startswith("At tick ")]
    assert policy.startswith(
        "At tick 15 the policy is exchanged for one without `quarantine_holds`: noticed in the same"
    )
    assert "set right" in policy
    assert "noticed 5 ticks later by the policy enforcer" in skill
    blind = replace(made, happenings=[h for h in made.happenings if h["who"] == "hindsight"])
    assert [s.rpartition(": ")[2] for s in story(blind) if s.startswith("At tick ")] == ["nobody noticed."] * 2


def test_the_incidents_are_the_longest_with_all_that_is_known(made: Record) -> None:
    found = incidents(made, 3)
    assert len(found) == 3
    assert all(any(h.incident == number for h in notes) for number, notes in found)

    def length(number: int) -> int:
        ticks = [h["tick"] for h in made.happenings if h["incident"] == number]
        return max(ticks) - min(ticks)

    others = {h["incident"] for h in made.happenings} - {number for number, _ in found} - {-1}
    assert min(length(number) for number, _ in found) >= max(map(length, others))


@pytest.mark.parametrize(
    ("text", "says"), [("{", "is no report of compliance"), ('{"allowed": 1}', "is no report of compliance: denied")]
)
def test_a_report_that_is_none_is_told_as_such(tmp_path: Path, text: str, says: str) -> None:
    carry_out(Order(small("normal_operation", "bots=20", "ticks=2", "committee_faults=1"), 1, tmp_path / "a"), begin)
    (tmp_path / "a" / "compliance.json").write_text(text)
    with pytest.raises(RecordError, match=says):
        record.read(tmp_path / "a")
    (tmp_path / "a" / "compliance.json").unlink()
    assert record.read(tmp_path / "a").compliance is None


def test_playbooks_of_ones_own_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = shipped_playbooks()
    path.write_text(text.replace('do = "quarantine"', 'do = "lower_reputation"'))
    # Humans may order what no playbook has.
    settings = ("bots=80", "ticks=60", "attack_begins=5", "committee_faults=1", "humans.reaction_ticks=10000")
    runs = [begin(small("security_attack", *settings, *more), 1) for more in ((), (f"playbooks={path}",))]
    quarantined = []
    for engine in runs:
        for _ in range(60):
            engine.step()
        quarantined.append(int(engine.gateway.tallies["quarantine"].sum()))
    assert quarantined[0] > 0
    assert quarantined[1] == 0
    # A run under other playbooks is another run.
    assert set(runs[1].policies) - set(runs[0].policies) == {"playbooks"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "`playbooks`: `.*mine.toml` cannot be read"),
        ("[phishing", "`playbooks`: .*mine.toml: this is no TOML"),
        ("[spam]\nabout = 'x'\nsteps = []", "`playbooks`: .*mine.toml: .*phishing"),
    ],
)
def test_playbooks_that_are_none_are_refused(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ScenarioError, match=says):
        begin(small("normal_operation", f"playbooks={path}"), 1)


@pytest.mark.parametrize("profile", ["strict", "balanced"])
def test_both_profiles_of_reputation_can_be_chosen(profile: str) -> None:
    engine = begin(small("normal_operation", f"reputation_profile={profile}", "bots=20", "committee_faults=1"), 1)
    tracker = engine.state.team.tracker
    assert tracker is not None
    assert tracker.profile == profile
