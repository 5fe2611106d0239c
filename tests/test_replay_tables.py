"""Recorded traffic under a bundle: tables and lines of JSON say the same; what a change of policy changes."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from policyctl.call_words import call_words
from policyctl.cli import run
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.bundle import build

POLICY = """
module pay
entity Bot
state spent: Bot -> Int = 0
action spend(principal: Bot, amount: Int[0..100]) {
  require spent[principal] + amount <= 50 else "over budget"
  spent[principal] += amount
}
action look(principal: Bot)
permit everybody on look
"""
REQUESTS = [
    {"action": "spend", "principal": "a", "amount": 30},
    {"action": "spend", "principal": "b", "amount": 40},
    {"action": "spend", "principal": "a", "amount": 30},
    {"action": "look", "principal": "a"},
    {"action": "spend", "principal": "a", "amount": 15},
    {"action": "spend", "principal": "a", "amount": 101},
    {"action": "nope", "principal": "a"},
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("new", POLICY), ("old", POLICY.replace("<= 50", "<= 40"))):
        [program] = load(["pay.policy"], lambda _, t=text: t, Report())
        (tmp_path / f"{name}.bundle").write_bytes(build([(program.system, "")]))
    table = pa.table({n: [r.get(n) for r in REQUESTS] for n in ("action", "principal", "amount")})
    pq.write_table(table, tmp_path / "t.parquet")
    feather.write_feather(table, str(tmp_path / "t.arrow"))
    lines = [{"action": r["action"], "inputs": {k: v for k, v in r.items() if k != "action"}} for r in REQUESTS]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("traffic", ["t.parquet", "t.arrow", "t.jsonl"])
def test_what_would_have_been_decided(place: Path, traffic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "new.bundle", traffic]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{traffic}: 7 requests under new.bundle"
    assert shown[1].split() == ["allow", "4", "deny", "3", "approve", "0"]
    assert "    denied 1: over budget" in shown
    assert len(shown) == 5


@pytest.mark.parametrize(("traffic", "row"), [("t.parquet", "row 4"), ("t.arrow", "row 4"), ("t.jsonl", "line 5")])
def test_what_a_change_changes(place: Path, traffic: str, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "new.bundle", traffic, "--against", "old.bundle"]) == 3
    shown = capsys.readouterr().out
    assert "against old.bundle: 1 decisions differ" in shown
    assert "deny -> allow  1" in shown
    assert f"{row}: spend(a, 15)\n      was deny (over budget), is allow" in shown
    assert run(["replay", "new.bundle", traffic, "--against", "new.bundle"]) == 0


def test_what_is_no_table(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "bad.parquet").write_bytes(b"PAR1nothing")
    assert run(["replay", "new.bundle", "bad.parquet"]) == 1
    assert "bad.parquet" in capsys.readouterr().err
    pq.write_table(pa.table({"principal": ["a"]}), place / "odd.parquet")
    assert run(["replay", "new.bundle", "odd.parquet"]) == 1
    assert "there is no column `action`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("action", "inputs", "text"),
    [
        (
            "send",
            {"principal": "s1", "text": "hi", "urgent": True, "now": 86_400_001},
            'at 24h1ms send(s1, "hi", true)',
        ),
        ("send", {"principal": "s1", "text": "hi"}, 'send(s1, "hi")'),
        ("send", {"principal": "s1", "urgent": 1, "now": 3}, 'send(principal: "s1", urgent: 1)'),
        ("send", {"principal": "s1", "other": [None]}, 'send(principal: "s1", other: [null])'),
        ("post", {"principal": "s1"}, 'post(principal: "s1")'),
        ("pay", {"principal": "b", "now": 5}, "pay(b)"),
    ],
)
def test_requests_are_written_as_in_a_test(action: str, inputs: dict[str, object], text: str) -> None:
    texts = (
        "entity Bot action send(principal: Bot, text: String, urgent: Bool) { } limit l on send to 3 per 24h",
        "entity Bot action pay(principal: Bot) { }",
    )
    systems = [load(["p.policy"], lambda _, t=t: t, Report())[0].system for t in texts]
    assert call_words(action, inputs, systems) == text
