"""What Intelligence hears and sees: alerts and the tables of a tick go in, cases and ties between suspects come out."""

from __future__ import annotations

import numpy as np

from simulator.agents import intelligence_graph as graphs
from simulator.agents.base import Alert, Subject, View
from simulator.agents.intelligence_graph import Sort, Tie
from simulator.agents.intelligence_state import CODES, Case, State
from simulator.gateway import columns_of

MEMORY = 400
"""For so many ticks a suspect is kept in the graph."""
MOST_CASES = 400
SPREADERS = ("phishing", "spam", "exfiltration", "anomaly")
"""The kinds of attack of which links are told."""


def hear(state: State, view: View, alert: Alert) -> None:
    sort = CODES[alert.subject]
    state.cases.append(Case(sort, alert.number, alert.kind, alert.score, alert.tick))
    state.current += 1.0
    evidence = alert.evidence
    links = [int(v) for name, v in evidence if name == "link"]
    match alert.subject:
        case Subject.BOT if alert.number < state.known.size:
            state.known[alert.number] = True
            state.spreads[alert.number] |= alert.kind in SPREADERS
            for link in links:
                graphs.tie(state.ties, Tie.SENT, [alert.number] * 2, [link] * 2)
            others = [int(v) for name, v in evidence if name == "with"]
            graphs.tie(state.ties, Tie.VOTED, [alert.number] * len(others), others)
            _joined(state, view, alert.number)
        case Subject.LINK if alert.number < state.bad_links.size:
            state.bad_links[alert.number] = True
        case Subject.SKILL if alert.number < state.bad_skills.size:
            state.bad_skills[alert.number] = True
            developer = int(view.gateway.read("developer.value")[alert.number])
            if developer >= 0:
                graphs.tie(state.ties, Tie.MADE, [developer], [alert.number])
        case _:
            pass


def _joined(state: State, view: View, bot: int) -> None:
    """Ties a suspect to the others that joined with it, unless everybody was there from the beginning."""
    joined = view.observed.joined
    if joined[bot] > 0:
        others = np.flatnonzero((joined == joined[bot]) & state.known[: joined.size])
        others = others[others != bot][:1]
        graphs.tie(state.ties, Tie.JOINED, np.full(others.size, bot), others)


def watch(state: State, view: View) -> None:
    """Who sends what to whom, as far as suspects are concerned; messages that were denied were sent all the same."""
    sends = view.gateway.of_tick("send")
    if not sends:
        return
    sender, recipient = columns_of(sends, "principal"), columns_of(sends, "recipient")
    link = columns_of(sends, "link")
    linked = np.flatnonzero(link >= 0)
    of_interest = state.bad_links[link[linked]] | state.spreads[sender[linked]]
    linked = linked[of_interest]
    graphs.tie(state.ties, Tie.SENT, sender[linked], link[linked])
    both = np.flatnonzero(state.known[sender])
    both = both[state.known[recipient[both]]]
    graphs.tie(state.ties, Tie.WROTE, sender[both], recipient[both])
    if state.bad_skills.any():
        skill = columns_of(sends, "skill")
        bad = np.flatnonzero(state.bad_skills[np.maximum(skill, 0)] & (skill >= 0))
        graphs.tie(state.ties, Tie.WITH_SKILL, sender[bad], skill[bad])


def forget(state: State, view: View) -> None:
    kept = [c for c in state.cases if view.tick - c.tick <= MEMORY][-MOST_CASES:]
    if len(kept) == len(state.cases):
        return
    state.cases = kept
    left = np.array([c.number for c in kept if c.sort == Sort.BOT], dtype=np.int64)
    for mask in (state.known, state.spreads):
        still = np.zeros_like(mask)
        still[left] = mask[left]
        mask[:] = still
