"""A contract on an in-process EVM beside the reference interpreter: both are asked the same, and compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from policydsl.core.system import NOW, PRINCIPAL, System
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar, Value
from policydsl.diagnostics import Report
from policydsl.interp import Request, State, initial, step
from policydsl.load import load
from policydsl.trace import Cell
from runtime.solidity import Contract

ROOT = Path(__file__).parent.parent
CONTRACTS = ROOT / "contracts"
GAS = 12_000_000
NOBODY = "0x" + "0" * 40


def system_of(path: str) -> System:
    """The system of a policy that ships."""
    report = Report()
    (program,) = load([str(ROOT / path)], lambda p: Path(p).read_text(encoding="utf-8"), report)
    assert not report.failed
    return program.system


GOVERNANCE = system_of("specs/mvg/governance.policy")


def on_chain() -> tuple[Any, Any]:
    """A fresh chain, and how to talk to it. Skips the test where the extra `chain` is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        eth_tester = pytest.importorskip("eth_tester", reason="eth-tester is not installed: the extra `chain`")
        web3 = pytest.importorskip("web3", reason="web3 is not installed: the extra `chain`")
        pytest.importorskip("eth", reason="py-evm is not installed: the extra `chain`")
        tester = eth_tester.EthereumTester(eth_tester.PyEVMBackend())
        return tester, web3.Web3(web3.EthereumTesterProvider(tester))


