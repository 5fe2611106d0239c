"""The Auditor: it reads what developers hand in, and checks what the others rely on: the decision log and the proofs.

A skill is audited before anybody may run it, from its text alone; and again when it is complained about, with what was
seen of it since. The Policy Enforcer is told which text was audited. Some decisions of the gateway are made again, by
the policy that was proved. At the end of each epoch the Auditor recomputes the root of the decision log from its leaves
and has the proofs checked again. What is not in order it tells the Policy Enforcer and people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.merkle import root_of
from simulator.agents.base import Alert, Happening, Name, Request, Subject, View
from simulator.agents.policy_enforcer import Proofs
from simulator.agents.static_audit import FULL, Audit, audit
from simulator.decision_log import Log
from simulator.humans import tell_humans
from simulator.second_opinion import Evidence

Ids = NDArray[np.int64]
Counts = np.ndarray[Any, np.dtype[np.int64]]

SEVERE = 60
"""A skill whose security is below this is reported to the Incident Responder."""
LEAST_USES = 20.0
"""So often must a skill have been used lately for complaints about it to say something."""
COMPLAINTS = 0.05
"""Above this share of complaints, a skill is audited again,"""
CHANCE = 3.0
"""if so many deviations of a Poisson count do not explain it: some complain by mistake."""
SETTLED = 0.1
"""A skill that behaves as others do keeps its marks; one with more complaints loses points in proportion."""


@dataclass(slots=True)
class Auditor:
    epoch: int = 50
    audited: int = 0
    """So many skills, in the order in which they were handed in, have been audited."""
    audits: int = 0
    """So many audits were made."""
    again: dict[int, int] = field(default_factory=dict)
    """The tick of the last time a skill was audited again."""
    findings: dict[str, int] = field(default_factory=dict)
    """How often each rule has found something."""
    alarms: int = 0
    """How often the log, a proof or a decision was not in order."""
    roots: int = 0
    """How often the root of the log was recomputed."""
    decisions: int = 0
    """How many decisions of the gateway were made again."""
    wrong: list[str] = field(default_factory=list)
    """What was wrong, each thing once."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What an Auditor can look into: the texts of skills, the log, and whoever checks proofs."""

    skills: int
    """How many there are."""
    text: Callable[[int], str]
    """The text of a skill."""
    log: Log
    """The decision log: its leaves, and what the gateway says its root is."""
    proofs: Proofs
    fingerprint: Callable[[int], str]
    """Another one for each other text of a skill."""
    evidence: Sequence[Evidence]
    """Decisions of this tick, with all that they depend on."""
    second_opinion: Callable[[Evidence], str]
    """What is wrong with a decision, by the policy that was proved."""


def begin(epoch: int = 50) -> Auditor:
    return Auditor(epoch)


def tick(state: Auditor, view: View, desk: Desk) -> None:
    _new_skills(state, view, desk)
    _known_skills(state, view, desk)
    for request in view.take(Request):
        if 0 <= request.number < desk.skills:
            match request.what:
                case "audit":
                    _again(state, view, desk, request.number)
                case "audit_anew":
                    _audit(state, view, desk, np.array([request.number], dtype=np.int64))
    _decisions(state, view, desk)
    if view.tick and view.tick % state.epoch == 0:
        _check(state, view, desk)


def _new_skills(state: Auditor, view: View, desk: Desk) -> None:
    """Everything that was handed in since the last tick."""
    new = np.arange(state.audited, desk.skills, dtype=np.int64)
    state.audited = desk.skills
    if len(new):
        _audit(state, view, desk, new)


def _audit(state: Auditor, view: View, desk: Desk, new: Ids) -> None:
    found = [audit(desk.text(skill)) for skill in new.tolist()]
    state.audits += len(found)
    security = np.array([a.security for a in found], dtype=np.int64)
    quality = np.array([a.quality for a in found], dtype=np.int64)
    view.ask("audit_skill", skill=new, security=security, quality=quality)
    for skill, report in zip(new.tolist(), found, strict=True):
        for finding in report.findings:
            state.findings[finding.rule] = state.findings.get(finding.rule, 0) + 1
        view.tell(Name.ENFORCER, Request("audited", number=skill, why=desk.fingerprint(skill)))
        if report.security < SEVERE:
            _report(view, skill, report)


