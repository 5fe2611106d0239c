"""Contracts of systems, compiled and on an EVM beside the reference interpreter, with what tests compare."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from policyctl.cli_emit import names_json
from policydsl.core.system import NOW, PRINCIPAL, Action, System
from policydsl.core.types import BoolType, EntityType, EnumType, Scalar, Value
from policydsl.diagnostics import Report
from policydsl.interp import Request
from policydsl.load import load
from runtime.evm import GAS, Event, Evm, EvmError, Receipt
from runtime.evm_names import names_of, signature, value_of
from runtime.evm_twin import EvmTwin
from runtime.solidity import Contract, to_solidity
from runtime.solidity_names import upper_camel

ROOT = Path(__file__).parent.parent
CONTRACTS = ROOT / "contracts"
AWAY = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "E404", "ENOTCACHED", "ERR_SOCKET_TIMEOUT")
"""What npm says when there is no registry that has a package."""


def system_of(path: str) -> System:
    """The system of a policy that ships."""
    report = Report()
    (program,) = load([str(ROOT / path)], lambda p: Path(p).read_text(encoding="utf-8"), report)
    assert not report.failed
    return program.system


GOVERNANCE = system_of("specs/mvg/governance.policy")


def artifact(name: str, folder: Path = CONTRACTS / "artifacts") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


@cache
def _modules() -> Path:
    """Where npm has installed what contracts/package-lock.json names. Skips the test where it cannot."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed: contracts are not compiled")
    folder = Path(tempfile.mkdtemp(prefix="policyctl-solc-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(CONTRACTS / name, folder)
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and any(word in done.stderr for word in AWAY):
        pytest.skip("npm cannot install `solc`: contracts are not compiled")
    assert done.returncode == 0, done.stderr
    return folder / "node_modules"


def compiled(sources: Path, into: Path) -> dict[str, Any]:
    """Artifacts of the contracts in `sources`."""
    environment = os.environ | {"NODE_PATH": str(_modules())}
    # A copy, so that no other `node_modules` is nearer than the one that is locked.
    script = shutil.copy(CONTRACTS / "compile.js", into.parent / "compile.js")
    done = subprocess.run(
        ["node", script, str(into), str(sources)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in sorted(into.glob("*.json"))}


def machine() -> Evm:
    """An EVM. Skips the test where there is none."""
    try:
        return Evm()
    except EvmError as error:
        pytest.skip(str(error))


class FastEvm(Evm):
    """The same by another implementation, revm, which is some thirty times as fast. What it says of gas is not used."""

    def __init__(self) -> None:
        import pyrevm

        self._made = pyrevm
        self._evm = pyrevm.EVM(spec_id="CANCUN", gas_limit=GAS)
        self._contracts = 0

    def deploy(self, sender: bytes, code: bytes, at: int = 0) -> Receipt:
        self._evm.set_block_env(self._made.BlockEnv(timestamp=at))
        created = self._evm.deploy(f"0x{sender.hex()}", code, gas=GAS)
        return Receipt(True, b"", 0, (), bytes.fromhex(created[2:]))

    def send(self, sender: bytes, to: bytes, data: bytes, at: int) -> Receipt:
        self._evm.set_block_env(self._made.BlockEnv(timestamp=at))
        try:
            output = self._evm.message_call(f"0x{sender.hex()}", f"0x{to.hex()}", data, gas=GAS)
        except RuntimeError as fault:
            output = bytes.fromhex(str(fault).partition("output: 0x")[2].removesuffix(" }"))
            return Receipt(False, output, 0, (), b"")
        events = [Event(tuple(bytes.fromhex(t[2:]) for t in x.topics), x.data[1]) for x in self._evm.result.logs]
        return Receipt(True, output, 0, tuple(events), b"")

    def read(self, to: bytes, data: bytes) -> bytes:
        return bytes(self._evm.message_call(f"0x{bytes(20).hex()}", f"0x{to.hex()}", data, gas=GAS, is_static=True))


def fast_machine() -> Evm:
    return machine() if find_spec("pyrevm") is None else FastEvm()


def deployed(
    system: System,
    made: Mapping[str, Any],
    params: Mapping[str, Value],
    starts: Mapping[str, Sequence[str]],
    people: Mapping[str, Sequence[str]],
    contract: Contract | None = None,
    evm: Evm | None = None,
) -> EvmTwin:
    """The contract of `system` with the artifact `made`; `people` are the names of each sort, beside nobody."""
    names = names_of(names_json(system.name, contract or to_solidity(system)), json.dumps(made))
    sorts = [k for v in system.state for k in (*v.keys, v.type)] + [i.type for a in system.actions for i in a.inputs]
    everybody = {s: ("", *people.get(s.name, ())) for s in sorts if isinstance(s, EntityType)}
    return EvmTwin(system, names, params, starts, everybody, evm or machine())


def timed(twin: EvmTwin, request: Request, wait: int = 0) -> Request:
    """The request with the time, `wait` seconds after the last, where the system asks for it."""
    asks = any(i.name == NOW for i in twin.system.action(request.action).inputs)
    return Request(request.action, {**request.inputs, **({NOW: (twin.at + wait) * 1000} if asks else {})})


def check(twin: EvmTwin, request: Request, wait: int = 0) -> str:
    """Ask both, compare all there is to compare, and return the reason (empty: allowed)."""
    asked = timed(twin, request, wait)
    answer = twin.ask(asked)
    assert answer.agrees, f"{asked}: {answer.said!r} on the chain, {answer.expected}"
    assert [told(twin, e) for e in answer.receipt.events] == ([] if answer.said else [said(twin, asked)])
    assert twin.differences() == []
    return answer.said


def said(twin: EvmTwin, request: Request) -> tuple[str, list[Value]]:
    """The event that an allowed request should leave."""
    inputs = twin.system.action(request.action).inputs
    return upper_camel(request.action), [request.inputs[i.name] for i in inputs if i.name != NOW]


def told(twin: EvmTwin, event: Any) -> tuple[str, list[Value]]:
    """An event in the words of the system."""
    from eth_abi.abi import decode

    entry = next(x for (kind, _), x in twin.names.abi.items() if kind == "event" and signature(x) == event.topics[0])
    topics = iter(event.topics[1:])
    data = iter(decode([i["type"] for i in entry["inputs"] if not i["indexed"]], event.data))
    found = [decode([i["type"]], next(topics))[0] if i["indexed"] else next(data) for i in entry["inputs"]]
    action = next(a for a in twin.system.actions if upper_camel(a.name) == entry["name"])
    kinds = [i.type for i in action.inputs if i.name != NOW]
    return entry["name"], [value_of(twin.people, t, x) for x, t in zip(found, kinds, strict=True)]


def requests(system: System, people: Mapping[EntityType, Mapping[str, int]]) -> list[Request]:
    """Every request over the known people, without the time; nobody asks for nothing."""

    def values(type: Scalar, name: str) -> list[Value]:
        match type:
            case BoolType():
                return [False, True]
            case EnumType():
                return list(type.cases)
            case EntityType():
                return [n for n in people[type] if n or name != PRINCIPAL]
            case _:
                return [-7, 0, 1, 5]

    def of(action: Action) -> list[Request]:
        inputs = [i for i in action.inputs if i.name != NOW]
        return [
            Request(action.name, dict(zip((i.name for i in inputs), choice, strict=True)))
            for choice in product(*(values(i.type, i.name) for i in inputs))
        ]

    return [r for a in system.actions for r in of(a)]
