"""People answer what enforcers ask, from the command line, while these run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from enforcing import OUTBOX, system

from policyctl.cli import run
from policyctl.embed import Enforcer
from runtime.bundle import build

GIVEN = {"Trusted": ["ann", "bob"]}
MAIL = {"principal": "ann", "to": "stranger", "kind": "Mail", "text": "hi"}


@pytest.fixture
def asking(tmp_path: Path) -> Any:
    """An enforcer with a question, its files, and the question's ticket."""
    bundle, state = tmp_path / "o.bundle", tmp_path / "o.db"
    bundle.write_bytes(build([(system(OUTBOX), "")]))
    promised = ("notify", "quarantine", "alert")
    e = Enforcer.open(bundle, state, given=GIVEN, unproved=True, promised=promised)
    decision = e.decide_request("send", MAIL, "k")
    assert decision.effect == "approve"
    yield e, [str(bundle), str(state)], decision.ticket
    e.close()


def test_what_waits_is_listed(asking: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _, files, ticket = asking
    assert run(["approvals", "list", *files, "--unproved"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f'{ticket}  send(ann, stranger, Mail, "hi")')
    assert "strangers asks human; until" in shown
    assert run(["approvals", "list", *files, "--unproved", "--format", "json"]) == 0
    (question,) = json.loads(capsys.readouterr().out)
    assert (question["ticket"], question["inputs"]["to"]) == (ticket, "stranger")


def test_yes(asking: Any, capsys: pytest.CaptureFixture[str]) -> None:
    e, files, ticket = asking
    assert run(["approvals", "approve", *files, ticket[:6], "--as", "hal", "--unproved"]) == 0
    assert capsys.readouterr().out == "allow  allowed\n"
    assert e.decide_request("send", MAIL, "k").effect == "allow"
    assert run(["approvals", "list", *files, "--unproved"]) == 0
    assert capsys.readouterr().out == "nothing waits for an answer\n"


def test_no(asking: Any, capsys: pytest.CaptureFixture[str]) -> None:
    e, files, ticket = asking
    assert run(["approvals", "deny", *files, ticket, "--as", "hal", "--unproved"]) == 0
    assert capsys.readouterr().out == "deny  approval.refused: `hal` has refused it\n"
    assert e.decide_request("send", MAIL, "k").code.value == "approval.refused"


def test_nobody_answers_themselves(asking: Any, capsys: pytest.CaptureFixture[str]) -> None:
    e, files, ticket = asking
    assert run(["approvals", "approve", *files, ticket, "--as", "ann", "--unproved"]) == 3
    assert "who asks cannot answer" in capsys.readouterr().out
    assert [q.ticket for q in e.questions()] == [ticket]


@pytest.mark.parametrize(
    ("state", "ticket", "why"),
    [("memory:", "x", "in the memory of another process"), ("", "zzz", "no questions begin with `zzz`")],
)
def test_what_cannot_be_answered(
    asking: Any, state: str, ticket: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, (bundle, own), _ = asking
    assert run(["approvals", "approve", bundle, state or own, ticket, "--as", "hal", "--unproved"]) != 0
    assert why in capsys.readouterr().err


def test_an_unproved_bundle_has_to_be_asked_for(asking: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _, files, _ = asking
    assert run(["approvals", "list", *files]) != 0
    assert "not proved" in capsys.readouterr().err
