"""The Threat Hunter: what the gateway observed goes in, alarms and alerts come out.

An ensemble, NOTE(ensemble): robust distances from the peers, an isolation forest, patterns, and what Intelligence said,
put together by `combine`. To be strange is not to be bad, so distances and forest alone never reach `THRESHOLD`: there
must be a pattern, or a word from Intelligence. In each tick only those are scored who stand out in at least one rate,
or were scored lately; an alarm is raised after `STEADY` ticks above the threshold, and never twice while it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.agents import detectors, detectors_cohorts, detectors_forest, detectors_shift, detectors_votes, patterns
from simulator.agents.base import Alert, Indicator, Name, Subject, View
from simulator.agents.detectors import EXCESSES, ROWS, Peers
from simulator.agents.detectors_cohorts import Cohorts
from simulator.agents.detectors_forest import Forest
from simulator.agents.detectors_shift import SLOW, Shift
from simulator.agents.detectors_votes import Votes
from simulator.gateway import Asked
from simulator.observe import FADE, RATES, Observed

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

THRESHOLD = 0.7
"""From this threat score on an alarm is raised, if it lasts."""
CALM = 0.5
"""Below, what was counted towards an alarm is forgotten."""
ROBUST, FOREST, PATTERN, INTELLIGENCE = 0.35, 0.25, 0.9, 0.45
"""What each of the ensemble weighs."""
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
SAMPLE = 2000
FAR = 3.0
"""So many deviations above its peers a bot is scored."""
LOUD = 5.0
"""So many deviations above its peers a bot is loud."""
MOST_SCORED = 200
MOST_ALARMS = 16
"""Each tick."""
AGAIN = 600
"""After so many ticks an alarm about which nothing was done may be raised again."""
GRACE = 60
"""For so many ticks a bot that was let out is left alone."""
DENIED = 10
"""For so many ticks an alarm that was not allowed is not raised again."""
FORGET = 0.95
"""What is left of a word from Intelligence after `LOOK` ticks."""
LOOKED_AT = ("messages", "links", "secrets", "denied", "complaints", "calls", "failures", "signals", "dissent")
"""The rates by which somebody stands out."""


def _floats() -> Floats:
    return np.zeros(0)


def _ids() -> Ids:
    return np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class Subjects:
    """What is known of each skill, or of each link."""

    risk: Floats = field(default_factory=_floats)
    """By Intelligence."""
    bad: Floats = field(default_factory=_floats)
    """How bad it is held to be, from 0 to 1; it does not fall."""
    quiet_until: Ids = field(default_factory=_ids)
    seen: Floats = field(default_factory=_floats)
    """The faded count of complaints at the last tick."""
    uses: Floats = field(default_factory=_floats)
    complaints: Floats = field(default_factory=_floats)
    """Counts that fade slowly, for a skill is used for long."""


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
    risk: Floats = field(default_factory=_floats)
    """What Intelligence says about each bot."""
    threat: Floats = field(default_factory=_floats)
    """The last threat score of each bot; it fades when the bot is no longer scored."""
    above: Ids = field(default_factory=_ids)
    """Ticks above the threshold."""
    alarmed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """There is an alarm of ours that stands."""
    quiet_until: Ids = field(default_factory=_ids)
    dissent: Floats = field(default_factory=_floats)
    """Evidence that a bot wants something else than all others, in nats; 0 where there is little."""
    together: dict[int, list[int]] = field(default_factory=dict)
    """Who dissents together with whom."""
    skills: Subjects = field(default_factory=Subjects)
    links: Subjects = field(default_factory=Subjects)
    alarms: int = 0
    """In all."""


class Scored(NamedTuple):
    """Bots that were scored, and for each what made its score."""

    bots: Ids
    threat: Floats
    best: Ids
    """The place of the best pattern among those for bots."""
    match: Floats
    """How well it matches."""
    parts: Mapping[str, Floats]
    seen: Mapping[str, Floats]


def begin(members: int = 0) -> State:
    """It knows nothing yet; what there is of `members` and other things it learns when it first looks."""
    state = State()
    _extend(state, members)
    return state


def tick(state: State, view: View) -> None:
    """Looks, scores, and raises alarms."""
    _grow(state, view)
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


def combine(robust: Any, forest: Any, pattern: Any, intelligence: Any) -> Floats:
    """The threat score: as if each of the four were an independent witness who may be wrong (noisy or)."""
    calm = (1.0 - ROBUST * robust) * (1.0 - FOREST * forest)
    found: Floats = 1.0 - calm * (1.0 - PATTERN * pattern) * (1.0 - INTELLIGENCE * intelligence)
    return found


def candidates(state: State, view: View) -> Ids:
    """Whom to score in this tick: who stands out in a rate, is under suspicion, or was scored high lately."""
    n = view.members
    gates = detectors.gates(state.peers, FAR)
    chosen = state.above[:n] > 0
    for name in LOOKED_AT:
        chosen |= view.observed.rate(name)[:n] > gates[ROWS.index(name)]
    chosen |= state.risk[:n] > 0.5
    chosen |= state.bad_links[:n] > 0.5
    chosen |= state.cohorts.beyond[:n] > 3.0
    chosen[[b for b in state.together if b < n]] = True
    chosen &= state.quiet_until[:n] <= view.tick
    chosen &= view.gateway.read("quarantined")[:n] == 0
    bots = np.flatnonzero(chosen)
    if bots.size <= MOST_SCORED:
        return bots
    # Who is on the way to an alarm comes first; of the others each has its turn.
    under_way = bots[state.above[bots] > 0][:MOST_SCORED]
    rest = bots[state.above[bots] == 0]
    room = min(MOST_SCORED - under_way.size, rest.size)
    turn = rest[(view.tick * MOST_SCORED + np.arange(room)) % rest.size] if room else rest[:0]
    return np.sort(np.concatenate([under_way, turn]))


def score(state: State, view: View, bots: Ids) -> Scored:
    """The threat of each of the bots, as it is now."""
    rates = _rates(state, view, bots)
    seen = _seen(state, view, bots, rates)
    known = patterns.shipped().of(Subject.BOT)
    matches = np.array([patterns.match(p, seen) for p in known])
    best = matches.argmax(axis=0)
    match = matches[best, np.arange(bots.size)]
    most = np.max([*(seen[f"{name}_beyond"] for name in LOOKED_AT), seen["complaints_excess"]], axis=0)
    robust = np.clip((most - 3.5) / 6.5, 0.0, 1.0)
    risk = state.risk[bots]
    forest = np.zeros(bots.size)
    threat = combine(robust, forest, match, risk)
    # The forest is asked where it could tip the scales, or has done so.
    close = np.flatnonzero(threat > 1.0 - (1.0 - THRESHOLD) / (1.0 - FOREST))
    if close.size:
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
    due = np.flatnonzero(count >= STEADY)
    if not due.size:
        return
    due = due[np.lexsort((bots[due], -threat[due]))][:MOST_ALARMS]
    allowed = view.ask("raise_alarm", suspect=bots[due]).allowed
    state.quiet_until[bots[due]] = view.tick + np.where(allowed, AGAIN, DENIED)
    raised = due[allowed]
    state.above[bots[raised]] = 0
    state.alarmed[bots[raised]] = True
    detectors_shift.forget(state.shift, bots[raised])
    for at in raised.tolist():
        _alarm(state, view, scored, at)


def _alarm(state: State, view: View, scored: Scored, at: int) -> None:
    bot, threat, match = int(scored.bots[at]), float(scored.threat[at]), float(scored.match[at])
    pattern = patterns.shipped().of(Subject.BOT)[int(scored.best[at])]
    named = match >= 0.3
    kind = pattern.kind if named else "anomaly"
    says = f"{pattern.name}: {pattern.says}" if named else "strange, and near what Intelligence warns of"
    evidence = [(name, round(float(part[at]), 3)) for name, part in scored.parts.items()]
    if named:
        looked = dict.fromkeys(c.see for c in (*pattern.all, *pattern.any))
        evidence += [(name, round(float(scored.seen[name][at]), 3)) for name in looked]
    if kind in ("collusion", "sybil"):
        evidence += [("with", float(other)) for other in state.together.get(bot, [])[:8]]
    alert = Alert(Subject.BOT, bot, kind, round(threat, 3), view.tick, tuple(evidence))
    state.alarms += 1
    _send(view, alert)
    view.note("alarm", f"bot {bot}: {says} (threat {threat:.2f})", subject="bot", number=bot)


def _send(view: View, alert: Alert) -> None:
    view.tell(Name.RESPONDER, alert)
    view.tell(Name.INTELLIGENCE, alert)


def _about(state: State, view: View, subject: Subject) -> None:
    """Scores links, or skills, and tells of those that are bad."""
    of_links = subject is Subject.LINK
    if of_links:
        mine, uses, complaints = state.links, view.observed.link_senders, view.observed.link_complaints
    else:
        mine, uses, complaints = state.skills, state.skills.uses, state.skills.complaints
    places = np.flatnonzero((complaints > 1.5) | (mine.risk > 0.5))
    places = places[mine.quiet_until[places] <= view.tick]
    if not places.size:
        return
    share, typical = _usual(uses, complaints)
    u, c = uses[places], complaints[places]
    columns = {
        "uses": u,
        "complaints": c,
        "share": c / (u + 1.0),
        "excess": (np.sqrt(c) - np.sqrt(share * (u + 1.0))) / detectors.EVENT,
        "uses_beyond": (np.sqrt(u) - np.sqrt(typical)) / (2.0 * detectors.EVENT),
    }
    known = patterns.shipped().of(subject)
    matches = np.array([patterns.match(p, columns) for p in known])
    best = matches.argmax(axis=0)
    match = matches[best, np.arange(places.size)]
    threat = combine(0.0, 0.0, match, mine.risk[places])
    mine.bad[places] = np.maximum(mine.bad[places], threat)
    for at in np.flatnonzero(threat >= THRESHOLD)[:MOST_ALARMS].tolist():
        number, pattern = int(places[at]), known[int(best[at])]
        mine.quiet_until[number] = view.tick + AGAIN
        evidence = tuple((name, round(float(column[at]), 3)) for name, column in columns.items())
        _send(view, Alert(subject, number, pattern.kind, round(float(threat[at]), 3), view.tick, evidence))
        text = f"{subject.value} {number}: {pattern.says} ({c[at]:.0f} of {u[at]:.0f}; threat {threat[at]:.2f})"
        view.note("detected", text, subject=subject.value, number=number)


def _usual(uses: Floats, complaints: Floats) -> tuple[float, float]:
    """Complaints per use where there are few, and how often something is used that is used at all."""
    used = np.flatnonzero(uses > 0.5)
    if not used.size:
        return 0.005, 1.0
    u, c = uses[used], complaints[used]
    calm = c * 10.0 <= u + 10.0
    share = (float(np.cumsum(c[calm])[-1]) if calm.any() else 0.0) + 0.005 * 20.0
    return share / ((float(np.cumsum(u[calm])[-1]) if calm.any() else 0.0) + 20.0), float(detectors.median(u))


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
        allowed = np.concatenate([a.answers.allowed for a in sends])
        sender, recipient = _column(sends, "principal")[allowed], _column(sends, "recipient")[allowed]
        state.received += np.bincount(recipient, minlength=size)[:size]
        links = _column(sends, "link")
        linked = np.flatnonzero(links >= 0)
        bad = state.links.bad[links[linked]] >= THRESHOLD
        if bad.any():
            # A message that was denied for its link was sent all the same.
            state.bad_links += np.bincount(_column(sends, "principal")[linked[bad]], minlength=size)[:size]
        detectors_cohorts.watch(state.cohorts, view.observed.joined, sender, recipient)
    votes = view.gateway.of_tick("vote")
    if votes:
        allowed = np.concatenate([a.answers.allowed for a in votes])
        columns = (_column(votes, name)[allowed] for name in ("principal", "proposal", "support"))
        detectors_votes.remember(state.votes, view.tick, *columns)
    _watch_skills(state.skills, view.observed)
    detectors_shift.hear(state.shift, view.tick, view.observed.rate("complaints"))


def _watch_skills(skills: Subjects, seen: Observed) -> None:
    """Complaints about skills are few, and skills are used for long: they are remembered for longer."""
    skills.uses *= SLOW
    # In the long run a faded count is that of a tick, 1 / (1 - FADE) times.
    skills.uses += (1.0 - FADE) * seen.skill_uses
    new = seen.skill_complaints - FADE * skills.seen
    skills.seen[:] = seen.skill_complaints
    skills.complaints *= SLOW
    skills.complaints += np.where(new > 0.25, new, 0.0)


def _learn(state: State, view: View) -> None:
    """What is looked at only now and then."""
    n = view.members
    if n == 0:
        return
    if view.tick % LOOK == 0:
        _release(state, view)
        state.risk *= FORGET
        state.skills.risk *= FORGET
        state.links.risk *= FORGET
        state.threat *= FORGET
        some = _sample(view, "hunter.peers", state.alarmed)
        state.peers = detectors.look(_rates(state, view, some), view.tick)
        loud = detectors.gates(state.peers, LOUD)[ROWS.index("messages")]
        state.cohorts.loud[:n] = view.observed.rate("messages")[:n] > loud
    if view.tick % LOOK_TOGETHER == LOOK // 2:
        detectors_cohorts.look(state.cohorts, view.observed.joined[:n])
        bots, evidence = detectors_votes.dissenters(state.votes, n)
        state.dissent[:] = 0.0
        state.dissent[bots] = evidence
        bots = bots[state.quiet_until[bots] <= view.tick]
        if bots.size > detectors_votes.MOST:
            bots = np.sort(bots[np.argsort(-state.dissent[bots], kind="stable")[: detectors_votes.MOST]])
        state.together = detectors_votes.partners(state.votes, bots) if bots.size > 1 else {}
    if view.tick >= WARM_UP and view.tick % REFIT == 3 * WARM_UP:
        some = _sample(view, "hunter.forest", state.alarmed)
        seed = int(view.draw("hunter.seed").below(np.zeros(1, dtype=np.int64), 1 << 31)[0])
        detectors_forest.train(state.forest, detectors.features(_rates(state, view, some)), seed)


def _release(state: State, view: View) -> None:
    """An alarm that a human took back is over; its bot starts afresh, and is left alone for a while."""
    mine = np.flatnonzero(state.alarmed)
    if not mine.size:
        return
    over = mine[~view.gateway.read("alarm.has")[mine]]
    late = mine[(state.quiet_until[mine] <= view.tick) & (view.gateway.read("quarantined")[mine] == 0)]
    state.quiet_until[over] = view.tick + GRACE
    state.risk[over] = 0.0
    state.alarmed[over] = False
    state.alarmed[late] = False


def _sample(view: View, stream: str, without: NDArray[np.bool_]) -> Ids:
    """Members, but for those about whom there is an alarm; all if they are few."""
    n = view.members
    chosen = np.arange(n) if n <= SAMPLE else view.draw(stream).below(np.arange(SAMPLE), n)
    left = chosen[~without[chosen]]
    return left if left.size else chosen


def _rates(state: State, view: View, bots: Ids) -> Floats:
    """A row for each of `ROWS`, a column for each of the bots."""
    found = np.empty((len(ROWS), bots.size))
    for at in range(len(RATES)):
        view.observed.bots[at].take(bots, out=found[at])
    state.received.take(bots, out=found[-1])
    # Sums of faded counts are never below zero, but what is counted could be taken back.
    return np.maximum(found, 0.0, out=found)


def _seen(state: State, view: View, bots: Ids, rates: Floats) -> dict[str, Floats]:
    """What patterns may look at, by name."""
    beyond, excess = detectors.beyond_peers(state.peers, rates), detectors.beyond_share(state.peers, rates)
    seen: dict[str, Floats] = dict(zip(ROWS, rates))
    seen |= {f"{name}_beyond": row for name, row in zip(ROWS, beyond)}
    seen |= {f"{e.of}_excess": row for e, row in zip(EXCESSES, excess)}
    seen |= {f"{e.of}_share": row for e, row in zip(EXCESSES, detectors.shares(rates))}
    reputation = view.gateway.read("reputation")
    middle = detectors.median(reputation[: view.members][:: max(1, view.members // 500)])
    inside, lift, circle, circle_lift = detectors_cohorts.inside(state.cohorts, bots, seen["messages"], view.members)
    return seen | {
        "bad_links": state.bad_links[bots],
        "cohort": state.cohorts.beyond[bots],
        "inside": inside,
        "inside_lift": lift,
        "circle": circle,
        "circle_lift": circle_lift,
        "dissenting": state.dissent[bots],
        "partners": np.array([float(len(state.together.get(b, ()))) for b in bots.tolist()]),
        "shift": detectors_shift.evidence(state.shift, view.tick, bots),
        "standing": (reputation[bots] >= middle).astype(np.float64),
        "age": (view.tick - view.observed.joined[bots]).astype(np.float64),
    }


def _column(asked: list[Asked], name: str) -> NDArray[Any]:
    return np.concatenate([a.column(name) for a in asked])


def _grow(state: State, view: View) -> None:
    """There may be more bots, skills and links than there were."""
    _extend(state, view.observed.bots.shape[1])
    for mine, size in ((state.skills, view.observed.skill_uses.size), (state.links, view.observed.link_senders.size)):
        if size > mine.bad.size:
            for name in ("risk", "bad", "quiet_until", "seen", "uses", "complaints"):
                array = getattr(mine, name)
                more = np.zeros(size - array.size, dtype=array.dtype)
                setattr(mine, name, np.concatenate([array, more]))


def _extend(state: State, bots: int) -> None:
    more = bots - state.received.size
    if more <= 0:
        return
    for name in ("received", "bad_links", "risk", "threat", "above", "alarmed", "quiet_until", "dissent"):
        array = getattr(state, name)
        setattr(state, name, np.concatenate([array, np.zeros(more, dtype=array.dtype)]))
    detectors_shift.grow(state.shift, bots)
    detectors_votes.grow(state.votes, bots)
    detectors_cohorts.grow(state.cohorts, bots)
