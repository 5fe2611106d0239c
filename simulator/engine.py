"""The simulation, tick by tick: a scenario goes in, what happened in each tick comes out.

NOTE(tick): messages arrive, bots intend, the gateway decides, the world feels it, then the layers of governance, the
security agents and the humans act, and the tick is measured. Nothing happens that the gateway did not allow. All that
the future depends on is the plain state of `Simulation` and the arrays of the enforcers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from policydsl.core.system import System
from runtime.bundle import Bundle, Policy
from simulator import behaviour, delivery, hindsight, market
from simulator.agents.base import Happening
from simulator.attacks import is_byzantine
from simulator.behaviour import Intents
from simulator.gateway import Gateway
from simulator.hindsight import Ledger
from simulator.layers import community, meta, protocol, swarm
from simulator.layers.community import Community, Progress
from simulator.layers.meta import Meta
from simulator.layers.protocol import Protocol
from simulator.mailbox import take
from simulator.network import LATENCIES, Network, partition
from simulator.policies import governing, shipped
from simulator.random_streams import Draw
from simulator.scenario import Scenario, check_parameters
from simulator.snapshot import digest, restore, save
from simulator.surroundings import Surroundings, look
from simulator.team import Team
from simulator.twin import Cast, cast, enforcers
from simulator.world import NOBODY, Ids, Kind, World
from simulator.world import begin as begin_world

AUC_EVERY = 10
"""Ticks between two looks at how well reputations tell good from bad."""


@dataclass(slots=True)
class Simulation:
    """All plain state of a run (NOTE(plain-state))."""

    world: World
    community: Community
    protocol: Protocol
    meta: Meta
    team: Team
    tick: int = 0
    params: dict[str, int] = field(default_factory=dict)
    """Parameters of the policy that were changed on the way."""


@dataclass(frozen=True, slots=True)
class Ticked:
    measures: dict[str, float]
    happenings: list[Happening]
    decided: list[tuple[int, int, int]]
    """Proposal, when it was submitted and when it was executed, in milliseconds."""


class Engine:
    """One run. Two engines with equal scenario, seed and run number do exactly the same."""

    def __init__(self, scenario: Scenario, seed: int, run: int, policies: Sequence[Policy]) -> None:
        self.scenario, self.seed, self.run = scenario, seed, run
        self.policies = {p.system.name: p.digest for p in policies}
        self.system = policies[0].system
        check_parameters(scenario, _ranges(self.system))
        self.who: Cast = cast(scenario)
        draw = Draw(seed, run, -1, "")
        self.gateway = Gateway(enforcers(scenario, [p.system for p in policies], draw))
        self.network = _network(scenario)
        world = begin_world(scenario, draw)
        self.state = Simulation(world, Community(), Protocol(), Meta(), Team())
        skills = scenario.skills.initial
        _first_skills(world, self.gateway, skills)

    @property
    def tick(self) -> int:
        return self.state.tick

    def step(self) -> Ticked:
        """A tick passes."""
        state, gateway, scenario = self.state, self.gateway, self.scenario
        world, tick, ledger = state.world, state.tick, Ledger()
        gateway.begin(tick * scenario.tick_ms)
        around = look(scenario, world, gateway, tick, self._draw)
        happenings: list[Happening] = []
        effects = delivery.arrive(world, around, take(world.mail, tick))
        ledger.add("delivered", effects.delivered)
        ledger.add("service_kept", effects.answered)
        wanted = behaviour.intents(scenario, world, around)
        leaked = self._ask(wanted, around, ledger, happenings)
        ledger.add("secrets_leaked", leaked + effects.leaked)
        self._skills(around)
        progress, decided = self._govern(around, ledger)
        self._swarm(around, ledger)
        happenings += state.team.tick(self, around, ledger)
        self._amend(progress, around, happenings, ledger)
        world.observed.fade()
        hindsight.of_state(ledger, world, gateway, around.trusted, tick % AUC_EVERY == 0)
        ledger.add("denied", sum(int(np.count_nonzero(~a.answers.allowed)) for a in gateway.asked))
        ledger.counts["proposals_open"] = float(len(state.community.voting))
        state.tick += 1
        return Ticked(ledger.counts, happenings, decided)

    def _draw(self, stream: str) -> Draw:
        return Draw(self.seed, self.run, self.state.tick, stream)

    def _ask(self, wanted: Intents, around: Surroundings, ledger: Ledger, happenings: list[Happening]) -> int:
        """What bots want is asked of the gateway, and what is allowed takes its course; so many secrets leak."""
        gateway, world = self.gateway, self.state.world
        votes, signals, sends = wanted.votes, wanted.signals, wanted.sends
        cast_ = gateway.ask("vote", principal=votes.voter, proposal=votes.proposal, support=votes.support)
        ledger.add("votes", cast_.count)
        given = gateway.ask(
            "signal", principal=signals.sender, channel=signals.channel, strength=signals.strength
        ).allowed
        ledger.add("signals", np.count_nonzero(given))
        swarm.deposit(world.swarm, signals.channel[given], signals.strength[given])
        used = gateway.ask("use_skill", principal=wanted.user, skill=wanted.skill).allowed
        hindsight.of_skills(ledger, world, wanted.user, wanted.skill, used)
        sent = gateway.ask(
            "send",
            principal=sends.sender,
            recipient=sends.recipient,
            skill=sends.skill,
            link=sends.link,
            secret=sends.seen,
        ).allowed
        harmful = hindsight.of_sends(ledger, world, sends, sent)
        attackers = world.bots.kind[sends.sender] > Kind.LAZY
        happenings += hindsight.first_harms(world, sends.sender[harmful & attackers], around.tick, gateway.now)
        delivery.dispatch(world, self.network, around, self.scenario.tick_ms, sends, sent)
        observed = world.observed
        observed.add("messages", sends.sender[sent])
        observed.add("links", sends.sender[sends.link != NOBODY])
        observed.add("secrets", sends.sender[sends.seen])
        observed.add("denied", np.concatenate([sends.sender[~sent], wanted.user[~used]]))
        observed.add("calls", wanted.user[used])
        observed.add("signals", signals.sender[given])
        observed.add("votes", votes.voter[cast_.allowed])
        linked = sends.link[sent & (sends.link != NOBODY)]
        observed.link_senders += np.bincount(linked, minlength=len(observed.link_senders))
        return delivery.run_skills(world, around, wanted.user[used], wanted.skill[used])

    def _skills(self, around: Surroundings) -> None:
        """New skills, and without an auditor a review that sees little."""
        rate = self.scenario.skills.new_per_tick
        count = int(rate) + int(self._draw("new skills").bernoulli(np.zeros(1, dtype=np.int64), rate - int(rate))[0])
        if not count:
            return
        numbers = market.submit(self.scenario, self.state.world, self.gateway, around, count)
        if not self.state.team.audits(self.scenario):
            market.review(self.scenario, self.gateway, around, self.who.reviewer, numbers)

    def _govern(self, around: Surroundings, ledger: Ledger) -> tuple[Progress, list[tuple[int, int, int]]]:
        """Protocol and community layer: proposals move on, and what is due is put to the committee."""
        state, gateway = self.state, self.gateway
        world, box = state.world, state.community
        progress = community.propose(self.scenario, world, gateway, around, box, 0)
        community.tally(world, gateway, box, progress)
        decided: list[tuple[int, int, int]] = []
        self._elect(around)
        due = community.due(world, gateway, box)
        if len(due) and around.tick % protocol.EVERY == 0:
            traitors = is_byzantine(world, around.attack)
            agreed = protocol.agree(
                state.protocol,
                self.network,
                self._draw("consensus"),
                [f"execute {p}" for p in due],
                traitors,
                around.now,
            )
            ledger.add("consensus_violations", agreed.violations)
            took = np.array(agreed.took, dtype=np.int64)
            certain = took >= 0
            ledger.add("consensus_decisions", np.count_nonzero(certain))
            ledger.add("consensus_ms", took[certain].sum())
            done = community.execute(world, gateway, box, due[certain], around.now + took[certain])
            submitted = world.proposals.submitted[done]
            decided = list(zip(done.tolist(), submitted.tolist(), world.proposals.executed[done].tolist(), strict=True))
            good = int(np.count_nonzero(world.proposals.good[done]))
            ledger.add("executed", len(done))
            ledger.add("good_executed", good)
            ledger.add("bad_executed", len(done) - good)
        community.judge(world, gateway, box, self.who.reviewer, progress)
        if around.tick % self.scenario.epoch.merkle == 0:
            gateway.ask("decay")
        ledger.add("proposals_submitted", progress.submitted)
        ledger.add("defeated", progress.defeated)
        return progress, decided

    def _elect(self, around: Surroundings) -> None:
        """The first committee, and from then on a new one in every epoch, of bots that are not in quarantine."""
        found = self.state.protocol
        if found.elected >= 0 and around.tick < found.elected + self.scenario.epoch.election:
            return
        reputation = self.gateway.read("reputation")[around.reachable]
        draw = self._draw("election")
        protocol.hold_election(found, draw, around.tick, around.reachable, reputation, self.scenario.committee_faults)

    def _swarm(self, around: Surroundings, ledger: Ledger) -> None:
        world = self.state.world
        swarm.turn_up(world.swarm, around)
        free = ~around.quarantined & (world.bots.kind <= Kind.LAZY)
        work = swarm.respond(world.swarm, around, world.bots.sensitivity, free)
        ledger.add("demand", work.demand)
        ledger.add("demand_served", work.served)

    def _amend(self, progress: Progress, around: Surroundings, happenings: list[Happening], ledger: Ledger) -> None:
        """The meta layer: a change of a parameter comes into force when the committee agrees."""
        found = self.state.meta
        meta.watch(found, progress.approved, progress.defeated, progress.judged_good, progress.judged_bad)
        params = {n: self.gateway.parameter(n) for n in ("QUORUM",)}
        amendment = meta.consider(found, around.tick, params, _ranges(self.system))
        if amendment is None:
            return
        traitors = is_byzantine(self.state.world, around.attack)
        text = f"set {amendment.parameter} to {amendment.value}"
        agreed = protocol.agree(
            self.state.protocol, self.network, self._draw("amendment"), [text], traitors, around.now
        )
        ledger.add("consensus_violations", agreed.violations)
        if agreed.took[0] >= 0:
            self.reparameterise({amendment.parameter: amendment.value})
            ledger.add("amendments", 1)
            words = f"{text}: {amendment.why}"
            happenings.append(Happening(around.tick, self.gateway.now + agreed.took[0], "meta", "amendment", words))

    def reparameterise(self, parameters: Mapping[str, int]) -> None:
        """The policy has these parameters from now on. Raises `ScenarioError` for what it may not have."""
        chosen = {**self.scenario.parameters, **self.state.params, **parameters}
        check_parameters(self.scenario.model_copy(update={"parameters": chosen}), _ranges(self.system))
        self.state.params.update(parameters)
        self.gateway.reparameterise(dict(parameters))

    def digest(self) -> str:
        """Equal exactly for equal states."""
        hashed = hashlib.blake2b(digest(self.state).encode(), digest_size=16)
        for enforcer in self.gateway.enforcers:
            for name, array in sorted(enforcer.save().items()):
                found = np.ascontiguousarray(array)
                hashed.update(f"{name}:{found.shape}".encode())
                hashed.update(found.astype("<i8").tobytes())
        return hashed.hexdigest()

    def save(self, folder: Path) -> None:
        """Writes all that is needed to go on from here."""
        folder.mkdir(parents=True, exist_ok=True)
        tree, arrays = save(self.state)
        (folder / "state.json").write_text(json.dumps(tree), encoding="utf-8")
        np.savez_compressed(folder / "state.npz", allow_pickle=False, **arrays)
        for number, enforcer in enumerate(self.gateway.enforcers):
            np.savez_compressed(folder / f"policy-{number}.npz", allow_pickle=False, **enforcer.save())

    def load(self, folder: Path) -> None:
        """Goes on from what was saved by an engine of the same scenario, seed and run."""
        tree = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        with np.load(folder / "state.npz", allow_pickle=False) as arrays:
            self.state = restore(Simulation, tree, arrays)
        for number, enforcer in enumerate(self.gateway.enforcers):
            with np.load(folder / f"policy-{number}.npz", allow_pickle=False) as arrays:
                enforcer.load(dict(arrays))
        if self.state.params:
            self.gateway.reparameterise(self.state.params)


def begin(scenario: Scenario, seed: int, run: int = 0, bundle: Bundle | None = None) -> Engine:
    """A run from its beginning, under the policies that ship or those of a bundle.

    Raises `ScenarioError`, and `BundleError` for policies that are not proved.
    """
    return Engine(scenario, seed, run, governing(shipped() if bundle is None else bundle))


def _first_skills(world: World, gateway: Gateway, count: int) -> None:
    """The skills that were there from the beginning, all of them harmless."""
    owners = gateway.read("developer.value")[:count].astype(np.int64)
    world.skills.developer = owners
    world.skills.harmful = np.zeros(count, dtype=np.bool_)
    world.skills.submitted = np.full(count, NOBODY, dtype=np.int64)
    world.skills.source = np.zeros(count, dtype=np.int64)
    world.observed.skill_uses = np.zeros(count)
    world.observed.skill_complaints = np.zeros(count)


def _network(scenario: Scenario) -> Network:
    found = scenario.network
    parts = []
    for p in found.partitions:
        cut = round(p.share * scenario.bots)
        groups: list[Ids] = [np.arange(cut, dtype=np.int64)]
        parts.append(partition(p.begin * scenario.tick_ms, p.end * scenario.tick_ms, cast(scenario).all, groups))
    return Network(LATENCIES[found.latency], found.loss, found.duplicates, tuple(parts))


def _ranges(system: System) -> dict[str, tuple[int, int]]:
    return {p.name: (p.low, p.high) for p in system.params if p.low is not None and p.high is not None}
