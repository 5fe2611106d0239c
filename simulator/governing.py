"""A tick of governance: proposals go up to the committee, and what it decided comes down into force.

With the Coordination agent, its committee decides, is elected anew, and is replaced when it fails. Without, there is
the committee of the first day, whoever sits in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from simulator.agents import coordination
from simulator.gateway import Gateway
from simulator.hindsight import Ledger
from simulator.layers import community, meta, meta_figures, protocol
from simulator.layers.community import Community, Progress
from simulator.layers.meta import Amendment, Meta
from simulator.layers.protocol import Protocol
from simulator.network import Network
from simulator.scenario import Scenario
from simulator.surroundings import Surroundings
from simulator.world import Bools, World

EXECUTE = "execute"
"""What the committee is asked for: `execute NUMBER`."""


@dataclass(slots=True)
class Layers:
    """The layers that decide; the agent layer is a part of the world."""

    community: Community = field(default_factory=Community)
    protocol: Protocol = field(default_factory=Protocol)
    meta: Meta = field(default_factory=Meta)
    amendments: dict[int, tuple[str, int]] = field(default_factory=dict)
    """The parameter and value that a proposal is about, by its number."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What the committee brought into force in a tick."""

    executed: tuple[tuple[int, int, int], ...] = ()
    """Proposal, when it was submitted and when executed, in milliseconds."""
    amendments: tuple[tuple[str, int], ...] = ()
    suggested: Amendment | None = None
    """What the meta layer has proposed."""


def govern(
    scenario: Scenario,
    layers: Layers,
    world: World,
    gateway: Gateway,
    network: Network,
    around: Surroundings,
    ledger: Ledger,
    reviewer: int,
    team: coordination.State | None,
    traitors: Bools,
) -> Decided:
    community.delegate(world, gateway, around)
    progress = community.propose(scenario, world, gateway, around, layers.community)
    suggested = _suggest(layers, world, gateway, around, progress)
    community.tally(world, gateway, layers.community, progress)
    wanted = [f"{EXECUTE} {p}" for p in community.due(world, gateway, layers.community)]
    if team is None:
        texts, took = _by_first_committee(scenario, layers.protocol, gateway, network, around, ledger, wanted, traitors)
    else:
        for text in wanted:
            coordination.propose(team, text, around.tick)
        texts = coordination.taken(team)
        took = [0] * len(texts)
    decided = _carry_out(layers, world, gateway, ledger, texts, took)
    community.judge(scenario, world, gateway, around, layers.community, reviewer, progress)
    if around.tick % scenario.epoch.merkle == 0:
        gateway.ask("decay")
    ledger.add("proposals_submitted", progress.submitted)
    ledger.add("defeated", progress.defeated)
    ledger.counts["proposals_open"] = float(len(layers.community.voting))
    meta_figures.watch(layers.meta, gateway, around, progress)
    return replace(decided, suggested=suggested)


def _suggest(
    layers: Layers, world: World, gateway: Gateway, around: Surroundings, progress: Progress
) -> Amendment | None:
    """What the meta layer wants goes the way of all proposals: voted on, agreed on, and only then in force."""
    if not meta.is_over(layers.meta, around.tick):
        return None
    alive = {*layers.community.voting, *layers.community.waiting}
    layers.amendments = {p: what for p, what in layers.amendments.items() if p in alive}
    seen = meta_figures.figures(layers.meta, world.observed, gateway, world.members)
    params = {n: gateway.parameter(n) for n in gateway.ranges}
    pending = {name for name, _ in layers.amendments.values()}
    amendment = meta.consider(layers.meta, around.tick, seen, params, gateway.ranges, pending)
    if amendment is not None:
        number = community.sponsor(world, gateway, around, layers.community, progress)
        layers.amendments[number] = amendment.parameter, amendment.value
    return amendment


def _by_first_committee(
    scenario: Scenario,
    found: Protocol,
    gateway: Gateway,
    network: Network,
    around: Surroundings,
    ledger: Ledger,
    wanted: Sequence[str],
    traitors: Bools,
) -> tuple[list[str], list[int]]:
    """What the committee of the first day decides, and how long it took for it."""
    if not found.committee:
        reputation = gateway.read("reputation")[around.everybody]
        draw = around.draw("election")
        found.committee = protocol.elected(draw, around.everybody, reputation, scenario.committee_faults)
    found.waiting = list(dict.fromkeys([*found.waiting, *wanted]))
    if not found.waiting or around.tick % protocol.EVERY:
        return [], []
    agreed = protocol.agree(found.committee, network, around.draw("consensus"), found.waiting, traitors, around.now)
    ledger.add("consensus_violations", agreed.violations)
    if agreed.took is None:
        return [], []
    ledger.add("consensus_decisions", 1)
    ledger.add("consensus_ms", agreed.took)
    texts, found.waiting = found.waiting, []
    return texts, [agreed.took] * len(texts)


def _carry_out(
    layers: Layers, world: World, gateway: Gateway, ledger: Ledger, texts: Sequence[str], took: Sequence[int]
) -> Decided:
    numbers, at = [], []
    for text, ms in zip(texts, took, strict=True):
        match text.split():
            case ["execute", number]:
                numbers.append(int(number))
                at.append(gateway.now + ms)
    due, when = np.array(numbers, dtype=np.int64), np.array(at, dtype=np.int64)
    done = community.execute(world, gateway, layers.community, due, when)
    good = int(np.count_nonzero(world.proposals.good[done]))
    ledger.add("executed", len(done))
    ledger.add("good_executed", good)
    ledger.add("bad_executed", len(done) - good)
    amendments = [layers.amendments.pop(p) for p in done.tolist() if p in layers.amendments]
    ledger.add("amendments", len(amendments))
    submitted, executed = world.proposals.submitted[done], world.proposals.executed[done]
    rows = zip(done.tolist(), submitted.tolist(), executed.tolist(), strict=True)
    return Decided(tuple(rows), tuple(amendments))
