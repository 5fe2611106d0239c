"""`build`, `decide` and `replay` as a user meets them: what is written, what is said, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policyctl.cli import run
from policyctl.embed import Enforcer
from runtime.bundle import read

POLICY = """
module jobs
entity Bot
group Trusted of Bot
state done : Bot -> Int = 0
pattern key = "sk-[a-z]{4,}"
action work(principal: Bot, hours: Int[1..24]) { done[principal] += hours }
action say(principal: Bot, text: String) {}
permit trusted on work, say when principal in Trusted
forbid long on work when hours > 12 because "too long" then notify(principal)
redact keys on say when text contains key replace with "[key]"
forbid rude on say when text contains "damn" because "rude"
invariant positive: forall b: Bot . done[b] >= 0
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a policy and its bundle."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "jobs.policy").write_text(POLICY)
    assert run(["build", str(folder / "jobs.policy"), "-o", str(folder / "jobs.bundle"), "--no-cache"]) == 0
    return folder


@pytest.fixture
def place(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("jobs.policy", "jobs.bundle"):
        (tmp_path / name).write_bytes((built / name).read_bytes())
    Path("given.json").write_text('{"Trusted": ["ann"]}')
    return tmp_path


def ask(request: Any, *arguments: str) -> int:
    Path("request.json").write_text(request if isinstance(request, str) else json.dumps(request))
    return run(["decide", "jobs.bundle", "-r", "request.json", "--given", "given.json", *arguments])


def test_built(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "again"):
        assert run(["build", "jobs.policy", "-o", f"{name}.bundle", "--no-cache"]) == 0
    assert Path("one.bundle").read_bytes() == Path("again.bundle").read_bytes()
    assert Path("one.bundle").read_bytes() == (place / "jobs.bundle").read_bytes()
    assert "jobs  ✓ 1 properties proved" in capsys.readouterr().out
    assert read(Path("one.bundle").read_bytes()).verified


def test_a_bundle_is_the_same_wherever_its_files_are(place: Path) -> None:
    (place / "own/shared").mkdir(parents=True)
    (place / "own/shared/base.policy").write_text("module shared.base\nentity Bot\n")
    imports = POLICY.replace("module jobs\nentity Bot\n", "module jobs\nimport shared.base\n")
    (place / "own/jobs.policy").write_text(imports)
    found = []
    for path in ("own/jobs.policy", f"{place}/own/jobs.policy", "own/../own/shared/../jobs.policy"):
        assert run(["build", path, "-o", "x.bundle", "--no-cache"]) == 0
        found.append(Path("x.bundle").read_bytes())
    assert found == [found[0]] * 3
    [policy] = read(found[0]).policies
    assert {a.span.path for a in policy.system.actions} == {"jobs.policy"}
    assert {r.span.path for a in policy.system.actions for r in a.rules} == {"jobs.policy"}


def test_what_is_not_proved_is_not_built(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.policy").write_text(POLICY.replace(">= 0", "<= 20"))
    Path("flawed.policy").write_text(
        POLICY.replace("invariant positive", 'expect refuted invariant positive because "x"').replace(">= 0", "<= 20")
    )
    for name, code in (("bad", 3), ("flawed", 3), ("none", 2)):
        assert run(["build", f"{name}.policy", "-o", "x.bundle", "--no-cache"]) == code
        assert not Path("x.bundle").exists()
    assert "was not written" in capsys.readouterr().err
    assert run(["build", "flawed.policy", "-o", "x.bundle", "--no-cache", "--unproved"]) == 0
    assert not read(Path("x.bundle").read_bytes()).verified
    Path("wrong.policy").write_text("module wrong\nstate x : In = 0\n")
    assert run(["build", "wrong.policy", "-o", "y.bundle", "--no-cache", "--unproved"]) == 1
    assert not Path("y.bundle").exists()


def test_signed(place: Path) -> None:
    assert run(["log", "keygen", "signer"]) == 0
    private, public = sorted(place.glob("signer*"), key=lambda p: p.suffix == ".pub")
    assert run(["build", "jobs.policy", "-o", "s.bundle", "--no-cache", "--sign", str(private)]) == 0
    request = {"action": "work", "principal": "ann", "hours": 3}
    Path("request.json").write_text(json.dumps(request))
    shared = ["-r", "request.json", "--given", "given.json", "--key", str(public)]
    assert run(["decide", "s.bundle", *shared]) == 0
    assert run(["decide", "jobs.bundle", *shared]) == 3
    Path("junk").write_bytes(b"\xff\xfe")
    assert run(["build", "jobs.policy", "-o", "t.bundle", "--no-cache", "--sign", "junk"]) == 1
    assert run(["decide", "s.bundle", "-r", "request.json", "--key", "junk"]) == 3


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        ({"action": "work", "principal": "ann", "hours": 3}, 0, "allow  allowed\n  rule        trusted  "),
        ({"action": "work", "inputs": {"principal": "ann", "hours": 13}}, 3, "deny  denied.forbid: too long"),
        ({"action": "work", "principal": "eve", "hours": 3}, 3, "deny  denied.default"),
        ({"action": "say", "principal": "ann", "text": "sk-abcd é"}, 0, 'rewritten   text: "[key] é"'),
        ({"action": "work", "principal": "ann", "hours": 0}, 3, "request.assumption"),
        ({"action": "nope"}, 3, "request.unknown_action"),
        ({"action": "work", "inputs": {}, "hours": 1}, 3, "request.missing_input"),
    ],
)
def test_decided(place: Path, capsys: pytest.CaptureFixture[str], request_: Any, code: int, said: str) -> None:
    assert ask(request_) == code
    out = capsys.readouterr().out
    assert said in out
    assert ask(request_, "--format", "json") == code
    found = json.loads(capsys.readouterr().out)
    assert (found["effect"] == "allow") == (code == 0)
    assert found["code"] in out


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "[]",
        "{",
        '{"action": 3}',
        '{"action": "work", "inputs": []}',
        '{"action": "work", "inputs": null}',
        "[" * 99_999,
    ],
)
def test_what_is_no_request(place: Path, capsys: pytest.CaptureFixture[str], request_: str) -> None:
    assert ask(request_) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_given_must_be_an_object(place: Path) -> None:
    Path("given.json").write_text("[1]")
    assert ask({"action": "work"}) == 1
    Path("given.json").write_text('{"Nobody": []}')
    assert ask({"action": "work"}) == 3


