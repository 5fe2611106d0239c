"""How the rules were kept: what Auditor, Policy Enforcer and gateway know goes in, a report for people comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from policydsl.core.to_json import digest
from simulator.agents import policy_enforcer
from simulator.agents.auditor import Auditor, Counts
from simulator.decision_log import Log
from simulator.proofs import Proofs
from simulator.scenario import Checked


class Denial(Checked):
    """Why requests of one action were denied, and how often."""

    action: str
    reason: str
    count: int


class Finding(Checked):
    """A rule of the static audit, and how often it found something."""

    rule: str
    count: int


class Proved(Checked):
    """A policy that is in force, and the certificate that is shown for it, by their digests."""

    policy: str
    digest: str
    certificate: str


class Compliance(Checked):
    allowed: int
    """Requests."""
    denied: int
    by_reason: tuple[Denial, ...]
    """Most first."""
    proofs: tuple[Proved, ...]
    verifier: str
    """Who has worked through the certificates; empty when only their digests were looked at."""
    proof_checks: int
    """So often the Policy Enforcer has checked the proofs ..."""
    proof_faults: int
    """... so often they did not hold ..."""
    lockdowns: int
    """... and so often it has locked the gateway down."""
    audited: int
    """Skills, by the Auditor."""
    findings: tuple[Finding, ...]
    """Most first."""
    swapped: tuple[int, ...]
    """Skills that were found not to be what was audited."""
    log_leaves: int
    """Ticks in the decision log."""
    log_root: str
    log_checks: int
    """So often the Auditor has recomputed the root."""
    decisions_made_again: int
    """By the Auditor, with the policy that was proved."""
    alarms: int
    """So often the log, a proof or a decision was not in order, by the Auditor."""
    wrong: tuple[str, ...]
    """What was not, each thing once."""


def report(
    auditor: Auditor | None,
    enforcer: policy_enforcer.State | None,
    tallies: Mapping[str, Counts],
    reason: Callable[[str, int], str],
    proofs: Proofs,
    log: Log,
) -> Compliance | None:
    """The report over a run, of whose decisions `tallies` has the counts (see `Gateway.tallies`). Without an Auditor
    there is none."""
    if auditor is None:
        return None
    denied = _denied(tallies, reason)
    pairs = zip(proofs.gateway.enforcers, proofs.shown, strict=True)
    return Compliance(
        allowed=sum(int(t[0]) for t in tallies.values()),
        denied=sum(d.count for d in denied),
        by_reason=denied,
        proofs=tuple(
            Proved(policy=e.system.name, digest=digest(e.system), certificate=proof.digest) for e, proof in pairs
        ),
        verifier="" if proofs.verifier is None else proofs.verifier.name,
        proof_checks=0 if enforcer is None else enforcer.checks,
        proof_faults=0 if enforcer is None else enforcer.refuted,
        lockdowns=0 if enforcer is None else enforcer.lockdowns,
        audited=auditor.audits,
        findings=tuple(
            Finding(rule=rule, count=count)
            for rule, count in sorted(auditor.findings.items(), key=lambda item: (-item[1], item[0]))
        ),
        swapped=() if enforcer is None else tuple(sorted(enforcer.swapped)),
        log_leaves=len(log.leaves),
        log_root=log.root,
        log_checks=auditor.roots,
        decisions_made_again=auditor.decisions,
        alarms=auditor.alarms,
        wrong=tuple(auditor.wrong),
    )


def _denied(tallies: Mapping[str, Counts], reason: Callable[[str, int], str]) -> tuple[Denial, ...]:
    found: dict[tuple[str, str], int] = {}
    for action, counts in tallies.items():
        for guard, count in enumerate(counts[1:].tolist()):
            if count:
                place = (action, reason(action, guard))
                found[place] = found.get(place, 0) + count
    most = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Denial(action=action, reason=why, count=count) for (action, why), count in most)
