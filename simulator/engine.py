"""The simulation, tick by tick: a scenario goes in, what happened in each tick comes out.

NOTE(tick): messages arrive, bots intend, the gateway decides, the world feels it; then the layers of governance, the
security agents and the humans act, and the tick is measured. Nothing happens that the gateway did not allow. All that
the future depends on is the plain state of `Simulation` and the arrays of the enforcers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runtime.bundle import BundleError, Policy
from runtime.scores import FORMAT
from simulator import hindsight, sabotage, second_opinion
from simulator import team as agents
from simulator.agents.auditor import Desk
from simulator.agents.base import Happening, Subject
from simulator.asking import ask, offer_skills
from simulator.attacks import is_byzantine
from simulator.compliance import Compliance, report
from simulator.decision_log import Log
from simulator.gateway import Gateway
from simulator.governing import Layers, govern
from simulator.hindsight import Ledger
from simulator.layers import protocol, swarm
from simulator.measures import HINDSIGHT, SABOTAGE
from simulator.network import LATENCIES, Network, partition
from simulator.policies import bundle_of, governing, playbooks_of
from simulator.proofs import Certificate, Proofs, Verifier
from simulator.random_streams import Draw
from simulator.recovery import repair
from simulator.scenario import Scenario, ScenarioError, check_parameters
from simulator.second_opinion import Evidence
from simulator.skill_sources import FINGERPRINTS, TEXTS
from simulator.snapshot import SnapshotError, digest, read_arrays, read_json, restore, save
from simulator.surroundings import Surroundings, look
from simulator.team import Team
from simulator.twin import Cast, cast, enforcers, params_of
from simulator.world import NOBODY, Bools, Ids, Kind, World
from simulator.world import begin as begin_world

AUC_EVERY = 10
"""Ticks between two looks at how well reputations tell good from bad."""
AMONG = 48
"""Of one out of so many columns of requests, were there so many in a tick, a decision is kept for the Auditor."""


@dataclass(slots=True)
class Simulation:
    """All plain state of a run (NOTE(plain-state))."""

    world: World
    team: Team
    layers: Layers = field(default_factory=Layers)
    log: Log = field(default_factory=Log)
    tick: int = 0
    params: dict[str, int] = field(default_factory=dict)
    """Parameters of the policy that were changed on the way."""
    sabotaged: tuple[int, ...] = ()
    """The acts of sabotage of the scenario that nobody has repaired yet."""


@dataclass(frozen=True, slots=True)
class Ticked:
    measures: dict[str, float]
    happenings: list[Happening]
    decided: list[tuple[int, int, int]]
    """Proposal, when it was submitted and when it was executed, in milliseconds."""


class Engine:
    """One run. Two engines with equal scenario, seed and run number do exactly the same.

    Raises `ScenarioError` when the proofs of the policies do not hold, by their digests and by the `verifier`.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        run: int,
        policies: Sequence[Policy],
        verifier: Verifier | None = None,
    ) -> None:
        self.scenario, self.seed, self.run = scenario, seed, run
        self.governing = policies
        playbooks = playbooks_of(scenario.playbooks)
        self.policies = {**{p.system.name: p.digest for p in policies}, **playbooks.digests}
        ecosystem = policies[0].system
        self.ranges = {p.name: (p.low, p.high) for p in ecosystem.params if p.low is not None and p.high is not None}
        check_parameters(scenario, self.ranges)
        sabotage.check(scenario, policies)
        self.who: Cast = cast(scenario)
        draw = Draw(seed, run, -1, "")
        found = enforcers(scenario, [p.system for p in policies], draw)
        self.gateway = Gateway(found, params_of(ecosystem, scenario.parameters), self.ranges)
        self.proofs = Proofs(self.gateway, tuple(Certificate(p.proof, p.certificate) for p in policies), verifier)
        if wrong := self.proofs.faults():
            # SOUND: no run begins under what is not proved.
            raise ScenarioError([("policy", fault) for fault in wrong])
        self.network = _network(scenario, self.who.all)
        world = begin_world(scenario, draw)
        _first_skills(world, self.gateway, scenario.skills.initial)
        self.state = Simulation(world, agents.begin(scenario, self.who, playbooks.text))

    @property
    def tick(self) -> int:
        """So many ticks have passed."""
        return self.state.tick

    def step(self) -> Ticked:
        """A tick passes."""
        state, gateway, scenario = self.state, self.gateway, self.scenario
        world, tick, ledger = state.world, state.tick, Ledger()
        gateway.begin(tick * scenario.tick_ms, self._sample())
        around = look(scenario, world, gateway, tick, self._draw)
        struck = self._strike(around)
        traitors = is_byzantine(world, around.attack)
        happenings = struck + ask(scenario, world, gateway, self.network, around, ledger)
        reviewer = self.who.reviewer if state.team.auditor is None else None
        offer_skills(scenario, world, gateway, around, self._draw, reviewer)
        committee = state.team.coordination
        decided = govern(
            scenario,
            state.layers,
            world,
            gateway,
            self.network,
            around,
            ledger,
            self.who.reviewer,
            committee,
            traitors,
        )
        self._swarm(around, ledger)
        happenings += self._agents(traitors, ledger)
        swarm.listen(world.swarm, gateway, around, world.members)
        repaired = repair(world, gateway, around, self.who.reviewer)
        if len(repaired):
            text = f"{len(repaired)} bots are repaired and let out"
            happenings.append(Happening(tick, gateway.now, "humans", "recovered", text))
        if (wanted := decided.suggested) is not None:
            text = f"proposes {wanted.parameter} = {wanted.value}: {wanted.why}"
            happenings.append(Happening(tick, gateway.now, "meta", "amendment", text))
        for name, value in decided.amendments:
            self.reparameterise({name: value})
            text = f"{name} is {value} from now on"
            happenings.append(Happening(tick, gateway.now, "meta", "amendment", text))
        world.observed.fade()
        state.log.add(tick, gateway.asked)
        hindsight.of_state(ledger, world, gateway, around.trusted, tick % AUC_EVERY == 0)
        hindsight.of_happenings(ledger, world, happenings, gateway)
        state.tick += 1
        return Ticked(ledger.counts, happenings, list(decided.executed))

    def _sample(self) -> tuple[int, int]:
        """Of which column of requests of this tick a decision is kept (-1 for none), and a lot to draw the row by."""
        if self.state.team.auditor is None:
            return -1, 0
        column, lot = self._draw("sampled decision").below(np.arange(2), [AMONG, 1 << 30]).tolist()
        return int(column), int(lot)

    def _strike(self, around: Surroundings) -> list[Happening]:
        """What somebody with access to the machine does in this tick."""
        state, found = self.state, []
        for number, act in enumerate(self.scenario.sabotage):
            if act.at != state.tick:
                continue
            if act.what == "skill":
                skill = sabotage.swap_skill(state.world, around.live)
                text = f"skill {skill} becomes another one, which does harm"
                found.append(Happening(state.tick, around.now, HINDSIGHT, SABOTAGE, text, -1, "skill", skill))
                continue
            state.sabotaged = (*state.sabotaged, number)
            self._enact()
            text = f"the policy is exchanged for one without `{act.rule}`"
            text += ", and its certificate for a forged one" if act.forged else ""
            found.append(Happening(state.tick, around.now, HINDSIGHT, SABOTAGE, text))
        return found

    def _enact(self) -> None:
        """What is in force is what was proved, but for what was done to it."""
        found = sabotage.sabotaged(self.governing, [self.scenario.sabotage[i] for i in self.state.sabotaged])
        for system, _ in found:
            self.gateway.enact(system)
        self.proofs.shown = tuple(proof for _, proof in found)

    def _repair(self) -> bool:
        """The policies that were proved are in force again; whether they were not."""
        was, self.state.sabotaged = self.state.sabotaged, ()
        self._enact()
        return bool(was)

    def _second_opinion(self, evidence: Evidence) -> str:
        """What is wrong with a decision, by the policy of the bundle: not by what is in force."""
        proved = next(p.system for p in self.governing if p.system.name == evidence.policy)
        return second_opinion.difference(proved, evidence)

    def _draw(self, stream: str) -> Draw:
        return Draw(self.seed, self.run, self.state.tick, stream)

    def _swarm(self, around: Surroundings, ledger: Ledger) -> None:
        world = self.state.world
        swarm.turn_up(world.swarm, around)
        free = ~around.quarantined & (world.bots.kind <= Kind.LAZY)
        work = swarm.respond(world.swarm, around, world.bots.sensitivity, free)
        ledger.add("demand", work.demand)
        ledger.add("demand_served", work.served)

    def _agents(self, traitors: Bools, ledger: Ledger) -> list[Happening]:
        """The security agents and the humans act."""
        state, world = self.state, self.state.world
        before = self._consensus()
        sources = world.skills.source
        desk = Desk(
            len(sources),
            lambda skill: TEXTS[int(sources[skill])],
            state.log,
            self.proofs,
            lambda skill: FINGERPRINTS[int(sources[skill])],
            self.gateway.evidence,
            self._second_opinion,
        )
        around = agents.Around(
            state.tick,
            self.gateway,
            world.observed,
            world.members,
            self._draw,
            self.network,
            desk,
            lambda committee: protocol.traitors(committee, traitors),
            self._truth,
            self._repair,
        )
        found = agents.tick(state.team, self.who, around)
        committee = state.team.coordination
        if committee is not None:
            decided, disagreed = (now - then for now, then in zip(self._consensus(), before, strict=True))
            ledger.add("consensus_decisions", decided)
            ledger.add("consensus_ms", sum(committee.latencies[-decided:] if decided else ()))
            ledger.add("consensus_violations", disagreed)
        return found

    def _consensus(self) -> tuple[int, int]:
        """So often the committee has decided, and disagreed."""
        found = self.state.team.coordination
        return (0, 0) if found is None else (found.decisions, len(found.violations))

    def _truth(self, subject: Subject, numbers: Ids) -> Bools:
        """What humans find out when they look into a case."""
        world = self.state.world
        known: dict[Subject, Bools] = {
            Subject.BOT: world.malicious,
            Subject.SKILL: world.skills.harmful,
            Subject.LINK: world.links.harmful,
        }
        found: Bools = known[subject][numbers]
        return found

    def reparameterise(self, parameters: Mapping[str, int]) -> None:
        """The policy has these parameters from now on. Raises `ScenarioError` for what it may not have."""
        chosen = {**self.scenario.parameters, **self.state.params, **parameters}
        check_parameters(self.scenario.model_copy(update={"parameters": chosen}), self.ranges)
        self.state.params.update(parameters)
        self.gateway.reparameterise(parameters)

    def compliance(self) -> Compliance | None:
        """How the rules were kept, as the Auditor sees it."""
        team, gateway = self.state.team, self.gateway
        return report(team.auditor, team.enforcer, gateway.tallies, gateway.reason, self.proofs, self.state.log)

    def reputation(self) -> dict[str, Any] | None:
        """What the Reputation Tracker has published, and the scores of its last epoch, as far as there is any."""
        tracker = self.state.team.tracker
        if tracker is None or not tracker.roots:
            return None
        scores = {str(bot): score for bot, score in enumerate(tracker.scores.tolist())}
        return {"format": FORMAT, "epoch": len(tracker.roots), "scores": scores, "roots": list(tracker.roots)}

    def digest(self) -> str:
        """Equal exactly for equal states."""
        hashed = hashlib.blake2b(digest(self.state).encode(), digest_size=16)
        hashed.update(json.dumps(self.gateway.params, sort_keys=True).encode())
        for enforcer in self.gateway.enforcers:
            for name, array in sorted(enforcer.save().items()):
                hashed.update(f"{name}:{array.shape}".encode())
                hashed.update(np.ascontiguousarray(array).astype("<i8").tobytes())
        return hashed.hexdigest()

    def save(self, folder: Path) -> None:
        """Writes all that is needed to go on from here."""
        folder.mkdir(parents=True, exist_ok=True)
        tree, arrays = save(self.state)
        tallies = {name: counts.tolist() for name, counts in self.gateway.tallies.items()}
        saved = {"state": tree, "tallies": tallies, "digest": self.digest()}
        (folder / "state.json").write_text(json.dumps(saved), encoding="utf-8")
        np.savez_compressed(folder / "state.npz", allow_pickle=False, **arrays)
        for number, enforcer in enumerate(self.gateway.enforcers):
            np.savez_compressed(folder / f"policy-{number}.npz", allow_pickle=False, **enforcer.save())

    def load(self, folder: Path) -> None:
        """Goes on from what was saved by an engine of the same scenario, seed and run.

        Raises `SnapshotError` for what was changed since.
        """
        saved = read_json(folder / "state.json")
        self.state = restore(Simulation, saved["state"], read_arrays(folder / "state.npz"))
        self._enact()
        self.gateway.tallies = {n: np.array(counts, dtype=np.int64) for n, counts in saved["tallies"].items()}
        for number, enforcer in enumerate(self.gateway.enforcers):
            enforcer.load(read_arrays(folder / f"policy-{number}.npz"))
        if self.state.params:
            self.gateway.reparameterise(self.state.params)
        if self.digest() != saved["digest"]:
            raise SnapshotError("the state is not what was saved: its hash is another one")


