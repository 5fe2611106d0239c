"""Meta-governance as a closed loop in a run of the twin: an engine and an amendment go in, what became of it comes out.

The bots of the twin vote as they do on everything else, in the twin; each ballot is cast under `mvg.meta` as well, so
the change needs both: the community of the twin, with its committee, and the policy that governs changes. Then the run
goes on under the new numbers, is watched, and goes back to the old ones if what was promised does not come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import count
from math import isfinite, nan
from pathlib import Path

import numpy as np

from policydsl.core.types import Value
from runtime import amend
from runtime.bundle import read
from runtime.enforcer import Enforcer
from runtime.open_store import open_store
from runtime.settings import Settings
from simulator.agents.base import Happening
from simulator.engine import Engine
from simulator.layers.community import PARAMETERS, enlist
from simulator.meta_books import META, Books, RefusedError, ruling
from simulator.meta_loop import Loop, Staff
from simulator.meta_proof import Broken, Proof, Prove
from simulator.meta_trial import Rehearsal, Trial, figure_of
from simulator.record import History, plain
from simulator.world import NOBODY

FRESH = 1_000_000
"""So far behind the seed of the run are those of the rehearsals."""
PATIENCE = 400
"""Ticks after which a vote that has not come to an end is given up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be changed, and how that is decided. Ticks are those of the run."""

    amendment: Mapping[str, int]
    metric: str
    pairs: int = 8
    watch: int = 150
    """Ticks for which the amendment is on trial, and is rehearsed."""
    warm_up: int = 100
    """Ticks before the change in a rehearsal."""


@dataclass(frozen=True, slots=True)
class Note:
    """One step of the story. `kind` is propose, simulate, verify, vote, apply, watch, keep, rollback or refuse."""

    tick: int
    kind: str
    text: str


@dataclass(slots=True)
class Story:
    """What became of an amendment."""

    proposal: str
    plan: Plan
    notes: list[Note] = field(default_factory=list)
    trial: Trial | None = None
    proof: Proof | None = None
    evidence: str = ""
    """The digest of the evidence, a file below the folder."""
    votes: tuple[int, int, int] = (0, 0, 0)
    """Ballots, and the weight of yes and no."""
    figure: float = float("nan")
    """What the run came to while the amendment was on trial."""
    outcome: str = "refused"
    """kept, rolled back, not approved or refused."""

    @property
    def broken(self) -> tuple[Broken, ...]:
        return self.proof.broken if self.proof is not None else ()


Told = Callable[[Note], None]


@dataclass(slots=True)
class Seat:
    """The run as the target of the loop."""

    engine: Engine

    def put(self, version: str, data: bytes, values: Mapping[str, int]) -> None:
        other = {n: v for n, v in values.items() if self.engine.gateway.parameter(n) != v}
        if other:
            self.engine.reparameterise(other)


def seat(engine: Engine, folder: Path, plan: Plan) -> Loop:
    """The loop for a run: an enforcer of `mvg.meta`, with its store in `folder`, and with the time of the run."""
    world, who = engine.state.world, engine.who
    staff = Staff(bot(who.reviewer), bot(who.reviewer), bot(who.reviewer))
    given = {
        "Members": [bot(b) for b in range(world.members)],
        "Operators": [staff.operator],
        "Analysts": [staff.analyst],
        "Auditors": [staff.auditor],
    }
    second = engine.scenario.tick_ms
    periods = {n: engine.gateway.parameter(n) for n in ("VOTING_PERIOD", "TIMELOCK", "QUORUM", "PROPOSE_THRESHOLD")}
    params = {**periods, "WATCH": max(1000, plan.watch * second), "FRESH": 30 * 86_400_000}
    settings = Settings(
        clock=lambda: engine.gateway.now,
        fresh=map(str, count()).__next__,
        approvals=False,
        given={META: given},
        params={META: params},
    )
    folder.mkdir(parents=True, exist_ok=True)
    enforcer = Enforcer(ruling(), open_store(str(folder / "governance.db"), "relaxed"), settings)
    return Loop(folder, Books(enforcer), Seat(engine), staff)


def bot(number: int) -> str:
    return f"bot{number}"


def improve(
    engine: Engine,
    history: History,
    plan: Plan,
    folder: Path,
    bundle: bytes,
    prove: Prove,
    executor: Executor,
    told: Told = lambda _: None,
    tick: Callable[[], None] = lambda: None,
) -> Story:
    """Takes an amendment all the way, in a run that goes on meanwhile: `history` gets every tick.

    `engine` is a run at any tick; `folder` gets the enforcer's store (a decision log), the evidence and the bundles;
    `bundle` is what the run began under (`simulator.policies.data_of(engine.scenario.policy)`);
    `prove` is `policyctl.reprove.Reprove(simulator.meta_books.relations())`, and `executor` makes the rehearsals.
    `told` hears each step as it is done, and `tick` that a tick has passed. Never raises for what the policies deny:
    the story says so.
    """
    found = _Way(engine, history, plan, seat(engine, folder, plan), prove, executor, told, tick)
    try:
        found.go(bundle)
    except RefusedError as error:
        found.note("refuse", str(error))
    finally:
        found.loop.books.enforcer.close()
    return found.story


@dataclass(slots=True)
class _Way:
    engine: Engine
    history: History
    plan: Plan
    loop: Loop
    prove: Prove
    executor: Executor
    told: Told
    tick: Callable[[], None]
    story: Story = field(init=False)
    _seen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.story = Story(f"amendment-{self.engine.tick}", self.plan)

    def note(self, kind: str, text: str) -> None:
        found = Note(self.engine.tick, kind, text)
        self.story.notes.append(found)
        self.told(found)

    def go(self, bundle: bytes) -> None:
        self._propose(bundle)
        if not (self._simulate() and self._verify()):
            return
        if self._vote():
            self._watch()

    def _propose(self, bundle: bytes) -> None:
        """The member with the best name writes it down."""
        engine, plan, loop = self.engine, self.plan, self.loop
        now = {n: engine.gateway.parameter(n) for n in engine.ranges}
        proof = self.prove(read(bundle), now, {})
        if not proof.proved:
            raise RefusedError("the policies of the run, with its numbers, are not proved")
        loop.found(proof.data)
        scenario = engine.scenario.model_copy(
            update={
                "ticks": plan.warm_up + plan.watch,
                "attack_begins": min(engine.scenario.attack_begins, plan.warm_up),
            }
        )
        seeds = tuple(engine.seed + FRESH + i for i in range(plan.pairs))
        rehearsal = Rehearsal(scenario, plan.metric, plan.warm_up, seeds)
        changes = ", ".join(f"{n} {loop.books.values().get(n)} -> {v}" for n, v in plan.amendment.items())
        self.note("propose", f"{self._so_far(rehearsal)}; {bot(self._proposer())} proposes {changes}")
        inside = not amend.outside(amend.numbers(read(proof.data).policies), plan.amendment)
        if inside and (broken := self.prove.relations(now, plan.amendment)):
            self.story.proof = Proof("", b"", {}, {}, 0, broken)
            raise RefusedError(f"`{broken[0].property}` would not hold")
        try:
            loop.propose(self.story.proposal, bot(self._proposer()), plan.amendment, rehearsal)
        except RefusedError:
            self.story.proof = self.prove(read(proof.data), now, plan.amendment)
            raise

    def _so_far(self, rehearsal: Rehearsal) -> str:
        """What the metric is in the run as it is."""
        history, title = self.history, rehearsal.measure.title
        found = figure_of(rehearsal, history.columns, history.decided, history.happenings, 0) if history.rows else nan
        return f"{title} is {found:.4g} so far" if isfinite(found) else f"{title} has no value so far"

    def _proposer(self) -> int:
        members = self.engine.state.world.members
        free = np.flatnonzero(~self.engine.gateway.read("quarantined")[:members])
        return int(free[self.engine.gateway.read("reputation")[free].argmax()])

    def _simulate(self) -> bool:
        now = self.engine.gateway.now
        trial, _ = self.loop.simulate(self.story.proposal, self.executor, now)
        self.story.trial = trial
        if trial.better:
            self.note("simulate", f"{len(trial.before)} pairs of runs: better; it promises {trial.promise:.4g}")
            return True
        self.note("simulate", f"{len(trial.before)} pairs of runs: {trial.trouble or 'no improvement beyond doubt'}")
        return False

    def _verify(self) -> bool:
        proof, self.story.evidence = self.loop.verify(self.story.proposal, self.prove)
        self.story.proof = proof
        if proof.proved:
            self.note("verify", f"{proof.properties} properties proved again; evidence {self.story.evidence[:12]}")
            return True
        names = [f"`{b.property}`" for b in proof.broken] or list(proof.open)
        self.note("verify", f"refused: {names[0]} would not hold" if proof.broken else f"refused: {names[0]}")
        return False

    def _vote(self) -> bool:
        """The bots vote in the twin, and their ballots count here; whether it is in force."""
        engine, loop, proposal = self.engine, self.loop, self.story.proposal
        author = str(loop.order(proposal)["by"])
        number = self._hand_in(int(author.removeprefix("bot")))
        loop.put_to_vote(proposal, author)
        self.note("vote", f"proposal {number} is open, with the evidence")
        for _ in range(PATIENCE):
            self._step()
            self._carry_over(number)
            stage = loop.books.standing(proposal).stage
            if stage == "VotingOpen" and engine.gateway.now > loop.books.standing(proposal).vote_end:
                stage = loop.close(proposal)
                here = loop.books.standing(proposal)
                self.story.votes = self.story.votes[0], here.yes, here.no
                won = "approved" if stage == "Approved" else "not approved"
                self.note("vote", f"{self.story.votes[0]} ballots, {here.yes} yes to {here.no} no: {won}")
            there = engine.gateway.name("stage", int(engine.gateway.read("stage")[number]))
            if stage in ("Archived", "ReputationUpdate") or there in ("Defeated", "Archived", "ReputationUpdate"):
                self.story.outcome = "not approved"
                return False
            # The committee of the twin has agreed to it, and both timelocks have run out.
            agreed = int(engine.state.world.proposals.executed[number]) != NOBODY
            if agreed and stage == "Approved" and engine.gateway.now >= loop.books.standing(proposal).ready_at:
                loop.apply(proposal)
                self._happened("amendment", self._in_force())
                self.note("apply", f"{self._in_force()}, on trial for {self.plan.watch} ticks")
                return True
        self.story.outcome = "not approved"
        self.note("vote", "it has not come to an end")
        return False

    def _in_force(self) -> str:
        return ", ".join(f"{n} is {self.engine.gateway.parameter(n)}" for n in self.plan.amendment)

    def _hand_in(self, proposer: int) -> int:
        """The same proposal in the twin. That it does good is what the evidence says."""
        engine = self.engine
        world, gateway = engine.state.world, engine.gateway
        (number,) = enlist(world, gateway, np.array([proposer]), np.ones(1, dtype=np.bool_)).tolist()
        for action, inputs in (
            ("draft", {"principal": proposer, "what": PARAMETERS}),
            ("submit", {"principal": proposer}),
            ("open_voting", {}),
        ):
            if not gateway.may(action, proposal=number, **inputs):
                raise RefusedError(f"{action}: the twin denies it")
        engine.state.layers.community.voting.append(number)
        return int(number)

    def _carry_over(self, number: int) -> None:
        """Ballots that were cast in the twin since the last tick."""
        gateway, books = self.engine.gateway, self.loop.books
        if books.standing(self.story.proposal).stage != "VotingOpen":
            return
        row = gateway.read("ballot")[number][: self.engine.state.world.members]
        yes, none = gateway.case("ballot", "Yes"), gateway.case("ballot", "None")
        rows: list[dict[str, Value]] = [
            {"principal": bot(b), "proposal": self.story.proposal, "support": bool(row[b] == yes)}
            for b in np.flatnonzero(row != none).tolist()
            if b not in self._seen
        ]
        self._seen |= {int(str(r["principal"]).removeprefix("bot")) for r in rows}
        if rows:
            cast = books.ask_all("vote", rows)
            self.story.votes = self.story.votes[0] + cast, *self.story.votes[1:]

    def _watch(self) -> None:
        begins = self.engine.tick
        for _ in range(self.plan.watch):
            self._step()
        assert self.story.trial is not None
        rehearsal = self.story.trial.rehearsal
        self.story.figure = figure_of(
            rehearsal, self.history.columns, self.history.decided, self.history.happenings, begins
        )
        title, promise = rehearsal.measure.title, self.story.trial.promise
        self.note("watch", f"{title} is {self.story.figure:.4g}; promised was {promise:.4g}")
        if self.loop.judge(self.story.proposal, [self.story.figure]):
            self.story.outcome = "kept"
            self.note("keep", f"it has come: {self._in_force()} for good")
        else:
            self.story.outcome = "rolled back"
            self._happened("amendment", f"rolled back: {self._in_force()} again")
            self.note("rollback", f"it has not come: {self._in_force()} again")

    def _step(self) -> None:
        self.history.add(self.engine.step())
        self.tick()

    def _happened(self, kind: str, text: str) -> None:
        """The run's own record has it too."""
        found = Happening(self.engine.tick, self.engine.gateway.now, "meta", kind, text)
        self.history.happenings.append(plain(found))
