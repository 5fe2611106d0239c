"""The security agents and the humans of a run, wired: a tick goes in, what they noted comes out.

An agent that is switched off is None; nobody takes over its work, but for the review that every market has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator import humans
from simulator.agents import (
    auditor,
    coordination,
    incident_responder,
    intelligence,
    policy_enforcer,
    reputation_tracker,
    threat_hunter,
)
from simulator.agents.auditor import Auditor, Desk
from simulator.agents.base import ORDER, Bus, Happening, Name, Subject, View
from simulator.agents.intelligence_feed import Tip
from simulator.agents.reputation_tracker import Tracker
from simulator.consensus.byzantine import Fault
from simulator.gateway import Gateway
from simulator.network import Network
from simulator.observe import Observed
from simulator.random_streams import Draw
from simulator.scenario import Scenario
from simulator.twin import Cast
from simulator.world import Bools, Ids


@dataclass(slots=True)
class Team:
    humans: humans.State
    intelligence: intelligence.State | None
    hunter: threat_hunter.State | None
    responder: incident_responder.State | None
    coordination: coordination.State | None
    enforcer: policy_enforcer.State | None
    tracker: Tracker | None
    auditor: Auditor | None
    bus: Bus = field(default_factory=Bus)


@dataclass(frozen=True, slots=True)
class Around:
    """What the agents and humans of a tick can look into, or are handed."""

    tick: int
    gateway: Gateway
    observed: Observed
    members: int
    draw: Callable[[str], Draw]
    network: Network
    desk: Desk
    faults: Callable[[Ids], Mapping[int, Fault]]
    """Which members of a committee are traitors: the protocol's own business, and no agent's."""
    truth: Callable[[Subject, Ids], Bools]
    """What humans find out when they look into a case."""
    repair: Callable[[], bool]
    """Humans put the policy that was proved back in force; whether it was not."""


def begin(scenario: Scenario, who: Cast, playbooks: str | None = None) -> Team:
    """Those that the scenario switches on; `playbooks` is the text of a file, for others than those that ship."""
    on = {Name(a) for a in scenario.agents}
    reaction = float(max(1, scenario.humans.reaction_ticks) * scenario.tick_ms)
    tips = [Tip(**known.model_dump()) for known in scenario.feed]
    return Team(
        humans.begin(who.human, median=reaction, error=scenario.humans.error),
        intelligence.begin(scenario.bots, tips) if Name.INTELLIGENCE in on else None,
        threat_hunter.begin(scenario.bots) if Name.HUNTER in on else None,
        incident_responder.begin(scenario.bots, playbooks) if Name.RESPONDER in on else None,
        coordination.begin(f=scenario.committee_faults, epoch=scenario.epoch.election)
        if Name.COORDINATION in on
        else None,
        policy_enforcer.begin() if Name.ENFORCER in on else None,
        reputation_tracker.begin(scenario.reputation_profile, scenario.epoch.merkle) if Name.TRACKER in on else None,
        auditor.begin(scenario.epoch.merkle) if Name.AUDITOR in on else None,
    )


def tick(team: Team, who: Cast, around: Around) -> list[Happening]:
    """All act, in the order of `ORDER`, and then the humans; what they noted."""
    views = {name: _view(name, who.agent(name), team.bus, around) for name in ORDER}
    if team.intelligence is not None:
        intelligence.tick(team.intelligence, views[Name.INTELLIGENCE])
    if team.hunter is not None:
        threat_hunter.tick(team.hunter, views[Name.HUNTER])
    if team.responder is not None:
        incident_responder.tick(team.responder, views[Name.RESPONDER])
    if team.coordination is not None:
        coordination.tick(team.coordination, views[Name.COORDINATION], around.network, around.faults)
    if team.enforcer is not None:
        policy_enforcer.tick(team.enforcer, views[Name.ENFORCER], around.desk.proofs, around.desk.fingerprint)
    if team.tracker is not None:
        reputation_tracker.tick(team.tracker, views[Name.TRACKER])
    if team.auditor is not None:
        auditor.tick(team.auditor, views[Name.AUDITOR], around.desk)
    book = None if team.responder is None else team.responder.book
    human = _view(Name.RESPONDER, who.reviewer, team.bus, around)
    humans.tick(team.humans, human, book, around.truth, around.repair)
    _forget(team)
    found, team.bus.happenings = team.bus.happenings, []
    return found


def _forget(team: Team) -> None:
    """What was told to an agent that is switched off is heard by nobody."""
    states = {
        Name.INTELLIGENCE: team.intelligence,
        Name.HUNTER: team.hunter,
        Name.RESPONDER: team.responder,
        Name.COORDINATION: team.coordination,
        Name.ENFORCER: team.enforcer,
        Name.TRACKER: team.tracker,
        Name.AUDITOR: team.auditor,
    }
    for name in (n for n, state in states.items() if state is None):
        for box in (team.bus.alerts, team.bus.indicators, team.bus.requests):
            box.pop(name.value, None)


def _view(name: Name, me: int, bus: Bus, around: Around) -> View:
    stream = name.value
    return View(
        around.tick,
        me,
        name,
        around.gateway,
        around.observed,
        bus,
        around.members,
        lambda part: around.draw(f"{stream} {part}"),
    )
