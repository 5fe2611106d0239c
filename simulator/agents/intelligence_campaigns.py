"""Campaigns: cases and their graph go in; what belongs together is named, recognised, followed, and told to people."""

from __future__ import annotations

from collections import Counter

import networkx as nx

from simulator.agents import intelligence_graph as graphs
from simulator.agents.base import View
from simulator.agents.intelligence_graph import Node, Sort
from simulator.agents.intelligence_state import PERIOD, Campaign, Case, State
from simulator.agents.patterns import KINDS

FEWEST = 3
"""So many bots make a campaign."""
OVER = 60
"""A campaign that has nobody outside quarantine, and nobody new for so many ticks, is over."""
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


def follow(state: State, view: View, found: nx.Graph) -> None:
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
