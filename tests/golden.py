"""Hashes of runs that must not change unnoticed; run as a program, it writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

from simulator.engine import begin
from simulator.scenario import SHIPPED, load, with_settings

FILE = Path(__file__).parent / "golden_runs.json"


def golden(name: str) -> dict[str, str]:
    """The hash of the state, and the root of the decision log, at two moments of a small run.

    Without the Threat Hunter, whose forest is that of one version of scikit-learn.
    """
    agents = '["intelligence","incident_responder","coordination","policy_enforcer","reputation_tracker","auditor"]'
    scenario = with_settings(load(name), ["bots=200", "ticks=80", "attack_begins=30", f"agents={agents}"])
    engine = begin(scenario, 1)
    found = {}
    for tick in range(1, 81):
        engine.step()
        if tick in (20, 80):
            found[str(tick)] = f"{engine.digest()} {engine.state.log.root}"
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: golden(name) for name in SHIPPED}, indent=2) + "\n", encoding="utf-8")
