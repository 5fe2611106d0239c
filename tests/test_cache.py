"""The cache: what it finds, what it must not find, and what it survives."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyctl.cache import Cache, current_reads, tool_digest

OPTIONS = '["verify", {}]'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("main.policy").write_text("import types", encoding="utf-8")
    Path("types.policy").write_text("entity Bot", encoding="utf-8")
    return tmp_path


def kept(cache: Cache, *reads: str, entry: str = "proved") -> None:
    cache.keep("main.policy", OPTIONS, current_reads(list(reads)), {"result": entry})


def found(cache: Cache, options: str = OPTIONS) -> object:
    entry = cache.find("main.policy", options)
    return None if entry is None else entry["result"]


def test_what_was_kept_is_found(place: Path) -> None:
    cache = Cache(place / "cache")
    assert found(cache) is None
    kept(cache, "main.policy", "types.policy")
    assert found(cache) == "proved"
    assert found(Cache(place / "elsewhere")) is None


def test_without_a_directory_nothing_is_kept(place: Path) -> None:
    kept(Cache(None), "main.policy")
    assert found(Cache(None)) is None
    assert sorted(p.name for p in place.iterdir()) == ["main.policy", "types.policy"]


@pytest.mark.parametrize("changed", ["main.policy", "types.policy"])
def test_a_change_in_any_file_that_was_read_is_noticed(place: Path, changed: str) -> None:
    cache = Cache(place / "cache")
    kept(cache, "main.policy", "types.policy")
    before = Path(changed).read_text(encoding="utf-8")
    Path(changed).write_text(before + "\n", encoding="utf-8")
    assert found(cache) is None
    Path(changed).write_text(before, encoding="utf-8")
    assert found(cache) == "proved"


def test_a_file_that_was_missing_and_appears_is_noticed(place: Path) -> None:
    cache = Cache(place / "cache")
    kept(cache, "main.policy", "nearer/types.policy", "types.policy")
    assert found(cache) == "proved"
    Path("nearer").mkdir()
    Path("nearer/types.policy").write_text("entity Bot", encoding="utf-8")
    assert found(cache) is None


def test_options_and_the_tool_itself_are_part_of_the_key(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(place / "cache")
    kept(cache, "main.policy")
    assert found(cache, '["verify", {"rlimit": 1}]') is None
    assert found(cache) == "proved"
    monkeypatch.setattr("policyctl.cache.tool_digest", lambda: "another tool")
    assert found(cache) is None


def test_a_file_that_changed_while_it_was_verified_is_not_kept(place: Path) -> None:
    cache = Cache(place / "cache")
    reads = current_reads(["main.policy", "types.policy"])
    Path("types.policy").write_text("entity Robot", encoding="utf-8")
    cache.keep("main.policy", OPTIONS, reads, {"result": "proved"})
    assert found(cache) is None


def test_branches_share_a_directory(place: Path) -> None:
    cache = Cache(place / "cache")
    kept(cache, "main.policy", "types.policy", entry="ours")
    Path("types.policy").write_text("import more", encoding="utf-8")
    Path("more.policy").write_text("", encoding="utf-8")
    kept(cache, "main.policy", "types.policy", "more.policy", entry="theirs")
    assert found(cache) == "theirs"
    Path("types.policy").write_text("entity Bot", encoding="utf-8")
    assert found(cache) == "ours"


@pytest.mark.parametrize("damage", ["", "garbage", "{}", "cut", "flip", "append"])
def test_a_damaged_entry_is_no_entry(place: Path, damage: str) -> None:
    cache = Cache(place / "cache")
    kept(cache, "main.policy")
    [entry] = (place / "cache").glob("*.json")
    text = entry.read_text(encoding="utf-8")
    damaged = {"cut": text[:-9], "flip": text.replace("proved", "proven"), "append": text + "x"}.get(damage, damage)
    entry.write_text(damaged, encoding="utf-8")
    assert found(cache) is None
    kept(cache, "main.policy")
    assert found(cache) == "proved"


@pytest.mark.parametrize("damage", ["", "{}", "[1]", "[[1]]", '["x"]'])
def test_a_damaged_list_of_reads_is_none(place: Path, damage: str) -> None:
    cache = Cache(place / "cache")
    kept(cache, "main.policy")
    [reads] = (place / "cache").glob("*.reads")
    reads.write_text(damage, encoding="utf-8")
    assert found(cache) is None
    kept(cache, "main.policy")
    assert found(cache) == "proved"


def test_a_directory_that_cannot_be_made_is_no_error(place: Path) -> None:
    (place / "file").write_text("", encoding="utf-8")
    kept(Cache(place / "file" / "cache"), "main.policy")
    assert found(Cache(place / "file" / "cache")) is None


def test_the_directory_marks_itself_and_holds_nothing_half_written(place: Path) -> None:
    kept(Cache(place / "cache"), "main.policy")
    names = {p.name for p in (place / "cache").iterdir()}
    assert {"CACHEDIR.TAG", ".gitignore"} <= names
    assert {Path(n).suffix for n in names} == {".TAG", "", ".json", ".reads"}


def test_the_digest_of_the_tool_is_stable() -> None:
    tool_digest.cache_clear()
    first = tool_digest()
    tool_digest.cache_clear()
    assert tool_digest() == first