def _report(view: View, skill: int, report: Audit) -> None:
    worst = max(report.findings, key=lambda f: f.weight)
    text = f"skill {skill} fails its audit: {worst.why} (CWE-{worst.cwe}, line {worst.line})"
    view.note("audit", text, subject="skill", number=skill)
    score = (FULL - report.security) / FULL
    evidence = tuple((f.rule, float(f.weight)) for f in report.findings)
    view.tell(Name.RESPONDER, Alert(Subject.SKILL, skill, "vulnerable_skill", score, view.tick, evidence))


def suspects(uses: NDArray[np.float64], complaints: NDArray[np.float64]) -> Ids:
    """The skills about which more is complained than mistakes and chance explain."""
    usual = COMPLAINTS * uses
    return np.flatnonzero((uses >= LEAST_USES) & (complaints > usual + CHANCE * np.sqrt(usual)))


def _known_skills(state: Auditor, view: View, desk: Desk) -> None:
    """Skills that are complained about more than others are looked at again."""
    uses, complaints = view.observed.skill_uses[: desk.skills], view.observed.skill_complaints[: desk.skills]
    for skill in suspects(uses, complaints).tolist():
        if view.tick - state.again.get(skill, -state.epoch) >= state.epoch:
            _again(state, view, desk, skill)


def _again(state: Auditor, view: View, desk: Desk, skill: int) -> None:
    """The same text, and what has been seen of it since: experience outweighs what a text seems to be."""
    state.again[skill] = view.tick
    report = audit(desk.text(skill))
    state.audits += 1
    uses = max(1.0, float(view.observed.skill_uses[skill]))
    share = min(1.0, float(view.observed.skill_complaints[skill]) / (SETTLED * uses))
    security = int(report.security * (1 - share))
    view.ask("audit_skill", skill=skill, security=security, quality=report.quality)
    if share > 0.5:
        text = f"skill {skill} is complained about: its security is now {security}"
        view.note("audit", text, subject="skill", number=skill)
        alert = Alert(Subject.SKILL, skill, "vulnerable_skill", share, view.tick, (("complaints", share),))
        view.tell(Name.RESPONDER, alert)


def _check(state: Auditor, view: View, desk: Desk) -> None:
    """Whether the log is what its root says, and the proofs hold for what runs."""
    state.roots += 1
    if root_of(bytes.fromhex(leaf) for leaf in desk.log.leaves).hex() != desk.log.root:
        _alarm(state, view, "the decision log is not what its root says")
    for fault in desk.proofs.faults():
        _alarm(state, view, f"a proof does not hold: {fault}")


def _decisions(state: Auditor, view: View, desk: Desk) -> None:
    """Whether the gateway decides as the policy does that was proved."""
    for evidence in desk.evidence:
        state.decisions += 1
        wrong = desk.second_opinion(evidence)
        if wrong:
            _alarm(state, view, wrong)


def _alarm(state: Auditor, view: View, what: str) -> None:
    state.alarms += 1
    if what not in state.wrong:
        state.wrong.append(what)
    view.note("audit", what)
    view.tell(Name.ENFORCER, Request("review_proof", why=what))
    tell_humans(view, Request("repair", why=what))


def forensics(happenings: Sequence[Happening], incident: int) -> list[Happening]:
    """All that is known of an incident, in order: what was noted about it, and earlier about whom it is about."""
    own = [h for h in happenings if h.incident == incident]
    about = {(h.subject, h.number) for h in own if h.subject}
    last = max((h.tick for h in own), default=-1)
    found = [h for h in happenings if h.incident == incident or (h.tick <= last and (h.subject, h.number) in about)]
    return sorted(found, key=lambda h: (h.tick, h.now))