def compiled(sources: Path, into: Path) -> dict[str, Any]:
    """Artifacts of the contracts in `sources`. Skips the test where Node or its package `solc` is not there."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: contracts are not compiled")
    asked = subprocess.run([node, "-e", "require('solc')"], cwd=CONTRACTS, capture_output=True, check=False)
    if asked.returncode:
        pytest.skip("the npm package `solc` is not installed (`npm install` in contracts/): contracts are not compiled")
    command = [node, str(CONTRACTS / "compile.js"), str(into), str(sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in sorted(into.glob("*.json"))}


@dataclass
class Twin:
    """A deployed contract and the state in which the interpreter has it."""

    system: System
    names: Contract
    tester: Any
    contract: Any
    state: State
    people: dict[EntityType, dict[str, Any]]  # of each sort, the names and what they are on the chain
    selectors: dict[str, bytes]
    gas: dict[str, list[int]]

    def now(self) -> int:
        """The time of the next block, in seconds."""
        return int(self.tester.get_block_by_number("pending")["timestamp"])

    def wait(self, seconds: int) -> None:
        if seconds > 0:
            self.tester.time_travel(self.now() + seconds)

    def inputs(self, request: Request) -> dict[str, Value]:
        """Those of the request, and the time of the next block where the system asks for it."""
        timed = any(i.name == NOW for i in self.system.action(request.action).inputs)
        return {**request.inputs, **({NOW: self.now() * 1000} if timed else {})}

    def check(self, request: Request) -> str:
        """Ask both, compare all there is to compare, and return the reason (empty: allowed)."""
        action = self.system.action(request.action)
        inputs = self.inputs(request)
        expected = step(self.system, self.state, Request(request.action, inputs))
        sender = next((i.type for i in action.inputs if i.name == PRINCIPAL), None)
        asker = self.tester.get_accounts()[0] if sender is None else self.people[sender][str(inputs[PRINCIPAL])]
        given = [self.encode(i.type, inputs[i.name]) for i in action.inputs if i.name not in (PRINCIPAL, NOW)]
        data = self.contract.encode_abi(self.names.functions[action.name], args=given)
        call = {"from": asker, "to": self.contract.address, "data": data, "gas": GAS}
        said = self.reason(call)
        at = self.now()
        self.tester.send_transaction({**call, "gas_price": 2_000_000_000})
        receipt = self.tester.get_transaction_receipt(self.tester.get_block_by_number("latest")["transactions"][-1])
        assert self.tester.get_block_by_number("latest")["timestamp"] == at
        assert (receipt["status"] == 1) == (said == "")
        assert said == expected.decision.reason, f"{request}: the contract says {said!r}"
        assert (said == "") == (expected.decision.effect == "allow")
        assert len(receipt["logs"]) == (said == "")
        if not said:
            self.gas.setdefault(action.name, []).append(receipt["gas_used"])
        self.state = expected.state
        self.compare()
        return said

    def reason(self, call: dict[str, Any]) -> str:
        """What the contract would answer: empty, or the text of the reason to revert."""
        from eth_tester.exceptions import TransactionFailed

        try:
            self.tester.call(call, "pending")
        except TransactionFailed as failed:
            told = failed.args[0]
            data = told if isinstance(told, bytes) else literal_eval(told)
            found = {
                self.selectors[name]: reason for reason, name in self.names.errors.items() if name in self.selectors
            }
            return found.get(data[:4], f"0x{data.hex()}")
        return ""

    def compare(self) -> None:
        """Every cell over the known people reads the same on both sides."""
        cells = [
            (v, keys)
            for v in self.system.state
            if v.name in self.names.getters
            for keys in product(*(self.people[k] for k in v.keys))
        ]
        calls = []
        for v, keys in cells:
            args = b"".join(as_word(self.people[s][k]) for s, k in zip(v.keys, keys, strict=True))
            calls.append(self.selectors[self.names.getters[v.name]] + args)
        words: list[bytes] = []
        for i in range(0, len(calls), 250):
            words += self.read(calls[i : i + 250])
        for (v, keys), word in zip(cells, words, strict=True):
            found, wanted = self.decode(v.type, word), self.state.read(v.name, keys)
            assert (found.__class__, found) == (wanted.__class__, wanted), (v.name, keys)

    def read(self, calls: Sequence[bytes]) -> list[bytes]:
        """The words that these calls return, by one call of code that makes them all."""
        code = b""
        for i, data in enumerate(calls):
            padded = data + bytes(-len(data) % 32)
            for j in range(0, len(padded), 32):
                code += b"\x7f" + padded[j : j + 32] + b"\x61" + j.to_bytes(2, "big") + b"\x52"  # mstore
            place, size = (128 + 32 * i).to_bytes(3, "big"), len(data).to_bytes(2, "big")
            address = bytes.fromhex(self.contract.address[2:])
            code += b"\x60\x20\x62" + place + b"\x61" + size + b"\x60\x00\x73" + address + b"\x5a\xfa\x15"
            code += b"\x61\xff\xff\x57"  # nowhere to jump to: a call that fails makes all fail
        code += b"\x62" + (32 * len(calls)).to_bytes(3, "big") + b"\x60\x80\xf3"
        sender = self.tester.get_accounts()[0]
        told = self.tester.call({"from": sender, "to": "", "data": "0x" + code.hex(), "gas": 28_000_000}, "latest")
        out = bytes.fromhex(told[2:])
        assert len(out) == 32 * len(calls)
        return [out[32 * i : 32 * i + 32] for i in range(len(calls))]

    def encode(self, type: Scalar, value: Value) -> Any:
        match type:
            case EntityType():
                return self.people[type][str(value)]
            case EnumType():
                return type.cases.index(str(value))
            case _:
                return value

    def decode(self, type: Scalar, word: bytes) -> Value:
        match type:
            case BoolType():
                assert int.from_bytes(word, "big") in (0, 1)
                return word[-1] == 1
            case IntType():
                return int.from_bytes(word, "big", signed=True)
            case EnumType():
                return type.cases[int.from_bytes(word, "big")]
            case _:
                assert isinstance(type, EntityType)
                return next(n for n, x in self.people[type].items() if as_word(x) == word)


def selectors(artifact: Mapping[str, Any]) -> dict[str, bytes]:
    """How calls of functions begin, and the data of errors."""
    from eth_utils import keccak

    named = [x for x in artifact["abi"] if x["type"] in ("function", "error")]
    texts = {x["name"]: f"{x['name']}({','.join(i['type'] for i in x['inputs'])})" for x in named}
    return {name: bytes(keccak(text=text)[:4]) for name, text in texts.items()}


def as_word(x: Any) -> bytes:
    match x:
        case str():
            return bytes(12) + bytes.fromhex(x[2:])
        case int():
            return x.to_bytes(32, "big")
        case _:
            return bytes(x)


def deploy(
    system: System,
    names: Contract,
    artifact: Mapping[str, Any],
    params: Mapping[str, Value],
    members: Mapping[str, Sequence[str]],
    people: Mapping[str, Sequence[str]],
    chain: tuple[Any, Any],
) -> Twin:
    """`members` are who is in each set at the start, `people` the names of each sort; "" is nobody, and zero."""
    tester, w3 = chain
    accounts = tester.get_accounts()
    kinds = _kinds(system, names)
    known: dict[EntityType, dict[str, Any]] = {}
    for sort, kind in kinds.items():
        zero: Any = {"address": NOBODY, "uint256": 0}.get(kind, bytes(32))
        known[sort] = {"": zero}
        for i, n in enumerate(people.get(sort.name, ()), start=1):
            known[sort][n] = {"address": accounts[i], "uint256": i}.get(kind, bytes([i]) * 32)
    chosen = {p.name: p.default.value for p in system.params} | dict(params)
    starts = [(v, members.get(v, ())) for v in names.starts]
    arguments: list[Any] = [tuple(chosen[p.name] for p in system.params)] if system.params else []
    arguments += [known[c.type][str(c.value)] for c in system.individuals if isinstance(c.type, EntityType)]
    arguments += [[known[system.variable(v).keys[0]][n] for n in found] for v, found in starts]
    made = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    sent = made.constructor(*arguments).transact({"from": accounts[0], "gas": GAS})
    receipt = w3.eth.get_transaction_receipt(sent)
    assert receipt.status == 1
    contract = w3.eth.contract(address=receipt.contractAddress, abi=artifact["abi"])
    cells = [Cell(v, (n,), True) for v, found in starts for n in found]
    twin = Twin(system, names, tester, contract, initial(system, chosen, cells), known, selectors(artifact), {})
    twin.gas["deploy"] = [receipt.gasUsed]
    return twin


def _kinds(system: System, names: Contract) -> dict[EntityType, str]:
    from runtime.solidity_layout import layout_of

    layout = layout_of(system, {})
    assert layout.contract == names.name
    sorts = [k for v in system.state for k in v.keys]
    sorts += [x.type for a in system.actions for x in a.inputs if isinstance(x.type, EntityType)]
    sorts += [v.type for v in system.state if isinstance(v.type, EntityType)]
    return {s: layout.type(s) for s in dict.fromkeys(sorts)}
