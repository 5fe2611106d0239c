"""The pages whose Python can be run keep their word: it runs, in order, after their commands."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from documents import ROOT, as_run, blocks


@pytest.mark.parametrize(("page", "least"), [("coordination", 1), ("meta-governance", 1)])
def test_the_python_of_the_page_runs(page: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLICYCTL_CACHE_DIR", raising=False)
    document = ROOT / "docs" / f"{page}.md"
    as_run(document, tmp_path)
    scope: dict[str, object] = {}
    python = [block for block in blocks(document) if block.language == "python"]
    with contextlib.chdir(tmp_path):
        for block in python:
            exec(compile(block.text, f"{document.name}:{block.line}", "exec"), scope)
    assert len(python) >= least
