"""Codes of diagnostics: each one used has a page, each example triggers its code, and the document is current."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import policydsl
from policyctl.render_pages import markdown, page_text
from policydsl.codes import CODES
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.solidity_check import gaps_of

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"[EWRUI]\d{3}")
WITH_EXAMPLE = {code: page for code, page in CODES.items() if page.example}


def used() -> dict[str, str]:
    """Every string constant in the sources that is a code, with the file it stands in; pages themselves left out."""
    found = {}
    for package in ("policydsl", "verifier", "runtime", "policyctl"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name.startswith("pages_"):
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                    found[node.value] = path.relative_to(ROOT).as_posix()
    return found


def test_no_code_has_two_pages() -> None:
    owners: dict[str, list[str]] = {}
    for module in iter_modules(policydsl.__path__):
        if module.name.startswith("pages_"):
            for code in import_module(f"policydsl.{module.name}").PAGES:
                owners.setdefault(code, []).append(module.name)
    assert {code: names for code, names in owners.items() if len(names) > 1} == {}
    assert set(owners) == set(CODES)


def test_each_code_in_the_sources_has_a_page() -> None:
    assert {code: path for code, path in used().items() if code not in CODES} == {}


def test_each_page_is_about_a_code_in_the_sources() -> None:
    assert set(CODES) - set(used()) == set()


@pytest.mark.parametrize("code", CODES)
def test_pages_are_written_out(code: str) -> None:
    page = CODES[code]
    assert CODE.fullmatch(code)
    assert page.title
    assert page.title[0].islower() or not page.title[0].isalpha()
    assert not page.title.endswith(".")
    assert page.text.strip()
    assert page.fix.strip()
    assert page_text(code, page).startswith(f"{code}: {page.title}")


@pytest.mark.parametrize("code", WITH_EXAMPLE)
def test_each_example_triggers_its_code(code: str) -> None:
    def read(path: str) -> str:
        if path == "example.policy":
            return WITH_EXAMPLE[code].example
        raise FileNotFoundError(path)

    report = Report()
    programs = load(["example.policy"], read, report)
    found = {d.code for d in report.found}
    if code[0] == "U":
        assert not report.failed, report.sorted()
        found = {d.code for p in programs for d in gaps_of(p.system)}
    assert code in found, report.sorted()


@pytest.mark.parametrize("code", [c for c in CODES if c[0] in "EWU"])
def test_what_a_policy_can_cause_is_shown_by_one(code: str) -> None:
    assert CODES[code].example


def test_the_document_is_up_to_date() -> None:
    document = ROOT / "docs" / "errors.md"
    assert document.read_text(encoding="utf-8") == markdown(CODES), "run `just update`"
