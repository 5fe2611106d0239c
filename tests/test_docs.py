"""The documents keep their word: commands print what is shown, policies are policies, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import DOCUMENTS, ELSEWHERE, ROOT, Block, as_run, blocks, timeless

from policyctl.cli import FORMATS, commands, run

README = ROOT / "README.md"
LANGUAGE = ROOT / "docs" / "language.md"
GENERATED = {ROOT / "docs" / "errors.md"}
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


WITH_SESSIONS = [d for d in DOCUMENTS if d not in ELSEWHERE and any(b.commands for b in blocks(d))]


def test_the_readme_shows_a_session() -> None:
    assert README in WITH_SESSIONS


@pytest.mark.parametrize("document", WITH_SESSIONS, ids=name)
def test_commands_print_what_is_shown(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLICYCTL_CACHE_DIR", raising=False)
    shown = document.read_text(encoding="utf-8")
    assert timeless(as_run(document, tmp_path)) == timeless(shown), "run `just update` if this is right"


def policies(document: Path) -> list[Block]:
    return [b for b in blocks(document) if b.language == "policy" and not b.file]


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if d not in GENERATED | {LANGUAGE} and policies(d)] or [None], ids=str
)
def test_policies_in_the_text_are_well_formed(document: Path | None, tmp_path: Path) -> None:
    for block in policies(document) if document is not None else []:
        file = tmp_path / "block.policy"
        file.write_text(block.text, encoding="utf-8")
        assert run(["check", str(file)]) == 0, f"{name(document or README)}:{block.line}"


def test_the_language_page_is_one_policy_that_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "language.policy"
    file.write_text("\n".join(b.text for b in policies(LANGUAGE)), encoding="utf-8")
    for command in ("check", "test", "verify"):
        code = run([command, str(file), *(["--no-cache"] if command == "verify" else [])])
        shown = capsys.readouterr()
        assert code == 0, shown.out + shown.err
        assert "warning[" not in shown.out


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("#"):
            assert (document.parent / target.partition("#")[0]).exists(), target


def test_every_command_and_format_is_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    run(["--version"])
    assert [c for c in commands.commands if f"policyctl {c}" not in text] == []
    assert [f for f in FORMATS if f"`{f}`" not in text] == []


def test_the_readme_begins_with_the_two_commands() -> None:
    first, second = [b for b in blocks(README) if b.language == "console"][:2]
    setup = "python3 -m venv .venv && .venv/bin/pip install -q "
    assert first.text == f"{setup}. && .venv/bin/policyctl verify specs/\n"
    assert second.text == f"{setup}-e '.[test]' && .venv/bin/pytest -q -n auto\n"


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    patterns = re.findall(r"grep -m 1 '([^']+)' README\.md", script)
    readme = README.read_text(encoding="utf-8").splitlines()
    found = [next(line for line in readme if re.search(p, line)) for p in patterns]
    assert found == [b.text.strip() for b in blocks(README) if b.language == "console"][:2]
