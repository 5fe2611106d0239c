"""What ships inside the packages and is made of what lies outside: the core of the enforcer's own policy, and the
compiled contracts. Run as a program, it writes them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from policydsl.core.system import NOW, PRINCIPAL, System
from policydsl.core.to_json import digest, to_json
from policydsl.core.types import EnumType
from policydsl.diagnostics import Report
from policydsl.load import load

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "runtime" / "lockdown.json"
CONTRACTS = ROOT / "policyctl" / "chain" / "contracts.json"
_POLICY = "specs/enforcer/lockdown.policy"
_GOVERNANCE = "specs/mvg/governance.policy"


def lockdown_json() -> str:
    """Canonical, with places that are the same wherever the project lies."""
    return to_json(_system(_POLICY)) + "\n"


def contracts_json() -> str:
    """What `policyctl/chain/contracts.py` reads: of `contracts/artifacts` and the policy what a client needs."""
    system = _system(_GOVERNANCE)
    names = json.loads((ROOT / "contracts" / "Governance.names.json").read_text(encoding="utf-8"))
    scalars = (*(v.type for v in system.state), *(i.type for a in system.actions for i in a.inputs))
    data = {
        "contracts": {name: _contract(name) for name in ("Anchor", "MVGGovernance")},
        "module": system.name,
        "core": digest(system),
        "params": [{"name": p.name, "default": p.default.value, "low": p.low, "high": p.high} for p in system.params],
        "actions": {
            a.name: {
                "function": names["functions"][a.name],
                "asks": any(i.name == PRINCIPAL for i in a.inputs),
                "inputs": [[i.name, str(i.type)] for i in a.inputs if i.name not in (NOW, PRINCIPAL)],
            }
            for a in system.actions
        },
        "enums": {t.name: list(t.cases) for t in scalars if isinstance(t, EnumType)},
        "getters": names["getters"],
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _contract(name: str) -> dict[str, Any]:
    made = json.loads((ROOT / "contracts" / "artifacts" / f"{name}.json").read_text(encoding="utf-8"))
    errors = {text.partition("(")[0]: told[0]["notice"] for text, told in made["userdoc"]["errors"].items()}
    return {**{k: made[k] for k in ("compiler", "abi", "bytecode", "deployedBytecode")}, "errors": errors}


def _system(path: str) -> System:
    report = Report()
    (program,) = load([path], lambda p: (ROOT / p).read_text(encoding="utf-8"), report)
    assert not report.found, report.found
    return program.system


if __name__ == "__main__":
    SHIPPED.write_text(lockdown_json(), encoding="utf-8")
    CONTRACTS.write_text(contracts_json(), encoding="utf-8")
