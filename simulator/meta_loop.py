"""Meta-governance, step by step: an amendment goes in, and comes into force, or does not, and is kept, or is not.

NOTE(meta-loop): what stands where is in the enforcer of `specs/mvg/meta.policy`, and every step is a request to it, so
nothing is done that the policy denies, and all is in the decision log. What a step needs is in files beside it, written
before the step is taken, under names that are digests. What is in force follows the enforcer's state and nothing else
(`reconcile`). So a process may die anywhere: whoever comes next looks where the amendment stands, and goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from runtime import amend
from runtime.bundle import Bundle, BundleError
from runtime.bundle import read as read_bundle
from simulator import meta_evidence
from simulator.carry_out import ENGINE
from simulator.meta_books import Books, RefusedError
from simulator.meta_evidence import Evidence, EvidenceError
from simulator.meta_proof import Proof, Prove
from simulator.meta_trial import Rehearsal, Trial
from simulator.meta_trial import simulate as rehearse
from simulator.record import write, write_text
from simulator.scenario import ScenarioError, from_data, to_data


class Target(Protocol):
    """What is governed: a gateway, a run of the twin."""

    def put(self, version: str, data: bytes, values: Mapping[str, int]) -> None:
        """Have this bundle, with these numbers, in force; it may be there already."""
        ...


@dataclass(frozen=True, slots=True)
class Staff:
    """Under whose names the loop itself acts."""

    operator: str = "operator"
    analyst: str = "analyst"
    auditor: str = "auditor"


@dataclass(frozen=True, slots=True)
class Loop:
    folder: Path
    books: Books
    target: Target
    staff: Staff = Staff()

    # Beginning

    def found(self, data: bytes, names: Sequence[str] = ()) -> None:
        """Begin under a bundle: its numbers may be amended from now on, all or only these, within their ranges."""
        bundle = read_bundle(data)
        if not bundle.verified:
            raise RefusedError("not everything that the bundle promises is proved")
        numbers = amend.numbers(bundle.policies)
        if unknown := [n for n in names if n not in numbers]:
            raise RefusedError(f"the bundle has no parameter `{unknown[0]}`; there are {', '.join(sorted(numbers))}")
        self._keep_bundle(data)
        operator, known = self.staff.operator, self.books.values()
        for name in sorted(names or numbers):
            n = numbers[name]
            if name not in known:
                self.books.ask("declare", principal=operator, parameter=name, least=n.low, most=n.high, number=n.value)
        # Last: what has no version yet is begun anew by whoever comes after a crash.
        if self.books.version != bundle.digest:
            self.books.ask("found", principal=operator, first=bundle.digest)
        self.reconcile()

    def reconcile(self) -> str:
        """Have in force what the books say has to be; the version. Raises `RefusedError` if it is not to be had."""
        version = self.books.version
        if version:
            self.target.put(version, self._bundle(version)[1], self.books.values())
        return version

    # An amendment

    def propose(self, proposal: str, by: str, amendment: Mapping[str, int], rehearsal: Rehearsal) -> None:
        """A member writes down which numbers should be others, and on what that will be tried."""
        if not amendment:
            raise RefusedError("an amendment changes something")
        now = self.books.values()
        if same := [n for n, v in amendment.items() if now.get(n) == v]:
            raise RefusedError(f"{same[0]} is {now[same[0]]} already")
        data = asdict(rehearsal) | {"scenario": to_data(rehearsal.scenario)}
        order = {"by": by, "amendment": dict(amendment), "rehearsal": data}
        write_text(self._place(proposal, "order"), f"{json.dumps(order, indent=1)}\n")
        for name, value in amendment.items():
            self.books.ask("write", principal=by, proposal=proposal, parameter=name, number=value)

    def simulate(
        self, proposal: str, executor: Executor, measured_at: int, engine: str = ENGINE
    ) -> tuple[Trial, dict[str, int]]:
        """Paired runs, with the numbers in force and with the new ones; reported as better beyond doubt, or not."""
        rehearsal, amendment = self._order(proposal)
        now = self.books.values()
        scenario = rehearsal.scenario
        scenario = scenario.model_copy(update={"parameters": {**scenario.parameters, **now}})
        rehearsal = Rehearsal(scenario, rehearsal.metric, rehearsal.begins, rehearsal.seeds)
        trial = rehearse(rehearsal, amendment, executor, engine)
        figures = {"measured_at": measured_at, "now": now, "before": trial.before, "after": trial.after}
        write_text(self._place(proposal, "figures"), f"{json.dumps(figures)}\n")
        self.books.ask(
            "report_simulation",
            principal=self.staff.analyst,
            proposal=proposal,
            better=trial.better,
            measured=measured_at,
        )
        return trial, amendment

    def verify(self, proposal: str, prove: Prove) -> tuple[Proof, str]:
        """Everything is verified again with the new numbers. The proof, and the digest of the evidence, if proved."""
        rehearsal, amendment = self._order(proposal)
        now, basis = self.books.values(), self.books.version
        measured_at, trial = self._figures(proposal, rehearsal, now)
        proof = prove(self._bundle(basis)[0], now, amendment)
        digest = ""
        if proof.proved:
            self._keep_bundle(proof.data)
            was = {name: now[name] for name in amendment}
            evidence = Evidence(
                proposal,
                amendment,
                was,
                trial,
                measured_at,
                basis,
                proof.version,
                dict(proof.policies),
                dict(proof.certificates),
            )
            digest = meta_evidence.keep(self.folder, evidence)
        self.books.ask(
            "report_proof",
            principal=self.staff.analyst,
            proposal=proposal,
            proved=proof.proved,
            basis=basis,
            result=proof.version or basis,
            what=digest or "nothing",
        )
        return proof, digest

    def put_to_vote(self, proposal: str, by: str) -> Evidence:
        """The evidence is drafted as what is voted on, and voting opens."""
        evidence = self.evidence(proposal)
        stage = self.books.standing(proposal).stage
        if stage == "Unwritten":
            digest = self.books.maybe("evidence", proposal)
            self.books.ask("draft", principal=by, proposal=proposal, what=digest)
            stage = "Drafted"
        if stage == "Drafted":
            self.books.ask("submit", principal=by, proposal=proposal)
            if self.books.standing(proposal).stage == "Rejected":
                raise RefusedError(f"submit: `{by}` has not enough standing")
            stage = "Submitted"
        if stage == "Submitted":
            self.books.ask("open_voting", proposal=proposal)
        return evidence

    def evidence(self, proposal: str) -> Evidence:
        """What is voted on, as it was when it was written, and in agreement with the books. Raises `RefusedError`."""
        standing = self.books.standing(proposal)
        if not standing.evidence:
            raise RefusedError(f"there is no evidence for `{proposal}`")
        try:
            found = meta_evidence.read(self.folder, standing.evidence)
        except EvidenceError as error:
            raise RefusedError(str(error)) from None
        proposed = self.books.proposed(proposal, sorted(self.books.values()))
        claims = (found.proposal, dict(found.amendment), found.rests_on, found.leads_to)
        if claims != (proposal, proposed, standing.rests_on, standing.leads_to):
            raise RefusedError(f"the evidence for `{proposal}` is about something else")
        return found

    def vote(self, proposal: str, by: str, support: bool) -> None:
        """A member votes, on evidence that is whole."""
        self.evidence(proposal)
        self.books.ask("vote", principal=by, proposal=proposal, support=support)

    def close(self, proposal: str) -> str:
        """Voting is over; the stage that it led to. A proposal that lost is put away."""
        if self.books.standing(proposal).stage == "VotingOpen":
            self.books.ask("close_voting", proposal=proposal)
        stage = self.books.standing(proposal).stage
        if stage == "Defeated":
            fair = self.books.enforcer.would_allow("archive", {"proposal": proposal})
            self.books.ask("archive" if fair else "penalise", proposal=proposal)
        return self.books.standing(proposal).stage

    def apply(self, proposal: str) -> Evidence:
        """What was approved comes into force, on trial. Raises `RefusedError`, and changes nothing, for evidence or a
        bundle that is not what was voted on, and for whatever the policy denies."""
        evidence = self.evidence(proposal)
        bundle, _ = self._bundle(evidence.leads_to)
        wanted = {**self.books.values(), **evidence.amendment}
        has = {n: x.value for n, x in amend.numbers(bundle.policies).items() if n in wanted}
        if has != wanted:
            raise RefusedError(f"the bundle for `{proposal}` has other numbers than were voted on")
        standing = self.books.standing(proposal)
        if standing.stage == "Approved":
            self.books.ask("execute", proposal=proposal)
        if standing.trial != "Tried":
            digest = meta_evidence.digest_of(meta_evidence.to_text(evidence))
            self.books.ask("try_out", proposal=proposal, what=digest)
        self.reconcile()
        if self.books.standing(proposal).stage == "Executing":
            self.books.ask("monitor", proposal=proposal)
        return evidence

    def judge(self, proposal: str, figures: Sequence[float]) -> bool:
        """The trial is over: what was promised has come, and the amendment is kept, or not, and it is rolled back.
        A figure that is missing, or none at all, is nothing that has come."""
        if self.books.on_trial == proposal and self.books.standing(proposal).stage == "Monitoring":
            evidence = self.evidence(proposal)
            came = bool(figures) and evidence.trial.came(fmean(figures))
            self.books.ask("collect_feedback", principal=self.staff.auditor, proposal=proposal, good=came)
        worked = self.books.read("worked", proposal) is True
        if self.books.on_trial == proposal:
            self.books.ask("keep" if worked else "roll_back", proposal=proposal)
        self.reconcile()
        return self._file(proposal)

    def give_up(self, proposal: str) -> None:
        """Roll back what nobody has judged in time."""
        self.books.ask("roll_back", proposal=proposal)
        self.reconcile()

    def _file(self, proposal: str) -> bool:
        """Reputations follow, and the meta layer has learnt from it; whether it was kept."""
        for stage, action in (
            ("FeedbackLoop", "update_reputation"),
            ("ReputationUpdate", "optimize"),
            ("MetaOptimize", "settle"),
        ):
            if self.books.standing(proposal).stage == stage:
                self.books.ask(action, proposal=proposal)
        return self.books.standing(proposal).trial == "Kept"

    # Files

    def _place(self, proposal: str, what: str) -> Path:
        return self.folder / "proposals" / proposal / f"{what}.json"

    def order(self, proposal: str) -> dict[str, Any]:
        """Who proposed what, and on what it is tried. Raises `RefusedError`."""
        path = self._place(proposal, "order")
        try:
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            return found
        except (OSError, ValueError) as error:
            raise RefusedError(f"`{path}` cannot be read: {error}") from None

    def _order(self, proposal: str) -> tuple[Rehearsal, dict[str, int]]:
        data = self.order(proposal)
        try:
            rehearsal = data["rehearsal"]
            rehearsal |= {"scenario": from_data(rehearsal["scenario"]), "seeds": tuple(rehearsal["seeds"])}
            amendment = self.books.proposed(proposal, sorted(self.books.values()))
            # What counts is what the policy has on record; the file only says so again.
            if amendment != data["amendment"]:
                raise RefusedError(f"`{proposal}` is written down otherwise in {self._place(proposal, 'order')}")
            return Rehearsal(**rehearsal), amendment
        except (KeyError, TypeError, ValueError, ScenarioError) as error:
            raise RefusedError(f"`{self._place(proposal, 'order')}` is no order: {error}") from None

    def _figures(self, proposal: str, rehearsal: Rehearsal, now: Mapping[str, int]) -> tuple[int, Trial]:
        path = self._place(proposal, "figures")
        try:
            data = json.loads(path.read_text("utf-8"))
            before, after = tuple(data["before"]), tuple(data["after"])
            measured_at, numbers = int(data["measured_at"]), data["now"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RefusedError(f"`{path}` cannot be read: {error}") from None
        if numbers != dict(now) or measured_at != self.books.number("measured_at", proposal):
            raise RefusedError("the figures were measured under other numbers")
        scenario = rehearsal.scenario
        scenario = scenario.model_copy(update={"parameters": {**scenario.parameters, **now}})
        trial = Trial(Rehearsal(scenario, rehearsal.metric, rehearsal.begins, rehearsal.seeds), before, after)
        if not trial.better:
            raise RefusedError("the figures are not those of an improvement")
        return measured_at, trial

    def _keep_bundle(self, data: bytes) -> None:
        write(self._bundle_place(read_bundle(data).digest), lambda beside: beside.write_bytes(data))

    def _bundle(self, version: str) -> tuple[Bundle, bytes]:
        path = self._bundle_place(version)
        try:
            data = path.read_bytes()
            found = read_bundle(data)
        except (OSError, BundleError) as error:
            raise RefusedError(f"`{path}` cannot be taken: {error}") from None
        # SOUND: what comes into force is the very bundle that was proved and voted on.
        if found.digest != version or not found.verified:
            raise RefusedError(f"`{path}` is not the bundle that was proved")
        return found, data

    def _bundle_place(self, version: str) -> Path:
        return self.folder / "bundles" / f"{version}.bundle"
