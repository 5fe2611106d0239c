"""The page about the enforcer keeps its word: its Python runs, in order, after its commands."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from documents import ROOT, as_run, blocks

PAGE = ROOT / "docs" / "enforcer.md"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_python_of_the_page_runs(tmp_path: Path) -> None:
    as_run(PAGE, tmp_path)
    scope: dict[str, object] = {}
    ran = 0
    with contextlib.chdir(tmp_path):
        for block in blocks(PAGE):
            if block.language == "python":
                exec(compile(block.text, f"{PAGE.name}:{block.line}", "exec"), scope)
                ran += 1
    assert ran >= 6
