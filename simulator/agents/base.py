"""What the security agents share: what they see, whom they are, and what they tell each other.

An agent is a dataclass of plain state (NOTE(plain-state)) and a function of its module, `tick(agent, view)`. It acts by
asking the gateway and tells others by `view.tell`; what it is told it takes with `view.take`. Agents are called once a
tick, in the order of `ORDER`, so what Intelligence tells the Threat Hunter is known in the same tick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from simulator.gateway import Gateway
from simulator.observe import Observed
from simulator.random_streams import Draw


class Name(Enum):
    """The seven agents, as they are named in the record of a run."""

    INTELLIGENCE = "intelligence"
    HUNTER = "threat_hunter"
    RESPONDER = "incident_responder"
    COORDINATION = "coordination"
    ENFORCER = "policy_enforcer"
    TRACKER = "reputation_tracker"
    AUDITOR = "auditor"


ORDER = tuple(Name)

ROLES = {
    Name.INTELLIGENCE: "Analyst",
    Name.HUNTER: "ThreatHunter",
    Name.RESPONDER: "IncidentResponder",
    Name.COORDINATION: "Coordinator",
    Name.ENFORCER: "PolicyEnforcer",
    Name.TRACKER: "ReputationTracker",
    Name.AUDITOR: "Auditor",
}
"""The role that an agent has in `agents.powers`."""


class Subject(Enum):
    """What an alert or an incident is about."""

    BOT = "bot"
    SKILL = "skill"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Alert:
    """The Threat Hunter (or the Auditor) has seen something: `score` is between 0 and 1."""

    subject: Subject
    number: int
    """Of the bot, the skill or the link."""
    kind: str
    """Which pattern it is: `phishing`, `spam`, `exfiltration`, `sybil`, `collusion`, `byzantine`, `vulnerable_skill`,
    `anomaly`."""
    score: float
    tick: int
    evidence: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Indicator:
    """Something that Intelligence holds to be bad: known links, skills and bots near known attackers."""

    subject: Subject
    number: int
    risk: float


@dataclass(frozen=True, slots=True)
class Request:
    """One agent asks another to do something in its own trade: `block_link`, `tighten`, `relax`, `emergency`,
    `stand_down`, `review_proof`, `audit`, `lower_reputation`."""

    what: str
    number: int = -1
    level: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that people should be able to read afterwards, in the record of the run.

    `kind` is one of `detected`, `alarm`, `contained`, `verified`, `fell_back`, `escalated`, `human`, `closed`,
    `recovered`, `policy`, `consensus`, `emergency`, `reputation`, `audit`, `forecast`, `amendment`.
    """

    tick: int
    now: int
    """Milliseconds, with what passed within the tick."""
    who: str
    kind: str
    text: str
    incident: int = -1
    subject: str = ""
    number: int = -1


Message = Alert | Indicator | Request
M = TypeVar("M", Alert, Indicator, Request)


@dataclass(slots=True)
class Bus:
    """What the agents have told each other and nobody has taken yet, and what was noted for people in this tick."""

    alerts: dict[str, list[Alert]] = field(default_factory=dict)
    indicators: dict[str, list[Indicator]] = field(default_factory=dict)
    requests: dict[str, list[Request]] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class View:
    """What an agent can see and do in a tick. There is no ground truth in it."""

    tick: int
    me: int
    """The agent's own number as a bot."""
    name: Name
    gateway: Gateway
    """`ask` acts, `read` reads the state of the policy, `asked` has all requests of this tick with their answers."""
    observed: Observed
    bus: Bus
    members: int
    """So many bots are members of the ecosystem: the numbers below. Agents and humans come after them."""
    draw: Callable[[str], Draw]
    """The random numbers of a stream, in this tick."""

    def ask(self, action: str, **columns: Any) -> Any:
        """Asks for something as oneself; the answers of `Gateway.ask`."""
        return self.gateway.ask(action, principal=self.me, **columns)

    def tell(self, to: Name, message: Message) -> None:
        box = _box(self.bus, type(message))
        box.setdefault(to.value, []).append(message)

    def take(self, kind: type[M]) -> list[M]:
        """What one was told, in order; it is then no longer there."""
        found: list[M] = _box(self.bus, kind).pop(self.name.value, [])
        return found

    def note(
        self, kind: str, text: str, *, incident: int = -1, subject: str = "", number: int = -1, after: int = 0
    ) -> None:
        """Something to be read afterwards; `after` are the milliseconds that passed since the tick began."""
        now = self.gateway.now + after
        self.bus.happenings.append(Happening(self.tick, now, self.name.value, kind, text, incident, subject, number))


def _box(bus: Bus, kind: Any) -> dict[str, list[Any]]:
    boxes: dict[Any, dict[str, list[Any]]] = {
        Alert: bus.alerts,
        Indicator: bus.indicators,
        Request: bus.requests,
    }
    return boxes[kind]
