"""The figures of a run: its columns, decisions and happenings go in, one number for each metric comes out.

`docs/simulator.md` has the definitions. `nan` says that a figure does not apply: no decision was made, nobody attacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.measures import FIRST_HARM, Columns, total
from simulator.scenario import Scenario

Floats = NDArray[np.float64]

NAN = float("nan")
ALERTS = ("alarm", "detected", "audit")
"""The kinds of happenings by which an agent says that something is bad: from then on a response is possible."""
RECOVERED = 0.95
"""Service has recovered when this share of what it was before the attack is back ..."""
STEADY = 20
"""... for so many ticks in a row."""
WINDOW = 10
"""Ticks over which the course of service is shown."""
SETTLED = 0.1
"""The last part of a run over which accuracy is averaged."""


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    title: str
    unit: str
    more_is_better: bool | None
    """None: neither."""
    meaning: str
    group: str
    hindsight: bool = False


METRICS: tuple[Metric, ...] = (
    Metric(
        "decision_p50", "decision latency, half", "s", False, "median time from submission to execution", "decisions"
    ),
    Metric(
        "decision_p90", "decision latency, 90 %", "s", False, "nine in ten decisions took at most so long", "decisions"
    ),
    Metric(
        "decision_p99", "decision latency, 99 %", "s", False, "99 in 100 decisions took at most so long", "decisions"
    ),
    Metric("decided", "proposals executed", "", None, "proposals that came to be executed", "decisions"),
    Metric("bad_share", "harmful among executed", "%", False, "executed proposals that do harm", "decisions", True),
    Metric("detection_p50", "detection, half", "s", False, "median time from first harm to an alarm", "security", True),
    Metric(
        "detection_p90", "detection, 90 %", "s", False, "nine in ten that were found took so long", "security", True
    ),
    Metric("detected", "attackers found", "%", True, "attackers who did harm and were ever alarmed", "security", True),
    Metric("response_p50", "response, half", "s", False, "median time from an alarm to containment", "security"),
    Metric("response_p90", "response, 90 %", "s", False, "nine in ten containments took at most so long", "security"),
    Metric("false_alarms", "false alarms", "%", False, "alarms about what is harmless", "security", True),
    Metric("false_quarantine", "honest in quarantine", "%", False, "of all quarantines, bot-ticks", "security", True),
    Metric("harm_through", "harm that got through", "%", False, "harmful acts that were allowed", "security", True),
    Metric(
        "compromised", "bots taken over, at most", "", False, "the most honest bots under control", "security", True
    ),
    Metric("leaked", "secrets leaked", "", False, "secrets that got out", "security", True),
    Metric("resilience", "resilience", "%", True, "service during the attack, of that before", "resilience", True),
    Metric("worst", "service at its worst", "%", True, "the worst 20 ticks, of what was before", "resilience", True),
    Metric(
        "recovery", "time to recover", "ticks", False, "the longest time with less than 95 % of it", "resilience", True
    ),
    Metric("coordination", "coordination efficiency", "%", True, "tasks that were taken up in time", "coordination"),
    Metric("consensus_ms", "consensus time", "ms", False, "mean time of a decision of the committee", "coordination"),
    Metric("violations", "consensus violations", "", False, "decisions on which honest members differ", "coordination"),
    Metric(
        "reputation_auc", "reputation accuracy", "AUC", True, "honest above malicious, last tenth", "reputation", True
    ),
)
BY_NAME: Mapping[str, Metric] = {m.name: m for m in METRICS}


def evaluate(
    scenario: Scenario, columns: Columns, decided: Any, happenings: Iterable[Mapping[str, Any]]
) -> dict[str, float]:
    """All metrics by name; `decided` has a row (proposal, submitted ms, executed ms) for each executed proposal."""
    decided = np.asarray(decided, dtype=np.int64).reshape(-1, 3)
    events = list(happenings)
    latency = (decided[:, 2] - decided[:, 1]) / 1000.0
    detection, found = detections(events)
    response = responses(events)
    before = baseline(scenario, columns)

    def summed(name: str) -> float:
        return total(name, columns[name])

    def most(name: str) -> float:
        return float(np.nanmax(columns[name])) if columns[name].size else NAN

    return {
        "decision_p50": quantile(latency, 0.5),
        "decision_p90": quantile(latency, 0.9),
        "decision_p99": quantile(latency, 0.99),
        "decided": float(len(decided)),
        "bad_share": percent(summed("bad_executed"), summed("good_executed") + summed("bad_executed")),
        "detection_p50": quantile(detection, 0.5),
        "detection_p90": quantile(detection, 0.9),
        "detected": found,
        "response_p50": quantile(response, 0.5),
        "response_p90": quantile(response, 0.9),
        "false_alarms": percent(summed("alarms_false"), summed("alarms")),
        "false_quarantine": percent(float(columns["quarantined_honest"].sum()), float(columns["quarantined"].sum())),
        "harm_through": percent(summed("harmful_delivered"), summed("harmful_delivered") + summed("harmful_denied")),
        "compromised": most("compromised"),
        "leaked": summed("secrets_leaked"),
        "resilience": resilience(scenario, columns, before),
        "worst": worst(scenario, columns, before),
        "recovery": recovery(scenario, columns, before),
        "coordination": percent(summed("demand_served"), summed("demand")),
        "consensus_ms": ratio(summed("consensus_ms"), summed("consensus_decisions")),
        "violations": summed("consensus_violations"),
        "reputation_auc": lately(columns["reputation_auc"]),
    }


def ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else NAN


def percent(part: float, whole: float) -> float:
    return 100.0 * ratio(part, whole)


def quantile(values: Floats, share: float) -> float:
    """The smallest value that so large a share of the values does not exceed: one that occurred."""
    return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else NAN


def lately(values: Floats) -> float:
    """The mean over the last tenth of a run."""
    known = values[-max(1, int(len(values) * SETTLED)) :]
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else NAN


def detections(happenings: Sequence[Mapping[str, Any]]) -> tuple[Floats, float]:
    """Seconds from each first harmful act to the first later alarm about the same, and the percentage found at all."""
    harm: dict[tuple[str, int], int] = {}
    for h in happenings:
        if h["kind"] == FIRST_HARM:
            harm.setdefault((h["subject"], h["number"]), h["now"])
    seen: dict[tuple[str, int], int] = {}
    for h in happenings:
        who = (h["subject"], h["number"])
        if h["kind"] in ALERTS and who in harm and h["now"] >= harm[who]:
            seen[who] = min(h["now"], seen.get(who, h["now"]))
    times = np.array([(seen[who] - harm[who]) / 1000.0 for who in seen], dtype=np.float64)
    return times, percent(len(seen), len(harm))


def responses(happenings: Sequence[Mapping[str, Any]]) -> Floats:
    """Seconds from the first alarm about something to its containment; alarms after that begin a new response."""
    alarmed: dict[tuple[str, int], int] = {}
    times = []
    for h in happenings:
        who = (h["subject"], h["number"])
        if h["kind"] in ALERTS:
            alarmed.setdefault(who, h["now"])
        elif h["kind"] == "contained" and who in alarmed:
            times.append((h["now"] - alarmed.pop(who)) / 1000.0)
    return np.array(times, dtype=np.float64)


def service(columns: Columns, window: int = WINDOW) -> Floats:
    """The share of the services asked that were kept, over the last ticks; `nan` where none was asked.

    Answers take a tick or more, so the kept ones of a single tick are no share of the asked ones of it; and what a
    partition held back arrives at once when it heals, which is no more than all.
    """
    asked, kept = (np.cumsum(columns[n]) for n in ("service_asked", "service_kept"))
    for sums in (asked, kept):
        sums[window:] -= sums[:-window].copy()
    found: Floats = np.divide(kept, asked, out=np.full(asked.shape, NAN), where=asked > 0)
    return np.minimum(found, 1.0)


def baseline(scenario: Scenario, columns: Columns) -> float:
    """The share of services kept before the attack, but for the first ticks, in which no answer can be there yet.

    1 if the attack begins at once.
    """
    until = min(scenario.attack_begins, len(columns["service_asked"]))
    begin = WINDOW if until > 2 * WINDOW else 0
    asked = _sum(columns["service_asked"], begin, until)
    return ratio(_sum(columns["service_kept"], begin, until), asked) if until else 1.0


def resilience(scenario: Scenario, columns: Columns, before: float) -> float:
    """Service from the beginning of the attack on, as a percentage of that before."""
    begin = scenario.attack_begins
    during = ratio(_sum(columns["service_kept"], begin), _sum(columns["service_asked"], begin))
    return 100.0 * during / before if before > 0 and scenario.malicious > 0 else NAN


def windows(scenario: Scenario, columns: Columns) -> Floats:
    """Service over each `STEADY` ticks from the beginning of the attack on."""
    begin = scenario.attack_begins
    if len(columns["service_asked"]) - begin < STEADY:
        return np.zeros(0)
    kept, asked = (np.cumsum(np.concatenate([[0.0], columns[n][begin:]])) for n in ("service_kept", "service_asked"))
    kept, asked = kept[STEADY:] - kept[:-STEADY], asked[STEADY:] - asked[:-STEADY]
    found: Floats = np.divide(kept, asked, out=np.full(asked.shape, NAN), where=asked > 0)
    return found


def worst(scenario: Scenario, columns: Columns, before: float) -> float:
    rolling = windows(scenario, columns)
    rolling = rolling[~np.isnan(rolling)]
    return 100.0 * float(rolling.min()) / before if rolling.size and before > 0 and scenario.malicious > 0 else NAN


def recovery(scenario: Scenario, columns: Columns, before: float) -> float:
    """Ticks of the longest dip: of windows in a row below `RECOVERED` of the service before the attack.

    0 if there is no such window; infinite if the last window of the run is one.
    """
    if not (before > 0 and scenario.malicious > 0):
        return NAN
    rolling = windows(scenario, columns)
    if not rolling.size:
        return NAN
    low = rolling < RECOVERED * before
    if low[-1]:
        return float("inf")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], low.astype(np.int8), [0]])))
    return float(np.max(edges[1::2] - edges[::2])) if edges.size else 0.0


def _sum(values: Floats, begin: int, end: int | None = None) -> float:
    part = values[begin:end]
    return float(np.cumsum(part)[-1]) if part.size else 0.0
