"""The Threat Hunter: what the gateway observed goes in, alarms and alerts come out.

The score is that of an ensemble (`detectors_ensemble.py`). In each tick only those are scored who stand out in at least
one rate, or were scored lately; an alarm is raised after `STEADY` ticks above the threshold, and never twice while it
stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.agents import (
    detectors,
    detectors_cohorts,
    detectors_forest,
    detectors_lockstep,
    detectors_pardons,
    detectors_shift,
    detectors_things,
    detectors_votes,
    patterns,
)
from simulator.agents.base import Alert, Indicator, Name, Subject, View
from simulator.agents.detectors import ROWS, Peers
from simulator.agents.detectors_cohorts import Cohorts
from simulator.agents.detectors_ensemble import FOREST, THRESHOLD, Scored, combine, in_words
from simulator.agents.detectors_forest import Forest
from simulator.agents.detectors_pardons import Pardons
from simulator.agents.detectors_shift import SLOW, Shift
from simulator.agents.detectors_things import Things
from simulator.agents.detectors_votes import Votes
from simulator.gateway import Asked
from simulator.observe import FADE, RATES

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

CALM = 0.5
"""Below, what was counted towards an alarm is forgotten."""
STEADY = 3
"""So many ticks above the threshold."""
WARM_UP = 15
"""In the first ticks nobody knows yet what is usual."""
LOOK = 10
"""Every so many ticks the peers are looked at anew."""
LOOK_TOGETHER = 20
"""Every so many ticks it is worked out who votes together, and who joined together."""
REFIT = 250
"""Every so many ticks the forest gets a new sample."""
SAMPLE, FOREST_SAMPLE = 1000, 2000
"""So many members are looked at."""
MOST_SCORED = 256
MOST_ASKED = 32
"""So many, at most, about which the forest is asked."""
MOST_ALARMS = 16
"""Each of these in one tick; of more than 4,000 members one alarm for each 250."""
AGAIN = 150
"""After so many ticks an alarm about which nothing was done may be raised again."""
GRACE = 20
"""For so many ticks a bot that was let out is left alone; then only what it did since counts."""
DENIED = 10
"""For so many ticks an alarm that was not allowed is not raised again."""
FORGET = 0.95
"""What is left of a word from Intelligence after `LOOK` ticks."""
LOOKED_AT = ("messages", "links", "secrets", "denied", "complaints", "calls", "failures", "signals", "dissent")
"""The rates by which somebody stands out."""
STRANGE = tuple(patterns.SEEN[Subject.BOT].index(f"{name}_beyond") for name in LOOKED_AT)
"""Where they are among what is seen."""


def _floats() -> Floats:
    return np.zeros(0)


def _ids() -> Ids:
    return np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class State:
    peers: Peers = field(default_factory=Peers)
    forest: Forest = field(default_factory=Forest)
    shift: Shift = field(default_factory=Shift)
    votes: Votes = field(default_factory=Votes)
    cohorts: Cohorts = field(default_factory=Cohorts)
    received: Floats = field(default_factory=_floats)
    """Messages that each bot was sent, fading."""
    bad_links: Floats = field(default_factory=_floats)
    """Messages of each bot with links that are held to be bad, fading."""
    last_link: Ids = field(default_factory=_ids)
    """The last link of each bot about which there are complaints; -1 for none."""
    risk: Floats = field(default_factory=_floats)
    """What Intelligence says about each bot."""
    threat: Floats = field(default_factory=_floats)
    """The last threat score of each bot; it fades when the bot is no longer scored."""
    above: Ids = field(default_factory=_ids)
    """Ticks above the threshold."""
    alarmed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """There is an alarm of ours that stands."""
    quiet_until: Ids = field(default_factory=_ids)
    pardons: Pardons = field(default_factory=Pardons)
    dissent: Floats = field(default_factory=_floats)
    """Evidence that a bot wants something else than all others, in nats; 0 where there is little."""
    bloc: int = 0
    """So many bots of which that may be said."""
    middle: float = 0.0
    """The reputation of the member in the middle."""
    together: dict[int, list[int]] = field(default_factory=dict)
    """Who dissents together with whom."""
    twins: Floats = field(default_factory=_floats)
    """So many others vote in step with each bot ..."""
    twins_lift: Floats = field(default_factory=_floats)
    """... which is so many times what chance gives."""
    skills: Things = field(default_factory=Things)
    links: Things = field(default_factory=Things)
    alarms: int = 0
    """In all."""


def begin(members: int = 0) -> State:
    """It knows nothing yet; what there is of `members` and other things it learns when it first looks."""
    state = State()
    _extend(state, members)
    return state


def tick(state: State, view: View) -> None:
    """Looks, scores, and raises alarms."""
    _grow(state, view)
    _release(state, view)
    _listen(state, view)
    _watch(state, view)
    _learn(state, view)
    if view.tick < WARM_UP or state.peers.tick < 0:
        return
    _about(state, view, Subject.LINK)
    _about(state, view, Subject.SKILL)
    bots = candidates(state, view)
    if bots.size:
        scored = score(state, view, bots)
        _judge(state, view, scored)


def candidates(state: State, view: View) -> Ids:
    """Whom to score in this tick: who stands out in a rate, is under suspicion, or was scored high lately."""
    n = view.members
    chosen = state.above[:n] > 0
    for name in LOOKED_AT:
        chosen |= view.observed.rate(name)[:n] > state.peers.gates[ROWS.index(name)]
    for array, low in ((state.risk, 0.5), (state.bad_links, 0.5), (state.cohorts.beyond, 3.0), (state.dissent, 0.0)):
        chosen |= array[:n] > low
    chosen |= state.twins_lift[:n] > 3.0
    chosen &= state.quiet_until[:n] <= view.tick
    chosen &= view.gateway.read("quarantined")[:n] == 0
    bots = np.flatnonzero(chosen)
    if bots.size <= MOST_SCORED:
        return bots
    # Who is on the way to an alarm comes first; of the others each has its turn.
    under_way = bots[state.above[bots] > 0][:MOST_SCORED]
    rest = bots[state.above[bots] == 0]
    room = min(MOST_SCORED - under_way.size, rest.size)
    turn = rest[(view.tick * room + np.arange(room)) % rest.size] if room else rest[:0]
    return np.sort(np.concatenate([under_way, turn]))


def score(state: State, view: View, bots: Ids) -> Scored:
    """The threat of each of the bots, as it is now."""
    rates = _rates(state, view, bots)
    seen = _seen(state, view, bots, rates)
    matches = patterns.match(patterns.shipped_table(Subject.BOT), seen)
    best = matches.argmax(axis=0)
    match = matches[best, np.arange(bots.size)]
    robust = np.minimum(np.maximum((seen[list(STRANGE)].max(axis=0) - 3.5) / 6.5, 0.0), 1.0)
    risk = state.risk[bots]
    forest = np.zeros(bots.size)
    threat = combine(robust, forest, match, risk)
    # The forest is asked only where it can tip the scales: asking costs more than all the rest.
    close = np.flatnonzero((threat < THRESHOLD) & (threat >= 1.0 - (1.0 - THRESHOLD) / (1.0 - FOREST)))
    if close.size:
        close = close[np.argsort(-threat[close], kind="stable")[:MOST_ASKED]]
        forest[close] = detectors_forest.alone(state.forest, detectors.features(rates[:, close]))
        threat = combine(robust, forest, match, risk)
    parts = {"robust": robust, "forest": forest, "pattern": match, "intelligence": risk}
    return Scored(bots, threat, best, match, parts, seen)


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


def _listen(state: State, view: View) -> None:
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


def _watch(state: State, view: View) -> None:
    """Counts what the gateway's counts do not say, in the tables of the tick."""
    size = state.received.size
    state.received *= FADE
    state.bad_links *= FADE
    sends = view.gateway.of_tick("send")
    if sends:
        allowed = sends[0].answers.allowed if len(sends) == 1 else np.concatenate([a.answers.allowed for a in sends])
        sender, recipient, link = (_column(sends, name) for name in ("principal", "recipient", "link"))
        state.received += np.bincount(recipient, weights=allowed, minlength=size)[:size]
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
        columns = (_column(votes, name)[allowed] for name in ("principal", "proposal", "support"))
        detectors_votes.remember(state.votes, view.tick, *columns)
    state.cohorts.loud = view.observed.rate("messages") > state.peers.loud
    seen = view.observed
    # Complaints about skills are few, and skills are used for long: they are remembered for longer.
    detectors_things.hear(state.skills, seen.skill_uses, seen.skill_complaints, SLOW)
    detectors_things.hear(state.links, seen.link_senders, seen.link_complaints, FADE)
    detectors_shift.hear(state.shift, view.tick, view.observed.rate("complaints"))


