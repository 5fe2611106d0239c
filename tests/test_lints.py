"""Each page of the checker: its example gives its code and no other, at a place with words in it."""

from __future__ import annotations

import pytest

from policydsl import (
    pages_check_lints,
    pages_check_names,
    pages_check_operation,
    pages_check_rules,
    pages_check_types,
)
from policydsl.diagnostics import Report
from policydsl.load import load
from policydsl.page import Page

PAGES: dict[str, Page] = {
    **pages_check_lints.PAGES,
    **pages_check_names.PAGES,
    **pages_check_operation.PAGES,
    **pages_check_rules.PAGES,
    **pages_check_types.PAGES,
}
EXAMPLES = {code: page.example for code, page in PAGES.items() if page.example}


def found(text: str) -> Report:
    def read(path: str) -> str:
        if path == "example.policy":
            return text
        raise FileNotFoundError(path)

    report = Report()
    load(["example.policy"], read, report)
    return report


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_gives_its_code_alone(code: str) -> None:
    report = found(EXAMPLES[code])
    assert {d.code for d in report.found} == {code}, [(d.code, d.text) for d in report.found]


@pytest.mark.parametrize("code", EXAMPLES)
def test_what_is_found_has_a_place_and_a_help_line(code: str) -> None:
    for d in found(EXAMPLES[code]).found:
        assert d.help
        assert EXAMPLES[code][d.span.start : d.span.end].strip()
        assert not d.text.endswith(".")
        assert "\n" not in d.text + d.help
