"""What the integration demonstration goes through: which scenario, which phases, and what has to be seen in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.demonstrations import Step, scenario_of
from simulator.measures import FIRST_HARM, HINDSIGHT
from simulator.meta_twin import Plan as Amendment
from simulator.scenario import Scenario, with_settings

NAME = "integration"
PATIENCE = 200
"""So many ticks more are waited for an incident to be over."""
NORMAL, INCIDENT, OPTIMISATION = "normal operation", "security incident", "governance optimisation"
METRICS = (
    ("decision latency", ("decision_p50", "decision_p90", "decided")),
    ("detection of and response to incidents", ("detection_p50", "response_p50", "detected")),
    ("coordination", ("coordination",)),
    ("accuracy of reputations", ("reputation_auc",)),
    ("resilience under attack", ("resilience", "worst", "recovery")),
)
"""The five figures at the end, and the metrics of the twin that say them."""
FAST = (
    "ticks=240",
    "attack_begins=120",
    "skills.malicious_begins=120",
    "committee_faults=1",
    "VOTING_PERIOD=20s",
    "TIMELOCK=10s",
    "ALARM_WINDOW=30s",
    "LOCKDOWN=20s",
    "EMERGENCY=20s",
)
"""What is otherwise in the short version: each phase is shorter, and the committee has four seats and not ten."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the demonstration, from one tick to another, and what is to be seen in it: some stories, each in order.

    It ends when all of it was seen, but not before `least`, and never later than `most`.
    """

    name: str
    begins: int
    least: int
    most: int
    stories: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    scenario: Scenario
    phases: tuple[Phase, ...]
    """Normal operation and the incident; what comes after them ends when the amendment has been judged."""
    amendment: Amendment
    """What governance then changes about itself, and how that is rehearsed and watched."""

    @property
    def ticks(self) -> int:
        """About how long it takes."""
        periods = (int(self.scenario.parameters[name]) for name in ("VOTING_PERIOD", "TIMELOCK"))
        return self.scenario.ticks + sum(periods) // self.scenario.tick_ms + self.amendment.watch


def plan(fast: bool = False, seed: int | None = None) -> Plan:
    scenario = scenario_of(NAME)
    settings = [*(FAST if fast else ()), *([] if seed is None else [f"seed={seed}"])]
    scenario = with_settings(scenario, settings)
    phases = (
        Phase(NORMAL, 0, scenario.attack_begins, scenario.attack_begins, _NORMAL),
        Phase(INCIDENT, scenario.attack_begins, scenario.ticks, scenario.ticks + PATIENCE, _INCIDENT),
    )
    halved = {name: int(scenario.parameters[name]) // 2 for name in ("VOTING_PERIOD", "TIMELOCK")}
    pairs, warm_up, watch = (4, 40, 140) if fast else (8, 100, 200)
    amendment = Amendment(halved, "decision_p50", pairs=pairs, watch=watch, warm_up=warm_up)
    return Plan(scenario, phases, amendment)


def _noted(text: str, who: Sequence[str], kind: str, *words: str) -> Step:
    return Step(text, tuple(who), (kind,), words or ("",))


_NORMAL = (
    (
        _noted("bots propose and vote, and the committee agrees", ["coordination"], "consensus", "decided"),
        _noted("a proposal is executed", [HINDSIGHT], "executed"),
        _noted("its outcome is judged, and reputations move", [HINDSIGHT], "judged"),
    ),
)
_INCIDENT = (
    (
        _noted("a malicious skill is submitted", [HINDSIGHT], "submitted"),
        _noted("the Auditor finds it", ["auditor"], "audit"),
    ),
    (
        _noted("attackers do harm", [HINDSIGHT], FIRST_HARM),
        _noted("the Threat Hunter raises the alarm", ["threat_hunter"], "alarm"),
        _noted("the Incident Responder contains it", ["incident_responder"], "contained"),
    ),
    (
        _noted("the emergency protocol begins", ["coordination"], "emergency"),
        _noted("the ecosystem has recovered", ["coordination"], "recovered"),
    ),
    (_noted("the Policy Enforcer tightens the policy", ["policy_enforcer"], "policy", "tightened"),),
)
