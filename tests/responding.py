"""A small ecosystem for tests of the agents that respond: real policies and gateway, and hands to play the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from policydsl.core.system import System
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.population import Population
from simulator import humans
from simulator.agents import coordination, incident_responder, policy_enforcer
from simulator.agents.base import ORDER, ROLES, Alert, Bus, Happening, Name, Request, Subject, View
from simulator.consensus.byzantine import Fault
from simulator.gateway import Gateway
from simulator.network import Network
from simulator.observe import Observed, observed
from simulator.random_streams import Draw

ROOT = Path(__file__).parent.parent
TICK = 1000
SKILLS, LINKS, HUMANS = 8, 12, 3
PARAMS = {"LOCKDOWN": 60_000, "EMERGENCY": 20_000, "ALARMS": 100_000, "SEND_WINDOW": 10_000}


@cache
def system(path: str) -> System:
    report = Report()
    (program,) = load([path], lambda name: (ROOT / name).read_text(encoding="utf-8"), report)
    assert not report.found, report.found
    return program.system


def gateway(members: int, capacity: int = 16) -> Gateway:
    """Members, then the seven agents in their order, then humans; an honest skill for all, and one harmful one."""
    bots = members + len(ORDER) + HUMANS
    who = np.arange(bots)
    twin = system("specs/twin/ecosystem.policy")
    roles = next(v.type for v in twin.state if v.name == "role").cases  # type: ignore[union-attr]
    role = np.zeros(bots, dtype=np.int64)
    for place, name in enumerate(ORDER):
        if ROLES[name] in roles:
            role[members + place] = roles.index(ROLES[name])
    start = {
        "Members": who < members,
        "Auditors": who == members + ORDER.index(Name.AUDITOR),
        "Humans": who >= members + len(ORDER),
        "Insiders": np.zeros(bots, dtype=np.bool_),
        "role": role,
        "trust": np.full(SKILLS, 80),
        "developer.has": np.ones(SKILLS, dtype=np.bool_),
        "developer.value": np.arange(SKILLS),
    }
    sizes = {"Bot": bots, "Skill": SKILLS, "Link": LINKS, "Channel": 4, "Proposal": 1, "Payload": 1}
    incidents = Population(
        system("specs/agents/incidents.policy"),
        sizes={"Agent": bots, "Incident": capacity},
        start={"Humans": who >= members + len(ORDER)},
    )
    params = {p.name: p.default.value for p in twin.params} | PARAMS
    return Gateway([Population(twin, params, sizes, start), incidents], params, {})


@dataclass
class Ecosystem:
    """All that a run needs beside the agents; `harmful` is the ground truth."""

    members: int
    gateway: Gateway
    observed: Observed
    harmful: dict[Subject, set[int]] = field(default_factory=lambda: {s: set() for s in Subject})
    sends: Callable[[int], Mapping[str, Any] | None] = lambda tick: None
    """What bots send in a tick: columns of `send`."""
    happenings: list[Happening] = field(default_factory=list)
    bus: Bus = field(default_factory=Bus)
    tick: int = 0
    network: Network = field(default_factory=Network)
    traitors: Mapping[int, Fault] = field(default_factory=dict)
    valid: bool = True
    """Whether the proofs are."""
    version: str = "1"
    """Of what runs, as the Policy Enforcer sees it."""
    looks: int = 0
    """How often it has looked at the proofs."""
    texts_of: dict[int, str] = field(default_factory=dict)
    """The fingerprint of each skill, where it is not `first`."""
    tracks: bool = True
    """Whether the Reputation Tracker does what it is asked for."""
    audits: bool = True
    responder: incident_responder.State = field(init=False)
    coordination: coordination.State = field(default_factory=lambda: coordination.begin(f=1))
    enforcer: policy_enforcer.State = field(default_factory=lambda: policy_enforcer.begin(every=10))
    humans: humans.State = field(init=False)

    def __post_init__(self) -> None:
        self.responder = incident_responder.begin(self.members)
        first = self.members + len(ORDER)
        self.humans = humans.begin(range(first, first + HUMANS), median=3000.0, error=0.0)

    def view(self, name: Name) -> View:
        return View(
            self.tick,
            self.members + ORDER.index(name),
            name,
            self.gateway,
            self.observed,
            self.bus,
            self.members,
            lambda stream: Draw(7, 0, self.tick, f"{name.value} {stream}"),
        )

    def truth(self, subject: Subject, numbers: Any) -> Any:
        return np.isin(numbers, sorted(self.harmful[subject]))

    def faults(self) -> tuple[str, ...]:
        """What is wrong with the proofs."""
        self.looks += 1
        return () if self.valid else ("it is forged",)

    def fingerprint(self, skill: int) -> str:
        return self.texts_of.get(skill, "first")

    def repair(self) -> bool:
        was, self.valid = self.valid, True
        return not was

    def alarm(self, *bots: int) -> None:
        """The Threat Hunter raises alarms."""
        self.view(Name.HUNTER).ask("raise_alarm", suspect=np.array(bots, dtype=np.int64))

    def alert(self, subject: Subject, number: int, kind: str, score: float = 0.75, **evidence: float) -> None:
        found = Alert(subject, number, kind, score, self.tick, tuple(evidence.items()))
        self.view(Name.HUNTER).tell(Name.RESPONDER, found)

    def begin_tick(self) -> None:
        """What bots do, as the gateway sees it."""
        self.gateway.begin(self.tick * TICK)
        self.observed.fade()
        columns = self.sends(self.tick)
        if columns is None:
            return
        answers = self.gateway.ask("send", **columns)
        asked = self.gateway.of_tick("send")[-1]
        sent = {name: asked.column(name)[answers.allowed] for name in columns}
        self.observed.add("messages", sent["principal"])
        linked = sent["link"] >= 0
        for rate, values in (("link_senders", sent["link"][linked]), ("skill_uses", sent["skill"])):
            array = getattr(self.observed, rate)
            array += np.bincount(values, minlength=array.size)
        bad = np.isin(sent["principal"], sorted(self.harmful[Subject.BOT]))
        self.observed.add("complaints", sent["principal"][bad])

    def agents(self) -> None:
        incident_responder.tick(self.responder, self.view(Name.RESPONDER))
        coordination.tick(self.coordination, self.view(Name.COORDINATION), self.network, lambda _: self.traitors)
        policy_enforcer.tick(self.enforcer, self.view(Name.ENFORCER), self, self.fingerprint)
        tracker, auditor = self.view(Name.TRACKER), self.view(Name.AUDITOR)
        for request in tracker.take(Request):
            if self.tracks:
                tracker.ask("score", about=request.number, change=-request.level)
        for request in auditor.take(Request):
            if self.audits:
                auditor.ask("audit_skill", skill=request.number, security=10, quality=50)
        humans.tick(self.humans, self.view(Name.AUDITOR), self.responder.book, self.truth, self.repair)

    def end_tick(self) -> None:
        self.happenings += self.bus.happenings
        self.bus.happenings = []
        self.tick += 1

    def run(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            self.begin_tick()
            self.agents()
            self.end_tick()

    def kinds(self, incident: int | None = None) -> list[str]:
        """What was noted (about an incident), in order."""
        return [h.kind for h in self.happenings if incident is None or h.incident == incident]

    def texts(self) -> list[str]:
        return [h.text for h in self.happenings]

    def is_on(self, name: str, number: int | None = None) -> bool:
        found = self.gateway.read(name)
        return bool(found if number is None else found[number])

    def phases(self) -> list[int]:
        """Of all incidents, as the policy has them."""
        found: list[int] = self.gateway.enforcers[1].state["phase"][: self.responder.book.count].tolist()
        return found


def ecosystem(members: int = 30, harmful: Iterable[int] = (), **more: Any) -> Ecosystem:
    eco = Ecosystem(members, gateway(members), observed(members + len(ORDER) + HUMANS, SKILLS, LINKS), **more)
    eco.harmful[Subject.BOT] |= set(harmful)
    eco.gateway.begin(0)
    return eco


def sending(bots: Iterable[int], *, skill: int = 0, link: int = -1) -> Callable[[int], Mapping[str, Any]]:
    """These bots send a message to their neighbour in each tick."""
    who = np.array(sorted(bots), dtype=np.int64)

    def columns(tick: int) -> Mapping[str, Any]:
        return {
            "principal": who,
            "recipient": (who + 1) % 30,
            "skill": np.full(who.size, skill),
            "link": np.full(who.size, link),
            "secret": np.zeros(who.size, dtype=np.bool_),
        }

    return columns
