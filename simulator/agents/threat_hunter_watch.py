"""What the Threat Hunter notices in a tick: indicators and the gateway's tables go in, counts of its own come out."""

from __future__ import annotations

import numpy as np

from simulator.agents import detectors_cohorts, detectors_shift, detectors_things, detectors_votes
from simulator.agents.base import Indicator, Subject, View
from simulator.agents.detectors_ensemble import THRESHOLD
from simulator.agents.detectors_shift import SLOW
from simulator.agents.threat_hunter_state import State
from simulator.gateway import columns_of
from simulator.observe import FADE


def listen(state: State, view: View) -> None:
    """What Intelligence says."""
    for told in view.take(Indicator):
        match told.subject:
            case Subject.BOT:
                known = state.risk
            case Subject.SKILL:
                known = state.skills.risk
            case _:
                known = state.links.risk
        if told.number < known.size:
            known[told.number] = max(known[told.number], told.risk)


def watch(state: State, view: View) -> None:
    """Counts what the gateway's counts do not say, in the tables of the tick."""
    size = state.received.size
    state.received *= FADE
    state.bad_links *= FADE
    sends = view.gateway.of_tick("send")
    if sends:
        allowed = sends[0].answers.allowed if len(sends) == 1 else np.concatenate([a.answers.allowed for a in sends])
        sender, recipient, link = (columns_of(sends, name) for name in ("principal", "recipient", "link"))
        state.received += np.bincount(recipient[allowed], minlength=size)[:size]
        # A message that was denied for its link was sent all the same.
        linked = np.flatnonzero(link >= 0)
        bad = linked[state.links.bad[link[linked]] >= THRESHOLD]
        if bad.size:
            state.bad_links += np.bincount(sender[bad], minlength=size)[:size]
        complained = linked[view.observed.link_complaints[link[linked]] > 0.5]
        if complained.size:
            # The one about which there are most complaints comes last, and stays.
            worst = np.argsort(view.observed.link_complaints[link[complained]], kind="stable")
            state.last_link[sender[complained[worst]]] = link[complained[worst]]
        detectors_cohorts.watch(state.cohorts, view.observed.joined, sender, recipient, allowed)
    votes = view.gateway.of_tick("vote")
    if votes:
        allowed = np.concatenate([a.answers.allowed for a in votes])
        columns = (columns_of(votes, name)[allowed] for name in ("principal", "proposal", "support"))
        detectors_votes.remember(state.votes, view.tick, *columns)
    state.cohorts.loud = view.observed.rate("messages") > state.peers.loud
    seen = view.observed
    # Complaints about skills are few, and skills are used for long: they are remembered for longer.
    detectors_things.hear(state.skills, seen.skill_uses, seen.skill_complaints, SLOW)
    detectors_things.hear(state.links, seen.link_senders, seen.link_complaints, FADE)
    detectors_shift.hear(state.shift, view.tick, view.observed.rate("complaints"))
