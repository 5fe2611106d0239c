"""A run in words: its record goes in, the few sentences come out that one would say about it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf, isnan
from typing import Any

import numpy as np

from simulator.figures import number, plural
from simulator.goals import outcomes
from simulator.measures import HINDSIGHT, SABOTAGE, total
from simulator.record import Record
from simulator.scenario import AGENTS, Scenario

MOST_HAPPENINGS = 40


def setting(scenario: Scenario) -> str:
    """What is simulated, in one sentence."""
    bots = round(scenario.bots * scenario.malicious)
    text = (
        f"{plural(scenario.bots, 'bot')}, {number(scenario.proposal_rate)} proposals per tick in all of the ecosystem"
    )
    text += f", {scenario.network.latency} latency"
    if scenario.network.partitions:
        text += f", {plural(len(scenario.network.partitions), 'partition')}"
    if bots:
        text += f"; {number(100 * scenario.malicious)} % are malicious, from tick {number(scenario.attack_begins)} on"
    off = [a for a in AGENTS if a not in scenario.agents]
    if off:
        text += "; all agents off" if len(off) == len(AGENTS) else f"; off: {', '.join(off).replace('_', ' ')}"
    return text + "."


def story(record: Record) -> list[str]:
    """What became of it."""
    said = (_service(record), _harm(record), _goals(record), _agents(record), _decisions(record), _consensus(record))
    return [*(s for s in said if s), *_sabotage(record)]


def _sum(record: Record, name: str) -> float:
    return total(name, record.columns[name])


def _service(record: Record) -> str:
    figures = record.metrics
    if isnan(figures["resilience"]):
        return ""
    text = f"Service during the attack was {number(figures['resilience'])} % of what it was before"
    if not isnan(figures["worst"]):
        text += f", and {number(figures['worst'])} % in the worst 20 ticks"
    match figures["recovery"]:
        case x if isnan(x):
            return text + "."
        case x if isinf(x):
            return text + "; it was not back when the run ended."
        case 0:
            return text + "; it never dipped below 95 %."
        case x:
            return text + f"; the longest dip below 95 % took {plural(x, 'tick')}."


def _harm(record: Record) -> str:
    through, stopped = _sum(record, "harmful_delivered"), _sum(record, "harmful_denied")
    if not through + stopped:
        return ""
    text = f"Of {plural(through + stopped, 'harmful act')} {number(stopped)} were denied"
    extra = []
    if record.metrics["compromised"] > 0:
        extra.append(f"at most {plural(record.metrics['compromised'], 'honest bot')} were taken over")
    if record.metrics["leaked"] > 0:
        extra.append(f"{plural(record.metrics['leaked'], 'secret')} got out")
    return text + (f"; {' and '.join(extra)}." if extra else ".")


def _goals(record: Record) -> str:
    """What the attackers wanted, and how far they got."""
    found = {(o.goal.text, o.goal.unit): o for o in outcomes(record.header.scenario, record.columns)}
    said: list[str] = []
    for reached, begin in ((True, "The attackers got what they wanted"), (False, "They did not get what they wanted")):
        those = [f"{o.goal.text} ({number(o.got)} {o.goal.unit})" for o in found.values() if o.reached is reached]
        if those:
            begin = begin if said or reached else "The attackers did not get what they wanted"
            said.append(f"{begin}: {'; '.join(those)}.")
    return " ".join(said)


def _agents(record: Record) -> str:
    figures, alarms = record.metrics, _sum(record, "alarms")
    if not alarms:
        return "No alarm was raised." if record.header.scenario.agents else ""
    text = f"{plural(alarms, 'alarm')} were raised" if alarms != 1 else "1 alarm was raised"
    if not isnan(figures["detected"]):
        text += f"; {number(figures['detected'])} % of those who did harm were found"
        if not isnan(figures["detection_p50"]):
            text += f", half of them within {number(figures['detection_p50'])} s"
    if not isnan(figures["response_p50"]):
        text += f", and contained {number(figures['response_p50'])} s later (median)"
    if not isnan(figures["false_alarms"]):
        text += f"; {number(figures['false_alarms'])} % of the alarms were false"
    honest = record.columns["quarantined_honest"]
    if honest.size and honest.max() > 0:
        text += f", and at most {plural(float(honest.max()), 'honest bot')} stood in quarantine"
    return text + "."


def _decisions(record: Record) -> str:
    figures, submitted = record.metrics, _sum(record, "proposals_submitted")
    if not submitted:
        return ""
    text = f"Of {plural(submitted, 'proposal')} {number(figures['decided'])} were executed"
    if not isnan(figures["decision_p50"]):
        text += f", half within {number(figures['decision_p50'])} s and 99 % within {number(figures['decision_p99'])} s"
    if figures["bad_share"] > 0:
        text += f"; {number(figures['bad_share'])} % of them do harm"
    return text + "."


def _consensus(record: Record) -> str:
    decisions, broken = _sum(record, "consensus_decisions"), record.metrics["violations"]
    if not decisions:
        return ""
    text = (
        f"The committee decided {plural(decisions, 'time')}, in {number(record.metrics['consensus_ms'])} ms on average"
    )
    return text + (f"; {number(broken)} TIMES HONEST MEMBERS DISAGREED." if broken else ", and was never of two minds.")


def _sabotage(record: Record) -> list[str]:
    """What was done to the policy, or to a skill, and when it was noticed and repaired."""
    told = []
    for act in (h for h in record.happenings if h["kind"] == SABOTAGE):
        subject = act["subject"], act["number"]
        later = [h for h in record.happenings if h["tick"] >= act["tick"] and h["who"] != HINDSIGHT]
        if act["subject"]:
            seen = next((h for h in later if (h["subject"], h["number"]) == subject and h["kind"] == "policy"), None)
            end = next((h for h in later if (h["subject"], h["number"]) == subject and h["kind"] == "contained"), None)
        else:
            seen = next((h for h in later if h["kind"] == "emergency" and "locked down" in h["text"]), None)
            end = next((h for h in later if h["kind"] == "human" and "proved" in h["text"]), None)
        text = f"At tick {act['tick']:,} {act['text']}: "
        text += (
            "nobody noticed" if seen is None else f"noticed {_after(act, seen)} by the {seen['who'].replace('_', ' ')}"
        )
        told.append(
            text
            + ("." if end is None else f", and set right {_after(act, end)} by the {end['who'].replace('_', ' ')}.")
        )
    return told


def _after(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    ticks = other["tick"] - one["tick"]
    return f"{plural(ticks, 'tick')} later" if ticks else "in the same tick"


def highlights(record: Record, most: int = MOST_HAPPENINGS) -> list[tuple[int, str, str]]:
    """What happened, as (tick, who, text): the first of each kind by each agent, and then evenly through the run."""
    shown = [h for h in record.happenings if h["who"] != "hindsight"]
    seen: set[tuple[str, str]] = set()
    first = []
    for place, h in enumerate(shown):
        if (h["who"], h["kind"]) not in seen:
            seen.add((h["who"], h["kind"]))
            first.append(place)
    chosen = set(first[:most])
    rest = [p for p in range(len(shown)) if p not in chosen]
    room = most - len(chosen)
    if rest and room > 0:
        chosen |= {rest[int(i)] for i in np.linspace(0, len(rest) - 1, min(room, len(rest)))}
    return [(int(shown[p]["tick"]), str(shown[p]["who"]), str(shown[p]["text"])) for p in sorted(chosen)]
