"""An engine that is nothing but the protocol: a few numbers per tick, which depend on everything they should."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from simulator.measures import FIRST_HARM, NAMES
from simulator.random_streams import Draw
from simulator.scenario import Scenario, check_parameters
from simulator.snapshot import digest, restore, save

BEGIN = "fake_engine:begin"
LONG = (1000, 2_592_000_000)
RANGES = {
    **dict.fromkeys(("VOTING_PERIOD", "TIMELOCK", "DECAY_PERIOD", "LOCKDOWN", "EMERGENCY", "ALARM_WINDOW"), LONG),
    **dict.fromkeys(("PROPOSAL_REWARD", "PROPOSAL_PENALTY", "DECAY"), (0, 1000)),
    "QUORUM": (1, 1_000_000),
    "PROPOSE_THRESHOLD": (1, 1000),
    "ALARMS": (1, 1_000_000),
    "SEND_LIMIT": (4, 1_000_000),
    "SEND_WINDOW": LONG,
    "QUARANTINES": (0, 1_000_000),
    "MIN_TRUST": (1, 100),
}

DEFAULTS = {"QUORUM": 300, "PROPOSE_THRESHOLD": 100, "PROPOSAL_PENALTY": 20}


@dataclass(slots=True)
class State:
    tick: int
    parameters: dict[str, int]
    trust: np.ndarray
    open: list[tuple[int, int]] = field(default_factory=list)
    next: int = 0


@dataclass(frozen=True)
class Ticked:
    measures: dict[str, float]
    happenings: list[dict[str, Any]]
    decided: list[tuple[int, int, int]]


@dataclass
class Fake:
    scenario: Scenario
    seed: int
    run: int
    state: State

    ranges: ClassVar[dict[str, tuple[int, int]]] = RANGES
    gateway: ClassVar[Any] = SimpleNamespace(parameter=lambda name: DEFAULTS.get(name, 10))
    policies: ClassVar[dict[str, str]] = {"twin.ecosystem": "0" * 16}

    @property
    def tick(self) -> int:
        return self.state.tick

    def step(self) -> Ticked:
        s, tick, now = self.scenario, self.state.tick, self.state.tick * self.scenario.tick_ms
        draw = Draw(self.seed, self.run, tick, "fake")
        if "crash" in s.title and tick == 5:
            raise RuntimeError("the engine broke")
        self.state.trust = 0.9 * self.state.trust + 0.1 * draw.uniform(np.arange(s.bots))
        attack = s.malicious if tick >= s.attack_begins else 0.0
        defended = 1.0 if s.agents else 0.0
        # Best at a quorum of 500: something for an optimiser to find.
        fit = 1.0 - min(abs(self.state.parameters["QUORUM"] - 500) / 1000.0, 1.0)
        noise = float(draw.uniform(s.bots)) * 0.02
        measures = dict.fromkeys(NAMES, 0.0)
        measures |= {
            "service_asked": 100.0,
            "service_kept": 100.0 - 100.0 * attack * (1.0 - 0.5 * defended * fit) - noise,
            "messages": 50.0,
            "alarms": 2.0 * defended * (attack > 0),
            "alarms_false": 0.5 * defended * (attack > 0),
            "harmful_delivered": 3.0 * attack,
            "harmful_denied": 7.0 * attack * defended,
            "proposals_submitted": 1.0,
            "demand": 10.0,
            "demand_served": 8.0 + noise,
            "members": float(s.bots),
            "consensus_decisions": 1.0,
            "consensus_ms": 100.0 + 10.0 * noise,
            "reputation_auc": 0.5 + 0.4 * float(self.state.trust[0]),
        }
        happenings = []
        if attack and tick == s.attack_begins:
            happenings.append(happening(tick, now, "hindsight", FIRST_HARM, "bot 3 does harm"))
        if attack and defended and tick == s.attack_begins + 4:
            happenings.append(happening(tick, now, "threat_hunter", "alarm", "bot 3 <spams>"))
        if attack and defended and tick == s.attack_begins + 6:
            happenings.append(happening(tick, now, "incident_responder", "contained", "bot 3 is in quarantine"))
        wait = self.state.parameters.get("VOTING_PERIOD", 60_000)
        decided = [(p, t, now) for p, t in self.state.open if now >= t + wait]
        self.state.open = [(p, t) for p, t in self.state.open if now < t + wait]
        self.state.open.append((self.state.next, now))
        self.state.next += 1
        measures["executed"] = measures["good_executed"] = float(len(decided))
        self.state.tick += 1
        return Ticked(measures, happenings, decided)

    def save(self, folder: Path) -> None:
        tree, arrays = save(self.state)
        (folder / "state.json").write_text(json.dumps(tree))
        np.savez(folder / "state.npz", **arrays)

    def load(self, folder: Path) -> None:
        with np.load(folder / "state.npz") as arrays:
            self.state = restore(State, json.loads((folder / "state.json").read_text()), dict(arrays))

    def digest(self) -> str:
        return digest(self.state)

    def reparameterise(self, parameters: Mapping[str, int]) -> None:
        changed = {**self.state.parameters, **parameters}
        check_parameters(self.scenario.model_copy(update={"parameters": changed}), RANGES)
        self.state.parameters = changed


def happening(tick: int, now: int, who: str, kind: str, text: str) -> dict[str, Any]:
    return {
        "tick": tick, "now": now, "who": who, "kind": kind, "text": text, "incident": -1, "subject": "bot", "number": 3
    }  # fmt: skip


def begin(scenario: Scenario, seed: int, run: int) -> Fake:
    check_parameters(scenario, RANGES)
    return Fake(scenario, seed, run, State(0, {"QUORUM": 300, **scenario.parameters}, np.zeros(scenario.bots)))
