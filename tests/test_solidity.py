"""Contracts as text: what is committed is what the policy says, compiles to the committed bytes, and fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from evm import CONTRACTS, GOVERNANCE, compiled, on_chain, system_of

from policyctl.cli import run
from policyctl.cli_emit import names_json
from policydsl.core.system import System
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.solidity import to_solidity
from runtime.solidity_check import UnsupportedError, gaps_of

LIMIT = 24_576  # EIP-170

SMALL = """
entity Bot { root }
group Admins of Bot
enum Stage { Draft, Open }
param MOST : Int[1..9] = 3
state level : Bot -> Int = 7
state open  : Bot -> Bool = true
state stage : Bot -> Stage = Open
action lift(principal: Bot, by: Int[-100..100]) {
  require principal in Admins or principal == root else "not you"
  require level[principal] / 2 <= 50 else "high"
  level[principal] := level[principal] + by / 3 + by % 3
  open[principal]  := level[principal] > MOST
  stage[principal] := Draft
}
"""


def system(text: str) -> System:
    report = Report()
    (program,) = load(["small.policy"], lambda _: text, report)
    assert not report.failed, report.sorted()
    return program.system


def gaps(text: str) -> set[tuple[str, int]]:
    with pytest.raises(UnsupportedError) as raised:
        to_solidity(system(text))
    return {(g.code, g.span.line) for g in raised.value.gaps}


def artifacts() -> dict[str, Any]:
    return {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in sorted((CONTRACTS / "artifacts").glob("*.json"))}


def test_the_committed_contract_is_what_the_policy_says() -> None:
    contract = to_solidity(GOVERNANCE)
    shown = (CONTRACTS / "Governance.sol").read_text(encoding="utf-8")
    assert contract.text == shown, "run `policyctl emit solidity specs/mvg/governance.policy -o contracts/`"
    assert names_json(GOVERNANCE.name, contract) == (CONTRACTS / "Governance.names.json").read_text(encoding="utf-8")


def test_the_artifacts_are_what_the_contracts_compile_to(tmp_path: Path) -> None:
    made = compiled(CONTRACTS, tmp_path)
    assert sorted(made) == ["Anchor", "Governance", "MVGGovernance"]
    assert made == artifacts(), "run `node contracts/compile.js`"


def test_the_contracts_fit_on_a_chain() -> None:
    assert {n: a["size"] for n, a in artifacts().items() if not 0 < a["size"] < LIMIT} == {}
    for a in artifacts().values():
        assert a["size"] == len(bytes.fromhex(a["deployedBytecode"][2:]))
        assert a["settings"]["evmVersion"] == "cancun"
        assert a["compiler"].startswith("0.8.")


def test_each_reason_is_an_error_and_each_action_an_event() -> None:
    abi = artifacts()["Governance"]["abi"]
    notices = artifacts()["Governance"]["userdoc"]["errors"]
    contract = to_solidity(GOVERNANCE)
    for action in GOVERNANCE.actions:
        assert any(x["type"] == "function" and x["name"] == contract.functions[action.name] for x in abi)
        for guard in action.guards:
            if guard.reason != "the clock went back":
                assert notices[f"{contract.errors[guard.reason]}()"] == [{"notice": guard.reason}]
    events = [x["name"] for x in abi if x["type"] == "event"]
    assert len(events) == len(GOVERNANCE.actions)


def test_starts_other_than_zero_keep_their_meaning_in_untouched_storage() -> None:
    text = to_solidity(system(SMALL)).text
    assert "return _botRows[bot_].level + 7;" in text
    assert "return !_botRows[bot_].open;" in text
    assert "Stage((uint256(_botRows[bot_].stage) + 1) % 2)" in text


def test_nobody_is_named_twice() -> None:
    named = "entity Bot { root, other }\naction a(principal: Bot) { require principal == root or principal == other }\n"
    text = to_solidity(system(named)).text
    assert "if (other_ == address(0)) revert NamedTwice();" in text
    assert "if (other_ == root_) revert NamedTwice();" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('entity Bot\naction a(principal: Bot, t: String) { require t like "x*" }\n', {("string", 2)}),
        (
            "entity Bot\nstate m : Bot -> Bool = false\naction a(principal: Bot) { require exists b: Bot . m[b] }\n",
            {("quantifier", 3)},
        ),
        (
            "entity Bot\nstate m : Bot -> Int = 0\naction a(principal: Bot) {\n for each b: Bot { m[b] := 1 }\n}\n",
            {("bulk", 4)},
        ),
        (
            (
                "entity Bot\nstate m : Bot -> Int = 0\naction a(principal: Bot) {\n"
                " for each b: Bot where b != principal { m[b] := 1 }\n}\n"
            ),
            {("bulk", 4)},
        ),
        ("entity Bot\nstate m : Bot -> Int = any\naction a(principal: Bot) { m[principal] := 1 }\n", {("start", 2)}),
    ],
)
def test_what_has_no_exact_counterpart_is_refused_with_its_place(text: str, expected: set[tuple[str, int]]) -> None:
    assert gaps(text) == expected


def test_policies_that_ship_and_cannot_be_contracts_say_why() -> None:
    codes = {g.code for g in gaps_of(system_of("specs/gateway/messaging.policy"))}
    assert {"string", "individual"} <= codes
    assert [g.code for g in gaps_of(system_of("specs/mvg/seed_contract.policy"))] == ["bulk"]


def test_the_command_writes_nothing_that_is_not_proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.policy"
    file.write_text(
        "entity Bot\nstate m : Bot -> Int = 0\naction a(principal: Bot) { m[principal] += 1 }\n"
        "invariant low: forall b: Bot . m[b] <= 1\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    assert run(["emit", "solidity", str(file), "-o", str(out), "--no-cache", "-j", "1"]) == 3
    assert not out.exists()
    assert run(["emit", "solidity", str(file), "-o", str(out), "--no-cache", "-j", "1", "--unproved"]) == 0
    assert "NOT EVERYTHING" in (out / "Wrong.sol").read_text(encoding="utf-8")
    assert "NOT PROVED" in capsys.readouterr().out


def test_the_command_says_what_is_unsupported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "text.policy"
    file.write_text('entity Bot\naction a(principal: Bot, t: String) { require t == "x" }\n', encoding="utf-8")
    assert run(["emit", "solidity", str(file), "-o", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f"{file}:2:1: UNSUPPORTED(string): the input `t` of `a` is a string" in said
    assert not list(tmp_path.glob("*.sol"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_interface_of_the_first_sketch() -> None:
    tester, w3 = on_chain()
    made = artifacts()["MVGGovernance"]
    alice, bob, judy, stranger = tester.get_accounts()[:4]
    params = tuple(p.default.value for p in GOVERNANCE.params)
    sent = w3.eth.contract(abi=made["abi"], bytecode=made["bytecode"]).constructor(params, [alice, bob], [judy])
    address = w3.eth.get_transaction_receipt(sent.transact({"from": alice, "gas": 12_000_000})).contractAddress
    contract = w3.eth.contract(address=address, abi=made["abi"])

    def send(call: Any, who: str) -> int:
        receipt = w3.eth.get_transaction_receipt(call.transact({"from": who, "gas": 5_000_000}))
        return int(receipt.status)

    assert send(contract.functions.propose("ours"), stranger) == 0
    assert send(contract.functions.draft(0, bytes(32)), bob) == 1
    assert send(contract.functions.propose("lower the quorum"), alice) == 1
    assert contract.functions.proposalCount().call() == 2  # bob had taken number 0
    for who in (alice, bob, judy):
        assert send(contract.functions.vote(1, True), who) == 1
    found = contract.functions.proposals(1).call()
    assert found[:2] == [alice, "lower the quorum"]
    assert found[3] - found[2] == 24 * 3600
    assert found[4:] == [300, 0, False]
    tester.time_travel(found[3] + 1)
    assert send(contract.functions.closeVoting(1), stranger) == 1
    tester.time_travel(found[3] + 48 * 3600)
    assert send(contract.functions.execute(1), stranger) == 1
    assert contract.functions.proposals(1).call()[6] is True
    assert contract.functions.reputation(alice).call() == 100


def test_a_loop_that_reads_what_another_writes_is_refused() -> None:
    text = """entity Bot
group Admins of Bot
state m, n, o : Bot -> Int = 0
action fine(principal: Bot) {
  for each b: Bot where b in Admins { m[b] := 1 }
  for each b: Bot where b in Admins { n[b] := o[principal] }
}
action order(principal: Bot) {
  for each b: Bot where b in Admins { m[b] := 1 }
  for each b: Bot where b in Admins { n[b] := m[principal] }
}
"""
    assert gaps(text) == {("bulk", 10)}