def test_decided_for_good(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = {"action": "work", "principal": "ann", "hours": 3, "key": "k"}
    for _ in range(3):
        assert ask(request, "--state", "state.db") == 0
    assert "record      1" in capsys.readouterr().out
    e = Enforcer.open("jobs.bundle", "state.db", given={"Trusted": ["ann"]})
    assert e.policies is not None
    assert e.policies.running[0].machine.content.read("done", "ann") == 3
    e.close()
    assert run(["log", "verify", "state.db"]) == 0
    assert run(["log", "replay", "state.db", "jobs.policy"]) == 0
    assert run(["replay", "state.db", "jobs.policy"]) == 0
    assert "1 decisions and what they changed are as recorded" in capsys.readouterr().out
    assert run(["log", "export", "state.db", "decisions.log"]) == 0
    assert run(["replay", "decisions.log", "jobs.policy"]) == 0
    text = Path("decisions.log").read_text()
    Path("decisions.log").write_text(text.replace('"hours":3', '"hours":4'))
    assert run(["replay", "decisions.log", "jobs.policy"]) == 1


def test_logging_is_left_as_it_was(place: Path) -> None:
    import logging

    before = logging.root.manager.disable
    ask({"action": "nope"}, "--unproved")
    assert logging.root.manager.disable == before


TRAFFIC: list[dict[str, Any]] = [
    {"action": "work", "inputs": {"principal": "ann", "hours": 3}},
    {"action": "work", "inputs": {"principal": "ann", "hours": 11}},
    {"action": "work", "inputs": {"principal": "eve", "hours": 3}},
    {"action": "say", "inputs": {"principal": "ann", "text": "one\u2028two"}},
    {"action": "say", "inputs": {"principal": "ann", "text": "dask-abcdmn"}},
    {"action": "work", "inputs": {"principal": "ann"}},
    {"action": "rest"},
]


def test_traffic(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.dumps(t, ensure_ascii=False) for t in TRAFFIC]
    Path("traffic.jsonl").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    shared = ["traffic.jsonl", "--given", "given.json"]
    assert run(["replay", "jobs.bundle", *shared]) == 0
    out = capsys.readouterr().out
    assert "7 requests" in out
    assert "allow 4  deny 3  approve 0" in out
    Path("new.policy").write_text(POLICY.replace("hours > 12", "hours > 10"))
    assert run(["build", "new.policy", "-o", "new.bundle", "--no-cache"]) == 0
    assert run(["replay", "new.bundle", *shared, "--against", "jobs.bundle"]) == 3
    out = capsys.readouterr().out
    assert "1 decisions differ" in out
    assert "allow -> deny  1" in out
    assert "line 2: work(ann, 11)\n      was allow" in out
    assert run(["replay", "jobs.bundle", *shared, "--against", "jobs.bundle"]) == 0
    capsys.readouterr()
    flat = [json.dumps({"action": t["action"], **t.get("inputs", {})}) for t in TRAFFIC]
    Path("traffic.jsonl").write_text("\n".join(flat) + "\n")
    assert run(["replay", "jobs.bundle", *shared]) == 0
    assert "allow 4  deny 3  approve 0" in capsys.readouterr().out


def test_what_redaction_makes_of_traffic_is_decided(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.policy").write_text(POLICY.replace('"[key]"', '"damn"'))
    assert run(["build", "p.policy", "-o", "p.bundle", "--no-cache"]) == 0
    Path("t.jsonl").write_text(json.dumps({"action": "say", "inputs": {"principal": "ann", "text": "sk-abcd"}}) + "\n")
    capsys.readouterr()
    assert run(["replay", "p.bundle", "t.jsonl", "--given", "given.json"]) == 0
    assert "denied 1: rude" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"action": 3}', '{"action": "work", "inputs": []}', '{"action":"x","at":"y"}']
)
def test_lines_that_are_no_traffic(place: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    Path("t.jsonl").write_text('{"action": "rest"}\n' + line + "\n")
    assert run(["replay", "jobs.bundle", "t.jsonl"]) == 1
    assert "line 2" in capsys.readouterr().err


def test_a_log_is_traffic(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for hours in (3, 5, 13):
        ask({"action": "work", "principal": "ann", "hours": hours}, "--state", "state.db")
    assert run(["log", "export", "state.db", "decisions.log"]) == 0
    capsys.readouterr()
    assert run(["replay", "jobs.bundle", "decisions.log", "--given", "given.json"]) == 0
    assert "allow 2  deny 1  approve 0" in capsys.readouterr().out
    assert run(["log", "show", "decisions.log", "--format", "json"]) == 0
    Path("records.jsonl").write_text(capsys.readouterr().out)
    assert run(["replay", "jobs.bundle", "records.jsonl", "--given", "given.json"]) == 0
    assert "allow 2  deny 1  approve 0" in capsys.readouterr().out


def test_bundles_that_are_none(place: Path) -> None:
    Path("torn.bundle").write_bytes(Path("jobs.bundle").read_bytes()[:-40])
    Path("t.jsonl").write_text("")
    Path("request.json").write_text('{"action": "work"}')
    assert run(["decide", "torn.bundle", "-r", "request.json"]) == 3
    assert run(["replay", "torn.bundle", "t.jsonl"]) == 1


def test_certificates_of_policies_with_phases_are_confirmed(place: Path) -> None:
    text = """
module calls
entity Bot
state held : Bot -> Bool = false
action hold(principal: Bot) { require not held[principal] held[principal] := true }
action settle(principal: Bot) { require held[principal] held[principal] := false }
action drop(principal: Bot) { require held[principal] held[principal] := false }
action look(principal: Bot) {}
two phase call: reserve by hold, commit by settle, abort by drop
allow look while unavailable
allow look while locked down
invariant fine: forall b: Bot . held[b] or not held[b]
step kept on look: forall b: Bot . held[b] == old(held[b])
"""
    Path("calls.policy").write_text(text)
    assert run(["verify", "calls.policy", "--certificates", "certificates", "--no-cache"]) == 0
    assert run(["recheck", "certificates"]) == 0
    assert run(["build", "calls.policy", "-o", "calls.bundle", "--no-cache"]) == 0
    assert Enforcer.open("calls.bundle", "memory:").decide("look", principal="a").allowed
