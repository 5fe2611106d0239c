"""Contracts as text: what is committed is what the policy says, compiles to the committed bytes, and fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from evm import CONTRACTS, GOVERNANCE, compiled, machine, system_of
from gas import DOCUMENT, costs, table

from policyctl.cli import run
from policyctl.cli_emit import names_json
from policydsl.core.expr import Op
from policydsl.core.system import System
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.evm import GAS, Evm
from runtime.evm_names import selector
from runtime.solidity import MOST, to_solidity
from runtime.solidity_check import UnsupportedError, gaps_of
from runtime.solidity_expr import SUPPORTED

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


@pytest.mark.parametrize(
    ("folder", "contracts"), [(".", ["Anchor", "Governance", "MVGGovernance"]), ("seed", ["SeedGovernance"])]
)
def test_the_artifacts_are_what_the_contracts_compile_to(tmp_path: Path, folder: str, contracts: list[str]) -> None:
    compiled(CONTRACTS / folder, tmp_path / "made")
    made = {p.name: p.read_bytes() for p in (tmp_path / "made").iterdir()}
    assert sorted(made) == [f"{name}.json" for name in contracts]
    committed = {p.name: p.read_bytes() for p in (CONTRACTS / folder / "artifacts").iterdir()}
    assert made == committed, "run `node contracts/compile.js`"


def test_the_lock_of_the_compiler_names_no_host() -> None:
    lock = json.loads((CONTRACTS / "package-lock.json").read_text(encoding="utf-8"))
    packages = [p for place, p in lock["packages"].items() if place]
    assert packages
    assert all(p["integrity"].startswith("sha512-") and "resolved" not in p for p in packages)


def test_the_contracts_fit_on_a_chain() -> None:
    assert {n: a["size"] for n, a in artifacts().items() if not 0 < a["size"] < LIMIT} == {}
    for a in artifacts().values():
        assert a["size"] == len(bytes.fromhex(a["deployedBytecode"][2:]))
        assert a["settings"]["evmVersion"] == "cancun"
        assert a["compiler"].startswith("0.8.")


def test_the_table_of_gas_is_true() -> None:
    machine()
    text = DOCUMENT.read_text(encoding="utf-8")
    assert table() in text, "run `PYTHONPATH=. python tests/gas.py`"
    sizes = {name: made["size"] for name, made in artifacts().items()}
    assert f"`Governance` has {sizes['Governance']:,} bytes, `MVGGovernance` {sizes['MVGGovernance']:,};" in text


@pytest.mark.slow
def test_with_a_full_roll_every_call_fits_into_a_transaction() -> None:
    machine()
    for voters in (2, MOST - 2):
        found = costs(MOST - 2, voters, Evm(2**28))
        # Deployed with few, it lets the others in one by one.
        assert {name for name, gas in found.items() if gas >= GAS} == {"constructor"}


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
        ('entity Bot\naction a(principal: Bot, t: String) { require t like "x*" }\n', {("U101", 2)}),
        (
            "entity Bot\nstate m : Bot -> Bool = false\naction a(principal: Bot) { require exists b: Bot . m[b] }\n",
            {("U102", 3)},
        ),
        (
            "entity Bot\nstate m : Bot -> Int = 0\naction a(principal: Bot) {\n for each b: Bot { m[b] := 1 }\n}\n",
            {("U103", 4)},
        ),
        (
            (
                "entity Bot\nstate m : Bot -> Int = 0\naction a(principal: Bot) {\n"
                " for each b: Bot where b != principal { m[b] := 1 }\n}\n"
            ),
            {("U103", 4)},
        ),
        ("entity Bot\nstate m : Bot -> Int = any\naction a(principal: Bot) { m[principal] := 1 }\n", {("U107", 2)}),
    ],
)
def test_what_has_no_exact_counterpart_is_refused_with_its_place(text: str, expected: set[tuple[str, int]]) -> None:
    assert gaps(text) == expected


def test_every_operator_translates_or_is_refused() -> None:
    assert set(Op) - SUPPORTED == {Op.MATCHES, Op.FORALL, Op.EXISTS, Op.SUM}


def test_policies_that_ship_are_contracts_or_say_why_not() -> None:
    codes = {g.code for g in gaps_of(system_of("specs/gateway/messaging.policy"))}
    assert {"U101", "U108"} <= codes
    assert gaps_of(system_of("specs/mvg/seed_contract.policy")) == ()


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
    assert "error[U101]: the input `t` of `a` is a string" in said
    assert f" --> {file}:2:1" in said
    assert f"UNSUPPORTED: {file} has no exact counterpart in Solidity; nothing was written" in said
    assert not list(tmp_path.glob("*.sol"))


def test_the_interface_of_the_first_sketch() -> None:
    evm, abi = machine(), {x["name"]: x for x in artifacts()["MVGGovernance"]["abi"] if "name" in x}
    alice, bob, judy, stranger = (bytes([i]) * 20 for i in range(1, 5))
    params = tuple(p.default.value for p in GOVERNANCE.params)
    kinds = [f"({','.join(['int256'] * len(params))})", "address[]", "address[]"]
    code = bytes.fromhex(artifacts()["MVGGovernance"]["bytecode"][2:]) + encode(kinds, [params, [alice, bob], [judy]])
    contract = evm.deploy(judy, code).created
    at = 0

    def data(function: str, *given: Any) -> bytes:
        return selector(abi[function]) + encode([i["type"] for i in abi[function]["inputs"]], given)

    def send(who: bytes, function: str, *given: Any) -> bool:
        return evm.send(who, contract, data(function, *given), at).ok

    def read(function: str, *given: Any) -> tuple[Any, ...]:
        return decode([o["type"] for o in abi[function]["outputs"]], evm.read(contract, data(function, *given)))

    assert not send(stranger, "propose", "ours")
    assert send(bob, "draft", 0, bytes(32))
    assert send(alice, "propose", "lower the quorum")
    assert read("proposalCount") == (2,)  # bob had taken number 0
    assert [send(who, "vote", 1, True) for who in (alice, bob, judy)] == [True] * 3
    assert [send(who, "vote", 1, True) for who in (alice, bob, judy, stranger)] == [False] * 4
    assert read("proposals", 1) == (f"0x{alice.hex()}", "lower the quorum", 0, 24 * 3600, 300, 0, False)
    assert [send(bob, "draft", number, bytes(32)) for number in (2, 3, 4)] == [True] * 3
    for most, count in ((2, 4), (2**256 - 1, 5), (1, 5)):
        assert send(stranger, "skip", most)
        assert read("proposalCount") == (count,)
    at = 24 * 3600 + 1
    assert send(stranger, "closeVoting", 1)
    assert not send(stranger, "execute", 1)
    at = 72 * 3600
    assert send(stranger, "execute", 1)
    assert not send(stranger, "execute", 1)
    assert read("proposals", 1)[6] is True
    assert read("reputation", alice) == (100,)


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
    assert gaps(text) == {("U103", 10)}
