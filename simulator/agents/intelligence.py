"""Intelligence: alerts, the tables of a tick and feeds from outside go in, campaigns, risks and a forecast come out.

It ties suspects together on a graph (`intelligence_graph.py`); what hangs together is a campaign, of which it names the
pattern and follows the spread. Who is near known attackers gets a risk, of which the Threat Hunter hears. It forecasts
the number of incidents (`forecast.py`) and tells the Policy Enforcer which threat level that calls for. It asks nothing
of the gateway: it has no powers.
"""

from __future__ import annotations

import networkx as nx

from simulator.agents import intelligence_graph as graphs
from simulator.agents.base import Alert, View
from simulator.agents.intelligence_campaigns import follow
from simulator.agents.intelligence_feed import heed
from simulator.agents.intelligence_graph import Node
from simulator.agents.intelligence_hear import forget, hear, watch
from simulator.agents.intelligence_level import hasten, predict
from simulator.agents.intelligence_risks import warn
from simulator.agents.intelligence_state import PERIOD, State, begin, grow

__all__ = ["State", "begin", "tick"]


def tick(state: State, view: View) -> None:
    """Listens, watches, and once in a period draws conclusions."""
    grow(state, view)
    for alert in view.take(Alert):
        hear(state, view, alert)
    if state.cases:
        watch(state, view)
    hasten(state, view)
    if view.tick % PERIOD == 0:
        heed(state.feed, view)
    if view.tick and view.tick % PERIOD == 0:
        _conclude(state, view)


def graph(state: State) -> nx.Graph:
    """The suspects and what they have to do with each other, as they are known now."""
    suspects: dict[Node, float] = {}
    for case in state.cases:
        node = (case.sort, case.number)
        suspects[node] = max(suspects.get(node, 0.0), case.score)
    return graphs.graph(state.ties, suspects)


def _conclude(state: State, view: View) -> None:
    """A period is over."""
    forget(state, view)
    graphs.settle(state.ties)
    if state.cases:
        found = graph(state)
        follow(state, view, found)
        warn(state, view, found)
    predict(state, view)
