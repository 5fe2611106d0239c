"""The compiled contracts that ship (`contracts.json`) to what is needed to deploy and to understand them.

`tests/shipped.py` writes the file anew from `contracts/` and the policy. Of code on a chain, this says whether it is
the compiled one: parameters are written into the code when it is deployed, all else is the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

GOVERNANCE = "MVGGovernance"
ANCHOR = "Anchor"

_PUSH1, _PUSH32 = 0x60, 0x7F


@dataclass(frozen=True, slots=True)
class Compiled:
    """A contract as the compiler left it. `reasons` has the text of each error, by its name."""

    name: str
    abi: Sequence[Mapping[str, Any]]
    bytecode: str
    deployed: bytes
    reasons: Mapping[str, str]

    @property
    def digest(self) -> str:
        return sha256(bytes.fromhex(self.bytecode[2:])).hexdigest()

    def functions(self) -> dict[str, Mapping[str, Any]]:
        return {x["name"]: x for x in self.abi if x["type"] == "function"}

    def is_code(self, found: bytes) -> bool:
        """Whether this is the code that a chain has after the contract was deployed with some parameters."""
        holes = _holes(self.deployed)
        return len(found) == len(self.deployed) and _blank(found, holes) == _blank(self.deployed, holes)


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the policy, and the range in which it was proved."""

    name: str
    default: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the policy: the function it is in the contract, and its inputs beside who asks."""

    name: str
    function: str
    asks: bool
    """Whether it matters who asks."""
    inputs: tuple[tuple[str, str], ...]
    """Names, and their types in the policy."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """What ships: contracts by name, and the policy that one of them is."""

    contracts: Mapping[str, Compiled]
    module: str
    core: str
    """The digest of the core of the policy."""
    params: tuple[Param, ...]
    actions: Mapping[str, Action]
    enums: Mapping[str, tuple[str, ...]]
    getters: Mapping[str, str]
    """From state variables to functions."""


@cache
def shipped() -> Shipped:
    data = json.loads(files("policyctl.chain").joinpath("contracts.json").read_text("utf-8"))
    contracts = {
        name: Compiled(name, c["abi"], c["bytecode"], bytes.fromhex(c["deployedBytecode"][2:]), c["errors"])
        for name, c in data["contracts"].items()
    }
    return Shipped(
        contracts,
        data["module"],
        data["core"],
        tuple(Param(**p) for p in data["params"]),
        {
            name: Action(name, a["function"], a["asks"], tuple((n, t) for n, t in a["inputs"]))
            for name, a in data["actions"].items()
        },
        {name: tuple(cases) for name, cases in data["enums"].items()},
        data["getters"],
    )


def _holes(code: bytes) -> list[int]:
    """Where the compiler left room for a parameter: it pushes 32 zeros there, and other zeros shorter."""
    found, at = [], 0
    while at < len(code):
        size = code[at] - _PUSH1 + 1 if _PUSH1 <= code[at] <= _PUSH32 else 0
        if size == 32 and code[at + 1 : at + 33] == bytes(32):
            found.append(at + 1)
        at += 1 + size
    return found


def _blank(code: bytes, holes: Sequence[int]) -> bytes:
    blanked = bytearray(code)
    for at in holes:
        blanked[at : at + 32] = bytes(32)
    return bytes(blanked)
