"""Who is near known attackers: the graph of suspects goes in, indicators for the Threat Hunter come out."""

from __future__ import annotations

import networkx as nx

from simulator.agents import intelligence_graph as graphs
from simulator.agents.base import Indicator, Name, View
from simulator.agents.intelligence_graph import Node, Sort
from simulator.agents.intelligence_state import SUBJECTS, State

FADES, REACH = 0.6, 2
"""One tie from a suspect the risk is 0.6 of his, two ties away 0.36; beyond it is nothing."""
WORTH = 0.3
"""Risks from here on are told to the Threat Hunter."""
NEWS = 0.1
"""By so much a risk must have risen to be told again."""
MOST_TOLD = 64
"""Each period."""


def warn(state: State, view: View, found: nx.Graph) -> None:
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
