"""Intelligence: alerts of earlier ticks and the tables of this one go in, campaigns, risks and a forecast come out.

It ties suspects together on a graph (`intelligence_graph.py`); what hangs together is a campaign, of which it names the
pattern and follows the spread. Who is near known attackers gets a risk, of which the Threat Hunter hears. It forecasts
the number of incidents (`forecast.py`) and tells the Policy Enforcer which threat level that calls for. It asks nothing
of the gateway: it has no powers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from simulator.agents import intelligence_graph as graphs
from simulator.agents.base import Alert, Indicator, Name, Request, Subject, View
from simulator.agents.forecast import Forecast, forecast
from simulator.agents.intelligence_graph import Node, Sort, Tie, Ties
from simulator.agents.patterns import KINDS
from simulator.gateway import Asked

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]

PERIOD = 20
"""Ticks of which incidents are counted together, and after which everything is looked at anew."""
PERIODS = 60
"""So many counts are remembered."""
MEMORY = 400
"""For so many ticks a suspect is kept in the graph."""
MOST_CASES = 400
FEWEST = 3
"""So many bots make a campaign."""
FADES, REACH = 0.6, 2
"""One tie from a suspect the risk is 0.6 of his, two ties away 0.36; beyond it is nothing."""
WORTH = 0.3
"""Risks from here on are told to the Threat Hunter."""
NEWS = 0.1
"""By so much a risk must have risen to be told again."""
MOST_TOLD = 64
"""Each period."""
LEVELS = ((1.0, 1.0), (5.0, 3.0), (20.0, 8.0))
"""For each threat level from 1: so many incidents in a period for each 1,000 members, and so many at least."""
CALM = 3
"""So many calmer periods before a lower level is recommended."""
SPEAKS = 10
"""Periods between two forecasts that people are told of, while there are incidents."""
SPREADERS = ("phishing", "spam", "exfiltration", "anomaly")
"""The kinds of attack of which links are told."""
OVER = 60
"""A campaign that has nobody outside quarantine, and nobody new for so many ticks, is over."""
CODES = {Subject.BOT: Sort.BOT, Subject.SKILL: Sort.SKILL, Subject.LINK: Sort.LINK}
SUBJECTS = {code: subject for subject, code in CODES.items()}
TITLES = {
    "phishing": "phishing",
    "spam": "spam",
    "exfiltration": "theft of secrets",
    "sybil": "a ring of Sybils",
    "collusion": "votes by agreement",
    "byzantine": "Byzantine bots",
    "vulnerable_skill": "a skill that does harm",
    "anomaly": "an attack without a name",
}


@dataclass(frozen=True, slots=True)
class Case:
    """An alert that was heard."""

    sort: int
    number: int
    kind: str
    score: float
    tick: int


@dataclass(slots=True)
class Campaign:
    number: int
    kind: str
    """The kind of attack of most of its bots."""
    bots: list[int]
    links: list[int]
    skills: list[int]
    first: int
    """The tick of its first alert."""
    last: int
    tied: bool
    """Whether its bots have to do with each other; otherwise they only do the same at the same time."""
    told: int = 0
    """How many bots it had when people were told."""
    over: bool = False


@dataclass(slots=True)
class State:
    cases: list[Case] = field(default_factory=list)
    ties: Ties = field(default_factory=Ties)
    known: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Bots that are suspects."""
    spreads: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Of them, those whose links are of interest."""
    bad_links: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    bad_skills: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    campaigns: list[Campaign] = field(default_factory=list)
    named: int = 0
    """Campaigns so far."""
    told: dict[Node, float] = field(default_factory=dict)
    """What the Threat Hunter was told."""
    counts: list[float] = field(default_factory=list)
    """Incidents in each period."""
    current: float = 0.0
    """Incidents in this period so far."""
    expected: tuple[float, float, float] | None = None
    """What was forecast for this period: mean, low, high."""
    forecasts: int = 0
    held: int = 0
    """How many forecasts there were, and how many came true."""
    level: int = 0
    """The threat level that it recommends."""
    calm: int = 0
    spoke: int = 0


def begin(members: int = 0) -> State:
    """It knows nothing yet; what there is of `members` and other things it learns when it first looks."""
    state = State()
    state.known, state.spreads = np.zeros(members, dtype=np.bool_), np.zeros(members, dtype=np.bool_)
    return state


def tick(state: State, view: View) -> None:
    """Listens, watches, and once in a period draws conclusions."""
    _grow(state, view)
    for alert in view.take(Alert):
        _hear(state, view, alert)
    if state.cases:
        _watch(state, view)
    if view.tick and view.tick % PERIOD == 0:
        _conclude(state, view)


def graph(state: State) -> nx.Graph:
    """The suspects and what they have to do with each other, as they are known now."""
    suspects: dict[Node, float] = {}
    for case in state.cases:
        node = (case.sort, case.number)
        suspects[node] = max(suspects.get(node, 0.0), case.score)
    return graphs.graph(state.ties, suspects)


def _hear(state: State, view: View, alert: Alert) -> None:
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


def _watch(state: State, view: View) -> None:
    """Who sends what to whom, as far as suspects are concerned; messages that were denied were sent all the same."""
    sends = view.gateway.of_tick("send")
    if not sends:
        return
    sender, recipient = _column(sends, "principal"), _column(sends, "recipient")
    link = _column(sends, "link")
    linked = np.flatnonzero(link >= 0)
    of_interest = state.bad_links[link[linked]] | state.spreads[sender[linked]]
    linked = linked[of_interest]
    graphs.tie(state.ties, Tie.SENT, sender[linked], link[linked])
    both = np.flatnonzero(state.known[sender])
    both = both[state.known[recipient[both]]]
    graphs.tie(state.ties, Tie.WROTE, sender[both], recipient[both])
    if state.bad_skills.any():
        skill = _column(sends, "skill")
        bad = np.flatnonzero(state.bad_skills[np.maximum(skill, 0)] & (skill >= 0))
        graphs.tie(state.ties, Tie.WITH_SKILL, sender[bad], skill[bad])


def _conclude(state: State, view: View) -> None:
    """A period is over."""
    _forget(state, view)
    graphs.settle(state.ties)
    if state.cases:
        found = graph(state)
        _campaigns(state, view, found)
        _warn(state, view, found)
    _predict(state, view)


def _forget(state: State, view: View) -> None:
    kept = [c for c in state.cases if view.tick - c.tick <= MEMORY][-MOST_CASES:]
    if len(kept) == len(state.cases):
        return
    state.cases = kept
    left = np.array([c.number for c in kept if c.sort == Sort.BOT], dtype=np.int64)
    for mask in (state.known, state.spreads):
        still = np.zeros_like(mask)
        still[left] = mask[left]
        mask[:] = still


def _campaigns(state: State, view: View, found: nx.Graph) -> None:
    """Names what hangs together, and recognises what it has named before."""
    inside = view.gateway.read("quarantined")
    cases = {(c.sort, c.number): c for c in state.cases}
    parts = _parts(found, cases)
    claimed: dict[int, Campaign] = {}
    for part, tied in parts:
        mine = [cases[n] for n in part if n in cases]
        campaign = _recognised(state, part, mine, tied, claimed)
        claimed[campaign.number] = campaign
        _tell_people(view, campaign, found, part, mine)
    for campaign in state.campaigns:
        gone = campaign.bots and bool(inside[campaign.bots].all()) and view.tick - campaign.last > OVER
        if gone and not campaign.over:
            campaign.over = True
            text = f"campaign {campaign.number} is over: all its {len(campaign.bots)} bots are in quarantine"
            view.note("detected", text, subject="campaign", number=campaign.number)
    _merge(state, view, claimed)


def _parts(found: nx.Graph, cases: dict[Node, Case]) -> list[tuple[list[Node], bool]]:
    """What hangs together by links or skills, and of all others what does the same at the same time; and of each
    whether its bots were seen to have to do with each other."""
    parts: list[tuple[list[Node], bool]] = []
    alike: dict[str, list[Node]] = {}
    closer: set[str] = set()
    taken: set[Node] = set()
    for part in graphs.clusters(found, FEWEST):
        taken.update(part)
        if any(sort != Sort.BOT for sort, _ in part):
            parts.append((part, True))
        else:
            kind = _kind([cases[n] for n in part])
            alike.setdefault(kind, []).extend(part)
            closer.add(kind)
    for node, case in sorted(cases.items()):
        if node[0] == Sort.BOT and node not in taken:
            alike.setdefault(case.kind, []).append(node)
    parts += [(sorted(alike[k]), k in closer) for k in KINDS if len(alike.get(k, ())) >= FEWEST]
    return parts


def _kind(cases: list[Case]) -> str:
    """What most bots do."""
    kinds = Counter(c.kind for c in cases if c.sort == Sort.BOT)
    return max(kinds, key=lambda k: (kinds[k], -KINDS.index(k)))


def _merge(state: State, view: View, claimed: dict[int, Campaign]) -> None:
    """What turns out to be part of another campaign is no campaign of its own."""
    for campaign in [c for c in state.campaigns if c.number not in claimed]:
        for other in claimed.values():
            if set(campaign.bots) <= set(other.bots):
                state.campaigns.remove(campaign)
                text = f"campaign {campaign.number} is part of campaign {other.number}"
                view.note("detected", text, subject="campaign", number=campaign.number)
                break


def _recognised(
    state: State, part: list[Node], cases: list[Case], tied: bool, claimed: dict[int, Campaign]
) -> Campaign:
    """The campaign with most bots of this part, brought up to date; or a new one."""
    bots = graphs.bots_of(part)
    kind = _kind(cases)
    first = min(c.tick for c in cases)
    links = {number for sort, number in part if sort == Sort.LINK}
    best, most = None, 0
    for campaign in state.campaigns:
        if campaign.number in claimed:
            continue
        shared = len(set(bots) & set(campaign.bots)) + len(links & set(campaign.links))
        if not shared and campaign.kind == kind and not campaign.links and first - campaign.last <= OVER:
            # Nothing but its kind tells it from others, and that goes on.
            shared = not links
        if shared > most:
            best, most = campaign, shared
    if best is None:
        state.named += 1
        best = Campaign(state.named, kind, [], [], [], first, 0, tied)
        state.campaigns.append(best)
    best.kind, best.tied = kind, tied
    best.bots = sorted(set(best.bots) | set(bots))
    best.links = sorted(set(best.links) | links)
    best.skills = sorted(set(best.skills) | {n for s, n in part if s == Sort.SKILL})
    best.first = min(best.first, first)
    last = max(c.tick for c in cases)
    best.over &= last <= best.last
    best.last = max(best.last, last)
    return best


def _tell_people(view: View, campaign: Campaign, found: nx.Graph, part: list[Node], cases: list[Case]) -> None:
    size = len(campaign.bots)
    new = sum(c.sort == Sort.BOT and view.tick - c.tick <= PERIOD for c in cases)
    if campaign.told and (size * 2 < campaign.told * 3 or not new):
        return
    what = TITLES[campaign.kind]
    how = _how(found, part) if campaign.tied else "they do the same at the same time"
    verb = "has grown to" if campaign.told else "is"
    spread = f"first seen at tick {campaign.first}, {new} new in the last {PERIOD} ticks"
    text = f"campaign {campaign.number} {verb} {size} bots: {what}; {how}; {spread}"
    campaign.told = size
    view.note("detected", text, subject="campaign", number=campaign.number)


def _how(found: nx.Graph, part: list[Node]) -> str:
    """What holds a campaign together, in words."""
    inner = found.subgraph([*part, *(m for n in part for m in found[n])])
    ties = Counter(data["tie"] for _, _, data in inner.edges(data=True))
    links = sorted(n for s, n in inner.nodes if s == Sort.LINK)
    skills = sorted(n for s, n in inner.nodes if s == Sort.SKILL)
    words = []
    if links:
        words.append(f"they send {_listed('link', links)}")
    if skills:
        words.append(f"they use {_listed('skill', skills)}")
    if ties["wrote to"]:
        words.append("they write to each other")
    if ties["voted with"]:
        words.append("they vote as one")
    if ties["joined with"]:
        words.append("they joined at the same time")
    return ", ".join(words)


def _listed(noun: str, numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"{noun} {numbers[0]}"
    if len(numbers) <= 3:
        return f"{noun}s {', '.join(map(str, numbers))}"
    return f"{len(numbers)} {noun}s"


def _warn(state: State, view: View, found: nx.Graph) -> None:
    """Tells the Threat Hunter who is near suspects."""
    members, links = view.members, view.observed.link_senders
    news = []
    for node, risk in graphs.risks(found, FADES, REACH).items():
        sort, number = node
        if risk < WORTH or risk < state.told.get(node, 0.0) + NEWS:
            continue
        if sort == Sort.BOT and number >= members:
            continue
        if sort == Sort.LINK and not _beyond_chance(found, node, float(links[number])):
            continue
        news.append((-risk, node))
    for worst, node in sorted(news)[:MOST_TOLD]:
        state.told[node] = -worst
        view.tell(Name.HUNTER, Indicator(SUBJECTS[Sort(node[0])], node[1], round(-worst, 3)))


def _beyond_chance(found: nx.Graph, link: Node, sent: float) -> bool:
    """Whether a link belongs to suspects: most of its messages come from them, and not from one alone."""
    times = [data["times"] for _, near, data in found.edges(link, data=True) if found.nodes[near]["suspect"] > 0]
    return len(times) > 1 and 2.0 * sum(times) >= sent


def _predict(state: State, view: View) -> None:
    """Compares the forecast with what came, makes the next one, and recommends a threat level."""
    state.counts = [*state.counts, state.current][-PERIODS:]
    if state.expected is not None:
        state.forecasts += 1
        state.held += state.expected[1] <= state.current <= state.expected[2]
    state.current = 0.0
    coming = forecast(state.counts)
    state.expected = (coming.mean, coming.low, coming.high)
    wanted = _level(coming.mean, view.members)
    state.calm = state.calm + 1 if wanted < state.level else 0
    before = state.level
    if wanted > state.level:
        state.level = wanted
    elif state.calm >= CALM:
        state.level, state.calm = state.level - 1, 0
    _recommend(state, view, coming, before)


def _level(expected: float, members: int) -> int:
    """The threat level that so many incidents in a period call for."""
    each = expected * 1000.0 / max(members, 1)
    return sum(each >= share and expected >= least for share, least in LEVELS)


def _recommend(state: State, view: View, coming: Forecast, before: int) -> None:
    period = view.tick // PERIOD
    noun = "incident" if round(coming.mean) == 1 else "incidents"
    text = (
        f"expects {coming.mean:.0f} {noun} in the next {PERIOD} ticks, between {coming.low:.0f} and {coming.high:.0f} "
        f"with a probability of 90 %"
    )
    if state.level < before:
        view.tell(Name.ENFORCER, Request("relax", level=state.level, why=text))
    elif state.level:
        # Said again in each period: the Policy Enforcer forgets what nobody repeats.
        view.tell(Name.ENFORCER, Request("tighten", level=state.level, why=text))
    if state.level != before:
        view.note("forecast", f"{text}; recommends threat level {state.level}, until now {before}", number=state.level)
        state.spoke = period
    elif coming.mean >= 0.5 and period - state.spoke >= SPEAKS:
        state.spoke = period
        view.note("forecast", f"{text}; {state.held} of {state.forecasts} forecasts held", number=state.level)


def _column(asked: list[Asked], name: str) -> NDArray[Any]:
    return np.concatenate([a.column(name) for a in asked])


def _grow(state: State, view: View) -> None:
    """There may be more bots, skills and links than there were."""
    seen = view.observed
    sizes = {
        "known": seen.bots.shape[1],
        "spreads": seen.bots.shape[1],
        "bad_links": seen.link_senders.size,
        "bad_skills": seen.skill_uses.size,
    }
    for name, size in sizes.items():
        array = getattr(state, name)
        if size > array.size:
            setattr(state, name, np.concatenate([array, np.zeros(size - array.size, dtype=np.bool_)]))
