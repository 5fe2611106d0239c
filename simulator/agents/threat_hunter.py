"""The Threat Hunter: what the gateway observed goes in, alarms and alerts come out.

The score is that of an ensemble (`detectors_ensemble.py`). In each tick only those are scored who stand out in at least
one rate, or were scored lately; an alarm is raised after `STEADY` ticks above the threshold, and never twice while it
stands.
"""

from __future__ import annotations

import numpy as np

from simulator.agents import detectors_shift, detectors_things, patterns
from simulator.agents.base import Alert, Name, Subject, View
from simulator.agents.detectors_ensemble import THRESHOLD, Scored, combine, in_words
from simulator.agents.threat_hunter_learn import WARM_UP, learn, release
from simulator.agents.threat_hunter_score import candidates, score
from simulator.agents.threat_hunter_state import State, begin, grow
from simulator.agents.threat_hunter_watch import listen, watch

__all__ = ["State", "begin", "tick"]

CALM = 0.5
"""Below, what was counted towards an alarm is forgotten."""
STEADY = 3
"""So many ticks above the threshold."""
MOST_ALARMS = 16
"""Each of these in one tick; of more than 4,000 members one alarm for each 250."""
AGAIN = 150
"""After so many ticks an alarm about which nothing was done may be raised again."""
DENIED = 10
"""For so many ticks an alarm that was not allowed is not raised again."""


def tick(state: State, view: View) -> None:
    """Looks, scores, and raises alarms."""
    grow(state, view)
    release(state, view)
    listen(state, view)
    watch(state, view)
    learn(state, view)
    if view.tick < WARM_UP or state.peers.tick < 0:
        return
    _about(state, view, Subject.LINK)
    _about(state, view, Subject.SKILL)
    bots = candidates(state, view)
    if bots.size:
        scored = score(state, view, bots)
        _judge(state, view, scored)


def _judge(state: State, view: View, scored: Scored) -> None:
    bots, threat = scored.bots, scored.threat
    state.threat[bots] = threat
    count = state.above[bots]
    count = np.where(threat >= THRESHOLD, count + 1, np.where(threat < CALM, 0, np.maximum(count - 1, 0)))
    state.above[bots] = count
    due = np.flatnonzero((count >= STEADY) & (threat >= THRESHOLD))
    if not due.size:
        return
    most = max(MOST_ALARMS, view.members // 250)
    due = due[np.lexsort((bots[due], -threat[due]))][:most]
    allowed = view.ask("raise_alarm", suspect=bots[due]).allowed
    state.quiet_until[bots[due]] = view.tick + np.where(allowed, AGAIN, DENIED)
    raised = due[allowed]
    state.above[bots[raised]] = 0
    state.alarmed[bots[raised]] = True
    detectors_shift.forget(state.shift, bots[raised])
    for at in raised.tolist():
        _alarm(state, view, scored, at)


def _alarm(state: State, view: View, scored: Scored, at: int) -> None:
    bot = int(scored.bots[at])
    alert, text = in_words(scored, at, view.tick, int(state.last_link[bot]), state.together.get(bot, []))
    state.alarms += 1
    _send(view, alert)
    view.note("alarm", text, subject="bot", number=bot)


def _send(view: View, alert: Alert) -> None:
    view.tell(Name.RESPONDER, alert)
    view.tell(Name.INTELLIGENCE, alert)


def _about(state: State, view: View, subject: Subject) -> None:
    """Scores links, or skills, and tells of those that are bad."""
    things = state.links if subject is Subject.LINK else state.skills
    suspects = detectors_things.suspects(things, view.tick)
    if not suspects.size:
        return
    known = patterns.shipped_table(subject)
    seen = detectors_things.seen(things, suspects)
    matches = patterns.match(known, seen)
    best = matches.argmax(axis=0)
    threat = combine(0.0, 0.0, matches[best, np.arange(suspects.size)], things.risk[suspects])
    things.bad[suspects] = np.maximum(things.bad[suspects], threat)
    for at in np.flatnonzero(threat >= THRESHOLD)[:MOST_ALARMS].tolist():
        number, pattern = int(suspects[at]), known.patterns[int(best[at])]
        things.quiet_until[number] = view.tick + AGAIN
        evidence = tuple(zip(patterns.OF_THINGS, seen[:, at].round(3).tolist()))
        _send(view, Alert(subject, number, pattern.kind, round(float(threat[at]), 3), view.tick, evidence))
        uses, complaints = seen[:2, at]
        text = f"{subject.value} {number}: {pattern.says} ({complaints:.0f} of {uses:.0f}; threat {threat[at]:.2f})"
        view.note("detected", text, subject=subject.value, number=number)