def _learn(state: State, view: View) -> None:
    """What is looked at only now and then."""
    n = view.members
    if n == 0:
        return
    if view.tick % LOOK == 0:
        state.risk *= FORGET
        state.skills.risk *= FORGET
        state.links.risk *= FORGET
        state.threat *= FORGET
        some = _sample(view, "peers", SAMPLE, state.alarmed)
        state.peers = detectors.look(_rates(state, view, some), view.tick)
        state.votes.eager = view.observed.rate("votes") > state.peers.gates[ROWS.index("votes")]
        reputation = view.gateway.read("reputation")[:n]
        state.middle = float(detectors.median(reputation[:: max(1, n // 500)]))
    if view.tick % LOOK == LOOK // 2:
        bots, twins, lift = detectors_lockstep.alike(state.votes, view.tick, n)
        state.twins[:] = state.twins_lift[:] = 0.0
        state.twins[bots], state.twins_lift[bots] = twins, lift
    if view.tick % LOOK_TOGETHER == LOOK // 2:
        detectors_cohorts.look(state.cohorts, view.observed.joined[:n])
        bots, evidence = detectors_votes.dissenters(state.votes, n)
        state.dissent[:] = 0.0
        state.bloc = bots.size
        state.dissent[bots] = evidence
        bots = bots[state.quiet_until[bots] <= view.tick]
        if bots.size > detectors_votes.MOST:
            bots = np.sort(bots[np.argsort(-state.dissent[bots], kind="stable")[: detectors_votes.MOST]])
        state.together = detectors_votes.partners(state.votes, bots) if bots.size > 1 else {}
    if view.tick >= WARM_UP and view.tick % REFIT == 3 * WARM_UP:
        some = _sample(view, "forest", FOREST_SAMPLE, state.alarmed)
        seed = int(view.draw("seed").below(np.zeros(1, dtype=np.int64), 1 << 31)[0])
        detectors_forest.train(state.forest, detectors.features(_rates(state, view, some)), seed)


def _release(state: State, view: View) -> None:
    """An alarm that a human took back is over; its bot starts afresh, and is left alone for a while."""
    mine = np.flatnonzero(state.alarmed)
    if not mine.size:
        return
    over = mine[~view.gateway.read("alarm.has")[mine]]
    late = mine[(state.quiet_until[mine] <= view.tick) & (view.gateway.read("quarantined")[mine] == 0)]
    if over.size or view.tick % LOOK == 0:
        state.quiet_until[over] = view.tick + GRACE
        for array in (state.risk, state.bad_links, state.threat, state.twins, state.twins_lift):
            array[over] = 0.0
        detectors_votes.forgive(state.votes, over)
        state.pardons = detectors_pardons.pardon(state.pardons, view.tick, over, _observed(state, view, over))
    state.alarmed[over] = False
    state.alarmed[late] = False


def _sample(view: View, stream: str, size: int, without: NDArray[np.bool_]) -> Ids:
    """Members, but for those about whom there is an alarm; all if they are few."""
    n = view.members
    chosen = np.arange(n) if n <= size else view.draw(stream).below(np.arange(size), n)
    left = chosen[~without[chosen]]
    return left if left.size else chosen


def _rates(state: State, view: View, bots: Ids) -> Floats:
    """A row for each of `ROWS`, a column for each of the bots, without what was forgiven."""
    found = _observed(state, view, bots)
    detectors_pardons.take_off(state.pardons, view.tick, bots, found)
    # Sums of faded counts are never below zero, but for what was taken off.
    np.maximum(found, 0.0, out=found)
    return found


def _observed(state: State, view: View, bots: Ids) -> Floats:
    found = np.empty((len(ROWS), bots.size))
    found[: len(RATES)] = view.observed.bots.take(bots, axis=1)
    found[-1] = state.received[bots]
    return found


def _seen(state: State, view: View, bots: Ids, rates: Floats) -> Floats:
    """What patterns may look at: a row for each of `patterns.SEEN`, a column for each of the bots."""
    circles = detectors_cohorts.inside(state.cohorts, bots, rates[ROWS.index("messages")], view.members)
    inside, inside_lift, circle, circle_lift = circles
    together = state.together
    partners = [float(len(together.get(b, ()))) for b in bots.tolist()] if together else np.zeros(bots.size)
    rows = (
        *(state.bad_links[bots], state.cohorts.beyond[bots], inside, inside_lift, circle, circle_lift),
        *(state.dissent[bots], np.full(bots.size, float(state.bloc)), partners),
        *(state.twins[bots], state.twins_lift[bots]),
        detectors_shift.evidence(state.shift, view.tick, bots),
        view.gateway.read("reputation")[bots] >= state.middle,
        view.tick - view.observed.joined[bots],
    )
    beyond, excess = detectors.beyond_peers(state.peers, rates), detectors.beyond_share(state.peers, rates)
    return np.concatenate([rates, beyond, excess, detectors.shares(rates), np.array(rows, dtype=np.float64)])


def _column(asked: list[Asked], name: str) -> NDArray[Any]:
    if len(asked) == 1:
        return asked[0].column(name)
    return np.concatenate([a.column(name) for a in asked])


def _grow(state: State, view: View) -> None:
    """There may be more bots, skills and links than there were."""
    _extend(state, view.observed.bots.shape[1])
    detectors_things.grow(state.skills, view.observed.skill_uses.size)
    detectors_things.grow(state.links, view.observed.link_senders.size)


def _extend(state: State, bots: int) -> None:
    more = bots - state.received.size
    if more <= 0:
        return
    state.last_link = np.concatenate([state.last_link, np.full(more, -1)])
    for name in (
        "received",
        "bad_links",
        "risk",
        "threat",
        "above",
        "alarmed",
        "quiet_until",
        "dissent",
        "twins",
        "twins_lift",
    ):
        array = getattr(state, name)
        setattr(state, name, np.concatenate([array, np.zeros(more, dtype=array.dtype)]))
    detectors_shift.grow(state.shift, bots)
    detectors_votes.grow(state.votes, bots)
    detectors_cohorts.grow(state.cohorts, bots)
