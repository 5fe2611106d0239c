"""The table of properties worth having: each entry has the verdict that the table says, and none is left out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from policydsl.core.system import Expected
from policydsl.diagnostics import Report
from policydsl.load import load

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "governance-properties.md").read_text(encoding="utf-8")

CASES = ("framework's contract", "framework's reputation", "Beanstalk", "Build Finance", "Tornado Cash")
CHECKLIST = (
    "initialised at most once", "fields do not change", "before the start or after the deadline", "double voting",
    "never decrease", "quorum was reached and the vote succeeded", "before the deadline or the timelock",
    "both executed and cancelled", "executed at most once", "only governance changes", "admin schedules",
    "only after it was ready",
)  # fmt: skip


def tables() -> list[tuple[list[str], list[list[str]]]]:
    """Headings and rows."""
    found = []
    for text in re.findall(r"(?:^\|.*\|\n)+", PAGE, re.MULTILINE):
        heading, _, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()]
        found.append((heading, rows))
    return found


ENTRIES = [
    (entry, heading)
    for headings, rows in tables()
    for row in rows
    for heading, cell in zip(headings, row, strict=True)
    for entry in re.findall(r"`([^`]+)`", cell)
]


@cache
def verdicts(file: str) -> dict[str, Expected]:
    [program] = load([f"specs/{file}.policy"], lambda p: (ROOT / p).read_text(encoding="utf-8"), Report())
    return {p.name.partition("@")[0]: p.expected for p in program.system.properties}


@pytest.mark.parametrize(("entry", "heading"), ENTRIES)
def test_each_entry_is_a_property_with_that_verdict(entry: str, heading: str) -> None:
    """That policies have the verdicts that they expect is what `test_specs.py` and `policyctl verify specs/` show."""
    file, _, name = entry.partition(":")
    assert verdicts(file)[name] is Expected(heading)


def test_every_case_and_every_line_of_the_checklist_is_there() -> None:
    (_, cases), (_, checklist), _ = tables()
    assert [c for c in CASES if not any(c in row[0] for row in cases)] == []
    assert len(checklist) == len(CHECKLIST)
    assert all(wanted in row[0] for wanted, row in zip(CHECKLIST, checklist, strict=True))
    assert all("`" in cell for row in [*cases, *checklist] for cell in row[(2 if len(row) == 4 else 1) :])


def test_every_flaw_that_ships_is_in_the_table() -> None:
    flawed = {p.stem for p in (ROOT / "specs" / "failures").glob("*_flawed.policy")}
    assert {entry.partition(":")[0].partition("/")[2] for entry, heading in ENTRIES if heading == "refuted"} >= flawed
    seed = {n for n, v in verdicts("mvg/seed_contract").items() if v is Expected.REFUTED}
    assert {e.partition(":")[2] for e, _ in ENTRIES if e.startswith("mvg/seed_contract:")} == seed


def test_what_the_page_of_the_lifecycle_names_is_proved() -> None:
    page = (ROOT / "docs" / "lifecycle.md").read_text(encoding="utf-8")
    [table] = re.findall(r"(?:^\|.*\|\n)+", page, re.MULTILINE)
    named = re.findall(r"`(\w+)`", table)
    assert len(named) > 20
    assert {name: verdicts("mvg/lifecycle").get(name) for name in named} == dict.fromkeys(named, Expected.PROVED)
