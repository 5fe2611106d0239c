"""The Auditor's report in words: a record goes in, rows for people come out; and its incidents, the longest first."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.agents.auditor import forensics
from simulator.agents.base import Happening
from simulator.compliance import Compliance
from simulator.figures import number, plural
from simulator.record import Record

MOST = 3
"""So many reasons and findings are named."""


def rows(found: Compliance) -> list[tuple[str, str]]:
    """What was looked at, and what came of it."""
    shown = [("decisions", _decisions(found)), ("proofs", _proofs(found)), ("decision log", _log(found))]
    shown.append(("skills", _skills(found)))
    wrong = "; ".join(found.wrong) if found.wrong else "nothing"
    shown.append(("not in order", wrong if not found.alarms else f"{plural(found.alarms, 'alarm')}: {wrong}"))
    return shown


def _decisions(found: Compliance) -> str:
    text = f"{number(found.allowed)} allowed, {number(found.denied)} denied"
    most = [f"{d.reason}, {number(d.count)} × {d.action}" for d in found.by_reason[:MOST]]
    return f"{text}: {'; '.join(most)}" if most else text


def _proofs(found: Compliance) -> str:
    who = f"confirmed by {found.verifier}" if found.verifier else "compared by their digests, by no second solver"
    text = f"of {', '.join(p.policy for p in found.proofs)}, {who}"
    text += f"; checked {plural(found.proof_checks, 'time')}"
    if found.proof_faults:
        text += f", DID NOT HOLD {plural(found.proof_faults, 'time').upper()}"
        text += f", {plural(found.lockdowns, 'lockdown')}"
    return text


def _log(found: Compliance) -> str:
    return (
        f"{plural(found.log_leaves, 'leaf', 'leaves')}, root {found.log_root[:16]}…, recomputed "
        f"{plural(found.log_checks, 'time')}; {plural(found.decisions_made_again, 'decision')} made again"
    )


def _skills(found: Compliance) -> str:
    text = f"{number(found.audited)} audited"
    most = [f"{f.rule.replace('_', ' ')} ({number(f.count)})" for f in found.findings[:MOST]]
    text += f": {', '.join(most)}" if most else ""
    if found.swapped:
        text += f"; not what was audited: {', '.join(map(str, found.swapped[:MOST]))}"
        text += f" and {len(found.swapped) - MOST} more" if len(found.swapped) > MOST else ""
    return text


def incidents(record: Record, most: int) -> list[tuple[int, list[Happening]]]:
    """The longest ones, and all that is known of each of them, in order."""
    happenings = [Happening(**h) for h in record.happenings]
    spans: dict[int, tuple[int, int]] = {}
    for h in happenings:
        if h.incident >= 0:
            spans[h.incident] = spans.get(h.incident, (h.tick, h.tick))[0], h.tick
    longest = sorted(spans, key=lambda i: (spans[i][0] - spans[i][1], i))[:most]
    return [(i, forensics(happenings, i)) for i in sorted(longest)]


def span(notes: Sequence[Happening]) -> str:
    first, last = notes[0].tick, notes[-1].tick
    return f"tick {first:,}" if first == last else f"tick {first:,} to {last:,}"
