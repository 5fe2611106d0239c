"""What was decided in the twin to the same on a chain: a run goes in, transactions and what became of them come out.

A contract does not hold a thousand voters for long (docs/contract.md), so the twin's committee acts there: each seat
has an account, and votes as the community has decided; a seat whose holder is a traitor votes against it. So each
proposal that was decided in the twin is decided again on the chain, by other code, and has to come out alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policyctl.chain import anchors
from policyctl.chain.anchors import Checked
from policyctl.chain.governance import Governance
from policyctl.chain.talk import DeniedError, Sent
from simulator.attacks import is_byzantine
from simulator.world import NOBODY

if TYPE_CHECKING:
    from simulator.engine import Engine

EXECUTED, DEFEATED = "executed", "defeated"
REVIEWER = "reviewer"
"""The auditor on the chain: it repeats there how outcomes were judged in the twin."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A proposal that was decided in the twin, and the weights for and against it there."""

    proposal: int
    proposer: int
    outcome: str
    yes: int
    no: int


@dataclass(frozen=True, slots=True)
class Mirrored:
    """The same on the chain: its number there, the weights of the seats, and the block in which it was decided."""

    decision: Decision
    number: int
    outcome: str
    yes: int
    no: int
    block: int

    @property
    def is_alike(self) -> bool:
        return self.outcome == self.decision.outcome


@dataclass(slots=True)
class Mirror:
    governance: Governance
    seats: tuple[str, ...]
    mirrored: list[Mirrored] = field(default_factory=list)
    unjudged: dict[int, int] = field(default_factory=dict)
    """Executed, and not yet judged in the twin: numbers there and here."""
    anchored: dict[bytes, int] = field(default_factory=dict)
    """How much of each log is anchored, by its first leaf."""
    transactions: int = 0
    gas: int = 0

    def follow(self, engine: Engine) -> None:
        """Whatever was decided or judged since the last time happens on the chain, and the log is anchored."""
        known = {m.decision.proposal for m in self.mirrored}
        new = [d for d in decided(engine) if d.proposal not in known]
        if new:
            self._decide(engine, new)
        self._judge(engine)
        self.anchor(leaves(engine))

    def anchor(self, log: Sequence[bytes]) -> None:
        """The root of a log as it is now; nothing if it has not grown. Whether it fits what is there, `check` says."""
        if len(log) > self.anchored.get(log[0], 0):
            self._count(anchors.write(self.governance.anchor, self.governance.found.operator, log))
            self.anchored[log[0]] = len(log)

    def check(self, log: Sequence[bytes]) -> Checked:
        return anchors.check(self.governance.anchor, log)

    def _decide(self, engine: Engine, new: Sequence[Decision]) -> None:
        traitors = _traitors(engine, len(self.seats))
        numbers = []
        for d in new:
            numbers.append(self._propose(d))
            for seat, name in enumerate(self.seats):
                # Of the 3f + 1 seats at most f are held by traitors, if the committee was elected well.
                support = (d.outcome == EXECUTED) != (seat in traitors)
                # A seat that has lost its reputation has no vote, as in the policy.
                self._try("vote", (str(numbers[-1]), "yes" if support else "no"), name)
        self._wait("VOTING_PERIOD")
        closed = [self._do("close_voting", (str(n),)) for n in numbers]
        approved = [self.governance.stage(n) == "Approved" for n in numbers]
        if any(approved):
            self._wait("TIMELOCK")
        for d, n, sent, won in zip(new, numbers, closed, approved, strict=True):
            number = (str(n),)
            if won:
                sent = self._do("execute", number)
                self._do("monitor", number)
                if d.outcome == EXECUTED:
                    self.unjudged[d.proposal] = n
            elif not self._try("archive", number):
                self._do("penalise", number)
            yes, no = (int(self.governance.contract.read(name, n)) for name in ("yes", "no"))
            self.mirrored.append(Mirrored(d, n, EXECUTED if won else DEFEATED, yes, no, sent.block))

    def _propose(self, d: Decision) -> int:
        # The seat with the best name hands it in, as in the twin what the meta layer suggests.
        worth = [self.governance.reputation(name) for name in self.seats]
        best = self.seats[worth.index(max(worth))]
        text = f"proposal {d.proposal} of the twin, by bot {d.proposer}: yes {d.yes}, no {d.no}"
        number, sent = self.governance.propose(text, best)
        self._count(sent)
        return number

    def _judge(self, engine: Engine) -> None:
        """What was judged in the twin is judged alike, and reputations follow."""
        gateway = engine.gateway
        worked, settled = gateway.read("worked"), gateway.case("stage", "Settled")
        stage = gateway.read("stage")
        for proposal, number in [(p, n) for p, n in self.unjudged.items() if stage[p] == settled]:
            self._do("collect_feedback", (str(number), "good" if worked[proposal] else "bad"), REVIEWER)
            for action in ("update_reputation", "optimize", "settle"):
                self._do(action, (str(number),))
            del self.unjudged[proposal]

    def _wait(self, parameter: str) -> None:
        self.governance.chain.wait(-(-self.governance.contract.read(parameter) // 1000))

    def _do(self, action: str, given: tuple[str, ...], who: str = "") -> Sent:
        sent = self.governance.act(action, given, who or self.governance.found.operator, tried=False)
        self._count(sent)
        return sent

    def _try(self, action: str, given: tuple[str, ...], who: str = "") -> bool:
        try:
            self._do(action, given, who)
        except DeniedError:
            return False
        return True

    def _count(self, sent: Sent) -> None:
        self.transactions += 1
        self.gas += sent.gas


def seats(count: int) -> tuple[str, ...]:
    return tuple(f"seat-{n}" for n in range(1, count + 1))


def decided(engine: Engine) -> list[Decision]:
    """All proposals of the twin that were executed or defeated, in order."""
    gateway, proposals = engine.gateway, engine.state.world.proposals
    count = len(proposals.proposer)
    stage = gateway.read("stage")[:count]
    lost = {gateway.case("stage", s) for s in ("Defeated", "Archived")}
    yes, no = gateway.read("yes"), gateway.read("no")
    # One that raised no quorum is penalised, and has the stage of those whose outcome was judged.
    penalised = (stage == gateway.case("stage", "ReputationUpdate")) & (proposals.executed == NOBODY)
    found = []
    for p in range(count):
        executed = bool(proposals.executed[p] != NOBODY)
        if executed or int(stage[p]) in lost or bool(penalised[p]):
            outcome = EXECUTED if executed else DEFEATED
            found.append(Decision(p, int(proposals.proposer[p]), outcome, int(yes[p]), int(no[p])))
    return found


def leaves(engine: Engine) -> list[bytes]:
    """The leaf hashes of the twin's decision log: one for each tick."""
    return [bytes.fromhex(leaf) for leaf in engine.state.log.leaves]


def _traitors(engine: Engine, count: int) -> frozenset[int]:
    """The seats whose holders lie in consensus. Hindsight: who watches a demonstration may know."""
    committee = engine.state.team.coordination
    members = [] if committee is None else [int(b) for b in committee.committee.members]
    byzantine = is_byzantine(engine.state.world, engine.tick >= engine.scenario.attack_begins)
    return frozenset(seat for seat, bot in enumerate(members[:count]) if byzantine[bot])
