"""What is on a chain to text for people, and to plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policyctl.chain.anchors import Checked, differs
from policyctl.chain.contracts import GOVERNANCE, shipped
from policyctl.chain.governance import Governance, Member, Proposal
from policyctl.chain.talk import Sent, instant
from policyctl.paint import Paint

WAIT = "`policyctl chain status` says until when; on a node of one's own, time can be moved: "
_TEXT = 60
_STYLES = {"Approved": "green", "Defeated": "red", "Rejected": "red", "VotingOpen": "cyan", "Settled": "green"}


def render_where(governance: Governance, paint: Paint) -> str:
    """Where the contract is, and whose policy it is."""
    found, ships = governance.found, shipped()
    return (
        f"{paint('bold', GOVERNANCE)} at {governance.contract.address} on {found.url} (chain {found.chain})\n"
        f"policy {ships.module} {ships.core[:12]}; the code is what was compiled from it\n"
    )


def render_status(governance: Governance, paint: Paint) -> str:
    """All there is: proposals, and who acts."""
    now = governance.chain.now()
    lines = [f"block {governance.chain.w3.eth.block_number}, {instant(now)}", ""]
    proposals, members = governance.proposals(), governance.members()
    lines += [_proposal(p, now, paint) for p in proposals] or ["no proposals yet"]
    lines += ["", *(_member(m) for m in members)]
    return render_where(governance, paint) + "\n".join(lines) + "\n"


def status_data(governance: Governance) -> dict[str, Any]:
    found = governance.found
    return {
        "url": found.url,
        "chain": found.chain,
        "block": int(governance.chain.w3.eth.block_number),
        "time": governance.chain.now(),
        "governance": found.governance,
        "anchor": found.anchor,
        "policy": {"module": shipped().module, "core": shipped().core},
        "parameters": governance.parameters(),
        "proposals": [
            {
                "number": p.number, "stage": p.stage, "proposer": p.proposer, "text": p.text, "yes": p.yes, "no": p.no,
                "voting_ends": p.voting_ends, "ready": p.ready,
            }
            for p in governance.proposals()
        ],
        "people": [
            {"name": m.name, "address": m.address, "reputation": m.reputation, "standing": m.standing}
            for m in governance.members()
        ],
    }  # fmt: skip


def _proposal(p: Proposal, now: int, paint: Paint) -> str:
    head = f"proposal {p.number}  {paint(_STYLES.get(p.stage, 'bold'), p.stage)}"
    votes = f"  yes {p.yes}, no {p.no}" if p.yes or p.no else ""
    return f"{head}{votes}  {printable(p.text)}  {paint('dim', f'by {p.proposer}')}{_when(p, now)}"


def _when(p: Proposal, now: int) -> str:
    """What it is waiting for."""
    match p.stage:
        case "VotingOpen" if now <= p.voting_ends:
            return f"\n            voting ends {instant(p.voting_ends)}"
        case "VotingOpen":
            return f"\n            voting has ended: `policyctl chain close {p.number}`"
        case "Approved" if now < p.ready:
            return f"\n            can be executed from {instant(p.ready)} on"
        case "Approved":
            return f"\n            can be executed: `policyctl chain execute {p.number}`"
        case _:
            return ""


def _member(m: Member) -> str:
    return f"{m.name:<10}  {m.standing:<9}  reputation {m.reputation:>4}  {m.address}"


def render_sent(what: str, sent: Sent, paint: Paint) -> str:
    return f"{paint('green', '✓')} {what}  {paint('dim', f'block {sent.block}, {sent.gas:,} gas')}\n"


def render_denied(reason: str, hint: str, paint: Paint) -> str:
    return f"{paint('bold red', '✗')} denied: {reason}\n" + (f"    {hint}\n" if hint else "")


def render_checked(where: str, found: Checked, paint: Paint) -> str:
    """A log beside its anchors."""
    if not found.anchors:
        return (
            f"{paint('bold red', '✗')} {where}: nothing is anchored of a log that begins as this one\n"
            "    `policyctl chain anchor` anchors one; a log whose first record was changed is another log\n"
        )
    if found.changed is not None:
        anchor = found.changed
        return f"{paint('bold red', '✗')} {where}: {differs(anchor)}, {instant(anchor.at)}\n"
    lines = [f"{paint('green', '✓')} {where}: {found.size:,} records"]
    lines += [
        f"    {_records(first, end)} cannot have been changed since block {a.block}, {instant(a.at)}"
        for first, end, a in found.since()
    ]
    if found.anchors[-1].size < found.size:
        lines.append(f"    {_records(found.anchors[-1].size, found.size)} not anchored yet")
    return "\n".join(lines) + "\n"


def _records(first: int, end: int) -> str:
    return f"record {first:,}" if end == first + 1 else f"records {first:,} to {end - 1:,}"


def hint(reason: str, given: Sequence[str]) -> str:
    """What to do about a denial that comes of what nobody has done yet."""
    number = given[0] if given else "N"
    return {
        "not approved": f"has voting ended, and was it closed? `policyctl chain close {number}`",
        "the timelock has not run out": f"{WAIT}`policyctl chain wait 48h`",
        "voting has not ended": f"{WAIT}`policyctl chain wait 24h`",
    }.get(reason, "")


def printable(text: str) -> str:
    """What others wrote, in one line and fit for a terminal."""
    shown = "".join(c if c.isprintable() else "·" for c in text)
    return shown if len(shown) <= _TEXT else f"{shown[:_TEXT]}…"