def begin(scenario: Scenario, seed: int, run: int = 0, verifier: Verifier | None = None) -> Engine:
    """A run from its beginning, under the policies that the scenario names. Raises `ScenarioError`."""
    try:
        policies = governing(bundle_of(scenario.policy))
    except BundleError as error:
        raise ScenarioError([("policy", str(error))]) from None
    return Engine(scenario, seed, run, policies, verifier)


def _first_skills(world: World, gateway: Gateway, count: int) -> None:
    """The skills that were there from the beginning, all of them harmless."""
    world.skills.developer = gateway.read("developer.value")[:count].astype(np.int64)
    world.skills.harmful = np.zeros(count, dtype=np.bool_)
    world.skills.submitted = np.full(count, NOBODY, dtype=np.int64)
    world.skills.source = np.zeros(count, dtype=np.int64)
    world.observed.skill_uses = np.zeros(count)
    world.observed.skill_complaints = np.zeros(count)


def _network(scenario: Scenario, nodes: int) -> Network:
    found, tick = scenario.network, scenario.tick_ms
    cut = [(p, np.arange(round(p.share * scenario.bots), dtype=np.int64)) for p in found.partitions]
    parts = tuple(partition(p.begin * tick, p.end * tick, nodes, [group]) for p, group in cut)
    return Network(LATENCIES[found.latency], found.loss, found.duplicates, parts)
