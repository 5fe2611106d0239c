"""What suspects have to do with each other: alerts and messages go in; a graph, its clusters and risks come out.

The graph has human size: the bots, links and skills of alerts, and who is tied to them. Ties are counted as messages
pass, in sorted arrays of keys and counts; the graph of networkx is made of them when it is asked for. Nodes are pairs
of integers, and all that is sorted is sorted by them, so that no order depends on hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Node = tuple[int, int]
"""The sort of a thing and its number."""

BITS = 24
"""Of a number, within a key."""
MOST_TIES = 20_000
"""So many are remembered, and ..."""
MOST_DRAWN = 2_000
"""... so many of them are in the graph: those that were seen most."""
OLD = 0.98
"""What is left of a count when the ties are put together again."""


class Sort(IntEnum):
    BOT = 0
    SKILL = 1
    LINK = 2


class Tie(IntEnum):
    """How two things belong together, from the first of them."""

    SENT = 0  # a bot, a link
    WITH_SKILL = 1  # a bot, a skill with which it sent
    WROTE = 2  # two bots that wrote to each other, the lower number first
    MADE = 3  # a bot, its skill
    VOTED = 4  # two bots that dissent together
    JOINED = 5  # two bots that joined at the same time


FIRM = {Tie.SENT: 1.8, Tie.WITH_SKILL: 1.8, Tie.WROTE: 2.5, Tie.MADE: 1.0, Tie.VOTED: 1.0, Tie.JOINED: 1.0}
"""So often must it have been seen before it is more than chance."""
SORTS = {
    Tie.SENT: (Sort.BOT, Sort.LINK),
    Tie.WITH_SKILL: (Sort.BOT, Sort.SKILL),
    Tie.WROTE: (Sort.BOT, Sort.BOT),
    Tie.MADE: (Sort.BOT, Sort.SKILL),
    Tie.VOTED: (Sort.BOT, Sort.BOT),
    Tie.JOINED: (Sort.BOT, Sort.BOT),
}
WORDS = {
    Tie.SENT: "sent",
    Tie.WITH_SKILL: "sent with",
    Tie.WROTE: "wrote to",
    Tie.MADE: "made",
    Tie.VOTED: "voted with",
    Tie.JOINED: "joined with",
}


@dataclass(slots=True)
class Ties:
    keys: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Sorted."""
    counts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    fresh: list[Ids] = field(default_factory=list)
    """Keys that were not put together yet."""


def tie(ties: Ties, kind: Tie, one: Any, other: Any) -> None:
    """These things were seen to belong together, once more."""
    one, other = np.asarray(one, dtype=np.int64), np.asarray(other, dtype=np.int64)
    if not one.size:
        return
    if SORTS[kind][0] == SORTS[kind][1]:
        one, other = np.minimum(one, other), np.maximum(one, other)
    ties.fresh.append((np.int64(kind) << np.int64(2 * BITS)) | (one << np.int64(BITS)) | other)


def settle(ties: Ties) -> None:
    """Puts what is fresh together with what was there. When there are too many ties, the rarest are forgotten."""
    # Where something was seen once it is never less than that: counts fade, facts do not.
    counts = np.maximum(ties.counts * OLD, np.minimum(ties.counts, 1.0))
    if ties.fresh:
        new, times = np.unique(np.concatenate(ties.fresh), return_counts=True)
        keys = np.union1d(ties.keys, new)
        found = np.zeros(keys.size)
        found[np.searchsorted(keys, ties.keys)] = counts
        found[np.searchsorted(keys, new)] += times
        ties.keys, counts, ties.fresh = keys, found, []
    if ties.keys.size > MOST_TIES:
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_TIES])
        ties.keys, counts = ties.keys[kept], counts[kept]
    ties.counts = counts


def graph(ties: Ties, suspects: Mapping[Node, float]) -> nx.Graph:
    """The suspects with what each of them is held to have done (0 to 1), whom they are firmly tied to, and how."""
    found = nx.Graph()
    for node, score in sorted(suspects.items()):
        found.add_node(node, suspect=score)
    kinds = ties.keys >> np.int64(2 * BITS)
    mask = np.int64((1 << BITS) - 1)
    one, other = (ties.keys >> np.int64(BITS)) & mask, ties.keys & mask
    # The sort of a thing, and its number, in one.
    sorts = np.array([SORTS[t] for t in Tie], dtype=np.int64)[kinds].reshape(-1, 2) << np.int64(BITS)
    theirs = np.array([(sort << BITS) | number for sort, number in suspects], dtype=np.int64)
    near = np.isin(sorts[:, 0] | one, theirs) | np.isin(sorts[:, 1] | other, theirs)
    firm = np.flatnonzero(near & (ties.counts >= np.array([FIRM[t] for t in Tie])[kinds]))
    firm = np.sort(firm[np.argsort(-ties.counts[firm], kind="stable")[:MOST_DRAWN]])
    for at, kind, a, b in zip(firm.tolist(), kinds[firm].tolist(), one[firm].tolist(), other[firm].tolist()):
        first, second = SORTS[Tie(kind)]
        nodes = (int(first), a), (int(second), b)
        for node in nodes:
            if node not in found:
                found.add_node(node, suspect=0.0)
        found.add_edge(*nodes, tie=WORDS[Tie(kind)], times=float(ties.counts[at]))
    return found


def clusters(found: nx.Graph, fewest: int) -> list[list[Node]]:
    """Suspects that hang together, with the links and skills that tie them: at least `fewest` bots each, the largest
    first."""
    parts = []
    for component in nx.connected_components(found):
        part = sorted(n for n in component if found.nodes[n]["suspect"] > 0 or _ties_suspects(found, n))
        if sum(n[0] == Sort.BOT for n in part) >= fewest:
            parts.append(part)
    return sorted(parts, key=lambda part: (-len(part), part))


def _ties_suspects(found: nx.Graph, node: Node) -> bool:
    """Whether it is a link, or a skill, of two suspects at least."""
    return node[0] != Sort.BOT and sum(found.nodes[near]["suspect"] > 0 for near in found[node]) > 1


def risks(found: nx.Graph, fades: float, reach: int) -> dict[Node, float]:
    """For whom there is no alert: how near it is to those for whom there is one, by the number of ties between them.

    One tie away from a suspect of score `s` is a risk of `s * fades`, two ties `s * fades * fades`, and so on; of
    several ways the worst counts.
    """
    risk = {n: float(s) for n, s in found.nodes(data="suspect") if s > 0}
    edge = sorted(risk)
    for _ in range(reach):
        following: dict[Node, float] = {}
        for node in edge:
            for near in found[node]:
                through = risk[node] * fades
                if through > max(risk.get(near, 0.0), following.get(near, 0.0)):
                    following[near] = through
        risk.update(following)
        edge = sorted(following)
    return {n: r for n, r in sorted(risk.items()) if found.nodes[n]["suspect"] == 0}


def bots_of(nodes: Iterable[Node]) -> tuple[int, ...]:
    return tuple(number for sort, number in nodes if sort == Sort.BOT)
