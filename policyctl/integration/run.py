"""The integration demonstration, carried out: a plan and a chain go in, all that was seen comes out."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from policyctl.chain.anchors import Checked, compare
from policyctl.chain.governance import Governance, deploy_all, governance_at
from policyctl.chain.talk import Chain
from policyctl.integration.mirror import REVIEWER, Mirror, leaves, seats
from policyctl.integration.plan import OPTIMISATION, Phase, Plan
from policyctl.log_source import read_log
from policyctl.proved_engine import begin
from policyctl.reprove import Reprove
from runtime.merkle import leaf_hash
from simulator import meta_twin, record
from simulator.carry_out import policies
from simulator.demonstrations import Seen, event_of, follow, submitted
from simulator.engine import Engine
from simulator.meta_books import relations
from simulator.meta_twin import Story
from simulator.policies import data_of
from simulator.record import Change, Header, History, Record
from simulator.world import NOBODY

Told = Callable[[str, int], None]
"""Hears which phase it is, and how many ticks have passed."""
PARAMETERS = {"PROPOSE_THRESHOLD": 1, "QUORUM": 100}
"""Of the contract: seats that judged badly, and lost reputation for it, go on deciding for the community."""
LOOK = 20
"""So often (in ticks) it is looked whether a phase is over."""
HERE = "this process"
"""Instead of the URL of a node, where there is none."""
META = "meta"
"""Below the record: the books of meta-governance, evidence, bundles."""


@dataclass(frozen=True, slots=True)
class PhaseSeen:
    """A phase, and what was seen in it."""

    phase: Phase
    ended: int
    seen: tuple[Seen, ...]
    """In the order in which it happened; what was not seen comes last."""

    @property
    def is_complete(self) -> bool:
        return all(s.event is not None for s in self.seen)


@dataclass(frozen=True, slots=True)
class Shown:
    plan: Plan
    record: Record
    phases: tuple[PhaseSeen, ...]
    story: Story
    """What became of the amendment."""
    mirror: Mirror
    checked: Checked
    """The decision log of the twin beside its anchors, ..."""
    forged: Checked
    """... the same with the first tick of the incident written anew, ..."""
    books: Checked
    """... and the decision log of meta-governance."""

    @property
    def governance(self) -> Governance:
        return self.mirror.governance

    @property
    def is_complete(self) -> bool:
        """Whether everything was seen, the chain says the same as the twin, and a forgery shows."""
        alike = bool(self.mirror.mirrored) and all(m.is_alike for m in self.mirror.mirrored)
        anchored = all(c.is_whole and c.anchors[-1].size == c.size for c in (self.checked, self.books))
        seen = all(p.is_complete for p in self.phases) and self.story.outcome in {"kept", "rolled back"}
        return alike and anchored and seen and self.forged.changed is not None


def deployed(chain: Chain, url: str, plan: Plan) -> Mirror:
    """The contract on the chain, with the seats of the committee as its members."""
    names = seats(plan.scenario.committee)
    found = deploy_all(chain, url, names, (REVIEWER,), parameters=PARAMETERS)
    governance = governance_at(chain, found)
    return Mirror(governance, names)


def run(plan: Plan, mirror: Mirror, folder: Path, executor: Executor, told: Told = lambda _phase, _tick: None) -> Shown:
    """Everything, recorded in a new directory. `executor` makes the runs on which the amendment is tried."""
    engine, history = begin(plan.scenario, plan.scenario.seed), History()
    watch = Watch(engine, history, mirror, told)
    phases = []
    for phase in plan.phases:
        while not _is_over(phase, engine.tick, history):
            ticked = engine.step()
            # What was submitted stands before what was noted of it in the same tick, and what came of it behind.
            history.happenings += submitted(engine)
            history.add(ticked)
            watch.passed(phase.name)
        phases.append(PhaseSeen(phase, engine.tick, _seen(phase, history)))
    began, before = engine.tick, {n: engine.gateway.parameter(n) for n in plan.amendment.amendment}
    story = meta_twin.improve(
        engine,
        history,
        plan.amendment,
        folder / META,
        data_of(plan.scenario.policy),
        Reprove(relations()),
        executor,
        tick=lambda: watch.passed(OPTIMISATION),
    )
    mirror.follow(engine)
    books = [leaf_hash(r) for r in read_log(str(folder / META / "governance.db")).records]
    mirror.anchor(books)
    scenario = plan.scenario.model_copy(update={"ticks": engine.tick})
    changes = tuple(Change(n.tick, dict(plan.amendment.amendment)) for n in story.notes if n.kind == "apply")
    if story.outcome == "rolled back":
        changes += (Change(engine.tick, before),)
    header = Header(scenario, scenario.seed, done=engine.tick, policies=policies(engine), changes=changes)
    log, first = leaves(engine), scenario.attack_begins
    checked = mirror.check(log)
    phases.append(PhaseSeen(Phase(OPTIMISATION, began, began, engine.tick, ()), engine.tick, ()))
    return Shown(
        plan,
        record.finish(folder, header, history),
        tuple(phases),
        story,
        mirror,
        checked,
        compare(checked.anchors, [*log[:first], leaf_hash(b"nothing happened"), *log[first + 1 :]]),
        mirror.check(books),
    )


@dataclass(slots=True)
class Watch:
    """Whoever watches a run: notes what nobody in it does, and has the chain follow."""

    engine: Engine
    history: History
    mirror: Mirror
    told: Told
    executed: int = 0
    judged: frozenset[int] = frozenset()

    def passed(self, phase: str) -> None:
        """A tick has passed, and is in the history."""
        self.history.happenings += self._governed()
        if self.engine.tick % self.engine.scenario.epoch.merkle == 0:
            self.mirror.follow(self.engine)
        self.told(phase, self.engine.tick)

    def _governed(self) -> list[dict[str, Any]]:
        """What was executed and judged in the last tick."""
        engine, proposals = self.engine, self.engine.state.world.proposals
        found = [
            event_of(engine, "executed", f"proposal {p} is executed, {(at - begun) / 1000:g} s after its submission")
            for p, begun, at in self.history.decided[self.executed :]
        ]
        self.executed = len(self.history.decided)
        stage = engine.gateway.read("stage")[: len(proposals.proposer)]
        settled = (stage == engine.gateway.case("stage", "Settled")) & (proposals.executed != NOBODY)
        judged = frozenset(np.flatnonzero(settled).tolist())
        for p in sorted(judged - self.judged):
            word = "did what it promised" if engine.gateway.read("worked")[p] else "did not do what it promised"
            found.append(event_of(engine, "judged", f"proposal {p} {word}: reputations move"))
        self.judged = judged
        return found


def _is_over(phase: Phase, tick: int, history: History) -> bool:
    if tick < phase.least or tick >= phase.most:
        return tick >= phase.most
    return tick % LOOK == 0 and all(s.event is not None for s in _seen(phase, history))


def _seen(phase: Phase, history: History) -> tuple[Seen, ...]:
    events = [h for h in history.happenings if h["tick"] >= phase.begins]
    found = [s for story in phase.stories for s in follow(story, events)]
    return tuple(sorted(found, key=lambda s: s.event["now"] if s.event is not None else math.inf))
