"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("policydsl", "verifier", "runtime", "hosts", "simulator", "voting", "policyctl")
SOURCES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))
BELOW = [p for p in SOURCES if p.relative_to(ROOT).parts[0] != "policyctl"]
MOST_LINES = 400
WORLD = {"time", "datetime", "random", "secrets", "uuid", "os", "locale", "getpass", "socket", "tempfile"}
"""Modules through which a clock, the environment or chance comes in."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / n for n in listed.stdout.split("\0") if n and (ROOT / n).is_file()]


def imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def calls(tree: ast.AST) -> set[str]:
    return {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 20
    assert BELOW


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_files_fit_in_the_head(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_says_what_it_turns_into_what(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the docstring of the module is missing"


@pytest.mark.parametrize("path", BELOW, ids=name)
def test_nothing_below_the_command_line_prints_or_asks(path: Path) -> None:
    assert not calls(ast.parse(path.read_text(encoding="utf-8"))) & {"print", "input", "breakpoint", "exit", "quit"}


@pytest.mark.parametrize("path", BELOW, ids=name)
def test_nothing_below_the_command_line_looks_at_the_world(path: Path) -> None:
    assert not imports(ast.parse(path.read_text(encoding="utf-8"))) & WORLD


@pytest.mark.parametrize("path", BELOW, ids=name)
def test_nothing_is_global_and_rebound(path: Path) -> None:
    assert not [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Global)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_todos_name_an_issue(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.search(r"#.*\b(TODO|FIXME|XXX)\b", line):
            assert re.search(r"#\d+", line), line


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_comments_draw_no_banners(path: Path) -> None:
    banners = re.compile(r"^\s*#\s*([-=#*~])\1{7,}")
    assert not [line for line in path.read_text(encoding="utf-8").splitlines() if banners.match(line)]


SOUND = re.compile(r"#\s*SOUND\b(?!:\s*\S)")


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_what_soundness_rests_on_says_why(path: Path) -> None:
    assert not [line for line in path.read_text(encoding="utf-8").splitlines() if SOUND.search(line)]


HOST_PATH = re.compile(r"(?<![\w.$}])/(?:home|root|Users|work|tmp|opt|mnt|workspace)/\w")
REGISTRY = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|crates\.io|proxy\.golang\.org)\b")


def test_nothing_names_a_machine_or_a_registry() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if HOST_PATH.search(line) or REGISTRY.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "line", "caught"),
    [
        (HOST_PATH, 'open("/home/someone/x")', True),
        (HOST_PATH, "see /tmp/thing", True),
        (HOST_PATH, "GET /governance/proposals", False),
        (HOST_PATH, "a/home/b", False),
        (SOUND, "# SOUND", True),
        (SOUND, "# SOUND: only a replay says so", False),
    ],
)
def test_the_rules_can_fail(pattern: re.Pattern[str], line: str, caught: bool) -> None:
    assert bool(pattern.search(line)) is caught


def test_libraries_for_ethereum_leave_the_limit_of_recursion_alone() -> None:
    """With the limit that they set, deeply nested JSON would end the process."""
    code = (
        "import sys; before = sys.getrecursionlimit()\n"
        "from policyctl.chain.talk import in_process; from runtime.evm import Evm\n"
        "in_process(); Evm(); assert sys.getrecursionlimit() == before"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
